"""What `compare` checks before anything is explained: a few rows of the model, and no more."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from perturbx._typing import OutputSelection
from perturbx._validation import invalid
from perturbx.containers import layout_of, looks_like_images, rows_of
from perturbx.errors import InvalidParameterError
from perturbx.explainers import BaseExplainer
from perturbx.explanation import Explanation
from perturbx.predictor import Predictor, connect

_FEW = 2


def rehearse(
    explainers: Mapping[str, Any], X: Any, predict_fn: Any, outputs: OutputSelection
) -> None:
    """Refuse what would fail once explainers have spent their budgets.

    Raises
    ------
    NotFittedError, BudgetError, InvalidInputError
        If an explainer could not explain X.
    InvalidParameterError
        If several outputs were explained and none is named, or if one is named that was not.
    """
    known: dict[int, Predictor] = {}
    plain = []
    for name, explainer in explainers.items():
        if not isinstance(explainer, BaseExplainer):
            plain.append(name)
            continue
        tried = copy.copy(explainer)
        tried.random_state = 0  # nothing is drawn from the user's generator
        problem, _ = tried._prepared(X)
        known[id(explainer.predict_fn)] = problem.predictor
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
    n = len(rows) if isinstance(rows, (list, tuple)) else rows.shape[0]
    return connect(predict_fn, rows, n, None)
