"""What the model says while features go, or come, in the order of their scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx._validation import check_choice, check_integer
from perturbx.game import Cost
from perturbx.maskers import Removal
from perturbx.metrics._positions import regrouped
from perturbx.metrics._scores import Scores, in_regions
from perturbx.metrics._subject import Subject, is_ranked

Way: TypeAlias = Literal["deletion", "insertion"]
Normalise: TypeAlias = Literal["prediction", "range"] | None


@dataclass(frozen=True, eq=False)
class Walk:
    """Outputs along the way.

    Parameters
    ----------
    outputs : (n, k, s) array
        At each share of features that have gone (deletion) or come (insertion).
    area : (n, k) array
        Under the curve through every point that was asked, by trapezoids.
    cost : Cost
    """

    outputs: Floats
    area: Floats
    cost: Cost


def walk(
    subject: Subject,
    tasks: Sequence[tuple[Scores, Way]],
    shares: Floats,
    *,
    at_least: bool = False,
) -> list[Walk]:
    """One walk for each task: the features with the largest scores absent, or alone present.

    Ties go by position, first things first. `shares` become whole numbers of features: with
    `at_least` the next larger; else the nearest, between which the curve is straight.
    """
    outputs = np.empty((len(tasks), *subject.shape, len(shares)))
    areas, costs = np.empty(outputs.shape[:3]), [Cost()] * len(tasks)
    for i, removal in subject.removals():
        for t, (scores, way) in enumerate(tasks):
            for j in range(subject.given.k):
                rank = _rank(subject, removal, scores.heat(i, j))
                exact = np.round(shares * rank.size, 9)
                counts = (np.ceil(exact) if at_least else np.rint(exact)).astype(np.intp)
                stops, back = np.unique(counts, return_inverse=True)
                found, cost = _outputs(subject, removal, rank, stops, way, (i, j))
                points = stops / rank.size
                areas[t, i, j] = (np.diff(points) * (found[1:] + found[:-1]) / 2).sum()
                straight = np.interp(shares, points, found)
                asked = (counts == exact) | at_least
                outputs[t, i, j] = np.where(asked, found[back], straight)
                costs[t] += cost
    return [Walk(*walked) for walked in zip(outputs, areas, costs, strict=True)]


def check_curve(steps: Any, normalise: Any) -> None:
    """Refuse settings of a curve that it cannot have."""
    check_integer("steps", steps, minimum=1)
    if normalise is not None:
        check_choice("normalise", normalise, ("prediction", "range"))


def even_shares(subject: Subject, steps: int) -> Floats:
    """0 to 1 in equal steps, no more of them than a table has features."""
    d = subject.given.n_features
    return np.linspace(0, 1, (steps if d is None else min(steps, d)) + 1)


def normalised(subject: Subject, area: Floats, by: Normalise, *, difference: bool) -> Floats:
    """An area in units of |f(x)|, or as a part of the way from f(empty) to f(x)."""
    if by is None:
        return area
    if by == "prediction":
        return ratio(area, np.abs(subject.full))
    if difference:
        return ratio(area, subject.size)
    return ratio((area - subject.empty) * np.sign(subject.full - subject.empty), subject.size)


def ratio(above: Floats, below: Floats) -> Floats:
    """NaN where there is nothing to divide by."""
    unknown = np.full(above.shape, np.nan)
    return np.asarray(np.divide(above, below, out=unknown, where=below > 0))


def _rank(subject: Subject, removal: Removal, heat: Floats) -> Ints:
    """The rank of each feature, or of each pixel; 0 goes first."""
    pixels = is_ranked(subject)
    flat = np.ravel(heat) if pixels else in_regions(removal.regions, heat, mean=True)
    rank = np.empty(flat.size, dtype=np.intp)
    rank[np.argsort(-flat, kind="stable")] = np.arange(flat.size)
    return rank


def _outputs(
    subject: Subject,
    removal: Removal,
    rank: Ints,
    stops: Ints,
    way: Way,
    case: tuple[int, int],
) -> tuple[Floats, Cost]:
    """Outputs with the first `stops` features absent (deletion) or alone present."""
    i, j = case
    inner = stops[(stops > 0) & (stops < rank.size)]
    asked, cost = np.zeros(0), Cost()
    if len(inner):
        if is_ranked(subject):  # one group of pixels a step: small masks, however large the image
            groups = np.searchsorted(inner, rank, side="right")
            removal = regrouped(removal, groups)
            gone = np.arange(len(inner) + 1) <= np.arange(len(inner))[:, None]
        else:
            gone = rank < inner[:, None]
        answers, cost = subject.ask(removal, ~gone if way == "deletion" else gone, i, j)
        asked = answers[:, 0]
    first, last = subject.full[i, j], subject.empty[i, j]
    first, last = (first, last) if way == "deletion" else (last, first)
    ends = [first] * int(0 in stops), [last] * int(rank.size in stops)
    return np.concatenate([ends[0], asked, ends[1]]), cost
