"""Background rows that count differently: every score is of the weighted mean over them."""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_allclose
from perturbx.errors import InvalidInputError, InvalidParameterError

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(5, 4))
WEIGHTS = np.array([6.0, 1.0, 2.0, 0.0, 3.0])
X = RNG.normal(size=(2, 4))


def model(X: Any) -> np.ndarray:
    """Two outputs with interactions of all orders."""
    X = np.asarray(X, dtype=float)
    inner = X @ [1.0, -2.0, 0.5, 1.0]
    return np.stack([np.tanh(inner), X[:, 0] * X[:, 1] * X[:, 2] + X[:, 3] ** 2], axis=1)


def answer(x: np.ndarray, members: Any) -> np.ndarray:
    """The weighted mean of the model with some features present."""
    rows = ROWS.copy()
    rows[:, list(members)] = x[list(members)]
    return np.average(model(rows), axis=0, weights=WEIGHTS)


def subsets(d: int) -> list[tuple[int, ...]]:
    return [s for size in range(d + 1) for s in combinations(range(d), size)]


def brute_force(x: np.ndarray, weigh: Any) -> np.ndarray:
    """(d, k): the sum over coalitions of others of a weight times what a feature adds to them."""
    d = len(x)
    values = np.zeros((d, 2))
    for s in subsets(d):
        for i in set(range(d)) - set(s):
            values[i] += weigh(d, len(s)) * (answer(x, (*s, i)) - answer(x, s))
    return values


def shapley(d: int, size: int) -> float:
    return 1 / (d * comb(d - 1, size))


def banzhaf(d: int, size: int) -> float:
    return 1 / 2 ** (d - 1)


def last(d: int, size: int) -> float:
    return float(size == d - 1)


FLAT = px.ColumnTree(ROWS, clustering=[0, 1, 2, 3], weights=WEIGHTS)
GIVEN = px.Background(ROWS, weights=WEIGHTS)


@pytest.mark.parametrize(
    ("method", "masker", "weigh"),
    [
        (px.KernelShap, GIVEN, shapley),
        (px.PermutationShap, GIVEN, shapley),
        (px.OwenShap, FLAT, shapley),
        (px.Banzhaf, GIVEN, banzhaf),
        (px.Occlusion, GIVEN, last),
    ],
)
@pytest.mark.parametrize("batch_size", [None, 3])
def test_exact_methods_are_brute_force(
    method: Any, masker: Any, weigh: Any, batch_size: int | None
) -> None:
    """Whatever the method and the size of calls; the base is the weighted mean of the rows."""
    found = method(model, masker=masker, random_state=0, batch_size=batch_size).explain(X)
    for one, x in zip(found, X, strict=True):
        assert_allclose(one.values, brute_force(x, weigh), atol=1e-12)
        assert_allclose(one.base_values, answer(x, ()), atol=1e-12)
    assert "4 background rows, on weighted average" in found.value_function


@pytest.mark.parametrize("estimator", ["rows", "regression", "process"])
def test_sampled_estimators_agree_with_brute_force(estimator: str) -> None:
    """Within four standard errors, with the weighted total as their sum."""
    rng = np.random.default_rng(1)
    rows, x, weights = rng.normal(size=(6, 8)), rng.normal(size=8), rng.exponential(size=6)

    def bent(X: np.ndarray) -> np.ndarray:
        return np.tanh(X.sum(axis=1)) + X[:, 0] * X[:, 1]

    masker = px.Background(rows, weights=weights)
    exact = px.KernelShap(bent, masker=masker, budget=10_000).explain(x)
    assert "exact" in exact.method
    found = px.KernelShap(
        bent, masker=masker, budget=1500 if estimator == "rows" else 900, estimator=estimator,
        random_state=0,
    ).explain(x)  # fmt: skip
    assert "exact" not in found.method
    assert abs(found.residual) < 1e-12
    assert (np.abs(found.values - exact.values) < 4 * found.standard_errors).all()
    assert found.standard_errors.max() < 0.1


def test_single_rows_are_unbiased() -> None:
    """The mean over seeds is the weighted Shapley value; errors are those of the runs."""
    rng = np.random.default_rng(2)
    rows, x, weights = rng.normal(size=(30, 6)), np.ones(6), rng.exponential(size=30)

    def product(X: np.ndarray) -> np.ndarray:
        return X[:, 0] * X[:, 1] * X[:, 2] + X[:, 3] * X[:, 4]

    masker = px.Background(rows, weights=weights)
    exact = px.KernelShap(product, masker=masker, budget=100_000).explain(x).values
    explainer = px.KernelShap(product, masker=masker, estimator="rows", budget=2000)
    runs = [explainer.set_params(random_state=seed).explain(x) for seed in range(60)]
    values = np.array([run.values for run in runs])
    error = values.std(axis=0, ddof=1)
    assert (np.abs(values.mean(axis=0) - exact) <= 4 * error / np.sqrt(60) + 1e-12).all()
    said = np.sqrt(np.mean([run.standard_errors**2 for run in runs], axis=0))
    assert_allclose(said[:3], error[:3], rtol=0.5)


def test_whole_weights_are_repeated_rows() -> None:
    """A row of weight 3 is as good as that row three times, also where the answer is linked."""
    counts = [3, 1, 0, 2, 1]
    repeated = np.repeat(ROWS, counts, axis=0)
    for link in ("identity", "logit"):
        found = [
            px.KernelShap(
                lambda X: 1 / (1 + np.exp(-X.sum(axis=1))), masker=masker, link=link, budget=500
            ).explain(X)
            for masker in (px.Background(ROWS, weights=counts), px.Background(repeated))
        ]
        assert_allclose(found[0].values, found[1].values, atol=1e-12)


def test_equal_weights_are_none() -> None:
    """To the last bit, whatever their size."""
    found = [
        px.KernelShap(model, masker=px.Background(ROWS, weights=weights), random_state=0).explain(X)
        for weights in (None, np.full(5, 7.0))
    ]
    assert np.array_equal(found[0].values, found[1].values)
    assert np.array_equal(found[0].background_errors, found[1].background_errors)


@pytest.mark.parametrize("method", [px.Lime, px.Rise])
def test_local_methods_see_the_weighted_mean(method: Any) -> None:
    """Of an additive model slopes of presence are what columns differ from their weighted mean."""
    slopes = np.array([1.0, -2.0, 0.5, 1.0])
    explainer = method(lambda X: X @ slopes, masker=GIVEN, random_state=0)
    expected = slopes * (X - np.average(ROWS, axis=0, weights=WEIGHTS))
    assert_allclose(explainer.explain(X).values, expected, atol=0.02)


@pytest.mark.parametrize("estimator", ["rows", "regression"])
def test_background_errors_of_weighted_rows(estimator: str) -> None:
    """Of one feature: sqrt(sum w^2 (x_b - mean)^2 * n / (n - 1)), by rows; about it, by parts."""
    rng = np.random.default_rng(0)
    rows, weights = rng.normal(size=(400, 2)), rng.exponential(size=400)
    weights /= weights.sum()
    masker = px.Background(rows, weights=weights, max_rows=400)
    explainer = px.KernelShap(
        lambda X: X[:, 0] + 2 * X[:, 1], masker=masker, estimator=estimator, random_state=0,
        budget=4000,
    )  # fmt: skip
    found = explainer.explain([1.0, 1.0])
    about = rows - weights @ rows
    expected = np.sqrt(weights**2 @ about**2 * 400 / 399) * [1, 2]
    assert_allclose(found.background_errors, expected, rtol=0.05 if estimator == "rows" else 0.6)


def test_large_weighted_backgrounds_are_sampled_in_proportion() -> None:
    """A tenth of the rows with nine tenths of the weight make up nine tenths of the sample."""
    rows = np.repeat([[0.0], [1.0]], [900, 100], axis=0)
    weights = np.where(rows[:, 0] == 1, 81.0, 1.0)
    masker = px.Background(rows, weights=weights, max_rows=50)
    found = px.KernelShap(lambda X: X[:, 0], masker=masker, random_state=0).explain([[1.0]])
    assert_allclose(found.base_values, 0.9, atol=0.02)
    assert "weighted rows" in found.notes[0]


@pytest.mark.parametrize(
    "weights",
    ["abc", 3, [1, 2], np.ones((5, 1)), [0] * 5, [-1, 1, 1, 1, 1], [np.nan, 1, 1, 1, 1],
     [np.inf, 1, 1, 1, 1], {"a": 1}, [None] * 5, [1j] * 5, object()],
)  # fmt: skip
def test_wrong_weights_are_refused(weights: Any, counting_model: Any) -> None:
    """By name, before the model is asked."""
    asked = counting_model(model)
    for masker in (px.Background(ROWS, weights=weights), px.ColumnTree(ROWS, weights=weights)):
        with pytest.raises(InvalidParameterError, match="weights must be 5 numbers of at least 0"):
            px.OwenShap(asked, masker=masker).explain(X)
    assert asked.calls == []


def test_centers_of_clusters() -> None:
    """The result of shap.kmeans gives rows and weights, also for a frame with other columns."""
    shap = pytest.importorskip("shap")
    pd = pytest.importorskip("pandas")
    table = np.random.default_rng(0).normal(size=(60, 4))
    centers = shap.kmeans(table, 5)
    plain = px.Background(centers.data, weights=centers.weights)
    found = [
        px.KernelShap(model, masker=masker).explain(X) for masker in (px.Background(centers), plain)
    ]
    assert np.array_equal(found[0].values, found[1].values)
    frame = pd.DataFrame(table, columns=list("abcd")).assign(d=np.arange(60) % 3)
    of_frame = px.Background(shap.kmeans(frame, 5))
    seen = []

    def watching(X: Any) -> np.ndarray:
        seen.append(X)
        return model(X)

    explained = px.KernelShap(watching, masker=of_frame).fit(frame).explain(frame[:1])
    assert explained.feature_names == ("a", "b", "c", "d")
    assert all((batch.dtypes == frame.dtypes).all() for batch in seen)
    with pytest.raises(InvalidInputError, match=r"masker=px.Background\(X\)"):
        px.KernelShap(model).fit(centers)
