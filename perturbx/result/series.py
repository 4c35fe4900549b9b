"""The segments of a series in tables and pictures: their means, and one curve per channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx.features import Regions, SeriesMap

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


@dataclass(frozen=True, eq=False)
class Track:
    """One channel of a series, with the scores of its segments.

    Parameters
    ----------
    name : str
        The channel; empty if there is only one.
    curve : (T,) array
    edges : (S + 1,) int array
        The first step of each stretch with the same score, and T.
    scores : (S,) array
        NaN where there is no feature.
    features : (S,) int array or None
        The feature of each stretch; None where features overlap.
    """

    name: str
    curve: Floats
    edges: Ints
    scores: Floats
    features: Ints | None


def tracks_of(one: Explanation) -> list[Track]:
    """The channels of one series and one output.

    Segments that cover all channels are in every track.
    """
    regions: Any = one.regions
    n_steps = regions.shape[0]
    data = np.asarray(one.data, dtype=np.float64)
    data = data.T if len(data) != n_steps else data  # windows of channels first
    data = data.reshape(n_steps, -1)
    n_channels = data.shape[1]
    heat = _by_channel(regions.heatmap(one.values), n_channels)
    features = None
    names = [f"channel {i}" for i in range(n_channels)] if n_channels > 1 else [""]
    if isinstance(regions, SeriesMap):
        features = _by_channel(regions.segments, n_channels)
        names = list(regions.channel_names or names)
    found = []
    for i, name in enumerate(names):
        changes = heat[:, i] if features is None else features[:, i]
        edges = np.concatenate([[0], np.flatnonzero(changes[1:] != changes[:-1]) + 1, [n_steps]])
        own = None if features is None else features[edges[:-1], i]
        found.append(Track(name, data[:, i], edges, heat[edges[:-1], i], own))
    return found


def largest_tracks(tracks: list[Track], most: int) -> list[Track]:
    """At most so many channels, those with the largest scores, in their order."""
    size = [float(np.nanmax(np.abs(track.scores), initial=0.0)) for track in tracks]
    kept = sorted(sorted(range(len(tracks)), key=lambda i: -size[i])[:most])
    return [tracks[i] for i in kept]


def is_series(regions: Any) -> bool:
    """Whether these are the regions of one series."""
    return isinstance(regions, SeriesMap) or (
        isinstance(regions, Regions) and len(regions.shape) == 1
    )


def _by_channel(values: Any, n_channels: int) -> Any:
    """(T, C) of (T, C) values, or of (T,) values that all channels share."""
    if values.ndim == 2:
        return values
    return np.broadcast_to(values[:, None], (len(values), n_channels))
