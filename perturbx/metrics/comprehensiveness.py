"""What is lost without the features that score highest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from perturbx._typing import LinkName, OutputSelection, PredictFn, RandomState
from perturbx._validation import check_flag
from perturbx.maskers._fills import Fill
from perturbx.metrics._base import Removing, Scored, documented, prepare
from perturbx.metrics._measure import Measure
from perturbx.metrics._tops import TOPS, check_shares, top_measure


@documented
def comprehensiveness(
    predict_fn: PredictFn | Any,
    X: Any,
    explanation: Scored,
    *,
    shares: Sequence[float] = TOPS,
    masker: Removing = None,
    fill: Fill | None = None,
    outputs: OutputSelection = None,
    link: LinkName = "identity",
    batch_size: int | None = None,
    random_state: RandomState = 0,
    references: bool = True,
) -> Measure:
    """How much the output falls without the features that score highest.

    DeYoung et al. (ACL 2020, eq. 1, in its AOPC form): the mean over `shares` q of
    f(x) - f(x without the top q). Higher is better.

    Parameters
    ----------
    {common}
    shares : sequence of float
        Shares of the features (pixels), each above 0 and at most 1, over which is averaged; a
        share is rounded up to whole features.

    Returns
    -------
    Measure
        With `curves`, the fall at each of `shares`. References as in `deletion`.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> x, model = np.array([4.0, 2.0]), lambda X: X @ [1.0, 1.0]
    >>> zero = px.Baseline([0.0, 0.0])
    >>> px.metrics.comprehensiveness(model, x, x, masker=zero).values
    array(4.)
    """
    check_shares(shares)
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
        in_boxes=False,
    )
    return top_measure(subject, "comprehensiveness", shares=shares, references=references)
