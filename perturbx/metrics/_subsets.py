"""What scores foretell of removals, against what the removals do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import TypeAlias

import numpy as np

from perturbx._typing import Coalitions, Floats, Ints, Noise
from perturbx._validation import check_integer
from perturbx.errors import BudgetError
from perturbx.game import Cost
from perturbx.maskers import Removal
from perturbx.metrics._measure import Better, Measure
from perturbx.metrics._positions import centre_blob
from perturbx.metrics._references import RANDOM_ORDERS
from perturbx.metrics._scores import in_regions
from perturbx.metrics._subject import Subject
from perturbx.regions import Regions

Design: TypeAlias = Callable[[int, int, np.random.Generator], tuple[Coalitions | Noise, Ints]]
"""(features, most perturbations, rng) to perturbations (m, d), and the group of each."""

Number: TypeAlias = Callable[[Floats, Floats], float]
"""What scores foretold (m,), and the fall of the output (m,), to one number."""


@dataclass(frozen=True, eq=False)
class Trial:
    """One instance: how much of each feature went, the (d, k) scores, the (m, k) falls."""

    removed: Floats
    group: Ints
    scores: Floats
    falls: Floats
    regions: Regions | None


def subset_measure(
    subject: Subject,
    metric: str,
    better: Better,
    number: Number,
    design: Design,
    *,
    budget: int | None,
    default: int,
    n_groups: int = 1,
    shares: Floats | None = None,
    references: bool,
) -> Measure:
    """A number of each group of perturbations, and their mean; references cost no model row."""
    n, k = subject.shape
    names = ["", "random", *(["centre blob"] if subject.is_image else [])][
        : None if references else 1
    ]
    grids = {name: np.full((n, k, n_groups), np.nan) for name in names}
    cost = Cost()
    for i, trial, asked in _trials(subject, design, budget, default, 2 * n_groups):
        cost += asked
        for j in range(k):
            for name in names:
                found = [
                    [number(trial.removed[g] @ phi, trial.falls[g, j]) for g in _groups(trial)]
                    for phi in _sources(subject, trial, name, i, j)
                ]
                grids[name][i, j] = np.mean(found, axis=0)
    own = grids[""]
    return subject.measure(
        metric,
        _known_mean(own),
        better,
        cost,
        references={name: _known_mean(grids[name]) for name in names[1:]},
        shares=shares,
        curves=None if shares is None else subject.shaped(own),
        reference_curves={}
        if shares is None
        else {name: subject.shaped(grids[name]) for name in names[1:]},
    )


def correlation(foretold: Floats, fall: Floats) -> float:
    """Pearson's correlation; NaN where one of the two is constant."""
    a, b = foretold - foretold.mean(), fall - fall.mean()
    rounding = 1e-10
    if len(a) < 2 or any(
        np.abs(c).max() <= rounding * np.abs(whole).max() for c, whole in ((a, foretold), (b, fall))
    ):
        return float("nan")
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1, 1))


def subsets(d: int, size: int, most: int, rng: np.random.Generator) -> Coalitions:
    """(m, d): all coalitions that lack `size` features, or `most` of them at random."""
    if comb(d, size) <= most:
        gone = np.array(list(combinations(range(d), size)))
    else:
        gone = np.argsort(rng.random((most, d)), axis=1)[:, :size]
    z = np.ones((len(gone), d), dtype=bool)
    np.put_along_axis(z, gone, False, axis=1)
    return z


def _trials(
    subject: Subject, design: Design, budget: int | None, default: int, least: int
) -> Iterator[tuple[int, Trial, Cost]]:
    """Each instance's perturbations, answered; instances of as many features share them."""
    for i, removal in subject.removals():
        most = _affordable(removal, budget, default, least)
        z, group = design(removal.n_features, most, subject.rng(2))
        outputs, cost = subject.ask(removal, z, i)
        present = np.asarray(removal.interpretable(z), dtype=np.float64)
        removed = 1.0 - present if z.dtype == bool else -present
        scores = [
            in_regions(removal.regions, subject.given.scores.mass(i, j), mean=False)
            for j in range(subject.given.k)
        ]
        falls = subject.full[i] - outputs
        yield i, Trial(removed, group, np.stack(scores, axis=1), falls, removal.regions), cost


def check_subsets(budget: int | None, n_groups: int = 1) -> Callable[[list[Removal]], None]:
    """Refuse a budget that is too small for some instance, before the model is asked."""
    if budget is not None:
        check_integer("budget", budget, minimum=1)

    def check(removals: list[Removal]) -> None:
        for removal in removals:
            _affordable(removal, budget, 0, 2 * n_groups)

    return check


def _affordable(removal: Removal, budget: int | None, default: int, least: int) -> int:
    """How many perturbations of an instance the budget pays for, beside f(x) and f(empty)."""
    if budget is None:
        return default
    each = removal.rows_per_perturbation
    affordable = (budget - 1 - each) // each
    if affordable < least:
        raise BudgetError(
            f"budget={budget} is too small: at least {1 + (least + 1) * each} model rows an "
            f"instance are needed ({least} perturbations of {each} rows + 1 for the instance + "
            f"{each} for the empty state). Raise budget."
        )
    return affordable


def _groups(trial: Trial) -> list[Ints]:
    return [np.flatnonzero(trial.group == g) for g in range(int(trial.group.max()) + 1)]


def _sources(subject: Subject, trial: Trial, name: str, i: int, j: int) -> list[Floats]:
    """The scores that are judged, or such as never saw the model."""
    scores = trial.scores[:, j]
    if not name:
        return [scores]
    if name == "random":
        return [subject.rng(1, i, draw).permutation(scores) for draw in range(RANDOM_ORDERS)]
    blob = in_regions(trial.regions, centre_blob(subject.given.spatial[i]), mean=False)
    return [blob * (subject.full[i, j] - subject.empty[i, j]) / blob.sum()]


def _known_mean(grid: Floats) -> Floats:
    """The mean over the last axis of what is known."""
    known = ~np.isnan(grid)
    total, count = np.where(known, grid, 0.0).sum(axis=2), known.sum(axis=2)
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))
