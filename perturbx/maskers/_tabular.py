"""What the maskers of tables share: which columns make a feature, and rows taken from X."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx._validation import distinct_names, shown
from perturbx.containers import ArrayLayout, Labels, Layout, rows_of, training_rows
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.maskers._base import BoundMasker, Features, FittedMasker, Instances


@dataclass(frozen=True, eq=False)
class Columns:
    """Which feature each column belongs to.

    Parameters
    ----------
    names : tuple of str
        The d features' names.
    feature_of : (n_columns,) int array
        The feature of each column.
    labels : tuple
        What the user calls the features: the names, or labels of a frame that are no text.
    """

    names: tuple[str, ...]
    feature_of: Ints
    labels: tuple[Any, ...]

    @cached_property
    def is_plain(self) -> bool:
        """True if feature j is column j."""
        return np.array_equal(self.feature_of, np.arange(len(self.names)))

    def of(self, z: NDArray[Any]) -> NDArray[Any]:
        """(m, d) by feature to (m, n_columns) by column."""
        return z if self.is_plain else z[:, self.feature_of]

    def shown(self, values: NDArray[Any]) -> NDArray[Any]:
        """Rows of values (n, n_columns) as one value a feature, for an explanation's data."""
        if self.is_plain:
            return values
        out = np.empty((len(values), len(self.names)), dtype=object)
        for j in range(len(self.names)):
            members = np.flatnonzero(self.feature_of == j)
            for i, row in enumerate(values[:, members]):
                out[i, j] = row[0] if len(members) == 1 else ", ".join(map(_short, row))
        return out


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def columns_of(layout: Layout, features: Features) -> Columns:
    """The features of a table: its columns, or the user's groups of them."""
    n_columns = len(layout.names)
    if features.groups is None:
        return Columns(layout.names, np.arange(n_columns), layout.labels)
    feature_of = np.full(n_columns, -1)
    known = Labels(layout.labels, layout.names)
    for j, (name, members) in enumerate(features.groups.items()):
        for column in positions(known, members, "groups: X has no column", f"groups: {name!r}"):
            if feature_of[column] >= 0:
                raise InvalidParameterError(
                    f"groups overlap: column {layout.labels[column]!r} is in "
                    f"{list(features.groups)[feature_of[column]]!r} and in {name!r}."
                )
            feature_of[column] = j
        if not (feature_of == j).any():
            raise InvalidParameterError(f"groups: {name!r} holds no column.")
    left_out = [layout.labels[c] for c in np.flatnonzero(feature_of < 0)]
    if left_out:
        raise InvalidParameterError(
            f"groups leaves out {len(left_out)} columns, {left_out[:5]} first: every column must "
            f"be in one group, alone if need be, as in {left_out[0]!r}: [{left_out[0]!r}]."
        )
    names = distinct_names("groups", features.groups)
    return Columns(names, feature_of, tuple(features.groups))


def positions(known: Labels, columns: Any, unknown: str, what: str) -> list[int]:
    """Which columns a user means by one label, name or position, or by a list of them.

    Raises
    ------
    InvalidParameterError
        If there is no such column (`unknown` begins the message), or `what` is no list.
    """
    is_label = isinstance(columns, (str, int, np.integer)) or (
        isinstance(columns, tuple) and columns in known.labels
    )
    if not is_label and (not isinstance(columns, Iterable) or getattr(columns, "ndim", 1) != 1):
        raise InvalidParameterError(f"{what} must be a list of columns; got {shown(columns)}.")
    members = [columns] if is_label else columns
    return [known.position(member, unknown) for member in members]


@dataclass(frozen=True, eq=False)
class FittedTable(FittedMasker):
    """What every masker of tables knows once fitted."""

    layout: Layout
    columns: Columns

    @abstractmethod
    def bound(self, rows: Any) -> list[BoundMasker]:
        """The masker bound to each of some checked rows."""

    def check(self, X: Any) -> Rows:
        is_list = isinstance(X, (list, tuple))
        X, single = rows_of(X, objects=self.layout.holds_objects)
        if is_list and type(self.layout) is ArrayLayout:  # a list has no type of its own
            like = np.empty(0, self.layout.dtype)
            X = at_type_of(like, X, "Rows of X", of="the X of fit")
        self.layout.check(X)
        return Rows(self, X, single)


@dataclass(frozen=True, eq=False)
class Rows(Instances):
    """Rows of a table, in the container that the masker has learned from."""

    masker: FittedTable
    X: Any
    single: bool

    def __len__(self) -> int:
        return int(self.X.shape[0])

    def take(self, start: int, stop: int) -> Any:
        return self.masker.layout.take(self.X, np.arange(start, stop))

    def bind(self, start: int, stop: int) -> list[BoundMasker]:
        return self.masker.bound(self.take(start, stop))


def sample_rows(
    layout: Layout, X: Any, max_rows: int, rng: np.random.Generator
) -> tuple[Any, str | None]:
    """At most `max_rows` rows of X, and a note if they are a sample."""
    n = X.shape[0]
    if n <= max_rows:
        return layout.take(X, np.arange(n)), None
    chosen = np.sort(rng.choice(n, size=max_rows, replace=False))
    return layout.take(X, chosen), f"the background is a random sample of {max_rows} of {n} rows"


def sample_weighted_rows(
    layout: Layout, X: Any, weights: Floats, max_rows: int, rng: np.random.Generator
) -> tuple[Any, Floats, str | None]:
    """At most `max_rows` rows of X, their weights, and a note if they are a sample.

    A sample is drawn systematically (Madow, Annals of Mathematical Statistics 20, 1949): a row is
    expected to be drawn in proportion to its weight, and counts as often as it is drawn. Rows of
    weight 0 are left out.
    """
    counting = np.flatnonzero(weights)
    if len(counting) <= max_rows:
        return layout.take(X, counting), weights[counting] / weights.sum(), None
    shuffled = rng.permutation(counting)
    ends = np.cumsum(weights[shuffled] / weights.sum()) * max_rows
    drawn = shuffled[np.searchsorted(ends[:-1], rng.random() + np.arange(max_rows), side="right")]
    chosen, times = np.unique(drawn, return_counts=True)
    note = f"the background is a random sample of {len(chosen)} of {len(weights)} weighted rows"
    return layout.take(X, chosen), times / max_rows, note


def at_type_of(X: Any, rows: Any, name: str, of: str = "X") -> Any:
    """`rows` at the dtype of X, so that numbers such as [0, 0] fit floats, and all fit objects.

    `name` and `of` are what errors call the rows and X.
    """
    if any(type(a) is not np.ndarray for a in (X, rows)):
        return rows
    if X.dtype == object and rows.dtype.kind in "biufUS":
        return rows.astype(object)
    if X.dtype.kind not in "iuf" or rows.dtype.kind not in "iuf":
        return rows
    with np.errstate(over="ignore"):  # refused below
        cast = rows.astype(X.dtype)
    if X.dtype.kind == "f" and np.isinf(cast[np.isfinite(rows)]).any():
        raise InvalidInputError(
            f"{name} hold values up to {np.abs(rows[np.isfinite(rows)]).max():.6g}, beyond what "
            f"{of}, of dtype {X.dtype}, can have: pass {of} as float64."
        )
    if X.dtype.kind != "f" and not np.array_equal(cast, rows):
        raise InvalidInputError(
            f"{name} hold values that {of}, of dtype {X.dtype}, cannot have: pass {of} as floats, "
            f"or numbers that fit {X.dtype}."
        )
    return cast


def power_of_two(numbers: Floats) -> float:
    """A unit for finite numbers in which neither sums nor squares overflow or vanish.

    It is near the largest of them, and nothing is rounded by it.
    """
    return float(np.exp2(np.frexp(np.abs(numbers).max())[1] - 1.0))


def require(X: Any, what: str) -> Any:
    """X as rows, or an error that says what needs them."""
    if X is None:
        raise InvalidInputError(
            f"{what} learns from data: call fit(X) with training rows first. Images need no fit: "
            "call explain(image)."
        )
    return training_rows(X)
