"""The squared error of what scores foretell."""

from __future__ import annotations

from typing import Any

import numpy as np

from perturbx._typing import (
    Coalitions,
    Floats,
    Ints,
    LinkName,
    Noise,
    OutputSelection,
    PredictFn,
    RandomState,
)
from perturbx._validation import check_flag
from perturbx.maskers._fills import Fill
from perturbx.metrics._base import Removing, Scored, documented, prepare
from perturbx.metrics._measure import Measure
from perturbx.metrics._subsets import check_subsets, subset_measure
from perturbx.samplers import BernoulliMasks, GaussianNoise

_REMOVALS = 200


@documented
def infidelity(
    predict_fn: PredictFn | Any,
    X: Any,
    explanation: Scored,
    *,
    budget: int | None = None,
    normalise: bool = False,
    masker: Removing = None,
    fill: Fill | None = None,
    outputs: OutputSelection = None,
    link: LinkName = "identity",
    batch_size: int | None = None,
    random_state: RandomState = 0,
    references: bool = True,
) -> Measure:
    """Mean squared error between what the scores foretell of a removal and what it does.

    Yeh et al. (NeurIPS 2019, definition 2.1): the mean over random removals S of
    (sum of the scores in S - (f(x) - f(x without S)))^2, each feature absent with probability
    1/2. Where the masker is ``px.GaussianNoise()`` the input moves instead, and scores are read
    as slopes, one a standard deviation: the local form of the definition. Lower is better; 0 for
    scores that add up exactly, whatever is removed. Images are parted into boxes, and a region's
    score is spread evenly over its pixels.

    Parameters
    ----------
    {common}
    budget : int, optional
        The most model rows that one instance may cost; by default enough for 200 removals.
    normalise : bool
        Scale the scores by the one factor that suits them best, as for scores that only claim to
        be right in proportion.

    Returns
    -------
    Measure
        References: the same scores dealt out to other features, and for images a blob in the
        centre with the right sum. They cost nothing.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> x, model = np.array([4.0, 2.0]), lambda X: X @ [1.0, 1.0]
    >>> zero = px.Baseline([0.0, 0.0])
    >>> px.metrics.infidelity(model, x, x, masker=zero).values
    array(0.)
    """
    check_flag("normalise", normalise)
    check_flag("references", references)
    subject = prepare(
        predict_fn,
        X,
        explanation,
        masker=masker,
        fill=fill,
        outputs=outputs,
        link=link,
        batch_size=batch_size,
        random_state=random_state,
        in_boxes=True,
        on_scale=True,
        check=check_subsets(budget),
    )
    sampler = GaussianNoise() if subject.masker.reads == "noise" else BernoulliMasks()

    def design(d: int, most: int, rng: np.random.Generator) -> tuple[Coalitions | Noise, Ints]:
        z = sampler.draw(d, most, rng).z
        return z, np.zeros(len(z), dtype=np.intp)

    return subset_measure(
        subject,
        "infidelity",
        "lower",
        _scaled_error if normalise else _error,
        design,
        budget=budget,
        default=_REMOVALS,
        references=references,
    )


def _error(foretold: Floats, fall: Floats) -> float:
    return float(np.mean((foretold - fall) ** 2))


def _scaled_error(foretold: Floats, fall: Floats) -> float:
    size = float(foretold @ foretold)
    return _error(foretold * (float(foretold @ fall) / size if size else 0.0), fall)
