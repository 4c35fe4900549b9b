"""Shared by the maskers of tables: checked rows, and samples of them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx.containers import ArrayLayout, Layout, rows_of, training_rows
from perturbx.errors import InvalidInputError
from perturbx.features import Columns
from perturbx.maskers._base import BoundMasker, FittedMasker, Instances


@dataclass(frozen=True, eq=False)
class FittedTable(FittedMasker):
    """A fitted masker of tables: the layout of the rows, and their features."""

    layout: Layout
    columns: Columns

    @abstractmethod
    def bound(self, rows: Any) -> list[BoundMasker]:
        """The masker bound to each of the checked rows."""

    def check(self, X: Any) -> Rows:
        is_list = isinstance(X, (list, tuple))
        X, single = rows_of(X, objects=self.layout.holds_objects)
        if is_list and type(self.layout) is ArrayLayout:  # a list has no dtype
            like = np.empty(0, self.layout.dtype)
            X = at_type_of(like, X, "Rows of X", of="the X of fit")
        self.layout.check(X)
        return Rows(self, X, single)


class BoundRow(BoundMasker):
    """A masker bound to one row of a table: `layout`, `columns`, its bits and its cells."""

    layout: Layout
    columns: Columns
    instance: NDArray[Any]
    shown: NDArray[Any]

    @property
    def n_features(self) -> int:
        return len(self.columns.names)

    @property
    def feature_names(self) -> tuple[str, ...]:
        return self.columns.names

    @property
    def feature_labels(self) -> tuple[Any, ...]:
        return self.columns.labels

    @property
    def data(self) -> Any:
        return self.shown

    @property
    def row_bytes(self) -> int:
        return int(self.instance.nbytes)

    @property
    def calls_are_costly(self) -> bool:  # type: ignore[override]
        return self.layout.column_major


@dataclass(frozen=True, eq=False)
class Rows(Instances):
    """Checked rows of a table, in the container that `fit` saw."""

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
    """At most `max_rows` rows of X, and a note if they are a random sample."""
    n = X.shape[0]
    if n <= max_rows:
        return layout.take(X, np.arange(n)), None
    chosen = np.sort(rng.choice(n, size=max_rows, replace=False))
    return layout.take(X, chosen), f"the background is a random sample of {max_rows} of {n} rows"


def sample_weighted_rows(
    layout: Layout, X: Any, weights: Floats, max_rows: int, rng: np.random.Generator
) -> tuple[Any, Floats, str | None]:
    """At most `max_rows` rows of X, their weights, and a note if they are a random sample.

    The sample is systematic (Madow, Annals of Mathematical Statistics 20, 1949): the expected
    number of draws of a row is proportional to its weight, and its new weight is the number of
    draws. Rows of weight 0 are left out.
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
    """`rows` converted to the dtype of X, for example integers to floats, or anything to objects.

    Errors refer to the rows as `name` and to X as `of`.
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
            f"{name} hold values up to {np.abs(rows[np.isfinite(rows)]).max():.6g}, which the "
            f"dtype of {of}, {X.dtype}, cannot represent: pass {of} as float64."
        )
    if X.dtype.kind != "f" and not np.array_equal(cast, rows):
        raise InvalidInputError(
            f"{name} hold values that the dtype of {of}, {X.dtype}, cannot represent: pass {of} as "
            f"floats, or numbers that fit {X.dtype}."
        )
    return cast


def power_of_two(numbers: Floats) -> float:
    """A power of two near the largest of some finite numbers.

    Dividing by it rounds nothing, and keeps sums and squares from overflow and underflow.
    """
    return float(np.exp2(np.frexp(np.abs(numbers).max())[1] - 1.0))


def require(X: Any, what: str) -> Any:
    """X as rows; an error if there is none, which says that `what` needs it."""
    if X is None:
        raise InvalidInputError(
            f"{what} learns from data: call fit(X) with training rows first. Images need no fit: "
            "call explain(image)."
        )
    return training_rows(X)


def dense(X: Any, what: str) -> Any:
    """Rows that are no sparse matrix; an error if they are, since `what` needs every cell."""
    if hasattr(X, "toarray"):
        raise InvalidInputError(
            f"{what} learns how columns depend on each other, which takes dense rows: pass "
            "X.toarray(), and let predict_fn convert its batch, as in lambda X: "
            "model(scipy.sparse.csr_array(X)); or use masker=px.Background()."
        )
    return X
