"""Trees of features: who belongs to whom, what is left of a part of them, what splits cost."""

from __future__ import annotations

import numpy as np
import pytest
from perturbx.features import FeatureTree

NESTED = FeatureTree.of_leaves(((0, 1, 2), (3, 4), (5, 6)), 5)
"""((0, 1, 2), (3, 4))."""


def test_members() -> None:
    """A node contains the features of its children; the root contains all."""
    assert NESTED.members[5].tolist() == [True, True, True, False, False]
    assert NESTED.members[6].tolist() == [False, False, False, True, True]
    assert NESTED.members[NESTED.root].all()
    assert NESTED.children_of(7) == (5, 6)
    assert NESTED.children_of(3) == ()


def test_leaves_of_several_features() -> None:
    """A leaf may contain several features, whose sizes are added."""
    tree = FeatureTree(np.array([1, 0, 1]), ((0, 1),), np.array([2.0, 3.0, 5.0]))
    assert tree.members.tolist() == [[False, True, False], [True, False, True], [True] * 3]
    assert tree.node_sizes.tolist() == [3.0, 7.0, 10.0]


@pytest.mark.parametrize("d", [1, 2, 3, 6, 9])
def test_balanced(d: int) -> None:
    """Halves of halves: d leaves, d - 1 nodes, neighbors together."""
    tree = FeatureTree.balanced(d)
    assert tree.n_leaves == d
    assert len(tree.children) == d - 1
    assert tree.members[tree.root].all()
    inner = tree.members[d:]
    assert all(np.ptp(np.flatnonzero(row)) == row.sum() - 1 for row in inner)


def test_the_cost_of_splitting_everything() -> None:
    """By hand: the root 2; each of its children in two contexts, 6 and 2 coalitions each."""
    assert NESTED.all_coalitions() == 2 + 2 * 6 + 2 * 2
    assert FeatureTree.of_leaves(((0, 1, 2, 3),), 4).all_coalitions() == 14
    assert FeatureTree.balanced(1).all_coalitions() == 0


def test_a_part_of_the_features() -> None:
    """The remaining features keep their order; a node with one child left becomes that child."""
    left = NESTED.restricted(np.array([True, False, True, False, True]))
    assert left.n_features == 3
    assert left.members[left.root].all()
    assert left.children == ((0, 1), (3, 2))
    assert NESTED.restricted(np.ones(5, dtype=bool)) is NESTED
    alone = NESTED.restricted(np.array([False, False, True, False, False]))
    assert (alone.root, alone.children, alone.all_coalitions()) == (0, (), 0)
