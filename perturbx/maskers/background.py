"""Absent features take the values of background rows, or of one baseline."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints, Noise
from perturbx._validation import LARGEST, check_choice, check_integer, invalid, real_numbers
from perturbx.containers import Layout, blend, layout_of, rows_and_weights, rows_of, training_rows
from perturbx.errors import InvalidInputError
from perturbx.features import Columns, FeatureTree
from perturbx.maskers._base import BoundMasker, Features, FittedMasker, Masker
from perturbx.maskers._tabular import (
    FittedTable,
    at_type_of,
    power_of_two,
    require,
    sample_rows,
    sample_weighted_rows,
)

_LOOP = 512
"""Elements that one inner loop of the masking may cover."""


@dataclass(frozen=True, eq=False)
class Background(Masker):
    """Absent features come from background rows, whose outputs are averaged.

    This is the marginal (interventional) value function of Lundberg & Lee (NeurIPS 2017):
    v(S) = mean over background rows b of f(x_S, b_notS).

    Parameters
    ----------
    rows : table of rows, optional
        The background; by default the X of ``fit``.
    max_rows : int
        If there are more rows, a random sample of this many is drawn once and used for every
        instance; the explanation's notes say so.
    weights : sequence of float, optional
        How much each row counts in the average, in proportion: the sizes of the clusters whose
        centers the rows are, or survey weights. By default all count the same. What
        ``shap.kmeans`` returns may be passed as `rows` and brings its own weights.

    Notes
    -----
    With weights, ``background_errors`` take the rows for a sample in which each stands for as
    many others as its weight says.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.array([[0.0, 0.0], [2.0, 4.0]])
    >>> explainer = px.KernelShap(lambda X: X.sum(axis=1), masker=px.Background(X))
    >>> explainer.explain([[3.0, 3.0]]).values
    array([[2., 1.]])
    """

    rows: Any = None
    max_rows: int = 100
    weights: Any = None

    @property
    def needs_fit(self) -> bool:  # type: ignore[override]
        return self.rows is None

    def fit(self, X: Any, features: Features, rng: np.random.Generator) -> FittedMasker:
        max_rows = check_integer("max_rows", self.max_rows, minimum=1)
        given, weights = rows_and_weights(self.rows, self.weights, X)
        rows = require(X, "Background") if given is None else training_rows(given, "rows")
        X = rows if X is None or given is None else rows_of(X)[0]
        rows = at_type_of(X, rows, "Background rows")
        layout = layout_of(X, features.names)
        layout.check(rows, "the background")
        counts = None if weights is None else _checked_weights(weights, rows.shape[0])
        if counts is None or (counts == counts[0]).all():
            rows, note = sample_rows(layout, rows, max_rows, rng)
            counts = None
        else:
            rows, counts, note = sample_weighted_rows(layout, rows, counts, max_rows, rng)
        n = rows.shape[0]
        mean = "mean" if counts is None else "weighted mean"
        said = f"the {mean} over {n} background rows" if n > 1 else "one background row"
        notes = () if note is None else (note,)
        return FittedBackground(
            layout,
            Columns.grouped(layout.names, layout.labels, features.groups),
            rows,
            f"absent features from {said}",
            notes,
            weights=counts,
        )


def _checked_weights(weights: Any, n_rows: int) -> Floats:
    """One finite weight for each row, none below 0 and some above."""
    try:
        counts = real_numbers(weights)
    except (TypeError, ValueError, OverflowError):
        counts = np.zeros(0)
    if counts.shape != (n_rows,) or not (counts >= 0).all() or not 0 < counts.sum() < np.inf:
        raise invalid(
            "weights", f"{n_rows} numbers of at least 0, one for each row, not all 0", weights
        )
    return counts


@dataclass(frozen=True, eq=False)
class Baseline(Masker):
    """Absent features take one stand-in value each.

    Parameters
    ----------
    values : "mean", "median", or one row
        Columns' means or medians in the X of ``fit``, missing values left out (the most frequent
        value where a column holds no numbers; rounded where it holds integers), or a row of X's
        container.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> explainer = px.KernelShap(lambda X: X.sum(axis=1), masker=px.Baseline([1.0, 1.0]))
    >>> explainer.explain([[3.0, 2.0]]).values
    array([[2., 1.]])
    """

    values: Any = "mean"

    @property
    def needs_fit(self) -> bool:  # type: ignore[override]
        return isinstance(self.values, str)

    def fit(self, X: Any, features: Features, rng: np.random.Generator) -> FittedMasker:
        if isinstance(self.values, str):
            kind = check_choice("Baseline values", self.values, ("mean", "median"))
            X = require(X, f"Baseline({kind!r})")
            layout = layout_of(X, features.names)
            row, said = _typical_row(layout, X, kind)  # type: ignore[arg-type]
        else:
            row = rows_of(self.values, "Baseline values")[0]
            X = row if X is None else rows_of(X)[0]
            row = at_type_of(X, row, "Baseline values")
            layout = layout_of(X, features.names)
            layout.check(row, "the baseline")
            said = "a baseline"
        if row.shape[0] != 1:
            raise InvalidInputError(
                f"Baseline values must be one row, got {row.shape[0]}: for several rows use "
                "masker=Background(rows)."
            )
        return FittedBackground(
            layout,
            Columns.grouped(layout.names, layout.labels, features.groups),
            row,
            f"absent features at {said}",
        )


def _typical_row(layout: Layout, X: Any, kind: Literal["mean", "median"]) -> tuple[Any, str]:
    """A row of the mean, median or most frequent value of each column, and how to call it."""
    (cells,) = layout.encode(X)
    row = np.empty((1, len(layout.names)), dtype=cells.bits.dtype, order="F")
    centers: dict[int, Any] = {}
    for j in range(len(layout.names)):
        numbers = layout.numbers(X, j)
        if numbers is None:
            codes, counts = np.unique(cells.bits[:, j], return_counts=True)
            row[0, j] = codes[counts.argmax()]
        else:
            row[0, j] = cells.bits[0, j]
            centers[j] = _center(numbers, kind)
    others = len(layout.names) - len(centers)
    said = f"their {kind}" if centers else ""
    if others:
        said += f"{', or ' * bool(said)}their most frequent value where a column holds no numbers"
    return layout.put(layout.decode(row, cells.tables), centers), said


def _center(numbers: NDArray[Any], kind: Literal["mean", "median"]) -> Any:
    """The mean or median of some numbers as a number of their kind."""
    if numbers.dtype.kind in "iu" or all(isinstance(n, (int, np.integer)) for n in numbers):
        if kind == "median":
            middle = len(numbers) // 2
            numbers = np.sort(numbers)[middle - (len(numbers) % 2 == 0) : middle + 1]
        return round(Fraction(_total(numbers), len(numbers)))  # float64 rounds beyond 2**53
    floats = numbers.astype(np.float64)
    unit = power_of_two(floats)
    center = float((np.mean if kind == "mean" else np.median)(floats / unit) * unit)
    kinds = set(map(type, numbers)) if numbers.dtype == object else set()
    return kinds.pop()(center) if len(kinds) == 1 else center


def _total(integers: NDArray[Any]) -> int:
    """Their sum, exactly."""
    if integers.dtype != object:
        largest = max(abs(int(integers.min())), int(integers.max()))
        if largest * len(integers) <= LARGEST:
            return int(integers.sum())
    return sum(map(int, integers.tolist()))


@dataclass(frozen=True, eq=False)
class FittedBackground(FittedTable):
    """Background rows, in the container of X."""

    rows: Any
    value_function: str
    notes: tuple[str, ...] = ()
    trees: tuple[FeatureTree, ...] = ()
    weights: Floats | None = None

    def bound(self, rows: Any) -> list[BoundMasker]:
        background, instances = self.layout.encode(self.rows, rows)
        shown = self.columns.shown(self.layout.values(rows))
        return [
            BoundBackground(
                self.layout,
                self.columns,
                background.bits,
                bits,
                background.tables,
                data,
                self.trees,
                self.weights,
            )
            for bits, data in zip(instances.bits, shown, strict=True)
        ]


Scratch: TypeAlias = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""Buffers for masks and for model rows, and how each background row differs from the instance."""


@dataclass(frozen=True, eq=False)
class BoundBackground(BoundMasker):
    """One row and the background, as bits.

    A masked row is exactly x where present and b where absent, to the last bit, for every type.
    """

    layout: Layout
    columns: Columns
    background: NDArray[Any]
    instance: NDArray[Any]
    tables: tuple[Any, ...]
    shown: NDArray[Any]
    trees: tuple[FeatureTree, ...] = ()
    weights: Floats | None = None
    shares_empty = True

    @property
    def n_features(self) -> int:
        return len(self.columns.names)

    @property
    def feature_names(self) -> tuple[str, ...]:
        return self.columns.names

    @property
    def data(self) -> Any:
        return self.shown

    @property
    def rows_per_perturbation(self) -> int:  # type: ignore[override]
        return len(self.background)

    @property
    def active(self) -> NDArray[np.bool_]:
        differs = (self.background != self.instance).any(axis=0)
        return np.bincount(self.columns.feature_of, differs, self.n_features) > 0

    @property
    def row_bytes(self) -> int:
        return int(self.instance.nbytes)

    @property
    def calls_are_costly(self) -> bool:  # type: ignore[override]
        return self.layout.column_major

    def scratch(self, n_rows: int) -> Scratch:
        size = n_rows * len(self.instance)
        masks, rows = np.empty((2, size), dtype=self.instance.dtype)
        return masks, rows, self.background ^ self.instance

    def batch(self, z: Coalitions | Noise, rows: slice | Ints, scratch: Scratch) -> Any:
        masks, buffer, differences = scratch
        c, d = len(z), len(self.instance)
        absent = masks[: c * d].reshape(c, d)
        np.subtract(self.columns.of(z), 1, out=absent, dtype=absent.dtype, casting="unsafe")
        if self.layout.column_major:
            apart = differences[rows]
            apart = apart[None] if isinstance(rows, slice) else apart[:, None]
            return self._frame(absent, apart, buffer)
        if not isinstance(rows, slice):
            tile = buffer[: c * d].reshape(c, d)
            np.take(differences, rows, axis=0, out=tile, mode="clip")
            blend(absent, tile, self.instance, tile)
            return self.layout.decode(tile, self.tables)
        difference = differences[rows]
        b = len(difference)
        times = _rows_at_once(b, d)
        wide = np.empty((c, times, d), dtype=buffer.dtype)
        wide[...] = absent[:, None]
        out = buffer[: c * b * d].reshape(c, b // times, times * d)
        difference, instance = difference.reshape(-1, times * d), np.tile(self.instance, times)
        blend(wide.reshape(c, 1, times * d), difference, instance, out)
        return self.layout.decode(out.reshape(c * b, d), self.tables)

    def _frame(self, absent: NDArray[Any], apart: NDArray[Any], buffer: NDArray[Any]) -> Any:
        """The batch column by column, each in its own width and its own place in the buffer."""
        c, (groups, b, d) = len(absent), apart.shape
        chosen = np.ascontiguousarray(absent.T).reshape(d, c, 1)
        difference = np.ascontiguousarray(apart.reshape(groups * b, d).T).reshape(d, groups, b)
        places = buffer[: d * c * b].reshape(d, c * b)
        widths = [self.layout.width(j, self.tables) for j in range(d)]
        columns = [place.view(width)[: c * b] for place, width in zip(places, widths, strict=True)]
        parts = chosen, difference, self.instance
        for j, (column, width) in enumerate(zip(columns, widths, strict=True)):
            one, other, base = (part[j].astype(width, copy=False) for part in parts)
            blend(one, other, base, column.reshape(c, b))
        if all(width == buffer.dtype for width in widths):
            return self.layout.decode(places.T, self.tables)
        return self.layout.decode_columns(columns, self.tables)


@cache
def _rows_at_once(n_rows: int, n_columns: int) -> int:
    """How many background rows one inner loop covers; short inner loops cost the most."""
    return max(
        t for t in range(1, n_rows + 1) if n_rows % t == 0 and (t == 1 or t * n_columns <= _LOOP)
    )
