"""How far scores are from adding up to the change of the output."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._validation import check_flag
from perturbx.metrics._base import Metric, function_of
from perturbx.metrics.judged_explanation import JudgedExplanation
from perturbx.metrics.results import Measure, ratio


@dataclass(frozen=True)
class Completeness(Metric[JudgedExplanation]):
    """How far the scores are from adding up to f(x) - f(empty).

    |sum of the scores - (f(x) - f(empty))|, the axiom of completeness (Sundararajan, Taly & Yan,
    ICML 2017) or efficiency. 0 for scores that share the output out; lower is better. f(empty) is
    that of the metric's masker: pass ``masker=explainer.masker_`` to ask about the same one.

    Parameters
    ----------
    normalize : bool
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

    better = "lower"
    has_references = False

    normalize: bool = False

    def __post_init__(self) -> None:
        check_flag("normalize", self.normalize)

    def measure(self, subject: JudgedExplanation) -> Measure:
        total = subject.each(lambda i, j: subject.scores.mass(i, j).sum())
        change = subject.full - subject.empty
        missing = np.abs(total - change)
        return subject.result(
            self,
            ratio(missing, subject.size) if self.normalize else missing,
            details={"sum of scores": total, "f(x) - f(empty)": change},
            notes=("in units of |f(x) - f(empty)|",) if self.normalize else (),
        )


completeness = function_of(Completeness, "completeness")
