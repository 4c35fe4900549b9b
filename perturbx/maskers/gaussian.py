"""Gaussian noise around the instance, instead of removing features."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx._validation import check_choice, check_number, invalid
from perturbx.containers import Cells, Layout, layout_of
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.features import Columns, Labels
from perturbx.maskers._base import Features, FittedMasker, Masker
from perturbx.maskers._tabular import power_of_two, require, sample_rows
from perturbx.maskers.bound_noise import STILL, FittedNoise, check_numbers

_FREQUENCY_ROWS = 1000

_REPEATS = 2
"""Whole numbers in a float column may be codes if each occurs this often on average."""


@dataclass(frozen=True, eq=False)
class GaussianNoise(Masker):
    """Gaussian noise is added to numbers, and categories are redrawn.

    A number becomes x + z * scale with z standard normal. A category is unchanged if z < 0, and
    is otherwise drawn from the other categories by their frequency in the training rows. Its
    score is thus the effect of keeping the category instead of redrawing it (the interpretable
    value "same as x" of Ribeiro, Singh & Guestrin, KDD 2016).

    Parameters
    ----------
    scale : float or sequence of float
        A number multiplies the standard deviation of each column in the X of ``fit``; a sequence
        gives the standard deviation of the noise of each column, in the column's units.
    unit : "noise", "deviation" or "column"
        The unit in which solvers read how far a number moved, so that slopes are per standard
        deviation of the noise, per standard deviation of the column, or per unit of the column.
    categorical : sequence of str or int, optional
        The columns that hold categories: by label, by name, or by position if no label is an
        integer. By default columns of strings, categories or bools, integer columns with at most
        two distinct values, and integer columns whose noise would nearly always round to zero.

    Notes
    -----
    Values of integer columns are rounded and clipped to the range of the training rows and the
    instance, and solvers read how far each value moved. If an integer column may hold codes
    instead of numbers, the explanation's notes explain how to declare it as categorical. A column
    that is constant in the training rows does not move, and its score is 0.
    """

    needs_fit: ClassVar[bool] = True

    scale: float | Sequence[float] = 1.0
    unit: Literal["noise", "deviation", "column"] = "noise"
    categorical: Sequence[str | int] | None = None

    def fit(self, X: Any, features: Features, rng: np.random.Generator) -> FittedMasker:
        if features.groups is not None:
            raise InvalidParameterError(
                "GaussianNoise does not support groups: pass masker=px.Background() to remove "
                "columns together."
            )
        unit = check_choice("unit", self.unit, ("noise", "deviation", "column"))
        X = require(X, "GaussianNoise")
        layout = layout_of(X, features.names)
        if X.shape[0] < 2:
            raise InvalidInputError(
                "GaussianNoise needs at least 2 rows to estimate the scale of each column, got 1: "
                "pass the training rows to fit."
            )
        values = layout.values(X)
        (cells,) = layout.encode(X)
        integers = [_integers(layout, cells, j) for j in range(len(layout.names))]
        categorical = self._categorical(layout, integers, values)
        check_numbers(layout, cells.tables, ~categorical)
        deviations = _deviations(values, categorical)
        scale = self._scale(deviations, categorical)
        if self.categorical is None:
            small = np.flatnonzero((scale > 0) & (scale < STILL))
            still = [j for j in small if integers[j] is not None]
            categorical[still], scale[still] = True, 0.0
        moving = np.flatnonzero(scale > 0)
        codes = [layout.labels[j] for j in moving if _may_be_codes(integers[j], values[:, j])]
        frequencies, _ = sample_rows(layout, X, _FREQUENCY_ROWS, rng)
        columns = Columns.grouped(layout.names, layout.labels, features.groups)
        notes = (_codes_note(codes, unit),) if codes else ()
        size = {"noise": scale, "deviation": deviations, "column": np.ones_like(scale)}[unit]
        if ((size == 0) & (scale > 0)).any():
            raise invalid("unit", '"column", as X has a column of one value that noise moves', unit)
        return FittedNoise(
            layout,
            columns,
            frequencies,
            scale,
            size,
            categorical,
            _ranges(integers, scale > 0),
            self._in_words(unit),
            notes,
        )

    def _in_words(self, unit: str) -> str:
        if unit == "noise":
            return "Gaussian noise around the instance"
        size = "" if np.ndim(self.scale) else f" of {self.scale:.3g} standard deviations"
        per = {"deviation": "standard deviation", "column": "unit"}[unit]
        return f"Gaussian noise{size} around the instance, per {per} of a column"

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

    def _scale(self, deviations: Floats, categorical: NDArray[np.bool_]) -> Floats:
        d = len(categorical)
        if not isinstance(self.scale, numbers.Real):
            try:
                scale = np.asarray(self.scale, dtype=np.float64)
            except (TypeError, ValueError, OverflowError):
                scale = np.zeros(0)
            if scale.shape != (d,) or not (scale >= 0).all() or not np.isfinite(scale).all():
                raise invalid("scale", f"a number, or {d} numbers of at least 0", self.scale)
            return np.where(categorical, 0.0, scale)
        return check_number("scale", self.scale, above=0) * deviations


def _deviations(values: NDArray[Any], categorical: NDArray[np.bool_]) -> Floats:
    """(d,) the standard deviation of each column of numbers; 0 for categories."""
    deviations = np.zeros(len(categorical))
    for j in np.flatnonzero(~categorical):
        column = values[:, j].astype(np.float64)
        finite = column[np.isfinite(column)]
        if len(finite):
            unit = power_of_two(finite)
            deviations[j] = (finite / unit).std() * unit
    return deviations


def _two_integers(column: NDArray[Any]) -> bool:
    try:
        numbers = column.astype(np.float64)
    except (TypeError, ValueError):  # missing values of a nullable type
        return False
    numbers = np.unique(numbers[~np.isnan(numbers)])
    return len(numbers) <= 2 and bool((numbers == np.rint(numbers)).all())


def _ranges(
    integers: list[NDArray[Any] | None], moves: NDArray[np.bool_]
) -> tuple[tuple[int, int] | None, ...]:
    """The smallest and the largest of the integers of each column that moves."""
    return tuple(
        (int(seen[0]), int(seen[-1])) if moving and seen is not None else None
        for seen, moving in zip(integers, moves.tolist(), strict=True)
    )


def _integers(layout: Layout, cells: Cells, column: int) -> NDArray[Any] | None:
    """The sorted distinct values of an integer column; None for other columns."""
    dtype = layout.number_type(column, cells.tables)
    if dtype is None or dtype.kind not in "iu":
        return None
    bits = cells.bits[:, column].astype(f"u{dtype.itemsize}")
    return np.unique(bits.view(dtype).astype(dtype.newbyteorder("=")))


def _may_be_codes(integers: NDArray[Any] | None, column: NDArray[Any]) -> bool:
    """Whether a column holds whole numbers and noise can produce values that never occurred."""
    if integers is not None:
        return int(integers[-1]) - int(integers[0]) >= len(integers)
    numbers = column.astype(np.float64)
    numbers = numbers[np.isfinite(numbers)]
    is_whole = bool((numbers == np.rint(numbers)).all())
    return is_whole and len(np.unique(numbers)) * _REPEATS <= len(numbers)


def _codes_note(labels: list[Any], unit: str) -> str:
    shown = ", ".join(map(repr, labels[:5])) + ", ..." * (len(labels) > 5)
    cure = f"pass masker=px.GaussianNoise(categorical=[{shown}])"
    if unit != "noise":  # asked for by gradients, which categories do not have
        cure = "their slopes have no meaning"
    return (
        f"columns [{shown}] hold whole numbers and are perturbed as numbers, also to values that "
        f"fit never saw: if they are codes, {cure}"
    )
