"""A drawn tree shows every rule, with its share and its fidelity."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import perturbx as px
import pytest
from perturbx import plots
from perturbx.errors import InvalidParameterError
from perturbx.plots import _style


@pytest.fixture(scope="module")
def rules():
    X = np.random.default_rng(0).normal(size=(300, 3))
    model = lambda X: np.digitize(X[:, 0] + X[:, 1], [-1, 1])  # noqa: E731
    return px.SurrogateTree(model, task="classification", random_state=0).fit(X).explain()


def test_every_test_and_leaf_is_written(rules):
    """Both branches of each test, and each leaf's decision, share and fidelity."""
    ax = plots.tree(rules, show=False)
    said = [text.get_text() for text in ax.texts]
    for node in rules.nodes:
        if node.left:
            assert node.test in said
            assert node.otherwise in said
        else:
            assert any(text.startswith(f"{100 * node.share:.3g}% of rows") for text in said)
    assert sorted(t for t in said if t.startswith("output =")) == sorted(
        leaf.decision for leaf in rules.leaves
    )
    assert str(rules.fidelity) in ax.get_title(loc="left")


def test_branches_are_as_thick_as_their_share(rules):
    """A line for each node but the root; rows are told by its width."""
    ax = plots.tree(rules, show=False)
    widths = sorted(line.get_linewidth() for line in ax.lines if len(line.get_xdata()) == 3)
    shares = sorted(node.share for node in rules.nodes[1:])
    np.testing.assert_allclose(widths, np.maximum(9 * np.array(shares), 0.8))


def test_texts_are_visible_on_dark_axes(rules):
    """Text takes the light tones."""
    with plt.style.context("dark_background"):
        ax = plots.tree(rules, show=False)
    assert {text.get_color() for text in ax.texts} <= {*_style.tones(ax)}


def test_leaves_of_an_output_are_darker_where_it_is_larger():
    """The shades follow the values."""
    X = np.random.default_rng(0).normal(size=(200, 2))
    found = px.SurrogateTree(lambda X: X[:, 0], max_leaves=4, random_state=0).fit(X).explain()
    ax = plots.tree(found, show=False)
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert len({dot.get_color() for dot in dots}) == 4


def test_other_things_are_refused():
    with pytest.raises(InvalidParameterError, match="result must be a tree"):
        plots.tree(3)


def test_own_axes_and_show(rules, shows):
    """The caller's axes are used, and shown if asked for."""
    _, ax = plt.subplots()
    assert plots.tree(rules, ax=ax) is ax
    assert len(shows) == 1
