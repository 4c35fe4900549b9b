"""How noise changes one row: numbers move, and categories are redrawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
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

_COLUMNS = 64
"""Columns of floats that are moved together."""

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
        found = {
            j: np.unique(training.bits[:, j], return_counts=True)
            for j in np.flatnonzero(self.categorical).tolist()
        }
        bound: list[BoundMasker] = []
        for bits, data in zip(instances.bits, values, strict=True):
            others: list[tuple[NDArray[Any], Floats] | None] = [None] * len(bits)
            for j, (codes, counts) in found.items():
                other = codes != bits[j]
                rates = np.cumsum(counts[other]) / max(counts[other].sum(), 1)
                others[j] = codes[other], rates
            bound.append(
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
                    tuple(others),
                )
            )
        return bound


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
    """The other categories, and the cumulative probabilities of drawing them."""

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
        alone, together = self._moves
        for j in alone:
            alternatives = self.others[j]
            if alternatives is not None:
                moved = z[:, j] > 0
                codes, cumulated = alternatives
                drawn = np.searchsorted(cumulated, 2 * ndtr(z[moved, j]) - 1)
                bits[moved, j] = codes[np.minimum(drawn, len(codes) - 1)]
            else:
                bits[:, j] = self._moved(j, z[:, j])
        for columns, x, dtype in together:
            with np.errstate(over="ignore"):
                numbers = x + z[:, columns] * self.scale[columns]
            most = np.finfo(dtype).max
            np.clip(numbers, -most, most, out=numbers)
            bits[:, columns] = numbers.astype(dtype).view(f"u{dtype.itemsize}")
        return bits

    @cached_property
    def _moves(self) -> tuple[list[int], list[tuple[Ints, Floats, np.dtype[Any]]]]:
        """The columns that move one by one: categories, and integers, which have a range.

        Then columns of floats that move together, with their numbers and their type.
        """
        alone = [j for j, other in enumerate(self.others) if other is not None and len(other[0])]
        alike: dict[Any, list[int]] = {}
        for j in np.setdiff1d(np.flatnonzero(self.scale > 0), alone).tolist():
            dtype: Any = self.layout.number_type(j, self.tables)  # known since it was bound
            if dtype.kind == "f":
                alike.setdefault(dtype, []).append(j)
            else:
                alone.append(j)
        together = [
            (columns, np.array([float(self.shown[j]) for j in columns]), dtype)
            for dtype, members in alike.items()
            for columns in np.array_split(members, -(-len(members) // _COLUMNS))
        ]
        return alone, together

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
        """The bits of x and a move, in the type of a column of integers."""
        dtype: Any = self.layout.number_type(column, self.tables)
        unsigned = np.dtype(f"u{dtype.itemsize}")
        x = np.uint64(self._integer(column) % 2**64)
        moved = (x + self._steps(column, z).view(np.uint64)).astype(unsigned)
        return np.asarray(moved.astype(unsigned.newbyteorder(dtype.byteorder)).view(unsigned))
