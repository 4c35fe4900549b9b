"""The scores that are judged: of an `Explanation`, of an array, or of a reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from perturbx._typing import Floats, OutputSelection
from perturbx._validation import real_numbers
from perturbx._validation import shown as shown_value
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.explanation import Explanation, without_rounding
from perturbx.maskers._axes import MOST_COLOURS
from perturbx.maskers.gaussian import FittedNoise
from perturbx.regions import LabelMap, Regions

Lookup: TypeAlias = Callable[[int, int], Floats]
"""Scores of an instance and output, by position: (d,), or a map over an image's positions."""

MOST_COVERS = 20_000
"""Overlapping regions beyond this are spread as their heat map is."""


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of n instances and k outputs, looked up one at a time.

    Parameters
    ----------
    heat : callable
        The (d,) scores, or the heat map, by which features are put into an order.
    mass : callable
        The (d,) scores, or a map whose sum over a region is that region's share: a region's
        score is spread evenly over its positions.
    """

    heat: Lookup
    mass: Lookup


@dataclass(frozen=True, eq=False)
class Given:
    """What the user passed as explanation, read.

    Parameters
    ----------
    scores : Scores
    axes : tuple of str
        Which of "instance" and "output" it has.
    n, k : int
        Instances and outputs.
    n_features : int or None
        Of a table; None for images.
    spatial : tuple of tuples of int
        The shape of each image's map; empty for tables.
    names, predictions : array or None
        (k,) or (n, k) names and (n, k) predictions of the outputs, where they are known.
    are_slopes : bool
        True if features were moved, not removed: a score is then no share of the output.
    """

    scores: Scores
    axes: tuple[str, ...]
    n: int
    k: int
    n_features: int | None
    spatial: tuple[tuple[int, ...], ...] = ()
    names: Any = None
    predictions: Floats | None = None
    are_slopes: bool = False


def of_explanation(explanation: Explanation, outputs: OutputSelection) -> Given:
    """An `Explanation`, or some of its outputs."""
    if "feature" not in explanation.axes:
        raise InvalidInputError(
            "explanation must hold all features: got one from which features were picked. Pass "
            "the whole explanation."
        )
    explanation, top = without_rounding(explanation), _top(outputs)
    chosen = explanation if top else _chosen(explanation, outputs)
    axes = tuple(a for a in chosen.axes if a != "feature")
    values = _cube(np.asarray(chosen.values), chosen.axes)
    predictions = np.reshape(chosen.predictions, (values.shape[0], values.shape[2]))
    names = np.asarray(chosen.output_names, dtype=object)
    if top:
        largest = np.argsort(-predictions, axis=1, kind="stable")[:, :top]
        names = np.take_along_axis(np.broadcast_to(names, predictions.shape), largest, axis=1)
        predictions = np.take_along_axis(predictions, largest, axis=1)
        values = np.take_along_axis(values, largest[:, None, :], axis=2)
    n, d, k = values.shape
    if chosen.regions is None:
        _check_known(values)
        given = Scores(lambda i, j: values[i, :, j], lambda i, j: values[i, :, j])
        slopes = chosen.value_function.endswith(FittedNoise.value_function)
        return Given(given, axes, n, k, d, (), names, predictions, slopes)
    regions = (chosen.regions,) if isinstance(chosen.regions, Regions) else chosen.regions
    for i, own in enumerate(regions):
        _check_known(values[i, : len(own)])

    def own_scores(i: int, j: int) -> Floats:
        return values[i, : len(regions[i]), j]

    scores = Scores(
        lambda i, j: regions[i].heatmap(own_scores(i, j)),
        lambda i, j: _spread(regions[i], own_scores(i, j)),
    )
    return Given(scores, axes, n, k, None, tuple(r.shape for r in regions), names, predictions)


def of_table(values: Any) -> Given:
    """Plain scores (d,) or (n, d) of the columns of a table."""
    array = _numbers(values)
    if array.ndim not in (1, 2):
        raise InvalidInputError(
            f"scores of a table must have shape (n, d): got {array.shape}. Where there are several "
            "outputs pass the scores of one, as in scores[..., 0]."
        )
    axes = ("instance",) if array.ndim == 2 else ()
    rows = np.atleast_2d(array)
    scores = Scores(lambda i, j: rows[i], lambda i, j: rows[i])
    return Given(scores, axes, len(rows), 1, rows.shape[1])


def of_maps(values: Any, X: Any) -> Given:
    """Plain maps of images: (H, W) of one, (n, H, W) or a list of several."""
    if isinstance(X, (list, tuple)):
        maps = [_numbers(m) for m in values]
        return _maps(maps, ("instance",))
    array, shape = _numbers(values), np.shape(X)
    has_colours = array.shape == shape and len(shape) > 2 and shape[-1] <= MOST_COLOURS
    if array.shape not in (shape, shape[:-1]) or array.ndim == 0 or has_colours:
        raise InvalidInputError(
            f"maps of images of shape {shape} must have that shape without the channels: got "
            f"{array.shape}. Sum over channels first, and where there are several outputs pass "
            "the maps of one."
        )
    return _maps(list(array), ("instance",)) if array.ndim > 2 else _maps([array], ())


def _maps(maps: Sequence[Floats], axes: tuple[str, ...]) -> Given:
    scores = Scores(lambda i, j: maps[i], lambda i, j: maps[i])
    return Given(scores, axes, len(maps), 1, None, tuple(m.shape for m in maps))


def in_regions(regions: Regions | None, scores: Floats, *, mean: bool) -> Floats:
    """(d,) scores of the features of a removal, from columns' scores or from a map."""
    if regions is None:
        return scores
    if isinstance(regions, LabelMap):
        labels = regions.segments.ravel()
        total = np.bincount(labels, scores.ravel(), len(regions))
        return np.asarray(total / np.bincount(labels, minlength=len(regions)) if mean else total)
    covers = (regions.cover(r) for r in range(len(regions)))
    return np.array([scores[c].mean() if mean else scores[c].sum() for c in covers])


def _chosen(explanation: Explanation, outputs: OutputSelection) -> Explanation:
    """The outputs that were named, or the only one."""
    names = explanation.output_names
    if "output" not in explanation.axes:
        own = () if np.ndim(names) == 2 else tuple(names)
        plain = isinstance(outputs, (int, str, np.integer)) and not isinstance(outputs, bool)
        if outputs is None or (plain and (outputs in (0, -1) or outputs in own)):
            return explanation
        raise InvalidParameterError(
            f"outputs must be one that was explained, {', '.join(map(repr, own)) or 0}: "
            f"got {shown_value(outputs)}."
        )
    if outputs is not None:
        return explanation[..., outputs]
    if explanation.shape[-1] == 1:
        return explanation[..., 0]
    shown = "a position" if np.ndim(names) == 2 else ", ".join(map(repr, names[:20]))
    raise InvalidParameterError(
        f"{explanation.shape[-1]} outputs were explained: say which to judge with outputs=, one "
        f"or several of {shown}."
    )


def _top(outputs: OutputSelection) -> int:
    """The number in "top3"; 0 where it is none."""
    is_top = isinstance(outputs, str) and outputs.startswith("top") and outputs[3:].isdecimal()
    return int(outputs[3:]) if is_top and isinstance(outputs, str) else 0


def _cube(values: Floats, axes: tuple[str, ...]) -> Floats:
    """(n, d, k) of values that lack the instance or the output axis."""
    values = values if "instance" in axes else values[None]
    return values if "output" in axes else values[..., None]


def _spread(regions: Regions, scores: Floats) -> Floats:
    """A map in which each region's score lies evenly over its positions."""
    if isinstance(regions, LabelMap):
        return np.asarray((scores / np.bincount(regions.segments.ravel()))[regions.segments])
    if len(regions) > MOST_COVERS:
        heat = regions.heatmap(scores)
        return np.asarray(heat * (scores.sum() / heat.sum() if heat.sum() else 1.0))
    mass = np.zeros(regions.shape)
    for region, score in enumerate(scores):
        covered = regions.cover(region)
        mass[covered] += score / covered.sum()
    return mass


def _numbers(values: Any) -> Floats:
    try:
        array = real_numbers(values)
    except (TypeError, ValueError, OverflowError) as error:
        dtype = f" of dtype {values.dtype}" if isinstance(values, np.ndarray) else ""
        raise InvalidInputError(
            f"explanation must be an Explanation or an array of scores: got "
            f"{type(values).__name__}{dtype}."
        ) from error
    _check_known(array)
    return array


def _check_known(values: Floats) -> None:
    if not np.isfinite(values).all():
        raise InvalidInputError(
            f"{int((~np.isfinite(values)).sum())} of {values.size} scores are NaN or infinite: "
            "what is not known cannot be judged. Explain again with a larger budget, or replace "
            "them."
        )
