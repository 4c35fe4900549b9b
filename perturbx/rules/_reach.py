"""The rows that an instance may turn into: what changes, how far, and in which direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx._validation import check_choice, check_number
from perturbx.containers import Cells, is_missing
from perturbx.errors import InvalidParameterError
from perturbx.features import Columns, Labels
from perturbx.rules._observed import Observed, finite_numbers


@dataclass(frozen=True, eq=False)
class Limits:
    """What the user allows, by feature.

    Parameters
    ----------
    frozen : (d,) bool array
    direction : (d,) int array
        1 where a column may only rise, -1 where it may only fall, 0 where it may do both.
    weights : (d,) array
        The cost of one unit of distance.
    """

    frozen: NDArray[np.bool_]
    direction: Ints
    weights: Floats


def limits_of(
    observed: Observed,
    features: Columns,
    frozen: Sequence[Any],
    direction: Mapping[Any, str],
    weights: Mapping[Any, float],
) -> Limits:
    """The user's limits, by name, label or position of a feature.

    Raises
    ------
    InvalidParameterError
        If a feature is unknown, has no order, or if none is left that can change.
    """
    known, d = Labels(features.labels, features.names), len(features.names)
    found = Limits(np.zeros(d, dtype=bool), np.zeros(d, dtype=np.intp), np.ones(d))
    found.frozen[known.positions(frozen, "frozen: there is no feature", "frozen")] = True
    for label, way in direction.items():
        j = known.position(label, "direction: there is no feature")
        check_choice(f"direction[{label!r}]", way, ("up", "down"))
        members = np.flatnonzero(features.feature_of == j)
        if len(members) > 1 or not observed.columns[members[0]].is_ordered:
            raise InvalidParameterError(
                f"direction: {features.names[j]!r} is no column of numbers, so it has no up and "
                "down: leave it out, or freeze it."
            )
        found.direction[j] = 1 if way == "up" else -1
    for label, weight in weights.items():
        j = known.position(label, "weights: there is no feature")
        found.weights[j] = check_number(f"weights[{label!r}]", weight, above=0)
    if found.frozen.all():
        raise InvalidParameterError(
            f"frozen names all {d} features, so that nothing can change: leave one out."
        )
    return found


@dataclass(frozen=True, eq=False)
class Reach:
    """Rows near one instance, as float64 (m, d_columns), and how they become model rows.

    Parameters
    ----------
    observed : Observed
    features : Columns
    limits : Limits
    own : (d_columns,) array
        The instance; NaN where a cell is missing, -1 for a category that was never seen.
    cells : Cells
        Its bits, (1, d_columns).
    level_bits : tuple of arrays
        The bits of the levels of each column.
    """

    observed: Observed
    features: Columns
    limits: Limits
    own: Floats
    cells: Cells
    level_bits: tuple[NDArray[Any], ...]

    @cached_property
    def scales(self) -> Floats:
        return np.array([column.scale for column in self.observed.columns])

    @cached_property
    def is_ordered(self) -> NDArray[np.bool_]:
        return np.array([column.is_ordered for column in self.observed.columns])

    @cached_property
    def free(self) -> Ints:
        """The features that can change."""
        can = ~self.limits.frozen
        can &= ~((self.limits.direction != 0) & self.of_features(np.isnan(self.own)[None])[0])
        return np.flatnonzero(can)

    def members(self, feature: int) -> Ints:
        """The columns of a feature."""
        return np.flatnonzero(self.features.feature_of == feature)

    def of_features(self, by_column: NDArray[Any]) -> NDArray[Any]:
        """(m, d_columns) to (m, d): the largest of each group."""
        if self.features.is_plain:
            return by_column
        parts = [by_column[:, self.members(j)].max(axis=1) for j in range(self.n_features)]
        return np.stack(parts, axis=1)

    @property
    def notes(self) -> tuple[str, ...]:
        """What of the instance lies outside of what was seen, and stays as it is where it can."""
        unseen = []
        for j, column in enumerate(self.observed.columns):
            own, levels = self.own[j], column.levels
            if not np.isnan(own) and len(levels) and not levels[0] <= own <= levels[-1]:
                unseen.append(self.observed.layout.names[j])
        said = f"x is outside of what was seen in training in {', '.join(unseen)}"
        return (said,) if unseen else ()

    @property
    def n_features(self) -> int:
        return len(self.features.names)

    def changed(self, values: Floats) -> NDArray[np.bool_]:
        """(m, d): which features differ from the instance."""
        return self.of_features(self._differs(values))

    def distances(self, values: Floats) -> Floats:
        """(m, d): how far each feature moved, in units of its column's scale, times its weight.

        A changed category, and a missing number that was filled in, count 1; a group counts as
        much as the column of it that moved farthest.
        """
        with np.errstate(invalid="ignore"):
            moved = np.abs(values - self.own) / self.scales
        plain = self.is_ordered & ~np.isnan(self.own)
        by_column = np.where(plain & ~np.isnan(values), moved, self._differs(values))
        return np.asarray(self.of_features(by_column) * self.limits.weights)

    def _differs(self, values: Floats) -> NDArray[np.bool_]:
        return np.asarray((values != self.own) & ~(np.isnan(values) & np.isnan(self.own)))

    def allowed(self, values: Floats) -> Floats:
        """Rows with each feature set back that is frozen, missing, or moved the wrong way."""
        direction = self.limits.direction[self.features.feature_of]
        with np.errstate(invalid="ignore"):
            wrong = (values - self.own) * direction < 0
        wrong |= np.isnan(values) | (np.isnan(self.own) & (direction != 0))
        back = self.of_features(wrong) | self.limits.frozen
        return np.where(self.features.of(back), self.own, values)

    def with_features(self, rows: Floats, features: NDArray[np.bool_]) -> Floats:
        """Rows that keep some features (m, d), and have the instance's own values elsewhere."""
        return np.where(self.features.of(features), rows, self.own)

    def build(self, values: Floats) -> Any:
        """The rows in the user's container; what did not change has the instance's own bits."""
        bits = np.repeat(self.cells.bits, len(values), axis=0)
        for j, column in enumerate(self.observed.columns):
            moved = np.flatnonzero(self._differs(values)[:, j])
            if len(moved) and column.dtype is not None:
                made = values[moved, j].astype(column.dtype)
                bits[moved, j] = made.view(f"u{column.dtype.itemsize}")
            elif len(moved):
                bits[moved, j] = self.level_bits[j][
                    np.searchsorted(column.levels, values[moved, j])
                ]
        return self.observed.layout.decode(bits, self.cells.tables)


def reach_of(observed: Observed, features: Columns, limits: Limits, row: Any) -> Reach:
    """The reach of one row, which has the layout of the training rows."""
    values, cells, level_bits = coded(observed, row)
    return Reach(observed, features, limits, values[0], cells, level_bits)


def coded(observed: Observed, rows: Any) -> tuple[Floats, Cells, tuple[NDArray[Any], ...]]:
    """(n, d_columns) numbers that stand for rows, their bits, and those of all levels.

    A missing cell is NaN, and a category that was never seen -1.
    """
    layout, columns = observed.layout, observed.columns
    taken = [np.empty(0, dtype=np.intp) if c.dtype is not None else c.places for c in columns]
    needed = np.unique(np.concatenate([*taken, np.zeros(1, dtype=np.intp)]))
    training, cells = layout.encode(layout.take(observed.rows, needed), rows)
    level_bits = tuple(
        training.bits[np.searchsorted(needed, places), j] for j, places in enumerate(taken)
    )
    shown = layout.values(rows)
    values = np.full(shown.shape, np.nan)
    for j, column in enumerate(columns):
        if column.is_ordered:
            values[:, j] = finite_numbers(shown[:, j])
            continue
        same = level_bits[j] == cells.bits[:, j][:, None]
        codes = np.full(len(values), -1.0)
        if same.shape[1]:  # else the column was always missing
            codes = np.where(same.any(axis=1), same.argmax(axis=1), codes)
        missing = np.array([is_missing(cell) for cell in shown[:, j]], dtype=bool)
        values[:, j] = np.where(missing, np.nan, codes)
    return values, cells, level_bits
