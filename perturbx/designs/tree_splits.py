"""Splits of trees of features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.designs.coalitions import StoredCoalitions
from perturbx.features import FeatureTree


@dataclass(frozen=True, eq=False)
class Steps:
    """The splits of a design so far, as s steps that each add a node to a context.

    The first steps go from nothing to everything, one for each tree. A split replaces a step by
    those of its node's children, in every context that their siblings make. Steps that are open
    have not been split; together they add up to the whole.

    Parameters
    ----------
    trees : tuple of FeatureTree
        Tree r belongs to background row r; a single tree to all rows.
    tree, node : (s,) int arrays
        The node that is added, and its tree.
    low, high : (s,) int arrays
        The coalitions without and with the node: a row of the design, or a negative number from
        the end of ``[*design, full, empty of the last tree, ..., empty of the first]``.
    weight : (s,) array
        The weight of the step in the scores of the node's features.
    parent : (s,) int array
        The step whose split made this one; -1 for the first ones.
    is_open : (s,) bool array
        False once the step has been split.
    """

    trees: tuple[FeatureTree, ...]
    tree: Ints
    node: Ints
    low: Ints
    high: Ints
    weight: Floats
    parent: Ints
    is_open: NDArray[np.bool_]

    @classmethod
    def of(cls, trees: Sequence[FeatureTree]) -> Steps:
        """One open step for each tree."""
        n = len(trees)
        return cls(
            trees=tuple(trees),
            tree=np.arange(n),
            node=np.array([tree.root for tree in trees], dtype=np.intp),
            low=-1 - np.arange(n),
            high=np.full(n, -1 - n),
            weight=np.full(n, 1 / n),
            parent=np.full(n, -1),
            is_open=np.ones(n, dtype=bool),
        )

    @classmethod
    def joined(cls, parts: Sequence[Steps], split: Ints) -> Steps:
        """Steps of the same trees one after another; those numbered `split` are closed."""
        names = ("tree", "node", "low", "high", "weight", "parent", "is_open")
        columns = {n: np.concatenate([getattr(part, n) for part in parts]) for n in names}
        columns["is_open"][split] = False
        return cls(parts[0].trees, **columns)

    def children_of(self, step: int) -> tuple[int, ...]:
        """The children of a step's node; none for a leaf."""
        tree: FeatureTree = self.trees[self.tree[step]]
        return tree.children_of(int(self.node[step]))

    def __len__(self) -> int:
        return len(self.tree)

    @property
    def n_coalitions(self) -> Ints:
        """(s,): how many coalitions the split of each step needs; 0 for a leaf."""
        numbers = np.zeros(len(self), dtype=np.intp)
        for r, tree in enumerate(self.trees):
            own = self.tree == r
            numbers[own] = tree.split_coalitions[self.node[own]]
        return numbers

    def deltas(
        self, outputs: Floats, full: Floats, empty: Floats, of: Ints | None = None
    ) -> Floats:
        """(s, ...): what each step adds, from the answers (m, ...) to the design.

        `full` (...) is the output with everything present, `empty` (n_trees, ...) with nothing.
        `of` names some of the steps.
        """
        ends = np.concatenate([full[None], empty[::-1]])
        high, low = (self.high, self.low) if of is None else (self.high[of], self.low[of])
        return _answers_at(high, outputs, ends) - _answers_at(low, outputs, ends)


@dataclass(frozen=True, eq=False)
class Effects:
    """What a round of splits learned about effects, so that the next need not learn it again.

    Answers do not change, so it holds for all later rounds.

    Parameters
    ----------
    reach : (n, k) array
        The largest |delta| of any step, by instance and output.
    most : (s,) array
        At least the effect of each step.
    is_exact : (s,) bool array
        Where `most` is the effect itself.
    """

    reach: Floats
    most: Floats
    is_exact: NDArray[np.bool_]


def _answers_at(places: Ints, outputs: Floats, ends: Floats) -> Floats:
    """The answers at some rows; those of `ends` have negative numbers."""
    found, is_end = np.empty((len(places), *ends.shape[1:])), places < 0
    found[is_end], found[~is_end] = ends[places[is_end]], outputs[places[~is_end]]
    return found


@dataclass(frozen=True, eq=False)
class TreeSplits(StoredCoalitions):
    """The coalitions that splits of a tree need, each split a cluster.

    Parameters
    ----------
    cluster : (m,) int array
    steps : Steps
        The splits.
    complete : bool
        True for one feature, which has no coalition except the empty and the full one.
    effects : Effects, optional
        What the sampler knew of the effects of the steps when it chose the last round.
    """

    drawn_by = "OwenSplits(trees)"
    shows_noise = False

    cluster: Ints = field()
    steps: Steps
    complete: bool = field(default=False, kw_only=True)
    effects: Effects | None = field(default=None, kw_only=True)

    @staticmethod
    def worth_of_ends(n_features: int) -> float:
        """As of pairs of coalitions: the noise of the ends is divided among all features."""
        return 1 / (2 * n_features)

    def repeats(self, n: int) -> Ints:
        """Twice each: more answers are better spent on further splits."""
        return np.full(len(self), 2)


@dataclass(frozen=True, eq=False)
class BackgroundTreeSplits(TreeSplits):
    """Splits of several trees, one for each background row.

    Parameters
    ----------
    background_row : (m,) int array
        The row whose tree was split.
    """

    per_background_row = True

    background_row: Ints = field()
