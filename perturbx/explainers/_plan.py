"""What is explained, how, and whether the two fit together: known before the model is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from perturbx._typing import LinkName, OutputSelection
from perturbx.designs import CoalitionDesign, Design, NoiseDraws
from perturbx.errors import BudgetError, InvalidParameterError
from perturbx.features import FeatureTree, Lattice
from perturbx.game import Cost, check_link
from perturbx.maskers import BoundMasker, FittedMasker
from perturbx.predictor import Predictor
from perturbx.samplers import Sampler
from perturbx.solvers import BackgroundContributions, Solver, WithInteractions, check_reads

_MOST_BOUND = 2**26
"""Instances that are bound to be checked are kept for later as far as their rows take no more
bytes than this."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What is explained: the instances, the model, how features go, which outputs.

    `bound` are the first instances, one or more, ready to be asked about. `asked` is what the model
    was asked to learn of its outputs, where `fit` had not asked yet.
    """

    masker: FittedMasker
    predictor: Predictor
    X: Any
    is_single: bool
    outputs: OutputSelection
    link: LinkName
    bound: Sequence[BoundMasker]
    asked: Cost = field(default_factory=Cost)


@dataclass(frozen=True)
class RecipeContext:
    """What a recipe may look at when it picks a sampler and a solver.

    Parameters
    ----------
    accepts : class of Design
        The designs that the masker can apply.
    n_features : int
        The features of the instance that can change its model rows.
    n_background : int
        The background rows that are averaged for one perturbation.
    budget : int or None
        The most model rows that the instance may cost.
    link : "identity" or "logit"
    is_image : bool
        True where features are places in an image, series or volume.
    trees : tuple of FeatureTree
        Trees of these features, where the masker has them: one for each row, or one for all.
    lattice : Lattice or None
        The points that the features are, where presence is graded between them.
    """

    accepts: type[Design]
    n_features: int
    n_background: int
    budget: int | None
    link: LinkName
    is_image: bool = False
    trees: tuple[FeatureTree, ...] = ()
    lattice: Lattice | None = None

    @property
    def n_fixed(self) -> int:
        """Rows that are asked whatever is tried: the instance, and the empty state."""
        return 1 + self.n_background * (self.accepts is not NoiseDraws)

    @property
    def n_coalitions(self) -> int:
        """How many coalitions there are besides the empty and the full one."""
        return int(2**self.n_features - 2)

    @property
    def knows_rows(self) -> bool:
        """True where single background rows can stand behind a perturbation."""
        averages = self.accepts is CoalitionDesign and self.n_background > 1
        return averages and self.link == "identity"

    def pays_for_all(self, default: int) -> bool:
        """Whether every coalition can be asked; without a budget, for half as much again."""
        rows = 1.5 * default if self.budget is None else self.budget - self.n_fixed
        return rows >= self.n_coalitions * self.n_background

    def affordable(self, rows_each: int, default: int) -> int:
        """How many perturbations the budget pays for, or `default` rows if there is no budget."""
        rows = default if self.budget is None else self.budget - self.n_fixed
        return rows // rows_each


Recipe: TypeAlias = Callable[[RecipeContext], tuple[Sampler, Solver]]
"""Picks the sampler and the solver that estimate the right thing in a setting."""


@dataclass(frozen=True, eq=False)
class Plan:
    """How it is explained: the recipe and its price."""

    method: str
    recipe: Recipe
    link: LinkName
    budget: int | None
    tol: float | None
    batch_size: int | None
    n_jobs: int | None
    verbose: int
    seeds: np.random.SeedSequence


def check_plan(masker: FittedMasker, X: Any, plan: Plan) -> list[BoundMasker]:
    """Whatever can be known to fail before the model is asked.

    Returns
    -------
    list of BoundMasker
        The first instances, as far as they had to be bound and may be kept: binding may cost
        much, such as the segmentation of a photo.

    Raises
    ------
    InvalidParameterError
        If the masker does not accept what the sampler draws, or the budget is too small for one
        of the instances.
    RejectPerturbations
        If the solver does not read what the sampler draws.
    """
    first = masker.bind(X, 0, 1)[0]
    setting = context_of(plan, first, int(first.active.sum()))
    sampler, solver = plan.recipe(setting)
    _check_parts(sampler, solver, setting)
    if isinstance(solver, WithInteractions):
        _check_alike(masker, X)
    return _check_budget(masker, X, plan, first)


def _check_parts(sampler: Sampler, solver: Solver, setting: RecipeContext) -> None:
    """Refuse parts of which one draws what another does not take."""
    name, draws = type(sampler).__name__, sampler.draws
    if not issubclass(draws, setting.accepts):
        raise InvalidParameterError(
            f"{name} draws {draws.__name__}, but the masker accepts {setting.accepts.__name__}: "
            "pair GaussianNoise with the sampler GaussianNoise, SmoothGrid with RandomGrids, and "
            "any other masker with a sampler of coalitions."
        )
    check_reads(draws, solver.reads, type(solver).__name__, name)
    if (
        isinstance(solver, BackgroundContributions)
        and not setting.knows_rows
        and setting.n_features > 1
    ):
        raise InvalidParameterError(
            "BackgroundContributions needs the output of each background row, and there is one row "
            "alone, or a link of their average: use px.Background with several rows and "
            'link="identity", or the parts Permutations() and MarginalContributions().'
        )
    if setting.n_features:
        sampler.check(setting.n_features, setting.n_background)


def _check_alike(masker: FittedMasker, X: Any) -> None:
    """Refuse instances of different numbers of features, whose pairs have no common shape."""
    n, step = masker.count(X), masker.chunk
    found = [
        removal.n_features
        for start in range(0, n, step)
        for removal in masker.bind(X, start, min(start + step, n))
    ]
    if len(set(found)) > 1:
        raise InvalidParameterError(
            f"interactions=True needs as many regions in every image, and they have {found[:5]} "
            '(the first ones): pass masker=px.Superpixels(method="grid"), segments= of your own, '
            "or explain the images one by one."
        )


def check_outputs(predictor: Predictor, outputs: OutputSelection, link: LinkName) -> None:
    """Whatever can be known to fail from the answers to the first rows.

    Raises
    ------
    InvalidParameterError
        If outputs do not exist.
    PredictFnError
        If the link does not apply to outputs of this kind.
    """
    first = predictor.first_answers
    columns, _ = predictor.select(outputs, first)
    check_link(np.take_along_axis(first, columns, axis=1), link)


def _check_budget(
    masker: FittedMasker, X: Any, plan: Plan, first: BoundMasker
) -> list[BoundMasker]:
    """Instances differ in how many features can change, and so in what they need.

    They are all looked at only where the budget would not pay for twice as many features as the
    first one has.
    """
    most, bound = 2 * first.n_features, [first]
    task(plan, first)
    if plan.budget is None or plan.budget >= _least_rows(plan, first, most):
        return bound
    n, step = masker.count(X), masker.chunk
    n_kept = _MOST_BOUND // max(first.row_bytes, 1)
    for start in range(1, n, step):
        for removal in masker.bind(X, start, min(start + step, n)):
            task(plan, removal)
            if len(bound) < n_kept:
                bound.append(removal)
    return bound


@dataclass(frozen=True, eq=False)
class Task:
    """What is done for one instance: the parts, and how many perturbations are tried."""

    sampler: Sampler
    solver: Solver
    n_features: int
    n_perturbations: int
    rows_each: int

    @property
    def n_rows(self) -> int:
        """Model rows of all perturbations."""
        return self.n_perturbations * self.rows_each


def context_of(plan: Plan, removal: BoundMasker, n_features: int) -> RecipeContext:
    """What the recipe of a plan may look at for an instance with so many features to remove."""
    is_image, n_rows = removal.regions is not None, removal.rows_per_perturbation
    trees = removal.trees
    if trees and trees[0].n_features > n_features > 0:
        active = removal.active
        trees = tuple(tree.restricted(active) for tree in trees)
    return RecipeContext(
        removal.accepts,
        n_features,
        n_rows,
        plan.budget,
        plan.link,
        is_image=is_image,
        trees=trees,
        lattice=removal.regions if isinstance(removal.regions, Lattice) else None,
    )


def _least_rows(plan: Plan, removal: BoundMasker, n_features: int) -> int:
    """The smallest budget for so many features."""
    setting = context_of(plan, removal, n_features)
    sampler, _ = plan.recipe(setting)
    rows_each = 1 if sampler.draws.per_background_row else setting.n_background
    return _minimum(sampler, n_features) * rows_each + setting.n_fixed


def _minimum(sampler: Sampler, n_features: int) -> int:
    """The fewest perturbations; none where no feature can change."""
    return sampler.minimum(n_features) if n_features else 0


def task(plan: Plan, removal: BoundMasker) -> Task:
    """The parts that the recipe picks for an instance, and what the budget pays for."""
    d = int(removal.active.sum())
    setting = context_of(plan, removal, d)
    sampler, solver = plan.recipe(setting)
    rows_each = 1 if sampler.draws.per_background_row else setting.n_background
    minimum = _minimum(sampler, d)
    n_least = _least_rows(plan, removal, d)
    affordable = setting.affordable(rows_each, max(minimum, sampler.default(d)) * rows_each)
    if affordable < minimum:
        n_empty = setting.n_fixed - 1
        also = " + 1 for the instance" + f" + {n_empty} for the empty state" * bool(n_empty)
        cure = (
            " or remove with fewer background rows"
            if setting.n_background > 1 and not setting.is_image
            else ""
        )
        raise BudgetError(
            f"budget={plan.budget} is too small: {plan.method} needs at least {n_least} model rows "
            f"for {d} features ({minimum} perturbations of {rows_each} rows{also}). "
            f"Raise budget{cure}."
        )
    return Task(sampler, solver, d, int(affordable), rows_each)
