"""Scores from presences: formulas, invariances, peers, and errors that hold."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.designs import Evaluations, Independent, SoftMasks
from perturbx.errors import InvalidParameterError
from perturbx.samplers import BernoulliMasks, RandomGrids
from perturbx.solvers import (
    PresenceMeans,
    PresenceRidge,
    PresenceSlopes,
    Solver,
)

SOLVERS: list[Solver] = [PresenceMeans(), PresenceSlopes(), PresenceRidge()]


def answers(z: np.ndarray, outputs: np.ndarray, p: float = 0.5) -> Evaluations:
    """One instance whose outputs are (m, k)."""
    k = outputs.shape[1]
    design = Independent(z, p) if z.dtype == bool else SoftMasks(z, p)
    return Evaluations(design, outputs[:, None], np.ones((1, k)), np.zeros((1, k)))


def game(z: np.ndarray) -> np.ndarray:
    """Two curved outputs of many features."""
    d = z.shape[1]
    bump = np.exp(-((np.arange(d) - d / 3) ** 2) / d)
    inner = z @ bump
    return np.stack([np.tanh(inner - bump.sum() / 2), inner * z[:, d // 2]], axis=1)


def masks(m: int, d: int = 25, seed: int = 0) -> np.ndarray:
    return RandomGrids().draw(d, m, np.random.default_rng(seed)).z


def test_means_are_the_published_sum() -> None:
    """sum_i f_i M_i / (N E[M]), and the standard error of that mean."""
    z = masks(200)
    y = game(z)
    solution = PresenceMeans().solve(answers(z, y, p=0.4))
    terms = y[:, None, :] * z[:, :, None] / 0.4
    assert_allclose(solution.values[0], terms.mean(axis=0), rtol=1e-12)
    assert_allclose(
        solution.standard_errors[0], terms.std(axis=0, ddof=1) / np.sqrt(200), rtol=1e-9
    )


def test_slopes_are_least_squares_of_one_feature() -> None:
    """np.polyfit's, with HC3 errors written out."""
    z = masks(150)
    y = game(z)
    solution = PresenceSlopes().solve(answers(z, y))
    for j in range(z.shape[1]):
        slope, start = np.polyfit(z[:, j], y, 1)
        change = z[:, j] - z[:, j].mean()
        leverage = 1 / 150 + change**2 / (change**2).sum()
        left_out = (y - start - np.outer(z[:, j], slope)) / (1 - leverage)[:, None]
        error = np.sqrt(((change[:, None] * left_out) ** 2).sum(axis=0)) / (change**2).sum()
        assert_allclose(solution.values[0, j], slope, rtol=1e-9)
        assert_allclose(solution.standard_errors[0, j], error, rtol=1e-9)


@pytest.mark.parametrize(("m", "d"), [(90, 25), (40, 61)])
def test_ridge_is_scikit_learns(m: int, d: int) -> None:
    """With more perturbations than features, and with fewer."""
    from sklearn.linear_model import Ridge

    z = masks(m, d)
    y = game(z)
    solution = PresenceRidge(alpha=0.1).solve(answers(z, y))
    squares = ((z - z.mean(axis=0)) ** 2).sum()
    theirs = Ridge(alpha=0.1 * squares / m).fit(z, y)
    assert_allclose(solution.values[0], theirs.coef_.T, atol=1e-6)
    assert_allclose(solution.base[0], theirs.intercept_, atol=1e-6)


def test_the_penalty_is_the_strongest_that_predicts_as_well() -> None:
    """Leaving out by hand gives the same choice for each of many outputs."""
    z = masks(60, 17)
    noise = np.random.default_rng(1).normal(size=60)
    y = game(z)[:, :1] + np.linspace(0.0, 3.0, 13) * noise[:, None]
    solution = PresenceRidge().solve(answers(z, y))
    strengths = 10.0 ** np.arange(-3, 2.01, 0.5)
    squares = np.array([_missed_by_hand(z, y, strength) for strength in strengths])
    missed = squares.sum(axis=1)
    chosen = []
    for j, best in enumerate(missed.argmin(axis=0)):
        bound = missed[best, j] + squares[best, :, j].std() * np.sqrt(60)
        chosen.append(strengths[missed[:, j] <= bound].max())
    assert len(set(chosen)) >= 4
    for j, strength in enumerate(chosen):
        alone = PresenceRidge(alpha=strength).solve(answers(z, y[:, j : j + 1]))
        assert_allclose(solution.values[0, :, j], alone.values[0, :, 0], rtol=1e-9)
    assert 0 <= solution.fidelity[0, -1] < solution.fidelity[0, 0] < 1


@pytest.mark.parametrize("scale", [1e40, 1e150])
def test_units_do_not_change_the_penalty(scale: float) -> None:
    """Not even where numbers of 32 bits overflow; a row that alone shows a place counts too."""
    z = masks(60, 17)
    z[1:, 0] = 0.0
    y = np.hstack([game(z)[:, :1], np.ones((60, 1))])
    usual, scaled = (PresenceRidge().solve(answers(z, y * by)) for by in (1.0, scale))
    assert_allclose(scaled.values / scale, usual.values, rtol=1e-9)
    assert not usual.values[0, :, 1].any()


def _missed_by_hand(z: np.ndarray, y: np.ndarray, strength: float) -> np.ndarray:
    """Squared errors of fits without each row; the intercept and the penalty are those of all."""
    z, y = z - z.mean(axis=0), y - y.mean(axis=0)
    rows = np.hstack([np.ones((len(z), 1)), z])
    penalty = np.diag([0.0] + [strength * (z**2).sum() / len(z)] * z.shape[1])
    missed = np.empty_like(y)
    for i in range(len(z)):
        others = np.arange(len(z)) != i
        fit = np.linalg.solve(rows[others].T @ rows[others] + penalty, rows[others].T @ y[others])
        missed[i] = y[i] - rows[i] @ fit
    return missed**2


@pytest.mark.parametrize("solver", [PresenceSlopes(), PresenceRidge()])
def test_offsets_move_nothing(solver: Solver) -> None:
    """A constant added to the output leaves scores alone; a factor is a factor of scores."""
    z = masks(120)
    y = game(z)
    scores = solver.solve(answers(z, y)).values
    assert_allclose(solver.solve(answers(z, y + 1000)).values, scores, atol=1e-9)
    assert_allclose(solver.solve(answers(z, 1e-6 * y)).values, 1e-6 * scores, atol=1e-15)


def test_means_hold_a_common_offset() -> None:
    """RISE's average depends on them, and the other two do not."""
    z = masks(120)
    shifted = PresenceMeans().solve(answers(z, game(z) + 10)).values[0]
    plain = PresenceMeans().solve(answers(z, game(z))).values[0]
    assert_allclose(shifted - plain, 10 * np.tile(z.mean(axis=0) / 0.5, (2, 1)).T)


@pytest.mark.parametrize(
    ("solver", "least"),
    [
        (PresenceMeans(), 0.93),
        (PresenceSlopes(), 0.93),
        (PresenceRidge(alpha=0.1), 0.93),
        (PresenceRidge(), 0.87),
    ],
    ids=repr,
)
def test_intervals_hold_the_mean_over_many_draws(solver: Solver, least: float) -> None:
    """95% intervals of 120 masks, against the mean over 400 draws; less where a penalty is chosen.

    The choice differs from draw to draw, which the errors at one penalty do not know.
    """
    draws = (masks(120, seed=seed) for seed in range(400))
    solutions = [solver.solve(answers(z, game(z)[:, :1])) for z in draws]
    values = np.array([s.values[0, :, 0] for s in solutions])
    errors = np.array([s.standard_errors[0, :, 0] for s in solutions])
    covered = (np.abs(values - values.mean(axis=0)) < 1.96 * errors).mean()
    assert least < covered < 0.985, covered


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda s: type(s).__name__)
def test_what_is_not_known_is_nan(solver: Solver) -> None:
    """A constant output scores 0 slopes; a feature that never changed has no slope's error."""
    z = masks(80)
    z[:, 3] = 0.25
    solution = solver.solve(answers(z, np.full((80, 1), 0.1)))
    if not isinstance(solver, PresenceMeans):
        assert_array_equal(solution.values, 0)
        assert np.isnan(solution.standard_errors[0, 3]).all()
    known = np.delete(solution.standard_errors[0], 3, axis=0)
    assert np.isfinite(known).all()
    single = PresenceMeans().solve(answers(z[:1], np.ones((1, 1))))
    assert np.isnan(single.standard_errors).all()


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda s: type(s).__name__)
def test_coalitions_are_presences(solver: Solver) -> None:
    """Bool and 0.0 or 1.0 give the same scores."""
    z = BernoulliMasks().draw(9, 100, np.random.default_rng(0)).z
    one = solver.solve(answers(z, game(z.astype(float))))
    other = solver.solve(answers(z.astype(float), game(z.astype(float))))
    assert_array_equal(one.values, other.values)


def test_wrong_settings_are_refused() -> None:
    """When the solver is made."""
    with pytest.raises(InvalidParameterError, match="alpha must be a number above 0"):
        PresenceRidge(alpha=-1.0)
