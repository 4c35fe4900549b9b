"""How columns of one row are replaced by those of background rows, in many copies at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints, Noise
from perturbx.containers import Layout, blend
from perturbx.features import Columns, FeatureTree
from perturbx.maskers._base import BoundMasker
from perturbx.maskers._tabular import BoundRow, FittedTable

_LOOP = 512
"""The most elements that one inner loop of the masking covers."""


@dataclass(frozen=True, eq=False)
class FittedBackground(FittedTable):
    """A fitted masker that substitutes background rows, given in the container of X."""

    rows: Any
    value_function: str
    notes: tuple[str, ...] = ()
    trees: tuple[FeatureTree, ...] = ()
    weights: Floats | None = None

    def bound(self, rows: Any) -> list[BoundMasker]:
        background, instances = self.layout.encode(self.rows, rows)
        shown = self.columns.shown(self.layout.values(rows))
        return [
            BoundBackground(
                self.layout,
                self.columns,
                background.bits,
                bits,
                background.tables,
                data,
                self.trees,
                self.weights,
            )
            for bits, data in zip(instances.bits, shown, strict=True)
        ]


Scratch: TypeAlias = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""Buffers for masks and model rows, and the XOR of each background row with the instance."""


@dataclass(frozen=True, eq=False)
class BoundBackground(BoundRow):
    """One row and the background, as bits.

    A model row equals x, bit by bit, in the columns that are present, and the background row in
    those that are absent, for values of every type.
    """

    layout: Layout
    columns: Columns
    background: NDArray[Any]
    instance: NDArray[Any]
    tables: tuple[Any, ...]
    shown: NDArray[Any]
    trees: tuple[FeatureTree, ...] = ()
    weights: Floats | None = None
    shares_empty: bool = True

    @property
    def rows_per_perturbation(self) -> int:  # type: ignore[override]
        return len(self.background)

    @property
    def active(self) -> NDArray[np.bool_]:
        differs = (self.background != self.instance).any(axis=0)
        return np.bincount(self.columns.feature_of, differs, self.n_features) > 0

    def scratch(self, n_rows: int) -> Scratch:
        size = n_rows * len(self.instance)
        masks, rows = np.empty((2, size), dtype=self.instance.dtype)
        return masks, rows, self.background ^ self.instance

    def batch(self, z: Coalitions | Noise, rows: slice | Ints, scratch: Scratch) -> Any:
        masks, buffer, differences = scratch
        c, d = len(z), len(self.instance)
        present = self.columns.of(z)
        is_one = not isinstance(rows, slice) or rows.stop - rows.start == 1
        if is_one and not self.layout.column_major:
            # The same bits as a blend, without masks as wide as the rows.
            tile = buffer[: c * d].reshape(c, d)
            if isinstance(rows, slice):
                np.multiply(differences[rows], ~present, out=tile)
            else:
                np.take(differences, rows, axis=0, out=tile, mode="clip")
                np.multiply(tile, ~present, out=tile)
            np.bitwise_xor(tile, self.instance, out=tile)
            return self.layout.decode(tile, self.tables)
        absent = masks[: c * d].reshape(c, d)
        np.subtract(present, 1, out=absent, dtype=absent.dtype, casting="unsafe")
        if self.layout.column_major:
            apart = differences[rows]
            apart = apart[None] if isinstance(rows, slice) else apart[:, None]
            return self._frame(absent, apart, buffer)
        difference = differences[rows]
        b = len(difference)
        times = _rows_at_once(b, d)
        wide = np.empty((c, times, d), dtype=buffer.dtype)
        wide[...] = absent[:, None]
        out = buffer[: c * b * d].reshape(c, b // times, times * d)
        difference, instance = difference.reshape(-1, times * d), np.tile(self.instance, times)
        blend(wide.reshape(c, 1, times * d), difference, instance, out)
        return self.layout.decode(out.reshape(c * b, d), self.tables)

    def _frame(self, absent: NDArray[Any], apart: NDArray[Any], buffer: NDArray[Any]) -> Any:
        """The batch column by column, each of its own width, in its own part of the buffer."""
        c, (groups, b, d) = len(absent), apart.shape
        chosen = np.ascontiguousarray(absent.T).reshape(d, c, 1)
        difference = np.ascontiguousarray(apart.reshape(groups * b, d).T).reshape(d, groups, b)
        places = buffer[: d * c * b].reshape(d, c * b)
        widths = [self.layout.width(j, self.tables) for j in range(d)]
        columns = [place.view(width)[: c * b] for place, width in zip(places, widths, strict=True)]
        parts = chosen, difference, self.instance
        for j, (column, width) in enumerate(zip(columns, widths, strict=True)):
            one, other, base = (part[j].astype(width, copy=False) for part in parts)
            blend(one, other, base, column.reshape(c, b))
        if all(width == buffer.dtype for width in widths):
            return self.layout.decode(places.T, self.tables)
        return self.layout.decode_columns(columns, self.tables)


@cache
def _rows_at_once(n_rows: int, n_columns: int) -> int:
    """The background rows that one inner loop covers; short inner loops are slow."""
    return max(
        t for t in range(1, n_rows + 1) if n_rows % t == 0 and (t == 1 or t * n_columns <= _LOOP)
    )
