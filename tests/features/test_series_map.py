"""Segments of series: where they lie, in which channel, and what they are called."""

from __future__ import annotations

import numpy as np
import pytest
from perturbx.features import SeriesMap
from perturbx.features.places import place


def test_spans_and_channels_of_separate_channels() -> None:
    """Feature numbers may come in any order; each has one run of steps in one channel."""
    segments = np.array([[1, 3], [1, 3], [0, 3], [0, 2]])
    places = SeriesMap(segments, ("ecg", "resp"))
    assert places.spans.tolist() == [[2, 4], [0, 2], [3, 4], [0, 3]]
    assert places.channels == ("ecg", "ecg", "resp", "resp")
    assert places.names == ("ecg 2–3", "ecg 0–1", "resp 3", "resp 0–2")
    assert (places.n_steps, places.by_channel, len(places)) == (4, True, 4)
    assert place(places, 3) == "resp 0–2"


def test_segments_of_all_channels() -> None:
    """Without channels of their own, segments are named by their steps alone."""
    places = SeriesMap(np.array([0, 0, 1, 1, 1]), ("ecg", "resp"))
    assert places.names == ("0–1", "2–4")
    assert places.channels == (None, None)
    assert places.heatmap(np.array([1.0, 2.0])).tolist() == [1, 1, 2, 2, 2]


@pytest.mark.parametrize("shape", [(7,), (7, 3)])
def test_maps_have_the_shape_of_the_segments(shape: tuple[int, ...]) -> None:
    """A map gives each step (and channel) the score of its feature."""
    segments = np.arange(np.prod(shape)).reshape(shape)
    scores = np.random.default_rng(0).normal(size=segments.size)
    places = SeriesMap(segments, ("a", "b", "c")[: shape[-1]] if len(shape) > 1 else ())
    np.testing.assert_array_equal(places.heatmap(scores), scores[segments])
