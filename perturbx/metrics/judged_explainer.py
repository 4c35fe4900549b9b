"""An explainer that is judged: one of px, or any callable."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from perturbx._typing import Floats, OutputSelection, RandomState
from perturbx._validation import check_random_state, check_selection, invalid
from perturbx.containers import looks_like_images
from perturbx.errors import InvalidInputError
from perturbx.explainers import BaseExplainer
from perturbx.game import Cost
from perturbx.metrics._scores import ReadScores, of_explanation, of_maps, of_table
from perturbx.metrics.results import Measure, Named
from perturbx.result import Explanation

Explains: TypeAlias = BaseExplainer | Callable[..., Any]
"""A px explainer, or a callable from X to an `Explanation` or an array of scores."""


@dataclass(frozen=True, eq=False)
class Explained:
    """An explainer's answer, as one long vector of scores for each instance and output."""

    scores: ReadScores
    names: Any
    cost: Cost
    value_function: str

    @classmethod
    def read(cls, answer: Any, X: Any, outputs: OutputSelection) -> Explained:
        """An `Explanation` or plain scores of X."""
        if isinstance(answer, Explanation):
            scores = of_explanation(answer, outputs)
            names = np.asarray(scores.names, dtype=object)
            cost = Cost(answer.n_rows, answer.n_calls)
            given = tuple(names) if names.ndim == 1 else names
            return cls(scores, given, cost, answer.value_function)
        scores = of_maps(answer, X) if looks_like_images(X) else of_table(answer)
        return cls(scores, ("output",), Cost(), "scores of a callable, whose rows are not counted")

    def vector(self, i: int, j: int) -> Floats:
        """(d,) scores, or the heat map as a row."""
        return np.ravel(self.scores.heat(i, j)).astype(np.float64)

    def grid(self, number: Callable[[Floats], float]) -> Floats:
        """(n, k) numbers of the vectors."""
        n, k = self.scores.n, self.scores.k
        return np.array([[number(self.vector(i, j)) for j in range(k)] for i in range(n)])

    def against(self, other: Explained, number: Callable[[Floats, Floats], float]) -> Floats:
        """(n, k) numbers of the vectors of both.

        Raises
        ------
        InvalidInputError
            If the explainer answered with another shape the second time.
        """
        n, k = self.scores.n, self.scores.k
        same = (n, k) == (other.scores.n, other.scores.k)
        pairs = [(i, j) for i in range(n) for j in range(k)] if same else []
        if not same or any(self.vector(*p).shape != other.vector(*p).shape for p in pairs):
            raise InvalidInputError(
                "the explainer must answer the same instances with scores of one shape: it gave "
                f"{(n, k)} (instances, outputs) once and {(other.scores.n, other.scores.k)} again."
            )
        found = [number(self.vector(*pair), other.vector(*pair)) for pair in pairs]
        return np.reshape(found, (n, k))

    def result(self, metric: Named, grid: Floats, cost: Cost, **others: Any) -> Measure:
        """The result of a metric: a (n, k) grid of numbers, and the cost of all explanations."""
        return Measure.of_grids(
            metric,
            self.scores.axes,
            grid,
            cost,
            output_names=self.names,
            value_function=self.value_function,
            **others,
        )


@dataclass(frozen=True, eq=False)
class JudgedExplainer:
    """An explainer, and the instances that it explains.

    Parameters
    ----------
    explainer : explainer or callable
    X : table of rows, one row, images or one image
    outputs : None, int, str or list
        Which of the explained outputs are judged.
    seeds : SeedSequence
        The root of every draw.
    """

    explainer: Explains
    X: Any
    outputs: OutputSelection
    seeds: np.random.SeedSequence

    def explain(
        self, seed: int | None = None, *, explainer: Any = None, X: Any = None
    ) -> Explained:
        """Ask the explainer (or another) about X (or another X); with a seed, if it takes one."""
        explainer = self.explainer if explainer is None else explainer
        X = self.X if X is None else X
        if isinstance(explainer, BaseExplainer):
            if seed is not None:
                explainer = copy.copy(explainer)  # fitted as it is; only its draws are new
                explainer.random_state = seed
            return Explained.read(explainer.explain(X), X, self.outputs)
        takes = seed is not None and "random_state" in inspect.signature(explainer).parameters
        answer = explainer(X, random_state=seed) if takes else explainer(X)
        return Explained.read(answer, X, self.outputs)


def judge_explainer(
    explainer: Explains, X: Any, *, outputs: OutputSelection = None, random_state: RandomState = 0
) -> JudgedExplainer:
    """The explainer, checked; nothing is explained yet."""
    seeds = check_random_state(random_state)
    check_explainer(explainer, outputs)
    return JudgedExplainer(explainer, X, outputs, seeds)


def check_explainer(explainer: Any, outputs: OutputSelection = None) -> None:
    """Refuse anything but an explainer, and a wrong selection of outputs."""
    check_selection(outputs)
    if isinstance(explainer, type) or not (
        isinstance(explainer, BaseExplainer) or callable(explainer)
    ):
        what = "an Explanation" if isinstance(explainer, Explanation) else explainer
        raise invalid(
            "explainer",
            "an explainer, or a callable from X to scores",
            what,
            "This metric explains again and again: pass the explainer, not its answer.",
        )


def rank_correlation(a: Floats, b: Floats) -> float:
    """Spearman's correlation; NaN if one of them is constant."""
    from scipy.stats import spearmanr

    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.clip(spearmanr(a, b).statistic, -1, 1))
