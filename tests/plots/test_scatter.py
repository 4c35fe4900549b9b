"""A scatter plot has the scores of a feature over its values, and the color of its partner."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import perturbx as px
import pytest
from matplotlib.collections import PathCollection
from perturbx import plots
from perturbx.errors import InvalidParameterError


def dots(ax):
    """The places of filled and of hollow dots."""
    found = [c for c in ax.collections if isinstance(c, PathCollection)]
    return [np.asarray(c.get_offsets()) for c in found]


def said(ax):
    return " ".join(" ".join(text.get_text() for text in ax.texts).split())


def test_dots_are_the_scores_over_the_values(make):
    """Hollow where the interval contains 0; whiskers are the intervals."""
    many = make(n=30, d=3)
    ax = plots.scatter(many, "feature 1", show=False)
    low, high = (ends[:, 1] for ends in many.interval())
    unsure = (low <= 0) & (high >= 0)
    for places, kept in zip(dots(ax), (~unsure, unsure), strict=True):
        expected = np.column_stack([many.data[kept, 1], many.values[kept, 1]])
        np.testing.assert_allclose(places, expected)
    whiskers = np.array([line[:, 1] for line in ax.collections[0].get_segments()])
    np.testing.assert_allclose(whiskers, np.column_stack([low, high]))
    assert ax.get_xlabel() == "feature 1"
    assert "whiskers: 95% interval of each score; hollow: it contains 0" in said(ax)


@pytest.fixture(scope="module")
def product():
    """Exact scores of x0 * x1 + x2, whose first two features interact."""
    X = np.random.default_rng(0).normal(size=(200, 4))
    model = lambda X: X[:, 0] * X[:, 1] + X[:, 2]  # noqa: E731
    explainer = px.KernelShap(model, masker=px.Baseline(np.zeros(4)), interactions=True)
    return explainer.explain(X)


@pytest.mark.parametrize("from_pairs", [True, False])
def test_the_strongest_partner_colors_the_dots(product, from_pairs):
    """The feature that interacts is found from pairs of features, or from the scores alone."""
    given = product if from_pairs else replace(product, interactions=None)
    for feature, partner in ((0, "x1"), (1, "x0"), (2, None)):
        ax = plots.scatter(given, feature, show=False)
        bars = [other.get_ylabel() for other in ax.figure.axes if other is not ax]
        if partner is None:
            assert bars == []
            assert "no partner can be told from chance" in said(ax)
        else:
            assert bars == [partner]
            assert "color: the strongest partner" in said(ax)


def test_chance_is_no_partner():
    """Scores that depend on no other feature get a partner in about 5% of data sets."""
    from perturbx.result.columns import Column
    from perturbx.result.partners import strongest_partner

    found = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(120, 5))
        columns = [Column(x, x) for x in X.T]
        scores = X[:, 0] + 0.3 * rng.normal(size=120)
        found.append(strongest_partner(scores, np.zeros(120), columns, 0))
    assert sum(one is not None for one in found) <= 9
    errors = np.full(120, 10.0)
    assert strongest_partner(X[:, 0] * X[:, 1], errors, columns, 0) is None
    assert strongest_partner(X[:, 0] * X[:, 1], 0 * errors, columns, 0) == 1
    assert strongest_partner(X[:20, 0] * X[:20, 1], 0 * errors[:20], columns, 0) is None


def test_a_category_may_be_the_partner(make):
    """Its categories have a color each, and the legend their names; rare ones are gray."""
    rng = np.random.default_rng(0)
    group = rng.choice(list("aaaabbbbccccddddeeefg"), size=300)
    x = rng.normal(size=300)
    data = np.column_stack([x.astype(object), group])
    values = np.column_stack([x * (group == "a"), x * 0])
    many = make(n=300, d=2, data=data, values=values, standard_errors=np.zeros((300, 2)))
    legend = plots.scatter(many, 0, show=False).get_legend()
    assert legend.get_title().get_text() == "feature 1"
    names = [text.get_text() for text in legend.get_texts()]
    assert (sorted(names[:5]), names[5]) == (list("abcde"), "others")


def test_colors_may_be_chosen(product):
    """By name; None for no colors and no remark about them."""
    ax = plots.scatter(product, 2, color=0, show=False)
    assert ax.figure.axes[-1].get_ylabel() == product.feature_names[0]
    ax = plots.scatter(product, 0, color=None, show=False)
    assert len(ax.figure.axes) == 1
    assert "color" not in said(ax)


def test_missing_values_stand_apart(make):
    """They have a place left of all numbers, with a word below."""
    many = make(n=20, d=2)
    data = many.data.astype(object)
    data[:5, 0] = None
    ax = plots.scatter(make(n=20, d=2, data=data), 0, show=False)
    x = np.sort(np.concatenate(dots(ax))[:, 0])
    assert (x[:5] < many.data[5:, 0].min()).all()
    assert "missing" in said(ax)


def test_categories_have_places(make):
    """The most frequent first; each dot lies near its category."""
    group = np.array(list("bbbbaaacc?"))
    data = np.where(group == "?", None, group.astype(object))[:, None]
    many = make(n=10, d=1, data=data, standard_errors=np.zeros((10, 1)))
    ax = plots.scatter(many, 0, show=False)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["b", "a", "c", "missing"]
    np.testing.assert_array_equal(dots(ax)[0][:, 0].round(), [0] * 4 + [1] * 3 + [2] * 2 + [3])


@pytest.fixture(scope="module")
def shop():
    """Rows with a number and a category, their scores, and the effect curves of the model."""
    import pandas as pd

    rng = np.random.default_rng(1)
    X = pd.DataFrame({"size": rng.normal(size=120), "kind": rng.choice(list("xyz"), 120)})
    model = lambda X: X["size"] + (X["kind"] == "x")  # noqa: E731
    explanation = px.KernelShap(model, random_state=0).fit(X).explain(X[:30])
    return explanation, px.Effects(model, random_state=0).fit(X).explain()


def test_the_curve_of_an_effect_has_its_band(shop):
    """The line and its band are the curve and its interval; categories have diamonds."""
    explanation, effects = shop
    ax = plots.scatter(explanation, "size", effects=effects, show=False)
    line = ax.lines[-1]
    np.testing.assert_allclose(line.get_xdata(), effects["size"].positions)
    np.testing.assert_allclose(line.get_ydata(), effects["size"].values)
    assert "line: effect curve with its 95% band" in said(ax)
    ax = plots.scatter(explanation, "kind", effects=effects["kind"], show=False)
    diamonds = next(line for line in ax.lines if line.get_marker() == "D")
    np.testing.assert_allclose(diamonds.get_ydata(), effects["kind"].values)
    names = [label.get_text() for label in ax.get_xticklabels()]
    assert [names[int(x)] for x in diamonds.get_xdata()] == list(effects["kind"].grid)


def test_wrong_effects_are_refused(shop):
    """The error says which curves there are."""
    explanation, effects = shop
    with pytest.raises(InvalidParameterError, match="curve of 'kind', and scatter draws 'size'"):
        plots.scatter(explanation, "size", effects=effects["kind"], show=False)
    with pytest.raises(InvalidParameterError, match="effects must be EffectCurves"):
        plots.scatter(explanation, "size", effects=3, show=False)
    one = replace(effects, curves=(effects["kind"],))
    with pytest.raises(InvalidParameterError, match="has no curve of 'size': it has kind"):
        plots.scatter(explanation, "size", effects=one, show=False)


def test_what_has_no_values_is_refused(make, photo, shows):
    """Pictures have regions instead of columns; unknown features are named."""
    _, ax = plt.subplots()
    assert plots.scatter(make(), 0, ax=ax) is ax
    assert len(shows) == 1
    with pytest.raises(InvalidParameterError, match=r"use scatter\(explanation, 'feature 1'\)"):
        plots.scatter(make()[:, "feature 1"], "feature 1", show=False)
    with pytest.raises(InvalidParameterError, match="No feature is named 'feature 9'"):
        plots.scatter(make(), "feature 9", show=False)
    with pytest.raises(InvalidParameterError, match="values of a table's columns"):
        plots.scatter(make(data=None), 0, show=False)


def test_values_without_a_number_are_categories(make):
    """Infinite values have no place on an axis of numbers."""
    ax = plots.scatter(make(n=6, d=1, data=np.full((6, 1), np.inf)), 0, show=False)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["inf"]
