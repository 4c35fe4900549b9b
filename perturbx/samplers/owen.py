"""Splits of trees of features, the most telling first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import factorial

import numpy as np

from perturbx._typing import Coalitions, Floats, Ints
from perturbx._validation import check_integer, invalid
from perturbx.errors import RejectPerturbations
from perturbx.hierarchy import Hierarchy
from perturbx.perturbations import Evaluations, Perturbations
from perturbx.samplers._base import AdaptiveSampler
from perturbx.splits import Splits

_DEFAULT_ROWS = 1000
"""Perturbations when the user sets no budget; fewer where they split everything."""


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
        if not isinstance(self.trees, tuple) or not all(
            isinstance(tree, Hierarchy) for tree in self.trees
        ):
            raise invalid("trees", "a tuple of Hierarchy, one for each row", self.trees)
        check_integer("splits_per_round", self.splits_per_round, minimum=1)

    @property
    def names_rows(self) -> bool:  # type: ignore[override]
        return len(self.trees) > 1

    def most(self, n_features: int) -> float:
        return float(min(sum(tree.all_rows() for tree in self._trees(n_features)), 10**300))

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
        splits = _splits(design)
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
    """(s,): the largest |weight * delta| over outputs and instances, in units of their range.

    What an output changes by rounding alone is no reason to split anything.
    """
    rows = evaluations.empty_rows
    empty = evaluations.empty[None] if rows is None or len(splits.trees) == 1 else rows
    deltas = np.abs(splits.deltas(evaluations.outputs, evaluations.full, empty))
    reach = deltas.max(axis=0)
    rounding = 4 * evaluations.rounding.of(evaluations.full)
    scaled = np.divide(deltas, reach, out=np.zeros_like(deltas), where=reach > rounding)
    return np.asarray(scaled.max(axis=(1, 2)) * splits.weight)


def _split(design: Perturbations, chosen: Ints) -> Perturbations:
    """The design with the coalitions of some more splits, and the steps that they make."""
    splits = _splits(design)
    z, unit, tree, steps = [design.coalitions], [design.unit], [], [splits]
    n_rows, n_units = len(design), int(design.unit[-1]) + 1 if len(design) else 0
    for i in chosen.tolist():
        children = splits.children_of(i)
        sets = _pattern(len(children))[0]
        context = design.coalitions[splits.low[i]] if splits.low[i] >= 0 else False
        members = splits.trees[splits.tree[i]].members[list(children)]
        z.append(context | (sets.astype(np.uint8) @ members.astype(np.uint8) > 0))
        unit.append(np.full(len(sets), n_units))
        tree.append(np.full(len(sets), splits.tree[i]))
        steps.append(_below(splits, i, n_rows))
        n_rows, n_units = n_rows + len(sets), n_units + 1
    rows = design.background_row
    return Perturbations(
        np.concatenate(z),
        np.ones(n_rows),
        np.concatenate(unit),
        background_row=None if rows is None else np.concatenate([rows, *tree]),
        splits=Splits.joined(steps, chosen),
    )


def _below(splits: Splits, i: int, n_rows: int) -> Splits:
    """The steps into which one step is split, whose coalitions stand from row `n_rows` on."""
    children = splits.children_of(i)
    sets, child, without, joined, share = _pattern(len(children))
    place = np.array([splits.low[i], *range(n_rows, n_rows + len(sets)), splits.high[i]])
    return Splits(
        trees=splits.trees,
        tree=np.full(len(child), splits.tree[i]),
        node=np.asarray(children)[child],
        low=place[without],
        high=place[joined],
        weight=splits.weight[i] * share,
        parent=np.full(len(child), i),
        is_open=np.ones(len(child), dtype=bool),
    )


def _splits(design: Perturbations) -> Splits:
    if design.splits is None:
        raise RejectPerturbations(
            "OwenSplits continues designs of its own alone: draw the first with OwenSplits.draw."
        )
    return design.splits


@cache
def _pattern(c: int) -> tuple[Coalitions, Ints, Ints, Ints, Floats]:
    """The sets of c children but none and all, and the steps of each child.

    The steps are arrays of the child, the set that it joins, the set that it makes (as numbers
    of sets, 0 for none and 2**c - 1 for all) and its Shapley weight |S|! (c - 1 - |S|)! / c!.
    """
    numbers = np.arange(1, 2**c - 1)
    sets = (numbers[:, None] >> np.arange(c) & 1).astype(bool)
    steps = [(i, s, s | 1 << i) for i in range(c) for s in range(2**c) if not s >> i & 1]
    child, without, joined = np.array(steps, dtype=np.intp).T
    sizes = [s.bit_count() for _, s, _ in steps]
    share = np.array([factorial(s) * factorial(c - 1 - s) / factorial(c) for s in sizes])
    return sets, child, without, joined, share
