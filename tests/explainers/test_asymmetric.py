"""Asymmetric Shapley values as a user gets them: `PermutationShap(order=...)`."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import joblib
import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.errors import InvalidParameterError

LEVELS = [[0, 1], [2, 3, 4]]
CAUSES = {2: [0, 1], 3: [1]}


def brute_force(model: Any, x: np.ndarray, background: np.ndarray, before: Any) -> np.ndarray:
    """(d, k): what features add when they join, averaged over all orders with i before j."""
    values, n = 0.0, 0
    for order in permutations(range(len(x))):
        if any(order.index(i) > order.index(j) for i, j in before):
            continue
        rows, n = background.copy(), n + 1
        steps = [model(rows).mean(axis=0)]
        for feature in order:
            rows[:, feature] = x[feature]
            steps.append(model(rows).mean(axis=0))
        values = values + np.diff(steps, axis=0)[np.argsort(order)]
    return np.asarray(values) / n


BEFORE = {
    "levels": (LEVELS, [(i, j) for i in LEVELS[0] for j in LEVELS[1]]),
    "causes": (CAUSES, [(0, 2), (1, 2), (1, 3)]),
    "total": ([[4], [3], [2], [1], [0]], [(4, 3), (3, 2), (2, 1), (1, 0)]),
}


@pytest.mark.parametrize("name", BEFORE)
def test_exact_values_are_brute_force(name: str, table: np.ndarray, bumpy_model: Any) -> None:
    """The mean over consistent orders, with the sum of all scores unchanged."""
    order, before = BEFORE[name]
    explainer = px.PermutationShap(bumpy_model, order=order, random_state=0).fit(table)
    found = explainer.explain(table[:2])
    expected = [brute_force(bumpy_model, x, table, before) for x in table[:2]]
    assert_allclose(found.values, expected, atol=1e-12)
    assert found.method.startswith("PermutationShap: exact, all ")
    assert "where features join in the order " in found.value_function
    symmetric = px.PermutationShap(bumpy_model, random_state=0).fit(table).explain(table[:2])
    assert_allclose(found.values.sum(axis=1), symmetric.values.sum(axis=1), atol=1e-12)
    assert not np.allclose(found.values, symmetric.values, atol=0.01)


@pytest.mark.parametrize("name", ["levels", "causes"])
@pytest.mark.parametrize("link", ["identity", "logit"])
def test_sampled_values_add_up_and_come_near(name: str, link: Any, table: np.ndarray) -> None:
    """With single background rows and with averages: unbiased, and within their errors."""

    def model(X: np.ndarray) -> np.ndarray:
        inner = X @ [1.0, -0.5, 0.3, 0.8, -1.0] + X[:, 0] * X[:, 2]
        return 1 / (1 + np.exp(-inner))

    order, _ = BEFORE[name]
    rows = table[:12]
    settings: dict[str, Any] = {"order": order, "link": link, "masker": px.Background(rows)}
    exact = px.PermutationShap(model, **settings).explain(table[20])
    budget = 1 + 12 + 8 * (6 if link == "identity" else 12)
    found = [
        px.PermutationShap(model, budget=budget, random_state=seed, **settings).explain(table[20])
        for seed in range(60)
    ]
    assert all("consistent permutations" in one.method for one in found)
    assert max(abs(one.residual) for one in found) < 1e-12
    values = np.array([one.values for one in found])
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    assert (np.abs(values.mean(axis=0) - exact.values) <= 4 * error + 1e-12).all()


def test_an_order_that_says_nothing_changes_nothing(table: np.ndarray, bumpy_model: Any) -> None:
    """To the last bit, sampled or not."""
    for budget in (300, None):
        settings: dict[str, Any] = {"budget": budget, "random_state": 0}
        plain = px.PermutationShap(bumpy_model, **settings).fit(table).explain(table[:2])
        for order in ([[0, 1, 2, 3, 4]], {0: []}):
            explainer = px.PermutationShap(bumpy_model, order=order, **settings).fit(table)
            free = explainer.explain(table[:2])
            assert_array_equal(free.values, plain.values)
            assert free.value_function == plain.value_function


def test_features_are_named_by_label_name_or_position(table: np.ndarray, bumpy_model: Any) -> None:
    """In frames, in arrays with names, and groups of columns by theirs."""
    pd = pytest.importorskip("pandas")
    names = ["age", "sex", "income", "zip", "rent"]
    settings: dict[str, Any] = {"random_state": 0}
    expected = px.PermutationShap(bumpy_model, order=LEVELS, **settings).fit(table)
    values = expected.explain(table[:2]).values
    words = [["age", "sex"], ["income", "zip", "rent"]]
    named = px.PermutationShap(bumpy_model, order=words, feature_names=names, **settings)
    assert_array_equal(named.fit(table).explain(table[:2]).values, values)
    frame = pd.DataFrame(table, columns=names)
    for order in (words, LEVELS):
        found = px.PermutationShap(bumpy_model, order=order, **settings).fit(frame)
        assert_array_equal(found.explain(frame[:2]).values, values)
    numbered = pd.DataFrame(table, columns=[9, 8, 7, 6, 5])
    order = [[9, 8], [7, 6, 5]]
    found = px.PermutationShap(bumpy_model, order=order, **settings).fit(numbered)
    assert_array_equal(found.explain(numbered[:2]).values, values)
    groups = {"place": ["zip", "rent"], "person": ["age", "sex", "income"]}
    found = px.PermutationShap(
        bumpy_model, order=[["person"], ["place"]], groups=groups, **settings
    ).fit(frame)
    one = found.explain(frame[:1])
    alone = frame.copy()
    alone[["age", "sex", "income"]] = frame.iloc[0][["age", "sex", "income"]].to_numpy()
    gain = bumpy_model(alone).mean(axis=0) - bumpy_model(frame).mean(axis=0)
    assert_allclose(one[:, "person"].values[0], gain, atol=1e-12)


def test_rows_that_vary_in_different_columns(bumpy_model: Any) -> None:
    """A feature that equals its baseline keeps its place among the causes of others."""
    before = [(2, 3), (1, 3)]
    rows = np.array([[1.0, 0.0, 3.0, 4.0, 0.5], [1.0, 2.0, 0.0, 4.0, 0.5]])
    masker = px.Baseline(np.zeros(5))
    explainer = px.PermutationShap(bumpy_model, order={3: [1, 2]}, masker=masker)
    together = explainer.explain(rows).values
    for x, values in zip(rows, together, strict=True):
        expected = brute_force(bumpy_model, x, np.zeros((1, 5)), before)
        assert_allclose(values, expected, atol=1e-12)
        assert_allclose(explainer.explain(x).values, values, atol=1e-12)


def test_batches_workers_and_company_change_nothing(boosted: Any) -> None:
    """One seed fixes every number of sampled values."""
    model, rows = boosted
    order = {2: [0, 1], 3: [1], 5: [4]}
    settings: dict[str, Any] = {"order": order, "random_state": 3, "budget": 700}
    usual = px.PermutationShap(model.predict_proba, **settings).fit(rows).explain(rows[:3])
    assert "consistent" in usual.method
    for change in ({"batch_size": 7}, {"n_jobs": 2}):
        with joblib.parallel_config("threading"):
            explainer = px.PermutationShap(model.predict_proba, **settings, **change).fit(rows)
            found = explainer.explain(rows[:3])
        assert_array_equal(found.values, usual.values)
        assert_array_equal(found.standard_errors, usual.standard_errors)
    explainer = px.PermutationShap(model.predict_proba, **settings).fit(rows)
    alone = np.stack([explainer.explain(row).values for row in rows[:3]])
    assert_allclose(alone, usual.values, rtol=0, atol=1e-10)


def test_tol_ends_the_rounds(table: np.ndarray, bumpy_model: Any) -> None:
    """Rounds continue a design of consistent chains; a total order needs no second one."""
    settings: dict[str, Any] = {"tol": 0.05, "budget": 20_000, "random_state": 0}
    masker = px.Baseline(np.zeros(9))
    x = np.random.default_rng(0).normal(size=9)
    some = [list(range(4)), list(range(4, 9))]
    total = px.PermutationShap(bumpy_model, order=[[j] for j in range(9)], masker=masker)
    for explainer in (px.PermutationShap(bumpy_model, order=some, masker=masker), total):
        found = explainer.set_params(**settings).explain(x)
        assert found.converged
    assert found.n_rows < 30


def test_images_by_position(bumpy_model: Any) -> None:
    """Regions are ordered by their numbers."""
    image = np.random.default_rng(0).random((4, 6))
    masker = px.Windows(shape=(4, 2), stride=(4, 2), fill=0.0)

    def model(batch: np.ndarray) -> np.ndarray:
        return batch[:, :, :2].sum(axis=(1, 2)) * batch[:, :, 4:].sum(axis=(1, 2))

    found = px.PermutationShap(model, masker=masker, order=[[2, 1], [0]]).explain(image)
    assert_allclose(found.values, [model(image[None])[0], 0.0, 0.0], atol=1e-12)


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ([[0, 1], [2, 3]], r"leaves out 1 features, \['x4'\] first"),
        ({0: [1], 1: [0]}, "cyclic"),
        ({"wage": [0]}, "no feature 'wage'"),
        ("x0", "order must be a list of levels"),
    ],
)
def test_bad_orders_are_refused_before_the_model_is_asked(
    order: Any, said: str, table: np.ndarray, counting_model: Any, bumpy_model: Any
) -> None:
    """In explain, when the features are known."""
    counting = counting_model(bumpy_model)
    explainer = px.PermutationShap(counting, order=order).fit(table)
    asked = counting.n_rows
    with pytest.raises(InvalidParameterError, match=said):
        explainer.explain(table[:2])
    assert counting.n_rows == asked
