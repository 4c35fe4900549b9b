"""Whether what scores foretell goes with what removals do, by how much is removed."""

from __future__ import annotations

from collections.abc import Sequence
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
from perturbx._validation import check_flag, check_integer, check_list, invalid
from perturbx.maskers import Removal
from perturbx.maskers._fills import Fill
from perturbx.metrics._base import Removing, Scored, documented, prepare
from perturbx.metrics._measure import Measure
from perturbx.metrics._subject import refuse_noise
from perturbx.metrics._subsets import check_subsets, correlation, subset_measure, subsets

_SETS = 100

_SIZES = 6

_LARGEST = 0.8


@documented
def sensitivity_n(
    predict_fn: PredictFn | Any,
    X: Any,
    explanation: Scored,
    *,
    sizes: Sequence[int] | None = None,
    budget: int | None = None,
    masker: Removing = None,
    fill: Fill | None = None,
    outputs: OutputSelection = None,
    link: LinkName = "identity",
    batch_size: int | None = None,
    random_state: RandomState = 0,
    references: bool = True,
) -> Measure:
    """Correlation of what the scores foretell with what removals of n features do.

    Ancona et al. (ICLR 2018, definition 2): over random sets S of n features, Pearson's
    correlation of the sum of the scores in S with f(x) - f(x without S); the value is the mean
    over sizes n. Higher is better; 1 for scores that are right up to a factor. Where there are few
    sets of a size they are all tried. Images are parted into boxes, and a region's score is spread
    evenly over its pixels.

    Parameters
    ----------
    {common}
    sizes : sequence of int, optional
        How many features are removed; by default six sizes from 1 to 80% of the features, evenly
        on a logarithmic scale.
    budget : int, optional
        The most model rows that one instance may cost; by default enough for 100 sets a size.

    Returns
    -------
    Measure
        With `curves`, the correlation at each size, and `shares`, the sizes as shares of the
        (first instance's) features. References: as in `infidelity`.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> x, model = np.array([4.0, 2.0, 1.0]), lambda X: X @ [1.0, 1.0, 1.0]
    >>> zero = px.Baseline([0.0, 0.0, 0.0])
    >>> px.metrics.sensitivity_n(model, x, x, masker=zero, sizes=[1, 2])
    sensitivity_n 1 (random -0.429; higher is better): 1 instance, 10 model rows; absent features at
    a baseline
    """
    check_flag("references", references)
    if sizes is not None:
        check_list("sizes", sizes, "numbers of features")

    def check(removals: list[Removal]) -> None:
        check_subsets(budget, len(_shares(removals[0].n_features, sizes)))(removals)

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
    refuse_noise(subject, "sensitivity_n")
    shares = _shares(next(subject.removals())[1].n_features, sizes)

    def design(d: int, most: int, rng: np.random.Generator) -> tuple[Coalitions | Noise, Ints]:
        each = max(2, most // len(shares))
        counts = np.clip(np.rint(shares * d).astype(int), 1, max(1, d - 1))
        parts = [subsets(d, int(count), each, rng) for count in counts]
        group = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        return np.concatenate(parts), group

    return subset_measure(
        subject,
        "sensitivity_n",
        "higher",
        correlation,
        design,
        budget=budget,
        default=_SETS * len(shares),
        n_groups=len(shares),
        shares=shares,
        references=references,
    )


def _shares(d: int, sizes: Sequence[int] | None) -> Floats:
    """The sizes as shares of the (first instance's) features."""
    if d < 2:
        raise invalid("X", "of at least 2 features, so that sets differ", d)
    if sizes is None:
        counts = np.unique(np.rint(np.geomspace(1, max(1, _LARGEST * d), _SIZES)))
    else:
        counts = np.array([check_integer("sizes", size, minimum=1) for size in sizes])
        if not len(counts) or counts.max() >= d:
            raise invalid("sizes", f"numbers of features from 1 to {d - 1}", sizes)
    return np.asarray(np.minimum(counts, d - 1) / d)
