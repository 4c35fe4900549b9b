"""Additive surrogates against planted terms, and against scikit-learn's linear regression."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import perturbx as px
import pytest
from numpy.typing import NDArray
from perturbx.errors import InvalidParameterError, NotFittedError
from sklearn.linear_model import LinearRegression


def _frame(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"x": rng.uniform(-1, 1, n), "c": pd.Categorical(rng.choice(list("abc"), n))}
    )
    frame.loc[::5, "x"] = np.nan
    return frame


def _planted(X: pd.DataFrame) -> NDArray[Any]:
    effect = X["c"].map({"a": 0.0, "b": 1.0, "c": -3.0}).to_numpy(float)
    return np.where(X["x"].isna(), 2.0, np.abs(X["x"].fillna(0))) + effect


def test_planted_terms_are_found() -> None:
    """Differences of categories, of a missing number, and of a curve between its knots."""
    model = px.SurrogateAdditive(_planted, random_state=0, n_knots=21).fit(_frame(900, 0))
    found = model.explain(_frame(300, 1))
    assert found.fidelity.value > 0.999
    x, c = found.terms
    effects = dict(zip(c.points, c.effects, strict=True))
    assert effects["b"] - effects["a"] == pytest.approx(1, abs=0.01)
    assert effects["c"] - effects["a"] == pytest.approx(-3, abs=0.01)
    assert x.missing - x.effects[0] == pytest.approx(2 - 1, abs=0.05)
    rows = _frame(100, 2)
    np.testing.assert_allclose(found.predict(rows), _planted(rows), atol=0.1)
    sums = found.intercept + found.contributions(rows).sum(axis=1)
    np.testing.assert_allclose(found.predict(rows), sums)


def test_two_knots_are_a_linear_regression() -> None:
    """The slopes, predictions and R2 of least squares, for a model with an interaction."""
    rng = np.random.default_rng(0)
    X, held_out = rng.uniform(-1, 1, (800, 3)), rng.uniform(-0.9, 0.9, (300, 3))
    model = lambda X: X[:, 0] - 2 * X[:, 1] + X[:, 0] * X[:, 2]  # noqa: E731
    found = px.SurrogateAdditive(model, n_knots=2, random_state=0).fit(X).explain(held_out)
    oracle = LinearRegression().fit(X, model(X))
    np.testing.assert_allclose(found.predict(held_out), oracle.predict(held_out), atol=0.01)
    assert found.fidelity.value == pytest.approx(oracle.score(held_out, model(held_out)), abs=0.01)
    slopes = [np.ptp(t.effects) / np.ptp(t.points) for t in found.terms[:2]]
    np.testing.assert_allclose(slopes, [1, 2], atol=0.05)


def test_terms_are_0_on_average_and_told_in_order() -> None:
    """Over the rows of data; the text begins with the largest."""
    X = np.random.default_rng(0).normal(size=(200, 2))
    model = lambda X: np.stack([0 * X[:, 0], 5 * X[:, 1] + X[:, 0]], axis=1)  # noqa: E731
    names = {"output_names": ["no", "yes"], "feature_names": ["small", "large"]}
    found = px.SurrogateAdditive(model, random_state=0, **names).fit(X).explain(X[:50] + 1e-9)
    np.testing.assert_allclose(found.contributions(X).mean(axis=0), 0, atol=1e-9)
    assert found.output == "yes"
    assert found.text.splitlines()[1].strip().startswith("large")
    assert len(found.to_frame()) == sum(len(term.points) for term in found.terms)


def test_bad_input_is_refused() -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    with pytest.raises(NotFittedError, match="call fit"):
        px.SurrogateAdditive(lambda X: X[:, 0]).explain()
    with pytest.raises(InvalidParameterError, match="answered 3 to all 60 rows"):
        px.SurrogateAdditive(lambda X: np.full(len(X), 3.0)).fit(X).explain()
    with pytest.raises(InvalidParameterError, match="n_knots"):
        px.SurrogateAdditive(lambda X: X[:, 0], n_knots=1).fit(X)
    with pytest.raises(InvalidParameterError, match="must be the name or position"):
        px.SurrogateAdditive(lambda X: X, output=1.5).fit(X).explain()  # type: ignore[arg-type]
