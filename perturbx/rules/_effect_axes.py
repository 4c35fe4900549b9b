"""The axis of an effect curve: its points, and where each row lies between them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.containers import Layout, is_missing
from perturbx.features import Columns
from perturbx.rules._level_order import by_similarity
from perturbx.rules._observed import Observed

_FEWEST = 10
"""No interval of a number is so short that fewer rows lie in it."""

MOST_CATEGORIES = 50
"""Of more categories, those with the most rows are kept."""


@dataclass(frozen=True, eq=False)
class Column:
    """What one feature holds in each row.

    Parameters
    ----------
    name : str
    members : (c,) int array
        The columns of the feature.
    values : (n,) array
        Numbers, or the codes of categories; NaN for numbers that are missing or infinite.
    is_number : bool
    is_ordered : bool
        True for numbers, and for categories whose codes are in an order that they have.
    """

    name: str
    members: Ints
    values: Floats
    is_number: bool
    is_ordered: bool

    def at(self, rows: Ints) -> Column:
        """The same at some rows."""
        return replace(self, values=self.values[rows])

    @property
    def n_levels(self) -> int:
        """How many different values it has."""
        return len(np.unique(self.values[~np.isnan(self.values)]))

    def n_points(self, n_bins: int) -> int:
        """The most points of its curve."""
        return min(self.n_levels, n_bins + 1 if self.is_number else MOST_CATEGORIES)


@dataclass(frozen=True, eq=False)
class Axis:
    """The K points of a curve, all of them values that a row has had.

    Parameters
    ----------
    members : (c,) int array
        The columns that a point sets.
    sources : (K,) int array
        A row that holds each of them.
    positions : (K,) array
        Numbers, or 0 to K - 1 for categories.
    lower : (n,) int array
        The point at or before each row, -1 for rows that lie nowhere on the axis.
    share : (n,) array
        How far each row is from there towards the next point, 0 to 1.
    by_level : bool
        True if every row lies at a point.
    """

    members: Ints
    sources: Ints
    positions: Floats
    lower: Ints
    share: Floats
    by_level: bool

    @property
    def places(self) -> Floats:
        """(n,): where the rows lie on the axis, NaN for those that lie nowhere."""
        after = self.positions[np.minimum(self.lower + 1, len(self.positions) - 1)]
        found = self.positions[self.lower] + self.share * (after - self.positions[self.lower])
        return np.where(self.lower >= 0, found, np.nan)

    @property
    def data(self) -> Floats:
        """The places of the rows that have one."""
        return self.places[self.lower >= 0]

    @property
    def counts(self) -> Ints:
        """(K,): the rows whose nearest point it is."""
        present = self.lower >= 0
        nearest = self.lower[present] + (self.share[present] > 0.5)
        return np.bincount(nearest, minlength=len(self.positions))

    @property
    def weights(self) -> Floats:
        """(n, K): what each row takes from each point, by linear interpolation; 0 for some."""
        found = np.zeros((len(self.lower), len(self.positions)))
        rows = np.flatnonzero(self.lower >= 0)
        at, share = self.lower[rows], self.share[rows]
        found[rows, at] = 1 - share
        after = share > 0
        found[rows[after], at[after] + 1] = share[after]
        return found

    @property
    def steps(self) -> tuple[Ints, Ints]:
        """Rows and the intervals between points that they tell about, as two (e,) arrays.

        A row between two points tells about that interval; one that lies at a point, as all rows
        do if `by_level`, about the intervals on both sides.
        """
        rows, last = np.flatnonzero(self.lower >= 0), len(self.positions) - 1
        if not self.by_level:
            at, on_point = self.lower[rows], self.share[rows] == 0
            return rows, np.maximum(at - on_point, 0)
        at = self.lower[rows]
        both = [(rows[at > 0], at[at > 0] - 1), (rows[at < last], at[at < last])]
        return np.concatenate([r for r, _ in both]), np.concatenate([at for _, at in both])


def columns_of(observed: Observed, features: Columns, wanted: list[int]) -> list[Column]:
    """What some features hold: numbers, categories, or the values of a group together."""
    layout, rows = observed.layout, observed.rows
    (cells,) = layout.encode(rows)
    found = []
    for j in wanted:
        members = np.flatnonzero(features.feature_of == j)
        one = members[0]
        if len(members) > 1:
            _, codes = np.unique(cells.bits[:, members], axis=0, return_inverse=True)
            values, is_number, is_ordered = codes.ravel().astype(float), False, False
        else:
            is_number = observed.columns[one].is_ordered
            values, is_ordered = observed.values[:, one], is_number
        if len(members) == 1 and not is_number:
            values, is_ordered = _categories(layout, rows, one, values)
        found.append(Column(features.names[j], members, values, is_number, is_ordered))
    return found


def _categories(layout: Layout, rows: Any, column: int, codes: Floats) -> tuple[Floats, bool]:
    """Codes in the order of the categories if they have one; missing cells are a category."""
    codes = np.where(np.isnan(codes), np.nanmax(codes, initial=-1) + 1, codes)
    dtypes = getattr(layout, "dtypes", None)
    dtype: Any = None if dtypes is None else dtypes[column]
    if not getattr(dtype, "ordered", False):
        return codes, False
    known = {cell: i for i, cell in enumerate(dtype.categories)}
    cells = layout.values(rows)[:, column]
    return np.array([known.get(cell, len(known)) for cell in cells], dtype=float), True


def axis_of(column: Column, n_bins: int, others: list[tuple[Floats, bool]]) -> Axis:
    """The points of one feature's curve over some rows, at least two.

    Numbers have the ends of intervals of about as many rows each as points, or all of their
    values if there are few. Categories come in an order of their own, or of similarity.
    """
    known = np.flatnonzero(~np.isnan(column.values))
    levels, first, codes, counts = np.unique(
        column.values[known], return_index=True, return_inverse=True, return_counts=True
    )
    lower, share = np.full(len(column.values), -1), np.zeros(len(column.values))
    if column.is_number and len(levels) > n_bins + 1:
        ends = _ends(counts, n_bins)
        positions = levels[ends]
        values = column.values[known]
        at = np.clip(np.searchsorted(positions, values, side="right") - 1, 0, len(ends) - 1)
        after = positions[np.minimum(at + 1, len(ends) - 1)]
        lower[known] = at
        width = np.where(after > positions[at], after - positions[at], 1.0)
        share[known] = (values - positions[at]) / width
        return Axis(column.members, known[first[ends]], positions, lower, share, False)
    order = np.arange(len(levels))
    if not column.is_number:
        kept = np.sort(np.argsort(-counts, kind="stable")[:MOST_CATEGORIES])
        order = kept
        if not column.is_ordered and len(kept) > 2:
            renamed = np.full(len(levels), -1)
            renamed[kept] = np.arange(len(kept))
            at = renamed[codes.ravel()]
            rows = known[at >= 0]
            parts = [(values[rows], is_number) for values, is_number in others]
            order = kept[by_similarity(at[at >= 0], len(kept), parts)]
    place = np.full(len(levels), -1)
    place[order] = np.arange(len(order))
    lower[known] = place[codes.ravel()]
    positions = levels[order] if column.is_number else np.arange(float(len(order)))
    return Axis(column.members, known[first[order]], positions, lower, share, True)


def _ends(counts: Ints, n_bins: int) -> Ints:
    """The ends of at most `n_bins` intervals of sorted values, about as many rows in each.

    A value that many rows share, such as 0, takes one end, and the other intervals share what is
    left.
    """
    total, last = np.cumsum(counts), len(counts) - 1
    ends, done = [0], 0
    while ends[-1] < last:
        left = int(total[-1]) - done
        aim = done + max(left / max(n_bins + 1 - len(ends), 1), _FEWEST)
        at = min(max(int(np.searchsorted(total, aim)), ends[-1] + 1), last)
        at = last if total[-1] - total[at] < _FEWEST else at
        ends.append(at)
        done = int(total[at])
    return np.array(ends)


def cells_of(layout: Layout, rows: Any, axis: Axis) -> tuple[Any, ...]:
    """The points as the user's cells; those of a group of columns as one text."""
    values = layout.values(layout.take(rows, axis.sources))[:, axis.members]
    if len(axis.members) == 1:
        return tuple(values[:, 0])
    return tuple(_joined(row, [layout.names[j] for j in axis.members]) for row in values)


def _joined(row: NDArray[Any], names: list[str]) -> str:
    """The name of the column that is 1 where the others are 0, or all values."""
    try:
        numbers = np.array([float(cell) for cell in row])
    except (TypeError, ValueError):
        numbers = np.full(len(row), np.nan)
    if set(numbers) <= {0.0, 1.0} and numbers.sum() <= 1:
        return names[int(numbers.argmax())] if numbers.any() else "none"
    return ", ".join("missing" if is_missing(cell) else f"{cell}" for cell in row)
