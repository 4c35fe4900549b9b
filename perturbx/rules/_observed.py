"""The values that each column of a table has had: what a changed cell may hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.containers import Layout, is_missing
from perturbx.rules.anchor import as_numbers

_MOST_DECIMALS = 4
_EXACT = 2.0**53
"""Integers beyond this are others as float64: such columns are treated as categories."""

_QUANTILES = np.array([0.0, 1.0, 0.5, 0.1, 0.9, 0.25, 0.75])
_MOST_LEVELS = 12
"""So many values of a column of numbers and of categories are tried first."""


@dataclass(frozen=True, eq=False)
class Column:
    """What one column has held, as float64.

    Parameters
    ----------
    levels : (k,) array
        Its distinct values in increasing order; 0 to k - 1 for categories. Missing ones are none.
    places : (k,) int array
        A training row that has each of them.
    is_ordered : bool
        True for numbers, which have a distance.
    dtype : NumPy type or None
        Of numbers between the levels, where the column can hold such; None if it takes levels
        alone.
    decimals : int or None
        The digits after the point that all levels have: 0 for integers. None: any.
    scale : float
        The unit of distances: the median absolute deviation, or where that is 0 the standard
        deviation; 1 for categories.
    typical : (m,) array
        A few of the levels, to try first: quantiles, or the most frequent categories.
    """

    levels: Floats
    places: Ints
    is_ordered: bool
    typical: Floats
    dtype: np.dtype[Any] | None = None
    decimals: int | None = None
    scale: float = 1.0

    def snapped(self, values: Floats) -> Floats:
        """The nearest values that the column can hold."""
        if not self.is_ordered:
            return values
        if self.dtype is None:
            middles = (self.levels[1:] + self.levels[:-1]) / 2
            return self.levels[np.searchsorted(middles, values)]
        values = np.clip(values, self.levels[0], self.levels[-1])
        if self.decimals is not None:
            values = np.round(values, self.decimals)
        return values.astype(self.dtype).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Observed:
    """Training rows as numbers (n, d), categories by their codes, and the columns they come from.

    Parameters
    ----------
    layout : Layout
    rows : table
        The training rows, in the user's container.
    columns : tuple of Column
    values : (n, d) array
        NaN where a cell is missing.
    """

    layout: Layout
    rows: Any
    columns: tuple[Column, ...]
    values: Floats


def observe(layout: Layout, rows: Any) -> Observed:
    """Learn what the columns of a table hold."""
    n = int(rows.shape[0])
    (cells,) = layout.encode(rows)
    known = layout.values(rows)
    columns, values = [], np.full((n, len(layout.names)), np.nan)
    for j in range(len(layout.names)):
        dtype = layout.number_type(j, cells.tables)
        is_number = (dtype is None or not layout.is_category(j)) and (
            layout.numbers(rows, j) is not None
        )
        numbers = finite_numbers(known[:, j]) if is_number else values[:, j]
        is_float = dtype is not None and dtype.kind == "f"
        is_exact = is_float or not (np.abs(numbers) > _EXACT).any()
        if is_exact and np.isfinite(numbers).any():
            values[:, j], column = numbers, _numbers(numbers, dtype)
        else:
            values[:, j], column = _categories(cells.bits[:, j], known[:, j])
        columns.append(column)
    return Observed(layout, rows, tuple(columns), values)


def _numbers(values: Floats, dtype: np.dtype[Any] | None) -> Column:
    levels, places = np.unique(values, return_index=True)
    levels, places = levels[np.isfinite(levels)], places[: np.isfinite(levels).sum()]
    present = values[np.isfinite(values)]
    scale = float(np.median(np.abs(present - np.median(present)))) or float(present.std()) or 1.0
    typical = levels
    if len(levels) > len(_QUANTILES):
        at = np.quantile(present, _QUANTILES, method="nearest")
        typical = np.array([*dict.fromkeys(at.tolist())])
    if dtype is None:
        return Column(levels, places, True, typical, scale=scale)
    typed = levels.astype(dtype)
    shared = (
        p
        for p in range(_MOST_DECIMALS + 1)
        if np.array_equal(np.round(levels, p).astype(dtype), typed)
    )
    return Column(levels, places, True, typical, dtype, next(shared, None), scale)


def _categories(bits: NDArray[Any], cells: NDArray[Any]) -> tuple[Floats, Column]:
    """The code of each cell, NaN where it is missing, and the column."""
    _, first, codes, counts = np.unique(
        bits, return_index=True, return_inverse=True, return_counts=True
    )
    missing = np.array([is_missing(cell) for cell in cells[first]], dtype=bool)
    renamed = np.where(missing, np.nan, np.cumsum(~missing) - 1.0)
    places = first[~missing]
    levels = np.arange(float(len(places)))
    typical = levels[np.argsort(-counts[~missing], kind="stable")][:_MOST_LEVELS]
    return renamed[codes], Column(levels, places, False, typical)


def finite_numbers(cells: NDArray[Any]) -> Floats:
    """A column of numbers as float64; NaN where one is missing or infinite."""
    numbers = as_numbers(cells)
    return np.where(np.isfinite(numbers), numbers, np.nan)
