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

    def deltas(self, outputs: Floats, full: Floats, empty: Floats) -> Floats:
        """(s, ...): what each step adds, from the answers (m, ...) to the design.

        `full` (...) is the output with everything present, `empty` (n_trees, ...) with nothing.
        """
        answers = np.concatenate([outputs, full[None], empty[::-1]])
        return np.asarray(answers[self.high] - answers[self.low])


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
    """

    drawn_by = "OwenSplits(trees)"
    shows_noise = False

    cluster: Ints = field()
    steps: Steps
    complete: bool = field(default=False, kw_only=True)

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
