"""The coalitions that can occur when features join in an order, and how often each occurs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from perturbx._typing import Coalitions, Floats, Ints


@dataclass(frozen=True, eq=False)
class DownSetLattice:
    """All down-sets of a partial order: with a feature, each holds all that comes before it.

    Parameters
    ----------
    sets : (n, d) bool array
        The down-sets by size: the empty set first, all features last.
    lower, upper, joins : (e,) int arrays
        Each step from a down-set to one with a feature more, sorted by `lower`.
    probability : (e,) array
        How likely an order, uniform among those that are consistent, takes the step. The steps of
        each size sum to 1.
    """

    sets: Coalitions
    lower: Ints
    upper: Ints
    joins: Ints
    probability: Floats


_MOST_NUMBERS = 2**22
"""The most numbers in all down-sets together, and in the steps from one size to the next."""

_Steps: TypeAlias = tuple[Ints, Ints, Ints]
"""From one size to the next: (positions below, positions above, features)."""


def down_sets(before: Coalitions, most: float) -> DownSetLattice | None:
    """All down-sets of the order in which i joins before j where ``before[i, j]``.

    None if there are more than `most`, or they hold too many numbers. All consistent orders are
    equally likely, so a step is taken by (orders of what is below it) * (orders of what is above
    it) of all orders.
    """
    d = len(before)
    most = min(most, _MOST_NUMBERS / d)
    need = before.sum(axis=0)
    sizes, steps = [np.zeros((1, d), dtype=bool)], []
    total = 1
    for _ in range(d):
        here = sizes[-1]
        can_join = ~here & (here.astype(np.float32) @ before == need)
        below, joins = np.nonzero(can_join)
        # Each set above is reached by at most d steps.
        if total + len(below) / d > most or len(below) * d > _MOST_NUMBERS:
            return None
        reached = here[below]
        reached[np.arange(len(below)), joins] = True
        _, first, above = np.unique(
            np.packbits(reached, axis=1), axis=0, return_index=True, return_inverse=True
        )
        sizes.append(reached[first])
        steps.append((below, above.ravel(), joins))
        total += len(first)
        if total > most:
            return None
    probability = np.concatenate(_likely(steps))
    starts = np.cumsum([0, *map(len, sizes)])
    lower = np.concatenate([below + start for (below, _, _), start in zip(steps, starts)])  # noqa: B905
    upper = np.concatenate([above + start for (_, above, _), start in zip(steps, starts[1:])])  # noqa: B905
    joins = np.concatenate([joins for _, _, joins in steps])
    return DownSetLattice(np.concatenate(sizes), lower, upper, joins, probability)


def _likely(steps: list[_Steps]) -> list[Floats]:
    """The probability of each step, size by size; counts are scaled, as they may overflow."""
    up, down = [np.ones(1)], [np.ones(1)]
    for below, above, _ in steps:
        count = np.bincount(above, up[-1][below])
        up.append(count / count.max())
    for below, above, _ in reversed(steps):
        count = np.bincount(below, down[-1][above])
        down.append(count / count.max())
    down.reverse()
    found = []
    for size, (below, above, _) in enumerate(steps):
        taken = up[size][below] * down[size + 1][above]
        found.append(taken / taken.sum())
    return found
