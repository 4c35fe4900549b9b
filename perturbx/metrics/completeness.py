"""Whether scores add up."""

from __future__ import annotations

from typing import Any

import numpy as np

from perturbx._typing import LinkName, OutputSelection, PredictFn, RandomState
from perturbx._validation import check_flag
from perturbx.game import Cost
from perturbx.maskers._fills import Fill
from perturbx.metrics._base import Removing, Scored, documented, prepare
from perturbx.metrics._curves import ratio
from perturbx.metrics._measure import Measure
from perturbx.metrics._subject import refuse_noise


@documented
def completeness(
    predict_fn: PredictFn | Any,
    X: Any,
    explanation: Scored,
    *,
    normalise: bool = False,
    masker: Removing = None,
    fill: Fill | None = None,
    outputs: OutputSelection = None,
    link: LinkName = "identity",
    batch_size: int | None = None,
    random_state: RandomState = 0,
) -> Measure:
    """How far the scores are from adding up to f(x) - f(empty).

    |sum of the scores - (f(x) - f(empty))|, the axiom of completeness (Sundararajan, Taly & Yan,
    ICML 2017) or efficiency. 0 for scores that share the output out; lower is better. f(empty) is
    that of the metric's masker: pass ``masker=explainer.masker_`` to ask about the same one.

    Parameters
    ----------
    {common}
    normalise : bool
        Divide by |f(x) - f(empty)|; NaN where that is 0.

    Returns
    -------
    Measure
        With `details`: the sum of the scores, and f(x) - f(empty). There is no reference:
        scores that never saw the model do not add up to anything.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> x, model = np.array([4.0, 2.0]), lambda X: X[:, 0] * X[:, 1]
    >>> zero = px.Baseline([0.0, 0.0])
    >>> found = px.Occlusion(model, masker=zero).explain(x)
    >>> px.metrics.completeness(model, x, found, masker=zero).values
    array(8.)
    """
    check_flag("normalise", normalise)
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
    )
    refuse_noise(subject, "completeness")
    n, k = subject.shape
    mass = subject.given.scores.mass
    total = np.array([[mass(i, j).sum() for j in range(k)] for i in range(n)])
    owed = subject.full - subject.empty
    missing = np.abs(total - owed)
    return subject.measure(
        "completeness",
        ratio(missing, subject.size) if normalise else missing,
        "lower",
        Cost(),
        details={"sum of scores": subject.shaped(total), "f(x) - f(empty)": subject.shaped(owed)},
        notes=("in units of |f(x) - f(empty)|",) if normalise else (),
    )
