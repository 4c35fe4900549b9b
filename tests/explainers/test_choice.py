"""What KernelShap does where the user sets nothing, or a budget alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_allclose
from perturbx.designs import CoalitionDesign
from perturbx.explainers._choice import CHOICE
from perturbx.explainers._plan import RecipeContext
from perturbx.solvers import (
    BackgroundContributions,
    GaussianProcess,
    KernelShapRegression,
    Solver,
    SparseRegression,
)

D = 14


@pytest.fixture(name="X", scope="module")
def normal_rows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(240, D))


def curved(X: np.ndarray) -> np.ndarray:
    return np.asarray(np.tanh(X[:, :8].sum(axis=1)) + X[:, 0] * X[:, 1] * X[:, 2])


def logistic(X: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-X @ np.linspace(-1, 1, D))))


def solver(n_features: int, n_background: int, budget: int | None, **known: Any) -> Solver:
    """The one that the default takes."""
    context = RecipeContext(CoalitionDesign, n_features, n_background, budget, "identity", **known)
    return px.KernelShap(curved).recipe(context)[1]


@pytest.mark.parametrize("n", range(1, 200))
def test_more_instances_never_get_less_in_all(n: int) -> None:
    """Each gets the full default up to ten, and never less than the least share."""
    share = CHOICE.share(n)
    assert share == 1 if n <= CHOICE.few_instances else share >= CHOICE.least_share
    assert (n + 1) * CHOICE.share(n + 1) >= n * share - 1e-12


def test_many_rows_get_a_share_and_are_told(X: np.ndarray) -> None:
    """The note says how much each got, and with which budget the errors shrink."""
    masker = px.Background(X[:40])
    explainer = px.KernelShap(curved, masker=masker, random_state=0).fit(X)
    alone, many = explainer.explain(X[100]), explainer.explain(X[100:140])
    (note,) = (note for note in many.notes if "for each" in note)
    each, full = many.n_rows / 40, alone.n_rows
    assert 0.28 * full < each < 0.32 * full
    assert note.startswith(f"{1 + 40 + 300 * 26:_} model rows for each of 40 instances")
    assert f"budget={full:_}" in note
    assert not any("for each" in note for note in alone.notes)
    more = explainer.set_params(budget=full).explain(X[100:103])
    assert (more.standard_errors.max(axis=1) < many.standard_errors[:3].max(axis=1)).all()


def test_a_budget_makes_a_row_independent_of_its_company(X: np.ndarray) -> None:
    """The same method and bits, whether one row is explained or twelve."""
    explainer = px.KernelShap(
        curved, masker=px.Background(X[:40]), budget=6_000, random_state=0
    ).fit(X)
    one, many = explainer.explain(X[100:101]), explainer.explain(X[100:112])
    assert one.method == many.method
    assert_allclose(many.values[0], one.values[0], rtol=0, atol=1e-12)


def test_the_share_leaves_each_row_good_to_two_percent(X: np.ndarray) -> None:
    """Against all 2^14 coalitions: the root mean square error over the range of the scores."""
    masker = px.Background(X[:40])
    rows = X[100:140]
    found = px.KernelShap(logistic, masker=masker, random_state=0).fit(X).explain(rows)
    everything = 1 + 40 * 2**D
    truth = px.KernelShap(logistic, masker=masker, budget=everything).fit(X).explain(rows[:4])
    assert "exact" in truth.method
    miss = np.sqrt(((found.values[:4] - truth.values) ** 2).mean(axis=1))
    assert (miss < 0.02 * np.ptp(truth.values, axis=1)).all()


def test_a_baseline_gets_the_process(X: np.ndarray) -> None:
    """With a quarter of the rows that the regression asks by default, and less error."""
    masker, x = px.Baseline(np.zeros(D)), X[100]
    truth = px.KernelShap(curved, masker=masker, budget=2**D + 1).fit(X).explain(x)
    errors, rows = [], []
    for estimator in ("auto", "regression"):
        explainer = px.KernelShap(curved, masker=masker, estimator=estimator, random_state=0)
        found = explainer.fit(X).explain(x)
        errors.append(((found.values - truth.values) ** 2).sum())
        rows.append(found.n_rows)
        assert ("Gaussian process" in found.method) == (estimator == "auto")
    assert rows[0] < rows[1] / 4
    assert errors[0] < errors[1]


@pytest.mark.slow
def test_many_rows_under_a_baseline_share_a_prior(X: np.ndarray) -> None:
    """Which a row alone does not pay for."""
    explainer = px.KernelShap(curved, masker=px.Baseline(np.zeros(D)), random_state=0).fit(X)
    assert "prior learned" not in explainer.explain(X[100]).method
    assert "prior learned" in explainer.explain(X[100:140]).method


@pytest.mark.parametrize(
    ("n_features", "n_background", "per_feature", "expected"),
    [
        (30, 100, None, BackgroundContributions),
        (30, 5, None, GaussianProcess),
        (30, 1, None, GaussianProcess),
        (30, 100, 10, BackgroundContributions),
        (30, 100, 30, GaussianProcess),
        (30, 50, 15, GaussianProcess),
        (30, 1, 50, GaussianProcess),
        (600, 100, None, BackgroundContributions),
        (600, 5, None, SparseRegression),
        (600, 100, 30, BackgroundContributions),
        (600, 100, 50, SparseRegression),
    ],
)
def test_the_choice(
    n_features: int, n_background: int, per_feature: int | None, expected: type[Solver]
) -> None:
    """By features, background rows and coalitions per feature that the budget could pay for."""
    budget = None
    if per_feature is not None:
        budget = 1 + n_background + n_background * n_features * per_feature
    assert isinstance(solver(n_features, n_background, budget), expected)


def test_the_crossover_grows_with_the_background() -> None:
    """A coalition costs all rows, a permutation one: up to a budget that depends on both."""
    last = {
        n_background: max(
            c
            for c in range(2, 60)
            if isinstance(
                solver(30, n_background, 1 + n_background * (1 + 30 * c)), BackgroundContributions
            )
        )
        for n_background in (50, 70, 100)
    }
    assert last[50] < last[70] < last[100]


def test_outputs_count() -> None:
    """Two mirror each other; each further one costs a process of its own."""
    assert CHOICE.process_seconds(100, 1) == CHOICE.process_seconds(100, 2)
    assert CHOICE.process_seconds(100, 5) == 4 * CHOICE.process_seconds(100, 1)
    assert CHOICE.targets(100) < CHOICE.targets(7)
    assert isinstance(solver(30, 2, 600, n_outputs=2), GaussianProcess)
    assert isinstance(solver(30, 1, 600, n_outputs=6), KernelShapRegression)
    assert isinstance(solver(30, 1, 600, n_outputs=6, shares_prior=True), GaussianProcess)


@pytest.mark.parametrize(("n_features", "n_background"), [(12, 1), (8, 100), (7, 20)])
def test_few_coalitions_are_all_asked(n_features: int, n_background: int) -> None:
    """Where that costs at most twice the default."""
    rows = np.random.default_rng(0).normal(size=(130, n_features))
    explainer = px.KernelShap(curved, masker=px.Background(rows[:n_background]), random_state=0)
    assert f"exact, all {2**n_features:,} coalitions" in explainer.fit().explain(rows[110:]).method
