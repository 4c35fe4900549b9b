"""What must stay the same in a box: the decision, or an output within a tolerance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx.errors import InvalidParameterError
from perturbx.predictor import Predictor
from perturbx.rules._decisions import Decision, DecisionRule


@dataclass(frozen=True, eq=False)
class Kept:
    """Which outputs (m, k) keep what the model says of the instance, and that in words."""

    of: Callable[[Floats], NDArray[np.bool_]]
    words: str


def kept_of(decision: DecisionRule, tolerance: float | None, predictor: Predictor) -> Kept:
    """What must stay the same for the first instance that the model has answered.

    Raises
    ------
    InvalidParameterError
        If there is no decision in the outputs, or no single output that has a tolerance.
    """
    own = predictor.first_answers[:1]
    if tolerance is None:
        decided = Decision(decision, predictor)
        label = decided.labels(own)[0]
        return Kept(
            lambda outputs: np.asarray(decided.labels(outputs) == label), decided.name(label)
        )
    if predictor.n_outputs > 1:
        raise InvalidParameterError(
            f"tolerance={tolerance!r} is for a single output, and predict_fn returns "
            f"{predictor.n_outputs}: pass a predict_fn that returns one of them, such as "
            "lambda X: model.predict_proba(X)[:, 1], or leave tolerance out to keep the decision."
        )
    value = float(own[0, 0])
    words = f"{predictor.output_names[0]} = {value:.6g} ± {tolerance:.6g}"
    return Kept(lambda outputs: np.asarray(np.abs(outputs[:, 0] - value) <= tolerance), words)
