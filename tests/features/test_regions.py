"""Label maps and windows: the positions that they cover, and their heat maps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from perturbx.errors import InvalidInputError
from perturbx.features import LabelMap, Pieces, WindowGrid

GRID = WindowGrid(np.array([[0, 0], [0, 2], [2, 0], [3, 3]]), (3, 3), (5, 6))


@given(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4))
def test_a_label_map_paints_each_region_with_its_score(scores):
    """The map restricted to a region is that region's score."""
    regions = LabelMap(np.array([[0, 0, 1], [2, 3, 3]]))
    heat = regions.heatmap(np.array(scores))
    assert len(regions) == 4
    for i, score in enumerate(scores):
        assert set(heat[regions.cover(i)]) == {score}


@given(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4))
def test_windows_that_overlap_are_averaged(scores):
    """A position has the mean over the windows on it, found here by brute force."""
    heat = GRID.heatmap(np.array(scores))
    for place in np.ndindex(5, 6):
        here = [score for i, score in enumerate(scores) if GRID.cover(i)[place]]
        expected = np.mean(here) if here else np.nan
        np.testing.assert_allclose(heat[place], expected, atol=1e-9)


def test_windows_end_at_the_edge():
    """The last window is cut where the picture ends; uncovered corners are NaN."""
    assert GRID.box(3) == (slice(3, 5), slice(3, 6))
    assert GRID.cover(3).sum() == 6
    assert np.isnan(GRID.heatmap(np.ones(4))[0, 5])


@pytest.mark.parametrize("regions", [LabelMap(np.array([[0, 1], [2, 3]])), GRID])
@pytest.mark.parametrize("n", [3, 5])
def test_scores_must_be_one_for_each_region(regions, n):
    """Neither too few nor too many are taken."""
    with pytest.raises(InvalidInputError, match=rf"needs 4 scores: got shape \({n},\)"):
        regions.heatmap(np.zeros(n))


def test_pieces_spread_their_scores():
    """The map adds up to the scores, and is even within each piece."""
    pieces = Pieces(np.array([[0, 0, 1], [0, 2, 2]]))
    heat = pieces.heatmap(np.array([6.0, 5.0, -3.0]))
    np.testing.assert_allclose(heat, [[2, 2, 5], [2, -1.5, -1.5]])
