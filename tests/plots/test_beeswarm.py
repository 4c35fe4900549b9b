"""A beeswarm has a dot for each score, in the color of its value, hollow where it is doubtful."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from perturbx import plots
from perturbx.errors import InvalidParameterError
from perturbx.features import LabelMap
from perturbx.plots import _style
from perturbx.result.columns import column_of


def swarms(ax):
    """(filled, hollow) collections of each row, from the top."""
    found = [c for c in ax.collections if c.get_sizes().size]
    return list(zip(found[::2], found[1::2], strict=True))


def names(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def test_each_score_is_a_dot_in_the_row_of_its_feature(make):
    """Rows are those of the largest mean |score|; filled and hollow dots are all scores."""
    many = make(n=40, d=5)
    ax = plots.beeswarm(many, show=False)
    order = np.argsort(-many.importance().values)
    assert names(ax) == [many.feature_names[i] for i in order]
    low, high = many.interval()
    for row, (feature, (filled, hollow)) in enumerate(zip(order, swarms(ax), strict=True)):
        unsure = ((low <= 0) & (high >= 0))[:, feature]
        for dots, kept in ((filled, ~unsure), (hollow, unsure)):
            places = np.asarray(dots.get_offsets())
            np.testing.assert_allclose(places[:, 0], many.values[kept, feature])
            assert (np.abs(places[:, 1] - row) < 0.5).all()
        assert len(hollow.get_facecolors()) == 0
    assert any(text.get_text().startswith("hollow: the 95% interval") for text in ax.texts)


def test_colors_are_values(make):
    """From blue for low to red for high; categories and missing values are gray."""
    data = np.empty((20, 2), dtype=object)
    data[:, 0], data[:, 1] = [*range(19), None], "a category"
    many = make(n=20, d=2, data=data, standard_errors=np.zeros((20, 2)))
    ax = plots.beeswarm(many, order=[0, 1], show=False)
    (numbers, _), (categories, _) = swarms(ax)
    colors, gray = numbers.get_facecolors(), to_rgba(_style.tones(ax)[1])
    np.testing.assert_allclose(colors[0], to_rgba(_style.BLUE), atol=0.01)
    np.testing.assert_allclose(colors[18], to_rgba(_style.RED), atol=0.01)
    np.testing.assert_allclose(colors[19], gray)
    np.testing.assert_allclose(categories.get_facecolors(), [gray] * 20)
    assert "gray: categories and missing values" in [text.get_text() for text in ax.texts]


def test_the_rest_is_summed(make):
    """The last row has the sums of the scores of all features without a row."""
    many = make(n=10, d=30)
    ax = plots.beeswarm(many, max_display=4, show=False)
    rest = np.argsort(-many.importance().values)[3:]
    assert names(ax)[-1] == "27 other features"
    sums = np.asarray(swarms(ax)[-1][0].get_offsets())[:, 0]
    np.testing.assert_allclose(sums, many.values[:, rest].sum(axis=1))


def test_order_is_that_of_the_user(make):
    """Names and positions, from the top; features that are not named are left out."""
    ax = plots.beeswarm(make(), order=["feature 4", 0], show=False)
    assert names(ax) == ["feature 4", "feature 0"]
    with pytest.raises(InvalidParameterError, match="No feature is named 'feature 44'"):
        plots.beeswarm(make(), order=["feature 44"], show=False)
    with pytest.raises(InvalidParameterError, match="order must be a list of features"):
        plots.beeswarm(make(), order="feature 4", show=False)


def test_unknown_errors_make_no_dot_hollow(make):
    """Without standard errors all dots are filled, and nothing is said of intervals."""
    many = make(standard_errors=np.full((8, 6), np.nan))
    ax = plots.beeswarm(many, show=False)
    assert all(len(hollow.get_offsets()) == 0 for _, hollow in swarms(ax))
    assert not any("interval" in text.get_text() for text in ax.texts)


def test_dots_of_equal_scores_do_not_hide_each_other(make):
    """Dots with one score stand at distinct heights within their row."""
    many = make(n=9, d=1, values=np.ones((9, 1)), standard_errors=np.zeros((9, 1)))
    heights = np.asarray(swarms(plots.beeswarm(many, show=False))[0][0].get_offsets())[:, 1]
    assert len(np.unique(heights.round(6))) == 9
    assert np.abs(heights).max() < 0.5


def test_scores_that_are_missing_are_left_out(make):
    """NaN scores give no dot, and the others stay."""
    many = make(n=6, d=3)
    values = many.values.copy()
    values[2] = np.nan
    ax = plots.beeswarm(replace(many, values=values), show=False)
    ax.figure.canvas.draw()
    assert np.isfinite(ax.get_xlim()).all()


@pytest.mark.parametrize("plot", ["beeswarm", "heatmap"])
def test_what_has_no_instances_to_compare_is_refused(make, photo, plot):
    """One instance, no instance, several outputs, and features of different images."""
    draw = getattr(plots, plot)
    for few in (make()[0], make()[:1], make()[:0], make()[:, 1]):
        with pytest.raises(InvalidParameterError, match="Explain two or more rows"):
            draw(few, show=False)
    with pytest.raises(InvalidParameterError, match="2 outputs were explained: say which"):
        draw(make(k=2), show=False)
    other = LabelMap(np.repeat(np.arange(4), 6).reshape(4, 6))
    two = make(2, 4, data=np.zeros((2, 4, 6)), regions=(photo().regions, other))
    with pytest.raises(InvalidParameterError, match="features of their own"):
        draw(two, show=False)
    with pytest.raises(InvalidParameterError, match="max_display must be an integer of at least 1"):
        draw(make(), max_display=0, show=False)
    with pytest.raises(InvalidParameterError, match="level must be a number above 0 and below 1"):
        draw(make(), level=95, show=False)
    assert not plt.get_fignums()


def test_images_with_the_same_regions_are_compared(make, photo):
    """Regions have no value, so all dots are gray, and there is no bar of colors."""
    two = make(2, 4, data=np.zeros((2, 4, 6)), regions=(photo().regions,) * 2)
    assert len(plots.beeswarm(two, show=False).figure.axes) == 1


def test_a_column_knows_numbers_from_categories(make):
    """Missing cells of any kind are no category, and infinite numbers have no place."""
    data = np.array([[1, "a", None], [np.nan, None, None], [np.inf, "b", None]], dtype=object)
    many = make(n=3, d=3, data=data)
    numbers, words, nothing = (column_of(many, j) for j in range(3))
    np.testing.assert_array_equal(numbers.numbers, [1, np.nan, np.nan])
    assert [numbers.is_number, words.is_number, nothing.is_number] == [True, False, False]
    assert words.levels == ["a", "b", "missing"]
    assert nothing.levels == ["missing"]
