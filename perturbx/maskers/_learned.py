"""What the conditional maskers learn from training rows, whatever they then do with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.containers import Layout, layout_of
from perturbx.features import Columns
from perturbx.maskers._base import Features
from perturbx.maskers._copula import Copula, shrunk_covariance
from perturbx.maskers._marginals import Marginal, marginals_of, numbers_of
from perturbx.maskers._tabular import dense, require


@dataclass(frozen=True, eq=False)
class Learned:
    """n training rows on the scale of normal scores, and how their columns depend on each other.

    Parameters
    ----------
    rows : table of rows
    copula : Copula
    bits : (n, d) array
    means, spread : (n, d) arrays
        The scores of the cells: tied cells have the same mean score, and spread ones apart.
    notes : tuple of str
        That the rows are a sample, if they are.
    """

    layout: Layout
    columns: Columns
    rows: Any
    copula: Copula
    bits: NDArray[Any]
    means: Floats
    spread: Floats
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        X: Any,
        features: Features,
        rng: np.random.Generator,
        *,
        masker: str,
        most: int,
        normal: bool = False,
        in_order: bool = False,
    ) -> Learned:
        """Of at most so many of the rows of ``fit``; `normal` as in `ConditionalCopula`.

        They come in their `order` if `in_order`, so that every k-th one is a good sample of all.
        """
        X = dense(require(X, masker), masker)
        layout = layout_of(X, features.names)
        columns = Columns.grouped(layout.names, layout.labels, features.groups)
        n_seen = X.shape[0]
        rows = layout.take(X, sampled(n_seen, most, rng))
        notes: tuple[str, ...] = ()
        if n_seen > most:
            notes = (f"{masker} learned from a random sample of {most} of {n_seen} rows",)
        marginals, means, bits = _scores(layout, rows, normal)
        if in_order:  # codes are numbered as they come, so that they are learned again
            rows = layout.take(rows, _side_by_side(means, np.arange(len(means))))
            marginals, means, bits = _scores(layout, rows, normal)
        copula = Copula(tuple(marginals), shrunk_covariance(means))
        uniform = _uniform(layout.names, len(means), rng)
        cells = zip(marginals, bits.T, means.T, uniform, strict=True)
        spread = np.stack([m.spread(*each) for m, *each in cells], axis=1)
        return cls(layout, columns, rows, copula, bits, means, spread, notes)

    @property
    def order(self) -> Ints:
        """(n,): the rows in an order in which neighbors are alike."""
        return _side_by_side(self.means, np.arange(len(self.means)))


def sampled(n: int, most: int, rng: np.random.Generator) -> Ints:
    """The positions of at most so many of n rows, in their order."""
    return np.arange(n) if n <= most else np.sort(rng.choice(n, size=most, replace=False))


def _scores(layout: Layout, rows: Any, normal: bool) -> tuple[list[Marginal], Floats, NDArray[Any]]:
    """The marginals of some rows, and the (n, d) scores and bits of their cells."""
    (cells,) = layout.encode(rows)
    types = [layout.number_type(j, cells.tables) for j in range(len(layout.names))]
    takes = [t if normal and t is not None and t.kind in "iuf" else None for t in types]
    return *marginals_of(cells.bits, numbers_of(layout, rows), takes), cells.bits


def _uniform(names: tuple[str, ...], n: int, rng: np.random.Generator) -> list[Floats]:
    """For each column n numbers from 0 to 1, evenly spread, whatever the order of the columns."""
    seed = int(rng.integers(2**63))
    each = [np.random.default_rng([seed, *name.encode()]) for name in names]
    return [(own.permutation(n) + own.random(n)) / n for own in each]


def _side_by_side(scores: Floats, rows: Ints) -> Ints:
    """Some rows in an order in which neighbors are alike: a k-d tree's, from left to right."""
    if len(rows) <= 2:
        return rows
    spread = scores[rows].std(axis=0)
    if not spread.max() > 0:
        return rows
    rows = rows[np.argsort(scores[rows, spread.argmax()], kind="stable")]
    half = len(rows) // 2
    parts = _side_by_side(scores, rows[:half]), _side_by_side(scores, rows[half:])
    return np.concatenate(parts)
