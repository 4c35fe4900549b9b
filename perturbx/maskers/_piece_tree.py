"""The tree of the pieces of a text: paragraphs, in them sentences, in them pieces."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from perturbx._typing import Ints
from perturbx.features import FeatureTree, Spans
from perturbx.maskers._pieces import paragraphs, sentences


def piece_tree(text: str, spans: Spans) -> FeatureTree:
    """A binary tree of the pieces in which each paragraph and each sentence is a branch.

    Paragraphs, the sentences of a paragraph and the pieces of a sentence are halved in their
    order, since a node of many children takes many coalitions to split.
    """
    nodes = _Nodes(len(spans))
    levels = [
        np.searchsorted([start for start, _ in find(text)], spans.starts, side="right")
        for find in (paragraphs, sentences)
    ]
    nodes.grouped(range(len(spans)), levels)
    return FeatureTree.of_leaves(nodes.children, len(spans))


class _Nodes:
    """The inner nodes of a tree of d leaves, numbered as they are joined."""

    def __init__(self, d: int) -> None:
        self.d = d
        self.children: list[tuple[int, int]] = []

    def grouped(self, leaves: Sequence[int], levels: Sequence[Ints]) -> int:
        """The node of some leaves: first those with the same number of each level are joined."""
        if not levels:
            return self.halved(leaves)
        level, *rest = levels
        changes = np.flatnonzero(np.diff(level[list(leaves)])) + 1
        ends = [0, *changes.tolist(), len(leaves)]
        parts = [leaves[a:b] for a, b in pairwise(ends)]
        return self.halved([self.grouped(part, rest) for part in parts])

    def halved(self, nodes: Sequence[int]) -> int:
        """The node of some nodes, halved in their order."""
        if len(nodes) == 1:
            return nodes[0]
        middle = len(nodes) // 2
        self.children.append((self.halved(nodes[:middle]), self.halved(nodes[middle:])))
        return self.d + len(self.children) - 1
