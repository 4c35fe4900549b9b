"""Pairwise interactions: brute force, axioms, exact recovery, convergence and coverage."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from itertools import combinations
from math import factorial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.designs import Evaluations, Variances
from perturbx.result import Interactions
from perturbx.samplers import OptimalPairs, ShapleyCoalitions
from perturbx.solvers import (
    GaussianProcess,
    KernelShapRegression,
    WithInteractions,
    _strata,
    _svd,
)
from scipy.stats import t

SOLVER = WithInteractions(KernelShapRegression())
PROCESS = WithInteractions(GaussianProcess(), "process")
FIELDS = ("shapley", "faith_shap", "shapley_errors", "faith_shap_errors")


def every_coalition(d: int) -> np.ndarray:
    return (np.arange(2**d)[:, None] >> np.arange(d)) % 2 == 1


def shapley_index(game: object, d: int) -> np.ndarray:
    """Grabisch & Roubens' definition, one subset at a time: (d, d)."""
    value = dict(zip(map(tuple, every_coalition(d)), game(every_coalition(d)).ravel(), strict=True))
    index = np.zeros((d, d))
    for i, j in combinations(range(d), 2):
        for others in every_coalition(d - 2):
            n = int(others.sum())
            weight = factorial(n) * factorial(d - n - 2) / factorial(d - 1)
            for with_i, with_j in [(0, 0), (0, 1), (1, 0), (1, 1)]:
                z = np.insert(np.insert(others, i, bool(with_i)), j, bool(with_j))
                index[i, j] += (-1) ** (with_i + with_j) * weight * value[tuple(z)]
    return index + index.T


def faith_shap(game: object, d: int) -> np.ndarray:
    """Tsai, Yeh & Ravikumar's definition, a regression with two constraints: (d, d)."""
    pairs = list(combinations(range(d), 2))
    z = every_coalition(d)
    size = z.sum(axis=1)
    terms = np.column_stack([np.ones(len(z)), z, *(z[:, i] & z[:, j] for i, j in pairs)])
    inner = (size > 0) & (size < d)
    kernel = [
        1 / (factorial(d) / factorial(d - s) / factorial(s) * s * (d - s)) for s in size[inner]
    ]
    y = game(z).ravel()
    normal = terms[inner].T * kernel @ terms[inner]
    ends = terms[~inner]
    system = np.block([[normal, ends.T], [ends, np.zeros((2, 2))]])
    right = np.concatenate([terms[inner].T * kernel @ y[inner], y[~inner]])
    found = np.linalg.lstsq(system, right, rcond=None)[0]
    square = np.diag(found[1 : d + 1])
    for (i, j), term in zip(pairs, found[d + 1 :], strict=False):
        square[i, j] = square[j, i] = term
    return square


def quadratic(d: int, seed: int = 0) -> tuple[np.ndarray, object]:
    """Main effects on the diagonal, interactions off it, and the game that they make."""
    rng = np.random.default_rng(seed)
    terms = rng.normal(size=(d, d))
    terms = np.where(np.eye(d), terms, np.triu(terms, 1) + np.triu(terms, 1).T)
    upper = np.triu(terms)
    return terms, lambda z: 5 + np.einsum("mi,ij,mj->m", z.astype(float), upper, z)


def solve(games: SimpleNamespace, game: object, d: int, n: int, seed: int = 0) -> Interactions:
    design = ShapleyCoalitions().draw(d, n, np.random.default_rng(seed))
    return SOLVER.solve(games.evaluate(game, design)).interactions


@pytest.mark.parametrize("d", [2, 3, 4, 6, 8])
def test_brute_force_agrees(games: SimpleNamespace, d: int) -> None:
    """On complete designs both indices are what their definitions say."""
    game = games.random(d, seed=d)
    found = solve(games, game, d, 2**d)
    assert_allclose(found.shapley[0, :, :, 0], shapley_index(game, d), atol=1e-12)
    assert_allclose(found.faith_shap[0, :, :, 0], faith_shap(game, d), atol=1e-10)
    assert (found.shapley_errors < 1e-10).all()
    assert found.degrees_of_freedom == np.inf


def test_one_feature_has_only_a_main_effect(games: SimpleNamespace) -> None:
    """Nothing to interact with."""
    found = solve(games, lambda z: 3.0 * z[:, 0], 1, 2)
    assert_array_equal(found.shapley, np.zeros((1, 1, 1, 1)))
    assert_array_equal(found.faith_shap, np.full((1, 1, 1, 1), 3.0))


@given(d=st.integers(3, 7), seed=st.integers(0, 999), complete=st.booleans())
@settings(deadline=None, max_examples=40)
def test_axioms(games: SimpleNamespace, d: int, seed: int, complete: bool) -> None:
    """Symmetry of the arrays, efficiency of Faith-Shap, and invariance to the order of features."""
    n = 2**d if complete else d * (d - 1) + 4
    game = games.random(d, seed)
    found = solve(games, game, d, n, seed)
    for name in FIELDS:
        array = getattr(found, name)
        assert_array_equal(array, array.swapaxes(1, 2))
    assert_array_equal(np.einsum("niik->nik", found.shapley), 0.0)
    ends = game(np.array([[False] * d, [True] * d]))[:, 0]
    assert_allclose(np.triu(found.faith_shap[0, :, :, 0]).sum(), ends[1] - ends[0], atol=1e-12)
    order = np.random.default_rng(seed).permutation(d)
    design = ShapleyCoalitions().draw(d, n, np.random.default_rng(seed))
    moved = replace(design, first=design.first[:, order])
    there = SOLVER.solve(
        games.evaluate(lambda z: game(z[:, np.argsort(order)]), moved)
    ).interactions
    assert_allclose(there.faith_shap, found.faith_shap[:, order][:, :, order], atol=1e-9)


def test_complete_designs_are_linear_and_give_dummies_nothing(games: SimpleNamespace) -> None:
    """A sum of games has the sum of their interactions; what changes nothing has 0, to the bit."""
    one, two = games.random(4, 0), games.random(6, 1)
    d = 6
    first = solve(games, lambda z: 1e6 + one(z[:, :4]), d, 64)
    second = solve(games, two, d, 64)
    both = solve(games, lambda z: one(z[:, :4]) - 2 * two(z), d, 64)
    for name in ("shapley", "faith_shap"):
        sums = getattr(first, name) - 2 * getattr(second, name)
        assert_allclose(getattr(both, name), sums, atol=1e-8)
        assert_array_equal(getattr(first, name)[:, 4:], 0.0)


@given(d=st.integers(4, 9), seed=st.integers(0, 99), scale=st.sampled_from([1e-8, 1.0, 1e8]))
@settings(deadline=None, max_examples=40)
def test_games_of_pairs_are_exact(games: SimpleNamespace, d: int, seed: int, scale: float) -> None:
    """With half as many pairs again as unknowns, a game without triples has no error at all."""
    terms, game = quadratic(d, seed)
    n = 3 * d * (d - 1) // 2 + 4
    found = solve(games, lambda z: scale * game(z), d, n, seed)
    assert_allclose(found.faith_shap[0, :, :, 0], scale * terms, atol=1e-8 * scale)
    apart = np.where(np.eye(d), 0, terms)
    assert_allclose(found.shapley[0, :, :, 0], scale * apart, atol=1e-8 * scale)


@given(d=st.integers(4, 9), seed=st.integers(0, 99), scale=st.sampled_from([1e-8, 1.0, 1e8]))
@settings(deadline=None, max_examples=30)
def test_scale_and_shift(games: SimpleNamespace, d: int, seed: int, scale: float) -> None:
    """Interactions follow the scale of the output and ignore what is added to it."""
    game = games.smooth(d, seed)
    plain = solve(games, game, d, 2 * d * d, seed)
    there = solve(games, lambda z: scale * (game(z) - 3), d, 2 * d * d, seed)
    for name in ("shapley", "faith_shap"):
        assert_allclose(getattr(there, name), scale * getattr(plain, name), atol=1e-9 * scale)


def test_targets_solved_together_are_those_solved_singly(games: SimpleNamespace) -> None:
    """One factorization serves all, each keeps its own ridge, and nothing leaks between them."""
    d, n, k = 7, 2, 3
    design = games.draw(ShapleyCoalitions(), d, 64)
    rng = np.random.default_rng(0)
    strength = np.array([0.0, 0.3, 30.0])
    smooth = games.evaluate(games.smooth(d), design).outputs
    outputs = smooth + strength * rng.normal(size=(64, n, k))
    full, empty = rng.normal(size=(2, n, k))
    together = SOLVER.solve(Evaluations(design, outputs, full, empty)).interactions
    for i, j in np.ndindex(n, k):
        at = (slice(i, i + 1), slice(j, j + 1))
        alone = SOLVER.solve(
            Evaluations(design, outputs[(slice(None), *at)], full[at], empty[at])
        ).interactions
        for name in FIELDS:
            assert getattr(together, name).shape == (n, d, d, k)
            expected = getattr(alone, name)[0, ..., 0]
            assert_allclose(getattr(together, name)[i, ..., j], expected, rtol=1e-7, atol=1e-9)


def test_estimates_converge(games: SimpleNamespace) -> None:
    """Both indices, also of a game with interactions of every order; none is left at the end."""
    d = 9
    game = games.random(d, 3)
    truth = solve(games, game, d, 2**d)

    def errors(n: int) -> np.ndarray:
        found = [solve(games, game, d, n, seed) for seed in range(10)]
        return np.array(
            [
                np.sqrt(
                    np.mean(
                        [np.mean((getattr(f, name) - getattr(truth, name)) ** 2) for f in found]
                    )
                )
                for name in ("shapley", "faith_shap")
            ]
        )

    assert (errors(440) < errors(110) / 4).all()
    assert (errors(508) < errors(110) / 10).all()


@pytest.mark.parametrize(("n_pairs", "at_least"), [(54, 0.93), (108, 0.93), (216, 0.92)])
def test_intervals_cover(games: SimpleNamespace, n_pairs: int, at_least: float) -> None:
    """Nominal 95% intervals, from half as many pairs again as unknowns, over 60 designs."""
    d = 9
    game = games.smooth(d)
    truth = solve(games, game, d, 2**d)
    covered = []
    for seed in range(60):
        found = solve(games, game, d, 2 * n_pairs, seed)
        width = t.ppf(0.975, found.degrees_of_freedom)
        off = np.abs(found.shapley - truth.shapley)[:, ~np.eye(d, dtype=bool)]
        pairs = off <= width * found.shapley_errors[:, ~np.eye(d, dtype=bool)]
        faith = np.abs(found.faith_shap - truth.faith_shap) <= width * found.faith_shap_errors
        covered.append([pairs.mean(), faith.mean()])
    rates = np.mean(covered, axis=0)
    assert (at_least <= rates).all()
    assert (rates <= 0.995).all()


def test_the_ridge_steadies_small_budgets(games: SimpleNamespace) -> None:
    """With hardly more pairs than unknowns the error is well below that of least squares."""
    d, n_pairs = 9, 40
    rng = np.random.default_rng(0)
    rules = rng.integers(0, d, size=(30, 4)), rng.random((30, 4)) < 0.5
    heights = rng.normal(size=30)

    def game(z: np.ndarray) -> np.ndarray:
        return (z[:, rules[0]] == rules[1]).all(axis=2) @ heights

    truth = solve(games, game, d, 2**d).faith_shap[0, :, :, 0]
    i, j = np.triu_indices(d, 1)
    ours, plain = [], []
    for seed in range(20):
        design = ShapleyCoalitions().draw(d, 2 * n_pairs, np.random.default_rng(seed))
        answers = games.evaluate(game, design)
        found = SOLVER.solve(answers).interactions
        ours.append(found.faith_shap[0, :, :, 0][i, j] - truth[i, j])
        signs, root = np.where(design.z[::2], 1.0, -1.0), np.sqrt(design.weights[::2])
        even = (answers.outputs[::2] + answers.outputs[1::2])[:, 0, 0] / 2
        even -= (answers.full + answers.empty)[0, 0] / 2
        products = (signs[:, i] * signs[:, j] - 1) * root[:, None]
        plain.append(4 * np.linalg.lstsq(products, even * root, rcond=None)[0] - truth[i, j])
    assert np.sqrt(np.mean(np.square(ours))) < np.sqrt(np.mean(np.square(plain))) / 1.5


@pytest.mark.parametrize("n_pairs", [1, 4, 20, 28, 30])
def test_too_few_pairs_have_no_error(games: SimpleNamespace, n_pairs: int) -> None:
    """Errors are NaN, never 0, estimates stay within bounds, and efficiency holds."""
    d = 8
    game = games.smooth(d)
    found = solve(games, game, d, 2 * n_pairs)
    apart = ~np.eye(d, dtype=bool)
    assert np.isnan(found.shapley_errors[:, apart]).all()
    assert np.isnan(found.faith_shap_errors).all()
    assert np.abs(found.faith_shap).max() < 10
    ends = game(np.array([[False] * d, [True] * d]))
    assert_allclose(np.triu(found.faith_shap[0, :, :, 0]).sum(), ends[1] - ends[0], atol=1e-12)


def test_faith_shap_and_shapley_values_agree(games: SimpleNamespace) -> None:
    """A main effect and half of its interactions are the Shapley value, sampled or not."""
    d = 7
    for n in (60, 128):
        answers = games.evaluate(games.smooth(d), games.draw(ShapleyCoalitions(), d, n))
        faith = SOLVER.solve(answers).interactions.faith_shap[0, :, :, 0]
        shares = (faith.sum(axis=1) + np.diag(faith)) / 2
        expected = KernelShapRegression().solve(answers).values[0, :, 0]
        assert_allclose(shares, expected, atol=1e-12)


def test_a_constant_model_has_no_interactions(games: SimpleNamespace) -> None:
    """Zero but for rounding, with the error of rounding."""
    found = solve(games, lambda z: np.full(len(z), 7.0), 6, 50)
    assert_allclose(found.faith_shap, 0, atol=1e-13)
    assert_allclose(found.shapley_errors, 7e-12)


@pytest.mark.slow
def test_sixty_features(games: SimpleNamespace) -> None:
    """1,770 pairs of features: exact for a game of pairs."""
    terms, game = quadratic(60)
    found = solve(games, game, 60, 4400)
    assert_allclose(found.faith_shap[0, :, :, 0], terms, atol=1e-8)
    assert np.isfinite(found.shapley_errors).all()


def by_process(games: SimpleNamespace, game: object, d: int, n: int, seed: int = 0) -> Interactions:
    return PROCESS.solve(games.evaluate(game, games.draw(OptimalPairs(), d, n, seed))).interactions


def product(d: int, seed: int) -> object:
    """Interactions of every order."""
    factors = np.random.default_rng(seed).uniform(0.4, 1.8, d)
    return lambda z: np.where(z, factors, 1.0).prod(axis=1)


def squared_error(found: Interactions, truth: Interactions) -> float:
    return sum(
        float(((getattr(found, name) - getattr(truth, name)) ** 2).sum())
        for name in ("shapley", "faith_shap")
    )


@pytest.mark.slow
@pytest.mark.parametrize(("n", "at_least"), [(60, 1.7), (100, 2.5)])
def test_the_process_has_less_error(games: SimpleNamespace, n: int, at_least: float) -> None:
    """Than the regression on pairs drawn at random, in games of all orders; geometric mean.

    Ratios range from 0.5 to 80: three games tell nothing.
    """
    d, ratios = 10, []
    for seed in range(8):
        game = product(d, seed)
        truth, plain = solve(games, game, d, 2**d), solve(games, game, d, n, seed)
        process = by_process(games, game, d, n, seed)
        ratios.append(np.log(squared_error(plain, truth) / squared_error(process, truth)))
    assert np.exp(np.mean(ratios)) > at_least


def test_the_process_recovers_games_of_pairs(games: SimpleNamespace) -> None:
    """Exactly, where the regression does."""
    terms, game = quadratic(8)
    exact = by_process(games, game, 8, 88)
    assert_allclose(exact.faith_shap[0, :, :, 0], terms, atol=1e-8)
    assert (exact.faith_shap_errors < 1e-6).all()


def test_an_additive_game_has_no_interactions(games: SimpleNamespace) -> None:
    """From fewer pairs of coalitions than of features, too; its main effects are the slopes."""
    slopes = np.arange(12.0)
    found = by_process(games, lambda z: z @ slopes, 12, 60)
    assert_allclose(found.shapley, 0.0, atol=1e-9)
    assert_allclose(np.diag(found.faith_shap[0, :, :, 0]), slopes, atol=1e-9)


@pytest.mark.parametrize("at", [0, 12])
def test_a_jump_at_an_end_is_shared_alike(games: SimpleNamespace, at: int) -> None:
    """A removal whose last step is another one adds jump / (d - 1) to each interaction."""
    d, jump = 12, 30.0
    game = games.smooth(d)
    there = by_process(games, lambda z: game(z) + jump * (z.sum(axis=1) == at), d, 300)
    apart = ~np.eye(d, dtype=bool)
    truth = solve(games, game, d, 2**d)
    for name, share in (("shapley", 1 / (d - 1)), ("faith_shap", 6 / (d * (d + 1)))):
        rest = getattr(there, name)[0, apart, 0] - jump * share
        assert np.abs(rest - getattr(truth, name)[0, apart, 0]).max() < 0.25


def test_noise_of_each_coalition_is_a_part_of_the_game(games: SimpleNamespace) -> None:
    """At 40 coalitions a feature the process has less error than the regression, geometric mean."""
    d, ratios = 10, []
    for seed in range(3):
        noise = games.random(d, seed)

        def game(z: np.ndarray, noise: object = noise) -> np.ndarray:
            return z.sum(axis=1) + 0.05 * noise(z)[:, 0]

        truth, plain = solve(games, game, d, 2**d), solve(games, game, d, 400, seed)
        process = by_process(games, game, d, 400, seed)
        ratios.append(np.log(squared_error(plain, truth) / squared_error(process, truth)))
    assert np.exp(np.mean(ratios)) > 1.0


def test_mirrored_outputs_have_mirrored_interactions(games: SimpleNamespace) -> None:
    """P and 1 - p: to the bit, with the same errors."""
    game = games.smooth(9)
    found = by_process(games, lambda z: np.column_stack([game(z), 1 - game(z)]), 9, 120)
    assert_array_equal(found.shapley[..., 0], -found.shapley[..., 1])
    errors = found.shapley_errors[:, ~np.eye(9, dtype=bool)]
    assert_array_equal(errors[..., 0], errors[..., 1])
    alone = by_process(games, game, 9, 120)
    assert_allclose(found.faith_shap[..., :1], alone.faith_shap, atol=1e-9)


def test_main_effects_of_the_process_agree_with_its_values(games: SimpleNamespace) -> None:
    """A main effect and half of its interactions are the Shapley value that is reported."""
    answers = games.evaluate(games.smooth(9), games.draw(OptimalPairs(), 9, 100))
    found = PROCESS.solve(answers)
    faith = found.interactions.faith_shap[0, :, :, 0]
    assert_allclose((faith.sum(axis=1) + np.diag(faith)) / 2, found.values[0, :, 0], atol=1e-12)


@pytest.mark.parametrize(("d", "n"), [(30, 120), (100, 300)])
def test_more_pairs_of_features_than_of_coalitions(games: SimpleNamespace, d: int, n: int) -> None:
    """The strongest interactions are found, and errors are NaN, never 0."""

    def game(z: np.ndarray) -> np.ndarray:
        return z @ np.linspace(0, 1, d) + 8.0 * (z[:, 0] & z[:, 1]) - 6.0 * (z[:, 2] & z[:, 3])

    found = by_process(games, game, d, n)
    order = np.argsort(-np.abs(np.triu(found.shapley[0, :, :, 0], 1)).ravel())[:2]
    assert set(order.tolist()) == {1, 2 * d + 3}
    assert np.isnan(found.shapley_errors[:, ~np.eye(d, dtype=bool)]).all()


@pytest.mark.slow
@pytest.mark.parametrize("n", [80, 160])
def test_intervals_of_the_process_cover(games: SimpleNamespace, n: int) -> None:
    """Nominal 95% intervals over 15 games and designs."""
    d, covered = 9, []
    for seed in range(15):
        game = games.smooth(d, seed)
        truth, found = solve(games, game, d, 2**d), by_process(games, game, d, n, seed)
        width = t.ppf(0.975, found.degrees_of_freedom)
        off = np.abs(found.faith_shap - truth.faith_shap)
        covered.append((off <= width * found.faith_shap_errors).mean())
    assert 0.91 <= np.mean(covered) <= 0.995


@pytest.mark.parametrize("noise", [0.0, 1e-4])
def test_blocks_change_nothing(
    games: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, noise: float
) -> None:
    """Whether the products are kept or made in blocks of 7 pairs, of exact and random answers."""
    design = games.draw(ShapleyCoalitions(), 9, 200)
    evaluations = games.evaluate(games.smooth(9), design)
    if noise:
        ends = np.full_like(evaluations.full, noise)
        outputs = noise * np.random.default_rng(0).random(evaluations.outputs.shape)
        evaluations = replace(evaluations, variances=Variances(outputs, ends, ends))
    whole = SOLVER.solve(evaluations).interactions
    monkeypatch.setattr(_svd, "MOST_KEPT", 0)
    monkeypatch.setattr(_strata, "MOST_NUMBERS", 20)
    monkeypatch.setattr(_strata, "_FEWEST_PAIRS", 7)
    parts = SOLVER.solve(evaluations).interactions
    for name in FIELDS:
        assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-9, atol=1e-12)
        assert np.isfinite(getattr(parts, name)).all()


def test_many_pairs_of_coalitions_take_less_than_one_array(games: SimpleNamespace) -> None:
    """Of pairs of coalitions times pairs of features, which is made in blocks."""
    d, n_pairs = 18, 24_000
    design = ShapleyCoalitions().draw(d, 2 * n_pairs, np.random.default_rng(0))
    evaluations = games.evaluate(lambda z: z[:, :6].all(axis=1).astype(float), design)
    tracemalloc.start()
    SOLVER.solve(evaluations)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * n_pairs * d * (d - 1) / 2


@pytest.mark.parametrize(("d", "pairs"), [(40, 400), (12, 400), (20, 6000)])
@pytest.mark.parametrize("estimator", ["regression", "process"])
def test_the_memory_that_is_quoted_is_about_what_is_taken(
    games: SimpleNamespace, estimator: Any, d: int, pairs: int
) -> None:
    """Of the estimator that answers: the process takes none of the regression's products."""
    design = ShapleyCoalitions().draw(d, 2 * pairs, np.random.default_rng(0))
    evaluations = games.evaluate(lambda z: z[:, :6].all(axis=1).astype(float), design)
    solver = WithInteractions(KernelShapRegression(), estimator)
    tracemalloc.start()
    solver.solve(evaluations)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    quoted = 8 * len(design) * solver.working(d, len(design))
    assert quoted / 3 < peak < 3 * quoted + 2e6
