"""A regression of the model's answers on what is present: closed forms, cost, and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_allclose
from perturbx.errors import InvalidInputError, InvalidParameterError, NotFittedError
from perturbx.maskers import Features
from perturbx.testing import check_masker

SLOPES = np.array([1.0, -2.0, 0.5, 3.0])


def linear(X: Any) -> np.ndarray:
    return np.asarray((np.asarray(X, dtype=float) * SLOPES).sum(axis=1))


def correlated(n: int, rho: float, seed: int = 0) -> np.ndarray:
    covariance = np.full((4, 4), rho) + (1 - rho) * np.eye(4)
    return np.random.default_rng(seed).multivariate_normal(np.zeros(4), covariance, size=n)


def truth_of_linear(x: np.ndarray, rho: float) -> np.ndarray:
    """Aas, Jullum & Loland (2021): v(S) = slopes' E[X | x_S], enumerated."""
    covariance = np.full((4, 4), rho) + (1 - rho) * np.eye(4)

    def v(present: np.ndarray) -> float:
        expected = np.zeros(4)
        if present.any():
            inverse = np.linalg.inv(covariance[np.ix_(present, present)])
            expected = covariance[:, present] @ inverse @ x[present]
        return float(SLOPES @ np.where(present, x, expected))

    values = np.zeros(4)
    weights = {0: 1 / 4, 1: 1 / 12, 2: 1 / 12, 3: 1 / 4}
    for number in range(16):
        present = (number >> np.arange(4)) % 2 == 1
        for i in np.flatnonzero(~present):
            joined = present | (np.arange(4) == i)
            values[i] += weights[int(present.sum())] * (v(joined) - v(present))
    return values


@pytest.mark.parametrize("regression", ["ridge", "trees"])
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_linear_models_of_normal_data(regression: Any, rho: float) -> None:
    """The closed form, up to what 1,000 rows tell."""
    X = correlated(1000, rho)
    masker = px.ConditionalRegression(regression=regression)
    found = px.KernelShap(linear, masker=masker, random_state=0).fit(X).explain(X[:20])
    expected = np.stack([truth_of_linear(x, rho) for x in X[:20]])
    assert np.corrcoef(found.values.ravel(), expected.ravel())[0, 1] > 0.98
    assert_allclose(found.residual, 0, atol=1e-12)
    assert_allclose(found.base_values, linear(X).mean(), rtol=1e-12)


def test_no_model_row_is_asked_for_a_coalition() -> None:
    """The model gets the probe, the training rows in fit, and each instance once."""
    asked: list[int] = []

    def model(rows: np.ndarray) -> np.ndarray:
        asked.append(len(rows))
        return linear(rows)

    X = correlated(300, 0.5)
    masker = px.ConditionalRegression(max_rows=200)
    explainer = px.KernelShap(model, masker=masker, random_state=0).fit(X)
    assert sum(asked) == 3 + 200
    found = explainer.explain(X[:5])
    assert sum(asked) == 3 + 200 + 5
    assert found.n_rows == 5
    assert any("learned from 200 model rows in fit" in note for note in found.notes)


def test_several_outputs_stay_in_their_range() -> None:
    """Probabilities stay probabilities, so that link="logit" can be applied."""
    X = correlated(400, 0.7)

    def model(rows: np.ndarray) -> np.ndarray:
        p = 1 / (1 + np.exp(-3 * linear(rows)))
        p = np.clip(p, 1e-4, 1 - 1e-4)
        return np.stack([1 - p, p], axis=1)

    explainer = px.KernelShap(
        model, masker=px.ConditionalRegression(), link="logit", random_state=0
    )
    found = explainer.fit(X).explain(X[:5])
    assert found.values.shape == (5, 4, 2)
    assert_allclose(found.residual, 0, atol=1e-10)


def test_the_contract(mixed_frame: Any) -> None:
    """Numbers, text, categories and flags; constant columns, and more columns than rows."""
    check_masker(px.ConditionalRegression(), mixed_frame[["tiny", "half", "kind", "name", "flag"]])
    wide = np.random.default_rng(0).normal(size=(8, 20))
    wide[:, 3], wide[:, 4], wide[2, 5] = 1.0, np.nan, np.nan
    check_masker(px.ConditionalRegression(), wide)


@pytest.mark.parametrize("kind", ["KernelShap", "PermutationShap", "Banzhaf", "Lime", "Occlusion"])
def test_every_method_takes_it(kind: str) -> None:
    """The same numbers in small calls and in company; one feature; a full coalition is f(x)."""
    X = correlated(200, 0.6)

    def model(rows: np.ndarray) -> np.ndarray:
        return np.asarray(np.tanh(linear(rows)) * rows[:, 0])

    settings: dict[str, Any] = {"masker": px.ConditionalRegression(), "random_state": 0}
    usual, small = (
        getattr(px, kind)(model, budget=300, batch_size=size, **settings).fit(X)
        for size in (None, 7)
    )
    found = usual.explain(X[:3])
    assert np.array_equal(small.explain(X[:3]).values, found.values)
    assert_allclose(usual.explain(X[2]).values, found.values[2], rtol=1e-9, atol=1e-12)
    one = getattr(px, kind)(model, groups={"all": [0, 1, 2, 3]}, **settings).fit(X)
    assert one.explain(X[:1]).values.shape == (1, 1)


def test_refusals() -> None:
    """A masker that has not seen the model, too many outputs, and designs of single rows."""
    X = correlated(50, 0.5)
    fitted = px.ConditionalRegression().fit(X, Features(), np.random.default_rng(0))
    with pytest.raises(NotFittedError, match="learns from the model's answers"):
        fitted.check(X).bind(0, 1)
    with pytest.raises(NotFittedError, match="fit"):
        px.KernelShap(linear, masker=px.ConditionalRegression()).explain(X)
    many = px.KernelShap(lambda rows: np.ones((len(rows), 30)), masker=px.ConditionalRegression())
    with pytest.raises(InvalidInputError, match="30 outputs"):
        many.fit(X)
    rows = px.KernelShap(linear, masker=px.ConditionalRegression(), estimator="rows").fit(X)
    with pytest.raises(InvalidParameterError, match="one row behind each perturbation"):
        rows.explain(X[:1])
    with pytest.raises(InvalidParameterError, match="regression"):
        px.KernelShap(linear, masker=px.ConditionalRegression(regression="lasso")).fit(X)  # type: ignore[arg-type]


def test_metrics_ask_the_regression() -> None:
    """A fitted explainer's masker serves metrics, and the model is asked about x alone."""
    X = correlated(200, 0.6)
    explainer = px.KernelShap(linear, masker=px.ConditionalRegression(), random_state=0).fit(X)
    explanation = explainer.explain(X[:2])
    found = px.metrics.deletion(
        linear, X[:2], explanation, masker=explainer.masker_, references=False
    )
    assert np.isfinite(found.values).all()
