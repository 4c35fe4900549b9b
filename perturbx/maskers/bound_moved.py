"""Model rows whose absent columns are those of training rows, moved to follow the present ones."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints, Noise
from perturbx.containers import Layout
from perturbx.features import Columns, FeatureTree
from perturbx.maskers._copula import Copula
from perturbx.maskers._learned import Learned
from perturbx.maskers._marginals import numbers_of
from perturbx.maskers._tabular import BoundRow, FittedTable

Moves: TypeAlias = tuple[NDArray[Any], Floats, Floats]
"""The bits and the spread scores of b rows, (b, d) or (c, b, d), and how far each score moves."""


@dataclass(frozen=True, eq=False)
class FittedMoved(FittedTable):
    """What was learned from training rows, and how many of them stand behind each coalition."""

    learned: Learned
    value_function: str
    notes: tuple[str, ...] = ()
    trees: tuple[FeatureTree, ...] = ()

    def scored(self, rows: Any) -> list[dict[str, Any]]:
        """What every bound masker of some checked rows has."""
        training, instances = self.layout.encode(self.learned.rows, rows)
        numbers, shown = numbers_of(self.layout, rows), self.layout.values(rows)
        copula = self.learned.copula
        cells = zip(copula.marginals, instances.bits.T, numbers, strict=True)
        given = np.stack([m.scores(*each) for m, *each in cells], axis=1)
        varies = (training.bits != training.bits[0]).any(axis=0)
        parts = zip(instances.bits, given, self.columns.shown(shown), strict=True)
        return [
            {
                "layout": self.layout,
                "columns": self.columns,
                "copula": copula,
                "instance": bits,
                "given": scores,
                "varies": varies | (bits != training.bits[0]),
                "tables": training.tables,
                "shown": data,
                "trees": self.trees,
            }
            for bits, scores, data in parts
        ]


@dataclass(frozen=True, eq=False, kw_only=True)
class BoundScored(BoundRow):
    """One row as bits and as normal scores.

    Parameters
    ----------
    instance : (d,) array
    given : (d,) array
        The instance's scores; NaN where its cell tells nothing, as an unknown category.
    varies : (d,) bool array
        False for a column that is constant in the training rows, and the same in the instance.
    """

    layout: Layout
    columns: Columns
    copula: Copula
    instance: NDArray[Any]
    given: Floats
    varies: NDArray[np.bool_]
    tables: tuple[Any, ...]
    shown: NDArray[Any]
    trees: tuple[FeatureTree, ...] = ()
    shares_empty: bool = True

    @property
    def active(self) -> NDArray[np.bool_]:
        return np.bincount(self.columns.feature_of, self.varies, self.n_features) > 0

    def scratch(self, n_rows: int) -> NDArray[Any]:
        return np.empty(n_rows * len(self.instance), dtype=self.instance.dtype)


@dataclass(frozen=True, eq=False, kw_only=True)
class BoundMoved(BoundScored):
    """Training rows behind each coalition, which move to follow the columns that are present."""

    draws = True

    @abstractmethod
    def moves(self, known: Coalitions, rows: slice | Ints) -> Moves:
        """The rows behind each of c coalitions of known columns, and how they move.

        `rows` are some of them, as for `batch`.
        """

    def batch(self, z: Coalitions | Noise, rows: slice | Ints, scratch: NDArray[Any]) -> Any:
        present = self.columns.of(z)
        cells, spread, by = self.moves(present & ~np.isnan(self.given), rows)
        c, b, d = by.shape
        bits = scratch[: c * b * d].reshape((d, c, b))
        for j, marginal in enumerate(self.copula.marginals):
            moved = marginal.moved(cells[..., j], spread[..., j], by[..., j])
            bits[j] = np.where(present[:, j, None], self.instance[j], moved)
        return self.layout.decode(bits.reshape(d, c * b).T, self.tables)
