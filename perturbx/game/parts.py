"""Averages over background rows: over all of them, and over random parts of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._typing import Floats, Ints

_PARTS = 10

_FEWEST_ROWS = 4
"""Fewer background rows than this show nothing of their variation."""


@dataclass(frozen=True, eq=False)
class Parts:
    """A random partition of the background rows into parts of about the same size.

    The differences between the scores of the parts show how much the scores of all rows depend on
    the sample of background rows. The partition is random since the rows may be sorted.

    Parameters
    ----------
    order : (n_background,) int array
        The rows of the first part, then those of the second, and so on.
    starts : (n_parts,) int array
        The position in `order` at which each part begins.
    shares : (n_parts,) array
        The weight of each part in the average over all rows; they sum to 1.
    """

    order: Ints
    starts: Ints
    shares: Floats

    @classmethod
    def dealt(
        cls, n_background: int, weights: Floats | None, rng: np.random.Generator
    ) -> Parts | None:
        """A random partition into parts whose sizes differ by at most one, or None for few rows."""
        if n_background < _FEWEST_ROWS:
            return None
        n_parts = min(_PARTS, n_background)
        starts = np.linspace(0, n_background, n_parts + 1).astype(int)[:-1]
        order = rng.permutation(n_background)
        if weights is None:
            return cls(order, starts, np.diff(starts, append=n_background) / n_background)
        return cls(order, starts, np.add.reduceat(weights[order], starts))

    def error(self, values: Floats) -> Floats:
        """The standard error of an average over all rows, from (..., n_parts) values of parts.

        It is the standard error of a ratio estimate (Cochran, Sampling Techniques, 1977, section
        6.4). For parts of equal size that is their standard deviation over the root of n_parts.
        """
        n = len(self)
        about = values - (values @ self.shares)[..., None]
        return np.asarray(np.sqrt(about**2 @ self.shares**2 * (n / (n - 1))))

    def __len__(self) -> int:
        return len(self.starts)


def averages(answers: Floats, per: int, parts: Parts | None, weights: Floats | None) -> Floats:
    """Means over the `per` rows of each perturbation: (c * per, k) to (1 + n_parts, c, k).

    The mean of all rows comes first. Sums run along contiguous memory, so their rounding does
    not depend on c. They are sums of differences to the first output, so the mean of equal outputs
    is exact, and a feature that never changes the output has a score of exactly 0.
    """
    if per == 1:
        return answers[None]
    rows = answers.reshape(-1, per, answers.shape[1])
    by_row = np.ascontiguousarray(rows.transpose(0, 2, 1))
    first = by_row[:, :, :1]
    by_row = by_row - first
    if weights is not None:
        by_row *= weights * per
    whole = first[:, :, 0] + np.add.reduce(by_row, axis=2) / per
    if parts is None:
        return np.asarray(whole[None])
    # computed separately, so that the rounding of the whole does not depend on the partition
    sums = np.add.reduceat(np.take(by_row, parts.order, axis=2), parts.starts, axis=2)
    sizes = np.diff(parts.starts, append=per) if weights is None else parts.shares * per
    of_parts = first + sums / sizes
    return np.concatenate([whole[None], np.moveaxis(of_parts, 2, 0)])
