"""Absent features take the value of one baseline."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from perturbx._validation import LARGEST, check_choice
from perturbx.containers import Layout, layout_of, rows_of
from perturbx.errors import InvalidInputError
from perturbx.features import Columns
from perturbx.maskers._base import Features, FittedMasker, Masker
from perturbx.maskers._tabular import at_type_of, power_of_two, require
from perturbx.maskers.bound_rows import FittedBackground


@dataclass(frozen=True, eq=False)
class Baseline(Masker):
    """Each absent feature takes one fixed value.

    Parameters
    ----------
    values : "mean", "median", or one row
        The mean or median of each column in the X of ``fit``, without missing values (rounded for
        integer columns; the most frequent value for columns without numbers), or a row in the
        container of X.

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
    """A row of the mean, median or most frequent value of each column, and its description."""
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
        said += f"{', or ' * bool(said)}their most frequent value for columns without numbers"
    return layout.put(layout.decode(row, cells.tables), centers), said


def _center(numbers: NDArray[Any], kind: Literal["mean", "median"]) -> Any:
    """The mean or median of some numbers, as a number of their type."""
    if numbers.dtype.kind in "iu" or all(isinstance(n, (int, np.integer)) for n in numbers):
        if kind == "median":
            middle = len(numbers) // 2
            numbers = np.sort(numbers)[middle - (len(numbers) % 2 == 0) : middle + 1]
        is_small = numbers.dtype != object
        if is_small:
            largest = max(abs(int(numbers.min())), int(numbers.max()))
            is_small = largest * len(numbers) <= LARGEST
        total = numbers.sum() if is_small else sum(map(int, numbers.tolist()))
        return round(Fraction(int(total), len(numbers)))  # float64 rounds beyond 2**53
    floats = numbers.astype(np.float64)
    unit = power_of_two(floats)
    center = float((np.mean if kind == "mean" else np.median)(floats / unit) * unit)
    kinds = set(map(type, numbers)) if numbers.dtype == object else set()
    return kinds.pop()(center) if len(kinds) == 1 else center
