"""What is explained, how, and whether the two fit together: known before the model is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from perturbx._typing import LinkName, OutputSelection
from perturbx.designs import CoalitionDesign, Design, NoiseDraws
from perturbx.errors import BudgetError, InvalidParameterError
from perturbx.features import FeatureOrder, FeatureTree, Labels, Lattice, Spans
from perturbx.game import Cost, check_link
from perturbx.maskers import BoundMasker, FittedMasker, Instances
from perturbx.predictor import Predictor
from perturbx.samplers import Sampler
from perturbx.solvers import GaussianProcess, LearnedPrior, Solver, check_reads

_MOST_BOUND = 2**26
"""Instances that are bound to be checked are kept for later as far as they take no more bytes."""

_OF_BOUND = 4
"""A bound image takes about so many times the bytes of a row, with its fill and labels."""

_LEAST_BOUND = 2**17
"""Smaller rows count as so many bytes: they are bound again in no time, and objects take memory."""

_MOST_PIECES = 10_000
"""Of more pieces of a text, none is scored without a budget."""


_MOST_SHOWN = 200
"""A longer order of features is shortened where it is shown."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What is explained: the instances, the model, how features go, which outputs.

    `bound` are the first instances, one or more, ready to be asked about. `asked` is what the model
    was asked to learn of its outputs, where `fit` had not asked yet, and by those who taught a
    prior. `notes` are what a reader should know.
    """

    masker: FittedMasker
    predictor: Predictor
    instances: Instances
    outputs: OutputSelection
    bound: list[BoundMasker]
    asked: Cost
    provenance: Mapping[str, Any]
    notes: tuple[str, ...] = ()


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
        True where features are places in an image, series, volume or text, or items of a list.
    trees : tuple of FeatureTree
        Trees of these features, where the masker has them: one for each row, or one for all.
    lattice : Lattice or None
        The points that the features are, where presence is graded between them.
    shares_prior : bool
        True where other instances have taught, or will teach, what the model's interactions are.
    order : FeatureOrder or None
        The user's partial order of these features, where the method has one.
    single_rows : bool
        True where one background row alone costs a fraction of all of them.
    n_outputs : int
        How many outputs are explained; 1 before the model has been asked.
    n_instances : int
        How many instances the call explains; 1 before the model has been asked, and always with a
        budget: scores then do not depend on the company of an instance.
    stochastic : bool
        True where the model answers differently each time.
    """

    accepts: type[Design]
    n_features: int
    n_background: int
    budget: int | None
    link: LinkName
    is_image: bool = False
    trees: tuple[FeatureTree, ...] = ()
    lattice: Lattice | None = None
    shares_prior: bool = False
    order: FeatureOrder | None = None
    single_rows: bool = True
    n_outputs: int = 1
    n_instances: int = 1
    stochastic: bool = False

    @property
    def n_fixed(self) -> int:
        """Rows that are asked whatever is tried: the instance, and the empty state.

        Of a model that answers differently each time, both are asked twice or more.
        """
        return (1 + self.stochastic) * (1 + self.n_background * (self.accepts is not NoiseDraws))

    def asked_ends(self, draws: type[Design], rows: int) -> tuple[int, int]:
        """How often a noisy model is asked about the full and the empty coalition.

        `rows` are spent on perturbations of the class `draws`.
        """
        worth, least = draws.worth_of_ends(max(self.n_features, 1)) * rows, 2
        if draws.per_background_row:
            least = 1  # there are many rows, and their mean is exact enough
        return max(2, int(worth)), max(least, int(worth / self.n_background))

    @property
    def n_coalitions(self) -> int:
        """How many coalitions there are besides the empty and the full one."""
        return int(2**self.n_features - 2)

    @property
    def knows_rows(self) -> bool:
        """True where single background rows can stand behind a perturbation."""
        averages = self.accepts is CoalitionDesign and self.n_background > 1 and self.single_rows
        return averages and self.link == "identity"

    def pays_for_all(self, default: int, n_coalitions: float | None = None) -> bool:
        """Whether every coalition can be asked; without a budget, at twice the default."""
        rows = 2 * default if self.budget is None else self.budget - self.n_fixed
        every = self.n_coalitions if n_coalitions is None else n_coalitions
        return rows >= every * self.n_background

    def affordable(self, rows_each: int, default: int) -> int:
        """How many perturbations the budget pays for, or `default` rows if there is no budget."""
        rows = default if self.budget is None else self.budget - self.n_fixed
        return rows // rows_each


Recipe: TypeAlias = Callable[[RecipeContext], tuple[Sampler, Solver]]
"""Picks the sampler and the solver that estimate the right thing in a context."""

Spending: TypeAlias = Callable[[RecipeContext, Sampler], int]
"""How many perturbations of the sampler are tried where there is no budget."""


@dataclass(frozen=True, eq=False)
class Task:
    """What is done for the instances of a group: the parts, and how many perturbations are tried.

    `rows_each` are the model rows behind each perturbation. Of a model that answers differently
    each time, `n_perturbations` counts answers, and some perturbations have several.
    """

    context: RecipeContext
    sampler: Sampler
    solver: Solver
    n_features: int
    n_perturbations: int
    rows_each: int


@dataclass(frozen=True, eq=False)
class Plan:
    """How it is explained: the recipe and its price.

    `order` is the user's order of features, and `stochastic` says whether answers vary. With
    `partial` a failure of the model ends a run early, and its answers are used. `max_memory` is the
    most that perturbations and answers may take. With `dry` nothing is asked or solved, only
    counted.
    """

    method: str
    recipe: Recipe
    link: LinkName
    budget: int | None
    tol: float | None
    batch_size: int | None
    n_jobs: int | None
    verbose: int
    seeds: np.random.SeedSequence
    n_instances: int = 1
    n_outputs: int = 1
    shares_prior: bool = False
    prior: LearnedPrior | None = None
    order: Any = None
    spends: Spending | None = None
    stochastic: bool = False
    partial: bool = False
    max_memory: float | str | None = None
    dry: bool = False
    tasks: dict[Any, Task] = field(default_factory=dict)

    def rng(self, key: int) -> np.random.Generator:
        """A generator of its own for each key."""
        return np.random.default_rng(np.random.SeedSequence(self.seeds.entropy, spawn_key=(key,)))

    def task(self, bound: BoundMasker) -> Task:
        """What is done for an instance; the recipe is asked once for all that are alike.

        Raises
        ------
        InvalidParameterError, RejectPerturbations
            If the parts of the recipe do not fit each other or the masker.
        BudgetError
            If the budget is too small.
        """
        active = bound.active
        n_features = int(active.sum())
        # Trees and orders of the active features depend on which they are, not on their number.
        relates = bound.trees or self.order is not None
        key = active.tobytes() if relates else n_features, bound.trees, bound.regions
        if key not in self.tasks:
            if bound.regions is not None or bound.trees:
                self.tasks.clear()  # each image has regions of its own
            self.tasks[key] = self._task(bound, n_features)
        task = self.tasks[key]
        if self.prior is None or not isinstance(task.solver, GaussianProcess):
            return task
        prior = self.prior.restricted(bound.active)
        return replace(task, solver=replace(task.solver, prior=prior))

    def least_rows(self, bound: BoundMasker, n_features: int) -> int:
        """The smallest budget for so many features."""
        context = self._context(bound, n_features)
        sampler, _ = self.recipe(context)
        rows_each = 1 if sampler.draws.per_background_row else context.n_background
        return sampler.minimum(n_features) * rows_each + context.n_fixed

    def _task(self, bound: BoundMasker, n_features: int) -> Task:
        context = self._context(bound, n_features)
        sampler, solver = self.recipe(context)
        _check_parts(sampler, solver, context)
        rows_each = 1 if sampler.draws.per_background_row else context.n_background
        minimum = sampler.minimum(n_features) if n_features else 0
        usual = self.spends(context, sampler) if self.spends else sampler.default(n_features)
        default = max(minimum, usual) * rows_each
        if self.budget is None and isinstance(bound.regions, Spans):
            self._check_pieces(bound.regions, default, minimum * rows_each + context.n_fixed)
        affordable = context.affordable(rows_each, default)
        if context.stochastic:
            each = 1 if sampler.draws.shows_noise else 2
            minimum *= each
            affordable = _noisy(context, sampler.draws, rows_each, 2 * default)
        if affordable >= minimum:
            return Task(context, sampler, solver, n_features, int(affordable), rows_each)
        times = 1 + context.stochastic
        n_empty = context.n_fixed - times
        also = f" + {times} for the instance" + f" + {n_empty} for the empty state" * bool(n_empty)
        fewer = " or remove with fewer background rows"
        cure = fewer if context.n_background > 1 and not context.is_image else ""
        raise BudgetError(
            f"budget={self.budget} is too small: {self.method} needs at least "
            f"{minimum * rows_each + context.n_fixed} model rows for {n_features} features "
            f"({minimum} perturbations of {rows_each} rows{also}). Raise budget{cure}."
        )

    def _check_pieces(self, spans: Spans, default: int, least: int) -> None:
        """Refuse so many pieces that nobody would score each without having been told the cost."""
        d, word = len(spans), spans.word
        if d <= _MOST_PIECES or default < d:  # as that of a tree, which needs few versions
            return
        raise BudgetError(
            f"{d:,} {word}s are a lot: {self.method} would ask the model about {default:,} "
            f"versions of this instance. Pass larger pieces, such as px.Tokens('sentences'), or "
            f"px.OwenShap(predict_fn), which splits first those branches of the tree of pieces "
            f"that matter most, or a budget of at least {least:_} if you want all {word}s scored."
        )

    def _context(self, bound: BoundMasker, n_features: int) -> RecipeContext:
        trees, active = bound.trees, bound.active
        if trees and trees[0].n_features > n_features > 0:
            trees = tuple(tree.restricted(active) for tree in trees)
        return RecipeContext(
            bound.accepts,
            n_features,
            bound.rows_per_perturbation,
            self.budget,
            self.link,
            is_image=bound.regions is not None,
            trees=trees,
            lattice=bound.regions if isinstance(bound.regions, Lattice) else None,
            shares_prior=self.shares_prior,
            order=None if self.order is None else self.order_of(bound).restricted(active),
            single_rows=bound.single_rows,
            n_outputs=self.n_outputs,
            n_instances=self.n_instances if self.budget is None else 1,
            stochastic=self.stochastic,
        )

    def order_of(self, bound: BoundMasker) -> FeatureOrder:
        """The user's order of all features of an instance."""
        return FeatureOrder.read(self.order, Labels(bound.feature_labels, bound.feature_names))

    def order_in_words(self, bound: BoundMasker) -> str:
        """The user's order, shortened where it is long."""
        text = self.order_of(bound).describe(bound.feature_names)
        return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 3]}..."


def check_plan(instances: Instances, plan: Plan) -> list[BoundMasker]:
    """Whatever can be known to fail before the model is asked.

    Instances differ in how many features can change, and so in what they need. They are all
    looked at only where the budget would not pay for twice as many features as the first one has.

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
    (first,) = bound = instances.bind(0, 1)
    task = plan.task(first)
    if task.solver.scores_pairs:
        _check_alike(instances)
    if len(instances) == 1 or plan.budget is None:
        return bound
    if plan.order is None and plan.budget >= plan.least_rows(first, 2 * first.n_features):
        return bound
    n_kept = _MOST_BOUND // (_OF_BOUND * max(first.row_bytes, _LEAST_BOUND))
    for part in instances.chunks():
        for other in instances.bind(max(part.start, 1), part.stop):
            plan.task(other)
            if len(bound) < n_kept:
                bound.append(other)
    return bound


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


def _check_parts(sampler: Sampler, solver: Solver, context: RecipeContext) -> None:
    """Refuse parts of which one draws what another does not take."""
    name, draws = type(sampler).__name__, sampler.draws
    if not issubclass(draws, context.accepts):
        raise InvalidParameterError(
            f"{name} draws {draws.__name__}, but the masker accepts {context.accepts.__name__}: "
            "pair GaussianNoise and RegionNoise with the sampler GaussianNoise, SmoothGrid with "
            "RandomGrids, Fade with the sampler Paths, and any other masker with a sampler of "
            "coalitions."
        )
    check_reads(draws, solver.reads, type(solver).__name__, name)
    if solver.needs_background_rows and not context.knows_rows and context.n_features > 1:
        raise InvalidParameterError(
            f"{type(solver).__name__} needs the output of each background row, and there is one "
            "row alone, or a link of their average, or a masker that draws all rows together: use "
            'px.Background with several rows and link="identity", or the parts Permutations() and '
            "MarginalContributions()."
        )
    if context.n_features:
        sampler.check(context.n_features, context.n_background)


def _noisy(context: RecipeContext, draws: type[Design], rows_each: int, default: int) -> int:
    """How many answers of a noisy model the budget pays for, after those of the ends."""
    budget, n = context.budget, default // rows_each
    if budget is None:
        return n
    n = int(max(budget - context.n_fixed, 0) / rows_each)
    n = min(
        n, int(budget / rows_each / (1 + 2 * draws.worth_of_ends(max(context.n_features, 1)))) + 2
    )
    while n > 0:
        full, empty = context.asked_ends(draws, n * rows_each)
        n_empty = 0 if context.accepts is NoiseDraws else context.n_background * empty
        if n * rows_each + full + n_empty <= budget:
            break
        n -= 1
    return n


def _check_alike(instances: Instances) -> None:
    """Refuse instances of different numbers of features, whose pairs have no common shape."""
    found = [
        bound.n_features
        for part in instances.chunks()
        for bound in instances.bind(part.start, part.stop)
    ]
    if len(set(found)) > 1:
        raise InvalidParameterError(
            f"interactions=True needs as many features in every instance, and they have {found[:5]}"
            ' (the first): explain them one by one; for images, px.Superpixels(method="grid") '
            "has as many regions in each."
        )
