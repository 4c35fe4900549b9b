"""The scores that are judged: of an `Explanation`, of an array, or of a reference that is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from perturbx._typing import Floats, Ints, OutputSelection, ScoreKind, Segments
from perturbx._validation import invalid, real_numbers, top_of
from perturbx._validation import shown as shown_value
from perturbx.containers import looks_like_images
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.explainers import BaseExplainer
from perturbx.features import LabelMap, Regions, Spans
from perturbx.maskers import BoundMasker, FittedMasker, Masker
from perturbx.maskers.axes import MOST_COLORS
from perturbx.maskers.fills import Fill
from perturbx.maskers.images import FittedImages
from perturbx.result import Explanation, values_without_rounding

Scored: TypeAlias = Any
"""An `Explanation`, or an array of scores: (n, d) for tables, (n, H, W) maps for images."""

Removing: TypeAlias = Masker | FittedMasker | None
"""How a metric removes features: a masker, or an explainer's ``masker_``."""

BOXES = 14
"""Boxes along the longest side, where positions are removed in groups."""

MOST_COVERS = 20_000
"""Overlapping regions beyond this are spread as their heat map is."""


@dataclass(frozen=True, eq=False)
class ReadScores:
    """Scores of n instances and k outputs, read from what the user passed as explanation.

    Parameters
    ----------
    values : (n, k) arrays, as an array or nested lists
        Each holds the scores of the d features or regions, or is a map over an image's positions.
    axes : tuple of str
        Which of "instance" and "output" it has.
    n, k : int
        Instances and outputs.
    n_features : int or None
        Of a table, or the most of a text or list; None for images.
    spatial : tuple of tuples of int
        The shape of each image's map; empty for tables.
    regions : tuple of Regions
        The regions of each image that the scores are of; empty for maps and tables.
    spans : tuple of Spans
        The pieces of each text or list that the scores are of; empty for anything else.
    names, predictions : array or None
        (k,) or (n, k) names and (n, k) predictions of the outputs, where they are known.
    kind : "shares" or "slopes"
        Slopes do not add up to a change of the output.
    """

    values: Any
    axes: tuple[str, ...]
    n: int
    k: int
    n_features: int | None
    spatial: tuple[tuple[int, ...], ...] = ()
    regions: tuple[Regions, ...] = ()
    spans: tuple[Spans, ...] = ()
    names: Any = None
    predictions: Floats | None = None
    kind: ScoreKind = "shares"

    def size(self, i: int) -> int | None:
        """The number of features of an instance; None for an image."""
        return len(self.spans[i]) if self.spans else self.n_features

    def heat(self, i: int, j: int) -> Floats:
        """The (d,) scores of an instance and output, or the heat map, that order the features."""
        scores: Floats = self.values[i][j]
        if not self.regions:
            return scores[: len(self.spans[i])] if self.spans else scores
        return self.regions[i].heatmap(scores[: len(self.regions[i])])

    def mass(self, i: int, j: int) -> Floats:
        """The (d,) scores, or a map over which each region's score is spread evenly."""
        scores: Floats = self.values[i][j]
        if not self.regions:
            return scores[: len(self.spans[i])] if self.spans else scores
        regions = self.regions[i]
        scores = scores[: len(regions)]
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

    def check(self, n: int, first: BoundMasker | None = None) -> None:
        """Refuse scores of other than n instances, or of features that the masker has not."""
        if self.n != n:
            raise InvalidInputError(
                f"explanation and X do not match: the explanation is of {self.n} instances, and X "
                f"holds {n}."
            )
        if first is None:
            return
        regions = first.regions
        if isinstance(regions, Spans):
            self._check_pieces(regions)
        elif self.n_features is not None:
            if self.spans or regions is not None or first.n_features != self.n_features:
                raise InvalidInputError(
                    f"explanation and X do not match: {self.n_features} features have scores, and "
                    f"the masker removes {first.n_features}. Where columns were explained in "
                    "groups, pass masker=explainer.masker_."
                )
        elif regions is None or regions.shape != self.spatial[0]:
            shape = "columns" if regions is None else f"an image of {regions.shape}"
            raise InvalidInputError(
                f"explanation and X do not match: the first map has shape {self.spatial[0]}, and "
                f"the masker removes from {shape}."
            )

    def _check_pieces(self, removed: Spans) -> None:
        own = self.spans[0] if self.spans else None
        same = self.size(0) == len(removed) and (own is None or own.names == removed.names)
        if not same:
            raise InvalidInputError(
                f"explanation and X do not match: {self.size(0)} pieces have scores, "
                f"{list(own.names[:3]) if own else []} first, and the masker removes "
                f"{len(removed)}, {list(removed.names[:3])} first. Pass masker=explainer.masker_."
            )


def read_scores(
    explanation: Scored, X: Any, masker: Removing, fill: Fill | None, outputs: OutputSelection
) -> ReadScores:
    """The scores of an explanation, or plain scores of a table or of images."""
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
    """Whether plain scores of X are maps: by its masker, or else by the shape of X."""
    of_places = isinstance(masker, Masker) and masker.of_images
    removes_places = of_places or isinstance(masker, FittedImages)
    return fill is not None or removes_places or looks_like_images(X)


def of_explanation(explanation: Explanation, outputs: OutputSelection) -> ReadScores:
    """An `Explanation`, or some of its outputs."""
    if "feature" not in explanation.axes:
        raise InvalidInputError(
            "explanation must hold all features: got one from which features were picked. Pass "
            "the whole explanation."
        )
    top = top_of(outputs)
    chosen = explanation if top else _chosen(explanation, outputs)
    values = values_without_rounding(chosen)
    values = values if "instance" in chosen.axes else values[None]
    values = np.swapaxes(values, 1, 2) if "output" in chosen.axes else values[:, None]
    predictions = np.reshape(chosen.predictions, values.shape[:2])
    names = np.asarray(chosen.output_names, dtype=object)
    if top:
        largest = np.argsort(-predictions, axis=1, kind="stable")[:, :top]
        names = np.take_along_axis(np.broadcast_to(names, predictions.shape), largest, axis=1)
        predictions = np.take_along_axis(predictions, largest, axis=1)
        values = np.take_along_axis(values, largest[:, :, None], axis=1)
    n, k, d = values.shape
    places = chosen.regions or ()
    places = places if isinstance(places, tuple) else (places,)
    for own, scores in zip(places, values, strict=False):
        _check_known(scores[:, : len(own)])
    if not places:
        _check_known(values)
    regions = tuple(own for own in places if isinstance(own, Regions))
    return ReadScores(
        values,
        axes=tuple(a for a in chosen.axes if a != "feature"),
        n=n,
        k=k,
        n_features=None if regions else d,
        spatial=tuple(r.shape for r in regions),
        regions=regions,
        spans=tuple(own for own in places if isinstance(own, Spans)),
        names=names,
        predictions=predictions,
        kind=chosen.score_kind,
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
    return ReadScores(rows[:, None], axes, len(rows), 1, rows.shape[1])


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
    return ReadScores([[each] for each in maps], axes, len(maps), 1, None, shapes)


def in_regions(regions: Regions | Spans | None, scores: Floats, *, mean: bool) -> Floats:
    """(d,) scores of the features that a masker removes, from those of features or from a map."""
    if regions is None or isinstance(regions, Spans):
        return scores
    if isinstance(regions, LabelMap):
        labels = regions.segments.ravel()
        total = np.bincount(labels, scores.ravel(), len(regions))
        return np.asarray(total / np.bincount(labels, minlength=len(regions)) if mean else total)
    covers = (regions.cover(r) for r in range(len(regions)))
    return np.array([scores[c].mean() if mean else scores[c].sum() for c in covers])


def _chosen(explanation: Explanation, outputs: OutputSelection) -> Explanation:
    """The explanation of the outputs that were named, or of the only one."""
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
        f"{explanation.shape[-1]} outputs were explained: choose with outputs= which to judge, one "
        f"or several of {shown}."
    )


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


def boxes(spatial: Sequence[int]) -> Segments:
    """Nearly cubic boxes, `BOXES` along the longest side: labels 0..K-1."""
    side = max(1.0, max(spatial) / BOXES)
    labels: Ints = np.zeros(tuple(spatial), dtype=np.intp)
    for axis, length in enumerate(spatial):
        count = max(1, min(length, round(length / side)))
        part = np.arange(length) * count // length
        labels = labels * count + part.reshape([-1] + [1] * (len(spatial) - axis - 1))
    return labels


def center_blob(spatial: Sequence[int]) -> Floats:
    """exp(-2 r^2), with r = 1 at the middle of the nearest edge: the same map for any image."""
    squared: Floats = np.zeros(tuple(spatial))
    for axis, length in enumerate(spatial):
        place = (np.arange(length) + 0.5) / length * 2 - 1
        squared = squared + place.reshape([-1] + [1] * (len(spatial) - axis - 1)) ** 2
    return np.asarray(np.exp(-2 * squared))
