"""The local surrogate."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.designs import CustomCoalitions, Design, Evaluations, NoiseDraws, Variances
from perturbx.errors import InvalidParameterError
from perturbx.samplers import BernoulliMasks, GaussianNoise, Sampler, ShapleyCoalitions
from perturbx.solvers import NoiseGradient, WeightedRidge
from perturbx.solvers._weighted_rows import blocks
from scipy import linalg
from scipy.stats import t

SAMPLERS = [GaussianNoise(), BernoulliMasks()]


def wavy(z: np.ndarray) -> np.ndarray:
    z = np.asarray(z, dtype=float)
    slopes = np.linspace(1, -1, z.shape[1])
    return np.sin(z @ slopes) + z[:, 0] * z[:, 1] + 0.5 * z[:, -1] ** 2


@given(
    d=st.integers(1, 30),
    seed=st.integers(0, 99),
    sampler=st.sampled_from(SAMPLERS),
    scale=st.sampled_from([1e-8, 1.0, 1e8]),
)
@settings(deadline=None, max_examples=60)
def test_a_linear_model_gets_its_own_coefficients(
    games: SimpleNamespace, d: int, seed: int, sampler: Sampler, scale: float
) -> None:
    """Slopes, intercept and R2 of a linear model, at every scale of the output."""
    slopes = np.random.default_rng(seed).normal(size=d)
    design = games.draw(sampler, d, 400, seed)
    evaluations = games.evaluate(lambda z: scale * (z.astype(float) @ slopes + 5), design)
    solution = WeightedRidge(alpha=1e-10).solve(evaluations)
    assert_allclose(solution.values[0, :, 0], scale * slopes, atol=1e-6 * scale)
    assert_allclose(solution.base, 5 * scale, atol=1e-6 * scale)
    assert solution.fidelity is not None
    assert_allclose(solution.fidelity, 1)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_scores_errors_and_fidelity_follow_the_output(
    games: SimpleNamespace, sampler: Sampler
) -> None:
    """Scaled and shifted outputs scale scores and errors, shift the base, keep R2."""
    design = games.draw(sampler, 6, 300)
    plain = WeightedRidge().solve(games.evaluate(wavy, design))
    for scale in (1e-8, 1e8):
        other = WeightedRidge().solve(games.evaluate(lambda z, s=scale: s * (wavy(z) + 2), design))
        assert_allclose(other.values, scale * plain.values, rtol=1e-9)
        assert_allclose(other.standard_errors, scale * plain.standard_errors, rtol=1e-9)
        assert_allclose(other.base, scale * (plain.base + 2), rtol=1e-9)
        assert_allclose(other.fidelity, plain.fidelity, rtol=1e-9)


def test_sklearn_finds_the_same_fit(games: SimpleNamespace) -> None:
    """scikit-learn's Ridge, given standardized features and kernel weights, agrees."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    d, width, alpha = 5, 1.7, 0.3
    design = games.draw(GaussianNoise(), d, 200)
    evaluations = games.evaluate(wavy, design)
    weights = np.exp(-(np.linalg.norm(design.z, axis=1) ** 2) / width**2)
    weights /= weights.sum()
    scale = np.sqrt(weights @ (design.z - weights @ design.z) ** 2)
    ridge = linear_model.Ridge(alpha=alpha)
    ridge.fit(design.z / scale, evaluations.outputs.ravel(), weights)
    solution = WeightedRidge(kernel_width=width, alpha=alpha).solve(evaluations)
    assert_allclose(solution.values[0, :, 0], ridge.coef_ / scale, rtol=1e-9)
    assert_allclose(solution.base[0, 0], ridge.intercept_, rtol=1e-9)
    r2 = ridge.score(design.z / scale, evaluations.outputs.ravel(), weights)
    assert_allclose(solution.fidelity, r2, rtol=1e-9)


def test_hc2_is_the_textbook_formula() -> None:
    """For single rows: the sandwich with residuals over the root of one minus leverage."""
    rng = np.random.default_rng(0)
    m, d = 60, 3
    design = NoiseDraws(rng.normal(size=(m, d)), rng.uniform(0.5, 2, m), np.arange(m))
    y = wavy(design.z)
    nan = np.full((1, 1), np.nan)
    solver = WeightedRidge(kernel_width=np.inf, alpha=1e-13)
    solution = solver.solve(Evaluations(design, y[:, None, None], 0 * y[:1, None], nan))
    x = np.column_stack([np.ones(m), design.z])
    root = np.sqrt(design.weights)
    rows = x * root[:, None]
    hat = rows @ np.linalg.pinv(rows)
    adjusted = (y * root - hat @ (y * root)) / np.sqrt(1 - np.diag(hat))
    bread = np.linalg.inv(rows.T @ rows)
    scores = adjusted[:, None] * rows
    expected = np.sqrt(np.diag(bread @ scores.T @ scores @ bread))[1:]
    assert_allclose(solution.standard_errors[0, :, 0], expected, rtol=1e-7)


def test_clustered_errors_are_unbiased_for_even_noise() -> None:
    """CR2, for clusters of two and three rows: residuals through the root of I less their hat."""
    rng = np.random.default_rng(1)
    cluster = np.repeat(np.arange(20), np.where(np.arange(20) % 2, 2, 3))
    m, d = len(cluster), 2
    design = NoiseDraws(rng.normal(size=(m, d)), np.ones(m), cluster)
    y = wavy(design.z)
    nan = np.full((1, 1), np.nan)
    solver = WeightedRidge(kernel_width=np.inf, alpha=1e-13)
    solution = solver.solve(Evaluations(design, y[:, None, None], 0 * y[:1, None], nan))
    x = np.column_stack([np.ones(m), design.z])
    hat = x @ np.linalg.pinv(x)
    residual = y - hat @ y
    scores = np.empty((20, d + 1))
    for i in range(20):
        own = hat[np.ix_(cluster == i, cluster == i)]
        root = linalg.sqrtm(np.linalg.inv(np.eye(len(own)) - own))
        scores[i] = x[cluster == i].T @ root @ residual[cluster == i]
    bread = np.linalg.inv(x.T @ x)
    expected = np.sqrt(np.diag(bread @ scores.T @ scores @ bread))[1:]
    assert_allclose(solution.standard_errors[0, :, 0], expected, rtol=1e-7)


@pytest.mark.parametrize(
    ("sampler", "d", "m", "width", "bounds"),
    [
        (GaussianNoise(), 3, 100, None, (0.90, 0.98)),
        (GaussianNoise(), 5, 300, 1.5, (0.92, 0.98)),
        (GaussianNoise(), 10, 400, None, (0.92, 0.98)),
        (GaussianNoise(), 3, 10, None, (0.95, 1.0)),
        (BernoulliMasks(), 10, 60, None, (0.92, 0.99)),
        (BernoulliMasks(), 10, 400, None, (0.92, 0.98)),
    ],
)
def test_intervals_cover(
    games: SimpleNamespace,
    sampler: Sampler,
    d: int,
    m: int,
    width: float | None,
    bounds: tuple[float, float],
) -> None:
    """Nominal 95% intervals of a curved model hold the slopes that unlimited sampling would find.

    At the smallest budgets one degree of freedom is left, and the intervals are wider than need be.
    """
    solver = WeightedRidge(kernel_width=width)
    truth = solver.solve(games.evaluate(wavy, games.draw(sampler, d, 200_000, 999))).values
    covered = []
    for seed in range(300):
        solution = solver.solve(games.evaluate(wavy, games.draw(sampler, d, m, seed)))
        half = t.ppf(0.975, solution.degrees_of_freedom) * solution.standard_errors
        covered.append(np.abs(solution.values - truth) <= half)
    assert bounds[0] <= np.mean(covered) <= bounds[1]


@given(
    d=st.integers(1, 40),
    share=st.floats(0.02, 1.0),
    m=st.integers(200, 2000),
    seed=st.integers(0, 9),
)
@settings(deadline=None, max_examples=40)
def test_the_width_makes_the_wanted_share_effective(
    games: SimpleNamespace, d: int, share: float, m: int, seed: int
) -> None:
    """effective_samples is the fraction asked for, unless that leaves too few to fit d slopes."""
    design = games.draw(GaussianNoise(), d, m, seed)
    solver = WeightedRidge(effective_fraction=share)
    solution = solver.solve(games.evaluate(_sum, design))
    wanted = min(max(share * len(design), 2 * (d + 2)), len(design))
    assert_allclose(solution.effective_samples, wanted, rtol=1e-6)


def _sum(z: np.ndarray) -> np.ndarray:
    return z.sum(axis=1)


def weights_of(solver: WeightedRidge, design: Design) -> np.ndarray:
    """(m,): the weights of a design, 1 in total."""
    weights = [block.weights for block in blocks(design, solver.proximity(design))]
    return np.concatenate(weights) / np.sum(weights)


def test_noise_weights_are_the_stated_kernel(games: SimpleNamespace) -> None:
    """exp(-D^2 / width^2) of the Euclidean norm, and no square root of it."""
    design = games.draw(GaussianNoise(), 4, 50)
    expected = np.exp(-(design.z**2).sum(axis=1) / 4)
    assert_allclose(
        weights_of(WeightedRidge(kernel_width=2.0), design), expected / expected.sum(), rtol=1e-12
    )


def test_coalition_distances_are_as_documented(games: SimpleNamespace) -> None:
    """Cosine distance to the all-present row at width 0.25 by default, or the fraction removed."""
    design = games.draw(BernoulliMasks(), 9, 50)
    ones = np.ones(9)
    cosine = 1 - design.z @ ones / np.sqrt(design.z.sum(axis=1)) / 3
    removed = 1 - design.z.mean(axis=1)
    for solver, distance, width in [
        (WeightedRidge(), cosine, 0.25),
        (WeightedRidge(kernel_width=0.6), cosine, 0.6),
        (WeightedRidge(distance="removed", kernel_width=0.5), removed, 0.5),
    ]:
        expected = np.exp(-((distance / width) ** 2))
        assert_allclose(weights_of(solver, design), expected / expected.sum(), rtol=1e-12)


def test_design_weights_count(games: SimpleNamespace) -> None:
    """A row of weight three is three rows: same scores, base and fidelity."""
    rng = np.random.default_rng(0)
    z, times = rng.normal(size=(40, 3)), rng.integers(1, 4, size=40)
    solver = WeightedRidge(kernel_width=2.0)
    once = NoiseDraws(z, times.astype(float), np.arange(40))
    often = NoiseDraws(np.repeat(z, times, axis=0), np.ones(times.sum()), np.arange(times.sum()))
    one, two = (solver.solve(games.evaluate(wavy, design)) for design in (once, often))
    assert_allclose(one.values, two.values, rtol=1e-9)
    assert_allclose(one.base, two.base, rtol=1e-9)
    assert_allclose(one.fidelity, two.fidelity, rtol=1e-9)


def test_a_local_fit_finds_the_gradient_of_a_smooth_model(games: SimpleNamespace) -> None:
    """The narrower the kernel, the nearer the slopes to the gradient at the instance."""
    design = games.draw(GaussianNoise(), 2, 20_000)
    evaluations = games.evaluate(lambda z: np.exp(z[:, 0]) + np.sin(3 * z[:, 1]), design)
    wide = WeightedRidge(effective_fraction=1.0).solve(evaluations).values[0, :, 0]
    narrow = WeightedRidge(effective_fraction=0.005).solve(evaluations).values[0, :, 0]
    gradient = np.array([1.0, 3.0])
    assert (np.abs(wide - gradient) > 0.5).all()
    assert_allclose(narrow, gradient, rtol=0.05)


def test_a_feature_that_never_changes_has_no_score_and_no_error(games: SimpleNamespace) -> None:
    """Its score is 0, its error NaN; the others are as without it."""
    design = games.draw(GaussianNoise(), 3, 100)
    constant = replace(design, noise=np.insert(design.z, 1, 4.0, axis=1))
    whole = WeightedRidge(kernel_width=9.0).solve(
        games.evaluate(lambda z: wavy(z[:, ::2]), constant)
    )
    assert whole.values[0, 1, 0] == 0
    assert np.isnan(whole.standard_errors[0, 1, 0])
    assert np.isfinite(whole.standard_errors[0, [0, 2, 3], 0]).all()


def test_a_constant_output_scores_zero(games: SimpleNamespace) -> None:
    """Scores are exactly 0, R2 is NaN (there is nothing to explain), the base is the output."""
    for sampler in SAMPLERS:
        design = games.draw(sampler, 4, 100)
        solution = WeightedRidge().solve(games.evaluate(lambda z: np.full(len(z), 0.1), design))
        assert_array_equal(solution.values, 0)
        assert np.isnan(solution.fidelity).all()
        assert_allclose(solution.base, 0.1)


def test_too_few_perturbations_have_no_error(games: SimpleNamespace) -> None:
    """Below d + 2 effective clusters errors are NaN; the scores are still finite."""
    design = GaussianNoise().draw(6, 14, np.random.default_rng(0))
    solution = WeightedRidge().solve(games.evaluate(wavy, design))
    assert np.isnan(solution.standard_errors).all()
    assert np.isfinite(solution.values).all()


def test_outputs_solved_together_are_those_solved_singly(games: SimpleNamespace) -> None:
    """One factorization serves all, and nothing leaks between them."""
    d, n, k = 5, 3, 2
    design = games.draw(GaussianNoise(), d, 80)
    outputs = np.random.default_rng(0).normal(size=(len(design), n, k))
    ends = np.zeros((n, k))
    together = WeightedRidge().solve(Evaluations(design, outputs, ends, ends))
    for i in range(n):
        for j in range(k):
            answers = outputs[:, i : i + 1, j : j + 1]
            alone = WeightedRidge().solve(
                Evaluations(design, answers, np.zeros((1, 1)), np.zeros((1, 1)))
            )
            for name in ("values", "standard_errors"):
                whole, single = getattr(together, name), getattr(alone, name)
                assert_allclose(whole[i, :, j], single[0, :, 0], atol=1e-12)
            assert_allclose(together.base[i, j], alone.base[0, 0], atol=1e-12)
            assert_allclose(together.fidelity[i, j], alone.fidelity[0, 0], atol=1e-12)


@pytest.mark.slow
def test_a_thousand_features(games: SimpleNamespace) -> None:
    """Slopes of a linear model on 1200 features, at a fifth of the default budget."""
    d = 1200
    slopes = np.random.default_rng(0).normal(size=d)
    design = games.draw(GaussianNoise(), d, 4800)
    solution = WeightedRidge().solve(games.evaluate(lambda z: z @ slopes, design))
    assert_allclose(solution.values[0, :, 0], slopes, atol=1e-4)
    assert np.isfinite(solution.standard_errors).all()


def test_a_width_that_nothing_is_near_is_an_error(games: SimpleNamespace) -> None:
    """The error names the parameter, the value and the nearest perturbation."""
    design = games.draw(GaussianNoise(), 50, 200)
    with pytest.raises(InvalidParameterError, match=r"'kernel_width'.*0\.01.*nearest.*\d"):
        WeightedRidge(kernel_width=0.01).solve(games.evaluate(wavy, design))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kernel_width", 0.0),
        ("kernel_width", float("nan")),
        ("effective_fraction", 0.0),
        ("effective_fraction", 1.5),
        ("alpha", 0.0),
        ("alpha", float("inf")),
        ("distance", "euclid"),
    ],
)
def test_bad_parameters_are_named(name: str, value: object) -> None:
    """At construction, with the name and the value."""
    with pytest.raises(InvalidParameterError, match=f"{name} must be .*; got"):
        WeightedRidge(**{name: value})


def test_shapley_pairs_can_be_read_too(games: SimpleNamespace) -> None:
    """A surrogate can use any design; a linear game is recovered from Shapley coalitions."""
    slopes = np.arange(6.0)
    design = games.draw(ShapleyCoalitions(), 6, 40)
    solution = WeightedRidge(alpha=1e-12).solve(games.evaluate(lambda z: z @ slopes, design))
    assert_allclose(solution.values[0, :, 0], slopes, atol=1e-9)


def test_errors_do_not_depend_on_how_many_targets_share_a_fit(games: SimpleNamespace) -> None:
    """Errors of 600 targets at once are those of the same targets in two halves."""
    design = games.draw(GaussianNoise(), 20, 800)
    outputs = np.random.default_rng(0).normal(size=(len(design), 600, 1))
    ends = np.zeros((600, 1))
    whole = WeightedRidge().solve(Evaluations(design, outputs, ends, ends)).standard_errors
    for part in (slice(0, 7), slice(7, 600)):
        evaluations = Evaluations(design, outputs[:, part], ends[part], ends[part])
        assert_allclose(WeightedRidge().solve(evaluations).standard_errors, whole[part], rtol=1e-9)


def test_noise_that_is_drawn_again_is_solved_as_an_array_is(games: SimpleNamespace) -> None:
    """To the last bit, with sparse fits and variances of the answers."""
    design = games.draw(GaussianNoise(), 60, 20_000)
    assert not isinstance(design.noise, np.ndarray)
    kept = NoiseDraws(design.z, np.ones(len(design)), np.arange(len(design)) // 2)
    rng = np.random.default_rng(0)
    outputs, ends = rng.normal(size=(len(design), 1, 2)) + wavy(design.z)[:, None, None], (1, 2)
    variances = Variances(rng.random(outputs.shape), np.ones(ends), np.zeros(ends))
    for solver in (WeightedRidge(), WeightedRidge(n_select=5), NoiseGradient()):
        one, two = (
            solver.solve(
                Evaluations(of, outputs, np.zeros(ends), np.full(ends, np.nan), variances=variances)
            )
            for of in (design, kept)
        )
        for name in ("values", "standard_errors", "base", "noise_errors"):
            assert_array_equal(getattr(one, name), getattr(two, name))


@pytest.mark.parametrize("solver", [WeightedRidge(kernel_width=np.inf), NoiseGradient()])
def test_half_of_mirrored_draws_tells_all(games: SimpleNamespace, solver: Any) -> None:
    """Shifted noise has no mirror images, the same slopes and errors, and all rows are fitted."""
    design = games.draw(GaussianNoise(), 6, 300)
    shifted = NoiseDraws(design.z + 1.0, np.ones(len(design)), np.arange(len(design)) // 2)
    rng, shape = np.random.default_rng(0), (1, 2)
    outputs = rng.normal(size=(len(design), *shape)) + wavy(design.z)[:, None, None]
    variances = Variances(rng.random(outputs.shape), np.ones(shape), np.zeros(shape))
    one, two = (
        solver.solve(
            Evaluations(of, outputs, np.zeros(shape), np.zeros(shape), variances=variances)
        )
        for of in (design, shifted)
    )
    for name in ("values", "standard_errors", "noise_errors", "fidelity"):
        if getattr(one, name) is not None:
            assert_allclose(getattr(one, name), getattr(two, name), rtol=1e-9)
    assert_allclose(one.base, two.base + two.values.sum(axis=1), rtol=1e-9)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_blocks_split_no_cluster(
    games: SimpleNamespace, sampler: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A design that is read a few rows at a time has the same solution, whatever its clusters."""
    drawn = games.draw(sampler, 5, 300)
    sizes = np.random.default_rng(0).integers(1, 12, size=len(drawn))
    cluster = np.repeat(np.arange(len(sizes)), sizes)[: len(drawn)]
    ones = np.ones(len(drawn))
    kind = NoiseDraws if isinstance(drawn, NoiseDraws) else CustomCoalitions
    for design in (drawn, kind(drawn.z, ones, cluster)):
        evaluations = games.evaluate(wavy, design)
        whole = WeightedRidge().solve(evaluations)
        monkeypatch.setattr("perturbx.solvers._weighted_rows._MOST_NUMBERS", 20)
        parts = WeightedRidge().solve(evaluations)
        monkeypatch.undo()
        for name in ("values", "standard_errors", "base", "fidelity", "effective_samples"):
            assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-8)
        assert_allclose(parts.degrees_of_freedom, whole.degrees_of_freedom, rtol=1e-9)


def test_a_number_that_barely_varies_far_from_0_keeps_its_digits(games: SimpleNamespace) -> None:
    """Slopes and errors of noise around a million are those of the same noise around 0."""
    design = games.draw(GaussianNoise(), 3, 200)
    far = NoiseDraws(
        design.z + np.array([1e6, 0, -1e6]), np.ones(len(design)), np.arange(len(design)) // 2
    )
    solver, outputs = WeightedRidge(kernel_width=np.inf), wavy(design.z)[:, None, None]
    near, other = (
        solver.solve(Evaluations(of, outputs + 1e6, np.zeros((1, 1)), np.zeros((1, 1))))
        for of in (design, far)
    )
    assert_allclose(other.values, near.values, atol=1e-8)
    assert_allclose(other.standard_errors, near.standard_errors, rtol=1e-7)
