"""The contract of metrics: a function of their subject, which stays as it is."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from perturbx._typing import Floats
from perturbx.explainers import Occlusion
from perturbx.maskers import Background, Windows
from perturbx.metrics import JudgedExplanation, Measure, Metric
from perturbx.testing._shared import check_part, require, same


def check_metric(metric: Metric[Any], X: Any) -> None:
    """Check that a metric depends on its subject, leaves it as it is, and counts model rows.

    Parameters
    ----------
    metric : Metric
    X : array
        A table of numbers (n, d), or images (n, height, width, channels): at least two instances.

    Raises
    ------
    AssertionError
        With the sentence of the contract that does not hold.
    """
    check_part(metric)
    require(metric.better in ("higher", "lower"), 'better is "higher" or "lower"')
    asked: list[int] = []

    def model(batch: Any) -> Floats:
        asked.append(len(batch))
        cells = np.reshape(batch, (len(batch), -1)).astype(np.float64)
        slopes = np.cos(np.arange(cells.shape[1]))
        return np.asarray(np.tanh(cells @ slopes) + cells.mean(axis=1))

    X = np.array(X)
    masker: Any = Background(X) if X.ndim == 2 else Windows(shape=4, stride=4, fill=0)
    explainer = Occlusion(model, masker=masker).fit(X)
    explanation = explainer.explain(X)
    given = (explainer, X) if metric.explains else (model, X, explanation)
    common: dict[str, Any] = {} if metric.explains else {"masker": masker}
    asked.clear()
    subject = metric.subject(*given, **common)
    state = X, masker, explainer, explanation, subject
    before, scores_before = copy.deepcopy(state), _scores(subject)
    found = metric.measure(subject)
    n_rows = sum(asked)
    kept = same(before, state) and same(scores_before, _scores(subject))
    require(kept, "a metric leaves its subject as it is")
    require(isinstance(found, Measure), "measure returns a Measure")
    names = (found.metric, found.better)
    require(names == (metric.name, metric.better), "a result has the name of its metric")
    require(found.axes == ("instance",), "a result has the axes of what was judged")
    require(found.values.shape == (len(X),), "there is one number for each instance and output")
    require(found.n_rows == n_rows, f"n_rows counts the rows that were asked: {n_rows}")
    for again in (metric.measure(subject), metric.measure(metric.subject(*given, **common))):
        repeated = np.array_equal(found.values, again.values, equal_nan=True)
        require(repeated, "the same subject, the same values")


def _scores(subject: Any) -> list[Any]:
    """Copies of the scores, which are read by functions."""
    if not isinstance(subject, JudgedExplanation):
        return []
    reading = subject.scores.heat, subject.scores.mass
    return [np.array(of(i, j)) for of in reading for i, j in np.ndindex(*subject.full.shape)]
