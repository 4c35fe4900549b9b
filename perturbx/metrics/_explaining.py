"""Explainers at the door of the metrics that explain again: px ones, and any callable."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from perturbx._typing import Floats, OutputSelection
from perturbx._validation import check_selection, invalid
from perturbx.containers import looks_like_images
from perturbx.errors import InvalidInputError
from perturbx.explainers import BaseExplainer
from perturbx.explanation import Explanation
from perturbx.game import Cost
from perturbx.metrics._measure import Better, Measure
from perturbx.metrics._scores import Given, of_explanation, of_maps, of_table

Explains: TypeAlias = BaseExplainer | Callable[..., Any]
"""A px explainer, or a callable from X to an `Explanation` or an array of scores."""

TOP_FEATURES, TOP_POSITIONS = 5, 0.1
"""How many features count as the top: of a table, and as a share of an image's positions."""


@dataclass(frozen=True, eq=False)
class Explained:
    """What an explainer said of X, as one long vector of scores for each instance and output."""

    given: Given
    names: Any
    cost: Cost
    value_function: str

    def vector(self, i: int, j: int) -> Floats:
        """(d,) scores, or the heat map as a row."""
        return np.ravel(self.given.scores.heat(i, j)).astype(np.float64)

    def grid(self, number: Callable[[Floats], float]) -> Floats:
        """(n, k) numbers of the vectors."""
        n, k = self.given.n, self.given.k
        return np.array([[number(self.vector(i, j)) for j in range(k)] for i in range(n)])

    def against(self, other: Explained, number: Callable[[Floats, Floats], float]) -> Floats:
        """(n, k) numbers of the vectors of both.

        Raises
        ------
        InvalidInputError
            If the explainer answered with another shape the second time.
        """
        n, k = self.given.n, self.given.k
        same = (n, k) == (other.given.n, other.given.k)
        pairs = [(i, j) for i in range(n) for j in range(k)] if same else []
        if not same or any(self.vector(*p).shape != other.vector(*p).shape for p in pairs):
            raise InvalidInputError(
                "the explainer must answer the same instances with scores of one shape: it gave "
                f"{(n, k)} (instances, outputs) once and {(other.given.n, other.given.k)} again."
            )
        found = [number(self.vector(*pair), other.vector(*pair)) for pair in pairs]
        return np.reshape(found, (n, k))

    def measure(
        self, metric: str, grid: Floats, better: Better, cost: Cost, **others: Any
    ) -> Measure:
        """The result of a metric that found a (n, k) grid of numbers."""
        sizes = {"instance": self.given.n, "output": self.given.k}
        shape = [sizes[axis] for axis in self.given.axes]
        references, details = others.pop("references", {}), others.pop("details", {})
        return Measure(
            metric=metric,
            values=np.reshape(grid, shape),
            axes=self.given.axes,
            output_names=self.names,
            better=better,
            value_function=self.value_function,
            n_rows=cost.n_rows,
            n_calls=cost.n_calls,
            references={name: np.reshape(found, shape) for name, found in references.items()},
            details={name: np.reshape(found, shape) for name, found in details.items()},
            **others,
        )


def explain_with(
    explainer: Explains, X: Any, outputs: OutputSelection, seed: int | None = None
) -> Explained:
    """Ask an explainer, with a seed of its own if it takes one.

    Raises
    ------
    InvalidParameterError
        If it is none, as where an explanation was passed.
    """
    check_explainer(explainer)
    if isinstance(explainer, BaseExplainer):
        if seed is not None:
            explainer = copy.copy(explainer)  # fitted as it is; only its draws are new
            explainer.random_state = seed
        return explained(explainer.explain(X), X, outputs)
    takes_seed = seed is not None and "random_state" in inspect.signature(explainer).parameters
    return explained(explainer(X, random_state=seed) if takes_seed else explainer(X), X, outputs)


def check_explainer(explainer: Any, outputs: OutputSelection = None) -> None:
    """Refuse what cannot explain again, and what selects no outputs."""
    check_selection(outputs)
    if isinstance(explainer, type) or not (
        isinstance(explainer, BaseExplainer) or callable(explainer)
    ):
        what = "an Explanation" if isinstance(explainer, Explanation) else explainer
        raise invalid(
            "explainer",
            "an explainer, or a callable from X to scores",
            what,
            "This metric explains again and again: pass the explainer, not what it said.",
        )


def explained(answer: Any, X: Any, outputs: OutputSelection) -> Explained:
    """An explainer's answer, read."""
    if isinstance(answer, Explanation):
        given = of_explanation(answer, outputs)
        names = np.asarray(given.names, dtype=object)
        cost = Cost(answer.n_rows, answer.n_calls)
        return Explained(
            given, tuple(names) if names.ndim == 1 else names, cost, answer.value_function
        )
    given = of_maps(answer, X) if looks_like_images(X) else of_table(answer)
    return Explained(given, ("output",), Cost(), "scores of a callable, whose rows are not counted")


def rank_correlation(a: Floats, b: Floats) -> float:
    """Spearman's correlation, ties at their mean rank; NaN if one of them is constant."""
    from scipy.stats import rankdata

    one, other = (np.asarray(rankdata(v), dtype=np.float64) - (len(v) + 1) / 2 for v in (a, b))
    size = float(np.sqrt((one @ one) * (other @ other)))
    return float(np.clip(one @ other / size, -1, 1)) if size else float("nan")


def top_overlap(a: Floats, b: Floats, top: int) -> float:
    """The share of the `top` largest scores (by size) that both have; ties go by position."""
    one, other = (np.argsort(-np.abs(v), kind="stable")[:top] for v in (a, b))
    return len(np.intersect1d(one, other)) / len(one)
