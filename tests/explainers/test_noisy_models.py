"""Models that answer differently each time."""

import warnings
from typing import Any

import numpy as np
import perturbx as px
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from perturbx.designs import Evaluations, Pairs, Variances
from perturbx.errors import BudgetError, InvalidParameterError, UnstableModelWarning
from perturbx.samplers import ShapleyCoalitions
from perturbx.solvers import KernelShapRegression

D = 6
X = np.random.default_rng(0).normal(size=(40, D))
SLOPES = np.array([3.0, -2.0, 1.0, 0.5, 0.0, 0.0])


def noisy(seed: int, size: float = 1.0, d: int = D) -> Any:
    rng = np.random.default_rng(seed)

    def model(rows: np.ndarray) -> np.ndarray:
        return rows @ SLOPES[:d] + size * rng.normal(size=len(rows))

    return model


def steady(rows: np.ndarray) -> np.ndarray:
    return rows @ SLOPES + rows[:, 0] * rows[:, 1]


BASELINE = px.Baseline(np.zeros(D))
METHODS: dict[str, tuple[type, dict[str, Any]]] = {
    "pairs": (px.KernelShap, {"masker": BASELINE, "budget": 50}),
    "process": (px.KernelShap, {"masker": BASELINE, "budget": 50, "estimator": "process"}),
    "all coalitions": (px.KernelShap, {"masker": BASELINE, "budget": 300}),
    "background": (px.KernelShap, {"masker": px.Background(max_rows=5), "budget": 220}),
    "rows": (
        px.KernelShap,
        {"masker": px.Background(max_rows=5), "budget": 220, "estimator": "rows"},
    ),
    "permutations": (px.PermutationShap, {"masker": BASELINE, "budget": 60}),
    "consistent": (
        px.PermutationShap,
        {"masker": BASELINE, "budget": 60, "order": [[0, 1, 2], [3, 4, 5]]},
    ),
    "permutations of rows": (
        px.PermutationShap,
        {"masker": px.Background(max_rows=5), "budget": 220},
    ),
    "banzhaf": (px.Banzhaf, {"masker": BASELINE, "budget": 50}),
    "occlusion": (px.Occlusion, {"masker": BASELINE, "budget": 50}),
    "tree": (px.OwenShap, {"masker": px.ColumnTree(max_rows=3), "budget": 120}),
    "lime": (px.Lime, {"budget": 100}),
}


@pytest.mark.parametrize("name", METHODS)
def test_every_method_keeps_its_budget_and_adds_up(name: str) -> None:
    """Repeated answers are part of the budget; scores add up to the mean answers."""
    method, parameters = METHODS[name]
    explainer = method(noisy(0), random_state=0, **parameters).fit(X)
    explanation = explainer.explain(X[:2])
    assert explanation.n_rows <= 2 * parameters["budget"]
    assert explanation.noise_errors is not None
    assert explanation.noise_errors.shape == explanation.values.shape
    assert (explanation.noise_errors > 0).all()
    assert any("answers differently" in note for note in explanation.notes)
    if explanation.residual is not None:
        np.testing.assert_allclose(explanation.residual, 0.0, atol=1e-12)
    one = explanation[0, [0, 2]]
    np.testing.assert_array_equal(one.noise_errors, explanation.noise_errors[0, [0, 2]])


@pytest.mark.parametrize("name", ["pairs", "rows", "occlusion", "tree", "lime"])
def test_a_steady_model_is_explained_as_ever(name: str) -> None:
    """Found to be deterministic is the same, to the last bit, as said to be deterministic."""
    method, parameters = METHODS[name]
    found = method(steady, random_state=0, **parameters).fit(X).explain(X[:2])
    told = method(steady, random_state=0, stochastic=False, **parameters).fit(X).explain(X[:2])
    for part in ("values", "standard_errors", "base_values", "n_rows", "n_calls"):
        np.testing.assert_array_equal(getattr(found, part), getattr(told, part))
    assert found.noise_errors is None


def test_noise_of_zero_has_no_error() -> None:
    """A steady model said to be stochastic: every coalition has its exact value."""
    settings = {"masker": BASELINE, "budget": 300, "random_state": 0}
    exact = px.KernelShap(steady, **settings).fit(X).explain(X[:2])
    found = px.KernelShap(steady, stochastic=True, **settings).fit(X).explain(X[:2])
    np.testing.assert_allclose(found.values, exact.values, atol=1e-12)
    np.testing.assert_allclose(found.noise_errors, 0.0, atol=1e-12)


COVERED = {
    "pairs": (px.KernelShap, 40, SLOPES),
    "sizes asked again": (px.KernelShap, 60, SLOPES),
    "all coalitions": (px.KernelShap, 200, SLOPES),
    "permutations": (px.PermutationShap, 100, SLOPES),
    "banzhaf": (px.Banzhaf, 60, SLOPES),
    "occlusion": (px.Occlusion, 40, SLOPES),
}


@pytest.mark.parametrize("name", COVERED)
def test_intervals_contain_sampling_and_noise(name: str) -> None:
    """95% intervals cover 91% to 99% over seeds of noise and of perturbations."""
    method, budget, truth = COVERED[name]
    x = np.ones(D)
    hits = []
    for seed in range(100):
        parameters = {"estimator": "regression"} if method is px.KernelShap else {}
        explainer = method(
            noisy(seed), masker=BASELINE, budget=budget, random_state=seed, **parameters
        )
        low, high = explainer.explain(x).interval()
        hits.append((low <= truth) & (truth <= high))
    assert 0.91 <= np.mean(hits) <= 0.99


@given(st.integers(2, 9), st.integers(0, 300), st.integers(0, 60))
@example(6, 16, 0)
@settings(deadline=None, max_examples=40)
def test_repeats_spend_what_there_is(d: int, more: int, again: int) -> None:
    """Never more answers than there are, both members of a pair alike, and no fewer with more."""
    sampler = ShapleyCoalitions()
    n = sampler.minimum(d) + more
    design = sampler.draw(d, sampler.distinct(d, n), np.random.default_rng(0))
    assert isinstance(design, Pairs)
    repeats = design.repeats(n)
    assert len(design) <= repeats.sum() <= n
    assert (repeats[0::2] == repeats[1::2]).all()
    assert (design.repeats(n + again) >= repeats).all()
    if design.complete:
        assert repeats.sum() >= n - 2 * (d // 2 + 1)


@pytest.mark.parametrize("d", [6, 12])
def test_the_ends_are_asked_as_often_as_is_best(d: int) -> None:
    """Half or twice as many answers for the full and the empty output: a larger variance."""
    rows, sampler, found = 40 * d, ShapleyCoalitions(), []
    for times in (0.25, 1.0, 4.0):
        worth = times * Pairs.worth_of_ends(d)
        n = int(rows / (1 + 2 * worth))
        design = sampler.draw(d, sampler.distinct(d, n), np.random.default_rng(0))
        repeats = design.repeats(n)
        ends = np.full((1, 1), 1 / (worth * n))
        e = Evaluations.of_game(design, lambda z: z @ np.zeros(d))
        each = (1 / repeats)[:, None, None]
        solution = KernelShapRegression().solve(
            Evaluations(design, e.outputs, e.full, e.empty, variances=Variances(each, ends, ends))
        )
        found.append(float((solution.noise_errors**2).sum()))
    assert found[1] < min(found[0], found[2])


def test_sizes_that_are_known_are_better_asked_again() -> None:
    """The same rows on further pairs, each once: more variance from noise."""
    d, n, sampler = 12, 480, ShapleyCoalitions()
    variance = []
    for m in (sampler.distinct(d, n), n):
        design = sampler.draw(d, m, np.random.default_rng(0))
        each = (1 / design.repeats(n))[:, None, None]
        e = Evaluations.of_game(design, lambda z: z @ np.zeros(d))
        ends = np.zeros((1, 1))
        solved = KernelShapRegression().solve(
            Evaluations(design, e.outputs, e.full, e.empty, variances=Variances(each, ends, ends))
        )
        variance.append(float((solved.noise_errors**2).sum()))
    assert variance[0] < 0.6 * variance[1]


def test_tol_stops_a_noisy_model() -> None:
    """Rounds go on, also once every coalition is known, until the mean answers are precise."""
    explainer = px.KernelShap(
        noisy(0, 0.2), masker=BASELINE, budget=20_000, tol=0.02, random_state=0
    )
    explanation = explainer.explain(np.ones(D))
    assert explanation.converged
    assert 300 < explanation.n_rows < 20_000
    assert explanation.standard_errors.max() < 0.02 * 5.2


def test_false_warns_and_true_does_not() -> None:
    """A model that should be steady is reported; one that is known to vary is not."""
    with pytest.warns(UnstableModelWarning, match="stochastic=True"):
        px.KernelShap(noisy(0), stochastic=False, masker=BASELINE).fit(X)
    for stochastic in (True, "auto"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            px.KernelShap(noisy(0), stochastic=stochastic, masker=BASELINE).fit(X)


def test_bad_settings_are_refused() -> None:
    """A word that is none, and a budget that pays for no second answer."""
    with pytest.raises(InvalidParameterError, match="stochastic"):
        px.KernelShap(noisy(0), stochastic="maybe").fit(X)
    with pytest.raises(BudgetError, match=r"2 for the instance \+ 2 for the empty"):
        px.KernelShap(noisy(0), masker=BASELINE, budget=8, random_state=0).fit(X).explain(X[:1])


@pytest.mark.parametrize("method", [px.OwenShap, px.KernelShap, px.PermutationShap])
def test_one_column_that_changes_the_output(method: Any) -> None:
    """It needs no perturbation, and so there may be none to judge the precision by."""
    rows = np.c_[np.arange(6.0), np.ones(6)]
    run = method(lambda X: 2 * X[:, 0], tol=0.1, stochastic=True, budget=300, random_state=0)
    explanation = run.fit(rows).explain(rows[4:])
    np.testing.assert_allclose(explanation.values, [[3.0, 0.0], [5.0, 0.0]], atol=1e-9)
    assert explanation.converged
