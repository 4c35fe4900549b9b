"""How fast the output falls when what matters goes first."""

from __future__ import annotations

from typing import Any

from perturbx._typing import LinkName, OutputSelection, PredictFn, RandomState
from perturbx._validation import check_flag
from perturbx.maskers._fills import Fill
from perturbx.metrics._areas import area_measure
from perturbx.metrics._base import Removing, Scored, documented, prepare
from perturbx.metrics._curves import Normalise, check_curve
from perturbx.metrics._measure import Measure


@documented
def deletion(
    predict_fn: PredictFn | Any,
    X: Any,
    explanation: Scored,
    *,
    steps: int = 50,
    normalise: Normalise = None,
    masker: Removing = None,
    fill: Fill | None = None,
    outputs: OutputSelection = None,
    link: LinkName = "identity",
    batch_size: int | None = None,
    random_state: RandomState = 0,
    references: bool = True,
) -> Measure:
    """Area under the model's output while features go, those with the highest scores first.

    Petsiuk, Das & Saenko (BMVC 2018); trapezoids over the share that has gone, from f(x) at 0 to
    f(empty) at 1. A faithful explanation of an output makes it fall fast: lower is better.

    Parameters
    ----------
    {common}
    steps : int
        How many equal shares of the features are removed one after the other; never more than a
        table has features. Pixels go in the order of the heat map, equal ones by position.
    normalise : None, "prediction" or "range"
        None: the area itself, in the model's units. "prediction": divided by |f(x)|, which
        suits probabilities. "range": the part of the way from f(empty) to f(x).

    Returns
    -------
    Measure
        With `curves` and `shares`. References: a random order of the features (of boxes of
        pixels), the mean of 3, and for images those nearest the centre first.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> x, model = np.array([4.0, 2.0]), lambda X: X @ [1.0, 1.0]
    >>> zero = px.Baseline([0.0, 0.0])
    >>> px.metrics.deletion(model, x, x, masker=zero).values
    array(2.5)
    """
    check_curve(steps, normalise)
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
    return area_measure(
        subject, "deletion", steps=steps, normalise=normalise, references=references
    )
