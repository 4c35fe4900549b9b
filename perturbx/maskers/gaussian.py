"""Features are not removed but moved: Gaussian noise around the instance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints, Noise
from perturbx._validation import check_number, invalid
from perturbx.containers import Layout, layout_of
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.maskers._base import Features, FittedMasker, Kind, Masker, Removal
from perturbx.maskers._tabular import (
    FittedTable,
    columns_of,
    positions,
    power_of_two,
    require,
    sample_rows,
)

_FREQUENCY_ROWS = 1000


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
        label is an integer. By default those that hold strings,
        categories or bools, and integers with no more than two values.

    Notes
    -----
    Integer columns stay integers: the moved value is rounded. A column that is constant in the
    training rows does not move and scores 0.
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
        if layout.count(X) < 2:
            raise InvalidInputError(
                "GaussianNoise needs at least 2 rows to learn the scale of each column, got 1: "
                "pass the training rows to fit."
            )
        values = layout.values(X)
        categorical = self._categorical(layout, values)
        (cells,) = layout.encode(X)
        _check_numbers(layout, cells.tables, ~categorical)
        scale = self._scale(values, categorical)
        frequencies, _ = sample_rows(layout, X, _FREQUENCY_ROWS, rng)
        columns = columns_of(layout, features)
        return FittedNoise(layout, columns, frequencies, scale, categorical)

    def _categorical(self, layout: Layout, values: NDArray[Any]) -> NDArray[np.bool_]:
        d = len(layout.names)
        if self.categorical is None:
            return np.array(
                [layout.is_category(j) or _two_integers(values[:, j]) for j in range(d)]
            )
        chosen = np.array([layout.is_category(j) for j in range(d)])
        unknown = "categorical must be names or positions of columns of X, which has no"
        chosen[positions(layout, self.categorical, unknown, "categorical")] = True
        return chosen

    def _scale(self, values: NDArray[Any], categorical: NDArray[np.bool_]) -> Floats:
        d = len(categorical)
        if not isinstance(self.scale, (int, float)):
            scale = np.asarray(self.scale, dtype=np.float64)
            if scale.shape != (d,) or not (scale >= 0).all():
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


def _check_numbers(layout: Layout, tables: tuple[Any, ...], moving: NDArray[np.bool_]) -> None:
    """Refuse columns that should move but hold no plain numbers."""
    for j in np.flatnonzero(moving):
        dtype = layout.number_type(int(j), tables)
        if dtype is None or dtype.kind not in "iuf":
            raise InvalidParameterError(
                f"Column {layout.names[j]!r} holds no plain numbers, so that noise cannot move "
                "it: name it in GaussianNoise(categorical=[...]), or convert it to float."
            )


@dataclass(frozen=True, eq=False)
class FittedNoise(FittedTable):
    """Scales of the numbers, and rows by whose frequency categories are drawn."""

    reads: ClassVar[Kind] = "noise"

    rows: Any
    scale: Floats
    categorical: NDArray[np.bool_]
    value_function: str = "Gaussian noise around the instance"
    notes: tuple[str, ...] = ()

    def bind(self, X: Any, start: int, stop: int) -> list[Removal]:
        chunk = self.layout.take(X, np.arange(start, stop))
        training, instances = self.layout.encode(self.rows, chunk)
        _check_numbers(self.layout, training.tables, self.scale > 0)
        values = self.layout.values(chunk)
        others = [
            np.unique(training.bits[:, j], return_counts=True) if c else None
            for j, c in enumerate(self.categorical)
        ]
        return [
            NoiseRemoval(
                self.layout,
                self.columns.names,
                bits,
                training.tables,
                data,
                self.scale,
                self.categorical,
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
class NoiseRemoval(Removal):
    """One row, the noise of its numbers and the alternatives of its categories."""

    reads: ClassVar[Kind] = "noise"

    layout: Layout
    names: tuple[str, ...]
    instance: NDArray[Any]
    tables: tuple[Any, ...]
    shown: NDArray[Any]
    scale: Floats
    categorical: NDArray[np.bool_]
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

    def batch(self, z: Coalitions | Noise, rows: slice | Ints, scratch: NDArray[Any]) -> Any:
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
        return self.layout.decode(bits, self.tables)

    def interpretable(self, z: Coalitions | Noise) -> Coalitions | Noise:
        """Numbers as they are; a category is 0 where it stays and -1 where it was drawn anew."""
        read = np.array(z, dtype=np.float64)
        read[:, self.categorical] = -(read[:, self.categorical] > 0).astype(np.float64)
        return read

    def _moved(self, column: int, z: NDArray[Any]) -> NDArray[Any]:
        """Bits of x + z * scale, in the column's own type."""
        dtype: Any = self.layout.number_type(column, self.tables)
        with np.errstate(over="ignore"):  # clipped below
            numbers = float(self.shown[column]) + z * self.scale[column]
        if dtype.kind in "iu":
            info = np.iinfo(dtype)
            # float(2**63 - 1) is 2**63, which does not fit
            highest = np.nextafter(float(info.max), 0) if info.bits == 64 else float(info.max)
            numbers = np.clip(np.rint(numbers), info.min, highest)
        else:
            numbers = np.clip(numbers, -np.finfo(dtype).max, np.finfo(dtype).max)
        return np.asarray(numbers.astype(dtype).view(f"u{dtype.itemsize}"))
