"""The values of a feature over instances: numbers, or categories."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from numbers import Real

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
    numbers : (n,) array
        NaN where a value is missing, and everywhere for categories.
    labels : (n,) array of str
        The categories; "missing" where there is none. Of numbers, their texts.
    is_number : bool
    """

    numbers: Floats
    labels: NDArray[np.str_]
    is_number: bool

    @cached_property
    def ranks(self) -> Floats:
        """(n,): from 1 for the lowest number; NaN for what is no number."""
        from scipy.stats import rankdata

        return np.asarray(rankdata(self.numbers, nan_policy="omit"))

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
    data = np.asarray(explanation.data, dtype=object)
    cells = data[:, feature] if data.ndim == 2 else data
    missing = np.array([is_missing(cell) for cell in cells], dtype=bool)
    labels = np.array([MISSING if m else show(c) for c, m in zip(cells, missing, strict=True)])
    is_number = not missing.all() and all(isinstance(c, Real) for c in cells[~missing])
    numbers = np.full(len(cells), np.nan)
    if is_number:
        numbers[~missing] = cells[~missing].astype(np.float64)
        numbers[np.isinf(numbers)] = np.nan
    return Column(numbers, labels, is_number)
