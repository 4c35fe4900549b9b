"""Methods side by side have the scores and intervals of each."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgba
from perturbx import plots
from perturbx.errors import InvalidParameterError


def drawn(ax):
    """(marks, whiskers) of each method."""
    marks = [c for c in ax.collections if isinstance(c, PathCollection)]
    whiskers = [c for c in ax.collections if isinstance(c, LineCollection)]
    return list(zip(marks, whiskers, strict=True))


def names(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def test_marks_and_whiskers_are_scores_and_intervals(make):
    """Rows are features; a mark is hollow exactly where the interval contains 0."""
    first, second = make(d=5)[0], make(d=5, standard_errors=np.full((8, 5), 0.4))[1]
    ax = plots.compare({"one": first, "other": second}, show=False)
    order = [first.feature_names.index(name) for name in names(ax)]
    for one, (marks, whiskers) in zip((first, second), drawn(ax), strict=True):
        np.testing.assert_allclose(np.asarray(marks.get_offsets())[:, 0], one.values[order])
        ends = np.array([line[:, 0] for line in whiskers.get_segments()])
        low, high = (end[order] for end in one.interval())
        np.testing.assert_allclose(ends, np.column_stack([low, high]))
        hollow = (marks.get_facecolors() == to_rgba("white")).all(axis=1)
        np.testing.assert_array_equal(hollow, (low <= 0) & (high >= 0))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "other"]
    assert "whiskers: 95% interval; hollow: it contains 0" in [t.get_text() for t in ax.texts]


def test_several_instances_show_importance(make):
    """The mean |score| with the interval of `importance`, which never is below 0."""
    first, second = make(n=20, d=3), make(n=20, d=3, method="Lime")
    ax = plots.compare([first, second], show=False)
    order = [first.feature_names.index(name) for name in names(ax)]
    marks, whiskers = drawn(ax)[0]
    found = first.importance()
    np.testing.assert_allclose(np.asarray(marks.get_offsets())[:, 0], found.values[order])
    ends = np.array([line[:, 0] for line in whiskers.get_segments()])
    np.testing.assert_allclose(ends, np.stack(found.interval())[:, order].T)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["KernelShap", "Lime"]
    assert ax.get_xlabel() == "mean |score| for class 0, 20 instances"


def test_shares_and_slopes_need_their_own_scales(make):
    """The error names the setting, which divides by the largest score of each."""
    first, second = make()[0], replace(make(score_kind="slopes"), method="Lime")[0]
    with pytest.raises(InvalidParameterError, match='have no scale in common: pass scale="own"'):
        plots.compare([first, second], show=False)
    ax = plots.compare([first, second], scale="own", show=False)
    for marks, _ in drawn(ax):
        assert np.abs(np.asarray(marks.get_offsets())[:, 0]).max() == pytest.approx(1.0)


def test_features_are_matched_by_name(make):
    """Another order of features changes nothing; the largest of either method are drawn."""
    one = make(d=12)[0]
    turned = replace(
        one,
        values=one.values[::-1],
        standard_errors=one.standard_errors[::-1],
        data=one.data[::-1],
        feature_names=one.feature_names[::-1],
    )
    ax = plots.compare([one, turned], max_display=4, show=False)
    places = [np.asarray(marks.get_offsets())[:, 0] for marks, _ in drawn(ax)]
    np.testing.assert_allclose(*places)
    assert len(names(ax)) == 4
    assert any("8 more features" in text.get_text() for text in ax.texts)
    assert names(plots.compare([one, one], show=False))[0] == names(ax)[0]


def test_what_cannot_be_compared_is_refused(make, shows):
    _, ax = plt.subplots()
    one = make()[0]
    assert plots.compare([one, one], ax=ax) is ax
    assert len(shows) == 1
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["KernelShap 1", "KernelShap 2"]
    for few in ([one], [one] * 7, {}):
        with pytest.raises(InvalidParameterError, match="draws two to 6 explanations, and got"):
            plots.compare(few, show=False)
    with pytest.raises(InvalidParameterError, match="of the same features"):
        plots.compare([one, make(d=5)[0]], show=False)
    with pytest.raises(InvalidParameterError, match="of the same instances"):
        plots.compare([make(), make(n=5)], show=False)
    with pytest.raises(InvalidParameterError, match="2 outputs were explained: say which"):
        plots.compare([make(k=2)[0]] * 2, show=False)
    with pytest.raises(InvalidParameterError, match="a single one was picked"):
        plots.compare([one["feature 1"]] * 2, show=False)
