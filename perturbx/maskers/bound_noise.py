"""How noise changes one row: numbers move, and categories are redrawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints, Noise
from perturbx.containers import Layout
from perturbx.designs import Design, NoiseDraws
from perturbx.errors import InvalidParameterError
from perturbx.maskers._base import BoundMasker
from perturbx.maskers._tabular import FittedTable

STILL = 0.3
"""Noise of a smaller standard deviation leaves an integer unchanged in nine of ten draws."""

_FURTHEST = 2**62
"""No integer moves by more, so that sums fit into 64 bits."""


def check_numbers(layout: Layout, tables: tuple[Any, ...], moving: NDArray[np.bool_]) -> None:
    """Refuse columns that noise should move but that do not hold plain numbers."""
    for j in np.flatnonzero(moving):
        dtype = layout.number_type(int(j), tables)
        if dtype is None or dtype.kind not in "iuf":
            label = layout.labels[j]
            raise InvalidParameterError(
                f"Column {label!r} holds no plain numbers, so noise cannot move it: list it in "
                f"GaussianNoise(categorical=[{label!r}]), or convert it to floats, in pandas with "
                f"X.astype({{{label!r}: float}}), in polars with X.with_columns(pl.col({label!r})"
                ".cast(float).fill_null(float('nan')))."
            )


@dataclass(frozen=True, eq=False)
class FittedNoise(FittedTable):
    """The noise scale of each number, and the training rows that categories are drawn from.

    `size` is the unit in which solvers read moves, in the units of each column.
    """

    accepts: ClassVar[type[Design]] = NoiseDraws

    rows: Any
    scale: Floats
    size: Floats
    categorical: NDArray[np.bool_]
    ranges: tuple[tuple[int, int] | None, ...]
    value_function: str = "Gaussian noise around the instance"
    notes: tuple[str, ...] = ()

    @property
    def without_gradient(self) -> tuple[str, ...]:  # type: ignore[override]
        rounded = [seen is not None for seen in self.ranges] & (self.scale < STILL)
        found = self.categorical | (rounded & (self.scale > 0))
        return tuple(self.columns.names[j] for j in np.flatnonzero(found))

    def bound(self, rows: Any) -> list[BoundMasker]:
        training, instances = self.layout.encode(self.rows, rows)
        check_numbers(self.layout, training.tables, self.scale > 0)
        values = self.layout.values(rows)
        others = [
            np.unique(training.bits[:, j], return_counts=True) if c else None
            for j, c in enumerate(self.categorical)
        ]
        return [
            BoundNoise(
                self.layout,
                self.columns.names,
                bits,
                training.tables,
                data,
                self.scale,
                self.size,
                self.categorical,
                self.ranges,
                tuple(_without(o, bits[j]) for j, o in enumerate(others)),
            )
            for bits, data in zip(instances.bits, values, strict=True)
        ]


def _without(
    frequencies: tuple[NDArray[Any], Ints] | None, code: Any
) -> tuple[NDArray[Any], Floats] | None:
    """The other categories, and the cumulative probabilities of drawing them."""
    if frequencies is None:
        return None
    codes, counts = frequencies
    others = codes != code
    counts = counts[others]
    return codes[others], np.cumsum(counts) / max(counts.sum(), 1)


@dataclass(frozen=True, eq=False)
class BoundNoise(BoundMasker):
    """One row, the noise scale of its numbers, and the alternatives to its categories."""

    accepts: ClassVar[type[Design]] = NoiseDraws

    layout: Layout
    names: tuple[str, ...]
    instance: NDArray[Any]
    tables: tuple[Any, ...]
    shown: NDArray[Any]
    scale: Floats
    size: Floats
    categorical: NDArray[np.bool_]
    ranges: tuple[tuple[int, int] | None, ...]
    others: tuple[tuple[NDArray[Any], Floats] | None, ...]

    @property
    def n_features(self) -> int:
        return len(self.names)

    @property
    def feature_names(self) -> tuple[str, ...]:
        return self.names

    @property
    def data(self) -> Any:
        return self.shown

    @property
    def active(self) -> NDArray[np.bool_]:
        moves = [j for j, other in enumerate(self.others) if other is not None and len(other[0])]
        active = self.scale > 0
        active[moves] = True
        return active

    @property
    def row_bytes(self) -> int:
        return int(self.instance.nbytes)

    def scratch(self, n_rows: int) -> NDArray[Any]:
        return np.empty(n_rows * len(self.instance), dtype=self.instance.dtype)

    @property
    def reads_alone(self) -> bool:  # type: ignore[override]
        return any(self.ranges)

    def batch(self, z: Coalitions | Noise, rows: slice | Ints, scratch: Any) -> Any:
        return self.layout.decode(self.bits(z, scratch), self.tables)

    def bits(self, z: Coalitions | Noise, scratch: NDArray[Any]) -> NDArray[Any]:
        """The bits of the model rows of `batch`."""
        from scipy.special import ndtr

        d = len(self.instance)
        order: Literal["C", "F"] = "F" if self.layout.column_major else "C"
        bits = scratch[: len(z) * d].reshape((len(z), d), order=order)
        bits[...] = self.instance
        for j in range(d):
            alternatives = self.others[j]
            if alternatives is not None and len(alternatives[0]):
                moved = z[:, j] > 0
                codes, cumulated = alternatives
                drawn = np.searchsorted(cumulated, 2 * ndtr(z[moved, j]) - 1)
                bits[moved, j] = codes[np.minimum(drawn, len(codes) - 1)]
            elif self.scale[j] > 0:
                bits[:, j] = self._moved(j, z[:, j])
        return bits

    def interpretable(self, z: Coalitions | Noise) -> Coalitions | Noise:
        """How far each number moved; 0 for a category that is unchanged, -1 if it is redrawn."""
        units = np.divide(self.scale, self.size, out=np.ones(self.n_features), where=self.scale > 0)
        if not self.categorical.any() and all(seen is None for seen in self.ranges):
            return z if (units == 1.0).all() else z * units
        read = z * units
        read[:, self.categorical] = -(read[:, self.categorical] > 0).astype(np.float64)
        for j, seen in enumerate(self.ranges):
            if seen is not None and self.scale[j] > 0:
                read[:, j] = self._steps(j, z[:, j]) / self.size[j]
        return read

    def least_moves(self) -> Floats:
        """(d,) the smallest change of each number that its type can represent; 0 for categories."""
        moves = np.zeros(len(self.instance))
        for j in np.flatnonzero(self.scale > 0):
            dtype: Any = self.layout.number_type(int(j), self.tables)
            x = np.abs(np.asarray(self.shown[j], dtype=np.float64)).astype(dtype.newbyteorder("="))
            moves[j] = 1.0 if dtype.kind in "iu" else np.nan_to_num(np.spacing(x))
        return moves

    def _steps(self, column: int, z: NDArray[Any]) -> NDArray[np.int64]:
        """The change of an integer, which stays within the range of the training rows."""
        x, (low, high) = self._integer(column), self.ranges[column] or (0, 0)
        wanted = np.clip(np.rint(z * self.scale[column]), -_FURTHEST, _FURTHEST).astype(np.int64)
        low, high = min(low - x, 0), max(high - x, 0)
        return np.asarray(np.clip(wanted, max(low, -_FURTHEST), min(high, _FURTHEST)))

    def _integer(self, column: int) -> int:
        dtype: Any = self.layout.number_type(column, self.tables)
        return int(self.instance[column : column + 1].astype(f"u{dtype.itemsize}").view(dtype)[0])

    def _moved(self, column: int, z: NDArray[Any]) -> NDArray[Any]:
        """The bits of x + z * scale, in the type of the column."""
        dtype: Any = self.layout.number_type(column, self.tables)
        unsigned = np.dtype(f"u{dtype.itemsize}")
        if dtype.kind in "iu":
            x = np.uint64(self._integer(column) % 2**64)
            moved = (x + self._steps(column, z).view(np.uint64)).astype(unsigned)
            return moved.astype(unsigned.newbyteorder(dtype.byteorder)).view(unsigned)
        with np.errstate(over="ignore"):
            numbers = float(self.shown[column]) + z * self.scale[column]
        numbers = np.clip(numbers, -np.finfo(dtype).max, np.finfo(dtype).max)
        return np.asarray(numbers.astype(dtype).view(unsigned))
