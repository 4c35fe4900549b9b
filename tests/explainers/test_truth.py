"""Scores against brute force, closed forms and the axioms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import perturbx as px
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

SHAPLEY = [px.KernelShap, px.PermutationShap]


def _explainer(method: Any, model: Any, background: np.ndarray, **settings: Any) -> Any:
    return method(model, masker=px.Background(background), **{"random_state": 0, **settings})


def _everything(d: int, n_background: int) -> int:
    """A budget that pays for every coalition."""
    return 1 + (2**d - 1) * n_background


@pytest.mark.parametrize("d", [1, 2, 3, 5, 8, 12])
def test_kernel_shap_is_brute_force(d: int, brute_force: Any, bumpy_model: Any) -> None:
    """Up to twelve features the definition comes out, for two outputs at once."""
    rng = np.random.default_rng(d)
    background, x = rng.normal(size=(4, d)), rng.normal(size=d)
    explainer = _explainer(px.KernelShap, bumpy_model, background, budget=_everything(d, 4))
    explanation = explainer.explain(x)
    assert_allclose(explanation.values, brute_force(bumpy_model, x, background), atol=1e-9)
    assert explanation.n_rows <= 2 + _everything(d, 4)  # the probe comes on top


@pytest.mark.parametrize("d", [1, 2, 3, 4, 6])
def test_permutation_shap_is_brute_force(d: int, brute_force: Any, bumpy_model: Any) -> None:
    """Up to six features the definition comes out."""
    rng = np.random.default_rng(d)
    background, x = rng.normal(size=(4, d)), rng.normal(size=d)
    explainer = _explainer(px.PermutationShap, bumpy_model, background, budget=_everything(d, 4))
    explanation = explainer.explain(x)
    assert_allclose(explanation.values, brute_force(bumpy_model, x, background), atol=1e-9)


@pytest.mark.parametrize("method", SHAPLEY)
def test_no_budget_means_exact_where_that_is_cheap(
    method: Any, brute_force: Any, bumpy_model: Any
) -> None:
    """Left alone, few features are enumerated."""
    rng = np.random.default_rng(0)
    background, x = rng.normal(size=(6, 5)), rng.normal(size=5)
    explanation = _explainer(method, bumpy_model, background).explain(x)
    assert_allclose(explanation.values, brute_force(bumpy_model, x, background), atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("method", SHAPLEY)
def test_sampled_scores_converge(method: Any, brute_force: Any, bumpy_model: Any) -> None:
    """Sixteen times the budget gives at most half the error, over five seeds."""
    rng = np.random.default_rng(1)
    background, x = rng.normal(size=(5, 10)), rng.normal(size=10)
    truth = brute_force(bumpy_model, x, background)
    errors = []
    for budget in (6 + 5 * 40, 6 + 5 * 640):
        found = [
            _explainer(method, bumpy_model, background, budget=budget, random_state=s)
            .explain(x)
            .values
            for s in range(5)
        ]
        errors.append(np.sqrt(np.mean([(f - truth) ** 2 for f in found])))
    assert errors[1] < errors[0] / 2
    assert errors[1] < 0.05 * np.abs(truth).max()


@given(d=st.integers(1, 14), more=st.integers(0, 200), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=30)
@pytest.mark.parametrize("method", SHAPLEY)
def test_linear_models_are_exact_at_any_budget(method: Any, d: int, more: int, seed: int) -> None:
    """slope * (x - mean of the background), from the least budget on."""
    rng = np.random.default_rng(seed)
    slopes, background, x = rng.normal(size=d), rng.normal(size=(3, d)), rng.normal(size=(2, d))
    least = 4 + 3 * 2 * d
    explainer = _explainer(method, lambda X: X @ slopes + 1, background, budget=least + more)
    values = explainer.explain(x).values
    assert_allclose(values, slopes * (x - background.mean(axis=0)), atol=1e-10 * np.sqrt(d))


@given(
    d=st.integers(1, 9),
    budget=st.integers(80, 400),
    seed=st.integers(0, 99),
    scale=st.sampled_from([1e-9, 1.0, 1e9]),
)
@settings(deadline=None, max_examples=30)
@pytest.mark.parametrize("method", SHAPLEY)
def test_efficiency(method: Any, d: int, budget: int, seed: int, scale: float) -> None:
    """base + scores is the output, to 1e-10 of its scale, whatever was tried."""
    rng = np.random.default_rng(seed)
    background, X = rng.normal(size=(3, d)), rng.normal(size=(2, d))
    slopes = rng.normal(size=d)

    def model(X: np.ndarray) -> np.ndarray:
        return scale * np.exp(np.tanh(X @ slopes) + X[:, 0] * X[:, -1] / 9)

    e = _explainer(method, model, background, budget=budget, random_state=seed).explain(X)
    size = np.abs(model(np.vstack([X, background]))).max()
    assert_allclose(e.base_values + e.values.sum(axis=1), model(X), atol=1e-10 * size, rtol=0)
    assert_allclose(e.base_values, np.full(2, model(background).mean()), rtol=1e-12)
    assert np.abs(e.residual).max() <= 1e-10 * size


@pytest.mark.parametrize("method", SHAPLEY)
def test_symmetry(method: Any) -> None:
    """Two columns that the model and the data treat alike have one score."""
    rng = np.random.default_rng(0)
    background = rng.normal(size=(4, 5))
    background[:, 1] = background[:, 0]
    x = rng.normal(size=5)
    x[1] = x[0]
    e = _explainer(method, lambda X: np.sin(X[:, 0] + X[:, 1]) * X[:, 2], background).explain(x)
    assert_allclose(e.values[0], e.values[1], atol=1e-14)


@pytest.mark.parametrize(
    ("method", "budget"),
    [
        (px.KernelShap, 10_000),
        (px.PermutationShap, 10_000),
        (px.PermutationShap, 100),
        (px.Occlusion, None),
    ],
)
def test_ignored_features_score_zero(method: Any, budget: int | None) -> None:
    """Exactly 0, and not nearly."""
    rng = np.random.default_rng(0)
    background, X = rng.normal(size=(7, 5)), rng.normal(size=(3, 5))

    def model(X: np.ndarray) -> np.ndarray:
        return np.exp(X[:, 0]) * X[:, 2] + 0.1 * X[:, 4]

    e = _explainer(method, model, background, budget=budget).explain(X)
    assert (e.values[:, [1, 3]] == 0).all()
    assert (e.values[:, [0, 2, 4]] != 0).all()


@pytest.mark.parametrize("method", [*SHAPLEY, px.Occlusion])
@pytest.mark.parametrize("budget", [60, None])
def test_features_equal_to_the_background_score_zero(method: Any, budget: int | None) -> None:
    """A column with one value in every background row and in x cannot matter: exactly 0."""
    rng = np.random.default_rng(0)
    background, X = rng.normal(size=(3, 6)), rng.normal(size=(3, 6))
    background[:, 1] = X[0, 1]
    background[:, 4] = X[:, 4] = np.nan
    X[2] = background[0]

    def model(X: np.ndarray) -> np.ndarray:
        return np.sin(np.nan_to_num(X).sum(axis=1))

    e = _explainer(method, model, background, budget=budget).explain(X)
    assert e.values[0, 1] == 0
    assert (e.values[:, 4] == 0).all()
    assert np.isfinite(e.values).all()


@pytest.mark.parametrize("method", [*SHAPLEY, px.Occlusion, px.Lime])
def test_an_instance_that_is_the_background(method: Any, table: np.ndarray) -> None:
    """One row that is its own background: all scores 0, the base is its output."""
    masker = px.Background(table[:1])
    e = method(lambda X: X.sum(axis=1), masker=masker, random_state=0).explain(table[:2])
    assert (e.values[0] == 0).all()
    assert e.base_values[0] == table[0].sum()
    assert (e.values[1] != 0).all()


@pytest.mark.parametrize("method", SHAPLEY)
@pytest.mark.parametrize("budget", [60, 1000])
def test_linearity(method: Any, budget: int, bumpy_model: Any) -> None:
    """The scores of 2 f - 3 g are 2 of f's less 3 of g's, from the same seed.

    Not so with a process, which learns its prior from the answers.
    """
    rng = np.random.default_rng(0)
    background, x = rng.normal(size=(3, 6)), rng.normal(size=6)

    settings = {"estimator": "regression"} if method is px.KernelShap else {}

    def scores(model: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        made = _explainer(method, model, background, budget=budget).set_params(**settings)
        return made.explain(x).values

    both = scores(bumpy_model)
    mixed = scores(lambda X: bumpy_model(X) @ [2.0, -3.0])
    assert_allclose(mixed, both @ [2.0, -3.0], atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("method", SHAPLEY)
def test_the_order_of_features_does_not_matter(method: Any, bumpy_model: Any) -> None:
    """Columns turned round give the same scores in distribution: means within their errors."""
    rng = np.random.default_rng(0)
    background, x = rng.normal(size=(2, 7)), rng.normal(size=7)
    order = rng.permutation(7)
    back = np.argsort(order)

    def first(X: np.ndarray) -> np.ndarray:
        return bumpy_model(X)[:, 0]

    def turned(X: np.ndarray) -> np.ndarray:
        return first(X[:, back])

    def runs(model: Any, background: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.array(
            [
                _explainer(method, model, background, budget=63, random_state=s).explain(x).values
                for s in range(30)
            ]
        )

    plain = runs(first, background, x)
    other = runs(turned, background[:, order], x[order])[:, back]
    spread = np.sqrt((plain.var(axis=0) + other.var(axis=0)) / 30)
    assert (np.abs(plain.mean(axis=0) - other.mean(axis=0)) < 4.5 * spread + 1e-12).all()


def test_groups_are_the_players(brute_force: Any) -> None:
    """Shapley values of the game whose players are groups of columns."""
    rng = np.random.default_rng(0)
    background, x = rng.normal(size=(3, 5)), rng.normal(size=5)
    groups = {"c": [4], "ab": [0, 2], "d": [3, 1]}

    def model(X: np.ndarray) -> np.ndarray:
        return X[:, 0] * X[:, 1] + X[:, 2] * X[:, 3] * X[:, 4]

    def game(rows: np.ndarray) -> np.ndarray:
        """Column j of `rows` says whose values group j has: -1 for x, else a background row."""
        out = np.empty((len(rows), 5))
        for j, members in enumerate(groups.values()):
            for column in members:
                pool = np.append(background[:, column], x[column])
                out[:, column] = pool[rows[:, j].astype(int)]
        return model(out)

    players = np.repeat(np.arange(3.0)[:, None], 3, axis=1)
    truth = brute_force(game, np.full(3, -1.0), players)[:, 0]
    e = _explainer(px.KernelShap, model, background, groups=groups).explain(x)
    assert e.feature_names == ("c", "ab", "d")
    assert_allclose(e.values, truth, atol=1e-12)


def test_occlusion_is_leave_one_out(bumpy_model: Any) -> None:
    """f(x) less the mean over background rows with one column theirs."""
    rng = np.random.default_rng(0)
    background, x = rng.normal(size=(4, 5)), rng.normal(size=5)
    expected = np.empty((5, 2))
    for j in range(5):
        rows = np.repeat(x[None], 4, axis=0)
        rows[:, j] = background[:, j]
        expected[j] = bumpy_model(x[None])[0] - bumpy_model(rows).mean(axis=0)
    e = _explainer(px.Occlusion, bumpy_model, background).explain(x)
    assert_allclose(e.values, expected, atol=1e-12)


def test_link_logit(brute_force: Any) -> None:
    """Scores add up on the logit of the averaged probability."""
    rng = np.random.default_rng(0)
    background, x = rng.normal(size=(4, 4)), rng.normal(size=4)

    def model(X: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-X[:, 0] - X[:, 1] * X[:, 2]))

    e = _explainer(px.KernelShap, model, background, link="logit").explain(x)
    base = model(background).mean()
    assert_allclose(e.base_values, np.log(base / (1 - base)))
    assert_allclose(e.predictions, x[0] + x[1] * x[2], rtol=1e-12)
    assert_allclose(e.base_values + e.values.sum(), e.predictions, rtol=1e-12)
    assert e.values[3] == 0


@pytest.mark.slow
def test_intervals_hold_the_truth(brute_force: Any, bumpy_model: Any) -> None:
    """Nominal 95% intervals of both methods hold at least 85% of scores, over forty seeds."""
    rng = np.random.default_rng(2)
    background, x = rng.normal(size=(3, 9)), rng.normal(size=9)
    truth = brute_force(bumpy_model, x, background)
    for method in SHAPLEY:
        held = []
        for seed in range(40):
            explainer = _explainer(
                method, bumpy_model, background, budget=4 + 3 * 130, random_state=seed
            )
            low, high = explainer.explain(x).interval(0.95)
            held.append((low <= truth + 1e-12) & (truth - 1e-12 <= high))
        assert np.mean(held) > 0.85, method.__name__


def test_local_slopes_are_distinguished_from_shares(bumpy_model: Any) -> None:
    """Only a fit on noise gives slopes; coefficients of presence are changes of the output."""
    rows = np.random.default_rng(0).normal(size=(9, 3))
    images = np.random.default_rng(0).random((2, 6, 6))
    of_rows = px.Lime(bumpy_model, random_state=0).fit(rows).explain(rows[:2])
    masker = px.Superpixels(method="grid", n_segments=4, channel_axis=None)
    of_regions = px.Lime(lambda X: X.mean(axis=(1, 2)), masker=masker, random_state=0)
    occlusion = px.Occlusion(bumpy_model).fit(rows).explain(rows[:2])
    assert of_rows.score_kind == "slopes"
    assert of_regions.explain(images).score_kind == "shares"
    assert occlusion.score_kind == "shares"
