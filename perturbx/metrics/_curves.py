"""What the model says while features go, or come, in the order of their scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx._validation import check_choice, check_integer
from perturbx.game import Cost
from perturbx.maskers import Removal
from perturbx.metrics._base import Subject, is_ranked
from perturbx.metrics._positions import FittedPositions
from perturbx.metrics._scores import Scores, in_regions

Way: TypeAlias = Literal["deletion", "insertion"]
Normalise: TypeAlias = Literal["prediction", "range"] | None


@dataclass(frozen=True, eq=False)
class Walk:
    """Outputs along the way.

    Parameters
    ----------
    points : (n, k, s) array
        The share of features that have gone (deletion) or come (insertion), exactly.
    outputs : (n, k, s) array
    cost : Cost
    """

    points: Floats
    outputs: Floats
    cost: Cost

    @property
    def area(self) -> Floats:
        """(n, k): the area under the curve, by trapezoids."""
        width = np.diff(self.points, axis=2)
        height = (self.outputs[:, :, 1:] + self.outputs[:, :, :-1]) / 2
        return np.asarray((width * height).sum(axis=2))


def walk(
    subject: Subject, scores: Scores, shares: Floats, way: Way, *, at_least: bool = False
) -> Walk:
    """Outputs where the features with the largest scores are absent (or alone are present).

    Ties go by position, first things first. `shares` become whole numbers of features: the
    nearest, or with `at_least` the next larger.
    """
    n, k = subject.shape
    points, outputs, cost = np.empty((n, k, len(shares))), np.empty((n, k, len(shares))), Cost()
    for i, removal in subject.removals():
        for j in range(k):
            ranked, rank, size = _ranked(subject, removal, scores, i, j)
            exact = np.round(shares * size, 9)
            counts = (np.ceil(exact) if at_least else np.rint(exact)).astype(np.intp)
            points[i, j] = counts / size
            outputs[i, j], asked = _outputs(subject, ranked, rank, size, counts, way, (i, j))
            cost += asked
    return Walk(points, outputs, cost)


def even_shares(subject: Subject, steps: int) -> Floats:
    """0 to 1 in equal steps, no more of them than a table has features."""
    steps = check_integer("steps", steps, minimum=1)
    d = subject.given.n_features
    return np.linspace(0, 1, (steps if d is None else min(steps, d)) + 1)


def normalised(subject: Subject, area: Floats, by: Normalise, *, difference: bool) -> Floats:
    """An area in units of |f(x)|, or as a part of the way from f(empty) to f(x)."""
    if by is None:
        return area
    check_choice("normalise", by, ("prediction", "range"))
    if by == "prediction":
        return ratio(area, np.abs(subject.full))
    if difference:
        return ratio(area, subject.size)
    return ratio((area - subject.empty) * np.sign(subject.full - subject.empty), subject.size)


def ratio(above: Floats, below: Floats) -> Floats:
    """NaN where there is nothing to divide by."""
    unknown = np.full(above.shape, np.nan)
    return np.asarray(np.divide(above, below, out=unknown, where=below > 0))


def _ranked(
    subject: Subject, removal: Removal, scores: Scores, i: int, j: int
) -> tuple[Removal | None, Ints, int]:
    """The removal, the rank of each of its features (0 goes first), and their number.

    None for pixels: those are grouped by rank once it is known where the curve is asked.
    """
    heat = np.asarray(scores.heat(i, j), dtype=np.float64)
    pixels = is_ranked(subject)
    heat = heat.ravel() if pixels else in_regions(removal.regions, heat, mean=True)
    rank = np.empty(heat.size, dtype=np.intp)
    rank[np.argsort(-heat, kind="stable")] = np.arange(heat.size)
    return (None if pixels else removal), rank, heat.size


def _outputs(
    subject: Subject,
    removal: Removal | None,
    rank: Ints,
    size: int,
    counts: Ints,
    way: Way,
    case: tuple[int, int],
) -> tuple[Floats, Cost]:
    """Outputs with the first `counts` features absent (deletion) or alone present."""
    i, j = case
    stops, back = np.unique(counts, return_inverse=True)
    inner = stops[(stops > 0) & (stops < size)]
    removal, place = (removal, rank) if removal is not None else _grouped(subject, i, rank, inner)
    level = inner if place is rank else np.arange(1, len(inner) + 1)
    gone = place[None, :] < level[:, None]
    asked, cost = np.zeros(0), Cost()
    if len(inner):
        answers, cost = subject.ask(removal, ~gone if way == "deletion" else gone, i, j)
        asked = answers[:, 0]
    first, last = subject.full[i, j], subject.empty[i, j]
    first, last = (first, last) if way == "deletion" else (last, first)
    known = np.concatenate([[first] * int(0 in stops), asked, [last] * int(size in stops)])
    return known[back], cost


def _grouped(subject: Subject, i: int, rank: Ints, inner: Ints) -> tuple[Removal, Ints]:
    """Pixels in one group for each step of the curve: small masks, whatever the image's size."""
    masker = subject.masker
    if not isinstance(masker, FittedPositions):
        raise TypeError("Only positions are grouped by rank.")
    groups = np.searchsorted(inner, rank, side="right")
    removal = masker.grouped(subject.X, i, groups.reshape(subject.given.spatial[i]))
    return removal, np.arange(len(inner) + 1)
