"""The cells of a heatmap are the scores, gray where the sign is not known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from perturbx import plots
from perturbx.errors import InvalidParameterError
from perturbx.result.similar import similar_order


def cells(ax):
    """(rows, n) scores, masked where they are gray; and where they are gray."""
    scores, gray = (image.get_array() for image in ax.images)
    return scores, ~np.ma.getmaskarray(gray)


def test_cells_are_scores_and_gray_where_the_sign_is_not_known(make):
    """Rows are features, most important first; columns are instances in their order."""
    many = make(n=30, d=5)
    scores, gray = cells(plots.heatmap(many, instance_order="given", show=False))
    order = np.argsort(-many.importance().values)
    low, high = many.interval()
    unsure = ((low <= 0) & (high >= 0)).T[order]
    assert 0 < unsure.sum() < unsure.size
    np.testing.assert_array_equal(gray, unsure)
    np.testing.assert_array_equal(np.ma.getmaskarray(scores), unsure)
    np.testing.assert_allclose(scores[~unsure], many.values.T[order][~unsure])


@pytest.mark.parametrize("how", ["given", "prediction", "similar"])
def test_the_line_above_is_the_prediction(make, how):
    """It has the same order as the columns, and its ends are written beside it."""
    exact = make(n=12, d=3, standard_errors=np.zeros((12, 3)))
    ax = plots.heatmap(exact, order=[0, 1, 2], instance_order=how, show=False)
    scores, _ = cells(ax)
    line = -np.asarray(ax.lines[-1].get_ydata())
    predictions = scores.sum(axis=0) + 0.0
    base = exact.base_values[[np.flatnonzero(exact.values[:, 0] == s)[0] for s in scores[0]]]
    expected = predictions + base
    assert np.corrcoef(line, expected)[0, 1] > 1 - 1e-9
    if how == "prediction":
        assert (np.diff(line) >= 0).all()
    texts = [text.get_text() for text in ax.texts]
    assert "prediction" in texts


def test_similar_instances_stand_together():
    """Instances of two clear kinds, dealt at random, become two blocks, the higher one right."""
    rng = np.random.default_rng(0)
    kind = rng.permutation(np.repeat([0, 1], 10))
    scores = 5.0 * kind[:, None] + rng.normal(size=(20, 4))
    ordered = kind[similar_order(scores, scores.sum(axis=1))]
    assert ordered.tolist() == [0] * 10 + [1] * 10
    assert sorted(similar_order(scores, scores.sum(axis=1))) == list(range(20))
    few = similar_order(scores[:2], np.array([2.0, 1.0]))
    assert few.tolist() == [1, 0]


def test_strong_scores_do_not_hide_the_others(make):
    """One score of a thousand times the others goes beyond the scale, which an arrow shows."""
    values = np.ones((50, 2))
    values[0, 0] = 1000.0
    many = make(n=50, d=2, values=values, standard_errors=np.zeros((50, 2)))
    ax = plots.heatmap(many, show=False)
    assert ax.images[0].norm.vmax == 1.0
    assert ax.images[0].colorbar.extend == "max"


def test_many_instances_are_thinned_evenly(make):
    """The label says how many of how many are drawn."""
    ax = plots.heatmap(make(n=50, d=3), rows=10, show=False)
    assert cells(ax)[0].shape == (3, 10)
    assert ax.get_xlabel().startswith("10 of 50 instances")


def test_the_rest_is_summed_and_missing_scores_are_empty(make):
    """The last row is the sum of the others; a row without scores is said to be empty."""
    many = make(n=10, d=20, standard_errors=np.zeros((10, 20)))
    ax = plots.heatmap(many, max_display=3, instance_order="given", show=False)
    rest = np.argsort(-many.importance().values)[2:]
    np.testing.assert_allclose(cells(ax)[0][-1], many.values[:, rest].sum(axis=1))
    values = many.values.copy()
    values[3] = np.nan
    ax = plots.heatmap(replace(many, values=values), instance_order="given", show=False)
    assert np.ma.getmaskarray(cells(ax)[0])[:, 3].all()
    assert any("empty: no score" in text.get_text() for text in ax.texts)


def test_unknown_orders_are_refused(make):
    with pytest.raises(InvalidParameterError, match="instance_order must be one of 'similar'"):
        plots.heatmap(make(), instance_order="hclust", show=False)
    with pytest.raises(InvalidParameterError, match="rows must be an integer of at least 2"):
        plots.heatmap(make(), rows=1, show=False)
