"""Checks of `compare` before anything is explained, at the cost of a few model rows."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from perturbx._typing import OutputSelection
from perturbx._validation import invalid, top_of
from perturbx.containers import layout_of, rows_of
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.explainers import BaseExplainer
from perturbx.maskers import BoundMasker, Features, Masker
from perturbx.maskers.images import read_images
from perturbx.maskers.piece_instances import FittedPieces
from perturbx.metrics._scores import Removing, are_images, read_scores
from perturbx.predictor import Predictor, connect
from perturbx.result import Explanation

_FEW = 2

_ANSWER = 0.5
"""The output of a model that costs nothing, valid for every link."""


Trial: TypeAlias = tuple[Any, Any]
"""A few instances, in the container of X, and scores that an explainer might give them."""


def rehearse(
    explainers: Mapping[str, Any],
    X: Any,
    predict_fn: Any,
    settings: Mapping[str, Any],
    subjects: Sequence[Callable[[Any, Any, Any], Any]],
) -> dict[str, Any]:
    """Refuse whatever would fail after explainers have spent their budgets.

    Returns the answers of plain callables, as only their answer shows whether they fit X.

    Parameters
    ----------
    explainers : mapping of str to explainer or callable
    X : table of rows, or images
    predict_fn : callable or fitted model
    settings : mapping
        Of all metrics.
    subjects : sequence of callables
        Each prepares the subject of a metric from a model, instances and an explanation.

    Raises
    ------
    NotFittedError, BudgetError, InvalidInputError
        If an explainer could not explain X, or the masker of a metric does not fit X.
    InvalidParameterError
        If several outputs were explained and none is named, if one is named that was not, or if
        a metric cannot have a setting.
    """
    masker, fill, outputs = (settings[name] for name in ("masker", "fill", "outputs"))
    few = Few.of(X, masker, are_images(X, masker, fill))
    _prepare(subjects, _trials(explainers, X, predict_fn, outputs, few))
    answers = {}
    for name, explainer in explainers.items():
        if not isinstance(explainer, BaseExplainer):
            answer = answers[name] = explainer(X)
            scores = read_scores(answer, X, masker, fill, choice_from(answer, outputs))
            scores.check(few.n)
    plain = [answer for answer in answers.values() if not isinstance(answer, Explanation)]
    _prepare(subjects, [(few.part, few.of_answer(answer)) for answer in plain])
    return answers


def choice_from(answer: Any, outputs: OutputSelection) -> OutputSelection:
    """The outputs to judge, or None if the answer has only one."""
    is_explanation = isinstance(answer, Explanation)
    is_one = is_explanation and ("output" not in answer.axes or answer.shape[-1] == 1)
    return None if is_one else outputs


def _prepare(subjects: Sequence[Callable[[Any, Any, Any], Any]], trials: Sequence[Trial]) -> None:
    """Prepare the subject of each metric: a few instances, and a model that costs nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for subject in subjects:
            for part, scores in trials:
                subject(lambda batch: np.full(_count(batch), _ANSWER), part, scores)


def _trials(
    explainers: Mapping[str, Any],
    X: Any,
    predict_fn: Any,
    outputs: OutputSelection,
    few: Few,
) -> list[Trial]:
    """Invented scores in the features of each px explainer, all of which can explain X."""
    known: dict[int, Predictor] = {}
    trials: dict[tuple[str, ...], Trial] = {}
    plain = []
    for name, explainer in explainers.items():
        if not isinstance(explainer, BaseExplainer):
            plain.append(name)
            continue
        tried = copy.copy(explainer)
        tried.random_state = 0  # nothing is drawn from the user's generator
        problem, _ = tried._prepared(X)
        known[id(explainer.predict_fn)] = problem.predictor
        bound, is_single = problem.bound[0], problem.instances.single
        part = X if is_single else few.part
        n = None if is_single else _count(part)
        trials.setdefault(tuple(bound.feature_names), (part, _of_nothing(bound, n)))
        first = problem.predictor.first_answers
        columns, keeps = problem.predictor.select(tried.outputs, first)
        if keeps:
            same = (columns == columns[:1]).all() and top_of(tried.outputs) is None
            names = [problem.predictor.output_names[j] for j in columns[0]] if same else None
            _check_named(name, outputs, columns.shape[1], names)
    if plain:
        model = known.get(id(predict_fn)) or connect(predict_fn, few.batch, _count(few.batch), None)
        for name in plain:
            _check_plain(name, explainers[name], few.part, model, outputs)
    if not trials and not few.has_own_features:  # plain maps may have any shape
        trials[()] = few.part, np.random.default_rng(0).normal(size=few.part.shape)
    return list(trials.values())


@dataclass(frozen=True, eq=False)
class Few:
    """At most two of `n` instances, as the user would pass them, and as a model gets them.

    One image or text where their sizes may differ, as `has_own_features` says.
    """

    part: Any
    batch: Any
    n: int
    has_own_features: bool
    is_single: bool

    @classmethod
    def of(cls, X: Any, masker: Removing, are_images: bool) -> Few:
        """Of a table, or of images, texts or lists as the masker reads them, if there is one."""
        if isinstance(masker, FittedPieces):
            instances = masker.check(X)
            n, is_single = len(instances), instances.single
            return cls(X if is_single else X[:1], instances.take(0, 1), n, True, is_single)
        if not are_images:
            rows, is_single = rows_of(X)
            layout = layout_of(rows)
            part = layout.take(rows, np.arange(min(_FEW, rows.shape[0])))
            return cls(part, part, rows.shape[0], False, is_single)
        if isinstance(X, (list, tuple)):
            return cls(X[:1], np.asarray(X[0])[None], len(X), True, False)
        if _is_one_image(X, masker):
            return cls(X, np.asarray(X)[None], 1, True, True)
        return cls(X[:_FEW], X[:_FEW], len(X), True, False)

    def of_answer(self, answer: Any) -> Any:
        """The part of a callable's answer to all instances that is about these."""
        return answer if self.is_single else answer[: _count(self.part)]


def _is_one_image(X: Any, masker: Removing) -> bool:
    """Whether X has no instance axis; only the masker knows that of volumes."""
    if isinstance(masker, Masker):
        masker = masker.fit(None, Features(), np.random.default_rng(0))
    if masker is not None:
        return masker.check(X).single
    with suppress(InvalidInputError):
        return read_images(X, "auto", None, "").single
    return False


def _of_nothing(features: BoundMasker, n: int | None) -> Explanation:
    """Invented scores of n instances, or of one without an instance axis."""
    shape = () if n is None else (n,)
    same = np.full(shape, _ANSWER)
    regions = features.regions
    return Explanation(
        values=np.random.default_rng(0).normal(size=(*shape, features.n_features)),
        standard_errors=np.zeros((*shape, features.n_features)),
        base_values=same,
        predictions=same,
        data=None,
        feature_names=features.feature_names,
        output_names=("output",),
        axes=("feature",) if n is None else ("instance", "feature"),
        method="",
        value_function="",
        n_rows=0,
        n_calls=0,
        regions=regions if regions is None or n is None else (regions,) * n,
    )


def _check_named(explainer: str, outputs: Any, k: int, names: Sequence[str] | None) -> None:
    """Refuse outputs that the explainer does not explain, and no choice among several."""
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
        top = 1 <= (top_of(output) or 0) <= k
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
    """Plain scores are of one output, which must be named if the model has several."""
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


def _count(batch: Any) -> int:
    return len(batch) if isinstance(batch, (list, tuple)) else int(batch.shape[0])
