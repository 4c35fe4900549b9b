"""How far sharing by size may be from the truth, learned from the splits that were made."""

from __future__ import annotations

import numpy as np

from perturbx._typing import Floats, Ints, Outputs
from perturbx.splits import Splits

_FEWEST_SPLITS = 4
"""Fewer say nothing of their kind."""

_NEIGHBOURS, _NEIGHBOUR_SHARE = 10, 0.15
"""So many splits, or this part of them if that is more, speak for what added about as much."""


def deviations(splits: Splits, deltas: Outputs) -> Outputs | None:
    """(s, n, k): how far each step's parts would lie from their sizes; None where nobody knows.

    A split that shares delta among children of sizes p (adding up to 1) as phi has the squared
    deviation (phi - p * delta)**2 / (p * (1 - p)), the mean over its children. A step that was
    not split is given the mean of the splits whose |delta| is nearest to its own, by rank.
    """
    made = np.flatnonzero(~splits.is_open)
    if len(made) < _FEWEST_SPLITS:
        return None
    squares = _squares(splits, deltas, made)
    size = np.abs(deltas)
    out = np.empty_like(deltas)
    for target in np.ndindex(deltas.shape[1:]):
        at = (slice(None), *target)
        out[at] = np.sqrt(_of_nearest(size[made][at], squares[at], size[at]))
    return out


def _squares(splits: Splits, deltas: Outputs, made: Ints) -> Outputs:
    """(number made, n, k): the squared deviation of each split."""
    below = np.flatnonzero(splits.parent >= 0)
    pairs = np.stack([splits.parent[below], splits.node[below]])
    (parent, node), place = np.unique(pairs, axis=1, return_inverse=True)
    share = splits.weight[below] / splits.weight[splits.parent[below]]
    phi = np.zeros((len(parent), *deltas.shape[1:]))
    np.add.at(phi, place.reshape(-1), deltas[below] * share[:, None, None])
    sizes = np.zeros(len(parent))
    for r, tree in enumerate(splits.trees):
        own = splits.tree[parent] == r
        whole = tree.node_sizes[splits.node[parent[own]]]
        sizes[own] = tree.node_sizes[node[own]] / whole
    p = sizes[:, None, None]
    each = (phi - p * deltas[parent]) ** 2 / (p * (1 - p))
    total = np.zeros((len(splits), *deltas.shape[1:]))
    np.add.at(total, parent, each)
    count = np.bincount(parent, minlength=len(splits))
    return np.asarray(total[made] / count[made][:, None, None])


def _of_nearest(known: Floats, squares: Floats, asked: Floats) -> Floats:
    """The mean of the squares whose `known` is nearest by rank, for each of `asked`."""
    n = len(known)
    k = min(n, max(_NEIGHBOURS, int(n * _NEIGHBOUR_SHARE)))
    order = np.argsort(known, kind="stable")
    first = np.clip(np.searchsorted(known[order], asked) - k // 2, 0, n - k)
    sums = np.concatenate([[0.0], np.cumsum(squares[order])])
    return np.asarray((sums[first + k] - sums[first]) / k)
