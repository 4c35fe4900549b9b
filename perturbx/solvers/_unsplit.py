"""What was never split: how it is shared, and how far off that may be, by the splits that were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx.designs import Steps
from perturbx.features import FeatureTree

_FEWEST_SPLITS = 4
"""Fewer say nothing of their kind."""

_NEIGHBORS, _NEIGHBOR_SHARE = 10, 0.15
"""So many splits, or this part of them if that is more, speak for what added about as much."""

_LEAST_SHARE, _LARGEST_SHARE = -1.0, 2.0
"""Children of nodes that hardly add anything may seem to have any share of it; these are ends."""

Examples: TypeAlias = Mapping[tuple[int, int], tuple[tuple[int, ...], Floats]]
"""By tree and node: its children, and the share (c, t) of each in what the node adds."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What children got in the splits that were made; an entry for each split and child.

    Parameters
    ----------
    split : (e,) int array
        The step that was split.
    child : (e,) int array
        The child's node.
    part : (e,) array
        The child's part of the node's size.
    given : (e, t) array
        What the split gave to the child.
    """

    split: Ints
    child: Ints
    part: Floats
    given: Floats

    @classmethod
    def of(cls, steps: Steps, deltas: Floats) -> Seen:
        """Of all splits of a design."""
        below = np.flatnonzero(steps.parent >= 0)
        pairs = np.stack([steps.parent[below], steps.node[below]])
        (split, child), place = np.unique(pairs, axis=1, return_inverse=True)
        share = steps.weight[below] / steps.weight[steps.parent[below]]
        given = np.zeros((len(split), *deltas.shape[1:]))
        np.add.at(given, place.reshape(-1), deltas[below] * share[:, None])
        part = np.zeros(len(split))
        for r, tree in enumerate(steps.trees):
            own = steps.tree[split] == r
            whole = tree.node_sizes[steps.node[split[own]]]
            part[own] = tree.node_sizes[child[own]] / whole
        return cls(split, child, part, given)

    def beyond(self, deltas: Floats) -> Floats:
        """(e, t): what each child got beyond its part by size."""
        return np.asarray(self.given - self.part[:, None] * deltas[self.split])


def examples(steps: Steps, deltas: Floats) -> Examples:
    """How each node that was split in some context shares what it adds in others.

    Least squares of what a child got beyond its part by size, on what the node added, over the
    contexts in which it was split; the shares of a node's children add up to 1.
    """
    seen = Seen.of(steps, deltas)
    weighted = steps.weight[seen.split, None] * deltas[seen.split]
    product, square = weighted * seen.beyond(deltas), weighted * deltas[seen.split]
    keys = np.stack([steps.tree[seen.split], steps.node[seen.split], seen.child])
    (tree, node, child), first, place = np.unique(
        keys, axis=1, return_index=True, return_inverse=True
    )
    products, squares = (np.zeros((len(tree), *deltas.shape[1:])) for _ in "ps")
    np.add.at(products, place.reshape(-1), product)
    np.add.at(squares, place.reshape(-1), square)
    slopes = np.divide(products, squares, out=np.zeros_like(products), where=squares > 0)
    learned = {}
    starts = np.flatnonzero(np.diff(tree, prepend=-1) | np.diff(node, prepend=-1))
    for rows in np.split(np.arange(len(tree)), starts[1:]):
        if len(rows):
            children = tuple(child[rows].tolist())
            key = int(tree[rows[0]]), int(node[rows[0]])
            learned[key] = children, _within(seen.part[first[rows]], slopes[rows])
    return learned


def _within(part: Floats, slopes: Floats) -> Floats:
    """(c, t): shares by size and example, with the example weakened where one goes too far."""
    part = part[:, None]
    room = np.where(slopes > 0, _LARGEST_SHARE - part, part - _LEAST_SHARE)
    size = np.abs(slopes)
    most = np.divide(room, size, out=np.full_like(slopes, np.inf), where=size > 0)
    return np.asarray(part + np.minimum(most.min(axis=0), 1.0) * slopes)


def carry(tree: FeatureTree, number: int, mass: Floats, learned: Examples) -> None:
    """Hand the mass (n_nodes, t) of nodes with an example down to their children, in place."""
    for node in range(tree.root, tree.n_leaves - 1, -1):
        example = learned.get((number, node))
        if example is not None and mass[node].any():
            children, shares = example
            mass[list(children)] += shares * mass[node]
            mass[node] = 0.0


def deviations(steps: Steps, deltas: Floats) -> Floats | None:
    """(s, t): how far each step's parts would lie from their sizes; None where nobody knows.

    A split that shares delta among children of sizes p (adding up to 1) as phi has the squared
    deviation (phi - p * delta)**2 / (p * (1 - p)), the mean over its children. A step that was
    not split is given the mean of the splits whose |delta| is nearest to its own, by rank.
    """
    made = np.flatnonzero(~steps.is_open)
    if len(made) < _FEWEST_SPLITS:
        return None
    squares = _squares(steps, deltas, made)
    size = np.abs(deltas)
    out = np.empty_like(deltas)
    for target in range(deltas.shape[1]):
        known = size[made, target], squares[:, target]
        out[:, target] = np.sqrt(_of_nearest(*known, size[:, target]))
    return out


def _squares(steps: Steps, deltas: Floats, made: Ints) -> Floats:
    """(number made, t): the squared deviation of each split."""
    seen = Seen.of(steps, deltas)
    scale = (seen.part * (1 - seen.part))[:, None]
    total = np.zeros((len(steps), *deltas.shape[1:]))
    np.add.at(total, seen.split, seen.beyond(deltas) ** 2 / scale)
    count = np.bincount(seen.split, minlength=len(steps))
    return np.asarray(total[made] / count[made][:, None])


def _of_nearest(known: Floats, squares: Floats, asked: Floats) -> Floats:
    """The mean of the squares whose `known` is nearest by rank, for each of `asked`."""
    n = len(known)
    k = min(n, max(_NEIGHBORS, int(n * _NEIGHBOR_SHARE)))
    order = np.argsort(known, kind="stable")
    first = np.clip(np.searchsorted(known[order], asked) - k // 2, 0, n - k)
    sums = np.concatenate([[0.0], np.cumsum(squares[order])])
    return np.asarray((sums[first + k] - sums[first]) / k)
