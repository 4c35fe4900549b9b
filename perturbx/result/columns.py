"""The values of a feature over instances: numbers, or categories."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx.containers import is_missing
from perturbx.result.explanation import Explanation
from perturbx.result.text import show

MISSING = show(None)


@dataclass(frozen=True, eq=False)
class Column:
    """The values of one feature.

    Parameters
    ----------
    cells : (n,) array
        As they are in the data.
    numbers : (n,) array
        NaN where a value is missing or infinite, and everywhere for categories.
    """

    cells: NDArray[Any]
    numbers: Floats

    @property
    def is_number(self) -> bool:
        """Whether there is a place for some of the values on an axis of numbers."""
        return bool(np.isfinite(self.numbers).any())

    @cached_property
    def labels(self) -> NDArray[np.str_]:
        """(n,): the values as text, "missing" where there is none."""
        return np.array([MISSING if is_missing(cell) else show(cell) for cell in self.cells])

    @cached_property
    def ranks(self) -> Floats:
        """(n,): from 1 for the lowest number; NaN for what is no number."""
        from scipy.stats import rankdata

        found = np.full(len(self.numbers), np.nan)
        known = np.isfinite(self.numbers)
        found[known] = rankdata(self.numbers[known])
        return found

    @cached_property
    def levels(self) -> list[str]:
        """The categories, most frequent first, and the missing ones last."""
        names, counts = np.unique(self.labels, return_counts=True)
        return sorted(names.tolist(), key=lambda n: (n == MISSING, -counts[names == n][0], n))

    @cached_property
    def span(self) -> tuple[float, float]:
        """The 5% and the 95% quantile; the lowest and the highest number where these are equal."""
        known = self.numbers[np.isfinite(self.numbers)]
        if not known.size:
            return 0.0, 1.0
        low, high = (float(end) for end in np.quantile(known, [0.05, 0.95]))
        return (low, high) if low < high else (float(known.min()), float(known.max()))

    def scaled(self) -> Floats:
        """0 to 1 from the low to the high end of the span; NaN for what is no number."""
        low, high = self.span
        return np.asarray(np.clip((self.numbers - low) / ((high - low) or 1.0), 0.0, 1.0))


def column_of(explanation: Explanation, feature: int) -> Column | None:
    """The values of a feature of a table; None where an explanation has no such data."""
    if explanation.data is None or explanation.regions is not None:
        return None
    data = np.asarray(explanation.data)
    cells = data[:, feature] if data.ndim == 2 else data
    if cells.dtype.kind in "iuf":
        numbers = cells.astype(np.float64)
    else:
        missing = np.array([is_missing(cell) for cell in cells], dtype=bool)
        numbers = np.full(len(cells), np.nan)
        if all(isinstance(cell, Real) for cell in cells[~missing]):
            numbers[~missing] = cells[~missing].astype(np.float64)
    return Column(cells, np.where(np.isinf(numbers), np.nan, numbers))
