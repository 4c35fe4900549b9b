"""The picture of a comparison has its means, differences and p-values."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import perturbx as px
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgba
from perturbx import plots
from perturbx.errors import InvalidParameterError


@pytest.fixture
def found(make):
    """A comparison in which the first feature differs clearly, and others by chance."""
    a, b = make(n=40, d=4), make(n=50, d=4)
    b.values[:, 0] += 3.0
    return px.compare_cohorts(a, b)


def marks(ax):
    return [c for c in ax.collections if isinstance(c, PathCollection)]


def test_means_and_differences(found):
    """Smallest p first; differences that are not sure are hollow."""
    means, changes = plots.cohorts(found, names=("old", "new"), show=False)
    order = np.argsort(found.p_values)
    labels = [label.get_text() for label in means.get_yticklabels()]
    assert labels == [found.feature_names[i] for i in order]
    for dots, values in zip(marks(means), (found.means_a, found.means_b), strict=True):
        np.testing.assert_allclose(np.asarray(dots.get_offsets())[:, 0], values[order])
    (dots,) = marks(changes)
    np.testing.assert_allclose(np.asarray(dots.get_offsets())[:, 0], found.differences[order])
    whiskers = next(c for c in changes.collections if isinstance(c, LineCollection))
    ends = np.array([line[:, 0] for line in whiskers.get_segments()])
    np.testing.assert_allclose(ends, np.stack(found.interval())[:, order].T)
    hollow = (dots.get_facecolors() == to_rgba("white")).all(axis=1)
    np.testing.assert_array_equal(hollow, found.adjusted_p_values[order] >= 0.05)
    assert hollow.any()
    assert not hollow.all()
    assert changes.texts[0].get_text() == "p < .001"
    assert [t.get_text() for t in means.get_legend().get_texts()] == ["old", "new"]
    assert changes.get_xlabel() == "difference, old minus new"


def test_outputs_and_many_features(make):
    """One output is chosen, and of many features the clearest are drawn."""
    several = px.compare_cohorts(make(n=10, d=30, k=2), make(n=12, d=30, k=2), of="sizes")
    means, changes = plots.cohorts(several, output=1, max_display=5, show=False)
    assert len(means.get_yticklabels()) == 5
    assert means.get_xlabel() == "mean |score| for class 1"
    assert any("25 more features" in text.get_text() for text in changes.texts)
    with pytest.raises(InvalidParameterError, match="draws one output, and 2 were compared"):
        plots.cohorts(several, show=False)


def test_wrong_settings_are_refused(found, shows):
    _, axes = plt.subplots(1, 2)
    assert plots.cohorts(found, ax=axes).tolist() == axes.tolist()
    assert len(shows) == 1
    with pytest.raises(InvalidParameterError, match="names must be two names"):
        plots.cohorts(found, names=("a", "b", "c"), show=False)
    with pytest.raises(InvalidParameterError, match="No output 3"):
        plots.cohorts(found, output=3, show=False)
