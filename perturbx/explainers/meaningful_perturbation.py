"""Meaningful perturbation: the smallest mask that destroys an output, or that keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias, get_args

import numpy as np

from perturbx._validation import check_choice, check_integer, check_number
from perturbx.errors import BudgetError, InvalidParameterError
from perturbx.explainers._base import BaseExplainer
from perturbx.explainers._plan import Plan, Problem, RecipeContext, Task
from perturbx.features import Lattice
from perturbx.game import Cost
from perturbx.maskers import Masker, SmoothGrid
from perturbx.predictor import Predictor
from perturbx.samplers import MaskSearch, Sampler
from perturbx.solvers import SmallestMask, Solver

Aim: TypeAlias = Literal["destroy", "keep"]


@dataclass(eq=False, repr=False)
class MeaningfulPerturbation(BaseExplainer):
    """The smallest smooth mask whose removal destroys the output, or whose presence keeps it.

    The questions of Fong & Vedaldi ("Interpretable explanations of black boxes by meaningful
    perturbation", ICCV 2017), from outputs alone. The mask is a set of points of a lattice, and
    fades linearly between them. ``values`` is 1 at the points of the mask and 0 elsewhere, and
    ``heatmap()`` the mask itself, so that ``heatmap().mean()`` is its area.

    Scores say which places are enough together. They are not added up, and a place outside of the
    mask may matter as much, if a mask that holds it instead is as small.

    Parameters
    ----------
    {common}
    aim : "destroy" or "keep"
        The mask is what is removed, to destroy the output (the paper's deletion game), or all that
        is left, to keep it (its preservation game).
    drop : float
        The share of the output to be destroyed or kept, where 0 is the output with everything
        removed and 1 the output of the instance.
    per_round : int
        The number of masks that are tried at once. A smaller number spends the budget slightly
        better; a larger one makes larger calls of predict_fn.

    Notes
    -----
    The paper minimizes the sum of the area, the output and the total variation of the mask by
    gradients; here the output is a constraint, the area is minimized, and the lattice keeps masks
    smooth: ``px.SmoothGrid(cells=7, steps=3, fill="blur")`` by default, a mask of 22 x 22 points.
    A coarser one gives rounder masks that are less tailored to single pixels. With maskers of
    regions, columns or words the answer is the smallest number of features.

    Any budget gives the best mask so far; without one it is 1,000 perturbations. The search spends
    less where nothing is left to try. Several outputs share the budget, each with a mask of its
    own: ask for those that you need, as in ``outputs="top3"``. There are no standard errors (NaN):
    a smaller mask may exist, and another `random_state` tells how much masks differ.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> image = np.zeros((44, 44))
    >>> image[8:16, 24:32] = 1.0
    >>> def finds_square(batch):
    ...     return batch[:, 8:16, 24:32].mean(axis=(1, 2))
    >>> masker = px.SmoothGrid(fill=0)
    >>> explainer = px.MeaningfulPerturbation(finds_square, masker=masker, random_state=0)
    >>> mask = explainer.explain(image).heatmap()
    >>> bool(mask[8:16, 24:32].mean() >= 0.9), bool(mask.mean() < 0.06)
    (True, True)
    """

    aim: Aim = field(default="destroy", kw_only=True)
    drop: float = field(default=0.9, kw_only=True)
    per_round: int = field(default=16, kw_only=True)

    image_masker: ClassVar[type[Masker]] = SmoothGrid
    for_images: ClassVar[bool] = True

    def recipe(self, context: RecipeContext) -> tuple[Sampler, Solver]:
        aim = check_choice("aim", self.aim, get_args(Aim))
        check_number("drop", self.drop, above=0, below=1)
        check_integer("per_round", self.per_round, minimum=1)
        shared: dict[str, Any] = {
            "drop": self.drop,
            "keeps": aim == "keep",
            "per_round": self.per_round,
        }
        lattice = context.lattice
        if lattice is None:
            return MaskSearch(**shared), SmallestMask()
        search = MaskSearch(lattice.nodes, lattice.steps, _areas(lattice), **shared)
        return search, SmallestMask()

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.tol:
            raise InvalidParameterError(
                "tol must be None: the smallest mask that was found has no standard errors. Set "
                "budget: a larger one finds smaller masks."
            )

    def _masker_for(self, X: Any) -> Masker:
        masker = super()._masker_for(X)
        is_default = self.masker is None and isinstance(masker, SmoothGrid)
        return SmoothGrid(fill="blur") if is_default else masker

    def _foreseen(self, X: Any) -> tuple[Cost, Predictor, bool]:
        """As many rounds as the budget pays for; a model that was not asked lets none follow."""
        cost, predictor, _ = super()._foreseen(X)
        problem, plan = self._prepared(X, dry=True)
        if not plan.stochastic:
            for part in problem.instances.chunks():
                bound = problem.instances.bind(part.start, part.stop)
                cost += sum((self._rounds(plan.task(one), plan.rng(1)) for one in bound), Cost())
        return cost, predictor, True

    def _rounds(self, task: Task, rng: np.random.Generator) -> Cost:
        """The most that rounds after the first sets of an instance cost."""
        if not task.n_features:
            return Cost()
        n = task.n_perturbations
        first = len(task.sampler.draw(task.n_features, n, rng))
        most = n if task.context.lattice is not None else min(n, task.context.n_coalitions)
        rest = max(most - first, 0)
        return Cost(rest * task.rows_each, -(-rest // self.per_round))

    def _prepared(self, X: Any, dry: bool = False) -> tuple[Problem, Plan]:
        problem, plan = super()._prepared(X, dry)
        columns, _ = problem.predictor.select(problem.outputs, problem.predictor.first_answers)
        n, k = plan.task(problem.bound[0]).n_perturbations, columns.shape[1]
        if k > 1 and n < (k + 1) * self.per_round:
            raise BudgetError(
                f"{k} outputs share {n} masks, which does not pay for a round of {self.per_round} "
                'for each: ask for fewer outputs, as in outputs="top3", or raise budget.'
            )
        return problem, plan


def _areas(lattice: Lattice) -> tuple[float, ...]:
    """The share of the instance that belongs to each point."""
    shares = np.ones(1)
    for axis in range(len(lattice.nodes)):
        shares = np.multiply.outer(shares, lattice.hats(axis).mean(axis=0)).ravel()
    return tuple(shares.tolist())
