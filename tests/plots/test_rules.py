"""The picture of rules has their words, precision and coverage."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import perturbx as px
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgba
from perturbx import plots
from perturbx.errors import InvalidParameterError


def marks(ax):
    return next(c for c in ax.collections if isinstance(c, PathCollection))


def test_rules_have_their_numbers(anchor):
    """A mark and a whisker for precision and coverage, hollow where the threshold is missed."""
    given = [anchor(), anchor(reached=False, precision=0.9, precision_interval=(0.8, 0.94))]
    left, right = plots.rules(given, show=False)
    words = [label.get_text() for label in left.get_yticklabels()]
    assert words == [rule.text for rule in given]
    for ax, name in ((left, "precision"), (right, "coverage")):
        places = np.asarray(marks(ax).get_offsets())[:, 0]
        np.testing.assert_allclose(places, [getattr(rule, name) for rule in given])
        whiskers = next(c for c in ax.collections if isinstance(c, LineCollection))
        ends = [line[:, 0] for line in whiskers.get_segments()]
        np.testing.assert_allclose(ends, [getattr(rule, f"{name}_interval") for rule in given])
    hollow = (marks(left).get_facecolors() == to_rgba("white")).all(axis=1)
    assert hollow.tolist() == [False, True]
    assert [line.get_xdata()[0] for line in left.lines if line.get_linestyle() == ":"] == [0.95]
    assert left.get_xlim()[0] < 0.8
    assert "0.970 [0.960, 0.980]" in [text.get_text() for text in left.texts]
    assert "of 500 training rows" in [text.get_text() for text in right.texts]


def test_anchors_of_a_model_are_drawn():
    """Those of several rows, and one with its alternatives."""
    X = np.random.default_rng(0).normal(size=(200, 3))
    model = lambda X: (X[:, 0] > 0).astype(int)  # noqa: E731
    found = px.Anchors(model, random_state=0).fit(X).explain(X[:2])
    left, _ = plots.rules(found, show=False)
    words = [" ".join(label.get_text().split()) for label in left.get_yticklabels()]
    assert words == [one.text for one in found]
    left, _ = plots.rules(found[0], show=False)
    assert len(left.get_yticklabels()) == 1


def test_long_rules_are_broken_between_conditions(anchor):
    """The first conditions and the decision are kept."""
    text = f"If {' and '.join(f'a long name of column {i} > {i}' for i in range(20))}: yes"
    left, _ = plots.rules([anchor(text=text)], show=False)
    lines = left.get_yticklabels()[0].get_text().split("\n")
    assert len(lines) == 6
    assert lines[0].startswith("If a long name of column 0 > 0 and")
    assert lines[-1].endswith("column 19 > 19: yes")
    assert "…" in lines


def test_what_has_no_rules_is_refused(anchor, shows):
    """Trees have a plot of their own."""
    with pytest.raises(InvalidParameterError, match=r"Use plots\.tree for a tree of rules"):
        plots.rules([], show=False)
    _, axes = plt.subplots(1, 2)
    several = [anchor()] * 12
    plots.rules(several, ax=axes)
    assert len(shows) == 1
    assert any("2 more rules" in text.get_text() for text in axes[1].texts)
