"""What metrics cost: they judge explanations of a model that costs nothing, for one row."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from perturbx.cli.subject import Subject
from perturbx.errors import PerturbxWarning
from perturbx.explainers import BaseExplainer
from perturbx.metrics import Comparison


def measuring_rows(
    explainers: Mapping[str, Any],
    subject: Subject,
    compared: Callable[[Mapping[str, BaseExplainer], Any], Comparison],
) -> int:
    """The model rows with which metrics judge the first row of the subject."""
    one = subject.X[:1]
    copies: dict[str, BaseExplainer] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PerturbxWarning)  # about a model that does not exist
        for name, explainer in explainers.items():
            copies[name] = clone(explainer).set_params(
                predict_fn=_stand_in(explainer),
                output_names=explainer.predictor_.output_names,
                archive=None,
                n_jobs=None,
                verbose=0,
            )
            copies[name].fit(subject.background)
        found = compared(copies, one)
    return int(found.measuring_rows.sum())


def _stand_in(explainer: Any) -> Callable[[Any], NDArray[np.float64]]:
    """A model of constant outputs, as many as the explainer's model has."""
    predictor = explainer.predictor_
    one = np.linspace(0.25, 0.75, predictor.n_outputs)
    row = one[0] if predictor.is_vector else one

    def answer(batch: Any) -> NDArray[np.float64]:
        n = batch.shape[0] if hasattr(batch, "shape") else len(batch)
        return np.stack([row] * n)

    return answer
