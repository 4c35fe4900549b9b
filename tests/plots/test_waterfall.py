"""A waterfall leads from the base value to the prediction."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from perturbx import plots
from perturbx.errors import InvalidParameterError


@pytest.mark.parametrize("d", [1, 5, 10, 11, 50])
def test_bars_lead_from_base_to_prediction(make, d):
    """From the bottom up, each bar starts where the previous one ended."""
    one = make(d=d)[0]
    bars = plots.waterfall(one, show=False).patches[::-1]
    starts = np.array([bar.get_x() for bar in bars])
    ends = starts + [bar.get_width() for bar in bars]
    np.testing.assert_allclose(starts[0], one.base_values)
    np.testing.assert_allclose(starts[1:], ends[:-1])
    np.testing.assert_allclose(ends[-1], one.predictions)
    assert len(bars) == min(d, 10)


def test_rows_and_intervals(make):
    """The largest score is at the top; whiskers are the shifted intervals of the scores."""
    one = make(d=12)[0]
    ax = plots.waterfall(one, level=0.68, show=False)
    order = np.argsort(-np.abs(one.values))[:9]
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == [*(one.feature_names[i] for i in order), "3 other features"]
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches[:9]], one.values[order])
    whiskers = np.array([line[:, 0] for line in ax.collections[0].get_segments()])
    starts = [bar.get_x() for bar in ax.patches[:9]]
    np.testing.assert_allclose(whiskers.T - starts, np.array(one.interval(0.68))[:, order])


def test_numbers_are_written(make):
    """Base value, prediction and each score are written in the plot."""
    values = np.array([[0.5, -0.125]])
    base, prediction = np.array([0.25]), np.array([0.625])
    one = make(1, 2, values=values, base_values=base, predictions=prediction)[0]
    texts = [text.get_text() for text in plots.waterfall(one, show=False).texts]
    assert {"base value 0.250", "prediction 0.625", "+0.500", "−0.125"} <= set(texts)


def test_one_of_several_outputs(make):
    """An output is chosen by output=, or by slicing before."""
    explanation = make(k=3)
    by_name = plots.waterfall(explanation[0], output="class 2", show=False)
    by_slice = plots.waterfall(explanation[0, :, 2], show=False)
    widths = [[bar.get_width() for bar in ax.patches] for ax in (by_name, by_slice)]
    np.testing.assert_array_equal(*widths)
    with pytest.raises(InvalidParameterError, match="3 outputs were explained"):
        plots.waterfall(explanation[0], show=False)


def test_show_and_axes(make, shows):
    """show=True shows once, show=False never; given axes are drawn on, and no figure is made."""
    _, ax = plt.subplots()
    assert plots.waterfall(make()[:1], ax=ax, show=False) is ax
    assert not shows
    plots.waterfall(make()[0], ax=ax)
    assert len(shows) == 1
    assert len(plt.get_fignums()) == 1


def test_scores_that_do_not_add_up_are_refused(make):
    """Methods without a sum, selected features and several instances raise errors with advice."""
    with pytest.raises(InvalidParameterError, match=r"add up .* Use plots\.bar"):
        plots.waterfall(make(residual=None)[0], show=False)
    with pytest.raises(InvalidParameterError, match="some of the features were picked"):
        plots.waterfall(make()[0, :3], show=False)
    with pytest.raises(InvalidParameterError, match=r"waterfall\(explanation\[i\]\)"):
        plots.waterfall(make(), show=False)
    with pytest.raises(InvalidParameterError, match="level must be a number above 0 and below 1"):
        plots.waterfall(make()[0], level=95, show=False)
    assert not plt.get_fignums()
