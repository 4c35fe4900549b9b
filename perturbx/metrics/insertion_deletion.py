"""How far the insertion curve lies above the deletion curve."""

from __future__ import annotations

from typing import Any

from perturbx._typing import LinkName, OutputSelection, PredictFn, RandomState
from perturbx._validation import check_flag
from perturbx.maskers._fills import Fill
from perturbx.metrics._areas import difference_measure
from perturbx.metrics._base import Removing, Scored, documented, prepare
from perturbx.metrics._curves import Normalise, check_curve
from perturbx.metrics._measure import Measure


@documented
def insertion_deletion(
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
    """Insertion minus deletion: the area between the two curves.

    Both of Petsiuk, Das & Saenko (BMVC 2018); as inserting the most relevant first is deleting
    the least relevant first, read backwards, this is also the symmetric relevance gain of Bluecher,
    Vielhaben & Strodthoff (TMLR 2024). The fill's own bias, which lifts or lowers both curves,
    mostly cancels: a random order scores about 0. Higher is better.

    Parameters
    ----------
    {common}
    steps : int
        How many equal shares of the features are removed, or added, one after the other; never
        more than a table has features. Pixels go in the order of the heat map, equal ones by
        position.
    normalise : None, "prediction" or "range"
        None: the area itself, in the model's units. "prediction": divided by |f(x)|, as is usual
        for probabilities. "range": divided by |f(x) - f(empty)|.

    Returns
    -------
    Measure
        With the two areas as `details` (normalised each as `deletion` and `insertion` do).

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> x, model = np.array([4.0, 2.0]), lambda X: X @ [1.0, 1.0]
    >>> zero = px.Baseline([0.0, 0.0])
    >>> px.metrics.insertion_deletion(model, x, x, masker=zero).values
    array(1.)
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
    return difference_measure(subject, steps=steps, normalise=normalise, references=references)
