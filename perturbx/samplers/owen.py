"""Splits of trees of features, the most telling first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import factorial
from typing import Any, TypeAlias

import numpy as np

from perturbx._typing import Coalitions, Floats, Ints
from perturbx._validation import check_integer
from perturbx.hierarchy import Hierarchy
from perturbx.perturbations import Evaluations, Perturbations
from perturbx.samplers._base import AdaptiveSampler
from perturbx.splits import Splits

_DEFAULT_ROWS = 1000
"""Perturbations when the user sets no budget; fewer where they split everything."""

_Children: TypeAlias = tuple[Ints, Ints, Ints, Floats]


@dataclass(frozen=True)
class OwenSplits(AdaptiveSampler):
    """Goes down trees of features, and splits first what adds most.

    The Owen value (Owen 1977) shares what a node of a tree adds to a context among the node's
    children by their Shapley value: c children are tried in all 2**c - 2 sets but none and all,
    and each child's step then waits in every context that its siblings make. A round splits the
    open steps with the largest ``|weight * delta|``, where several outputs are explained the
    largest of them, each in units of its own range.

    A ``unit`` is one split. Nothing is random, and no coalition is asked twice.

    Parameters
    ----------
    trees : tuple of Hierarchy
        Tree r goes with background row r; a single one goes with all rows, averaged. None at all
        stands for one that halves the features in their order.
    splits_per_round : int
        How many splits are asked before their answers are seen.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.samplers import OwenSplits
    >>> OwenSplits().draw(4, 10, np.random.default_rng(0)).z.astype(int)
    array([[1, 1, 0, 0],
           [0, 0, 1, 1]])
    """

    trees: tuple[Hierarchy, ...] = ()
    splits_per_round: int = 8

    def __post_init__(self) -> None:
        check_integer("splits_per_round", self.splits_per_round, minimum=1)

    @property
    def names_rows(self) -> bool:  # type: ignore[override]
        return len(self.trees) > 1

    def minimum(self, n_features: int) -> int:
        """One split of each tree."""
        return int(sum(tree.split_rows[-1] for tree in self._trees(n_features)))

    def default(self, n_features: int) -> int:
        """1000, or what it takes to split everything if that is less."""
        everything = sum(tree.all_rows() for tree in self._trees(n_features))
        return max(min(everything, _DEFAULT_ROWS), self.minimum(n_features))

    def draw(
        self,
        n_features: int,
        n: int,
        rng: np.random.Generator,
        drawn: Perturbations | None = None,
    ) -> Perturbations:
        """The first split of each tree; without answers there is nothing to go on by."""
        if drawn is not None:
            return drawn
        splits = Splits.of(self._trees(n_features))
        rows = np.arange(len(splits)) if self.names_rows else None
        nothing = Perturbations(
            np.zeros((0, n_features), dtype=bool),
            np.ones(0),
            np.zeros(0, dtype=np.intp),
            background_row=None if rows is None else rows[:0],
            splits=splits,
        )
        return _split(nothing, np.flatnonzero(splits.rows > 0))

    def follow(self, evaluations: Evaluations, n: int, rng: np.random.Generator) -> Perturbations:
        design = evaluations.perturbations
        splits = design.splits
        assert splits is not None  # from `draw`
        rows = splits.rows
        waiting = np.flatnonzero(splits.is_open & (rows > 0) & (rows <= n - len(design)))
        if not len(waiting):
            return design
        urgency = _urgency(evaluations, splits)[waiting]
        first = waiting[np.argsort(-urgency, kind="stable")[: self.splits_per_round]]
        paid = np.cumsum(rows[first]) <= n - len(design)
        return _split(design, first[paid])

    def _trees(self, n_features: int) -> tuple[Hierarchy, ...]:
        return self.trees or (Hierarchy.balanced(max(n_features, 1)),)


def _urgency(evaluations: Evaluations, splits: Splits) -> Floats:
    """(s,): the largest |weight * delta| over outputs and instances, in units of their range."""
    empty = evaluations.empty_rows
    empty = evaluations.empty[None] if empty is None or len(splits.trees) == 1 else empty
    deltas = np.abs(splits.deltas(evaluations.outputs, evaluations.full, empty))
    reach = deltas.max(axis=0)
    scaled = np.divide(deltas, reach, out=np.zeros_like(deltas), where=reach > 0)
    return np.asarray(scaled.max(axis=(1, 2)) * splits.weight)


def _split(design: Perturbations, chosen: Ints) -> Perturbations:
    """The design with the coalitions of some more splits, and their steps."""
    splits = design.splits
    assert splits is not None
    z, unit, row, steps = [design.z], [design.unit], [design.background_row], [_columns(splits)]
    n_rows, n_units = len(design), int(design.unit[-1]) + 1 if len(design) else 0
    for i in chosen:
        tree = splits.trees[splits.tree[i]]
        children = tree.children_of(int(splits.node[i]))
        sets, (child, without, joined, share) = _pattern(len(children))
        low, high = int(splits.low[i]), int(splits.high[i])
        context = design.z[low] if low >= 0 else np.zeros(design.n_features, dtype=bool)
        z.append(context | _unions(tree.members[list(children)], sets))
        place = np.concatenate([[low], n_rows + np.arange(len(sets)), [high]])
        of_child = np.asarray(children)[child]
        n = len(child)
        steps.append(
            (
                np.full(n, splits.tree[i]),
                of_child,
                place[without],
                place[joined],
                splits.weight[i] * share,
                np.full(n, i),
                np.ones(n, dtype=bool),
            )
        )
        unit.append(np.full(len(sets), n_units))
        row.append(np.full(len(sets), splits.tree[i]))
        n_rows, n_units = n_rows + len(sets), n_units + 1
    joined_steps = [np.concatenate(columns) for columns in zip(*steps, strict=True)]
    joined_steps[-1][chosen] = False
    everything = np.concatenate(z)
    return Perturbations(
        everything,
        np.ones(len(everything)),
        np.concatenate(unit),
        background_row=None if design.background_row is None else np.concatenate(row),
        splits=Splits(splits.trees, *joined_steps),
    )


def _columns(splits: Splits) -> tuple[Any, ...]:
    return (
        splits.tree,
        splits.node,
        splits.low,
        splits.high,
        splits.weight,
        splits.parent,
        splits.is_open,
    )


def _unions(members: Coalitions, sets: Coalitions) -> Coalitions:
    """(m, d): the features of each set of children."""
    return np.asarray(sets.astype(np.uint8) @ members.astype(np.uint8) > 0)


@cache
def _pattern(c: int) -> tuple[Coalitions, _Children]:
    """The sets of c children but none and all, and the steps of each child.

    The steps are arrays of the child, the set that it joins, the set that it makes (as numbers
    of sets, 0 for none and 2**c - 1 for all) and its Shapley weight |S|! (c - 1 - |S|)! / c!.
    """
    numbers = np.arange(1, 2**c - 1)
    sets = (numbers[:, None] >> np.arange(c) & 1).astype(bool)
    every = np.arange(2**c)
    steps = [(i, s, s | 1 << i) for i in range(c) for s in every if not s >> i & 1]
    child, without, joined = np.array(steps, dtype=np.intp).T
    size = np.array([int(s).bit_count() for s in without])
    share = np.array([factorial(s) * factorial(c - 1 - s) / factorial(c) for s in size])
    return sets, (child, without, joined, share)
