"""Shapley values of games of many features, of which few carry the interactions."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from perturbx.designs import Evaluations
from perturbx.errors import PerturbxError
from perturbx.samplers import ShapleyCoalitions
from perturbx.solvers import KernelShapRegression, SparseRegression
from perturbx.solvers.process.mask_trees import Boosting
from scipy.stats import t

SOLVER, PLAIN = SparseRegression(), KernelShapRegression()
QUICK = SparseRegression(n_folds=3, boosting=Boosting(n_trees=30, learning_rate=0.3, depth=4))
Game = Callable[[np.ndarray], np.ndarray]


def sparse(d: int, seed: int, active: int = 12) -> tuple[Game, np.ndarray]:
    """Slopes, and ANDs of two and three among a few features, and the Shapley values."""
    rng = np.random.default_rng(seed)
    members, slopes = rng.permutation(d)[:active], rng.normal(size=active)
    groups = [rng.permutation(active)[:size] for size in [2] * 6 + [3] * 8]
    dividends = rng.normal(size=len(groups))
    truth = np.zeros(d)
    truth[members] = slopes
    for group, dividend in zip(groups, dividends, strict=True):
        truth[members[group]] += dividend / len(group)

    def game(z: np.ndarray) -> np.ndarray:
        few = z[:, members]
        ands = np.stack([few[:, group].all(axis=1) for group in groups], axis=1)
        return few @ slopes + ands @ dividends

    return game, truth


def answers(game: Game, d: int, n: int, seed: int = 0) -> Evaluations:
    design = ShapleyCoalitions().draw(d, n, np.random.default_rng(seed))
    return Evaluations.of_game(design, game)


def error(values: np.ndarray, truth: np.ndarray) -> float:
    return float(((values.ravel() - truth) ** 2).sum() / (truth**2).sum())


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize(("d", "n"), [(3, 6), (30, 64), (60, 200), (120, 600)])
def test_linear_games_are_exact(d: int, n: int, scale: float) -> None:
    """From two pairs more than features on, at any scale."""
    slopes = scale * np.random.default_rng(d).normal(size=d)
    found = QUICK.solve(answers(lambda z: z @ slopes + 5 * scale, d, n))
    assert_allclose(found.values.ravel(), slopes, atol=1e-9 * scale)


@pytest.mark.parametrize("seed", [1, 2])
def test_few_active_features_are_found(seed: int) -> None:
    """Of 300, at 3 coalitions a feature: a tenth of the regression's squared error, or less.

    The intervals of the active features, and of the others, hold the truth.
    """
    game, truth = sparse(300, seed)
    evaluations = answers(game, 300, 900, seed)
    found = SOLVER.solve(evaluations)
    assert error(found.values, truth) < error(PLAIN.solve(evaluations).values, truth) / 10
    missed = np.abs(found.values.ravel() - truth)
    held = missed <= t.ppf(0.975, found.degrees_of_freedom) * found.standard_errors.ravel()
    assert held[truth != 0].mean() >= 0.8
    assert held[truth == 0].mean() >= 0.95


def test_fewer_pairs_than_features() -> None:
    """120 pairs of 240 features: no errors, scores that add up, an error below a tenth."""
    game, truth = sparse(240, 3, active=6)
    found = SOLVER.solve(answers(game, 240, 240))
    assert np.isnan(found.standard_errors).all()
    assert_allclose(found.values.sum(), truth.sum(), atol=1e-10)
    assert error(found.values, truth) < 0.1


def test_what_no_sparse_fit_explains_is_left_to_the_regression() -> None:
    """Noise of each coalition on a dense slope: at most 1.2 times the regression's error."""
    d = 100
    slopes = np.random.default_rng(0).normal(size=d)
    names = np.random.default_rng(1).normal(size=d)
    evaluations = answers(lambda z: z @ slopes + 3 * np.sin(1e6 * (z @ names)), d, 4 * d)
    values, plain = (solver.solve(evaluations).values for solver in (QUICK, PLAIN))
    assert error(values, slopes) <= 1.2 * error(plain, slopes)


def test_scores_do_not_depend_on_other_outputs() -> None:
    """Outputs that are solved together have the scores and errors that each has alone."""
    games = [sparse(80, seed)[0] for seed in (1, 2)]
    together = QUICK.solve(answers(lambda z: np.stack([g(z) for g in games], axis=1), 80, 320))
    for k, game in enumerate(games):
        alone = QUICK.solve(answers(game, 80, 320))
        assert_allclose(together.values[..., k], alone.values[..., 0], atol=1e-10)
        assert_allclose(together.standard_errors[..., k], alone.standard_errors[..., 0], rtol=1e-6)


def test_mirror_images_have_the_same_scores() -> None:
    """Those of 1 - p are those of p with the other sign, to the last bit."""
    game, _ = sparse(60, 5)
    found = QUICK.solve(answers(lambda z: np.stack([game(z), 1 - game(z)], axis=1), 60, 240))
    assert (found.values[..., 0] == -found.values[..., 1]).all()


def test_complete_designs_are_exact(games: SimpleNamespace) -> None:
    """With every coalition, the values are Shapley's definition."""
    game = games.random(5, 0)
    evaluations = games.evaluate(game, games.draw(ShapleyCoalitions(), 5, 32))
    assert_allclose(SOLVER.solve(evaluations).values[0], games.brute_force(game, 5), atol=1e-12)


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_constant_games(value: float) -> None:
    """Nothing moves the output: every score is 0."""
    found = QUICK.solve(answers(lambda z: np.full(len(z), value), 40, 160))
    assert_allclose(found.values, 0, atol=1e-12)
    assert_allclose(found.standard_errors, 0, atol=1e-11)


def test_memory_is_bounded() -> None:
    """At 800 features, and none of pairs squared: no more than ten of 800 x 800, trees included."""
    d = 800
    game, _ = sparse(d, 0)
    evaluations = answers(game, d, 3 * d)
    solver = SparseRegression(boosting=Boosting(n_trees=5))
    tracemalloc.start()
    solver.solve(evaluations)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 8 * d**2


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"n_folds": 1}, "n_folds"), ({"n_screened": 0}, "n_screened"), ({"boosting": 3}, "Boosting")],
)
def test_bad_settings_are_refused(settings: dict[str, int], words: str) -> None:
    """At once, by name."""
    with pytest.raises(PerturbxError, match=words):
        SparseRegression(**settings)  # type: ignore[arg-type]
