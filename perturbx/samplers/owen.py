"""Splits of trees of features, the most telling first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import factorial
from typing import ClassVar

import numpy as np

from perturbx._typing import Coalitions, Floats, Ints
from perturbx._validation import check_integer, invalid
from perturbx.designs import Design, Evaluations, Steps, TreeSplits
from perturbx.features import FeatureTree
from perturbx.samplers._base import AdaptiveSampler

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

    A ``cluster`` is one split. Nothing is random, and no coalition is asked twice.

    Parameters
    ----------
    trees : tuple of FeatureTree
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

    trees: tuple[FeatureTree, ...] = ()
    splits_per_round: int = 8

    draws: ClassVar[type[Design]] = TreeSplits

    def __post_init__(self) -> None:
        if not isinstance(self.trees, tuple) or not all(
            isinstance(tree, FeatureTree) for tree in self.trees
        ):
            raise invalid("trees", "a tuple of FeatureTree, one for each row", self.trees)
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
        drawn: Design | None = None,
    ) -> TreeSplits:
        """The first split of each tree; without answers there is nothing to go on by."""
        known = self.own(drawn, TreeSplits)
        if known is not None:
            return known
        steps = Steps.of(self._trees(n_features))
        none = np.zeros(0, dtype=np.intp)
        nothing = TreeSplits(
            np.zeros((0, n_features), dtype=bool), none, steps, none if self.names_rows else None
        )
        return _split(nothing, np.flatnonzero(steps.rows > 0))

    def follow(self, evaluations: Evaluations, n: int, rng: np.random.Generator) -> TreeSplits:
        design = self.own(evaluations.design, TreeSplits)
        assert design is not None  # there is a design behind every answer
        steps = design.steps
        rows = steps.rows
        waiting = np.flatnonzero(steps.is_open & (rows > 0) & (rows <= n - len(design)))
        if not len(waiting):
            return design
        urgency = _urgency(evaluations, steps)[waiting]
        first = waiting[np.argsort(-urgency, kind="stable")[: self.splits_per_round]]
        paid = np.cumsum(rows[first]) <= n - len(design)
        return _split(design, first[paid])

    def _trees(self, n_features: int) -> tuple[FeatureTree, ...]:
        return self.trees or (FeatureTree.balanced(max(n_features, 1)),)


def _urgency(evaluations: Evaluations, steps: Steps) -> Floats:
    """(s,): the largest |weight * delta| over outputs and instances, in units of their range.

    What an output changes by rounding alone is no reason to split anything.
    """
    rows = evaluations.empty_rows
    empty = evaluations.empty[None] if rows is None or len(steps.trees) == 1 else rows
    deltas = np.abs(steps.deltas(evaluations.outputs, evaluations.full, empty))
    reach = deltas.max(axis=0)
    rounding = 4 * evaluations.rounding.of(evaluations.full)
    scaled = np.divide(deltas, reach, out=np.zeros_like(deltas), where=reach > rounding)
    return np.asarray(scaled.max(axis=(1, 2)) * steps.weight)


def _split(design: TreeSplits, chosen: Ints) -> TreeSplits:
    """The design with the coalitions of some more splits, and the steps that they make."""
    before, n_rows = design.steps, len(design)
    n_splits = int(design.cluster[-1]) + 1 if n_rows else 0
    z, cluster, tree, steps = [design.present], [design.cluster], [], [before]
    for i in chosen.tolist():
        children = before.children_of(i)
        sets = _pattern(len(children))[0]
        context = design.present[before.low[i]] if before.low[i] >= 0 else False
        members = before.trees[before.tree[i]].members[list(children)]
        z.append(context | (sets.astype(np.uint8) @ members.astype(np.uint8) > 0))
        cluster.append(np.full(len(sets), n_splits))
        tree.append(np.full(len(sets), before.tree[i]))
        steps.append(_below(before, i, n_rows))
        n_rows, n_splits = n_rows + len(sets), n_splits + 1
    rows = design.background_row
    return TreeSplits(
        np.concatenate(z),
        np.concatenate(cluster),
        Steps.joined(steps, chosen),
        None if rows is None else np.concatenate([rows, *tree]),
    )


def _below(steps: Steps, i: int, n_rows: int) -> Steps:
    """The steps into which one step is split, whose coalitions stand from row `n_rows` on."""
    children = steps.children_of(i)
    sets, child, without, joined, share = _pattern(len(children))
    place = np.array([steps.low[i], *range(n_rows, n_rows + len(sets)), steps.high[i]])
    return Steps(
        trees=steps.trees,
        tree=np.full(len(child), steps.tree[i]),
        node=np.asarray(children)[child],
        low=place[without],
        high=place[joined],
        weight=steps.weight[i] * share,
        parent=np.full(len(child), i),
        is_open=np.ones(len(child), dtype=bool),
    )


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
