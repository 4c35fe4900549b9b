"""Results of metrics beside what chance reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import invalid
from perturbx.result.effects import half_width
from perturbx.result.text import numbers

_FEWEST = 5
"""Instances from which the difference to chance has an interval."""


class Measured(Protocol):
    """What a page needs of a metric's result, such as of `perturbx.metrics.deletion`."""

    metric: str
    values: Floats
    axes: tuple[str, ...]
    better: str
    value_function: str
    references: Mapping[str, Floats]
    notes: tuple[str, ...]


Judged: TypeAlias = Measured | Sequence[Measured]


@dataclass(frozen=True)
class Line:
    """One metric: its mean, that of chance, and the verdict in words."""

    metric: str
    better: str
    mean: str
    chance: str
    difference: str
    verdict: str
    is_bad: bool
    details: str


def judged_lines(results: Any, level: float) -> list[Line]:
    """A line for each result and reference."""
    each = list(results) if isinstance(results, (list, tuple)) else [results]
    lines = []
    for one in each:
        if not all(hasattr(one, name) for name in Measured.__annotations__):
            expected = "results of metrics, such as px.metrics.deletion(...) returns, or a list"
            raise invalid("metrics", expected, one)
        details = "; ".join([one.value_function, *one.notes])
        mean = float(_mean(np.asarray(one.values)))
        if not one.references:
            verdict = "not compared with chance"
            text = numbers([mean], signed=False)[0]
            lines.append(Line(one.metric, one.better, text, "", "", verdict, False, details))
        for name, chance in one.references.items():
            lines.append(_beside(one, mean, name, np.asarray(chance), level, details))
    return lines


def _beside(
    one: Measured, mean: float, name: str, chance: Floats, level: float, details: str
) -> Line:
    gap = np.asarray(one.values) - chance
    n = len(gap) if "instance" in one.axes else 1
    each = np.array([_mean(row) for row in gap.reshape(n, -1)])
    each = each[~np.isnan(each)]
    difference = float(_mean(each))
    low = high = np.nan
    if len(each) >= _FEWEST:
        error = np.asarray(each.std(ddof=1) / np.sqrt(len(each)))
        half = float(half_width(error, np.asarray(len(each) - 1), level))
        low, high = difference - half, difference + half
    said, is_bad = _verdict(difference, low, high, one.better)
    ours, theirs = numbers([mean, float(_mean(chance))], signed=False)
    change, below, above = numbers([difference, low, high])
    interval = f" [{below}, {above}]" if np.isfinite([low, high]).all() else ""
    return Line(
        metric=one.metric,
        better=one.better,
        mean=ours,
        chance=f"{theirs} ({name})",
        difference=f"{change}{interval}",
        verdict=f"{said}, {len(each)} instance{'s'[: len(each) != 1]}",
        is_bad=is_bad,
        details=details,
    )


def _verdict(difference: float, low: float, high: float, better: str) -> tuple[str, bool]:
    """Whether scores are more faithful than chance, and whether that is bad news."""
    if np.isnan(difference):
        return "not defined", True
    if np.isnan(low):
        return "too few instances to tell from chance", True
    good, bad = (low > 0, high < 0) if better == "higher" else (high < 0, low > 0)
    if good:
        return "better than chance", False
    return ("worse than chance", True) if bad else ("not told apart from chance", True)


def _mean(values: Floats) -> Any:
    known = values[~np.isnan(values)]
    return known.mean() if known.size else np.nan
