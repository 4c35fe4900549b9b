"""A prior that some targets teach, and many are solved under."""

from __future__ import annotations

import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.designs import Evaluations, Pairs, Variances
from perturbx.errors import InvalidParameterError, RejectPerturbations
from perturbx.samplers import OptimalPairs, ShapleyCoalitions
from perturbx.solvers import Answers, GaussianProcess, KernelShapRegression, LearnedPrior
from perturbx.solvers.process import Boosting
from perturbx.solvers.process.shared_fit import solve_shared
from scipy.stats import t

D = 9
FEW_TREES = Boosting(n_trees=20, learning_rate=0.3)
BLOCKS = np.array([[0, 1, 2], [2, 3, 4], [4, 5, 6], [0, 6, 7], [1, 3, 5]])


class Family:
    """Instances of one model: ANDs of the same blocks, each instance with weights of its own."""

    def __init__(self, n: int, seed: int, strength: float = 2.0) -> None:
        rng = np.random.default_rng(seed)
        self.slopes = rng.normal(size=(D, n))
        self.weights = strength * rng.normal(size=(len(BLOCKS), n))
        members = np.zeros((len(BLOCKS), D))
        members[np.arange(len(BLOCKS))[:, None], BLOCKS] = 1 / 3
        self.phi = (self.slopes + members.T @ self.weights).T

    def __call__(self, z: np.ndarray) -> np.ndarray:
        blocks = z[:, BLOCKS].all(axis=2).astype(float)
        return np.asarray(z @ self.slopes + blocks @ self.weights)[:, :, None]


def drawn(pairs: int, seed: int = 0) -> Pairs:
    return OptimalPairs().draw(D, 2 * pairs, np.random.default_rng(seed))


def only(evaluations: Evaluations, rows: slice) -> Evaluations:
    return replace(
        evaluations,
        outputs=evaluations.outputs[:, rows],
        full=evaluations.full[rows],
        empty=evaluations.empty[rows],
    )


def errors_of(values: np.ndarray, phi: np.ndarray) -> np.ndarray:
    return np.asarray(((values - phi) ** 2).sum(axis=1) / (phi**2).sum(axis=1))


@pytest.fixture(scope="module")
def prior(games: SimpleNamespace) -> LearnedPrior:
    evaluations = games.evaluate(Family(12, 1), drawn(45))
    learned = LearnedPrior.learn(Answers.of(evaluations), FEW_TREES)
    assert learned is not None
    return learned


@pytest.mark.parametrize("pairs", [8, 13, 45])
def test_others_gain_from_what_teachers_taught(
    games: SimpleNamespace, prior: LearnedPrior, pairs: int
) -> None:
    """Less than half the squared error of the regression, for instances that did not teach."""
    family = Family(15, 2)
    evaluations = games.evaluate(family, drawn(pairs, seed=3))
    shared = GaussianProcess(prior=prior, boosting=FEW_TREES).solve(evaluations).values[:, :, 0]
    plain = KernelShapRegression().solve(evaluations).values[:, :, 0]
    ratio = errors_of(shared, family.phi) / errors_of(plain, family.phi)
    assert np.exp(np.log(ratio).mean()) < 0.5


@pytest.mark.parametrize("pairs", [9, 11])
def test_as_many_pairs_as_features_untie_the_slopes(games: SimpleNamespace, pairs: int) -> None:
    """No worse than the regression, where games are nearly additive and half as many pairs taught.

    A prior for fewer pairs than features ties slopes down, which multiplies the error by 2 to 3.
    """
    taught = games.evaluate(Family(12, 1, strength=0.2), drawn(35))
    prior = LearnedPrior.learn(Answers.of(taught), FEW_TREES)
    assert {choice.n_pairs for choice in prior.choices} == {35, 17, 8, 4}
    family = Family(15, 2, strength=0.2)
    evaluations = games.evaluate(family, drawn(pairs, seed=3))
    shared = GaussianProcess(prior=prior, boosting=FEW_TREES).solve(evaluations)
    plain = KernelShapRegression().solve(evaluations).values[:, :, 0]
    ratio = errors_of(shared.values[:, :, 0], family.phi) / errors_of(plain, family.phi)
    assert np.exp(np.log(ratio).mean()) < 1
    reach = shared.standard_errors[:, :, 0] * t.ppf(0.975, shared.degrees_of_freedom)
    assert np.mean(np.abs(shared.values[:, :, 0] - family.phi) <= reach) > 0.85


@pytest.mark.parametrize("pairs", [6, 14, 40])
def test_a_target_alone_and_among_others(
    games: SimpleNamespace, prior: LearnedPrior, pairs: int
) -> None:
    """Scores and errors do not depend on what else is solved."""
    evaluations = games.evaluate(Family(20, 4), drawn(pairs))
    solver = GaussianProcess(prior=prior, boosting=FEW_TREES)
    together = solver.solve(evaluations)
    for row in (0, 13):
        alone = solver.solve(only(evaluations, slice(row, row + 1)))
        assert_allclose(alone.values[0], together.values[row], atol=1e-10)
        assert_allclose(alone.standard_errors[0], together.standard_errors[row], rtol=1e-6)


@pytest.mark.parametrize("pairs", [9, 11, 20, 40])
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_additive_games_are_exact(
    games: SimpleNamespace, prior: LearnedPrior, pairs: int, scale: float
) -> None:
    """From as many pairs as features on, the slopes come out, under any prior."""
    slopes = np.random.default_rng(0).normal(size=(D, 3))
    evaluations = games.evaluate(lambda z: scale * (z @ slopes + 5), drawn(pairs))
    values = GaussianProcess(prior=prior, boosting=FEW_TREES).solve(evaluations).values[0]
    assert_allclose(values, scale * slopes, atol=1e-8 * scale)


@pytest.mark.parametrize("pairs", [3, 7, 30])
def test_scores_add_up(games: SimpleNamespace, prior: LearnedPrior, pairs: int) -> None:
    """At any budget, to the last bits."""
    evaluations = games.evaluate(Family(5, 6), drawn(pairs))
    total = GaussianProcess(prior=prior, boosting=FEW_TREES).solve(evaluations).values.sum(axis=1)
    assert_allclose(total, evaluations.full - evaluations.empty, atol=1e-12)


def test_complete_designs_are_read_exactly(games: SimpleNamespace, prior: LearnedPrior) -> None:
    """Whatever the prior says, all coalitions give Shapley's definition."""
    game = games.random(5, 0)
    evaluations = games.evaluate(game, games.draw(ShapleyCoalitions(), 5, 32))
    values = GaussianProcess(prior=prior, boosting=FEW_TREES).solve(evaluations).values[0]
    assert_allclose(values, games.brute_force(game, 5), atol=1e-12)


@pytest.mark.parametrize("pairs", [7, 12, 40])
def test_a_prior_that_does_not_fit_lets_go(
    games: SimpleNamespace, prior: LearnedPrior, pairs: int
) -> None:
    """A game with other interactions: about as good as the regression, or better."""
    table = np.random.default_rng(5).normal(size=(2**D, 12))
    powers = 2 ** np.arange(D)
    evaluations = games.evaluate(lambda z: table[z @ powers][:, :, None], drawn(pairs))
    every = ShapleyCoalitions().draw(D, 2**D, np.random.default_rng(0))
    truth = KernelShapRegression().solve(
        games.evaluate(lambda z: table[z @ powers][:, :, None], every)
    )
    phi = truth.values[:, :, 0]
    shared = GaussianProcess(prior=prior, boosting=FEW_TREES).solve(evaluations).values[:, :, 0]
    plain = KernelShapRegression().solve(evaluations).values[:, :, 0]
    ratio = errors_of(shared, phi) / errors_of(plain, phi)
    assert np.exp(np.log(ratio).mean()) < 1.2


@pytest.mark.slow
@pytest.mark.parametrize("pairs", [6, 9, 14, 45])
def test_intervals_hold_the_truth(games: SimpleNamespace, prior: LearnedPrior, pairs: int) -> None:
    """About 95% do, over designs and instances, with fewer pairs than features too."""
    family, hits = Family(40, 7), []
    for seed in range(6):
        evaluations = games.evaluate(family, drawn(pairs, seed))
        found = GaussianProcess(prior=prior, boosting=FEW_TREES).solve(evaluations)
        reach = found.standard_errors * t.ppf(0.975, found.degrees_of_freedom)
        hits.append((np.abs(found.values - family.phi[:, :, None]) <= reach).mean())
    assert 0.88 <= np.mean(hits) <= 1.0


def test_too_few_pairs_for_an_error(games: SimpleNamespace, prior: LearnedPrior) -> None:
    """Residuals of three pairs do not tell how far off the scores are: NaN."""
    found = GaussianProcess(prior=prior, boosting=FEW_TREES).solve(
        games.evaluate(Family(2, 1), drawn(3))
    )
    assert np.isfinite(found.values).all()
    assert np.isnan(found.standard_errors).all()


def test_mirror_images_get_the_same_scores(games: SimpleNamespace, prior: LearnedPrior) -> None:
    """The scores of 1 - p are those of p with the other sign, and the errors are the same."""
    family = Family(1, 8)

    def both(z: np.ndarray) -> np.ndarray:
        p = family(z)
        return np.concatenate([p, 1 - p], axis=2)

    evaluations = games.evaluate(both, drawn(20))
    for solver in (
        GaussianProcess(prior=prior, boosting=FEW_TREES),
        GaussianProcess(boosting=FEW_TREES),
    ):
        found = solver.solve(evaluations)
        assert_array_equal(found.values[..., 1], -found.values[..., 0])
        assert_array_equal(found.standard_errors[..., 1], found.standard_errors[..., 0])
        alone = solver.solve(replace_outputs(evaluations))
        assert_allclose(alone.values[..., 0], found.values[..., 0], atol=1e-12)


def replace_outputs(evaluations: Evaluations) -> Evaluations:
    return replace(
        evaluations,
        outputs=evaluations.outputs[..., :1],
        full=evaluations.full[:, :1],
        empty=evaluations.empty[:, :1],
    )


@pytest.mark.parametrize("of", ["additive", "constant", "few"])
def test_what_cannot_teach(games: SimpleNamespace, of: str) -> None:
    """Additive and constant outputs have no interactions, and three instances are too few."""
    slopes = np.random.default_rng(0).normal(size=(D, 8))
    teachers = {
        "additive": lambda z: (z @ slopes)[:, :, None],
        "constant": lambda z: np.ones((len(z), 8, 1)),
        "few": Family(3, 1),
    }
    evaluations = games.evaluate(teachers[of], drawn(30))
    assert LearnedPrior.learn(Answers.of(evaluations), FEW_TREES) is None


def test_constant_teachers_change_nothing(games: SimpleNamespace, prior: LearnedPrior) -> None:
    """An output that does not move teaches nothing, and takes nothing away."""
    family = Family(12, 1)

    def some(z: np.ndarray) -> np.ndarray:
        return np.concatenate([family(z), np.full((len(z), 4, 1), 3.0)], axis=1)

    learned = LearnedPrior.learn(Answers.of(games.evaluate(some, drawn(45))), FEW_TREES)
    assert learned is not None
    assert learned.teachers == prior.teachers == "12 targets"
    evaluations = games.evaluate(Family(4, 9), drawn(20))
    mine, theirs = (GaussianProcess(prior=p).solve(evaluations).values for p in (learned, prior))
    assert_allclose(mine, theirs, atol=1e-12)


def test_a_prior_for_some_of_the_features(games: SimpleNamespace, prior: LearnedPrior) -> None:
    """With features that change nothing left out, the others score the same."""
    active = np.ones(D, dtype=bool)
    active[[2, 8]] = False
    slopes = np.random.default_rng(1).normal(size=7)

    def game(z: np.ndarray) -> np.ndarray:
        return np.asarray(z @ slopes + 2 * z[:, [0, 4, 5]].all(axis=1))

    design = OptimalPairs().draw(7, 30, np.random.default_rng(0))
    found = GaussianProcess(prior=prior.restricted(active)).solve(games.evaluate(game, design))
    phi = slopes + np.isin(np.arange(7), [0, 4, 5]) * 2 / 3
    assert errors_of(found.values[:, :, 0], phi[None])[0] < 0.01
    with pytest.raises(RejectPerturbations, match="learned for 9 features: got 7"):
        GaussianProcess(prior=prior, boosting=FEW_TREES).solve(games.evaluate(game, design))


def test_a_prior_travels(games: SimpleNamespace, prior: LearnedPrior) -> None:
    """Pickled and back, it gives the same bits."""
    evaluations = games.evaluate(Family(3, 5), drawn(20))
    copy = pickle.loads(pickle.dumps(prior))
    mine, theirs = (GaussianProcess(prior=p).solve(evaluations).values for p in (prior, copy))
    assert_array_equal(mine, theirs)


def test_the_estimator_is_told(games: SimpleNamespace, prior: LearnedPrior) -> None:
    """That the prior was learned from others, and from how many."""
    found = GaussianProcess(prior=prior, boosting=FEW_TREES).solve(
        games.evaluate(Family(1, 5), drawn(20))
    )
    assert "prior learned from 12 targets" in found.estimator


def test_a_prior_must_be_one() -> None:
    with pytest.raises(InvalidParameterError, match="prior"):
        GaussianProcess(prior=True)  # type: ignore[arg-type]


def test_many_outputs_of_an_instance_teach_each_other(games: SimpleNamespace) -> None:
    """With less than two thirds of the squared error of a prior each; other instances no matter."""
    families = [Family(12, seed) for seed in (1, 2)]

    def game(z: np.ndarray) -> np.ndarray:
        return np.stack([family(z)[:, :, 0] for family in families], axis=1)

    solver, phi = GaussianProcess(boosting=FEW_TREES), families[0].phi
    evaluations = games.evaluate(game, drawn(16))
    together, alone = (solver.solve(e) for e in (evaluations, only(evaluations, slice(0, 1))))
    assert "the outputs of the instance" in together.estimator
    assert_allclose(alone.values[0], together.values[0], atol=1e-10)
    each = [
        solver.solve(
            replace(
                evaluations,
                outputs=evaluations.outputs[:, :1, j : j + 1],
                full=evaluations.full[:1, j : j + 1],
                empty=evaluations.empty[:1, j : j + 1],
            )
        ).values[0, :, 0]
        for j in range(12)
    ]
    ratio = errors_of(alone.values[0].T, phi) / errors_of(np.array(each), phi)
    assert np.exp(np.log(ratio).mean()) < 2 / 3


@pytest.mark.parametrize("pairs", [10, 11])
def test_fewer_pairs_than_free_slopes_need(games: SimpleNamespace, pairs: int) -> None:
    """What was judged at a few more pairs may leave slopes free: not here, where none is spare."""
    learned = LearnedPrior.learn(Answers.of(games.evaluate(Family(12, 1), drawn(26))), FEW_TREES)
    family = Family(15, 2)
    found = GaussianProcess(prior=learned).solve(games.evaluate(family, drawn(pairs, seed=3)))
    assert found.degrees_of_freedom == pairs - 1  # free slopes would leave one or two
    assert np.median(errors_of(found.values[:, :, 0], family.phi)) < 0.1


def test_more_pairs_than_are_fitted_correct_the_fit(
    games: SimpleNamespace, prior: LearnedPrior
) -> None:
    """A fit to 30 of 120 pairs, corrected by 90: nearer than the fit alone, or all regressed."""
    family = Family(20, 5)
    noise = 0.5 * np.random.default_rng(1).normal(size=(2**D, 20))
    every = np.arange(2**D)[:, None] >> np.arange(D) & 1 == 1

    def game(z: np.ndarray) -> np.ndarray:
        return family(z) + noise[z @ 2 ** np.arange(D)][:, :, None]

    def errors(solver: GaussianProcess | KernelShapRegression, pairs: int) -> np.ndarray:
        design = ShapleyCoalitions().draw(D, 2 * pairs, np.random.default_rng(2))
        found = solver.solve(games.evaluate(game, design)).values[:, :, 0]
        return np.log(errors_of(found, truth))

    cube = ShapleyCoalitions().draw(D, len(every), np.random.default_rng(0))
    truth = KernelShapRegression().solve(games.evaluate(game, cube)).values[:, :, 0]
    few = GaussianProcess(prior=prior, boosting=FEW_TREES, most_pairs=30)
    of_both = errors(few, 120)
    assert (of_both - errors(few, 30)).mean() < np.log(0.6)
    assert (of_both - errors(KernelShapRegression(), 120)).mean() < np.log(1.0)


def test_a_corrected_fit_among_others(games: SimpleNamespace, prior: LearnedPrior) -> None:
    """Scores add up, a row alone gets the same, and the correction is named."""
    solver = GaussianProcess(prior=prior, boosting=FEW_TREES, most_pairs=40)
    evaluations = games.evaluate(Family(9, 4), drawn(90))
    together = solver.solve(evaluations)
    alone = solver.solve(only(evaluations, slice(3, 4)))
    assert_allclose(alone.values[0], together.values[3], atol=1e-10)
    assert_allclose(alone.standard_errors[0], together.standard_errors[3], rtol=1e-6)
    gain = evaluations.full - evaluations.empty
    assert_allclose(together.values.sum(axis=1), gain, atol=1e-12)
    assert "corrected by a regression on 50 others" in together.estimator


@pytest.mark.parametrize(("pairs", "designs"), [(15, 8), (24, 1)])
def test_a_game_that_the_teachers_do_not_know_learns_by_itself(
    games: SimpleNamespace, prior: LearnedPrior, pairs: int, designs: int
) -> None:
    """An AND of features that no teacher joins: found as a prior of its own finds it, and told."""
    slopes = np.random.default_rng(0).normal(size=D)

    def game(z: np.ndarray) -> np.ndarray:
        return np.asarray(z @ slopes + 3 * z[:, [0, 5, 8]].all(axis=1))

    phi = slopes + np.isin(np.arange(D), [0, 5, 8]) * 1.0
    solvers = (
        GaussianProcess(prior=prior, boosting=FEW_TREES),
        GaussianProcess(boosting=FEW_TREES),
        KernelShapRegression(),
    )
    errors = []
    for seed in range(1, 1 + designs):
        evaluations = games.evaluate(game, drawn(pairs, seed))
        found = [solver.solve(evaluations) for solver in solvers]
        errors.append([errors_of(of.values[:, :, 0], phi[None])[0] for of in found])
        assert "1 of 1 scores from a prior of their own" in found[0].estimator
    ours, by_itself, regressed = np.exp(np.log(errors).mean(axis=0))
    assert ours < 1.2 * by_itself + 1e-6
    assert ours < 0.2 * regressed


class Saturating:
    """tanh of a sum, with weights of each instance's own, so that other features interact."""

    def __init__(self, n: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.weights = rng.exponential(size=(D, n)) ** 1.5 * rng.choice([-1, 1], (D, n))

    def __call__(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(np.tanh(z @ self.weights - 0.5))[:, :, None]


def test_rates_of_a_targets_own(games: SimpleNamespace) -> None:
    """Where other features interact in each instance, its own rates halve its squared error.

    The intervals hold the truth, and the scores add up.
    """
    taught = games.evaluate(Saturating(12, 1), drawn(45))
    prior = LearnedPrior.learn(Answers.of(taught), FEW_TREES)
    assert prior is not None
    family = Saturating(16, 2)
    every = ShapleyCoalitions().draw(D, 2**D, np.random.default_rng(0))
    truth = KernelShapRegression().solve(games.evaluate(family, every)).values[:, :, 0]
    answers = Answers.of(games.evaluate(family, drawn(30)))
    shared, own = (
        solve_shared(prior, answers, 2500, learns_rates=learns).scores for learns in (False, True)
    )
    errors = [errors_of(scores.values.T, truth) for scores in (own, shared)]
    assert np.exp(np.log(errors[0] / errors[1]).mean()) < 0.5
    assert_allclose(own.values.sum(axis=0), answers.full - answers.empty, rtol=1e-9)
    assert own.errors is not None
    assert np.mean(abs(own.values.T - truth) <= 2.2 * own.errors.T) > 0.9


def test_noise_teaches_no_rates(games: SimpleNamespace) -> None:
    """Where answers are random, the teachers' rates stay."""
    taught = games.evaluate(Saturating(12, 1), drawn(45))
    prior = LearnedPrior.learn(Answers.of(taught), FEW_TREES)
    assert prior is not None
    exact = games.evaluate(Saturating(3, 2), drawn(30))
    variances = Variances(np.full_like(exact.outputs, 1e-4), np.zeros((3, 1)), np.zeros((3, 1)))
    noisy = Answers.of(replace(exact, variances=variances))
    shared, own = (
        solve_shared(prior, noisy, 2500, learns_rates=learns).scores for learns in (False, True)
    )
    assert_array_equal(own.values, shared.values)
