"""Whether what scores foretell goes with what removals of one size do."""

from __future__ import annotations

from typing import Any

import numpy as np

from perturbx._typing import (
    Coalitions,
    Ints,
    LinkName,
    Noise,
    OutputSelection,
    PredictFn,
    RandomState,
)
from perturbx._validation import check_flag, check_integer, invalid
from perturbx.maskers import Removal
from perturbx.maskers._fills import Fill
from perturbx.metrics._base import Removing, Scored, documented, prepare
from perturbx.metrics._measure import Measure
from perturbx.metrics._subject import refuse_noise
from perturbx.metrics._subsets import check_subsets, correlation, subset_measure, subsets

_SETS = 200

_SHARE = 0.2


@documented
def faithfulness_correlation(
    predict_fn: PredictFn | Any,
    X: Any,
    explanation: Scored,
    *,
    subset_size: int | None = None,
    budget: int | None = None,
    masker: Removing = None,
    fill: Fill | None = None,
    outputs: OutputSelection = None,
    link: LinkName = "identity",
    batch_size: int | None = None,
    random_state: RandomState = 0,
    references: bool = True,
) -> Measure:
    """Correlation of what the scores foretell with what removals of a fixed size do.

    Bhatt, Weller & Moura (IJCAI 2020, definition 3): over random sets S of `subset_size`
    features, Pearson's correlation of the sum of the scores in S with f(x) - f(x without S).
    Higher is better. Where there are few such sets they are all tried. Images are parted into
    boxes, and a region's score is spread evenly over its pixels.

    Parameters
    ----------
    {common}
    subset_size : int, optional
        How many features are removed; by default a fifth of them.
    budget : int, optional
        The most model rows that one instance may cost; by default enough for 200 sets.

    Returns
    -------
    Measure
        References: as in `infidelity`.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> x, model = np.array([4.0, 2.0]), lambda X: X @ [1.0, 1.0]
    >>> zero = px.Baseline([0.0, 0.0])
    >>> px.metrics.faithfulness_correlation(model, x, x, masker=zero)
    faithfulness_correlation 1 (random -1; higher is better): 1 instance, 6 model rows; absent
    features at a baseline
    """
    check_flag("references", references)
    if subset_size is not None:
        check_integer("subset_size", subset_size, minimum=1)
    pays = check_subsets(budget)

    def check(removals: list[Removal]) -> None:
        fewest = min(removal.n_features for removal in removals)
        if fewest < 2:
            raise invalid("X", "of at least 2 features, so that sets differ", fewest)
        if subset_size is not None and subset_size >= fewest:
            most = f"at most {fewest - 1}, one less than features"
            raise invalid("subset_size", most, subset_size)
        pays(removals)

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
        check=check,
    )
    refuse_noise(subject, "faithfulness_correlation")

    def design(d: int, most: int, rng: np.random.Generator) -> tuple[Coalitions | Noise, Ints]:
        z = subsets(d, subset_size or max(1, round(_SHARE * d)), most, rng)
        return z, np.zeros(len(z), dtype=np.intp)

    return subset_measure(
        subject,
        "faithfulness_correlation",
        "higher",
        correlation,
        design,
        budget=budget,
        default=_SETS,
        references=references,
    )
