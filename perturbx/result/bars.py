"""Scores as bars with intervals, and the same numbers in words, for HTML."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._typing import Floats
from perturbx.result.text import numbers


@dataclass(frozen=True)
class Bar:
    """One score.

    Parameters
    ----------
    kind : "up", "down", "size" or "none"
        The color: for the output, against it, a size without a sign, or no score.
    ends, whisker : str
        CSS properties --a and --b, where the bar and its interval start and end; an empty whisker
        where the error is 0 or not known.
    score, interval : str
        The numbers.
    """

    kind: str
    ends: str
    whisker: str
    score: str
    interval: str


@dataclass(frozen=True)
class Bars:
    """The bars of a table on one scale, by row and column, and where zero is."""

    rows: tuple[tuple[Bar, ...], ...]
    zero: str


def bars(values: Floats, lower: Floats, upper: Floats, is_size: bool) -> Bars:
    """The bars of (rows, columns) scores; sizes, which have no sign, start at the left."""
    low, high = _span(values, lower, upper)

    def at(score: float) -> str:
        return f"{100 * (score - low) / (high - low):.2f}%"

    texts = numbers(np.stack([values, lower, upper]).ravel(), signed=not is_size)
    found, shape = [], values.shape
    for place, index in enumerate(np.ndindex(*shape)):
        v, a, b = (float(array[index]) for array in (values, lower, upper))
        score, below, above = texts[place :: values.size]
        is_known = np.isfinite([v, a, b]).all()
        kind = "none" if not np.isfinite(v) or not v else "up" if v > 0 else "down"
        found.append(
            Bar(
                kind="size" if is_size and kind != "none" else kind,
                ends=_between(at(min(v, 0.0)), at(max(v, 0.0))) if kind != "none" else "",
                whisker=_between(at(a), at(b)) if is_known and a < b else "",
                score=score if np.isfinite(v) else "unknown",
                interval=_interval(below, above, v, a, b),
            )
        )
    columns = shape[1] if len(shape) > 1 else 1
    rows = tuple(tuple(found[i : i + columns]) for i in range(0, len(found), columns or 1))
    return Bars(rows, at(0.0))


def _span(values: Floats, lower: Floats, upper: Floats) -> tuple[float, float]:
    """The ends of the scale, which include 0 and every finite interval."""
    known = np.concatenate([np.ravel(part) for part in (values, lower, upper)])
    known = known[np.isfinite(known)]
    low, high = float(known.min(initial=0.0)), float(known.max(initial=0.0))
    return (low, high) if np.isfinite(high - low) and high > low else (0.0, 1.0)


def _between(start: str, stop: str) -> str:
    return f"--a:{start};--b:{stop}"


def _interval(below: str, above: str, value: float, lower: float, upper: float) -> str:
    """The ends, or half the length where they look alike."""
    if value == lower == upper:
        return "exact"
    if not np.isfinite([value, lower, upper]).all():
        return "unknown"
    if below == above:
        return f"± {numbers([(upper - lower) / 2], signed=False)[0]}"
    return f"[{below}, {above}]"
