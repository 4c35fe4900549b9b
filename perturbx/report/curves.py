"""Effect curves as SVG: points, intervals, and where the rows lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._typing import Floats
from perturbx.features import visible
from perturbx.report.contents import clean
from perturbx.result import EffectCurve, EffectCurves
from perturbx.result.effects import shown
from perturbx.result.text import numbers, output_label

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 260.0, 150.0, 44.0, 8.0, 22.0
_MOST, _LABELS, _BARS = 12, 12, 30


@dataclass(frozen=True)
class Curve:
    """One panel in pixels, with its meaning in words."""

    feature: str
    output: int
    is_line: bool
    points: tuple[tuple[float, float, float, float], ...]
    """x, and y of the point, of the lower and of the upper end."""
    rug: tuple[tuple[float, float, float], ...]
    """x, width and height of the bars that show where rows lie."""
    ticks: tuple[tuple[float, str], ...]
    heights: tuple[tuple[float, str], ...]
    zero: float
    words: str


@dataclass(frozen=True)
class Effects:
    """All panels on one scale, the outputs, and how to read them."""

    curves: tuple[Curve, ...]
    outputs: tuple[str, ...]
    words: str
    notes: tuple[str, ...]


def drawn_effects(effects: EffectCurves, level: float) -> Effects:
    """The curves that vary most, one panel for each output."""
    k = len(effects.output_names)
    sizes = [float(np.ravel(curve.size).max()) for curve in effects]
    kept = np.argsort(-np.array(sizes), kind="stable")[:_MOST]
    panels = []
    for j in range(k):
        cut = [_parts(effects[int(i)], j, level) for i in kept]
        known = np.concatenate([part[np.isfinite(part)] for parts in cut for part in parts])
        low, high = min(0.0, float(known.min())), max(0.0, float(known.max()))
        panels += [
            _panel(effects[int(i)], j, parts, low, high if high > low else low + 1.0)
            for i, parts in zip(kept, cut, strict=True)
        ]
    rest = len(effects) - len(kept)
    return Effects(
        tuple(panels),
        tuple(clean(output_label(name), 120) for name in effects.output_names),
        f"{effects.method} over {effects.n_instances:,} rows, for {effects.n_rows:,} model rows. "
        "Bands and whiskers are intervals of each point; gray bars show where rows lie."
        + f" {rest} more curves vary less."
        * (rest > 0),
        tuple(effects.notes),
    )


def _parts(curve: EffectCurve, j: int, level: float) -> list[Floats]:
    return [
        part.reshape(len(curve.grid), -1)[:, j] for part in (curve.values, *curve.interval(level))
    ]


def _panel(curve: EffectCurve, j: int, parts: list[Floats], low: float, high: float) -> Curve:
    values, lower, upper = parts
    places = curve.positions if curve.is_number else np.arange(float(len(curve.grid)))
    span = float(np.ptp(places)) or 1.0
    pad = 0.0 if curve.is_number else 0.5
    start, whole = float(places.min()) - pad, span + 2 * pad
    width = WIDTH - LEFT - 6

    def x(place: Floats) -> Floats:
        return LEFT + width * (place - start) / whole

    def y(value: float) -> float:
        top = HEIGHT - BOTTOM
        share = (min(max(value, low), high) - low) / (high - low)
        return round(float(top - (top - TOP) * share), 1)

    columns = x(places)
    smallest, largest = int(np.nanargmin(values)), int(np.nanargmax(values))
    texts = numbers([p[i] for i in (smallest, largest) for p in parts])
    name = clean(curve.feature, 120)
    ends = [shown(curve.grid[i]) for i in (smallest, largest)]
    return Curve(
        feature=name,
        output=j,
        is_line=curve.is_number,
        points=tuple(
            (round(float(c), 1), y(v), y(a), y(b))
            for c, v, a, b in zip(columns, values, lower, upper, strict=True)
        ),
        rug=_rug(curve, x, width),
        ticks=_ticks(curve, columns),
        heights=tuple(
            (y(v), text) for v, text in zip((low, high), numbers([low, high]), strict=True)
        ),
        zero=y(0.0),
        words=f"lowest {texts[0]} [{texts[1]}, {texts[2]}] at {visible(ends[0])}, highest "
        f"{texts[3]} [{texts[4]}, {texts[5]}] at {visible(ends[1])}",
    )


def _rug(curve: EffectCurve, x: object, width: float) -> tuple[tuple[float, float, float], ...]:
    """Counts of the rows along the axis, at most 14 pixels high."""
    assert callable(x)
    if curve.is_number:
        counts, edges = np.histogram(curve.data, _BARS)
        lefts, rights = x(edges[:-1]), x(edges[1:])
    else:
        counts, places = curve.counts, np.arange(float(len(curve.grid)))
        lefts, rights = x(places - 0.3), x(places + 0.3)
    heights = 14 * counts / max(int(counts.max(initial=0)), 1)
    return tuple(
        (round(float(a), 1), round(float(b - a), 1), round(float(h), 1))
        for a, b, h in zip(lefts, rights, heights, strict=True)
        if h > 0
    )


def _ticks(curve: EffectCurve, columns: Floats) -> tuple[tuple[float, str], ...]:
    """The ends of a line; the categories, if they are few."""
    chosen = [0, len(columns) - 1] if curve.is_number else range(len(columns))
    if len(chosen) > _LABELS:
        chosen = []
    width = 12 if curve.is_number else max(2, 44 // max(len(columns), 1))
    return tuple(
        (round(float(columns[i]), 1), clean(shown(curve.grid[i]), width))
        for i in dict.fromkeys(chosen)
    )
