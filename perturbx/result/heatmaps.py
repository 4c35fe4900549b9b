"""Heat maps over a photo: colors of scores, their scale, and edges of regions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx._validation import invalid
from perturbx.errors import InvalidParameterError
from perturbx.features import Regions

if TYPE_CHECKING:
    from perturbx.result.explanation import Explanation

_WEAK = {-1: (58, 142, 224), 1: (240, 82, 63)}
_STRONG = {-1: (15, 79, 168), 1: (184, 18, 43)}
"""Blue and red, darker for larger scores: distinct with every kind of color vision."""

_STEPS = 257
_BULK = 0.995
"""The fraction of positions that set the color scale."""

_BEYOND = 2.0
"""Scores above this many times the largest of the bulk go off the scale."""


def colors(alpha: float) -> Floats:
    """(257, 4) RGBA from blue through transparent to red; `alpha` is the opacity at both ends."""
    t = np.linspace(-1, 1, _STEPS)[:, None]
    weak, strong = (np.where(t < 0, c[-1], c[1]) / 255 for c in (_WEAK, _STRONG))
    return np.hstack([weak + (strong - weak) * np.abs(t), alpha * np.abs(t)])


def scale(heats: Sequence[Floats]) -> float:
    """The score of full color for all maps: the largest, but not set by a few outliers.

    It is at most twice the 99.5% quantile over positions.
    """
    sizes = [np.abs(heat[np.isfinite(heat) & (heat != 0)]) for heat in heats]
    if not any(size.size for size in sizes):
        return 1.0
    bulk = max(float(np.quantile(s, _BULK, method="higher")) for s in sizes if s.size)
    return min(max(float(s.max(initial=0.0)) for s in sizes), _BEYOND * bulk)


def known_signs(one: Explanation, level: float) -> Floats:
    """The scores, and 0 for those whose interval at that level contains 0."""
    if np.isnan(one.standard_errors).all():
        raise InvalidParameterError(
            "level needs standard errors, and those of this explanation are unknown because too "
            "few perturbations were drawn: raise budget=, or draw without level."
        )
    lower, upper = one.interval(level)
    return np.where((lower > 0) | (upper < 0), one.values, 0.0)


def unit(one: Explanation) -> tuple[float, str]:
    """The factor that makes a map readable, and the unit of its values then.

    Where a region's score is spread over its positions, a single position has almost nothing of
    it, so values are given per hundredth of the picture.
    """
    regions = one.regions
    if not isinstance(regions, Regions):
        return 1.0, ""
    ones = regions.heatmap(np.ones(len(regions)))
    if np.allclose(ones[np.isfinite(ones)], 1.0):
        return 1.0, ""
    whole = {1: "series", 2: "image"}.get(len(regions.shape), "volume")
    return float(np.prod(regions.shape)) / 100, f"\nper 1% of the {whole}"


def check_top(top: int | float | None) -> None:
    """Refuse anything but a number of regions or a share of the area."""
    if top is None:
        return
    integral = isinstance(top, (int, np.integer)) and not isinstance(top, bool)
    share = isinstance(top, (float, np.floating)) and 0 < top < 1
    if not share and not (integral and top >= 1):
        expected = "a number of regions (an int from 1), a share of the area (0.0 to 1.0), or None"
        raise invalid("top", expected, top)


def highest(regions: Regions, scores: Floats, heat: Floats, top: int | float) -> Any:
    """The positions of the `top` highest scores above 0, as a bool array.

    An int counts regions; the array has the shape of `regions`. A float is a share of the
    positions of the heat map, and the array has its shape; ties with the lowest of them are
    included, so that no region is cut.
    """
    if isinstance(top, (int, np.integer)):
        order = np.argsort(-np.nan_to_num(scores), kind="stable")[:top]
        kept = np.zeros(regions.shape, dtype=bool)
        for feature in order[np.nan_to_num(scores)[order] > 0]:
            kept |= regions.cover(int(feature))
        return kept
    heat = np.nan_to_num(heat)
    last = max(1, round(top * heat.size))
    threshold = np.partition(heat.ravel(), heat.size - last)[heat.size - last]
    return (heat >= threshold) & (heat > 0)


def borders(labels: NDArray[np.generic], step: int = 1) -> tuple[Floats, Floats]:
    """The x and y of a line along pixel edges where labels change, with NaN between its pieces.

    Each label covers `step` pixels to the right and down.
    """
    rows, columns = np.nonzero(labels[:, 1:] != labels[:, :-1])
    upright = np.stack([columns + 0.5, rows - 0.5, columns + 0.5, rows + 0.5], axis=1)
    rows, columns = np.nonzero(labels[1:] != labels[:-1])
    level = np.stack([columns - 0.5, rows + 0.5, columns + 0.5, rows + 0.5], axis=1)
    pieces = np.concatenate([upright, level]).reshape(-1, 2, 2)
    path = np.concatenate([pieces, np.full((len(pieces), 1, 2), np.nan)], axis=1).reshape(-1, 2)
    path = (path + 0.5) * step - 0.5
    return path[:, 0], path[:, 1]
