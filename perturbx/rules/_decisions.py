"""What a model decides: the label that a rule must keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx._validation import check_number, shown
from perturbx.errors import InvalidParameterError
from perturbx.predictor import Predictor

DecisionRule: TypeAlias = float | Callable[[Any], Any] | None
"""A threshold for one score, a function of the outputs, or None: the class or label itself."""


@dataclass(frozen=True, eq=False)
class Decision:
    """The decisions behind the outputs of a model."""

    rule: DecisionRule
    predictor: Predictor

    def __post_init__(self) -> None:
        if self.rule is None or callable(self.rule):
            return
        check_number("decision", self.rule)
        if self.predictor.n_outputs > 1:
            raise InvalidParameterError(
                f"decision={self.rule!r} is the threshold of a single output, and predict_fn "
                f"returns {self.predictor.n_outputs}: leave decision out for the largest output, "
                "or pass a function of the outputs (n, k) that returns (n,) labels."
            )

    def labels(self, outputs: Floats) -> NDArray[Any]:
        """(n,): the decision for each row of outputs (n, k)."""
        if callable(self.rule):
            return self._called(outputs)
        if self.predictor.n_outputs > 1:
            return np.asarray(outputs.argmax(axis=1))
        scores = outputs[:, 0]
        if self.rule is not None:
            return np.asarray(scores > self.rule)
        broken = scores[scores != np.round(scores)]
        if len(broken):
            raise InvalidParameterError(
                f"predict_fn returns one score per row, such as {broken[0]:.6g}, and a rule needs "
                "a decision: pass decision=0.5 for scores above 0.5, a function of the scores, or "
                "a predict_fn that returns classes or the probability of each class."
            )
        return scores

    def name(self, label: Any) -> str:
        """A decision in words."""
        names = self.predictor.output_names
        if callable(self.rule):
            return f"decision = {label}"
        if self.predictor.n_outputs > 1:
            return names[int(label)]
        if self.rule is not None:
            return f"{names[0]} {'>' if label else '≤'} {self.rule:g}"
        return f"{names[0]} = {label:g}"

    def _called(self, outputs: Floats) -> NDArray[Any]:
        assert callable(self.rule)
        given = outputs[:, 0] if self.predictor.is_vector else outputs
        labels = np.asarray(self.rule(given.copy()))
        if labels.shape != (len(outputs),):
            raise InvalidParameterError(
                f"decision must map outputs {given.shape} to one label per row, "
                f"({len(outputs)},); got {shown(labels)} of shape {labels.shape}."
            )
        return labels
