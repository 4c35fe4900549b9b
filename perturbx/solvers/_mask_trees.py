"""Boosted regression trees on coalitions, for many targets at once, in numpy alone.

Features are present or absent, so a split needs no search over thresholds: one product of node
memberships times residuals with the coalitions scores every split of every node of every target.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints


@dataclass(frozen=True)
class Boosting:
    """How trees are grown: best leaf first, as LightGBM does (Ke et al., 2017)."""

    n_trees: int = 150
    learning_rate: float = 0.1
    n_leaves: int = 15
    depth: int = 6
    penalty: float = 0.1
    min_leaf: int = 10


@dataclass(frozen=True, eq=False)
class Leaves:
    """Every leaf of an ensemble: a path of at most `depth` splits, and a value.

    `features` (l, depth) are the features on the path, -1 beyond its end; `signs` (l, depth) say
    which side it takes (+1 present, -1 absent); `values` (l,) add up to the prediction.
    """

    features: Ints
    signs: Floats
    values: Floats


@dataclass(frozen=True, eq=False)
class _Level:
    """The nodes of one depth that may be split; side 0 is absent, side 1 present.

    `gain`, `values` (2, nodes) of the leaves below, and `members` (2, nodes, m): the coalitions
    in each node, and of those the ones on side 1.
    """

    target: Ints
    parent: Ints
    side: Ints
    feature: Ints
    gain: NDArray[np.float32]
    values: NDArray[np.float32]
    members: tuple[NDArray[np.float32], NDArray[np.float32]]


def boost(
    z: Coalitions,
    targets: Floats,
    rows: NDArray[np.bool_],
    settings: Boosting | None = None,
) -> list[Leaves]:
    """Fit one ensemble to each column of `targets`, on the coalitions that `rows` names for it.

    Parameters
    ----------
    z : (m, d) bool array
        Coalitions.
    targets, rows : (m, t) arrays
        What to predict, and which coalitions each fit may look at: folds are fits of their own,
        and cost less together than one by one.
    """
    settings = settings or Boosting()
    design = np.hstack([z, np.ones((len(z), 1))]).astype(np.float32)
    columns = np.ascontiguousarray(design.T)
    members = np.ascontiguousarray(rows.T, dtype=np.float32)
    residual = np.ascontiguousarray((targets * rows).T, dtype=np.float32)
    min_leaf = np.clip(rows.sum(axis=0) // 30, 2, settings.min_leaf)
    found: list[list[Leaves]] = [[] for _ in residual]
    for _ in range(settings.n_trees):
        levels = _grow(design, columns, members, residual, min_leaf, settings)
        if not levels:
            break
        for t in np.unique(levels[0].target).tolist():
            found[t].append(_prune(levels, t, residual[t], settings))
    return [_join(trees, settings.depth) for trees in found]


def _grow(
    design: NDArray[np.float32],
    columns: NDArray[np.float32],
    members: NDArray[np.float32],
    residual: NDArray[np.float32],
    min_leaf: Ints,
    settings: Boosting,
) -> list[_Level]:
    """Levels of candidate splits, at most `n_leaves` - 1 nodes a target and level.

    The last column of `design` is ones: it carries the totals of a node along with its splits.
    """
    target = np.arange(len(residual))
    parent, side = np.full((2, len(residual)), -1)
    weighted = residual
    counts, sums = members @ design, weighted @ design
    levels: list[_Level] = []
    for _ in range(settings.depth):
        gain, feature = _best_splits(counts, sums, min_leaf[target], settings.penalty)
        keep = _few(gain, target, settings.n_leaves - 1)
        n = len(keep)
        if n == 0:
            break
        gain, feature, target = gain[keep], feature[keep], target[keep]
        parent, side = parent[keep], side[keep]
        members, weighted, counts, sums = members[keep], weighted[keep], counts[keep], sums[keep]
        present = columns[feature]
        inside, weighted_in = members * present, weighted * present
        counts_in, sums_in = inside @ design, weighted_in @ design
        counts = np.concatenate([counts - counts_in, counts_in])
        sums = np.concatenate([sums - sums_in, sums_in])
        values = settings.learning_rate * sums[:, -1] / (counts[:, -1] + settings.penalty)
        levels.append(
            _Level(target, parent, side, feature, gain, values.reshape(2, n), (members, inside))
        )
        members = np.concatenate([members - inside, inside])
        weighted = np.concatenate([weighted - weighted_in, weighted_in])
        target, parent = np.concatenate([target, target]), np.arange(2 * n) % n
        side = np.arange(2 * n) // n
    return levels


def _best_splits(
    counts: NDArray[np.float32], sums: NDArray[np.float32], min_leaf: Ints, penalty: float
) -> tuple[NDArray[np.float32], Ints]:
    """How much each node's best split lowers the squared error, and on which feature it is."""
    counts_in, counts_out = counts[:, :-1], counts[:, -1:] - counts[:, :-1]
    sums_in, sums_out = sums[:, :-1], sums[:, -1:] - sums[:, :-1]
    gain = sums_in**2 / (counts_in + penalty)
    gain += sums_out**2 / (counts_out + penalty)
    gain *= np.minimum(counts_in, counts_out) >= min_leaf[:, None]
    feature = gain.argmax(axis=1)
    before = sums[:, -1] ** 2 / (counts[:, -1] + penalty)
    return gain[np.arange(len(gain)), feature] - before, feature


def _few(gain: NDArray[np.float32], target: Ints, most: int) -> Ints:
    """At most `most` nodes of each target, those that gain most; none that gain nothing."""
    worth = np.flatnonzero(gain > 1e-12)
    if len(worth) <= most:
        return worth
    order = worth[np.lexsort((-gain[worth], target[worth]))]
    first = np.searchsorted(target[order], target[order])
    return np.asarray(order[np.arange(len(order)) - first < most])


def _prune(
    levels: list[_Level], t: int, residual: NDArray[np.float32], settings: Boosting
) -> Leaves:
    """The tree of target t, best split first; what it predicts is taken off the residual."""
    below = [
        {pair: i for i, pair in enumerate(zip(lv.parent.tolist(), lv.side.tolist(), strict=True))}
        for lv in levels[1:]
    ]
    below.append({})
    gains = [level.gain.tolist() for level in levels]
    root = int(np.flatnonzero(levels[0].target == t)[0])
    frontier = [(-gains[0][root], 0, root)]
    chosen: list[tuple[int, int]] = []
    while frontier and len(chosen) < settings.n_leaves - 1:
        _, depth, node = heapq.heappop(frontier)
        chosen.append((depth, node))
        for side in (0, 1):
            child = below[depth].get((node, side))
            if child is not None:
                heapq.heappush(frontier, (-gains[depth + 1][child], depth + 1, child))
    split = set(chosen)
    ends = [
        (depth, node, side)
        for depth, node in chosen
        for side in (0, 1)
        if (depth + 1, below[depth].get((node, side), -1)) not in split
    ]
    _predict(levels, ends, residual)
    return _leaves(levels, ends, settings.depth)


def _predict(
    levels: list[_Level], ends: list[tuple[int, int, int]], residual: NDArray[np.float32]
) -> None:
    """Take the values of the leaves at (depth, node, side) off the residual, level by level."""
    at = np.array(ends)
    for depth, level in enumerate(levels):
        here = at[at[:, 0] == depth]
        if len(here):
            values = np.zeros_like(level.values)
            values[here[:, 2], here[:, 1]] = level.values[here[:, 2], here[:, 1]]
            members, inside = level.members
            residual -= values[0] @ members + (values[1] - values[0]) @ inside


def _leaves(levels: list[_Level], ends: list[tuple[int, int, int]], most: int) -> Leaves:
    """The paths and values of the leaves at (depth, node, side)."""
    links = [
        list(zip(lv.feature.tolist(), lv.parent.tolist(), lv.side.tolist(), strict=True))
        for lv in levels
    ]
    features, signs, values = [], [], []
    for depth, node, side in ends:
        values.append(levels[depth].values[side, node])
        path, turns = [-1] * most, [0] * most
        for at in range(depth, -1, -1):
            path[at], up, up_side = links[at][node]
            turns[at] = 2 * side - 1
            node, side = up, up_side
        features.append(path)
        signs.append(turns)
    return Leaves(np.array(features), np.array(signs, float), np.array(values, float))


def _join(trees: list[Leaves], depth: int) -> Leaves:
    """One set of leaves out of many."""
    if not trees:
        return Leaves(np.empty((0, depth), int), np.empty((0, depth)), np.empty(0))
    return Leaves(
        np.concatenate([tree.features for tree in trees]),
        np.concatenate([tree.signs for tree in trees]),
        np.concatenate([tree.values for tree in trees]),
    )
