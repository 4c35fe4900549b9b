"""Small pictures of series for the notebook view: SVG, which needs no matplotlib."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx._typing import Floats
from perturbx.result import heatmaps
from perturbx.result.reading import one_output
from perturbx.result.series import Track, is_series, largest_tracks, tracks_of
from perturbx.result.text import numbers, output_label, shorten, titled

if TYPE_CHECKING:
    from perturbx.result.explanation import Explanation

_MOST, _CHANNELS = 4, 12
_WIDTH, _HEIGHT, _GAP = 300.0, 30.0, 4.0
_POINTS = 300
"""A longer curve is drawn by the smallest and the largest value of so many parts."""

_ALPHA = 0.8


def series_pictures(explanation: Explanation) -> list[str]:
    """Up to four figures: outputs of one series on one scale, or series each on its own scale.

    Empty if these are no series. Curves have the color of the text, so that they are visible in
    light and dark notebooks.
    """
    several = "instance" in explanation.axes
    regions: Any = explanation.regions
    if not (regions and all(map(is_series, regions)) if several else is_series(regions)):
        return []
    if several:
        first = 0 if "output" in explanation.axes else None
        n = len(explanation)
        shown = [one_output(explanation[i], first) for i in range(min(n, _MOST))]
        words = [f"series {i} of 0–{n - 1}" for i in range(len(shown))]
        return [figure(one, text, scale_of([one])) for one, text in zip(shown, words, strict=True)]
    shown = [explanation]
    if "output" in explanation.axes:
        shown = [explanation[..., j] for j in range(min(explanation.shape[-1], _MOST))]
    return [figure(one, "", scale_of(shown)) for one in shown]


def scale_of(shown: list[Explanation]) -> float:
    """The score of full color for all of them."""
    return heatmaps.scale([track.scores for one in shown for track in tracks_of(one)])


def figure(one: Explanation, words: str, end: float) -> str:
    """One series, each of its channels on its own scale, with a caption."""
    every = tracks_of(one)
    tracks = largest_tracks(every, _CHANNELS)
    name = str(one.output_names[0]) if len(one.output_names) == 1 else ""
    (prediction,) = numbers([float(one.predictions)], signed=False)
    title = escape(titled(shorten(output_label(name), 28), float(one.predictions), prediction))
    left_out = len(every) - len(tracks)
    more = [f"{left_out} more channels"] if left_out else []
    caption = escape(", ".join([*([words] if words else []), *more]))
    height = len(tracks) * (_HEIGHT + _GAP)
    body = "".join(_channel(track, i, end) for i, track in enumerate(tracks))
    return (
        f'<figure style="margin:0 10px 8px 0;width:{_WIDTH:.0f}px">'
        f'<svg viewBox="0 0 {_WIDTH:.0f} {height:.0f}" width="100%" role="img" '
        f'aria-label="scores of {title}">{body}</svg>'
        f'<figcaption><span class="px-title">{title}</span>'
        f'<span class="px-soft"> {caption}</span></figcaption></figure>'
    )


def _channel(track: Track, row: int, end: float) -> str:
    """Colored segments, the curve over them, and the name of the channel."""
    top, per_step = row * (_HEIGHT + _GAP), _WIDTH / len(track.curve)
    table = heatmaps.colors(_ALPHA)
    half = len(table) // 2
    parts = []
    for start, stop, score in zip(track.edges[:-1], track.edges[1:], track.scores, strict=True):
        if not score or np.isnan(score):
            continue
        red, green, blue, alpha = table[round(half * (1 + np.clip(score / end, -1, 1)))]
        rgb = ",".join(str(round(255 * part)) for part in (red, green, blue))
        parts.append(
            f'<rect x="{start * per_step:.1f}" y="{top:.1f}" '
            f'width="{(stop - start) * per_step:.1f}" height="{_HEIGHT:.0f}" '
            f'fill="rgb({rgb})" fill-opacity="{alpha:.2f}"/>'
        )
    steps, values = _thinned(track.curve)
    low, span = values.min(), np.ptp(values)
    shares = (values - low) / span if span > 0 else np.full(len(values), 0.5)
    x = (steps + 0.5) * per_step
    y = top + _HEIGHT - 2 - (_HEIGHT - 4) * shares
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    parts.append(
        f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="0.9"/>'
    )
    if track.name:
        parts.append(
            f'<text x="2" y="{top + 8:.1f}" font-size="8" fill="currentColor" opacity=".75">'
            f"{escape(shorten(track.name, 24))}</text>"
        )
    return "".join(parts)


def _thinned(curve: Floats) -> tuple[Floats, Floats]:
    """Steps and values of a curve, without those that could not be told apart."""
    n = len(curve)
    if n <= 2 * _POINTS:
        return np.arange(float(n)), curve
    starts = np.arange(_POINTS) * n // _POINTS
    low, high = np.minimum.reduceat(curve, starts), np.maximum.reduceat(curve, starts)
    return np.repeat(starts.astype(float), 2), np.stack([low, high], axis=1).ravel()
