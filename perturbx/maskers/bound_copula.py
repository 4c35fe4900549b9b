"""Background rows that follow the present columns of one row, as their dependence has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints, Noise
from perturbx.containers import Layout
from perturbx.features import Columns, FeatureTree
from perturbx.maskers._base import BoundMasker
from perturbx.maskers._copula import Copula
from perturbx.maskers._marginals import numbers_of
from perturbx.maskers._tabular import FittedTable


@dataclass(frozen=True, eq=False)
class FittedCopula(FittedTable):
    """A copula, and the background rows that it moves.

    Parameters
    ----------
    rows : table of rows
        The training rows from which the marginals were learned.
    chosen : (b,) int array
        Which of them are the background.
    spread : (b, d) array
        Their scores, tied cells apart.
    """

    rows: Any
    copula: Copula
    chosen: Ints
    spread: Floats
    value_function: str
    notes: tuple[str, ...] = ()
    trees: tuple[FeatureTree, ...] = ()

    def bound(self, rows: Any) -> list[BoundMasker]:
        training, instances = self.layout.encode(self.rows, rows)
        numbers = [
            numbers_of(self.layout, X) for X in (self.layout.take(self.rows, self.chosen), rows)
        ]
        background = training.bits[self.chosen]
        means, given = (
            np.stack(
                [
                    m.scores(*cells)
                    for m, *cells in zip(self.copula.marginals, bits.T, known, strict=True)
                ],
                axis=1,
            )
            for bits, known in zip((background, instances.bits), numbers, strict=True)
        )
        shown = self.columns.shown(self.layout.values(rows))
        constant = (training.bits == training.bits[0]).all(axis=0)
        return [
            BoundCopula(
                self.layout,
                self.columns,
                self.copula,
                background,
                np.nan_to_num(means),
                self.spread,
                bits,
                scores,
                ~constant | (bits != training.bits[0]),
                training.tables,
                data,
                self.trees,
            )
            for bits, scores, data in zip(instances.bits, given, shown, strict=True)
        ]


@dataclass(frozen=True, eq=False)
class BoundCopula(BoundMasker):
    """One row and the background, as bits and as normal scores.

    Parameters
    ----------
    background : (b, d) array
    means, spread : (b, d) arrays
        The mean scores of the background's cells, and their own, which differ where cells tie.
    instance : (d,) array
    given : (d,) array
        The instance's scores; NaN where its cell tells nothing, as an unknown category.
    varies : (d,) bool array
        False for a column that is constant in the training rows, and the same in the instance.
    """

    layout: Layout
    columns: Columns
    copula: Copula
    background: NDArray[Any]
    means: Floats
    spread: Floats
    instance: NDArray[Any]
    given: Floats
    varies: NDArray[np.bool_]
    tables: tuple[Any, ...]
    shown: NDArray[Any]
    trees: tuple[FeatureTree, ...] = ()
    shares_empty: bool = True

    @property
    def n_features(self) -> int:
        return len(self.columns.names)

    @property
    def feature_names(self) -> tuple[str, ...]:
        return self.columns.names

    @property
    def feature_labels(self) -> tuple[Any, ...]:
        return self.columns.labels

    @property
    def data(self) -> Any:
        return self.shown

    @property
    def rows_per_perturbation(self) -> int:  # type: ignore[override]
        return len(self.background)

    @property
    def active(self) -> NDArray[np.bool_]:
        return np.bincount(self.columns.feature_of, self.varies, self.n_features) > 0

    @property
    def row_bytes(self) -> int:
        return int(self.instance.nbytes)

    @property
    def calls_are_costly(self) -> bool:  # type: ignore[override]
        return self.layout.column_major

    def scratch(self, n_rows: int) -> NDArray[Any]:
        return np.empty(n_rows * len(self.instance), dtype=self.instance.dtype)

    def batch(self, z: Coalitions | Noise, rows: slice | Ints, scratch: NDArray[Any]) -> Any:
        present = self.columns.of(z)
        background, means, spread = (
            part[rows] if isinstance(rows, slice) else part[rows][:, None]
            for part in (self.background, self.means, self.spread)
        )
        by = self.copula.shift(means, np.nan_to_num(self.given), present & ~np.isnan(self.given))
        c, b, d = by.shape
        bits = scratch[: c * b * d].reshape((d, c, b))
        for j, marginal in enumerate(self.copula.marginals):
            moved = marginal.moved(background[..., j], spread[..., j], by[..., j])
            bits[j] = np.where(present[:, j, None], self.instance[j], moved)
        return self.layout.decode(bits.reshape(d, c * b).T, self.tables)
