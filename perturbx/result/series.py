"""What tables say about the segments of a series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx._typing import Floats
from perturbx.features import SeriesMap

if TYPE_CHECKING:
    from perturbx.result.explanation import Explanation


def maps_of(explanation: Explanation) -> tuple[SeriesMap, ...]:
    """The segments of each series; empty if these are no segments of series."""
    regions = explanation.regions
    found = regions if isinstance(regions, tuple) else (regions,)
    maps = tuple(one for one in found if isinstance(one, SeriesMap))
    return maps if len(maps) == len(found) else ()


def segment_means(data: Any, places: SeriesMap) -> Floats:
    """(d,): the mean of the series in each segment."""
    values = np.asarray(data, dtype=np.float64)
    if values.ndim > places.segments.ndim:
        values = values.mean(axis=-1)
    labels = places.segments.ravel()
    return np.asarray(np.bincount(labels, values.ravel()) / np.bincount(labels))
