"""Metrics of what scores foretell, against definitions, closed forms and captum."""

from __future__ import annotations

from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import perturbx as px
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from perturbx.metrics import (
    completeness,
    faithfulness_correlation,
    infidelity,
    sensitivity_n,
)

ZERO = px.Baseline(np.zeros(4))
X = np.array([[4.0, 3.0, 2.0, 1.0], [1.0, -1.0, 2.0, 5.0]])


def curved(X: np.ndarray) -> np.ndarray:
    return np.tanh(X[:, 0] * X[:, 1] + X[:, 2] / 3) + X[:, 3] ** 2


class Recorded:
    """A model that records every row."""

    def __init__(self) -> None:
        self.rows: list[np.ndarray] = []

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        self.rows.append(batch.copy())
        return curved(batch)

    def last(self, n: int) -> np.ndarray:
        return np.concatenate(self.rows)[-n:]


@given(seed=st.integers(0, 10**6), d=st.integers(2, 8), n_background=st.integers(1, 4))
@settings(deadline=None, max_examples=25)
def test_additive_models(seed: int, d: int, n_background: int) -> None:
    """slope * (x - mean of the background) predicts all effects, also up to a factor."""
    rng = np.random.default_rng(seed)
    slopes, x = rng.uniform(0.5, 2, d), rng.uniform(1, 3, size=(2, d))
    background = rng.uniform(-1, 0, size=(n_background, d))
    scores = slopes * (x - background.mean(axis=0))
    ask = {"masker": px.Background(background), "references": False}

    def model(X: np.ndarray) -> np.ndarray:
        return X @ slopes - 3

    assert_allclose(infidelity(model, x, scores, **ask).values, 0, atol=1e-20)
    assert_allclose(infidelity(model, x, 9 * scores, normalize=True, **ask).values, 0, atol=1e-20)
    ask.pop("references")
    assert_allclose(completeness(model, x, scores, **ask).values, 0, atol=1e-12)
    assert_allclose(completeness(model, x, 3 * scores, normalize=True, **ask).values, 2)
    for metric in (sensitivity_n, faithfulness_correlation):
        assert_allclose(metric(model, x, 9 * scores, **ask).values, 1, atol=1e-9)
        assert_allclose(metric(model, x, -scores, **ask).values, -1, atol=1e-9)


def test_infidelity_is_its_definition() -> None:
    """Infidelity is the mean of (sum of absent scores - fall)^2 over the rows that were asked."""
    model = Recorded()
    scores = np.array([1.0, 2.0, -1.0, 0.5])
    found = infidelity(model, X[0], scores, masker=ZERO, budget=302)
    tried = model.last(300)
    foretold = (tried == 0) @ scores
    fall = curved(X[:1]) - curved(tried)
    assert_allclose(found.values, np.mean((foretold - fall) ** 2))
    scaled = infidelity(model, X[0], scores, masker=ZERO, budget=302, normalize=True)
    best = np.linalg.lstsq(foretold[:, None], fall, rcond=None)[0][0]
    assert_allclose(scaled.values, np.mean((best * foretold - fall) ** 2))


@pytest.mark.parametrize("normalize", [False, True])
def test_infidelity_is_captums(normalize: bool) -> None:
    """Infidelity agrees with captum, given the same perturbations in units of x - baseline."""
    torch = pytest.importorskip("torch")
    captum = pytest.importorskip("captum.metrics")
    model = Recorded()
    scores = np.random.default_rng(0).normal(size=X.shape)
    for x, own in zip(X, scores, strict=True):
        found = infidelity(model, x, own, masker=ZERO, normalize=normalize)
        tried = model.last(200)

        def perturb(inputs: Any, tried: np.ndarray = tried) -> Any:
            assert len(inputs) == len(tried)
            return torch.tensor((tried == 0).astype(float)), torch.tensor(tried)

        theirs = captum.infidelity(
            lambda t: torch.tensor(curved(t.numpy())),
            perturb,
            torch.tensor(x[None]),
            torch.tensor(own[None]),
            n_perturb_samples=200,
            normalize=normalize,
        )
        assert_allclose(found.values, float(theirs[0]), rtol=1e-9)


def test_infidelity_of_slopes() -> None:
    """With noise, scores are slopes per standard deviation, and exact for linear models."""
    rows = np.random.default_rng(0).normal(size=(50, 4)) * [1, 10, 0.1, 5]
    slopes = np.array([3.0, 0.2, 5.0, -1.0])
    masker = px.GaussianNoise()
    explanation = px.Lime(lambda X: X @ slopes, random_state=0).fit(rows).explain(rows[:3])
    fitted = px.Lime(lambda X: X @ slopes, random_state=0, masker=masker).fit(rows).masker_
    ask = partial(infidelity, lambda X: X @ slopes, rows[:3], masker=fitted)
    assert_allclose(ask(slopes * rows.std(axis=0) * np.ones((3, 1))).values, 0, atol=1e-20)
    assert ask(explanation).mean < 1e-4
    assert ask(explanation.values[:, ::-1]).mean > 1


def test_sensitivity_n_is_its_definition() -> None:
    """Over all sets of each size, it is Pearson's correlation of predicted and actual falls."""
    scores = np.array([1.0, 2.0, -1.0, 0.5])
    found = sensitivity_n(curved, X[0], scores, masker=ZERO, sizes=[1, 2, 3])
    expected = []
    for size in (1, 2, 3):
        rows = np.repeat(X[:1], len(list(combinations(range(4), size))), axis=0)
        absent = np.array(list(combinations(range(4), size)))
        np.put_along_axis(rows, absent, 0, axis=1)
        expected.append(np.corrcoef(scores[absent].sum(axis=1), curved(X[:1]) - curved(rows))[0, 1])
    assert_allclose(found.curves, expected)
    assert_allclose(found.values, np.mean(expected))
    assert_allclose(found.shares, [0.25, 0.5, 0.75])
    assert found.n_rows == 2 + 1 + 1 + 14  # probe, x, the empty row, all sets
    single = faithfulness_correlation(curved, X[0], scores, masker=ZERO, subset_size=2)
    assert_allclose(single.values, expected[1])


def test_constant_outputs_have_no_correlation() -> None:
    """The correlation with a constant output is NaN, not 0 or 1."""
    found = sensitivity_n(lambda X: np.full(len(X), 0.1), X, X, masker=ZERO)
    assert np.isnan(found.values).all()
    assert np.isnan(found.mean)
    assert "nan" in repr(found)


def test_completeness_of_products() -> None:
    """Occlusion counts the product x y twice, and Shapley values add up."""
    masker = px.Baseline([0.0, 0.0])
    model = lambda X: X[:, 0] * X[:, 1]  # noqa: E731
    x = np.array([[3.0, 2.0]])
    twice = px.Occlusion(model, masker=masker).explain(x)
    once = px.KernelShap(model, masker=masker).explain(x)
    assert_allclose(completeness(model, x, twice, masker=masker).values, 6)
    assert_allclose(completeness(model, x, twice, masker=masker, normalize=True).values, 1)
    assert_allclose(completeness(model, x, once, masker=masker).values, 0, atol=1e-12)


def test_an_explainers_own_masker_is_the_same_question() -> None:
    """An explainer's own masker brings its background sample and its groups of columns."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 4))
    groups = {"first": [0, 1], "third": [2], "last": [3]}
    explainer = px.KernelShap(curved, groups=groups, random_state=3).fit(rows)
    explanation = explainer.explain(rows[:2])
    found = completeness(curved, rows[:2], explanation, masker=explainer.masker_)
    assert_allclose(found.values, 0, atol=1e-12)
    assert infidelity(curved, rows[:2], explanation, masker=explainer.masker_).mean < 1


def test_scores_on_the_logit_scale() -> None:
    """Scores add up on their own scale, and the wrong scale is refused."""
    model = lambda X: 1 / (1 + np.exp(-X @ [1.0, 0.5, 0.2, -0.1]))  # noqa: E731
    explanation = px.KernelShap(model, masker=ZERO, link="logit").explain(X)
    found = infidelity(model, X, explanation, masker=ZERO, link="logit")
    assert_allclose(found.values, 0, atol=1e-20)
    with pytest.raises(px.errors.InvalidInputError, match=r'scale of link="identity".*their link'):
        infidelity(model, X, explanation, masker=ZERO)
    # an order has no scale
    assert px.metrics.deletion(model, X, explanation, masker=ZERO).mean < 1


@pytest.mark.parametrize("metric", [infidelity, sensitivity_n, faithfulness_correlation])
def test_rows_seeds_and_batches(metric: Any, counting_model: Any) -> None:
    """Rows are counted and within the budget, and the seed fixes the values."""
    model = counting_model(curved, batch_size=4)
    background = np.random.default_rng(0).normal(size=(3, 4))
    ask = {"masker": px.Background(background), "budget": 80}
    found = metric(model, X, X, batch_size=4, **ask)
    assert found.n_rows == model.n_rows
    assert found.n_rows <= 2 * 80 + 3
    assert np.array_equal(found.values, metric(curved, X, X, **ask).values)
    with pytest.raises(px.errors.BudgetError, match="Raise budget"):
        metric(curved, X, X, masker=px.Background(background), budget=9)


@pytest.mark.parametrize("metric", [sensitivity_n, faithfulness_correlation])
def test_better_explanations_correlate_better(metric: Any) -> None:
    """Exact Shapley values of a nonlinear model beat the same values in random order."""
    rng = np.random.default_rng(1)
    rows, background = rng.normal(size=(10, 6)), rng.normal(size=(5, 6))

    def model(X: np.ndarray) -> np.ndarray:
        return np.tanh(X @ np.arange(6.0)) + X[:, 0] * X[:, 1]

    masker = px.Background(background)
    explanation = px.KernelShap(model, masker=masker, random_state=0).explain(rows)
    found = metric(model, rows, explanation, masker=masker)
    assert found.mean > 0.5
    assert abs(found.references["random"].mean()) < 0.3
