"""How the splits that were made divided what a node adds, to estimate those that were not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy.sparse import csr_array

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
        got = summed(deltas[below], place.reshape(-1), len(split), weight)
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
    keys = np.stack([steps.tree[split], steps.node[split], splits.child])
    (tree, node, child), first, place = np.unique(
        keys, axis=1, return_index=True, return_inverse=True
    )
    weight = steps.weight[split]
    products, squares = (
        summed(deltas[split] * part, place.reshape(-1), len(tree), weight)
        for part in (splits.beyond, deltas[split])
    )
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


def deviations(steps: Steps, deltas: Floats, splits: Splits, of: Ints) -> Floats | None:
    """(len(of), t): how far the parts of some steps probably depart from size; None if unknown.

    A split that divides delta among children of sizes p (1 in total) as phi has the squared
    deviation (phi - p * delta)**2 / (p * (1 - p)), the mean over its children. A step that was
    not split is given the mean of the splits whose |delta| is nearest to its own, by rank.
    """
    made, first = np.unique(splits.split, return_index=True)
    n, t = len(made), deltas.shape[1]
    if n < _FEWEST_SPLITS:
        return None
    scale = (splits.size * (1 - splits.size))[:, None]
    count = np.diff(first, append=len(splits.split))
    squares = np.add.reduceat(splits.beyond**2 / scale, first, axis=0) / count[:, None]
    k = min(n, max(_NEIGHBORS, int(n * _NEIGHBOR_FRACTION)))
    arrays = np.abs(deltas[made]), squares, np.abs(deltas[of])
    by_target = (np.ascontiguousarray(array.T) for array in arrays)
    means = np.empty((t, len(of)))
    for size, square, sought, mean in zip(*by_target, means, strict=True):
        order = np.argsort(size, kind="stable")
        sums = np.cumsum(np.concatenate([[0.0], square[order]]))
        middle = size[order][k // 2 : k // 2 + n - k]
        np.take(sums[k:] - sums[: n - k + 1], np.searchsorted(middle, sought), out=mean)
    return np.asarray(np.sqrt(means.T / k))


def summed(parts: Floats, place: Ints, n: int, weight: Floats) -> Floats:
    """(n, t): the weighted sums of those parts (s, t) that have the same place."""
    return np.asarray(csr_array((weight, (place, np.arange(len(place)))), (n, len(place))) @ parts)
