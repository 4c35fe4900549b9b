"""The features of a box, each cut into cells that the box keeps or leaves out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.rules._observed import Column
from perturbx.rules._reach import Reach

Draws: TypeAlias = Literal["uniform", "data"]

Box: TypeAlias = tuple[NDArray[np.bool_], ...]
"""Which cells of each axis are kept; the cell of the instance always is."""

_RATIO = 1.07
"""Neighboring ends of a range differ in their distance from the instance by so much."""

_NEAREST = 1e-4
"""The first end lies so far from the instance, as a fraction of the range seen in training."""

_MOST_LISTED = 50_000
"""Columns of integers and of few decimals with more values than this are drawn as real numbers."""

_MOST_GROUPED = 64
"""So many values of a group of columns may be in a box, the most frequent first."""


@dataclass(frozen=True, eq=False)
class Axis:
    """One feature: its cells, in increasing order if it has an order.

    Parameters
    ----------
    members : (c,) int array
        Its columns.
    low, high : (K,) arrays
        The ends of each cell; codes of categories.
    masses : (K,) array
        How often a draw from all of them falls into each, up to a factor.
    own : int
        The cell of the instance.
    is_ordered : bool
    values : (N, c) array
        The values that draws take, cell by cell; empty if they take any between the ends.
    starts : (K + 1,) int array
        Where the values of each cell begin.
    instance : (c,) array
    column : Column
        Rounds numbers between the ends.
    """

    members: Ints
    low: Floats
    high: Floats
    masses: Floats
    own: int
    is_ordered: bool
    values: Floats
    starts: Ints
    instance: Floats
    column: Column

    @property
    def n_cells(self) -> int:
        return len(self.masses)

    @cached_property
    def total(self) -> float:
        return float(self.masses.sum())

    def share(self, kept: NDArray[np.bool_]) -> float:
        """The share of the values that the kept cells hold; 1 if there is only one value."""
        return float(self.masses[kept].sum()) / self.total if self.total else 1.0

    def far_end(self, cell: int) -> Floats:
        """(c,): the value in a cell that lies farthest from the instance."""
        if not self.is_ordered:
            return np.asarray(self.values[self.starts[cell]])
        return np.array([(self.low if cell < self.own else self.high)[cell]])

    def drawn(self, kept: NDArray[np.bool_], where: Floats) -> tuple[Ints, Floats]:
        """(m,), (m, c): the cells and values that uniform numbers `where` (m, 2) stand for."""
        masses = np.where(kept, self.masses, 0.0)
        if not masses.any():
            cells = np.full(len(where), self.own)
            return cells, np.repeat(self.instance[None], len(where), axis=0)
        ends = np.cumsum(masses)
        cells = np.searchsorted(ends, where[:, 0] * ends[-1], side="right")
        cells = np.minimum(cells, np.flatnonzero(masses)[-1])
        if len(self.values):
            counts = np.diff(self.starts)
            return cells, self.values[
                self.starts[cells] + (where[:, 1] * counts[cells]).astype(int)
            ]
        between = self.low[cells] + where[:, 1] * (self.high - self.low)[cells]
        return cells, self.column.snapped(between)[:, None]


def axes_of(reach: Reach, draws: Draws) -> tuple[Axis, ...]:
    """The axes of all features, frozen ones and missing numbers with a single cell."""
    return tuple(_axis(reach, feature, draws) for feature in range(reach.n_features))


def _axis(reach: Reach, feature: int, draws: Draws) -> Axis:
    members = reach.members(feature)
    own, column = reach.own[members], reach.observed.columns[members[0]]
    seen = reach.observed.values[:, members]
    seen = seen[~np.isnan(seen).any(axis=1)]
    if reach.limits.frozen[feature] or np.isnan(own).any():
        starts = np.array([0, 1])
        return Axis(members, own[:1], own[:1], np.ones(1), 0, False, own[None], starts, own, column)
    if len(members) > 1 or not column.is_ordered:
        return _levels(members, seen, own, column, draws)
    numbers = seen[:, 0]
    if draws == "data":
        return _steps(members, np.sort(numbers), own, column)
    low, high = min(numbers.min(), own[0]), max(numbers.max(), own[0])
    listed = _possible(column, low, high)
    if listed is not None:
        return _steps(members, np.union1d(listed, own), own, column)
    return _stretch(members, low, high, own, column)


def _possible(column: Column, low: float, high: float) -> Floats | None:
    """All values that a column can hold between two ends, if they are few."""
    if column.dtype is None:
        return column.levels
    if column.decimals is None:
        return None
    unit = 10.0**column.decimals
    first, last = np.round(low * unit), np.round(high * unit)
    if last - first > _MOST_LISTED:
        return None
    return column.snapped(np.arange(first, last + 1) / unit)


def _stretch(members: Ints, low: float, high: float, own: Floats, column: Column) -> Axis:
    """A range of real numbers; the instance is a cell of length 0."""
    x, steps = own[0], int(np.ceil(-np.log(_NEAREST) / np.log(_RATIO)))
    fractions = _RATIO ** np.arange(-float(steps), 1)
    below = column.snapped(x - fractions * (x - low))
    above = column.snapped(x + fractions * (high - x))
    below, above = np.unique([*below[below < x], x]), np.unique([x, *above[above > x]])
    lows = np.concatenate([below[:-1], own, above[:-1]])
    highs = np.concatenate([below[1:], own, above[1:]])
    none, starts = np.empty((0, 1)), np.zeros(len(lows) + 1, dtype=int)
    at = len(below) - 1
    return Axis(members, lows, highs, highs - lows, at, True, none, starts, own, column)


def _steps(members: Ints, values: Floats, own: Floats, column: Column) -> Axis:
    """A range of listed numbers, in increasing order and possibly repeated."""
    levels = np.union1d(values, own)
    at = int(np.searchsorted(levels, own[0]))
    below, above = _ladder(at), _ladder(len(levels) - 1 - at)
    first = np.concatenate([at - below[::-1], [at], at + 1 + np.append(0, above)[:-1]])
    starts = np.append(np.searchsorted(values, levels[first]), len(values))
    last = np.append(first[1:] - 1, len(levels) - 1)
    return Axis(
        *(members, levels[first], levels[last], np.diff(starts).astype(float), len(below), True),
        *(values[:, None], starts, own, column),
    )


def _ladder(n: int) -> Ints:
    """Whole distances from 1 to n, each at most 7% or 1 above the one before."""
    found, at = [], 0
    while at < n:
        at = min(max(at + 1, int(at * _RATIO)), n)
        found.append(at)
    return np.array(found, dtype=int)


def _levels(members: Ints, seen: Floats, own: Floats, column: Column, draws: Draws) -> Axis:
    """Categories, or the values that a group of columns had together."""
    levels, counts = np.unique(seen, axis=0, return_counts=True)
    if len(members) > 1:
        chosen = np.sort(np.argsort(-counts, kind="stable")[:_MOST_GROUPED])
        levels, counts = levels[chosen], counts[chosen]
    same = np.flatnonzero((levels == own).all(axis=1))
    if not len(same):
        levels, counts = np.concatenate([own[None], levels]), np.append(0, counts)
    at = int(same[0]) if len(same) else 0
    repeats = counts if draws == "data" else (counts > 0).astype(int)
    values, starts = np.repeat(levels, repeats, axis=0), np.append(0, np.cumsum(repeats))
    codes, masses = levels[:, 0], repeats.astype(float)
    return Axis(members, codes, codes, masses, at, False, values, starts, own, column)
