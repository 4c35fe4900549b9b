"""Shapley values from chains that each use one background row."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.designs import BackgroundChains, Design, Evaluations
from perturbx.samplers.background_permutations import BackgroundPermutations
from perturbx.solvers.background_contributions import BackgroundContributions
from scipy.stats import t

SOLVER = BackgroundContributions()
Model = Callable[[np.ndarray], np.ndarray]


def evaluate(model: Model, x: np.ndarray, background: np.ndarray, design: Design) -> Evaluations:
    """One instance; the model maps (rows, d) to (rows,) or (rows, k)."""

    def ask(rows: np.ndarray) -> np.ndarray:
        out = np.asarray(model(rows), dtype=float)
        return out[:, None, None] if out.ndim == 1 else out[:, None]

    outputs = ask(np.where(design.z, x, background[design.background_row]))
    empty_rows = ask(background)
    return Evaluations(design, outputs, ask(x[None])[0], empty_rows.mean(axis=0), empty_rows)


def chains(d: int, c: int, n_rows: int, seed: int = 0) -> BackgroundChains:
    return BackgroundPermutations(n_rows).draw(d, c * 2 * (d - 1), np.random.default_rng(seed))


def rough(d: int, seed: int = 0) -> Model:
    """Interactions of several orders, and a row's total that few features explain."""
    slopes = np.random.default_rng(seed).normal(size=d)

    def model(rows: np.ndarray) -> np.ndarray:
        return (
            np.tanh(rows @ slopes)
            + 0.5 * rows[:, 0] * rows[:, 1] * rows[:, 2]
            + 0.3 * (rows[:, 1] > 0) * (rows @ slopes)
        )

    return model


def setting(d: int, n_rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed + 1000)
    return rng.normal(size=d), rng.normal(size=(n_rows, d))


def truth(
    games: SimpleNamespace, model: Model, x: np.ndarray, background: np.ndarray
) -> np.ndarray:
    """Brute force on the mean over the background."""

    def game(z: np.ndarray) -> np.ndarray:
        rows = np.where(z[:, None, :], x, background).reshape(-1, len(x))
        return model(rows).reshape(len(z), -1).mean(axis=1, keepdims=True)

    return np.asarray(games.brute_force(game, len(x))[:, 0])


@given(
    d=st.integers(2, 12),
    c=st.integers(1, 30),
    n_rows=st.integers(1, 12),
    scale=st.sampled_from([1e-8, 1.0, 1e8]),
)
@settings(deadline=None, max_examples=60)
def test_scores_add_up_and_scale(d: int, c: int, n_rows: int, scale: float) -> None:
    """base + sum of scores is the full output at any number of chains; scores follow scale."""
    x, background = setting(d, n_rows)
    model = rough(max(d, 3))

    def wide(rows: np.ndarray) -> np.ndarray:
        return model(np.hstack([rows, np.zeros((len(rows), max(3 - d, 0)))]))

    design = chains(d, c, n_rows)
    plain = SOLVER.solve(evaluate(wide, x, background, design))
    evaluations = evaluate(lambda rows: scale * (wide(rows) + 4), x, background, design)
    scaled = SOLVER.solve(evaluations)
    residual = evaluations.full - scaled.base - scaled.values.sum(axis=1)
    assert np.abs(residual).max() <= 2e-14 * d * scale
    assert_allclose(scaled.values, scale * plain.values, rtol=1e-9, atol=1e-12 * scale)
    assert (np.isnan(scaled.standard_errors) == (len(design) == 2 * (d - 1))).all()


@pytest.mark.parametrize("c", [12, 13, 30, 60])
def test_additive_models_are_exact_once_each_row_has_a_chain(c: int) -> None:
    """Slopes times x minus the background's mean, with errors of zero."""
    d, n_rows = 7, 12
    x, background = setting(d, n_rows)
    slopes = np.arange(d) - 2.0
    solution = SOLVER.solve(evaluate(lambda r: r @ slopes, x, background, chains(d, c, n_rows)))
    assert_allclose(solution.values[0, :, 0], slopes * (x - background.mean(axis=0)), atol=1e-12)
    assert (solution.standard_errors < 1e-10).all()


@pytest.mark.parametrize("c", [2, 3, 6, 11])
def test_one_feature_that_moves_is_exact_from_any_rows(c: int) -> None:
    """Where one feature explains each row's total, the control variate leaves no error."""
    x, background = setting(6, 12)
    solution = SOLVER.solve(evaluate(lambda r: np.exp(r[:, 2]), x, background, chains(6, c, 12)))
    expected = np.zeros(6)
    expected[2] = np.exp(x[2]) - np.exp(background[:, 2]).mean()
    assert_allclose(solution.values[0, :, 0], expected, atol=1e-12)


@pytest.mark.parametrize("c", [1, 2, 5, 12, 20])
def test_dummies_score_zero_to_the_last_bit(c: int) -> None:
    """No correction is spread over features that never moved."""
    x, background = setting(9, 12)
    model = rough(6)
    evaluations = evaluate(lambda r: 1e6 + model(r[:, :6]), x, background, chains(9, c, 12))
    solution = SOLVER.solve(evaluations)
    assert_array_equal(solution.values[0, 6:, 0], 0.0)
    residual = evaluations.full - solution.base - solution.values.sum(axis=1)
    assert np.abs(residual).max() <= 1e-8


@pytest.mark.parametrize("c", [6, 8, 12])
def test_estimates_are_unbiased(games: SimpleNamespace, c: int) -> None:
    """The mean over 600 designs is the brute-force value, within four of its errors."""
    d, n_rows = 4, 6
    x, background = setting(d, n_rows)
    model = rough(d)
    exact = truth(games, model, x, background)
    estimates = np.array(
        [
            SOLVER.solve(evaluate(model, x, background, chains(d, c, n_rows, seed))).values
            for seed in range(600)
        ]
    )[:, 0, :, 0]
    error = estimates.std(axis=0) / np.sqrt(len(estimates))
    assert (np.abs(estimates.mean(axis=0) - exact) < 4 * error + 1e-12).all()


def tails(d: int = 5, n_rows: int = 30) -> tuple[Model, np.ndarray, np.ndarray]:
    """Products of log-normal columns: rows with extreme totals pull the slopes."""
    rng = np.random.default_rng(0)
    x, background = np.exp(rng.normal(size=d)), np.exp(rng.normal(size=(n_rows, d)))
    return lambda r: r[:, 0] * r[:, 1] + r[:, 1] * r[:, 2] * r[:, 3], x, background


@pytest.mark.parametrize("c", [3, 8, 20])
def test_scores_can_be_unbiased_before_each_row_has_a_chain(games: SimpleNamespace, c: int) -> None:
    """Over 600 designs, the mean is the brute-force value within four errors, tails or not."""
    model, x, background = tails()
    exact = truth(games, model, x, background)
    solver = BackgroundContributions(unbiased=True)
    estimates = np.array(
        [
            solver.solve(evaluate(model, x, background, chains(5, c, 30, seed))).values
            for seed in range(600)
        ]
    )[:, 0, :, 0]
    error = estimates.std(axis=0) / np.sqrt(len(estimates))
    assert (np.abs(estimates.mean(axis=0) - exact) < 4 * error + 1e-12).all()


@pytest.mark.parametrize("c", [1, 2, 7, 29])
def test_unbiased_scores_add_up_and_leave_dummies_alone(c: int) -> None:
    """As those of the plain control variate do, at any number of chains."""
    model, x, background = tails()
    evaluations = evaluate(lambda r: 1e3 + model(r), x, background, chains(5, c, 30))
    solution = BackgroundContributions(unbiased=True).solve(evaluations)
    residual = evaluations.full - solution.base - solution.values.sum(axis=1)
    assert np.abs(residual).max() <= 1e-10
    assert solution.values[0, 4, 0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("unbiased", [False, True])
@pytest.mark.parametrize("c", [3, 8, 20, 33])
def test_intervals_cover_heavy_tails(games: SimpleNamespace, c: int, unbiased: bool) -> None:
    """Nominal 95% intervals hold at least 91% of the scores."""
    model, x, background = tails()
    exact = truth(games, model, x, background)
    covered = []
    for seed in range(300):
        solution = BackgroundContributions(unbiased=unbiased).solve(
            evaluate(model, x, background, chains(5, c, 30, seed))
        )
        width = t.ppf(0.975, solution.degrees_of_freedom) * solution.standard_errors
        covered.append((np.abs(solution.values[0, :, 0] - exact) <= width[0, :, 0] + 1e-12)[:4])
    assert np.mean(covered) >= 0.91


@pytest.mark.parametrize("c", [12, 14])
def test_equal_rows_show_the_noise_of_permutations(games: SimpleNamespace, c: int) -> None:
    """The two readings of votes always agree; rows with equal totals show that chains differ."""
    d, n_rows = 5, 12
    x, background = np.ones(d), np.zeros((n_rows, d))

    def majority(rows: np.ndarray) -> np.ndarray:
        return 1.0 * (rows[:, :3].sum(axis=1) >= 2)

    exact = np.array([1, 1, 1, 0, 0]) / 3
    covered = []
    for seed in range(200):
        solution = SOLVER.solve(evaluate(majority, x, background, chains(d, c, n_rows, seed)))
        width = t.ppf(0.975, solution.degrees_of_freedom) * solution.standard_errors
        covered.append((np.abs(solution.values[0, :, 0] - exact) <= width[0, :, 0])[:3])
    assert np.mean(covered) >= 0.91


def test_few_chains_are_nearly_unbiased(games: SimpleNamespace) -> None:
    """The control variate's bias is below a fifth of the error of one design."""
    d, n_rows = 4, 16
    x, background = setting(d, n_rows)
    model = rough(d)
    exact = truth(games, model, x, background)
    estimates = np.array(
        [
            SOLVER.solve(evaluate(model, x, background, chains(d, 8, n_rows, seed))).values
            for seed in range(1500)
        ]
    )[:, 0, :, 0]
    bias = estimates.mean(axis=0) - exact
    assert (np.abs(bias) < 0.2 * estimates.std(axis=0)).all()


def test_known_totals_reduce_the_error(games: SimpleNamespace) -> None:
    """With half of the rows asked, the error is below that of the plain mean of the chains."""
    d, n_rows = 5, 20
    x, background = setting(d, n_rows)
    model = rough(d)
    exact = truth(games, model, x, background)
    ours, plain = [], []
    for seed in range(200):
        evaluations = evaluate(model, x, background, chains(d, 10, n_rows, seed))
        ours.append(SOLVER.solve(evaluations).values[0, :, 0] - exact)
        rows = evaluations.design.row
        assert rows is not None
        asked = np.unique(rows)
        narrower = np.searchsorted(asked, rows)
        design = evaluations.design
        only = BackgroundChains(design.place, narrower)
        plain.append(
            SOLVER.solve(evaluate(model, x, background[asked], only)).values[0, :, 0] - exact
        )
    assert np.square(ours).sum() < 0.8 * np.square(plain).sum()


@pytest.mark.slow
@pytest.mark.parametrize("c", [3, 6, 15, 22, 40, 120])
def test_intervals_cover(c: int) -> None:
    """Nominal 95% intervals hold the value of these rows in 91% to 99.5% of cases."""
    d, n_rows = 9, 20
    x, background = setting(d, n_rows)
    model = rough(d)
    exact = SOLVER.solve(evaluate(model, x, background, chains(d, 4000, n_rows))).values
    covered = []
    for seed in range(1, 201):
        solution = SOLVER.solve(evaluate(model, x, background, chains(d, c, n_rows, seed)))
        width = t.ppf(0.975, solution.degrees_of_freedom) * solution.standard_errors
        covered.append(np.abs(solution.values - exact) <= width)
    assert 0.91 <= np.mean(covered) <= 0.995


@pytest.mark.parametrize("c", [15, 30, 60])
def test_background_errors_are_the_spread_between_rows(c: int) -> None:
    """Over many backgrounds, they match the error of a background as a sample, within 25%."""
    d, n_rows = 5, 30
    x = setting(d, 1)[0]
    slopes = np.array([2.0, 1.0, -1.0, 0.5, 0.0])

    def model(rows: np.ndarray) -> np.ndarray:
        return rows @ slopes + 0.5 * np.sin(rows[:, 0]) * rows[:, 1] * rows[:, 2]

    claimed = []
    exact = []
    for seed in range(60):
        background = np.random.default_rng(seed).normal(size=(n_rows, d))
        solution = SOLVER.solve(evaluate(model, x, background, chains(d, c, n_rows, seed)))
        assert solution.background_errors is not None
        claimed.append(solution.background_errors[0, :, 0] ** 2)
        many = evaluate(model, x, background, chains(d, 300, n_rows, seed))
        exact.append(SOLVER.solve(many).values[0, :, 0])
    ratio = np.sqrt(np.mean(claimed, axis=0) / np.var(exact, axis=0, ddof=1))
    assert ((ratio[:4] > 0.75) & (ratio[:4] < 1.33)).all()


@pytest.mark.parametrize("c", [4, 12, 30])
def test_outputs_solved_together_are_those_solved_singly(c: int) -> None:
    """Nothing leaks between outputs."""
    x, background = setting(6, 12)
    models = [rough(6, seed) for seed in range(3)]
    design = chains(6, c, 12)
    together = SOLVER.solve(
        evaluate(lambda r: np.column_stack([m(r) for m in models]), x, background, design)
    )
    assert together.values.shape == together.standard_errors.shape == (1, 6, 3)
    for output, model in enumerate(models):
        alone = SOLVER.solve(evaluate(model, x, background, design))
        for name in ("values", "standard_errors", "background_errors"):
            part = getattr(together, name)[..., output : output + 1]
            assert_allclose(part, getattr(alone, name), atol=1e-12)


def test_one_feature_gets_everything() -> None:
    """Its score is exact, and its background error is that of a mean."""
    background = np.array([[0.0], [2.0], [7.0]])
    design = BackgroundPermutations(3).draw(1, 10, np.random.default_rng(0))
    solution = SOLVER.solve(evaluate(lambda r: r[:, 0], np.array([5.0]), background, design))
    assert_allclose(solution.values, 2.0)
    assert (solution.standard_errors <= 1e-11).all()
    assert_allclose(solution.background_errors, np.std([0, 2, 7], ddof=1) / np.sqrt(3))
