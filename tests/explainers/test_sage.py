"""SAGE: brute force, sums, intervals, labels of every kind, and what is refused."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import perturbx as px
import pytest
from perturbx.errors import BudgetError, InvalidInputError, InvalidParameterError
from sklearn.linear_model import LogisticRegression

D, B = 4, 10


def curved(Z):
    return np.tanh(Z[:, 0] * Z[:, 1]) + Z[:, 2]


def rows(n, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, D))
    return X, curved(X) + 0.3 * rng.normal(size=n)


BACKGROUND = rows(B, seed=9)[0]


def by_definition(model, X, loss):
    """Shapley values of minus the mean loss, over all coalitions."""

    def v(S):
        present = np.zeros(D, bool)
        present[list(S)] = True
        asked = np.where(present, X[:, None], BACKGROUND[None]).reshape(-1, D)
        outputs = np.asarray(model(asked)).reshape(len(X), B, -1).mean(axis=1)
        return -loss(outputs).mean()

    phi = np.zeros(D)
    for j in range(D):
        others = [i for i in range(D) if i != j]
        for r in range(D):
            share = math.factorial(r) * math.factorial(D - 1 - r) / math.factorial(D)
            for S in itertools.combinations(others, r):
                phi[j] += share * (v((*S, j)) - v(S))
    return phi


def sage(model, **settings):
    settings = {"random_state": 0, "masker": px.Background(BACKGROUND), **settings}
    return px.Sage(model, **settings).fit()


def budget(n, orders):
    return 3 + n + B + orders * (D - 1) * B


def test_many_orders_reach_the_values_of_all_coalitions():
    X, y = rows(40)
    truth = by_definition(curved, X, lambda p: (p[:, 0] - y) ** 2)
    found = sage(curved, budget=budget(40, 40 * 150)).explain(X, y)
    np.testing.assert_allclose(found.values, truth, atol=0.02)
    assert found.values[3] == truth[3] == 0


def test_scores_sum_to_the_reduction_of_the_loss():
    X, y = rows(60)
    found = sage(curved, budget=budget(60, 20)).explain(X, y)
    reduction = found.predictions - found.base_values
    np.testing.assert_allclose(found.values.sum(), reduction)
    np.testing.assert_allclose(-found.predictions, ((curved(X) - y) ** 2).mean())
    mean = curved(BACKGROUND).mean()
    np.testing.assert_allclose(-found.base_values, ((mean - y) ** 2).mean())
    assert abs(found.residual) < 1e-12
    assert found.n_rows == budget(60, 20)


def test_intervals_cover_the_population():
    """Of fresh rows and fresh orders, 95% intervals cover the truth in 90% of runs or more."""
    X, y = rows(20_000, seed=1)
    truth = by_definition(curved, X, lambda p: (p[:, 0] - y) ** 2)
    covered = []
    for seed in range(60):
        X, y = rows(150, seed=100 + seed)
        found = sage(curved, random_state=seed, budget=budget(150, 60)).explain(X, y)
        lower, upper = found.interval()
        covered.append(((lower <= truth) & (truth <= upper))[:3])
    assert 0.9 <= np.mean(covered) <= 0.99


def test_without_labels_scores_are_shares_of_variance():
    """Of an additive model each share is the mean squared effect, whatever the order."""
    slopes = np.array([2.0, 1.0, 0.0, -1.0])
    X, _ = rows(50)
    found = sage(lambda Z: Z @ slopes, budget=budget(50, 50 * 40)).explain(X)
    truth = by_definition(lambda Z: Z @ slopes, X, lambda p: (p[:, 0] - X @ slopes) ** 2)
    np.testing.assert_allclose(found.values, truth, atol=0.15)
    assert found.predictions == 0


@pytest.mark.parametrize("kind", ["int", "text", "frame", "one probability", "named"])
def test_classes_get_the_log_loss(kind):
    X, score = rows(80)
    y = (score > 0).astype(int)
    names = np.array(["no", "yes"])
    labels = names[y] if kind in ("text", "frame", "named") else y
    fitted = LogisticRegression().fit(X, labels)
    model = {
        "one probability": lambda Z: fitted.predict_proba(Z)[:, 1],
        "named": lambda Z: fitted.predict_proba(Z),
    }.get(kind, fitted)
    settings = {"output_names": ["no", "yes"]} if kind == "named" else {}
    labels = pd.Series(labels) if kind == "frame" else labels
    found = sage(model, budget=budget(80, 80), **settings).explain(X, labels)
    probability = fitted.predict_proba(X)[np.arange(80), y]
    np.testing.assert_allclose(found.predictions, np.log(probability).mean())
    assert "log loss" in found.value_function


def test_a_loss_of_your_own():
    X, y = rows(40)
    found = sage(curved, loss=lambda y, p: abs(y - p[:, 0]), budget=budget(40, 40)).explain(X, y)
    np.testing.assert_allclose(-found.predictions, abs(curved(X) - y).mean())


def test_mixed_frames_and_missing_values():
    X, y = rows(40)
    frame = pd.DataFrame(X, columns=list("abcd")).assign(e=["x", None] * 20)
    frame.loc[3, "a"] = np.nan

    def model(Z):
        return Z["a"].fillna(0).to_numpy() + (Z["e"] == "x").to_numpy()

    found = px.Sage(model, random_state=0, budget=5000).fit(frame).explain(frame, y)
    assert found.feature_names == tuple("abcde")
    assert (found.values[[1, 2, 3]] == 0).all()


@pytest.mark.parametrize("changes", [{"n_jobs": 2}, {"batch_size": 7}])
def test_same_bits_however_it_is_run(changes):
    X, y = rows(40)
    settings = {"budget": budget(40, 70)}
    one, other = (sage(curved, **settings, **more).explain(X, y) for more in ({}, changes))
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.standard_errors, other.standard_errors)


def test_stops_at_tol():
    X, y = rows(200)
    found = sage(curved, tol=0.2).explain(X, y)
    assert found.converged
    assert found.standard_errors.max() <= 0.2 * np.ptp(found.values)
    fewer = sage(curved, tol=0.2, budget=10**7).explain(X, y)
    np.testing.assert_array_equal(found.values, fewer.values)


def test_result_has_all_views(tmp_path):
    X, y = rows(40)
    found = sage(curved, feature_names=["age", "sex", "income", "city"]).explain(X, y)
    assert "age" in repr(found)
    assert len(found.to_frame()) == D
    found.save(tmp_path / "sage.json")
    np.testing.assert_array_equal(px.load(tmp_path / "sage.json").values, found.values)
    assert px.plots.bar(found, show=False) is not None


X40, Y40 = rows(40)


@pytest.mark.parametrize(
    ("settings", "given", "error", "says"),
    [
        ({"budget": 100}, (X40, Y40), BudgetError, "at least 533"),
        ({"outputs": [0]}, (X40, Y40), InvalidParameterError, "outputs"),
        ({"link": "logit"}, (X40, Y40), InvalidParameterError, "link"),
        ({"loss": "mse"}, (X40, Y40), InvalidParameterError, "squared_error"),
        ({"loss": "log_loss"}, (X40, Y40), InvalidParameterError, "probabilities"),
        ({"loss": "log_loss"}, (X40, None), InvalidInputError, "labels"),
        ({"loss": lambda y, p: 1.0}, (X40, Y40), InvalidParameterError, "one finite number"),
        ({}, (X40, Y40[:5]), InvalidInputError, "got 5"),
        ({}, (X40, 3.0), InvalidInputError, "single value"),
        ({}, (X40, np.where(Y40 > 0, Y40, np.nan)), InvalidInputError, "missing labels"),
        ({}, (X40, np.repeat("a", 40)), InvalidInputError, "numbers of shape"),
        ({}, (X40[0], Y40[:1]), InvalidInputError, "several"),
    ],
)
def test_what_has_no_answer_is_refused(settings, given, error, says):
    with pytest.raises(error, match=says):
        sage(curved, **settings).explain(*given)


def test_a_label_that_the_model_does_not_know():
    fitted = LogisticRegression().fit(X40, Y40 > 0)
    with pytest.raises(InvalidInputError, match="'maybe'"):
        sage(fitted, loss="log_loss").explain(X40, np.repeat("maybe", 40))


@pytest.mark.parametrize("labeled", [True, False])
def test_a_model_that_never_changes_has_scores_of_zero(labeled):
    """No feature changes a loss, so that no row can be told from another by its gain."""
    found = sage(lambda Z: np.ones(len(Z))).explain(X40, Y40 if labeled else None)
    np.testing.assert_array_equal(found.values, np.zeros(D))
    np.testing.assert_array_equal(found.standard_errors, np.zeros(D))
