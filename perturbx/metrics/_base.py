"""The door of every metric: model, instances, scores and masker are checked, then asked."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import numpy as np

from perturbx._typing import LinkName, OutputSelection, PredictFn, RandomState
from perturbx._validation import check_choice, check_integer, check_random_state, invalid
from perturbx.containers import looks_like_images, rows_of
from perturbx.errors import InvalidParameterError
from perturbx.explainers import BaseExplainer
from perturbx.explainers._probe import probe, probe_cost
from perturbx.explanation import Explanation
from perturbx.game import Game
from perturbx.maskers import (
    Background,
    Features,
    FittedMasker,
    Masker,
    Removal,
)
from perturbx.maskers._fills import Fill
from perturbx.maskers._images import FittedImages
from perturbx.metrics._match import check_counts, check_features, columns_of, names_of
from perturbx.metrics._positions import positions
from perturbx.metrics._scores import Given, of_explanation, of_maps, of_table
from perturbx.metrics._subject import Subject, with_empty

Scored: TypeAlias = Any
"""An `Explanation`, or an array of scores: (n, d) for tables, (n, H, W) maps for images."""

Removing: TypeAlias = Masker | FittedMasker | None
"""How a metric removes features: a masker, or an explainer's ``masker_``."""

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])

_COMMON = """predict_fn : callable or fitted model
        The model: a batch of rows or images to (n,) or (n, k) scores.
    X : table of rows, one row, images or one image
        The instances that were explained.
    explanation : Explanation, or array
        What is judged. Plain scores have shape (n, d) for tables and (n, H, W) for images.
    masker : Masker or fitted masker, optional
        How the metric removes features, such as ``px.Background(X_train)``,
        ``px.Superpixels()`` or ``explainer.masker_``. By default X's own rows, averaged, for
        tables; see `fill` for images.
    fill : "blur", "mean", "noise", a colour or an array, optional
        What absent pixels of an image show, where there is no masker; "blur" by default. A fill
        favours explanations that were made with it.
    outputs : None, int, str or list
        Which of the explained outputs are judged; needed where there are several. Of plain
        scores: the one output that they explain.
    link : "identity" or "logit"
        Applied to the averaged output before measuring.
    batch_size : int, optional
        The most rows in one call of predict_fn.
    random_state : int, numpy generator or None
        Fixes whatever is drawn, whatever batch_size is.
    references : bool
        Whether scores that never saw the model are measured too, to read the number against."""


def documented(function: AnyFunction) -> AnyFunction:
    """Spell out the parameters that all metrics share."""
    has_references = "references" in inspect.signature(function).parameters
    common = _COMMON if has_references else _COMMON.partition("\n    references")[0]
    function.__doc__ = (function.__doc__ or "").replace("{common}", common)
    return function


def prepare(
    predict_fn: PredictFn | Any,
    X: Any,
    explanation: Scored,
    *,
    masker: Removing,
    fill: Fill | None,
    outputs: OutputSelection,
    link: LinkName,
    batch_size: int | None,
    random_state: RandomState,
    in_boxes: bool,
    on_scale: bool = False,
    check: Callable[[list[Removal]], None] | None = None,
) -> Subject:
    """Check that model, instances, scores and masker belong together, and ask for f(x), f(empty).

    `check` refuses settings that do not suit the removals of an instance, before the model is
    asked.

    Raises
    ------
    InvalidInputError
        If the explanation is not of these instances, or holds NaN.
    InvalidParameterError
        If a parameter cannot have its value, or several outputs were explained.
    """
    check_choice("link", link, ("identity", "logit"))
    if batch_size is not None:
        check_integer("batch_size", batch_size, minimum=1)
    seeds = check_random_state(random_state)
    given = read_scores(explanation, X, masker, fill, outputs)
    fitted = _fitted(masker, fill, X, given, np.random.default_rng(seeds.spawn(1)[0]), in_boxes)
    checked, _ = fitted.check(X)
    check_counts(given, fitted.count(checked))
    first = fitted.bind(checked, 0, 1)[0]
    check_features(given, first)
    if check is not None:
        for start in range(0, given.n, fitted.chunk):
            check(fitted.bind(checked, start, min(start + fitted.chunk, given.n)))
    predictor = probe(predict_fn, fitted, checked, None, batch_size)
    game = Game(predictor, link, batch_size, 1)
    raw, cost = game.predictions(fitted, checked)
    columns = columns_of(given, explanation, outputs, predictor, raw, link, on_scale)
    subject = Subject(
        game=game,
        masker=fitted,
        X=checked,
        given=given,
        columns=columns,
        names=names_of(given, predictor, columns),
        full=game.linked(np.take_along_axis(raw, columns, axis=1)),
        empty=np.full(columns.shape, np.nan),
        cost=cost + probe_cost(predictor),
        seeds=seeds,
    )
    return with_empty(subject)


def read_scores(
    explanation: Scored, X: Any, masker: Removing, fill: Fill | None, outputs: OutputSelection
) -> Given:
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
    given: Given,
    rng: np.random.Generator,
    in_boxes: bool,
) -> FittedMasker:
    """The masker of a metric, ready for instances."""
    is_image = given.n_features is None
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
        return positions(
            given.spatial[0],
            _has_channels(X, given),
            "blur" if fill is None else fill,
            in_boxes,
            rng,
        )
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


def _has_channels(X: Any, given: Given) -> bool:
    """Whether an instance has an axis more than its map."""
    several = "instance" in given.axes and not isinstance(X, (list, tuple))
    first = X[0] if isinstance(X, (list, tuple)) and len(X) else X
    return bool(np.ndim(first) - several > len(given.spatial[0]))
