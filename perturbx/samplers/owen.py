"""Splits of trees of features, those with the largest effects first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from math import factorial

import numpy as np

from perturbx._typing import Coalitions, Floats, Ints
from perturbx._validation import check_integer, invalid
from perturbx.designs import BackgroundTreeSplits, Design, Evaluations, Steps, TreeSplits
from perturbx.errors import InvalidParameterError
from perturbx.features import FeatureTree
from perturbx.samplers._base import AdaptiveSampler
from perturbx.samplers._effects import largest

_DEFAULT_COALITIONS = 1000
"""Perturbations when the user sets no budget; fewer where they split everything."""


@dataclass(frozen=True)
class OwenSplits(AdaptiveSampler):
    """Splits trees of features from the root down, the largest effects first.

    The Owen value (Owen 1977) divides what a node of a tree adds to a context among the node's
    children by their Shapley value. A split of c children evaluates all 2**c - 2 sets except the
    empty and the full one; each child then becomes an open step in every context that its
    siblings make. A round splits the open steps with the largest ``|weight * delta|``. With
    several outputs the largest of them counts, each in units of its own range.

    A ``cluster`` is one split. Nothing is random, and no coalition is evaluated twice.

    Parameters
    ----------
    trees : tuple of FeatureTree
        Tree r belongs to background row r; a single tree to the average of all rows. An empty
        tuple stands for one tree that halves the features in their order.
    splits_per_round : int
        The number of splits per round.

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

    def __post_init__(self) -> None:
        if not isinstance(self.trees, tuple) or not all(
            isinstance(tree, FeatureTree) for tree in self.trees
        ):
            raise invalid("trees", "a tuple of FeatureTree, one for each row", self.trees)
        check_integer("splits_per_round", self.splits_per_round, minimum=1)

    @property
    def draws(self) -> type[TreeSplits]:  # type: ignore[override]
        return BackgroundTreeSplits if len(self.trees) > 1 else TreeSplits

    def check(self, n_features: int, n_background: int) -> None:
        if len(self.trees) > 1 and len(self.trees) != n_background:
            raise InvalidParameterError(
                f"OwenSplits has {len(self.trees)} trees, and the background has {n_background} "
                "rows: pass one tree for each row, or a single tree for all of them."
            )
        sizes = sorted({tree.n_features for tree in self.trees} - {n_features})
        if sizes:
            raise InvalidParameterError(
                f"OwenSplits needs trees of the {n_features} features that are explained: got "
                f"trees of {', '.join(map(str, sizes))}. Build them with FeatureTree.of_leaves."
            )

    def most(self, n_features: int) -> float:
        return float(min(sum(tree.all_coalitions() for tree in self._trees(n_features)), 10**300))

    def minimum(self, n_features: int) -> int:
        """One split of each tree."""
        return int(sum(tree.split_coalitions[-1] for tree in self._trees(n_features)))

    def default(self, n_features: int) -> int:
        """1000, or what it takes to split everything if that is less."""
        everything = sum(tree.all_coalitions() for tree in self._trees(n_features))
        return max(min(everything, _DEFAULT_COALITIONS), self.minimum(n_features))

    def draw(
        self, n_features: int, n: int, rng: np.random.Generator, drawn: Design | None = None
    ) -> TreeSplits:
        """The first split of each tree."""
        known = self.own(drawn, TreeSplits)
        if known is not None:
            return known
        self.check(n_features, max(len(self.trees), 1))
        steps, none = Steps.of(self._trees(n_features)), np.zeros(0, dtype=np.intp)
        empty = np.zeros((0, n_features), dtype=bool)
        complete = n_features == 1
        nothing = (
            BackgroundTreeSplits(empty, none, steps, none, complete=complete)
            if len(self.trees) > 1
            else TreeSplits(empty, none, steps, complete=complete)
        )
        return _split(nothing, np.flatnonzero(steps.n_coalitions > 0))

    def follow(self, evaluations: Evaluations, n: int, rng: np.random.Generator) -> TreeSplits:
        design = self.own(evaluations.design, TreeSplits)
        assert design is not None  # every answer belongs to a design
        steps, left = design.steps, n - len(design)
        needed = steps.n_coalitions
        waiting = np.flatnonzero(steps.is_open & (needed > 0) & (needed <= left))
        if not len(waiting):
            return design
        first, effects = largest(evaluations, steps, design.effects, waiting, self.splits_per_round)
        chosen = first[np.cumsum(needed[first]) <= left]
        return _split(replace(design, effects=effects), chosen)

    def _trees(self, n_features: int) -> tuple[FeatureTree, ...]:
        return self.trees or (FeatureTree.balanced(max(n_features, 1)),)


def _split(design: TreeSplits, chosen: Ints) -> TreeSplits:
    """The design with the coalitions of some more splits, and the steps that they make."""
    before, n_coalitions = design.steps, len(design)
    n_splits = int(design.cluster[-1]) + 1 if n_coalitions else 0
    z, cluster, tree, steps = [design.present], [design.cluster], [], [before]
    for i in chosen.tolist():
        children = before.children_of(i)
        sets = _pattern(len(children))[0]
        context = design.present[before.low[i]] if before.low[i] >= 0 else False
        members = before.trees[before.tree[i]].members_of(children)
        z.append(context | (sets.astype(np.uint8) @ members.astype(np.uint8) > 0))
        cluster.append(np.full(len(sets), n_splits))
        tree.append(np.full(len(sets), before.tree[i]))
        steps.append(_steps_below(before, i, n_coalitions))
        n_coalitions, n_splits = n_coalitions + len(sets), n_splits + 1
    present, joined = np.concatenate(z), Steps.joined(steps, chosen)
    grown = replace(design, present=present, cluster=np.concatenate(cluster), steps=joined)
    if isinstance(grown, BackgroundTreeSplits):
        return replace(grown, background_row=np.concatenate([grown.background_row, *tree]))
    return grown


def _steps_below(steps: Steps, i: int, n_before: int) -> Steps:
    """The steps into which step `i` is split; their coalitions begin at row `n_before`."""
    children = steps.children_of(i)
    sets, child, without, joined, weight = _pattern(len(children))
    place = np.array([steps.low[i], *range(n_before, n_before + len(sets)), steps.high[i]])
    return Steps(
        trees=steps.trees,
        tree=np.full(len(child), steps.tree[i]),
        node=np.asarray(children)[child],
        low=place[without],
        high=place[joined],
        weight=steps.weight[i] * weight,
        parent=np.full(len(child), i),
        is_open=np.ones(len(child), dtype=bool),
    )


@cache
def _pattern(c: int) -> tuple[Coalitions, Ints, Ints, Ints, Floats]:
    """The sets of c children except none and all, and the steps of each child.

    The steps are arrays: the child, the set before it joins, the set after (numbered in binary, 0
    for none and 2**c - 1 for all) and its Shapley weight |S|! (c - 1 - |S|)! / c!.
    """
    numbers = np.arange(1, 2**c - 1)
    sets = (numbers[:, None] >> np.arange(c) & 1).astype(bool)
    steps = [(i, s, s | 1 << i) for i in range(c) for s in range(2**c) if not s >> i & 1]
    child, without, joined = np.array(steps, dtype=np.intp).T
    sizes = [s.bit_count() for _, s, _ in steps]
    weight = np.array([factorial(s) * factorial(c - 1 - s) / factorial(c) for s in sizes])
    return sets, child, without, joined, weight
