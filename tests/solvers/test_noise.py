"""What random answers add to standard errors: `Evaluations.variances`."""

from dataclasses import replace

import numpy as np
import pytest
from perturbx.designs import Design, Evaluations, LeaveOneOut, Pairs, Variances
from perturbx.features import FeatureOrder, Labels
from perturbx.samplers import (
    BackgroundPermutations,
    BernoulliMasks,
    GaussianNoise,
    OneAtATime,
    OptimalPairs,
    OwenSplits,
    Permutations,
    RandomGrids,
    Sampler,
    ShapleyCoalitions,
)
from perturbx.solvers import (
    Answers,
    BackgroundContributions,
    BanzhafRegression,
    Deltas,
    GaussianProcess,
    KernelShapRegression,
    LearnedPrior,
    MarginalContributions,
    OwenValues,
    PresenceMeans,
    PresenceRidge,
    PresenceSlopes,
    Solver,
    SparseRegression,
    WeightedRidge,
    WithInteractions,
)
from scipy.stats import t

BACKGROUND = 3
ORDER = FeatureOrder.read([["a", "b", "c"], ["d", "e"]], Labels([*"abcde"], [*"abcde"]))


def draw(sampler: Sampler, d: int, m: int, seed: int = 0) -> Design:
    return sampler.draw(d, m, np.random.default_rng(seed))


def answers_to(design: Design, seed: int = 0, k: int = 2) -> Evaluations:
    """A curved game with background rows if the design names them."""
    rng, d = np.random.default_rng(seed), design.n_features
    slopes, bend = rng.normal(size=(2, d, k))
    shift = rng.normal(size=(BACKGROUND, d))

    def game(z: np.ndarray, row: np.ndarray | None = None) -> np.ndarray:
        rows = z + 0.0 if row is None else np.where(z, 1.0, shift[row])
        return np.tanh(rows @ slopes) + (rows @ bend) ** 2 / d

    named = design.background_row
    if named is None:
        return Evaluations.of_game(design, game)
    rows = np.arange(BACKGROUND)
    of_rows = game(np.zeros((BACKGROUND, d), dtype=bool), rows)[:, None]
    full = game(np.ones((1, d)))
    return Evaluations(design, game(design.z, named)[:, None], full, of_rows.mean(axis=0), of_rows)


def uneven(e: Evaluations, seed: int = 1) -> Variances:
    """A variance of its own for every answer."""
    rng = np.random.default_rng(seed)
    rows = None if e.empty_rows is None else rng.uniform(0.1, 2, e.empty_rows.shape)
    of_empty = rng.uniform(0.1, 2, e.empty.shape)
    if rows is not None:
        of_empty = rows.mean(axis=0) / len(rows)
    return Variances(
        rng.uniform(0.1, 2, e.outputs.shape),
        rng.uniform(0.1, 2, e.full.shape),
        np.where(np.isnan(e.empty), 0.0, of_empty),
        rows,
    )


def moved(e: Evaluations, name: str, at: int | None, by: float) -> Evaluations:
    """The same with one answer moved; the mean of the background rows moves with each of them."""
    array = getattr(e, name).copy()
    array[slice(None) if at is None else at] += by
    other = {}
    if name == "empty_rows":
        other["empty"] = array.mean(axis=0)
    return replace(e, **{name: array}, **other)


def by_moving(solver: Solver, e: Evaluations, by: float = 1e-5) -> np.ndarray:
    """(1, d, k): the variance of the scores, from what each answer's error does to them."""
    total, variances = 0.0, uneven(e)
    places = [("outputs", i) for i in range(len(e.outputs))] + [("full", None)]
    if e.empty_rows is not None:
        places += [("empty_rows", b) for b in range(len(e.empty_rows))]
    elif not np.isnan(e.empty).any():
        places.append(("empty", None))
    for name, at in places:
        ends = [solver.solve(moved(e, name, at, sign * by)).values for sign in (1, -1)]
        of = getattr(variances, name)
        total = total + ((ends[0] - ends[1]) / (2 * by)) ** 2 * (of if at is None else of[at])
    return np.asarray(total)


def split_tree(d: int, m: int) -> Design:
    """All rounds of splits."""
    sampler, rng = OwenSplits(), np.random.default_rng(0)
    design: Design = sampler.draw(d, m, rng)
    while len(more := sampler.follow(answers_to(design), m, rng)) > len(design):
        design = more
    return design


LINEAR = {
    "regression": (KernelShapRegression(), lambda: draw(ShapleyCoalitions(), 6, 44)),
    "exact": (KernelShapRegression(), lambda: draw(ShapleyCoalitions(), 5, 100)),
    "process, exact": (GaussianProcess(), lambda: draw(ShapleyCoalitions(), 4, 100)),
    "banzhaf": (BanzhafRegression(), lambda: draw(ShapleyCoalitions(), 6, 44)),
    "banzhaf, exact": (BanzhafRegression(), lambda: draw(ShapleyCoalitions(), 5, 100)),
    "permutations": (MarginalContributions(), lambda: draw(Permutations(), 5, 48)),
    "permutations, exact": (MarginalContributions(), lambda: draw(Permutations(), 3, 100)),
    "consistent orders": (
        MarginalContributions(),
        lambda: draw(Permutations(order=ORDER), 5, 48),
    ),
    "consistent orders, exact": (
        MarginalContributions(),
        lambda: draw(Permutations(order=ORDER), 5, 1000),
    ),
    "leave one out": (Deltas(), lambda: draw(OneAtATime(), 6, 6)),
    "one feature": (KernelShapRegression(), lambda: draw(ShapleyCoalitions(), 1, 10)),
    "one feature, rows": (
        BackgroundContributions(),
        lambda: draw(BackgroundPermutations(BACKGROUND), 1, 10),
    ),
    "tree, some": (OwenValues(by_example=False), lambda: split_tree(8, 12)),
    "tree, all": (OwenValues(), lambda: split_tree(5, 10_000)),
    "ridge, noise": (WeightedRidge(), lambda: draw(GaussianNoise(), 4, 60)),
    "ridge, coalitions": (WeightedRidge(), lambda: draw(BernoulliMasks(), 4, 60)),
    "presence ridge": (PresenceRidge(alpha=0.1), lambda: draw(RandomGrids(), 29, 60)),
    "presence slopes": (PresenceSlopes(), lambda: draw(BernoulliMasks(), 4, 60)),
    "presence means": (PresenceMeans(), lambda: draw(BernoulliMasks(), 4, 60)),
}


@pytest.mark.parametrize("name", LINEAR)
def test_noise_errors_are_what_moving_each_answer_does(name: str) -> None:
    """The part of the variance that comes from random answers, found by moving them one by one."""
    solver, design = LINEAR[name]
    e = answers_to(design())
    found = solver.solve(replace(e, variances=uneven(e))).noise_errors
    assert found is not None
    np.testing.assert_allclose(found**2, by_moving(solver, e), rtol=1e-5)


@pytest.mark.parametrize(
    "name", ["exact", "banzhaf, exact", "permutations, exact", "leave one out", "tree, all"]
)
def test_exact_scores_of_random_answers_have_the_errors_of_the_answers(name: str) -> None:
    """What was enumerated has no error but that of its answers, and their degrees of freedom."""
    solver, design = LINEAR[name]
    e = answers_to(design())
    variances = replace(uneven(e), degrees_of_freedom=7.0)
    solution = solver.solve(replace(e, variances=variances))
    np.testing.assert_allclose(solution.standard_errors, solution.noise_errors, rtol=1e-12)
    assert solution.degrees_of_freedom == pytest.approx(7.0)


@pytest.mark.parametrize("name", LINEAR)
def test_variances_of_zero_change_no_bit(name: str) -> None:
    """Known to be exact is the same as not asked."""
    solver, design = LINEAR[name]
    e = answers_to(design())
    zero = Variances(*(np.zeros_like(a) for a in (e.outputs, e.full, e.empty)))
    if e.empty_rows is not None:
        zero = replace(zero, empty_rows=np.zeros_like(e.empty_rows))
    plain, known = solver.solve(e), solver.solve(replace(e, variances=zero))
    for part in ("values", "standard_errors", "base", "degrees_of_freedom"):
        np.testing.assert_array_equal(getattr(plain, part), getattr(known, part))
    np.testing.assert_array_equal(known.noise_errors, 0.0)


@pytest.mark.parametrize("name", ["regression", "ridge, noise", "presence slopes", "banzhaf"])
def test_what_residuals_show_is_not_counted_twice(name: str) -> None:
    """Noise of answers to a random design is in its residuals: only the ends are added."""
    solver, design = LINEAR[name]
    e = answers_to(design())
    outputs = np.ones_like(e.outputs)
    nothing = np.zeros_like(e.full)
    some = replace(e, variances=Variances(outputs, nothing, nothing))
    plain, known = solver.solve(e).standard_errors, solver.solve(some).standard_errors
    if isinstance(e.design, Pairs):  # all pairs of size 1 are known, of which residuals show none
        assert (known**2 - plain**2 < 0.9 * solver.solve(some).noise_errors ** 2).all()
    else:
        np.testing.assert_array_equal(plain, known)


def test_faith_shap_and_its_main_effects_have_the_errors_of_the_answers() -> None:
    """Exact interactions of random answers, by moving each answer."""
    solver, d = WithInteractions(KernelShapRegression()), 4
    e = answers_to(draw(ShapleyCoalitions(), d, 100), k=1)
    e = replace(e, variances=uneven(e))
    assert e.variances is not None
    names = ("shapley", "faith_shap")
    total = np.zeros((2, 1, d, d, 1))
    places = [*(("outputs", i) for i in range(len(e.outputs))), ("full", None), ("empty", None)]
    for name, at in places:
        pair = [solver.solve(moved(e, name, at, sign * 0.5)).interactions for sign in (1, -1)]
        change = [getattr(pair[0], n) - getattr(pair[1], n) for n in names]
        of = getattr(e.variances, name)
        total += np.stack(change) ** 2 * float((of if at is None else of[at]).ravel()[0])
    found = solver.solve(e).interactions
    assert found is not None
    np.testing.assert_allclose(found.shapley_errors**2, total[0], atol=1e-12)
    np.testing.assert_allclose(found.faith_shap_errors**2, total[1], atol=1e-12)


SAMPLED = {
    "regression": (KernelShapRegression(), ShapleyCoalitions(), 8, 60),
    "regression, sizes complete": (KernelShapRegression(), ShapleyCoalitions(), 6, 50),
    "banzhaf": (BanzhafRegression(), ShapleyCoalitions(), 8, 60),
    "permutations": (MarginalContributions(), Permutations(), 8, 140),
    "rows": (BackgroundContributions(), BackgroundPermutations(BACKGROUND), 8, 140),
    "leave one out": (Deltas(), OneAtATime(), 8, 8),
    "exact": (KernelShapRegression(), ShapleyCoalitions(), 5, 100),
}


@pytest.mark.parametrize("name", SAMPLED)
def test_intervals_of_noisy_games_cover_their_means(name: str) -> None:
    """95% intervals with noise of the size of the effects, over seeds: 91% to 99%."""
    solver, sampler, d, m = SAMPLED[name]
    slopes = np.random.default_rng(3).normal(size=d)
    hit = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        design = sampler.draw(d, m, rng)
        e = Evaluations.of_game(design, lambda z: z @ slopes)
        rows = None
        if design.background_row is not None:
            rows = np.zeros((BACKGROUND, 1, 1))
        means = {"outputs": e.outputs, "full": e.full, "empty": e.empty, "empty_rows": rows}
        noisy = {n: a if a is None else a + rng.normal(size=a.shape) for n, a in means.items()}
        ones = {n: a if a is None else np.ones_like(a) for n, a in means.items()}
        if rows is not None:
            noisy["empty"] = noisy["empty_rows"].mean(axis=0)
            ones["empty"] = ones["empty"] / BACKGROUND
        solution = solver.solve(replace(e, **noisy, variances=Variances(**ones)))
        half = t.ppf(0.975, solution.degrees_of_freedom) * solution.standard_errors
        hit.append(np.abs(solution.values[0, :, 0] - slopes) <= half[0, :, 0])
    assert 0.91 <= np.mean(hit) <= 0.99


@pytest.mark.parametrize("sampler", [ShapleyCoalitions(), OptimalPairs()])
def test_the_process_adds_the_error_of_the_ends(sampler: Sampler) -> None:
    """Chosen pairs, and pairs drawn at random: their own noise shows, that of the ends does not."""
    e = answers_to(draw(sampler, 8, 60), k=1)
    ends = Variances(np.zeros_like(e.outputs), np.ones_like(e.full), np.ones_like(e.empty))
    plain = GaussianProcess().solve(e)
    known = GaussianProcess().solve(replace(e, variances=ends))
    assert known.noise_errors is not None
    np.testing.assert_allclose(
        known.standard_errors, np.hypot(plain.standard_errors, known.noise_errors), rtol=1e-9
    )
    # Scores sum to v(all) - v(none), whose error they share.
    np.testing.assert_allclose(known.noise_errors.sum(axis=1), np.sqrt(2), atol=0.4)


def test_a_learned_prior_adds_the_error_of_the_ends() -> None:
    """Targets that are solved under the prior of others report the noise of v(all) - v(none)."""
    d, rng = 8, np.random.default_rng(0)
    design = draw(ShapleyCoalitions(), d, 80)
    slopes = rng.normal(size=(d, 12))

    def game(z: np.ndarray) -> np.ndarray:
        return z @ slopes + (z[:, :1] & z[:, 1:2] & z[:, 2:3]) * slopes[0]

    e = Evaluations.of_game(design, game)
    e = replace(e, outputs=e.outputs.reshape(-1, 12, 1), full=e.full.T, empty=e.empty.T)
    prior = LearnedPrior.learn(Answers.of(e))
    assert prior is not None
    solver = GaussianProcess(prior=prior)
    ends = Variances(np.zeros_like(e.outputs), np.ones_like(e.full), np.zeros_like(e.empty))
    plain, known = solver.solve(e), solver.solve(replace(e, variances=ends))
    assert known.noise_errors is not None
    np.testing.assert_allclose(
        known.standard_errors, np.hypot(plain.standard_errors, known.noise_errors), rtol=1e-9
    )
    # Scores sum to v(all) - v(none), whose error they share.
    np.testing.assert_allclose(known.noise_errors.sum(axis=1), 1.0, atol=0.3)


def test_sparse_regression_reports_the_noise_of_its_regression() -> None:
    """Of hundreds of features, like the plain regression on the same pairs."""
    e = answers_to(draw(ShapleyCoalitions(), 40, 200), k=1)
    e = replace(e, variances=uneven(e))
    sparse, plain = SparseRegression().solve(e), KernelShapRegression().solve(e)
    np.testing.assert_allclose(sparse.noise_errors, plain.noise_errors, rtol=1e-9)
    assert (sparse.standard_errors > 0).all()


def test_negative_variances_are_refused() -> None:
    """A variance is at least 0, and NaN is none: leave the field away where it is unknown."""
    e = answers_to(LeaveOneOut(3))
    for wrong in (-1.0, np.nan):
        with pytest.raises(ValueError, match="full of at least 0"):
            Variances(np.zeros_like(e.outputs), np.full_like(e.full, wrong), np.zeros_like(e.empty))
