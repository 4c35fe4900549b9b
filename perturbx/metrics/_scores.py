"""The scores that are judged: of an `Explanation`, of an array, or of a reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from perturbx._typing import Floats, OutputSelection, ScoreKind
from perturbx._validation import real_numbers, top_of
from perturbx._validation import shown as shown_value
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.features import LabelMap, Regions
from perturbx.maskers.axes import MOST_COLORS
from perturbx.result import Explanation, values_without_rounding

Lookup: TypeAlias = Callable[[int, int], Floats]
"""Scores of an instance and output, by position: (d,), or a map over an image's positions."""

MOST_COVERS = 20_000
"""Overlapping regions beyond this are spread as their heat map is."""


@dataclass(frozen=True, eq=False)
class ReadScores:
    """What the user passed as explanation, read: scores of n instances and k outputs.

    Parameters
    ----------
    heat : callable
        From an instance and an output to the (d,) scores, or to the heat map, by which features
        are put into an order.
    mass : callable
        To the (d,) scores, or to a map whose sum over a region is that region's share: a
        region's score is spread evenly over its positions.
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
    kind : "shares" or "slopes"
        Slopes do not add up to a change of the output.
    """

    heat: Lookup
    mass: Lookup
    axes: tuple[str, ...]
    n: int
    k: int
    n_features: int | None
    spatial: tuple[tuple[int, ...], ...] = ()
    names: Any = None
    predictions: Floats | None = None
    kind: ScoreKind = "shares"


def of_explanation(explanation: Explanation, outputs: OutputSelection) -> ReadScores:
    """An `Explanation`, or some of its outputs."""
    if "feature" not in explanation.axes:
        raise InvalidInputError(
            "explanation must hold all features: got one from which features were picked. Pass "
            "the whole explanation."
        )
    top = top_of(outputs)
    chosen = explanation if top else _chosen(explanation, outputs)
    axes = tuple(a for a in chosen.axes if a != "feature")
    values = values_without_rounding(chosen)
    values = values if "instance" in chosen.axes else values[None]
    values = values if "output" in chosen.axes else values[..., None]
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

        def row(i: int, j: int) -> Floats:
            return np.asarray(values[i, :, j])

        return ReadScores(row, row, axes, n, k, d, (), names, predictions, chosen.score_kind)
    regions = (chosen.regions,) if isinstance(chosen.regions, Regions) else chosen.regions
    for i, own in enumerate(regions):
        _check_known(values[i, : len(own)])

    def own_scores(i: int, j: int) -> Floats:
        return values[i, : len(regions[i]), j]

    return ReadScores(
        lambda i, j: regions[i].heatmap(own_scores(i, j)),
        lambda i, j: _spread(regions[i], own_scores(i, j)),
        axes,
        n,
        k,
        None,
        tuple(r.shape for r in regions),
        names,
        predictions,
        chosen.score_kind,
    )


def of_table(values: Any) -> ReadScores:
    """Plain scores (d,) or (n, d) of the columns of a table."""
    array = _numbers(values)
    if array.ndim not in (1, 2):
        raise InvalidInputError(
            f"scores of a table must have shape (n, d): got {array.shape}. Where there are several "
            "outputs pass the scores of one, as in scores[..., 0]."
        )
    axes = ("instance",) if array.ndim == 2 else ()
    rows = np.atleast_2d(array)
    return ReadScores(lambda i, j: rows[i], lambda i, j: rows[i], axes, len(rows), 1, rows.shape[1])


def of_maps(values: Any, X: Any) -> ReadScores:
    """Plain maps of images: (H, W) of one, (n, H, W) or a list of several."""
    if isinstance(X, (list, tuple)):
        maps = [_numbers(m) for m in values]
        return _maps(maps, ("instance",))
    array, shape = _numbers(values), np.shape(X)
    has_colors = array.shape == shape and len(shape) > 2 and shape[-1] <= MOST_COLORS
    if array.shape not in (shape, shape[:-1]) or array.ndim == 0 or has_colors:
        raise InvalidInputError(
            f"maps of images of shape {shape} must have that shape without the channels: got "
            f"{array.shape}. Sum over channels first, and where there are several outputs pass "
            "the maps of one."
        )
    return _maps(list(array), ("instance",)) if array.ndim > 2 else _maps([array], ())


def _maps(maps: Sequence[Floats], axes: tuple[str, ...]) -> ReadScores:
    shapes = tuple(m.shape for m in maps)
    return ReadScores(lambda i, j: maps[i], lambda i, j: maps[i], axes, len(maps), 1, None, shapes)


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
            "unknown scores cannot be judged. Explain again with a larger budget, or replace "
            "them."
        )
