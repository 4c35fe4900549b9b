"""Where a region lies and how large it is, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx.features.regions import Regions

NINTHS = (
    *("upper left", "upper middle", "upper right"),
    *("left", "center", "right"),
    *("lower left", "lower middle", "lower right"),
)
"""The places of an image, row by row."""


def ninth(covered: NDArray[np.bool_]) -> str:
    """In which ninth of an image the middle of the covered positions lies."""
    middles = [positions.mean() + 0.5 for positions in np.nonzero(covered)]
    row, column = (int(3 * m / side) for m, side in zip(middles, covered.shape, strict=True))
    return NINTHS[3 * row + column]


def place(regions: Regions, feature: int) -> str:
    """Place and size of a region: the steps of a series, else a ninth and a share of the image."""
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


def aligned(regions: Sequence[Regions]) -> bool:
    """Whether the same feature is the same place in every instance."""
    return all(_parts_equal(one, regions[0]) for one in regions)


def _parts_equal(one: Any, other: Any) -> bool:
    if one is other:
        return True
    return type(one) is type(other) and all(
        np.array_equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(one)
    )


def _ends(covered: NDArray[np.bool_]) -> str:
    first, last = np.flatnonzero(covered)[[0, -1]].tolist()
    return str(first) if first == last else f"{first}–{last}"
