"""Trees of features: which features form a branch, and the size of each feature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints


@dataclass(frozen=True, eq=False)
class FeatureTree:
    """A tree over d features: leaves of one or more features, and nodes that join them.

    Parameters
    ----------
    leaf_of : (d,) int array
        The leaf of each feature. The L leaves are numbered 0..L-1, and none is empty.
    children : tuple of tuples of int
        The children of each inner node: node L + i joins the nodes ``children[i]``, at least two,
        all of which have smaller numbers. The last node is the root.
    size : (d,) array
        The relative share of each feature in the effect of a node that is never split.

    Examples
    --------
    >>> tree = FeatureTree.of_leaves(((0, 1), (2, 3), (4, 5)), 4)
    >>> tree.root, tree.children_of(6), tree.children_of(2)
    (6, (4, 5), ())
    >>> tree.members[5]
    array([False, False,  True,  True])
    """

    leaf_of: Ints
    children: tuple[tuple[int, ...], ...]
    size: Floats

    @classmethod
    def of_leaves(cls, children: Sequence[Sequence[int]], n_leaves: int) -> FeatureTree:
        """A tree whose leaves are one feature each, all of the same size."""
        nodes = tuple(tuple(int(child) for child in node) for node in children)
        return cls(np.arange(n_leaves), nodes, np.ones(n_leaves))

    @classmethod
    def balanced(cls, n_features: int) -> FeatureTree:
        """A balanced binary tree over the features in their order."""
        children: list[tuple[int, int]] = []

        def join(start: int, stop: int) -> int:
            if stop - start <= 1:
                return start
            middle = (start + stop) // 2
            children.append((join(start, middle), join(middle, stop)))
            return n_features + len(children) - 1

        join(0, n_features)
        return cls.of_leaves(children, n_features)

    def __getstate__(self) -> dict[str, Any]:
        """Only the fields, without cached properties, as workers receive it."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @property
    def n_features(self) -> int:
        return len(self.leaf_of)

    @cached_property
    def n_leaves(self) -> int:
        """The number of leaves."""
        return int(self.leaf_of.max()) + 1

    @property
    def root(self) -> int:
        """The node that contains all features."""
        return self.n_leaves + len(self.children) - 1

    def children_of(self, node: int) -> tuple[int, ...]:
        """The children of a node; none for a leaf."""
        return self.children[node - self.n_leaves] if node >= self.n_leaves else ()

    @cached_property
    def members(self) -> Coalitions:
        """(n_nodes, d) bool: the features of each node; for trees of few features."""
        return self.members_of(np.arange(self.root + 1))

    def members_of(self, nodes: Sequence[int] | Ints) -> Coalitions:
        """(len(nodes), d) bool: the features of each of some nodes."""
        first, order = self._walk
        at = np.asarray(nodes, dtype=np.intp)
        place = order[self.leaf_of]
        stop = first[at] + self.leaf_counts[at]
        return np.asarray((place >= first[at, None]) & (place < stop[:, None]))

    @cached_property
    def _walk(self) -> tuple[Ints, Ints]:
        """(n_nodes,) the leaves to the left of each node, and (n_leaves,) the place of each leaf.

        A node's leaves have consecutive places, so that no node needs a row of all features.
        """
        first = np.zeros(self.root + 1, dtype=np.intp)
        for node in range(self.root, self.n_leaves - 1, -1):
            children = list(self.children_of(node))
            before = np.cumsum(self.leaf_counts[children]) - self.leaf_counts[children]
            first[children] = first[node] + before
        return first, first[: self.n_leaves]

    @cached_property
    def leaf_counts(self) -> Ints:
        """(n_nodes,): the number of leaves of each node."""
        counts = np.ones(self.root + 1, dtype=np.intp)
        for i, node in enumerate(self.children):
            counts[self.n_leaves + i] = counts[list(node)].sum()
        return counts

    @cached_property
    def node_sizes(self) -> Floats:
        """(n_nodes,): the total size of the features of each node."""
        sizes = np.zeros(self.root + 1)
        sizes[: self.n_leaves] = np.bincount(self.leaf_of, self.size, self.n_leaves)
        for i, node in enumerate(self.children):
            sizes[self.n_leaves + i] = sizes[list(node)].sum()
        return sizes

    @cached_property
    def split_coalitions(self) -> Ints:
        """(n_nodes,): the number of coalitions that one split of a node takes; 0 for a leaf."""
        inner = [2 ** len(node) - 2 for node in self.children]
        return np.array([0] * self.n_leaves + inner, dtype=np.intp)

    def all_coalitions(self) -> int:
        """The number of coalitions that it takes to split every node in every context."""
        contexts = {self.root: 1}
        total = 0
        for node in range(self.root, self.n_leaves - 1, -1):
            children = self.children_of(node)
            total += contexts[node] * (2 ** len(children) - 2)
            for child in children:
                contexts[child] = contexts[node] * 2 ** (len(children) - 1)
        return total

    def restricted(self, kept: NDArray[np.bool_]) -> FeatureTree:
        """The tree of some of the features, without nodes that have no or only one child left."""
        if kept.all():
            return self
        leaves, leaf_of = np.unique(self.leaf_of[kept], return_inverse=True)
        place = {int(leaf): i for i, leaf in enumerate(leaves)}
        children: list[tuple[int, ...]] = []
        for i, node in enumerate(self.children):
            left = tuple(place[child] for child in node if child in place)
            if len(left) > 1:
                children.append(left)
                place[self.n_leaves + i] = len(leaves) + len(children) - 1
            elif left:
                place[self.n_leaves + i] = left[0]
        return FeatureTree(leaf_of.astype(np.intp), tuple(children), self.size[kept])
