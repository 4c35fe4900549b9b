"""Shapley values by a Gaussian process over odd interactions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.designs import CustomCoalitions, Design, Evaluations
from perturbx.errors import RejectPerturbations
from perturbx.samplers import (
    BernoulliMasks,
    GaussianNoise,
    OptimalPairs,
    Sampler,
    ShapleyCoalitions,
)
from perturbx.solvers import KernelShapRegression
from perturbx.solvers.process.mask_trees import Boosting
from perturbx.solvers.process.solver import GaussianProcess
from scipy.stats import t

SOLVER = GaussianProcess()
QUICK = GaussianProcess(boosting=Boosting(n_trees=20, learning_rate=0.3))
PLAIN = KernelShapRegression()
Game = Callable[[np.ndarray], np.ndarray]


class Ands:
    """A sum of ANDs: Harsanyi dividends are shared equally, so the truth is known."""

    def __init__(self, d: int, terms: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.members = np.zeros((terms, d), dtype=bool)
        for row in self.members:
            row[rng.choice(d, rng.integers(1, 5), replace=False)] = True
        self.dividends = rng.normal(size=terms)
        self.phi = (self.dividends / self.members.sum(axis=1)) @ self.members

    def __call__(self, z: np.ndarray) -> np.ndarray:
        inside = (~z @ self.members.T.astype(float)) == 0
        return np.asarray(inside @ self.dividends)


def squared_error(
    solver: GaussianProcess | KernelShapRegression, game: Ands, e: Evaluations
) -> float:
    gap = solver.solve(e).values[0, :, 0] - game.phi
    return float((gap**2).sum() / (game.phi**2).sum())


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_complete_designs_are_read_exactly(games: SimpleNamespace, d: int) -> None:
    """With every coalition evaluated, the values are Shapley's definition."""
    game = games.random(d, 0, k=2)
    evaluations = games.evaluate(game, games.draw(ShapleyCoalitions(), d, 2**d))
    assert evaluations.design.complete
    assert_allclose(SOLVER.solve(evaluations).values[0], games.brute_force(game, d), atol=1e-12)


@given(d=st.integers(3, 20), more=st.integers(0, 60), scale=st.sampled_from([1e-8, 1.0, 1e8]))
@settings(deadline=None, max_examples=15)
def test_additive_games_are_exact(games: SimpleNamespace, d: int, more: int, scale: float) -> None:
    """From d pairs on, the slopes come out, however few the pairs, whatever the scale."""
    slopes = np.random.default_rng(d).normal(size=(d, 2))
    design = games.draw(ShapleyCoalitions(), d, 2 * d + more)
    solution = QUICK.solve(games.evaluate(lambda z: scale * (z @ slopes + 5), design))
    assert_allclose(solution.values[0], scale * slopes, atol=1e-8 * scale)


@given(
    d=st.integers(3, 12),
    pairs=st.integers(2, 40),
    seed=st.integers(0, 99),
    scale=st.sampled_from([1e-8, 1.0, 1e8]),
)
@settings(deadline=None, max_examples=12)
def test_scores_add_up_and_scale(
    games: SimpleNamespace, d: int, pairs: int, seed: int, scale: float
) -> None:
    """base + sum of scores is the full output; scores follow scale and ignore shifts."""
    game = games.smooth(d, seed)
    design = ShapleyCoalitions().draw(d, 2 * pairs, np.random.default_rng(seed))
    plain = QUICK.solve(games.evaluate(game, design))
    evaluations = games.evaluate(lambda z: scale * (game(z) - 3), design)
    scaled = QUICK.solve(evaluations)
    residual = evaluations.full - scaled.base - scaled.values.sum(axis=1)
    assert np.abs(residual).max() <= 1e-14 * d * scale
    assert_allclose(scaled.values, scale * plain.values, atol=1e-4 * scale)


def test_targets_do_not_know_of_one_another(games: SimpleNamespace) -> None:
    """Two instances with two outputs, solved at once, are solved one by one."""
    d = 7
    game = games.random(d, 1, k=4)
    design = games.draw(ShapleyCoalitions(), d, 60)
    together = QUICK.solve(games.evaluate(lambda z: game(z).reshape(-1, 2, 2), design))
    for i in range(4):
        alone = QUICK.solve(games.evaluate(lambda z, i=i: game(z)[:, i], design))
        assert_allclose(together.values[i // 2, :, i % 2], alone.values[0, :, 0], atol=1e-9)


def test_the_same_answers_give_the_same_scores(games: SimpleNamespace) -> None:
    """To the last bit, and without touching numpy's global state."""
    evaluations = games.evaluate(games.smooth(9), games.draw(ShapleyCoalitions(), 9, 80))
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = SOLVER.solve(evaluations), SOLVER.solve(evaluations)
    assert_array_equal(first.values, second.values)
    assert_array_equal(first.standard_errors, second.standard_errors)
    assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_constant_outputs_score_zero(games: SimpleNamespace) -> None:
    """Nothing happens: every score is exactly 0, with the error of arithmetic."""
    design = games.draw(ShapleyCoalitions(), 10, 60)
    solution = SOLVER.solve(games.evaluate(lambda z: np.full(len(z), 7.0), design))
    assert_array_equal(solution.values, 0.0)
    assert_allclose(solution.standard_errors, 7e-12)


def test_an_even_game_scores_zero(games: SimpleNamespace) -> None:
    """A game with v(S) = v(complement) has Shapley values 0; so does what is reported."""
    design = games.draw(ShapleyCoalitions(), 8, 60)
    solution = SOLVER.solve(games.evaluate(lambda z: 1.0 * (z[:, 0] == z[:, 1]), design))
    assert_array_equal(solution.values, 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("budget", [3, 6, 15])
def test_never_much_worse_than_regression(games: SimpleNamespace, seed: int, budget: int) -> None:
    """At most 1.3 times the error of paired regression, averaged over designs."""
    game = Ands(12, 25, seed)
    ours = plain = 0.0
    for draw in range(4):
        design = games.draw(ShapleyCoalitions(), 12, 12 * budget, draw)
        evaluations = games.evaluate(game, design)
        ours += np.log(squared_error(SOLVER, game, evaluations))
        plain += np.log(squared_error(PLAIN, game, evaluations))
    assert (ours - plain) / 4 < np.log(1.3)


def mean_ratio(game: Game, phi: np.ndarray, games: SimpleNamespace, n: int, seeds: int) -> float:
    """Squared error over that of paired regression, each on its own design of n coalitions."""
    ratios = []
    for seed in range(seeds):
        misses = [
            solver.solve(games.evaluate(game, games.draw(sampler, len(phi), n, seed))).values[
                0, :, 0
            ]
            - phi
            for solver, sampler in ((QUICK, OptimalPairs()), (PLAIN, ShapleyCoalitions()))
        ]
        ratios.append((misses[0] ** 2).sum() / (misses[1] ** 2).sum())
    return float(np.exp(np.mean(np.log(ratios))))


@pytest.mark.parametrize("factor", [20, 40])
def test_high_orders_are_met_by_every_size(games: SimpleNamespace, factor: int) -> None:
    """Ands of up to all features: chosen pairs have no larger error than paired regression."""
    d, rng = 11, np.random.default_rng(1)
    game = Ands(d, 0, 0)
    game.members = np.arange(d) < rng.integers(1, d + 1, 50)[:, None]
    game.members, game.dividends = rng.permuted(game.members, axis=1), rng.uniform(-1, 1, 50)
    phi = (game.dividends / game.members.sum(axis=1)) @ game.members
    assert mean_ratio(game, phi, games, factor * d, 4) < 1


@pytest.mark.parametrize("factor", [10, 40])
def test_noise_of_each_coalition(games: SimpleNamespace, factor: int) -> None:
    """An additive game and noise: at most 1.2 times the error of paired regression."""
    d, rng = 11, np.random.default_rng(0)
    slopes, noise = rng.normal(size=d), 0.05 * rng.normal(size=2**d)

    def game(z: np.ndarray) -> np.ndarray:
        return np.asarray(z @ slopes + noise[z @ 2 ** np.arange(d)])

    assert mean_ratio(game, slopes, games, factor * d, 4) < 1.2


@pytest.mark.parametrize("end", [0, 12])
@pytest.mark.parametrize("sampler", [ShapleyCoalitions(), OptimalPairs()])
def test_a_jump_at_one_end_hurts_nobody(games: SimpleNamespace, sampler: Sampler, end: int) -> None:
    """A jump at the empty or the full coalition: the scores without it, and jump / d for each."""
    game, jump = Ands(12, 10, 3), 40.0
    design = games.draw(sampler, 12, 240, 1)
    smooth = QUICK.solve(games.evaluate(game, design))
    jumps = games.evaluate(lambda z: game(z) + jump * (z.sum(axis=1) == end), design)
    found = QUICK.solve(jumps)
    sign = 1 if end else -1
    miss, before = (
        float(((values[0, :, 0] - game.phi) ** 2).sum())
        for values in (found.values - sign * jump / 12, smooth.values)
    )
    assert miss < 2 * before + 1e-6 * (game.phi**2).sum()
    assert found.standard_errors.max() < 3 * smooth.standard_errors.max()


def test_more_pairs_than_are_fitted_correct_the_fit(games: SimpleNamespace) -> None:
    """A fit to 150 pairs and a correction by 850 others: nearer than the fit, or all regressed."""
    game, solver = Ands(16, 60, 2), replace(QUICK, most_pairs=150)
    errors = []
    for seed in range(3):
        whole = games.evaluate(game, games.draw(ShapleyCoalitions(), 16, 2000, seed))
        few = games.evaluate(game, games.draw(ShapleyCoalitions(), 16, 300, seed))
        errors.append(
            [
                squared_error(solver, game, whole),
                squared_error(QUICK, game, few),
                squared_error(PLAIN, game, whole),
            ]
        )
    ours, of_few, plain = np.exp(np.log(errors).mean(axis=0))
    assert ours < 0.6 * min(of_few, plain)


@pytest.mark.parametrize("seed", range(3))
def test_sparse_interactions_are_found(games: SimpleNamespace, seed: int) -> None:
    """Ten ANDs among 20 features: at 20 d evaluations a tenth of the error of regression."""
    game = Ands(20, 10, seed)
    evaluations = games.evaluate(game, games.draw(ShapleyCoalitions(), 20, 400, seed))
    assert squared_error(SOLVER, game, evaluations) < 0.1 * squared_error(PLAIN, game, evaluations)


def test_a_prior_of_its_own_bends(games: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where trees explain a game, raised terms leave less than 0.8 of the squared error."""
    d, ratios = 12, []
    for seed in range(2):
        game = Ands(d, 20, seed)
        evaluations = games.evaluate(game, games.draw(OptimalPairs(), d, 200, seed))
        bent = squared_error(QUICK, game, evaluations)
        with monkeypatch.context() as unbent:
            unbent.setattr("perturbx.solvers.process.solver.ADAPTS", np.inf)
            ratios.append(bent / squared_error(QUICK, game, evaluations))
    assert np.exp(np.log(ratios).mean()) < 0.8


def test_tree_ensembles(games: SimpleNamespace) -> None:
    """A boosted model with 30 features: a third of the error of regression at 20 d; TreeSHAP."""
    shap = pytest.importorskip("shap")
    datasets, ensemble = (pytest.importorskip(f"sklearn.{m}") for m in ("datasets", "ensemble"))
    X, y = datasets.load_breast_cancer(return_X_y=True)
    model = ensemble.GradientBoostingRegressor(n_estimators=60, max_depth=4, random_state=0)
    model.fit(X, y)
    background = X[:30]
    explainer = shap.TreeExplainer(model, background, feature_perturbation="interventional")
    design = games.draw(ShapleyCoalitions(), 30, 600)
    ratios = []
    for x in X[[200, 350, 500]]:

        def game(z: np.ndarray, x: np.ndarray = x) -> np.ndarray:
            rows = np.where(z[:, None], x, background).reshape(-1, 30)
            return np.asarray(model.predict(rows).reshape(len(z), -1).mean(axis=1))

        phi = explainer.shap_values(x[None])[0]
        evaluations = games.evaluate(game, design)
        errors = [
            ((s.solve(evaluations).values[0, :, 0] - phi) ** 2).sum() for s in (SOLVER, PLAIN)
        ]
        ratios.append(errors[0] / errors[1])
    assert np.exp(np.mean(np.log(ratios))) < 1 / 3


def test_a_feature_that_does_nothing_and_two_that_do_the_same(games: SimpleNamespace) -> None:
    """A dummy is 0 and duplicates are equal, both within three standard errors."""

    def game(z: np.ndarray) -> np.ndarray:
        return np.tanh(z[:, 0] + z[:, 1] + 1.5 * z[:, 2] * z[:, 3]) + z[:, 4] * z[:, 5]

    solution = SOLVER.solve(games.evaluate(game, games.draw(ShapleyCoalitions(), 9, 120)))
    values, errors = solution.values[0, :, 0], solution.standard_errors[0, :, 0]
    assert np.abs(values[6:]).max() < 3 * errors[6:].max()
    assert abs(values[0] - values[1]) < 3 * np.hypot(errors[0], errors[1])


def test_float32_answers(games: SimpleNamespace) -> None:
    """Rounding the model's answers to float32 moves the scores by no more than rounding."""
    game = Ands(10, 8, 0)
    design = games.draw(ShapleyCoalitions(), 10, 200)
    exact = SOLVER.solve(games.evaluate(game, design)).values
    rounded = SOLVER.solve(games.evaluate(lambda z: game(z).astype(np.float32), design)).values
    assert_allclose(rounded, exact, atol=2e-4)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [ShapleyCoalitions(), OptimalPairs()])
def test_intervals_cover(games: SimpleNamespace, sampler: Sampler) -> None:
    """Nominal 95% intervals cover 91 to 99% of random designs, of a game of ANDs and a smooth one.

    Of chosen pairs they cover at least as many, and are not 2.5 times as wide as they need be.
    """
    solver, at_random = QUICK, isinstance(sampler, ShapleyCoalitions)
    smooth, d = games.smooth(10, 3), 10
    cube = games.draw(ShapleyCoalitions(), d, 2**d)
    truth = PLAIN.solve(games.evaluate(smooth, cube)).values[0, :, 0]
    ands = Ands(d, 15, 3)
    for game, phi in ((ands, ands.phi), (smooth, truth)):
        misses, errors = [], []
        for seed in range(60):
            design = games.draw(sampler, d, 120, seed)
            solution = solver.solve(games.evaluate(game, design))
            misses.append(solution.values[0, :, 0] - phi)
            errors.append(solution.standard_errors[0, :, 0])
        miss, error = np.array(misses), np.array(errors)
        half_width = error * t.ppf(0.975, solution.degrees_of_freedom)
        covered = (np.abs(miss) <= half_width).mean()
        assert covered >= 0.91
        assert covered <= 0.995 or not at_random
        assert np.sqrt((error**2).mean() / (miss**2).mean()) < 2.5


@pytest.mark.slow
def test_a_thousand_features(games: SimpleNamespace) -> None:
    """More features than a design can resolve: finite, additive, not worse than regression."""
    d = 1200
    rng = np.random.default_rng(0)
    slopes = rng.normal(size=d) * (rng.random(d) < 0.05)
    game = lambda z: z @ slopes + z[:, 0] * z[:, 1]  # noqa: E731
    phi = slopes + np.where(np.arange(d) < 2, 0.5, 0.0)
    evaluations = games.evaluate(game, ShapleyCoalitions().draw(d, 800, rng))
    ours, plain = (
        ((s.solve(evaluations).values[0, :, 0] - phi) ** 2).sum() for s in (QUICK, PLAIN)
    )
    assert ours <= 1.3 * plain


@pytest.mark.parametrize(
    "design",
    [
        BernoulliMasks().draw(6, 40, np.random.default_rng(0)),
        GaussianNoise().draw(6, 40, np.random.default_rng(0)),
        CustomCoalitions(np.eye(5, dtype=bool), np.ones(5), np.arange(5)),
    ],
)
def test_other_designs_are_refused(games: SimpleNamespace, design: Design) -> None:
    """What is not pairs is refused, and the sampler that draws them is named."""
    with pytest.raises(RejectPerturbations, match=r"ShapleyCoalitions\(\)"):
        SOLVER.solve(games.evaluate(lambda z: z.sum(axis=1).astype(float), design))


@pytest.mark.parametrize("name", ["steps", "sigmoid", "linear and an AND"])
@pytest.mark.parametrize("sampler", [ShapleyCoalitions(), OptimalPairs()])
@pytest.mark.parametrize("spare", [0, 1, 2])
def test_scores_do_not_shrink_to_their_mean(
    games: SimpleNamespace, name: str, sampler: Sampler, spare: int
) -> None:
    """With d to d + 2 pairs none can be spared to judge a prior: the regression answers."""
    d = 9
    w = np.random.default_rng(2).normal(size=d) * 3
    game = {
        "steps": lambda z: np.floor(z @ w),
        "sigmoid": lambda z: 9 * np.tanh(z @ w / 9),
        "linear and an AND": lambda z: z @ w + (z[:, 0] & z[:, 1]),
    }[name]
    for seed in range(4):
        design = sampler.draw(d, 2 * (d + spare), np.random.default_rng(seed))
        evaluations = games.evaluate(game, design)
        ours, plain = SOLVER.solve(evaluations), PLAIN.solve(evaluations)
        assert_allclose(ours.values, plain.values, atol=1e-12)
        assert np.isnan(ours.standard_errors).all()


def weighted_majority(z: np.ndarray) -> np.ndarray:
    weights = np.array([5.0, 4.0, 4.0, 3.0, 3.0, 2.0, 2.0, 1.0, 1.0, 1.0])
    return 1.0 * (z @ weights > weights.sum() / 2)


def staircase(z: np.ndarray) -> np.ndarray:
    return np.floor(z @ np.random.default_rng(1).normal(size=z.shape[1]) * 1.5)


def parity_of_five(z: np.ndarray) -> np.ndarray:
    return 1.0 * (z[:, :5].sum(axis=1) % 2)


@pytest.mark.slow
@pytest.mark.parametrize("game", [weighted_majority, staircase, parity_of_five])
def test_intervals_cover_where_the_model_jumps(games: SimpleNamespace, game: Game) -> None:
    """Six chosen pairs a feature of a game of thresholds: 95% intervals cover more than 80%.

    Interactions of five features, which chosen pairs confound with the scores, take the rest.
    """
    d, solver = 10, QUICK
    cube = games.evaluate(game, games.draw(ShapleyCoalitions(), d, 2**d))
    truth = PLAIN.solve(cube).values[0, :, 0]
    hits = []
    for seed in range(20):
        evaluations = games.evaluate(game, games.draw(OptimalPairs(), d, 120, seed))
        solution = solver.solve(evaluations)
        reach = solution.standard_errors[0, :, 0] * t.ppf(0.975, solution.degrees_of_freedom)
        hits.append(np.abs(solution.values[0, :, 0] - truth) <= reach)
    assert np.mean(hits) > 0.8


@pytest.mark.slow
def test_intervals_cover_where_few_pairs_meet_a_jump(games: SimpleNamespace) -> None:
    """Less than two chosen pairs a feature of weighted majorities: 95% intervals cover 88%.

    So few pairs often fit a smaller majority, and leave no residual.
    """
    d, hits = 8, []
    for seed in range(16):
        weights = np.abs(np.random.default_rng(seed).normal(size=d))

        def game(z: np.ndarray, weights: np.ndarray = weights) -> np.ndarray:
            return 1.0 * (z @ weights > weights.sum() / 2)

        cube = games.evaluate(game, games.draw(ShapleyCoalitions(), d, 2**d))
        truth = PLAIN.solve(cube).values[0, :, 0]
        solution = SOLVER.solve(games.evaluate(game, games.draw(OptimalPairs(), d, 28, seed)))
        reach = solution.standard_errors[0, :, 0] * t.ppf(0.975, solution.degrees_of_freedom)
        hits.append(np.abs(solution.values[0, :, 0] - truth) <= reach)
    assert np.mean(hits) > 0.88


def test_fewer_pairs_than_features_have_no_error_bar(games: SimpleNamespace) -> None:
    """Below d pairs the scores still add up, and their errors are NaN, never small."""
    design = ShapleyCoalitions().draw(20, 30, np.random.default_rng(0))
    evaluations = games.evaluate(Ands(20, 10, 0), design)
    solution = QUICK.solve(evaluations)
    assert np.isnan(solution.standard_errors).all()
    gain = evaluations.full - evaluations.empty
    assert_allclose(solution.values.sum(axis=1), gain, atol=1e-12)
