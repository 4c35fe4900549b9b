"""A solver learns the facts of a design from the design alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from perturbx import samplers, solvers
from perturbx.designs import CustomCoalitions, Design, Pairs
from perturbx.errors import InvalidParameterError, RejectPerturbations
from perturbx.features import FeatureTree


def bumpy(rows: np.ndarray) -> np.ndarray:
    return np.tanh(rows[:, 0] * rows[:, 1] + rows.sum(axis=1) / 3) + rows[:, 2] * rows[:, 3]


def test_errors_of_chosen_pairs_need_no_setting() -> None:
    """The parts of KernelShap, put together by hand, give its scores and errors to the last bit."""
    X = np.random.default_rng(0).normal(size=(2, 12))
    settings = {"masker": px.Baseline(np.zeros(12)), "budget": 301, "random_state": 0}
    by_hand = px.Explainer(
        bumpy, sampler=samplers.OptimalPairs(), solver=solvers.GaussianProcess(), **settings
    ).explain(X)
    ours = px.KernelShap(bumpy, estimator="process", **settings).explain(X)
    assert_array_equal(by_hand.values, ours.values)
    assert_array_equal(by_hand.standard_errors, ours.standard_errors)


def test_pairs_say_whether_they_were_chosen() -> None:
    """Continued designs as well: pairs drawn at random after chosen ones are no random sample."""
    rng = np.random.default_rng(0)
    at_random, chosen = samplers.ShapleyCoalitions(), samplers.OptimalPairs()
    assert at_random.draw(9, 60, rng).random
    first = chosen.draw(9, 60, rng)
    assert not first.random
    assert not chosen.draw(9, 120, rng, first).random
    assert not at_random.draw(9, 120, rng, first).random
    assert at_random.draw(9, 120, rng, at_random.draw(9, 60, rng)).random


@pytest.mark.parametrize("p", [0.2, 0.5, 0.8])
def test_means_have_the_scale_of_their_masks(p: float) -> None:
    """sum_i f_i z_ij / (m p): an output that is always 1 has scores of 1, whatever p."""
    explainer = px.Explainer(
        lambda rows: np.ones(len(rows)),
        masker=px.Baseline(np.zeros(5)),
        sampler=samplers.BernoulliMasks(p),
        solver=solvers.PresenceMeans(),
        budget=20_000,
        random_state=0,
    )
    assert_allclose(explainer.explain(np.ones(5)).values, 1.0, atol=0.06)


def test_rows_that_are_not_known_are_refused_before_the_model_is_asked() -> None:
    """BackgroundContributions with one background row, or behind a link."""
    asked = []

    def model(rows: np.ndarray) -> np.ndarray:
        asked.append(len(rows))
        return 1 / (1 + np.exp(-rows.sum(axis=1)))

    X = np.random.default_rng(0).normal(size=(30, 4))
    parts = {
        "sampler": samplers.BackgroundPermutations(30),
        "solver": solvers.BackgroundContributions(),
    }
    one_row = px.Explainer(model, masker=px.Baseline(np.zeros(4)), budget=900, **parts)
    linked = px.Explainer(model, link="logit", budget=900, **parts).fit(X)
    probed = sum(asked)
    for explainer in (one_row, linked):
        with pytest.raises(InvalidParameterError, match="MarginalContributions"):
            explainer.explain(X[:1])
    assert sum(asked) - probed <= 4


@pytest.mark.parametrize("n_background", [20, 40])
def test_a_sampler_of_other_rows_is_refused(n_background: int) -> None:
    """Too few would leave out the last background rows without a word, too many do not exist."""
    asked = []
    X = np.random.default_rng(0).normal(size=(30, 4))
    sampler = samplers.BackgroundPermutations(n_background)
    solver = solvers.BackgroundContributions()
    explainer = px.Explainer(
        lambda rows: asked.append(len(rows)) or rows.sum(axis=1),
        masker=px.Background(X),
        sampler=sampler,
        solver=solver,
        budget=900,
    )
    with pytest.raises(InvalidParameterError, match="pass BackgroundPermutations"):
        explainer.explain(X[:1])
    assert not asked


@pytest.mark.parametrize(
    ("sampler", "solver", "match"),
    [
        (samplers.OwenSplits((FeatureTree.balanced(4),) * 3), solvers.OwenValues(), "3 trees"),
        (samplers.OwenSplits((FeatureTree.balanced(3),)), solvers.OwenValues(), "trees of 3"),
        (samplers.OwenSplits((FeatureTree.balanced(9),) * 30), solvers.OwenValues(), "trees of 9"),
        (samplers.BackgroundPermutations(2), solvers.BackgroundContributions(), "has 30 rows"),
    ],
)
def test_settings_that_do_not_fit_cost_no_model_row(
    sampler: samplers.Sampler, solver: solvers.Solver, match: str
) -> None:
    """Trees or rows of another number, trees of other features: the model is never called."""
    asked = []
    X = np.random.default_rng(0).normal(size=(30, 4))
    explainer = px.Explainer(
        lambda rows: asked.append(len(rows)) or rows.sum(axis=1),
        masker=px.Background(X),
        sampler=sampler,
        solver=solver,
    )
    with pytest.raises(InvalidParameterError, match=match):
        explainer.explain(X[:1])
    assert not asked


@pytest.mark.parametrize(
    ("sampler", "solver"),
    [
        (samplers.ShapleyCoalitions(), solvers.KernelShapRegression()),
        (samplers.ShapleyCoalitions(), solvers.BanzhafRegression()),
        (samplers.ShapleyCoalitions(), solvers.WeightedRidge()),
        (samplers.OptimalPairs(), solvers.PresenceSlopes()),
        (samplers.Permutations(), solvers.PresenceRidge()),
        (samplers.Permutations(), solvers.MarginalContributions()),
        (samplers.OwenSplits(), solvers.OwenValues()),
        (samplers.OneAtATime(), solvers.Deltas()),
    ],
    ids=lambda part: type(part).__name__,
)
def test_a_feature_that_alone_can_change_gets_the_whole_gain(
    sampler: samplers.Sampler, solver: solvers.Solver
) -> None:
    """A single feature has no other coalitions; every solver gives its exact value."""
    explainer = px.Explainer(
        lambda rows: np.exp(rows[:, 1]),
        masker=px.Baseline(np.zeros(4)),
        sampler=sampler,
        solver=solver,
        random_state=0,
    )
    explanation = explainer.explain(np.array([0.0, 2.0, 0.0, 0.0]))
    assert_allclose(explanation.values, [0.0, np.exp(2) - 1, 0.0, 0.0], atol=1e-12)
    assert (explanation.standard_errors < 1e-10).all()


def test_interactions_need_a_solver_of_pairs() -> None:
    """Refused when the parts are made, not once the budget is spent."""
    with pytest.raises(InvalidParameterError, match="reads pairs of coalitions"):
        solvers.WithInteractions(solvers.MarginalContributions())


def test_samplers_continue_their_own_structure() -> None:
    """A design of another structure is refused, and the first draw is named."""
    rng = np.random.default_rng(0)
    pairs = Pairs(np.array([[True, False, False]]), np.ones(1))
    for sampler in (
        *(samplers.Permutations(), samplers.BackgroundPermutations(3), samplers.BernoulliMasks()),
        *(samplers.OwenSplits(), samplers.GaussianNoise(), samplers.RandomGrids()),
    ):
        with pytest.raises(RejectPerturbations, match=rf"{type(sampler).__name__}\.draw"):
            sampler.draw(3, 40, rng, pairs)


@dataclass(frozen=True)
class Undeclared(samplers.ShapleyCoalitions):
    """Draws pairs, and says that they are coalitions of no structure."""

    draws: ClassVar[type[Design]] = CustomCoalitions


def test_a_sampler_that_draws_an_undeclared_design_is_refused() -> None:
    """With what to declare, before the model is asked about the design."""
    explainer = px.Explainer(
        bumpy,
        masker=px.Baseline(np.zeros(8)),
        sampler=Undeclared(),
        solver=solvers.PresenceSlopes(),
        budget=101,
    )
    with pytest.raises(RejectPerturbations, match="Set draws = Pairs"):
        explainer.explain(np.ones(8))
