"""KernelShap with one prior for all rows: learned once, counted, told, and the same for any row."""

from __future__ import annotations

import pickle
from typing import Any

import joblib
import numpy as np
import pandas as pd
import perturbx as px
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.errors import InvalidParameterError
from sklearn.base import clone

D, B, M = 9, 5, 36
"""Features, background rows and coalitions a row: far from all 512."""

BUDGET = 1 + B + M * B
TAUGHT = 24 * (1 + 10 * D * B) + B
"""The instances, 10 coalitions a feature of each, and the empty one that they share."""


@pytest.fixture(name="X", scope="module")
def normal_rows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(300, D))


class Curved:
    """Interactions of three features; counts its rows."""

    def __init__(self) -> None:
        self.n_rows = 0

    def __call__(self, X: Any) -> np.ndarray:
        self.n_rows += len(X)
        X = np.asarray(X, dtype=float)
        together = X[:, 0] * X[:, 1] * X[:, 2] + np.tanh(X[:, 3] * X[:, 4] + X[:, 5])
        return np.asarray(together + X[:, 6:].sum(axis=1))


def curved(X: Any) -> np.ndarray:
    return Curved()(X)


def explainer(X: Any, model: Any = curved, **settings: Any) -> px.KernelShap:
    settings = {"estimator": "process", "prior": "shared", "budget": BUDGET} | settings
    masker = px.Background(X[:B])
    return px.KernelShap(model, masker=masker, random_state=0, **settings).fit(X)


@pytest.fixture(scope="module")
def taught(X: np.ndarray) -> tuple[px.KernelShap, px.Explanation]:
    """Taught in its first call, with that call's explanation."""
    shared = explainer(X)
    return shared, shared.explain(X[100:140])


def test_a_row_does_not_depend_on_its_company(taught: Any, X: np.ndarray) -> None:
    """A row alone has the scores and errors that it has among forty."""
    shared, many = taught
    for row in (0, 17):
        one = shared.explain(X[100 + row])
        assert_allclose(one.values, many.values[row], atol=1e-10)
        assert_allclose(one.standard_errors, many.standard_errors[row], rtol=1e-6, atol=1e-12)


def test_what_teaching_asks_is_counted(X: np.ndarray) -> None:
    """Once, in the call that learns; the next ones cost what they say."""
    model = Curved()
    shared = explainer(X, model)
    before = model.n_rows
    first, second = shared.explain(X[:3]), shared.explain(X[:3])
    assert first.n_rows + second.n_rows == model.n_rows - before
    assert first.n_rows - second.n_rows == TAUGHT
    assert "prior learned from 24 rows that fit saw" in first.method
    assert_array_equal(first.values, second.values)


def test_same_bits(taught: Any, X: np.ndarray) -> None:
    """Neither workers nor batches change a number."""
    _, many = taught
    with joblib.parallel_config("threading"):
        again = explainer(X, n_jobs=2, batch_size=7).explain(X[100:140])
    assert_array_equal(again.values, many.values)
    assert_array_equal(again.standard_errors, many.standard_errors)


def test_less_error_for_the_same_rows(taught: Any, X: np.ndarray) -> None:
    """At 4 coalitions a feature, less than half the squared error of the regression."""
    _, many = taught
    rows = X[100:140]
    exact = explainer(X, prior="own", budget=1 + B * 2**D).explain(rows)
    assert "exact" in exact.method
    plain = explainer(X, estimator="regression", prior="own").explain(rows)
    squares = [((e.values - exact.values) ** 2).sum(axis=1) for e in (many, plain)]
    assert np.exp(np.log(squares[0] / squares[1]).mean()) < 0.5


@pytest.mark.parametrize("n", [1, 120])
def test_auto_shares_where_rows_are_many(X: np.ndarray, n: int) -> None:
    """With 24 teachers of 90 coalitions, for 120 rows of 90 but not for one."""
    auto = explainer(X, prior="auto", budget=1 + B + 10 * D * B)
    assert ("prior learned" in auto.explain(X[:n]).method) == (n == 120)


def test_without_fitted_rows_the_first_call_teaches(X: np.ndarray) -> None:
    """A background of its own, and no data for `fit`: said, and kept for later calls."""
    shared = px.KernelShap(
        curved,
        estimator="process",
        prior="shared",
        masker=px.Background(X[:B]),
        budget=BUDGET,
        random_state=0,
    )
    assert "24 rows of the first call" in shared.fit().explain(X[:30]).method
    assert "24 rows of the first call" in shared.explain(X[40]).method


@pytest.mark.parametrize("n", [2, 3])
def test_too_few_teachers(X: np.ndarray, n: int) -> None:
    """Says how many there were; each instance then learns its own prior."""
    explanation = _few(X, n).explain(X[10:12])
    assert any(f"{n} rows that fit saw" in note for note in explanation.notes)
    own = _few(X, n).set_params(prior="own").explain(X[10:12])
    assert_array_equal(explanation.values, own.values)


def _few(X: np.ndarray, n: int) -> px.KernelShap:
    return px.KernelShap(
        curved,
        estimator="process",
        prior="shared",
        masker=px.Background(X[:B]),
        budget=BUDGET,
        random_state=0,
    ).fit(X[20 : 20 + n])


def test_additive_models_have_nothing_to_share(X: np.ndarray) -> None:
    """Their scores are exact, and the note says why no prior is shared."""
    slopes = np.arange(1.0, D + 1)
    explanation = explainer(X, lambda X: X @ slopes).explain(X[:3])
    assert_allclose(explanation.values, slopes * (X[:3] - X[:B].mean(axis=0)), atol=1e-9)
    assert any("interactions" in note for note in explanation.notes)


def test_rows_that_equal_the_background_in_places(taught: Any, X: np.ndarray) -> None:
    """A column that is constant in the background and in some rows scores 0 there."""
    Z = X.copy()
    Z[:, 7] = 0.0
    Z[::2, 7] = 1.0
    Z[:B, 7] = 0.0
    shared = explainer(Z)
    explanation = shared.explain(Z[100:104])
    assert (explanation.values[1::2, 7] == 0).all()
    assert_allclose(explanation.values[::2, 7], 1.0, atol=0.05)
    assert_allclose(shared.explain(Z[101]).values, explanation.values[1], atol=1e-10)


def test_frames_and_many_outputs(X: np.ndarray) -> None:
    """Rows teach in the user's own container, and every output has the prior."""
    frame = pd.DataFrame(X, columns=list("abcdefghi"))
    frame["c"] = pd.Categorical.from_codes((X[:, 2] > 0).astype(int), ["low", "high"])

    def two(F: pd.DataFrame) -> np.ndarray:
        assert F["c"].dtype == frame["c"].dtype
        p = 1 / (1 + np.exp(-F["a"] * F["b"] * (F["c"] == "high") - F["d"] * F["e"] - F["f"]))
        return np.column_stack([1 - p, p])

    shared = explainer(frame, two)
    explanation = shared.explain(frame[:4])
    assert "prior learned" in explanation.method
    assert_array_equal(explanation.values[..., 0], -explanation.values[..., 1])


def test_what_was_taught_is_forgotten(X: np.ndarray) -> None:
    """By another fit, and for other outputs; a clone has learned nothing."""
    model = Curved()
    shared = explainer(X, model)
    costs = []
    for change in (None, "fit", "link", None):
        if change == "fit":
            shared.fit(X)
        if change == "link":
            shared.set_params(outputs=[0])
        costs.append(shared.explain(X[:2]).n_rows)
    rest = costs[0] - TAUGHT
    assert costs == [rest + TAUGHT, rest + TAUGHT, rest + TAUGHT, rest]
    assert not hasattr(clone(shared), "taught_")


def test_a_taught_explainer_travels(taught: Any, X: np.ndarray) -> None:
    """Pickled, it explains as before, and asks no teacher again."""
    shared, many = taught
    copy = pickle.loads(pickle.dumps(shared)).explain(X[100:140])
    assert_array_equal(copy.values, many.values)
    assert copy.n_rows == many.n_rows - TAUGHT


def test_few_coalitions_have_honest_errors(X: np.ndarray) -> None:
    """With no pair to spare, where a prior of its own has none."""
    shared = explainer(X, budget=1 + B + 2 * D * B).explain(X[100:110])
    own = explainer(X, budget=1 + B + 2 * D * B, prior="own").explain(X[100:101])
    assert np.isfinite(shared.standard_errors).all()
    assert np.isnan(own.standard_errors).all()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"estimator": "regression"}, 'estimator="regression"'),
        ({"estimator": "rows"}, 'estimator="rows"'),
        ({"interactions": True}, "interactions=True"),
        ({"prior": "common"}, "prior"),
    ],
)
def test_what_cannot_share(X: np.ndarray, settings: dict[str, Any], said: str) -> None:
    """A clear refusal, before any row is paid for."""
    with pytest.raises(InvalidParameterError, match=said):
        explainer(X, **settings).explain(X[:1])
