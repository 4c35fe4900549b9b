"""The training rows near what is known, moved by the dependence among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints
from perturbx.maskers._base import BoundMasker
from perturbx.maskers._copula import local_covariances
from perturbx.maskers._learned import Learned
from perturbx.maskers._reach import Reach, systematic
from perturbx.maskers.bound_moved import BoundMoved, FittedMoved, Moves

_MOST_NUMBERS = 2**20
"""Weights and cells of coalitions are built in blocks of so many numbers."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedLocal(FittedMoved):
    """Training rows, weighted for each coalition by `reach`.

    Parameters
    ----------
    reach : Reach
    max_rows : int
        The rows behind each coalition.
    start : float
        Where systematic samples begin, as a fraction of a step.
    """

    reach: Reach
    max_rows: int
    start: float

    def bound(self, rows: Any) -> list[BoundMasker]:
        learned = self.learned
        own: dict[str, Any] = {
            "reach": self.reach,
            "pool": learned.bits,
            "means": learned.means,
            "spread": learned.spread,
            "max_rows": self.max_rows,
            "start": self.start,
        }
        return [BoundLocal(**own, **one) for one in self.scored(rows)]


def fitted_local(
    learned: Learned, reach: Reach, max_rows: int, rng: np.random.Generator, by: str
) -> FittedLocal:
    """Training rows weighted by `reach`; `by` says how they are drawn."""
    n = len(learned.means)
    drawn = min(n, max_rows)
    return FittedLocal(
        layout=learned.layout,
        columns=learned.columns,
        learned=learned,
        value_function=f"absent features from {drawn} draws given the present ones ({by})",
        notes=learned.notes,
        reach=reach,
        max_rows=max_rows,
        start=float(rng.random()),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class BoundLocal(BoundMoved):
    """One row, and the training rows as bits and as normal scores.

    Parameters
    ----------
    pool, means, spread : (n, d) arrays
    """

    single_rows = False

    reach: Reach
    pool: NDArray[Any]
    means: Floats
    spread: Floats
    max_rows: int
    start: float

    @property
    def rows_per_perturbation(self) -> int:  # type: ignore[override]
        return min(self.max_rows, len(self.pool))

    def moves(self, known: Coalitions, rows: slice | Ints) -> Moves:
        (n, d), b = self.pool.shape, self.rows_per_perturbation
        step = max(1, _MOST_NUMBERS // max(n, b * d, d * d))
        parts = [
            self._moves(
                known[i : i + step], rows if isinstance(rows, slice) else rows[i : i + step]
            )
            for i in range(0, len(known), step)
        ]
        if len(parts) == 1:
            return parts[0]
        cells, spread, by = (np.concatenate(part) for part in zip(*parts, strict=True))
        return cells, spread, by

    def _moves(self, known: Coalitions, rows: slice | Ints) -> Moves:
        given = np.nan_to_num(self.given)
        weights = self.reach.weights(given, known)
        index = systematic(weights, self.rows_per_perturbation, self.start)
        effective = weights.sum(axis=1) ** 2 / (weights**2).sum(axis=1)
        covariances = local_covariances(self.means[index], self.copula.covariance, effective)
        each = np.arange(len(known))
        index = index[:, rows] if isinstance(rows, slice) else index[each, rows][:, None]
        by = self.copula.shift(self.means[index], given, known, covariances)
        return self.pool[index], self.spread[index], by
