"""Whether another seed would have said the same."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np

from perturbx._typing import Floats, OutputSelection, RandomState
from perturbx._validation import check_integer, check_random_state
from perturbx.game import Cost
from perturbx.metrics._explaining import (
    TOP_FEATURES,
    TOP_POSITIONS,
    Explained,
    Explains,
    check_explainer,
    explain_with,
    rank_correlation,
    top_overlap,
)
from perturbx.metrics._measure import Measure


def stability(
    explainer: Explains,
    X: Any,
    *,
    seeds: int = 5,
    top: int | None = None,
    outputs: OutputSelection = None,
    random_state: RandomState = 0,
) -> Measure:
    """Rank correlation of the scores from several seeds.

    The mean of Spearman's correlation over all pairs of seeds; higher is better, 1 for methods
    that draw nothing. A fitted explainer stays fitted as it is, so that its background is always
    the same one.

    Parameters
    ----------
    explainer : explainer or callable
        A px explainer, or a callable from X to an `Explanation` or an array of scores; one with
        a parameter ``random_state`` is given a seed.
    X : table of rows, one row, images or one image
        What is explained.
    seeds : int
        How many times.
    top : int, optional
        How many of the largest scores (by size) `details` compare; by default 5 features, or 10%
        of the positions of an image.
    outputs : None, int, str or list
        Which of the explained outputs are judged; needed where there are several.
    random_state : int, numpy generator or None
        From which the seeds are drawn.

    Returns
    -------
    Measure
        With the share of the top that two seeds have in common as `details`. The one reference
        is what scores dealt out at random would have: 0.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> explainer = px.Occlusion(lambda X: X @ [3.0, 2.0], masker=px.Baseline([0.0, 0.0]))
    >>> px.metrics.stability(explainer, np.array([1.0, 1.0]), seeds=2)
    stability 1 (random 0; top 2 overlap 1; higher is better): 1 instance, 12 model rows; <lambda>,
    absent features at a baseline
    """
    seeds = check_integer("seeds", seeds, minimum=2)
    root = check_random_state(random_state)
    check_explainer(explainer, outputs)
    if top is not None:
        check_integer("top", top, minimum=1)
    drawn = [int(s) for s in root.generate_state(seeds)]
    runs = [explain_with(explainer, X, outputs, seed) for seed in drawn]
    top = _top(runs[0]) if top is None else top
    shown = f"top {top} overlap" if runs[0].given.n_features else f"top {top:,} pixels overlap"

    def overlap(a: Floats, b: Floats) -> float:
        return top_overlap(a, b, top)

    return runs[0].measure(
        "stability",
        _over_pairs(runs, rank_correlation),
        "higher",
        sum((run.cost for run in runs), Cost()),
        references={"random": np.zeros((runs[0].given.n, runs[0].given.k))},
        details={shown: _over_pairs(runs, overlap)},
    )


def _over_pairs(runs: list[Explained], number: Callable[[Floats, Floats], float]) -> Floats:
    return np.asarray(np.mean([a.against(b, number) for a, b in combinations(runs, 2)], axis=0))


def _top(run: Explained) -> int:
    d = run.given.n_features
    if d is not None:
        return min(TOP_FEATURES, d)
    return max(1, round(TOP_POSITIONS * len(run.vector(0, 0))))
