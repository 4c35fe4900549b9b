"""What a paired design says about a game, split into its odd and its even part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import binom

from perturbx._typing import Coalitions, Floats, Ints
from perturbx.designs import Pairs
from perturbx.solvers._answers import Answers

_MOST_OF_SIZE = 1e150

MOST_ROWS = 256
"""Pairs whose signs, or covariances with the pairs that are fitted, are computed at once."""


@dataclass(frozen=True, eq=False)
class OddPairs:
    """n pairs {S, complement of S} of d features and one target, in units of the target's scale.

    With x in {-1, +1}^d, ``odd`` is g(x) = (v(S) - v(complement)) / 2 and ``even`` their mean;
    the pair of the full and the empty coalition has ``half_gain`` and ``even_end``. Shapley
    values depend on the odd part alone; the even part only tells which features interact.
    Where answers are random, ``doubt`` (n + 1,) has the variances of `odd`, which are those of
    `even`, and last that of the pair of the full and the empty coalition.
    """

    signs: Floats
    weights: Floats
    odd: Floats
    even: Floats
    half_gain: float
    even_end: float
    doubt: Floats | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """N and d."""
        return self.signs.shape[0], self.signs.shape[1]

    def subset(self, rows: Ints) -> OddPairs:
        return OddPairs(
            self.signs[rows],
            self.weights[rows],
            self.odd[rows],
            self.even[rows],
            self.half_gain,
            self.even_end,
            None if self.doubt is None else self.doubt[np.append(rows, -1)],
        )

    def with_end(self, exactness: float = 1e6) -> tuple[Floats, Floats, Floats]:
        """Signs (n + 1, d), odd values, noise variances; the full coalition last, almost exact."""
        ones = np.ones((1, self.signs.shape[1]))
        signs = np.vstack([self.signs, ones])
        noise = 1 / np.append(self.weights, exactness * self.weights.max())
        return signs, np.append(self.odd, self.half_gain), noise

    def slopes(self) -> Floats:
        """(d,): the linear part by ridge regression."""
        n, d = self.shape
        weighted = self.signs * self.weights[:, None]
        normal = weighted.T @ self.signs
        normal.flat[:: d + 1] += (1e-3 if n < 2 * d else 1e-9) * np.trace(normal) / d
        return np.asarray(np.linalg.solve(normal, weighted.T @ self.odd))

    def coalitions(self) -> tuple[Coalitions, Floats]:
        """The coalitions of the pairs, (2 n, d), and their values, less their mean."""
        present = self.signs > 0
        values = np.concatenate([self.even + self.odd, self.even - self.odd])
        return np.concatenate([present, ~present]), values - values.mean()


def direct_shares(signs: Floats) -> Floats:
    """(n, d): what a unit of g at one pair alone adds to each Shapley value, by definition."""
    d = signs.shape[1]
    size = (signs > 0).sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", over="ignore"):
        present, absent = 2 / (d * binom(d - 1, size - 1)), -2 / (d * binom(d - 1, size))
    return np.asarray(np.where(signs > 0, present, absent))


def squares_of_all(direct: Callable[[Floats], Floats], d: int) -> float:
    """The summed squares of what each pair but the full one adds to a score, by definition.

    `direct` (n, p) gives what a unit at each of n pairs alone adds to p scores, all the scores of
    a kind: since they treat features alike, the mean over all pairs of a size is that over scores.
    """
    sizes = np.arange(1, d)
    one_of_each = np.where(np.arange(d) < sizes[:, None], 1.0, -1.0)
    # The pairs of a more frequent size add nothing that counts.
    n_of_size = np.minimum(binom(d, sizes), _MOST_OF_SIZE) / 2
    return float(n_of_size @ (direct(one_of_each) ** 2).mean(axis=1))


def unseen_shares(shares: Floats, of_all: float) -> Floats:
    """(p,): `of_all` squares less those of the pairs that are seen, whose shares are (n, p)."""
    return np.asarray(np.maximum(of_all - (shares**2).sum(axis=0), 0.0))


@dataclass(frozen=True, eq=False)
class Signs:
    """The signs of some pairs, (k, d), made a slice at a time.

    Parameters
    ----------
    design : Pairs
    which : (k,) int array
    """

    design: Pairs
    which: Ints

    def __len__(self) -> int:
        return len(self.which)

    def __getitem__(self, rows: slice) -> Floats:
        return np.where(self.design.first[self.which[rows]], 1.0, -1.0)

    def slices(self) -> Iterator[slice]:
        """Slices of all rows, of which each takes little memory."""
        yield from (slice(start, start + MOST_ROWS) for start in range(0, len(self), MOST_ROWS))


def read_pairs(
    answers: Answers[Pairs], which: Ints | None = None
) -> tuple[list[OddPairs], Floats, Floats]:
    """The pairs of every target, by default all; the scale of each target; every pair's odd part.

    The odd part (n, t) of all pairs is in units of the scales (t,).
    """
    design, outputs = answers.design, answers.outputs
    which = np.arange(len(design.first)) if which is None else which
    signs = np.where(design.first[which], 1.0, -1.0)
    # Among chosen pairs the weight of a size would rest on the few that it has.
    weights = design.pair_weights if design.random else np.ones(len(design.first))
    weights = (weights / weights.mean())[which]
    odd, even = design.odd(outputs), design.even(outputs)[which]
    half_gain = (answers.full - answers.empty) / 2
    even_end = (answers.full + answers.empty) / 2
    scale = np.maximum(np.abs(odd).max(axis=0, initial=0.0), np.abs(half_gain))
    safe = np.where(scale > 0, scale, 1.0)
    odd /= safe
    doubts = None
    if answers.variances is not None:
        own, ends = design.doubt(answers.variances.outputs)[which], answers.variances.ends / 4
        doubts = np.vstack([own, ends]) / safe**2
    pairs = [
        OddPairs(
            signs,
            weights,
            odd[which, t],
            even[:, t] / s,
            half_gain[t] / s,
            even_end[t] / s,
            None if doubts is None else doubts[:, t],
        )
        for t, s in enumerate(safe)
    ]
    return pairs, scale, odd
