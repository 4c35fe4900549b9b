"""The tree of the segments of a series: halves of the time, and channels."""

from __future__ import annotations

import numpy as np

from perturbx._typing import Ints
from perturbx.features import FeatureTree

_MOST_CHANNELS = 4
"""This many channels are separated by one split, which takes 14 coalitions; more in halves."""


def series_tree(edges: Ints, n_channels: int) -> FeatureTree:
    """Halves of the time down to the segments, each of which is then divided into its channels.

    Feature ``channel * S + segment`` is a segment of one channel. A segment that is never divided
    shares its effect by the number of its steps.
    """
    n_segments = len(edges) - 1
    n_features = n_segments * n_channels
    children: list[tuple[int, ...]] = []

    def joined(nodes: list[int], at_once: int = 2) -> int:
        if len(nodes) <= at_once:
            parts = nodes
        else:
            middle = (len(nodes) + 1) // 2
            parts = [joined(nodes[:middle], at_once), joined(nodes[middle:], at_once)]
        if len(parts) == 1:
            return parts[0]
        children.append(tuple(parts))
        return n_features + len(children) - 1

    segments = [
        joined(list(range(segment, n_features, n_segments)), _MOST_CHANNELS)
        for segment in range(n_segments)
    ]
    joined(segments)
    sizes = np.tile(np.diff(edges).astype(np.float64), n_channels)
    return FeatureTree(np.arange(n_features), tuple(children), sizes)
