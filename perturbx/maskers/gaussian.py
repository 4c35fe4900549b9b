"""Features are not removed but moved: Gaussian noise around the instance."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints, Noise
from perturbx._validation import check_number, invalid
from perturbx.containers import Cells, Layout, layout_of
from perturbx.designs import Design, NoiseDraws
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.features import Columns, Labels
from perturbx.maskers._base import BoundMasker, Features, FittedMasker, Masker
from perturbx.maskers._tabular import (
    FittedTable,
    power_of_two,
    require,
    sample_rows,
)

_FREQUENCY_ROWS = 1000

_STILL = 0.3
"""Noise of a smaller deviation leaves an integer as it is in nine of ten draws."""

_REPEATS = 2
"""Whole numbers of a float type that come so often, on average, may be codes."""

_FURTHEST = 2**62
"""No integer moves by more, so that sums of 64 bits hold."""


@dataclass(frozen=True, eq=False)
class GaussianNoise(Masker):
    """Numbers move around the instance by Gaussian noise; categories are drawn anew.

    A number becomes x + z * scale with z standard normal. A category stays as it is where z < 0
    and is otherwise drawn from the others, by their frequency in the training rows, so its score
    is what being as it is contributes against that (the interpretable value "same as x" of
    Ribeiro, Singh & Guestrin, KDD 2016).

    Parameters
    ----------
    scale : float or sequence of float
        A number multiplies the columns' standard deviations in the X of ``fit``; a sequence
        gives the noise of each column in its own units.
    categorical : sequence of str or int, optional
        The columns whose values have no distance: by label, by name, or by position where no
        label is an integer. By default those that hold strings, categories or bools, integers
        with no more than two values, and integers whose noise would nearly always round to
        nothing.

    Notes
    -----
    Integer columns stay integers, and within the range of the training rows (and of the instance):
    the moved value is rounded and clipped, and solvers read how far it moved. They are moved as
    numbers; of columns that may hold codes the explanation's notes say how to have them drawn from
    the codes that occur. A column that is constant in the training rows does not move and scores 0.
    """

    needs_fit: ClassVar[bool] = True

    scale: float | Sequence[float] = 1.0
    categorical: Sequence[str | int] | None = None

    def fit(self, X: Any, features: Features, rng: np.random.Generator) -> FittedMasker:
        if features.groups is not None:
            raise InvalidParameterError(
                "groups cannot be moved by Gaussian noise: pass masker=Background() to remove "
                "columns together."
            )
        X = require(X, "GaussianNoise")
        layout = layout_of(X, features.names)
        if X.shape[0] < 2:
            raise InvalidInputError(
                "GaussianNoise needs at least 2 rows to learn the scale of each column, got 1: "
                "pass the training rows to fit."
            )
        values = layout.values(X)
        (cells,) = layout.encode(X)
        integers = [_integers(layout, cells, j) for j in range(len(layout.names))]
        categorical = self._categorical(layout, integers, values)
        _check_numbers(layout, cells.tables, ~categorical)
        scale = self._scale(values, categorical)
        if self.categorical is None:
            small = np.flatnonzero((scale > 0) & (scale < _STILL))
            still = [j for j in small if integers[j] is not None]
            categorical[still], scale[still] = True, 0.0
        moving = [j for j, moves in enumerate(scale > 0) if moves]
        codes = [layout.labels[j] for j in moving if _may_be_codes(integers[j], values[:, j])]
        ranges: list[tuple[int, int] | None] = [None] * len(scale)
        for j in moving:
            seen = integers[j]
            ranges[j] = None if seen is None else (int(seen[0]), int(seen[-1]))
        frequencies, _ = sample_rows(layout, X, _FREQUENCY_ROWS, rng)
        columns = Columns.grouped(layout.names, layout.labels, features.groups)
        notes = (_codes_note(codes),) if codes else ()
        return FittedNoise(
            layout, columns, frequencies, scale, categorical, tuple(ranges), notes=notes
        )

    def _categorical(
        self, layout: Layout, integers: list[NDArray[Any] | None], values: NDArray[Any]
    ) -> NDArray[np.bool_]:
        chosen = np.array([layout.is_category(j) for j in range(len(layout.names))])
        if self.categorical is None:
            for j in np.flatnonzero(~chosen):
                seen = integers[j]
                chosen[j] = _two_integers(values[:, j]) if seen is None else len(seen) <= 2
            return chosen
        unknown = "categorical must be names or positions of columns of X, which has no"
        known = Labels(layout.labels, layout.names)
        chosen[known.positions(self.categorical, unknown, "categorical")] = True
        return chosen

    def _scale(self, values: NDArray[Any], categorical: NDArray[np.bool_]) -> Floats:
        d = len(categorical)
        if not isinstance(self.scale, numbers.Real):
            try:
                scale = np.asarray(self.scale, dtype=np.float64)
            except (TypeError, ValueError, OverflowError):
                scale = np.zeros(0)
            if scale.shape != (d,) or not (scale >= 0).all() or not np.isfinite(scale).all():
                raise invalid("scale", f"a number or {d} numbers that are not negative", self.scale)
            return np.where(categorical, 0.0, scale)
        factor = check_number("scale", self.scale, above=0)
        deviations = np.zeros(d)
        for j in np.flatnonzero(~categorical):
            column = values[:, j].astype(np.float64)
            finite = column[np.isfinite(column)]
            if len(finite):
                unit = power_of_two(finite)
                deviations[j] = (finite / unit).std() * unit
        return factor * deviations


def _two_integers(column: NDArray[Any]) -> bool:
    try:
        numbers = column.astype(np.float64)
    except (TypeError, ValueError):  # missing values of a nullable type
        return False
    numbers = np.unique(numbers[~np.isnan(numbers)])
    return len(numbers) <= 2 and bool((numbers == np.rint(numbers)).all())


def _integers(layout: Layout, cells: Cells, column: int) -> NDArray[Any] | None:
    """The sorted values of a column of an integer type, None for any other."""
    dtype = layout.number_type(column, cells.tables)
    if dtype is None or dtype.kind not in "iu":
        return None
    bits = cells.bits[:, column].astype(f"u{dtype.itemsize}")
    return np.unique(bits.view(dtype).astype(dtype.newbyteorder("=")))


def _may_be_codes(integers: NDArray[Any] | None, column: NDArray[Any]) -> bool:
    """True for whole numbers of which noise can make others that never occurred."""
    if integers is not None:
        return int(integers[-1]) - int(integers[0]) >= len(integers)
    numbers = column.astype(np.float64)
    numbers = numbers[np.isfinite(numbers)]
    is_whole = bool((numbers == np.rint(numbers)).all())
    return is_whole and len(np.unique(numbers)) * _REPEATS <= len(numbers)


def _codes_note(labels: list[Any]) -> str:
    shown = ", ".join(map(repr, labels[:5])) + ", ..." * (len(labels) > 5)
    return (
        f"columns [{shown}] hold whole numbers and are moved as numbers, also to values that fit "
        f"never saw: if they are codes, pass masker=px.GaussianNoise(categorical=[{shown}])"
    )


def _check_numbers(layout: Layout, tables: tuple[Any, ...], moving: NDArray[np.bool_]) -> None:
    """Refuse columns that should move but hold no plain numbers."""
    for j in np.flatnonzero(moving):
        dtype = layout.number_type(int(j), tables)
        if dtype is None or dtype.kind not in "iuf":
            label = layout.labels[j]
            raise InvalidParameterError(
                f"Column {label!r} holds no plain numbers, so that noise cannot move it: name it "
                f"in GaussianNoise(categorical=[{label!r}]), or make it plain floats, in pandas by "
                f"X.astype({{{label!r}: float}}), in polars by X.with_columns(pl.col({label!r})"
                ".cast(float).fill_null(float('nan')))."
            )


@dataclass(frozen=True, eq=False)
class FittedNoise(FittedTable):
    """Scales of the numbers, and rows by whose frequency categories are drawn."""

    accepts: ClassVar[type[Design]] = NoiseDraws

    rows: Any
    scale: Floats
    categorical: NDArray[np.bool_]
    ranges: tuple[tuple[int, int] | None, ...]
    value_function: str = "Gaussian noise around the instance"
    notes: tuple[str, ...] = ()

    def bound(self, rows: Any) -> list[BoundMasker]:
        training, instances = self.layout.encode(self.rows, rows)
        _check_numbers(self.layout, training.tables, self.scale > 0)
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
                self.categorical,
                self.ranges,
                tuple(_without(o, bits[j]) for j, o in enumerate(others)),
            )
            for bits, data in zip(instances.bits, values, strict=True)
        ]


def _without(
    frequencies: tuple[NDArray[Any], Ints] | None, code: Any
) -> tuple[NDArray[Any], Floats] | None:
    """The other categories and the cumulated shares by which they are drawn."""
    if frequencies is None:
        return None
    codes, counts = frequencies
    others = codes != code
    counts = counts[others]
    return codes[others], np.cumsum(counts) / max(counts.sum(), 1)


@dataclass(frozen=True, eq=False)
class BoundNoise(BoundMasker):
    """One row, the noise of its numbers and the alternatives of its categories."""

    accepts: ClassVar[type[Design]] = NoiseDraws

    layout: Layout
    names: tuple[str, ...]
    instance: NDArray[Any]
    tables: tuple[Any, ...]
    shown: NDArray[Any]
    scale: Floats
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
        """Numbers by how far they moved; a category is 0 where it stays, -1 where drawn anew."""
        if not self.categorical.any() and all(seen is None for seen in self.ranges):
            return z
        read = np.array(z, dtype=np.float64)
        read[:, self.categorical] = -(read[:, self.categorical] > 0).astype(np.float64)
        for j, seen in enumerate(self.ranges):
            if seen is not None and self.scale[j] > 0:
                read[:, j] = self._steps(j, z[:, j]) / self.scale[j]
        return read

    def least_moves(self) -> Floats:
        """(d,) the smallest move of each number that its type does not round away; 0 for others."""
        moves = np.zeros(len(self.instance))
        for j in np.flatnonzero(self.scale > 0):
            dtype: Any = self._type(j)
            x = np.abs(np.asarray(self.shown[j], dtype=np.float64)).astype(dtype.newbyteorder("="))
            moves[j] = 1.0 if dtype.kind in "iu" else np.nan_to_num(np.spacing(x))
        return moves

    def _type(self, column: Any) -> np.dtype[Any]:
        dtype = self.layout.number_type(int(column), self.tables)
        assert dtype is not None  # checked when the instance was bound
        return dtype

    def _steps(self, column: int, z: NDArray[Any]) -> NDArray[np.int64]:
        """By how much an integer moves, so that it stays within what was seen."""
        x, (low, high) = self._integer(column), self.ranges[column] or (0, 0)
        wanted = np.clip(np.rint(z * self.scale[column]), -_FURTHEST, _FURTHEST).astype(np.int64)
        low, high = min(low - x, 0), max(high - x, 0)
        return np.asarray(np.clip(wanted, max(low, -_FURTHEST), min(high, _FURTHEST)))

    def _integer(self, column: int) -> int:
        dtype = self._type(column)
        return int(self.instance[column : column + 1].astype(f"u{dtype.itemsize}").view(dtype)[0])

    def _moved(self, column: int, z: NDArray[Any]) -> NDArray[Any]:
        """Bits of x + z * scale, in the column's own type."""
        dtype: Any = self._type(column)
        unsigned = np.dtype(f"u{dtype.itemsize}")
        if dtype.kind in "iu":
            x = np.uint64(self._integer(column) % 2**64)
            moved = (x + self._steps(column, z).view(np.uint64)).astype(unsigned)
            return moved.astype(unsigned.newbyteorder(dtype.byteorder)).view(unsigned)
        with np.errstate(over="ignore"):
            numbers = float(self.shown[column]) + z * self.scale[column]
        numbers = np.clip(numbers, -np.finfo(dtype).max, np.finfo(dtype).max)
        return np.asarray(numbers.astype(dtype).view(unsigned))
