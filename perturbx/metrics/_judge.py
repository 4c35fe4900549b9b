"""Checks that model, instances, scores and masker belong together, and asks for f(x), f(empty)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from perturbx._typing import Floats, Ints, LinkName, OutputSelection, PredictFn, RandomState
from perturbx._validation import (
    check_choice,
    check_flag,
    check_integer,
    check_random_state,
    invalid,
)
from perturbx.containers import looks_like_images, rows_of
from perturbx.designs import NoiseDraws
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.explainers import BaseExplainer
from perturbx.game import Game, probe, probe_cost
from perturbx.game import link as linked
from perturbx.maskers import (
    Background,
    BoundMasker,
    Features,
    FittedMasker,
    Masker,
)
from perturbx.maskers.fills import Fill
from perturbx.maskers.images import FittedImages
from perturbx.metrics._positions import positions
from perturbx.metrics._scores import ReadScores, of_explanation, of_maps, of_table
from perturbx.metrics._subject import JudgedExplanation
from perturbx.predictor import Predictor
from perturbx.result import Explanation

Scored: TypeAlias = Any
"""An `Explanation`, or an array of scores: (n, d) for tables, (n, H, W) maps for images."""

Removing: TypeAlias = Masker | FittedMasker | None
"""How a metric removes features: a masker, or an explainer's ``masker_``."""

_SAME = 1e-3
"""Predictions that differ by more than this part of their size are those of other rows."""


def judge(
    predict_fn: PredictFn | Any,
    X: Any,
    explanation: Scored,
    *,
    masker: Removing = None,
    fill: Fill | None = None,
    outputs: OutputSelection = None,
    link: LinkName = "identity",
    batch_size: int | None = None,
    random_state: RandomState = 0,
    references: bool = True,
    by_order: bool,
    refuses_noise: str,
    check: Callable[[list[BoundMasker]], None],
) -> JudgedExplanation:
    """The explanation, checked, with f(x) and f(empty).

    A metric adds the last three: whether it reads the order of scores alone, its name if it
    needs features that are removed, and what refuses settings that do not suit the bound_maskers.

    Raises
    ------
    InvalidInputError
        If the explanation is not of these instances, or holds NaN.
    InvalidParameterError
        If a parameter cannot have its value, or several outputs were explained.
    """
    check_flag("references", references)
    check_choice("link", link, ("identity", "logit"))
    if batch_size is not None:
        check_integer("batch_size", batch_size, minimum=1)
    seeds = check_random_state(random_state)
    scores = read_scores(explanation, X, masker, fill, outputs)
    rng = np.random.default_rng(seeds.spawn(1)[0])
    fitted = _fitted(masker, fill, X, scores, rng, not by_order)
    instances = fitted.check(X)
    check_counts(scores, len(instances))
    _check_features(scores, instances.bind(0, 1)[0])
    for part in instances.chunks():
        check(instances.bind(part.start, part.stop))
    if refuses_noise and fitted.accepts is NoiseDraws:
        raise InvalidParameterError(
            f"masker must remove features: {refuses_noise} knows no state without them under "
            f"{fitted.value_function}. Pass masker=px.Background(X_train)."
        )
    predictor = probe(predict_fn, instances, None, batch_size)
    game = Game(predictor, link, batch_size, 1)
    raw, cost = game.predictions(instances)
    cost += probe_cost(predictor)
    columns = _columns(scores, explanation, outputs, predictor, raw, link, not by_order)
    names = scores.names
    if names is None:
        each = np.asarray(predictor.output_names, dtype=object)[columns]
        names = each[0] if (columns == columns[:1]).all() else each
    empty = np.empty(columns.shape)
    for part in instances.chunks():
        bound = instances.bind(part.start, part.stop)
        (empty[part],), asked = game.empty(bound, columns[part], part.start)
        cost += asked
    return JudgedExplanation(
        game=game,
        masker=fitted,
        instances=instances,
        scores=scores,
        columns=columns,
        names=tuple(names) if np.ndim(names) == 1 else names,
        full=game.linked(np.take_along_axis(raw, columns, axis=1)),
        empty=empty,
        references=references,
        cost=cost,
        seeds=seeds,
    )


def read_scores(
    explanation: Scored, X: Any, masker: Removing, fill: Fill | None, outputs: OutputSelection
) -> ReadScores:
    """What is judged: an explanation, or plain scores of a table or of images."""
    if callable(explanation) or isinstance(explanation, BaseExplainer):
        raise invalid(
            "explanation",
            "an Explanation or an array of scores",
            explanation,
            "Pass explainer.explain(X), not the explainer.",
        )
    if isinstance(explanation, Explanation):
        return of_explanation(explanation, outputs)
    if outputs is not None and not isinstance(outputs, (int, np.integer, str)):
        raise invalid("outputs", "the one output that the scores explain", outputs)
    return of_maps(explanation, X) if are_images(X, masker, fill) else of_table(explanation)


def are_images(X: Any, masker: Removing, fill: Fill | None) -> bool:
    """Whether plain scores of X are maps: by what removes its parts, or else by its shape."""
    of_places = isinstance(masker, Masker) and masker.of_images
    removes_places = of_places or isinstance(masker, FittedImages)
    return fill is not None or removes_places or looks_like_images(X)


def _fitted(
    masker: Removing,
    fill: Fill | None,
    X: Any,
    scores: ReadScores,
    rng: np.random.Generator,
    in_boxes: bool,
) -> FittedMasker:
    """The masker of a metric, ready for instances."""
    is_image = scores.n_features is None
    if fill is not None and (masker is not None or not is_image):
        raise InvalidParameterError(
            "fill is what absent pixels show where a metric removes pixels: "
            + ("pass it inside the masker." if masker is not None else "a table takes masker=.")
        )
    if isinstance(masker, FittedMasker):
        return masker
    if masker is not None and not isinstance(masker, Masker):
        raise invalid("masker", "a masker, such as px.Background(X_train)", masker)
    if masker is not None:
        if masker.needs_fit and not is_image:
            _check_background(X, f"{type(masker).__name__}() without rows of its own")
        return masker.fit(X if masker.needs_fit else None, Features(), rng)
    if is_image:
        several = "instance" in scores.axes and not isinstance(X, (list, tuple))
        first = X[0] if isinstance(X, (list, tuple)) and len(X) else X
        has_channels = np.ndim(first) - several > len(scores.spatial[0])
        shown = "blur" if fill is None else fill
        return positions(scores.spatial[0], bool(has_channels), shown, in_boxes, rng)
    _check_background(X, "a metric without a masker")
    return Background().fit(X, Features(), rng)


def _check_background(X: Any, what: str) -> None:
    """A single row is no background of itself."""
    rows, is_single = rows_of(X)
    if is_single or rows.shape[0] < 2:
        raise InvalidParameterError(
            f"masker must be given: {what} takes the rows of X as background, and X is one row. "
            "Pass masker=px.Background(X_train) or masker=explainer.masker_."
        )


def check_counts(scores: ReadScores, n: int) -> None:
    """As many instances as there are scores."""
    if scores.n != n:
        raise InvalidInputError(
            f"explanation and X do not match: the explanation is of {scores.n} instances, and X "
            f"holds {n}."
        )


def _check_features(scores: ReadScores, first: BoundMasker) -> None:
    regions = first.regions
    if scores.n_features is not None:
        if regions is not None or first.n_features != scores.n_features:
            raise InvalidInputError(
                f"explanation and X do not match: {scores.n_features} features have scores, and "
                f"the masker removes {first.n_features}. Where columns were explained in groups, "
                "pass masker=explainer.masker_."
            )
    elif regions is None or regions.shape != scores.spatial[0]:
        shape = "columns" if regions is None else f"an image of {regions.shape}"
        raise InvalidInputError(
            f"explanation and X do not match: the first map has shape {scores.spatial[0]}, and "
            f"the masker removes from {shape}."
        )


def _columns(
    scores: ReadScores,
    explanation: Any,
    outputs: OutputSelection,
    predictor: Predictor,
    raw: Floats,
    link_name: LinkName,
    on_scale: bool,
) -> Ints:
    """The model's output behind each score; by name, and else by the model's answers."""
    if not isinstance(explanation, Explanation):
        if outputs is None and predictor.n_outputs > 1:
            raise InvalidParameterError(
                f"the model has {predictor.n_outputs} outputs: say with outputs= which of them "
                "the scores explain."
            )
        columns, _ = predictor.select(0 if outputs is None else outputs, raw)
        if columns.shape[1] > 1:
            raise invalid("outputs", "the one output that the scores explain", outputs)
        return columns
    predictions = np.asarray(scores.predictions)
    scales: list[LinkName] = [link_name] if on_scale else ["identity", "logit"]
    for name in scales:
        if name == "logit" and not ((raw > 0) & (raw < 1)).all():
            continue
        found = _matching(scores, predictor, linked(raw, name), predictions)
        if found is not None:
            return found
    raise InvalidInputError(
        "explanation and X do not match: its predictions are not what predict_fn says of X"
        + (f' on the scale of link="{link_name}"' if on_scale else "")
        + ". Pass the predict_fn and the X that were explained"
        + (", and their link." if on_scale else ".")
    )


def _matching(
    scores: ReadScores, predictor: Predictor, raw: Floats, predictions: Floats
) -> Ints | None:
    """Columns whose answers are the explanation's predictions, or None.

    A name decides; where the model does not know it, as after output_names=, the nearest answers.
    """
    names = np.broadcast_to(np.asarray(scores.names, dtype=object), predictions.shape)
    known = list(predictor.output_names)
    distance = np.abs(raw[:, None, :] - predictions[:, :, None])
    if np.ndim(scores.names) == 1:  # an output is the same one for every instance
        distance = np.broadcast_to(distance.max(axis=0, keepdims=True), distance.shape)
    near = distance <= _SAME * max(float(np.abs(predictions).max()), 1e-12)
    columns: Ints = np.argmin(distance, axis=2)
    for i, j in np.ndindex(*predictions.shape):
        name = str(names[i, j])
        if name in known and near[i, j, known.index(name)]:
            columns[i, j] = known.index(name)
        elif not near[i, j, columns[i, j]]:
            return None
    return columns
