"""How the splits that were made divided what a node adds, to estimate those that were not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx.designs import Steps

_FEWEST_SPLITS = 4
"""Fewer cannot show how splits vary."""

_NEIGHBORS, _NEIGHBOR_FRACTION = 10, 0.15
"""So many splits, or this fraction of them if that is more, of steps that added about as much."""

_SMALLEST, _LARGEST = -1.0, 2.0
"""Bounds of the fraction that a child gets, which may be any where its node adds almost nothing."""


Fractions: TypeAlias = dict[tuple[int, int], tuple[tuple[int, ...], Floats]]
"""By tree and node: its children, and the fractions (c, t) of the node that they get."""


@dataclass(frozen=True, eq=False)
class Splits:
    """What each child got in each split that was made: e entries.

    Parameters
    ----------
    split : (e,) int array
        The step that was split.
    child : (e,) int array
        The child's node.
    size : (e,) array
        The child's fraction of the node's size.
    beyond : (e, t) array
        What the split gave to the child, less that fraction of what the node added.
    """

    split: Ints
    child: Ints
    size: Floats
    beyond: Floats

    @classmethod
    def of(cls, steps: Steps, deltas: Floats) -> Splits:
        """All splits of a design."""
        below = np.flatnonzero(steps.parent >= 0)
        pairs = np.stack([steps.parent[below], steps.node[below]])
        (split, child), place = np.unique(pairs, axis=1, return_inverse=True)
        weight = steps.weight[below] / steps.weight[steps.parent[below]]
        got = np.zeros((len(split), *deltas.shape[1:]))
        np.add.at(got, place.reshape(-1), deltas[below] * weight[:, None])
        size = np.zeros(len(split))
        for r, tree in enumerate(steps.trees):
            own = steps.tree[split] == r
            size[own] = tree.node_sizes[child[own]] / tree.node_sizes[steps.node[split[own]]]
        return cls(split, child, size, got - size[:, None] * deltas[split])


def learned_fractions(steps: Steps, deltas: Floats, splits: Splits) -> Fractions:
    """By tree and node that was split in some context: its children, and their fractions (c, t).

    Least squares of what a child got beyond its fraction by size, on what the node added, over
    the contexts in which it was split. The fractions of a node's children sum to 1.
    """
    split = splits.split
    weighted = steps.weight[split, None] * deltas[split]
    keys = np.stack([steps.tree[split], steps.node[split], splits.child])
    (tree, node, child), first, place = np.unique(
        keys, axis=1, return_index=True, return_inverse=True
    )
    products, squares = np.zeros((2, len(tree), *deltas.shape[1:]))
    np.add.at(products, place.reshape(-1), weighted * splits.beyond)
    np.add.at(squares, place.reshape(-1), weighted * deltas[split])
    slopes = np.divide(products, squares, out=np.zeros_like(products), where=squares > 0)
    learned = {}
    starts = np.flatnonzero(np.diff(tree, prepend=-1) | np.diff(node, prepend=-1))
    for rows in np.split(np.arange(len(tree)), starts[1:]):
        if len(rows):
            size, slope = splits.size[first[rows], None], slopes[rows]
            # The slopes are scaled down where a fraction would exceed its bounds.
            room = np.where(slope > 0, _LARGEST - size, size - _SMALLEST)
            steep = np.abs(slope)
            most = np.divide(room, steep, out=np.full_like(slope, np.inf), where=steep > 0)
            fractions = size + np.minimum(most.min(axis=0), 1.0) * slope
            learned[int(tree[rows[0]]), int(node[rows[0]])] = tuple(child[rows].tolist()), fractions
    return learned


def deviations(steps: Steps, deltas: Floats, splits: Splits) -> Floats | None:
    """(s, t): how far the parts of each step probably depart from size; None if unknown.

    A split that divides delta among children of sizes p (1 in total) as phi has the squared
    deviation (phi - p * delta)**2 / (p * (1 - p)), the mean over its children. A step that was
    not split is given the mean of the splits whose |delta| is nearest to its own, by rank.
    """
    made = np.flatnonzero(~steps.is_open)
    n = len(made)
    if n < _FEWEST_SPLITS:
        return None
    total = np.zeros_like(deltas)
    scale = (splits.size * (1 - splits.size))[:, None]
    np.add.at(total, splits.split, splits.beyond**2 / scale)
    count = np.bincount(splits.split, minlength=len(steps))
    squares, size, out = total[made] / count[made][:, None], np.abs(deltas), np.empty_like(deltas)
    k = min(n, max(_NEIGHBORS, int(n * _NEIGHBOR_FRACTION)))
    for target in range(deltas.shape[1]):
        known = size[made, target]
        order = np.argsort(known, kind="stable")
        first = np.clip(np.searchsorted(known[order], size[:, target]) - k // 2, 0, n - k)
        sums = np.concatenate([[0.0], np.cumsum(squares[order, target])])
        out[:, target] = np.sqrt((sums[first + k] - sums[first]) / k)
    return out
