"""How a prior is judged: by pairs that did not teach it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from perturbx.designs import Evaluations
from perturbx.samplers import ShapleyCoalitions
from perturbx.solvers import Answers
from perturbx.solvers.process.leave_one_out import SIGNALS
from perturbx.solvers.process.mask_trees import Boosting
from perturbx.solvers.process.odd_pairs import read_pairs
from perturbx.solvers.process.recipes import Folds, Judge, Learned, Recipe, odd_judge
from perturbx.solvers.process.solver import GaussianProcess

D, PAIRS = 10, 80
TREES = Recipe("uniform", 0.3, share=0.95)


def judged(answers: Evaluations) -> tuple[Judge[Recipe, Learned], Learned]:
    """A judge of two folds, and what all pairs taught."""
    (pairs,), _, _ = read_pairs(Answers.of(answers))
    folds = Folds.of(PAIRS, 2, PAIRS)
    solver = GaussianProcess(boosting=Boosting(n_trees=30, learning_rate=0.3))
    *learned, whole = solver._learn(pairs, [*folds.training, folds.order])
    return odd_judge(pairs, folds, learned, {}), whole


@pytest.fixture
def noise() -> Evaluations:
    """Answers that nothing can be learned from."""
    rng = np.random.default_rng(0)
    design = ShapleyCoalitions().draw(D, 2 * PAIRS, rng)
    outputs = rng.normal(size=(2 * PAIRS, 1, 1))
    return Evaluations(design, outputs, np.ones((1, 1)), np.zeros((1, 1)))


def test_a_prior_that_nothing_taught_is_not_optimistic(noise: Evaluations) -> None:
    """A kernel with equal rates has the same residuals whoever is asked."""
    judge, whole = judged(noise)
    assert judge.optimism(Recipe("uniform", 0.3), SIGNALS[3], whole) == 1.0


def test_trees_that_learned_noise_are_optimistic(noise: Evaluations) -> None:
    """Trees explain the noise that they saw, and none that they did not."""
    judge, whole = judged(noise)
    assert 1.3 < judge.optimism(TREES, SIGNALS[3], whole) <= 4.0


def test_trees_that_learned_a_structure_are_hardly_optimistic(games: SimpleNamespace) -> None:
    """What half of the pairs show of one AND is what all of them show."""
    design = ShapleyCoalitions().draw(D, 2 * PAIRS, np.random.default_rng(0))
    judge, whole = judged(games.evaluate(lambda z: 1.0 * z[:, :3].all(axis=1), design))
    assert judge.optimism(TREES, SIGNALS[3], whole) < 1.3
