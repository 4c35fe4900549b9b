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

    `parent` and `side` are each node's place in the level above; `paths` and `turns` (nodes,
    depth) the splits that lead to it and its own; `values` (2, nodes) those of the leaves below;
    `members` and `inside` (nodes, m) the coalitions in it, and of those the ones on side 1.
    """

    target: Ints
    parent: Ints
    side: Ints
    gain: NDArray[np.float32]
    paths: Ints
    turns: Ints
    values: NDArray[np.float32]
    members: NDArray[np.float32]
    inside: NDArray[np.float32]

    def below(self, nodes: Ints, side: Ints) -> NDArray[np.float32]:
        """(k, m): the coalitions on one side of each of some nodes."""
        found = self.inside[nodes]
        absent = np.flatnonzero(side == 0)
        found[absent] = self.members[nodes[absent]] - found[absent]
        return found


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
    found: list[tuple[Ints, Leaves]] = []
    for _ in range(settings.n_trees):
        levels = _grow(design, columns, members, residual, min_leaf, settings)
        if not levels:
            break
        chosen = _choose(levels, settings.n_leaves - 1)
        found += _harvest(levels, chosen, residual)
    return [_of_target(found, t, settings.depth) for t in range(len(residual))]


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
    paths, turns = np.full((2, len(residual), settings.depth), -1)
    counts, sums = members @ design, residual @ design
    levels: list[_Level] = []
    for depth in range(settings.depth):
        gain, feature = _best_splits(counts, sums, min_leaf[target], settings.penalty)
        keep = _few(gain, target, settings.n_leaves - 1)
        n = len(keep)
        if n == 0:
            break
        target, parent, side, feature = target[keep], parent[keep], side[keep], feature[keep]
        counts, sums, paths, turns = counts[keep], sums[keep], paths[keep], turns[keep]
        paths[:, depth] = feature
        members = levels[-1].below(parent, side) if levels else members[keep]
        inside = columns[feature]
        inside *= members
        weighted_in = residual[target]
        weighted_in *= inside
        counts_in, sums_in = inside @ design, weighted_in @ design
        counts = np.concatenate([counts - counts_in, counts_in])
        sums = np.concatenate([sums - sums_in, sums_in])
        values = settings.learning_rate * sums[:, -1] / (counts[:, -1] + settings.penalty)
        values = values.reshape(2, n)
        levels.append(
            _Level(target, parent, side, gain[keep], paths, turns, values, members, inside)
        )
        target, parent = np.concatenate([target, target]), np.arange(2 * n) % n
        side = np.arange(2 * n) // n
        paths, turns = np.concatenate([paths, paths]), np.concatenate([turns, turns])
        turns[:, depth] = 2 * side - 1
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


def _children(levels: list[_Level]) -> list[Ints]:
    """(2, nodes) for each level: where each node's sides are in the next one, -1 for nowhere."""
    places = [np.full(level.values.shape, -1) for level in levels]
    for place, below in zip(places, levels[1:], strict=False):
        place[below.side, below.parent] = np.arange(len(below.side))
    return places


def _choose(levels: list[_Level], most: int) -> list[NDArray[np.bool_]]:
    """Which nodes are split: in each tree the best first, then the best of what that opens."""
    children = [place.T.tolist() for place in _children(levels)]
    gains = [level.gain.tolist() for level in levels]
    chosen = [np.zeros(len(level.gain), dtype=bool) for level in levels]
    for root in range(len(levels[0].gain)):
        frontier = [(-gains[0][root], 0, root)]
        for _ in range(most):
            if not frontier:
                break
            _, depth, node = heapq.heappop(frontier)
            chosen[depth][node] = True
            for child in children[depth][node]:
                if child >= 0:
                    heapq.heappush(frontier, (-gains[depth + 1][child], depth + 1, child))
    return chosen


def _harvest(
    levels: list[_Level], chosen: list[NDArray[np.bool_]], residual: NDArray[np.float32]
) -> list[tuple[Ints, Leaves]]:
    """The leaves below the chosen nodes, with their targets, taken off the residual."""
    found = []
    after = [*chosen[1:], np.zeros(0, dtype=bool)]
    for level, here, below, place in zip(levels, chosen, after, _children(levels), strict=True):
        # a side that is not in the next level has place -1, and finds the False at the end
        ends = here & ~np.append(below, False)[place]
        used = np.flatnonzero(ends.any(axis=0))
        values = np.where(ends, level.values, np.float32(0))[:, used]
        mine = (level.target[used] == np.arange(len(residual))[:, None]).astype(np.float32)
        residual -= (mine * values[0]) @ level.members[used]
        residual -= (mine * (values[1] - values[0])) @ level.inside[used]
        side, node = np.nonzero(ends)
        turns = level.turns[node].astype(float)
        turns[np.arange(len(node)), (level.paths[node] >= 0).sum(axis=1) - 1] = 2 * side - 1
        leaves = Leaves(level.paths[node], turns, level.values[side, node].astype(float))
        found.append((level.target[node], leaves))
    return found


def _of_target(found: list[tuple[Ints, Leaves]], t: int, depth: int) -> Leaves:
    """All leaves of one target."""
    if not found:
        return Leaves(np.empty((0, depth), int), np.empty((0, depth)), np.empty(0))
    mine = np.concatenate([target for target, _ in found]) == t
    return Leaves(
        np.concatenate([leaves.features for _, leaves in found])[mine],
        np.concatenate([leaves.signs for _, leaves in found])[mine],
        np.concatenate([leaves.values for _, leaves in found])[mine],
    )
