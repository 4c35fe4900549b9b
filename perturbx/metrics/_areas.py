"""Areas under curves, with their references, as a `Measure`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from perturbx._typing import Floats
from perturbx.game import Cost
from perturbx.metrics._curves import Normalise, Walk, Way, even_shares, normalised, walk
from perturbx.metrics._measure import Measure
from perturbx.metrics._references import references_of
from perturbx.metrics._subject import Subject, refuse_noise

_UNITS: dict[Normalise, tuple[str, ...]] = {
    None: (),
    "prediction": ("in units of |f(x)|",),
    "range": ("in units of |f(x) - f(empty)|",),
}
"""What one unit of the number is."""


def area_measure(
    subject: Subject, way: Way, *, steps: int, normalise: Normalise, references: bool
) -> Measure:
    """Deletion or insertion."""
    refuse_noise(subject, way)
    shares = even_shares(subject, steps)
    walked = walks(subject, way, shares, references)
    found = walked.pop("")

    def number(walked: Walk) -> Floats:
        return normalised(subject, walked.area, normalise, difference=False)

    return subject.measure(
        way,
        mean_of(number, found),
        "lower" if way == "deletion" else "higher",
        total(found, *walked.values()),
        reference_rows=rows_of(walked),
        references={name: mean_of(number, w) for name, w in walked.items()},
        shares=shares,
        curves=subject.shaped(found[0].outputs),
        reference_curves={
            name: subject.shaped(mean_of(lambda w: w.outputs, w)) for name, w in walked.items()
        },
        notes=_UNITS[normalise],
    )


def difference_measure(
    subject: Subject, *, steps: int, normalise: Normalise, references: bool
) -> Measure:
    """Insertion minus deletion."""
    refuse_noise(subject, "insertion_deletion")
    shares = even_shares(subject, steps)
    deletion = walks(subject, "deletion", shares, references)
    insertion = walks(subject, "insertion", shares, references)

    def number(deleted: Sequence[Walk], inserted: Sequence[Walk]) -> Floats:
        gap = mean_of(_area, inserted) - mean_of(_area, deleted)
        return normalised(subject, gap, normalise, difference=True)

    numbers = {name: number(deletion[name], insertion[name]) for name in deletion}
    own = numbers.pop("")
    return subject.measure(
        "insertion_deletion",
        own,
        "higher",
        total(*deletion.values(), *insertion.values()),
        reference_rows={name: total(deletion[name], insertion[name]).n_rows for name in numbers},
        references=numbers,
        shares=shares,
        details={
            "deletion": subject.shaped(_single(deletion[""], normalise, subject)),
            "insertion": subject.shaped(_single(insertion[""], normalise, subject)),
        },
        notes=_UNITS[normalise],
    )


def walks(
    subject: Subject, way: Way, shares: Floats, references: bool, *, at_least: bool = False
) -> dict[str, list[Walk]]:
    """Walks by the scores, under "", and by each reference that is wanted."""
    sources = {"": [subject.given.scores], **(references_of(subject) if references else {})}
    tasks = [(scores, way) for several in sources.values() for scores in several]
    walked = iter(walk(subject, tasks, shares, at_least=at_least))
    return {name: [next(walked) for _ in several] for name, several in sources.items()}


def mean_of(number: Callable[[Walk], Floats], walked: Sequence[Walk]) -> Floats:
    """The mean over random orders."""
    return np.asarray(np.mean([number(one) for one in walked], axis=0))


def total(*walked: Sequence[Walk]) -> Cost:
    """What all walks asked."""
    return sum((one.cost for several in walked for one in several), Cost())


def rows_of(walked: Mapping[str, Sequence[Walk]]) -> dict[str, int]:
    """Model rows of each reference."""
    return {name: total(several).n_rows for name, several in walked.items()}


def _area(walked: Walk) -> Floats:
    return walked.area


def _single(walked: Sequence[Walk], normalise: Normalise, subject: Subject) -> Floats:
    return normalised(subject, mean_of(_area, walked), normalise, difference=False)
