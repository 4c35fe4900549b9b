"""Which estimator KernelShap takes, what each promises, and what comes back besides the scores."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_allclose
from perturbx.errors import BudgetError, InvalidParameterError, UnknownParameterError
from perturbx.samplers import BernoulliMasks
from perturbx.solvers import WeightedRidge

ESTIMATORS = ["auto", "regression", "process", "rows"]


@pytest.fixture
def rows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(60, 12))


def curved(X: np.ndarray) -> np.ndarray:
    """Eight features that matter, three of them together; four that do not."""
    return np.asarray(np.tanh(X[:, :8].sum(axis=1)) + X[:, 0] * X[:, 1] * X[:, 2])


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_linear_model_is_explained_exactly(estimator: Any, rows: np.ndarray) -> None:
    """Every estimator, at a budget that is far from everything."""
    slopes = np.arange(12.0)
    explainer = px.KernelShap(
        lambda X: X @ slopes, estimator=estimator, budget=4_000, random_state=0
    ).fit(rows)
    explanation = explainer.explain(rows[:3])
    expected = slopes * (rows[:3] - rows.mean(axis=0))
    if estimator in ("regression", "process"):
        assert_allclose(explanation.values, expected, atol=1e-9)
    else:  # single rows: the spread of the background is still there
        assert np.abs(explanation.values - expected).max() < 0.15 * np.abs(expected).max()
    assert np.abs(explanation.residual).max() < 1e-10 * np.abs(expected).max()


@pytest.mark.parametrize("estimator", ["regression", "process"])
def test_every_coalition_makes_every_estimator_exact(estimator: Any, rows: np.ndarray) -> None:
    """With six features in five groups, and budget for all 32 coalitions of the 60 rows."""
    explainer = px.KernelShap(curved, estimator=estimator, budget=32 * 60 + 1, random_state=0)
    groups = {"a": ["x0"], "b": ["x1", "x2"], "c": ["x3"], "d": ["x4", "x5"]}
    groups["rest"] = [f"x{j}" for j in range(6, 12)]
    explainer.set_params(groups=groups).fit(rows)
    explanation = explainer.explain(rows[0])
    assert "exact, all 32 coalitions" in explanation.method
    permuted = px.PermutationShap(curved, budget=32 * 60 + 1, groups=groups).fit(rows)
    assert_allclose(explanation.values, permuted.explain(rows[0]).values, atol=1e-13)


def test_auto_depends_on_the_budget(rows: np.ndarray) -> None:
    """Single rows first, then the process, then everything."""
    said = []
    for budget in (None, 60 * 80, 60 * 400, 60 * 2**12 + 1):
        explainer = px.KernelShap(curved, budget=budget, random_state=0).fit(rows)
        said.append(explainer.explain(rows[0]).method)
    for method, words in zip(
        said,
        ["one background row each", "one background row each", "Gaussian process", "exact, all"],
        strict=True,
    ):
        assert words in method


def test_rows_work_where_a_regression_cannot(rows: np.ndarray) -> None:
    """Fifty rows a feature: fewer than the regression's least budget."""
    with pytest.raises(BudgetError, match=r"needs at least 1501 model rows"):
        px.KernelShap(curved, estimator="regression", budget=600).fit(rows).explain(rows[0])
    explanation = px.KernelShap(curved, budget=600, random_state=0).fit(rows).explain(rows[0])
    truth = px.KernelShap(curved, budget=60 * 2**12 + 1).fit(rows).explain(rows[0])
    assert explanation.n_rows <= 600
    assert np.corrcoef(explanation.values, truth.values)[0, 1] > 0.8


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"estimator": "rows", "interactions": True}, "interactions=True"),
        ({"estimator": "rows", "link": "logit"}, 'link="logit"'),
        ({"estimator": "rows", "masker": px.Baseline("mean")}, "one row behind"),
        ({"estimator": "leverage"}, "estimator must be one of 'auto'"),
    ],
)
def test_estimators_that_cannot_serve_are_refused(
    settings: dict[str, Any], words: str, rows: np.ndarray
) -> None:
    """By name, and before anything is computed."""
    explainer = px.KernelShap(lambda X: 1 / (1 + np.exp(-X[:, 0])), **settings)
    with pytest.raises(InvalidParameterError, match=words):
        explainer.fit(rows).explain(rows[0])


@pytest.mark.parametrize("method", [px.PermutationShap, px.Lime, px.Occlusion, px.Banzhaf])
def test_interactions_are_refused_by_other_methods(method: Any) -> None:
    with pytest.raises(UnknownParameterError, match="interactions"):
        method(curved, interactions=True)


def test_interactions_come_with_the_scores(rows: np.ndarray, tmp_path: Any) -> None:
    """A product of two features is their interaction alone; slices and files keep it."""
    explainer = px.KernelShap(
        lambda X: np.stack([X[:, 0] * X[:, 1], X[:, 2]], axis=1),
        interactions=True,
        budget=60 * 400,
        random_state=0,
    ).fit(rows)
    explanation = explainer.explain(rows[:2])
    of_product = explanation[0, :, 0].interactions
    spread = (rows[0, 0] - rows[:, 0]) * (rows[0, 1] - rows[:, 1])
    assert of_product.shapley.shape == (12, 12)
    assert of_product.shapley[0, 1] == pytest.approx(spread.mean(), abs=1e-8)
    assert np.abs(np.delete(of_product.shapley[0], 1)).max() < 1e-8
    faith = np.triu(of_product.faith_shap).sum()
    assert faith == pytest.approx(explanation[0, :, 0].values.sum(), abs=1e-9)
    assert explanation[:, "x0"].interactions is None
    explanation.save(tmp_path / "both.npz")
    again = px.load(tmp_path / "both.npz")
    assert_allclose(again.interactions.faith_shap, explanation.interactions.faith_shap)


def test_background_errors_tell_of_the_choice_of_rows() -> None:
    """A linear model's scores move with the background's mean: sd / sqrt(B), times the slope."""
    rng = np.random.default_rng(1)
    x, slopes = np.zeros(5), np.array([3.0, 2.0, 1.0, 0.5, 0.0])
    found = []
    for seed in range(24):
        background = rng.normal(size=(50, 5))
        explainer = px.KernelShap(
            lambda X: X @ slopes, masker=px.Background(background), budget=1600, random_state=seed
        )
        found.append(explainer.explain(x).background_errors)
    assert_allclose(np.mean(found, axis=0), slopes / np.sqrt(50), rtol=0.15, atol=1e-12)


ORDERED = np.stack(
    [
        np.arange(40.0),  # sorted
        np.tile([0.0, 20.0], 20),  # classes in turn
        np.repeat(np.random.default_rng(2).permutation(10) * 4.0, 4),  # copies side by side
        np.repeat([0.0, 20.0], 20),  # one class after the other
    ],
    axis=1,
)


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        (px.KernelShap, {}),
        (px.KernelShap, {"estimator": "regression", "budget": 40 * 11 + 1}),
        (px.KernelShap, {"estimator": "process", "budget": 40 * 11 + 1}),
        (px.KernelShap, {"estimator": "rows", "budget": 2_000}),
        (px.KernelShap, {"link": "logit"}),
        (px.PermutationShap, {"budget": 40 * 20}),
        (px.Banzhaf, {"budget": 40 * 11 + 1}),
        (px.Occlusion, {}),
        (px.OwenShap, {}),
    ],
)
def test_background_errors_know_nothing_of_the_order(method: Any, settings: Any) -> None:
    """Sorted rows, classes in turn, copies side by side: sd / sqrt(B) in the mean over seeds."""

    def model(X: np.ndarray) -> np.ndarray:
        scores = X.sum(axis=1)
        return 0.5 + 1e-6 * scores if "link" in settings else scores

    masker = px.ColumnTree if method is px.OwenShap else px.Background
    squares = []
    for seed in range(20):
        explainer = method(model, masker=masker(ORDERED), random_state=seed, **settings)
        squares.append(explainer.explain(np.full(4, -1.0)).background_errors ** 2)
    slope = 4e-6 if "link" in settings else 1.0
    expected = slope * ORDERED.std(axis=0, ddof=1) / np.sqrt(40)
    assert_allclose(np.sqrt(np.mean(squares, axis=0)), expected, rtol=0.2)


def test_large_errors_are_said(rows: np.ndarray) -> None:
    """With a budget to type that makes them small; and not where they are small."""
    wide = px.KernelShap(curved, budget=600, random_state=0).fit(rows).explain(rows[:2])
    (note,) = (note for note in wide.notes if "standard errors" in note)
    assert note.startswith("2 of 2 instances: standard errors reach ")
    advice = re.search(r"budget=([\d_]+) would be enough", note)
    assert advice is not None
    enough = px.KernelShap(curved, budget=int(advice[1]), random_state=0).fit(rows)
    assert enough.explain(rows[:2]).notes == ()


def test_no_budget_beyond_all_coalitions_is_advised(rows: np.ndarray) -> None:
    """Five features have 30 coalitions between none and all; single rows are never all tried."""
    everything = 60 * (2**5 - 1) + 1
    settings: Any = {"budget": 1_000, "tol": 1e-6, "random_state": 0}
    notes = {
        estimator: px.KernelShap(triple, estimator=estimator, **settings)
        .fit(rows[:, :5])
        .explain(rows[0, :5])
        .notes[-1]
        for estimator in ("auto", "rows")
    }
    assert notes["auto"].endswith(f"(target 0.0001%): budget={everything:_} would be enough")
    assert notes["rows"].endswith("(target 0.0001%)")


def triple(X: np.ndarray) -> np.ndarray:
    return np.asarray(X[:, :3].prod(axis=1) + np.sin(X[:, 3] * X[:, 4]))
    fine = px.KernelShap(curved, budget=60 * 2**12 + 1).fit(rows).explain(rows[0])
    assert fine.notes == ()


def test_tol_stops_rows_and_process(rows: np.ndarray) -> None:
    """Both stop before the budget is spent, and report it."""
    for budget in (40_000, 60_000):
        explainer = px.KernelShap(curved, budget=budget, tol=0.05, random_state=0).fit(rows)
        explanation = explainer.explain(rows[0])
        assert explanation.converged
        assert explanation.n_rows < budget / 2
        reach = np.ptp(explanation.values)
        assert explanation.standard_errors.max() <= 0.05 * reach


ROWS = (np.random.default_rng(0).random((100, 20)) < 0.1) * 1.0


def conjunction(X: np.ndarray) -> np.ndarray:
    return X[:, 0] * X[:, 1] * X[:, 2]


def parity(X: np.ndarray) -> np.ndarray:
    return X[:, :3].sum(axis=1) % 2


def majority(X: np.ndarray) -> np.ndarray:
    return 1.0 * (X[:, :3].sum(axis=1) >= 2)


def floors(X: np.ndarray) -> np.ndarray:
    return np.floor(X[:, :3] @ [0.9, 0.5, 0.3] + 0.2)


@pytest.mark.slow
@pytest.mark.parametrize(("budget", "tol"), [(1000, 0.05), (4000, 0.1), (16_000, 0.2)])
@pytest.mark.parametrize("model", [conjunction, parity, majority, floors])
@pytest.mark.parametrize("rows", [ROWS, ROWS[:1] * 0], ids=["100 rows", "one row"])
def test_tol_never_ends_on_chance(
    model: Any, rows: np.ndarray, budget: int, tol: float, brute_force: Any
) -> None:
    """Of the converged runs, at most one in twenty has an error above 3 * tol * range."""
    x, truth = np.ones(20), np.zeros(20)
    truth[:3] = brute_force(model, x[:3], rows[:, :3])[:, 0]
    n_claims = n_wrong = 0
    for seed in range(24):
        explanation = px.PermutationShap(
            model, masker=px.Background(rows), budget=budget, tol=tol, random_state=seed
        ).explain(x)
        n_claims += bool(explanation.converged)
        miss = np.abs(explanation.values - truth).max()
        n_wrong += bool(explanation.converged and miss > 3 * tol * np.ptp(truth))
    assert n_wrong <= max(1, 0.05 * n_claims)


@pytest.mark.parametrize("method", [px.KernelShap, px.PermutationShap])
def test_tol_continues_if_few_permutations_agree(method: Any) -> None:
    """None of ten runs takes the luck of its first permutations for precision."""
    for seed in range(10):
        explanation = method(
            conjunction, masker=px.Background(ROWS), budget=1000, tol=0.05, random_state=seed
        ).explain(np.ones(20))
        assert explanation.converged is False


@pytest.mark.parametrize("method", [px.Lime, px.Rise])
def test_tol_stops_methods_that_enumerate_nothing(method: Any) -> None:
    """Also with so few columns that all coalitions would have been fewer than the budget."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    settings = (
        {} if method is px.Lime else {"masker": px.Background(X[:1]), "estimator": "covariance"}
    )
    explainer = method(
        lambda X: X @ [1.0, 2.0, 3.0, 4.0] + X[:, 0] ** 2,
        tol=0.2,
        budget=20_000,
        random_state=0,
        **settings,
    ).fit(X)
    explanation = explainer.explain(X[5])
    assert explanation.converged
    assert explanation.n_rows < 10_000


@pytest.mark.parametrize("method", [px.KernelShap, px.PermutationShap])
def test_the_range_of_tol_holds_features_that_equal_the_background(method: Any) -> None:
    """Scores near 1, 1, ... and 0 have a range of 1, also where the last is known beforehand."""
    x, rows = np.ones(16), np.zeros((1, 16))
    rows[0, 15] = 1

    def model(X: np.ndarray) -> np.ndarray:
        return X.sum(axis=1) + 0.05 * X[:, 0] * X[:, 1] * X[:, 2]

    explanation = method(
        model, masker=px.Background(rows), budget=8000, tol=0.05, random_state=0
    ).explain(x)
    assert explanation.converged
    assert explanation.n_rows < 4000


@pytest.mark.parametrize(
    "explainer",
    [px.Rise, partial(px.Rise, estimator="covariance"), partial(px.Rise, estimator="mean")],
    ids=["ridge", "covariance", "mean"],
)
def test_tol_continues_if_no_effect_was_seen(explainer: Any) -> None:
    """Forty masks miss a conjunction of twelve: scores of 0 are then no answer."""
    rows, x = np.zeros((1, 14)), np.ones(14)
    explanation = explainer(
        lambda X: X[:, :12].prod(axis=1),
        masker=px.Background(rows),
        budget=42,
        tol=0.1,
        random_state=0,
    ).explain(x)
    assert explanation.converged is False


def _wide(X: np.ndarray) -> np.ndarray:
    """Four of 500 columns matter, three of them together."""
    present = X[:, :4] != 0
    return np.asarray(present @ [1.0, -2.0, 3.0, 0.5] + 2 * present[:, :3].all(axis=1))


def test_many_features_are_explained_by_the_few_that_matter() -> None:
    """500 columns at 3 coalitions each: the scores are near their truth, the errors hold it.

    The same bits come back for any batch size.
    """
    d = 500
    settings: dict[str, Any] = {"masker": px.Baseline(np.zeros(d)), "budget": 3 * d}
    settings["random_state"] = 0
    explanation = px.KernelShap(_wide, **settings).explain(np.ones(d))
    truth = np.zeros(d)
    truth[:4] = [1 + 2 / 3, -2 + 2 / 3, 3 + 2 / 3, 0.5]
    assert "sparse regression" in explanation.method
    assert_allclose(explanation.values, truth, atol=0.02)
    assert (np.abs(explanation.values - truth) <= 3 * explanation.standard_errors).mean() > 0.98
    others = px.KernelShap(_wide, batch_size=77, **settings).explain(np.ones(d))
    assert (others.values == explanation.values).all()


def test_independent_masks_never_try_all_coalitions() -> None:
    """More of them lowers the errors, however few coalitions there are: the note names more."""
    explainer = px.Explainer(
        lambda X: X[:, 0] * X[:, 1] * (X[:, 2] > 0),
        masker=px.Baseline(np.zeros(4)),
        sampler=BernoulliMasks(),
        solver=WeightedRidge(),
        budget=200,
        random_state=0,
    )
    (note,) = (n for n in explainer.explain(np.ones(4)).notes if "standard errors" in n)
    advice = re.search(r"budget=([\d_]+) would be enough", note)
    assert advice is not None
    assert int(advice[1]) > 200
