"""The position and size of a feature, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx.features.regions import Regions
from perturbx.features.spans import Spans

NINTHS = (
    *("upper left", "upper middle", "upper right"),
    *("left", "center", "right"),
    *("lower left", "lower middle", "lower right"),
)
"""The places of an image, row by row."""


def ninth(covered: NDArray[np.bool_]) -> str:
    """The ninth of an image that contains the center of the covered positions."""
    middles = [positions.mean() + 0.5 for positions in np.nonzero(covered)]
    row, column = (int(3 * m / side) for m, side in zip(middles, covered.shape, strict=True))
    return NINTHS[3 * row + column]


def place(regions: Regions | Spans, feature: int) -> str:
    """Where a feature is: steps of a series, a ninth of an image and its share, or characters."""
    if isinstance(regions, Spans):
        start, last = int(regions.starts[feature]), int(regions.stops[feature]) - 1
        return str(start) if start == last else f"{start}–{last}"
    if regions.names is not None:
        return regions.names[feature]
    covered = regions.cover(feature)
    if not covered.any():
        return "nowhere"
    if covered.ndim == 1:
        return f"steps {_ends(covered)}"
    share = f"{100 * covered.mean():.2g}%"
    if covered.ndim == 2:
        return f"{ninth(covered)}, {share}"
    if covered.ndim == 3:
        slices, flat = np.any(covered, axis=(1, 2)), np.any(covered, axis=0)
        return f"slices {_ends(np.asarray(slices))}, {ninth(np.asarray(flat))}, {share}"
    return share


def aligned(regions: Sequence[Regions | Spans]) -> bool:
    """Whether each feature covers the same positions in every instance."""
    return all(_same_regions(one, regions[0]) for one in regions)


def _same_regions(one: Any, other: Any) -> bool:
    if one is other:
        return True
    return type(one) is type(other) and all(
        np.array_equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(one)
    )


def _ends(covered: NDArray[np.bool_]) -> str:
    first, last = np.flatnonzero(covered)[[0, -1]].tolist()
    return str(first) if first == last else f"{first}–{last}"
