"""What `compare` checks before anything is explained: a few rows of the model, and no more."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from perturbx._typing import OutputSelection
from perturbx._validation import invalid
from perturbx.containers import layout_of, looks_like_images, rows_of
from perturbx.errors import InvalidParameterError
from perturbx.explainers import BaseExplainer
from perturbx.explanation import Explanation
from perturbx.maskers import Removal
from perturbx.predictor import Predictor, connect

_FEW = 2

_ANSWER = 0.5
"""What a model that costs nothing says; fit for every link."""


def rehearse(
    explainers: Mapping[str, Any], X: Any, predict_fn: Any, outputs: OutputSelection
) -> Removal | None:
    """Refuse what would fail once explainers have spent their budgets.

    Returns the features of the first instance, as the first px explainer has them.

    Raises
    ------
    NotFittedError, BudgetError, InvalidInputError
        If an explainer could not explain X.
    InvalidParameterError
        If several outputs were explained and none is named, or if one is named that was not.
    """
    known: dict[int, Predictor] = {}
    features = None
    plain = []
    for name, explainer in explainers.items():
        if not isinstance(explainer, BaseExplainer):
            plain.append(name)
            continue
        tried = copy.copy(explainer)
        tried.random_state = 0  # nothing is drawn from the user's generator
        problem, _ = tried._prepared(X)
        known[id(explainer.predict_fn)] = problem.predictor
        features = features or problem.masker.bind(problem.X, 0, 1)[0]
        first = problem.predictor.first_answers
        columns, keeps = problem.predictor.select(tried.outputs, first)
        if keeps:
            same = (columns == columns[:1]).all() and not _is_top(tried.outputs)
            names = [problem.predictor.output_names[j] for j in columns[0]] if same else None
            _check_named(name, outputs, columns.shape[1], names)
    if plain:
        first_rows = _first(X)
        model = known.get(id(predict_fn)) or _asked(predict_fn, first_rows)
        for name in plain:
            _check_plain(name, explainers[name], first_rows, model, outputs)
    return features


def rehearse_metrics(
    metrics: Sequence[Callable[[Any, Any, Any], Any]], X: Any, features: Removal | None
) -> None:
    """Each metric on two instances and scores of nothing, with a model that costs nothing.

    Raises
    ------
    InvalidParameterError, InvalidInputError
        If a setting of a metric cannot be, or its masker does not go with X.
    """
    if features is None and looks_like_images(X):
        return  # plain maps may have any shape
    rows = _first(X)
    if isinstance(rows, (list, tuple)):
        rows = rows[:1]  # images may differ in size
    scores = (
        np.random.default_rng(0).normal(size=rows.shape)
        if features is None
        else _of_nothing(features, _count(rows))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for metric in metrics:
            metric(lambda batch: np.full(_count(batch), _ANSWER), rows, scores)


def _of_nothing(features: Removal, n: int) -> Explanation:
    """What a px explainer would say of n instances with a model that always answers the same."""
    shape = n, features.n_features
    same = np.full(n, _ANSWER)
    return Explanation(
        values=np.random.default_rng(0).normal(size=shape),
        standard_errors=np.zeros(shape),
        base_values=same,
        predictions=same,
        data=None,
        feature_names=features.feature_names,
        output_names=("output",),
        axes=("instance", "feature"),
        method="",
        value_function="",
        n_rows=0,
        n_calls=0,
        regions=None if features.regions is None else (features.regions,) * n,
    )


def _check_named(explainer: str, outputs: Any, k: int, names: Sequence[str] | None) -> None:
    """Several outputs were explained: one or some of them must be meant."""
    choice = ", ".join(map(repr, names[:20])) if names else f"0 to {k - 1}"
    if outputs is None:
        if k > 1:
            raise InvalidParameterError(
                f"outputs must be given, as {explainer!r} explains {k} of them: pass outputs= one "
                f'of {choice}, or outputs="top1" for the largest of each instance.'
            )
        return
    asked = list(outputs) if np.ndim(outputs) else [outputs]
    for output in asked:
        top = _is_top(output) and int(str(output)[3:]) <= k
        named = names is not None and output in names
        at = isinstance(output, (int, np.integer)) and not isinstance(output, bool)
        if not (top or named or (at and -k <= output < k)):
            raise InvalidParameterError(
                f"outputs must be among those that {explainer!r} explains, {choice}: got "
                f"{output!r}."
            )


def _check_plain(
    name: str,
    explainer: Callable[[Any], Any],
    rows: Any,
    model: Predictor,
    outputs: OutputSelection,
) -> None:
    """Plain scores are of one output, which must be named where the model has several."""
    if model.n_outputs == 1:
        return
    if outputs is None:
        try:
            answer = explainer(rows)
        except Exception:  # it may take all of X alone, and is then checked by its answer to that
            return
        if not isinstance(answer, Explanation):
            raise InvalidParameterError(
                f"outputs must be given, as the model has {model.n_outputs} outputs: pass "
                f"outputs= the one that the scores of {name!r} explain."
            )
        return
    columns, _ = model.select(outputs, model.first_answers)
    if columns.shape[1] > 1:
        raise invalid("outputs", f"the one output that the scores of {name!r} explain", outputs)


def _is_top(outputs: Any) -> bool:
    return isinstance(outputs, str) and outputs.startswith("top") and outputs[3:].isdecimal()


def _first(X: Any) -> Any:
    """At most two instances, in the container of X."""
    if looks_like_images(X):
        return X[:_FEW]
    rows, _ = rows_of(X)
    layout = layout_of(rows)
    return layout.take(rows, np.arange(min(_FEW, layout.count(rows))))


def _asked(predict_fn: Any, rows: Any) -> Predictor:
    return connect(predict_fn, rows, _count(rows), None)


def _count(batch: Any) -> int:
    return len(batch) if isinstance(batch, (list, tuple)) else int(batch.shape[0])
