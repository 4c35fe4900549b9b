"""The same background rows behind every coalition, moved by the correlations of their scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints
from perturbx.maskers._base import BoundMasker
from perturbx.maskers._stages import Stage, shift_along
from perturbx.maskers.bound_moved import BoundMoved, FittedMoved, Moves


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedCopula(FittedMoved):
    """A copula, and the background rows that it moves.

    Parameters
    ----------
    chosen : (b,) int array
        Which of the training rows are the background.
    stages : tuple of Stage
        In which absent features follow their causes; none where they follow all present ones.
    """

    chosen: Ints
    stages: tuple[Stage, ...] = ()

    def bound(self, rows: Any) -> list[BoundMasker]:
        learned, chosen = self.learned, self.chosen
        own: dict[str, Any] = {
            "background": learned.bits[chosen],
            "means": learned.means[chosen],
            "spread": learned.spread[chosen],
            "stages": self.stages,
        }
        return [BoundCopula(**own, **one) for one in self.scored(rows)]


@dataclass(frozen=True, eq=False, kw_only=True)
class BoundCopula(BoundMoved):
    """One row, and the background as bits and as normal scores.

    Parameters
    ----------
    background : (b, d) array
    means, spread : (b, d) arrays
        The mean scores of the background's cells, and their own, which differ where cells tie.
    stages : tuple of Stage
    """

    background: NDArray[Any]
    means: Floats
    spread: Floats
    stages: tuple[Stage, ...] = ()

    @property
    def rows_per_perturbation(self) -> int:  # type: ignore[override]
        return len(self.background)

    def moves(self, known: Coalitions, rows: slice | Ints) -> Moves:
        cells, means, spread = (
            part[rows] if isinstance(rows, slice) else part[rows][:, None]
            for part in (self.background, self.means, self.spread)
        )
        given = np.nan_to_num(self.given)
        if self.stages:
            return cells, spread, shift_along(self.copula, self.stages, means, given, known)
        return cells, spread, self.copula.shift(means, given, known)
