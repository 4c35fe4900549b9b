"""Shapley values by a Gaussian process over coalitions and background rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.errors import RejectPerturbations
from perturbx.perturbations import Evaluations, Perturbations
from perturbx.samplers import Permutations, ShapleyCoalitions
from perturbx.samplers.rows import RowCoalitions, RowPermutations
from perturbx.solvers.pooled_process import PooledProcess
from perturbx.solvers.row_contributions import RowContributions
from scipy.stats import t

SOLVER = PooledProcess()
Model = Callable[[np.ndarray], np.ndarray]
KINDS = [RowPermutations, RowCoalitions]


def evaluate(
    model: Model, x: np.ndarray, background: np.ndarray, design: Perturbations
) -> Evaluations:
    """One instance; the model maps (rows, d) to (rows,) or (rows, k)."""

    def ask(rows: np.ndarray) -> np.ndarray:
        out = np.asarray(model(rows), dtype=float)
        return out[:, None, None] if out.ndim == 1 else out[:, None]

    outputs = ask(np.where(design.z, x, background[design.background_row]))
    empty_rows = ask(background)
    return Evaluations(design, outputs, ask(x[None])[0], empty_rows.mean(axis=0), empty_rows)


def rough(d: int, seed: int = 0) -> Model:
    slopes = np.random.default_rng(seed).normal(size=d)
    return lambda rows: (
        np.tanh(rows @ slopes) + 0.3 * rows[:, 0] * rows[:, 1] * rows[:, 2] + rows @ slopes
    )


def setting(d: int, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    return rng.normal(size=d), rng.normal(size=(n_rows, d))


def draw(kind: type, d: int, chains: int, n_rows: int, seed: int = 0) -> Perturbations:
    """As many rows as `chains` permutations take."""
    rng = np.random.default_rng(seed)
    design: Perturbations = kind(n_rows).draw(d, chains * 2 * (d - 1), rng)
    return design


@pytest.mark.parametrize("kind", KINDS)
@given(
    d=st.integers(3, 9),
    c=st.integers(3, 12),
    n_rows=st.integers(1, 12),
    scale=st.sampled_from([1e-8, 1.0, 1e8]),
)
@settings(deadline=None, max_examples=25)
def test_scores_add_up_and_scale(kind: type, d: int, c: int, n_rows: int, scale: float) -> None:
    """base + sum of scores is the full output at any budget; scores follow scale."""
    x, background = setting(d, n_rows)
    model, design = rough(d), draw(kind, d, c, n_rows)
    plain = SOLVER.solve(evaluate(model, x, background, design))
    evaluations = evaluate(lambda rows: scale * model(rows), x, background, design)
    scaled = SOLVER.solve(evaluations)
    residual = evaluations.full - scaled.base - scaled.values.sum(axis=1)
    assert np.abs(residual).max() <= 1e-13 * d * scale
    assert_allclose(scaled.values, scale * plain.values, rtol=1e-4, atol=1e-5 * scale)


def test_features_that_never_move_in_chains_score_zero() -> None:
    """They take no part in the fit, but their error is not zero: other chains might move them."""
    x, background = setting(9, 12)
    model = rough(6)
    solution = SOLVER.solve(
        evaluate(lambda r: model(r[:, :6]), x, background, draw(RowPermutations, 9, 6, 12))
    )
    assert solution.estimator.startswith("Gaussian process")
    assert_array_equal(solution.values[0, 6:, 0], 0.0)
    assert (solution.standard_errors[0, 6:, 0] > 0).all()


def test_additive_models_are_recovered() -> None:
    """With each row asked often, what is left is 1% of the scores."""
    x, background = setting(8, 10)
    slopes = np.arange(1.0, 9.0)
    design = draw(RowCoalitions, 8, 20, 10)
    solution = SOLVER.solve(evaluate(lambda r: r @ slopes, x, background, design))
    exact = slopes * (x - background.mean(axis=0))
    assert np.linalg.norm(solution.values[0, :, 0] - exact) < 0.01 * np.linalg.norm(exact)


def test_pooling_beats_the_pairs_of_a_plain_regression() -> None:
    """On the same pairs, squared errors are below half of those without rows' totals."""
    d, n_rows = 8, 20
    x, background = setting(d, n_rows)
    model = rough(d)
    exact = RowContributions().solve(
        evaluate(model, x, background, draw(RowPermutations, d, 4000, n_rows))
    )
    pooled, plain = 0.0, 0.0
    for seed in range(10):
        design = draw(RowCoalitions, d, 8, n_rows, seed)
        evaluations = evaluate(model, x, background, design)
        pooled += np.square(SOLVER.solve(evaluations).values - exact.values).sum()
        signs = np.where(design.z[0::2], 1.0, -1.0)
        odd = (evaluations.outputs[0::2] - evaluations.outputs[1::2])[:, 0, 0] / 2
        root = np.sqrt(design.weights[0::2])
        slopes = np.linalg.lstsq(signs * root[:, None], odd * root, rcond=None)[0]
        plain += np.square(2 * slopes - exact.values[0, :, 0]).sum()
    assert pooled < 0.5 * plain


@pytest.mark.parametrize("c", [2, 10, 12, 40])
def test_chains_that_reach_most_rows_are_left_to_their_own_sums(c: int) -> None:
    """Outside of 3 chains to four fifths of the rows, the answer is that of `RowContributions`."""
    x, background = setting(6, 12)
    evaluations = evaluate(rough(6), x, background, draw(RowPermutations, 6, c, 12))
    ours, plain = SOLVER.solve(evaluations), RowContributions().solve(evaluations)
    assert_array_equal(ours.values, plain.values)
    assert ours.estimator == plain.estimator


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_one_and_two_features_are_exact(kind: type, d: int) -> None:
    """One feature gets everything; of two, each row's one pair tells the split."""
    x, background = np.array([1.0, 2.0])[:d], np.array([[0.5, 1.0], [3.0, -1.0]])[:, :d]
    design = kind(2).draw(d, 4, np.random.default_rng(0))
    solution = SOLVER.solve(evaluate(lambda r: r.prod(axis=1), x, background, design))
    gaps = x - background
    other = np.ones((2, 1)) if d == 1 else (x + background)[:, ::-1] / 2
    assert_allclose(solution.values[0, :, 0], (gaps * other).mean(axis=0), rtol=1e-2)


def test_more_pairs_than_it_can_use_are_said() -> None:
    """The estimator names both numbers, and the sizes used are those of the whole design."""
    x, background = setting(9, 12)
    evaluations = evaluate(rough(9), x, background, draw(RowCoalitions, 9, 12, 12))
    solution = PooledProcess(most_pairs=60).solve(evaluations)
    assert "60 of 96 pairs" in solution.estimator
    exact = SOLVER.solve(evaluate(rough(9), x, background, draw(RowCoalitions, 9, 60, 12)))
    gap = np.abs(solution.values - exact.values)
    assert (gap < 4 * solution.standard_errors).mean() > 0.8


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_solved_together_are_those_solved_singly(kind: type) -> None:
    """Nothing leaks between outputs, a constant one scores zero."""
    x, background = setting(6, 12)
    models: list[Model] = [rough(6), rough(6, 1), lambda r: np.full(len(r), 4.0)]
    design = draw(kind, 6, 6, 12)
    together = SOLVER.solve(
        evaluate(lambda r: np.column_stack([m(r) for m in models]), x, background, design)
    )
    assert_array_equal(together.values[..., 2], 0.0)
    for output, model in enumerate(models):
        alone = SOLVER.solve(evaluate(model, x, background, design))
        assert_allclose(together.values[..., output], alone.values[..., 0], atol=1e-9)
        assert_allclose(
            together.standard_errors[..., output], alone.standard_errors[..., 0], atol=1e-9
        )


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("c", [5, 9, 14])
def test_intervals_cover(kind: type, c: int) -> None:
    """Nominal 95% intervals hold the value of these rows in 91% to 99.5% of cases."""
    d, n_rows = 8, 20
    x, background = setting(d, n_rows)
    model = rough(d)
    exact = RowContributions().solve(
        evaluate(model, x, background, draw(RowPermutations, d, 4000, n_rows))
    )
    covered = []
    for seed in range(1, 101):
        solution = SOLVER.solve(evaluate(model, x, background, draw(kind, d, c, n_rows, seed)))
        width = t.ppf(0.975, solution.degrees_of_freedom) * solution.standard_errors
        covered.append(np.abs(solution.values - exact.values) <= width)
    assert 0.91 <= np.mean(covered) <= 0.995


@pytest.mark.parametrize(
    "design",
    [
        ShapleyCoalitions().draw(6, 20, np.random.default_rng(0)),
        Permutations().draw(6, 20, np.random.default_rng(0)),
    ],
    ids=["pairs", "chains"],
)
def test_designs_without_rows_are_refused(design: Perturbations) -> None:
    """The refusal names the samplers to use."""
    outputs, ends = np.zeros((len(design), 1, 1)), np.zeros((1, 1))
    with pytest.raises(RejectPerturbations, match=r"RowCoalitions\(n_rows\)"):
        SOLVER.solve(Evaluations(design, outputs, ends, ends, np.zeros((4, 1, 1))))
