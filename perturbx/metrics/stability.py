"""Rank agreement between explanations from different seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import check_integer
from perturbx.game import Cost
from perturbx.metrics._base import Metric, function_of
from perturbx.metrics.judged_explainer import Explained, JudgedExplainer, rank_correlation
from perturbx.metrics.results import Measure

TOP_FEATURES, TOP_POSITIONS = 5, 0.1
"""How many features count as the top: of a table, and as a share of an image's positions."""


@dataclass(frozen=True)
class Stability(Metric[JudgedExplainer]):
    """Rank correlation of the scores from several seeds.

    The mean of Spearman's correlation over all pairs of seeds; higher is better, 1 for methods
    that draw nothing. A fitted explainer is not fitted again, so its background is always the
    same one.

    Parameters
    ----------
    seeds : int
        How many times.
    top : int, optional
        How many of the largest scores (by size) `details` compare; by default 5 features, or 10%
        of the positions of an image.

    Returns
    -------
    Measure
        With the share of the top that two seeds have in common as `details`. The one reference
        is the expectation for scores in random order: 0.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> explainer = px.Occlusion(lambda X: X @ [3.0, 2.0], masker=px.Baseline([0.0, 0.0]))
    >>> px.metrics.stability(explainer, np.array([1.0, 1.0]), seeds=2)
    stability 1 (random 0; top 2 overlap 1; higher is better): 1 instance, 12 model rows; <lambda>,
    absent features at a baseline
    """

    better = "higher"
    explains = True

    seeds: int = 5
    top: int | None = None

    def __post_init__(self) -> None:
        check_integer("seeds", self.seeds, minimum=2)
        if self.top is not None:
            check_integer("top", self.top, minimum=1)

    def measure(self, subject: JudgedExplainer) -> Measure:
        runs = [subject.explain(int(s)) for s in subject.seeds.generate_state(int(self.seeds))]
        first = runs[0]
        d, top = first.scores.n_features, self.top
        if top is None:
            default = max(1, round(TOP_POSITIONS * len(first.vector(0, 0))))
            top = default if d is None else min(TOP_FEATURES, d)

        def overlap(a: Floats, b: Floats) -> float:
            """The share of the largest scores (by size) that both have; ties go by position."""
            one, other = (np.argsort(-np.abs(v), kind="stable")[:top] for v in (a, b))
            return len(np.intersect1d(one, other)) / len(one)

        shown = f"top {top} overlap" if d else f"top {top:,} pixels overlap"
        return first.result(
            self,
            _over_pairs(runs, rank_correlation),
            sum((run.cost for run in runs), Cost()),
            references={"random": np.zeros((first.scores.n, first.scores.k))},
            details={shown: _over_pairs(runs, overlap)},
        )


stability = function_of(Stability, "stability")


def _over_pairs(runs: list[Explained], number: Callable[[Floats, Floats], float]) -> Floats:
    return np.asarray(np.mean([a.against(b, number) for a, b in combinations(runs, 2)], axis=0))
