"""Areas under curves, with their references, as a `Measure`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from perturbx._typing import Floats
from perturbx.game import Cost
from perturbx.metrics._base import Subject, refuse_noise
from perturbx.metrics._curves import Normalise, Walk, Way, even_shares, normalised, walk
from perturbx.metrics._measure import Measure
from perturbx.metrics._references import references_of
from perturbx.metrics._scores import Scores


def area_measure(
    subject: Subject, way: Way, *, steps: int, normalise: Normalise, references: bool
) -> Measure:
    """Deletion or insertion."""
    refuse_noise(subject, way)
    shares = even_shares(subject, steps)
    found = walk(subject, subject.given.scores, shares, way)
    others = {name: walks(subject, s, shares, way) for name, s in _wanted(subject, references)}

    def number(walked: Walk) -> Floats:
        return normalised(subject, walked.area, normalise, difference=False)

    return subject.measure(
        way,
        number(found),
        "lower" if way == "deletion" else "higher",
        total([found], *others.values()),
        references={name: mean_of(number, w) for name, w in others.items()},
        shares=shares,
        curves=subject.shaped(found.outputs),
        reference_curves={
            name: subject.shaped(mean_of(lambda w: w.outputs, w)) for name, w in others.items()
        },
        notes=unit_note(normalise),
    )


def difference_measure(
    subject: Subject, *, steps: int, normalise: Normalise, references: bool
) -> Measure:
    """Insertion minus deletion."""
    refuse_noise(subject, "insertion_deletion")
    shares = even_shares(subject, steps)
    sources = [("", [subject.given.scores]), *_wanted(subject, references)]
    ways: tuple[Way, Way] = ("deletion", "insertion")
    pairs = {name: [walks(subject, s, shares, way) for way in ways] for name, s in sources}

    def number(deleted: Sequence[Walk], inserted: Sequence[Walk]) -> Floats:
        gap = mean_of(_area, inserted) - mean_of(_area, deleted)
        return normalised(subject, gap, normalise, difference=True)

    numbers = {name: number(*pair) for name, pair in pairs.items()}
    deleted, inserted = pairs.pop("")
    return subject.measure(
        "insertion_deletion",
        numbers.pop(""),
        "higher",
        total(deleted, inserted, *(w for pair in pairs.values() for w in pair)),
        references=numbers,
        shares=shares,
        details={
            "deletion": subject.shaped(_single(deleted, normalise, subject)),
            "insertion": subject.shaped(_single(inserted, normalise, subject)),
        },
        notes=unit_note(normalise),
    )


def walks(
    subject: Subject,
    scores: Sequence[Scores],
    shares: Floats,
    way: Way,
    *,
    at_least: bool = False,
) -> list[Walk]:
    """One walk for each of several scores."""
    return [walk(subject, one, shares, way, at_least=at_least) for one in scores]


def mean_of(number: Callable[[Walk], Floats], walked: Sequence[Walk]) -> Floats:
    """The mean over random orders."""
    return np.asarray(np.mean([number(one) for one in walked], axis=0))


def total(*walked: Sequence[Walk]) -> Cost:
    """What all walks asked."""
    return sum((one.cost for several in walked for one in several), Cost())


def unit_note(normalise: Normalise) -> tuple[str, ...]:
    """What one unit of the number is."""
    units: Mapping[Normalise, tuple[str, ...]] = {
        None: (),
        "prediction": ("in units of |f(x)|",),
        "range": ("in units of |f(x) - f(empty)|",),
    }
    return units[normalise]


def _wanted(subject: Subject, references: bool) -> list[tuple[str, list[Scores]]]:
    return list(references_of(subject).items()) if references else []


def _area(walked: Walk) -> Floats:
    return walked.area


def _single(walked: Sequence[Walk], normalise: Normalise, subject: Subject) -> Floats:
    return normalised(subject, mean_of(_area, walked), normalise, difference=False)
