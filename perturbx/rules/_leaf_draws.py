"""Rows drawn near those of a leaf, so that no leaf is known by few answers alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.rules._surrogate import Study
from perturbx.rules._tree_growth import Branches

_ROUNDS = 2
"""Leaves change once there are more answers, and those of the new tree are filled too."""

_NEIGHBORS = 5
"""A row is mixed with one of so many near ones."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows as numbers (n, d), their answers (n,) and what each one weighs (n,)."""

    values: Floats
    answers: NDArray[Any]
    weights: Floats


def filled(
    sample: Sample,
    study: Study,
    grow: Callable[[Sample], Branches],
    answers: Callable[[Floats], NDArray[Any]],
    min_rows: int,
    rng: np.random.Generator,
) -> tuple[Sample, int]:
    """The rows of data, and rows drawn where leaves have few; and how many those are.

    The weights of all rows in a leaf add up to the number of rows of data in it.
    """
    n, budget = len(study.known.values), study.budget
    for _ in range(_ROUNDS):
        leaves = grow(sample).apply(sample.values)
        wanted = np.maximum(min_rows - np.bincount(leaves), 0)
        wanted[np.bincount(leaves[:n], minlength=len(wanted)) == 0] = 0
        if wanted.sum() > budget:
            wanted = wanted * budget // wanted.sum()
        if not wanted.any():
            break
        crossing = _crossing(study.known.values, leaves[:n], wanted, study, rng)
        budget -= len(crossing.leaf)
        values = crossing.of(study.known.values)
        known = np.concatenate([sample.answers, answers(_outputs(crossing, study))])
        leaves = np.concatenate([leaves, crossing.leaf])
        weight = np.bincount(leaves[:n], minlength=len(wanted)) / np.maximum(np.bincount(leaves), 1)
        sample = Sample(np.concatenate([sample.values, values]), known, weight[leaves])
    return sample, len(sample.values) - n


@dataclass(frozen=True, eq=False)
class _Crossing:
    """Rows that are made of two others each.

    Parameters
    ----------
    first, second : (m,) int array
    from_second : (m, d) bool array
    leaf : (m,) int array
        Where both of them are.
    """

    first: Ints
    second: Ints
    from_second: NDArray[np.bool_]
    leaf: Ints

    def of(self, cells: NDArray[Any], rows: slice = slice(None)) -> NDArray[Any]:
        """Some of the new rows, given the cells (n, d) of the old ones."""
        parents = cells[self.second[rows]], cells[self.first[rows]]
        return np.where(self.from_second[rows], *parents)


def _crossing(
    values: Floats, leaves: Ints, wanted: Ints, study: Study, rng: np.random.Generator
) -> _Crossing:
    """So many rows for each leaf, each made of a row and one of those nearest to it there."""
    is_category = study.numbers.is_category
    spread = np.nanstd(values, axis=0)
    scale = np.where(is_category | ~(spread > 0), 1.0, spread)
    first, second = [], []
    for leaf in np.flatnonzero(wanted):
        at = np.flatnonzero(leaves == leaf)
        one = rng.integers(len(at), size=wanted[leaf])
        which = rng.integers(max(min(_NEIGHBORS, len(at) - 1), 1), size=len(one))
        apart = np.nan_to_num(np.abs(values[at][:, None] - values[at]) / scale, nan=1.0)
        apart[..., is_category] = apart[..., is_category] > 0
        near = (apart**2).sum(axis=2)
        np.fill_diagonal(near, -1.0)  # itself comes first
        ranked = np.argsort(near, axis=1, kind="stable")[:, min(1, len(at) - 1) :]
        first.append(at[one])
        second.append(at[ranked[one, which]])
    a, b = np.concatenate(first), np.concatenate(second)
    from_second = rng.random((len(a), values.shape[1])) < 0.5
    return _Crossing(a, b, from_second, leaves[a])


def _outputs(crossing: _Crossing, study: Study) -> Floats:
    """(m, k): what the model answers to the new rows."""
    layout, answering = study.numbers.layout, study.answering
    (cells,) = layout.encode(study.known.rows)
    outputs = []
    for start in range(0, len(crossing.leaf), answering.step):
        bits = crossing.of(cells.bits, slice(start, start + answering.step))
        batch = layout.decode(bits, cells.tables)
        outputs.append(answering(batch, len(bits), f"{len(bits)} rows drawn near others"))
    return np.concatenate(outputs)
