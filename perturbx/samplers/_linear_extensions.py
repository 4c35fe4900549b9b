"""Orders that are consistent with a partial order, uniformly at random and in pairs.

A partial order is taken apart: into stages of which each comes after the one before it, and into
parts that are independent of each other, until neither is possible. Orders of stages are put one
after another, those of independent parts are shuffled, and both keep uniform orders uniform. What
is left is drawn along its down-sets, whose orders are counted. If these are too many, it is a
Markov chain of exchanges of neighbors that mixes in a known time (Bubley & Dyer, "Faster random
generation of linear extensions", Discrete Mathematics 201, 1999).

Each order has a second one: independent parts are shuffled in reverse, and what cannot be taken
apart undergoes Schützenberger's evacuation, a bijection of the consistent orders ("Promotion des
morphismes d'ensembles ordonnés", Discrete Mathematics 2, 1972) that reverses an order without
constraints. So the second order is uniform too, and reversed as far as the constraints allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Ints
from perturbx.samplers._down_sets import down_sets

MOST_DOWN_SETS = 2**16
"""More down-sets than this are not counted."""

_DISTANCE = 1e-3
"""The total variation distance from uniform that the Markov chain may have."""

_MOST_EXCHANGES = 2e7
"""More exchanges than this take minutes."""

_BLOCK = 2**16
"""The exchanges of the Markov chain that are planned together."""


def two_readings(before: Coalitions, c: int, rng: np.random.Generator) -> Ints:
    """(2, c, d): when each feature joins in c random orders, and in the reading back of each."""
    d = len(before)
    if d == 1:
        return np.zeros((2, c, 1), dtype=np.intp)
    both, start = np.empty((2, c, d), dtype=np.intp), 0
    stages = stages_of(before)
    if len(stages) > 1:
        for stage in stages:
            both[:, :, stage] = start + two_readings(_within(before, stage), c, rng)
            start += len(stage)
        return both
    parts = parts_of(before)
    if len(parts) == 1:
        return _of_prime(before, c, rng)
    owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    owner = rng.permuted(np.tile(owner, (c, 1)), axis=1)
    places = np.stack([owner, owner[:, ::-1]]).argsort(axis=2, kind="stable")
    for part in parts:
        own = places[:, :, start : start + len(part)]
        both[:, :, part] = np.take_along_axis(
            own, two_readings(_within(before, part), c, rng), axis=2
        )
        start += len(part)
    return both


def stages_of(before: Coalitions) -> list[Ints]:
    """The smallest sets of features of which each comes as a whole after the one before it."""
    stages = _connected(~(before | before.T))
    return sorted(stages, key=lambda stage: int(before[:, stage[0]].sum()))


def parts_of(before: Coalitions) -> list[Ints]:
    """The smallest sets of features of which no one says anything about another."""
    return _connected(before | before.T)


def that_matter(before: Coalitions, explained: NDArray[np.bool_]) -> Ints:
    """The features on which the orders of the explained ones depend; these are among them.

    Stages and parts without explained features do not matter. Parts that are shuffled with others
    remain as a whole, since a larger part spreads the features of another.
    """
    pieces = stages_of(before)
    if len(pieces) == 1:
        pieces = [part for part in parts_of(before) if explained[part].any()]
        if len(pieces) > 1 or len(pieces[0]) == len(before):
            return np.sort(np.concatenate(pieces))
    pieces = [piece for piece in pieces if explained[piece].any()]
    kept = [piece[that_matter(_within(before, piece), explained[piece])] for piece in pieces]
    return np.sort(np.concatenate(kept))


def takes_too_long(before: Coalitions) -> bool:
    """Whether orders cannot be drawn in reasonable time."""
    if _mixing_time(len(before)) <= _MOST_EXCHANGES:
        return False
    for pieces in (stages_of(before), parts_of(before)):
        if len(pieces) > 1:
            return any(takes_too_long(_within(before, piece)) for piece in pieces)
    return down_sets(before, MOST_DOWN_SETS) is None


def _within(before: Coalitions, members: Ints) -> Coalitions:
    return before[np.ix_(members, members)]


def _connected(related: Coalitions) -> list[Ints]:
    """The connected components of a symmetric relation."""
    components, left = [], np.ones(len(related), dtype=bool)
    while left.any():
        members = np.arange(len(related)) == left.argmax()
        size = 0
        while size < members.sum():
            size = members.sum()
            members = members | related[members].any(axis=0)
        components.append(np.flatnonzero(members))
        left &= ~members
    return components


def _of_prime(before: Coalitions, c: int, rng: np.random.Generator) -> Ints:
    """Orders of what can be taken apart no further, and their evacuations."""
    d, lattice = len(before), down_sets(before, MOST_DOWN_SETS)
    order = np.empty((d, c), dtype=np.intp)
    if lattice is None:
        order = _mixed(before, c, rng)
    else:
        at, cumulated = np.zeros(c, dtype=np.intp), np.cumsum(lattice.probability)
        ends = np.searchsorted(lattice.lower, np.arange(len(lattice.sets)), side="right")
        starts = np.concatenate([[0], ends[:-1]])
        edges = np.concatenate([[0.0], cumulated])
        for place in range(d):
            low, high = edges[starts[at]], edges[ends[at]]
            step = np.searchsorted(cumulated, low + rng.random(c) * (high - low), side="right")
            step = np.clip(step, starts[at], ends[at] - 1)
            order[place], at = lattice.joins[step], lattice.upper[step]
    return np.stack([order.T, _evacuated(before, order).T]).argsort(axis=2)


def _evacuated(before: Coalitions, order: Ints) -> Ints:
    """Orders (d, c) of features, each a column, after Schützenberger's evacuation."""
    order = order.copy()
    for length in range(len(before) - 1, 0, -1):
        for place in range(length):
            _exchange(before, order, np.array([place]), True)
    return order


def _mixing_time(d: int) -> int:
    """Exchanges after which two coupled orders are the same, but for the given distance.

    An exchange at place p of 1..d-1 has a probability proportional to p (d - p). Coupled orders
    then come closer by a factor of 1 - 6 / (d^3 - d) at each exchange, from d^2 / 4 at most.
    """
    return int(np.ceil((d**3 - d) / 6 * np.log(d**2 / 4 / _DISTANCE)))


def _mixed(before: Coalitions, c: int, rng: np.random.Generator) -> Ints:
    """(d, c): orders after so many random exchanges that they are as good as uniform.

    The places are the same for all orders and the exchanges are not, so that the orders are
    independent of each other given the places, and each is uniform whatever the places.
    """
    d = len(before)
    order = np.tile(before.sum(axis=0).argsort(kind="stable")[:, None], (1, c))
    weights = np.arange(1, d) * np.arange(d - 1, 0, -1)
    to_come = _mixing_time(d)
    while to_come > 0:
        places = rng.choice(d - 1, size=min(_BLOCK, to_come), p=weights / weights.sum())
        for apart in _layers(places.tolist(), d):
            wanted = rng.integers(2, size=(len(apart), c), dtype=np.bool_)
            _exchange(before, order, np.array(apart), wanted)
        to_come -= len(places)
    return order


def _layers(places: Sequence[int], d: int) -> list[list[int]]:
    """The exchanges in few layers: those of a layer are apart, and neighbors keep their order."""
    layers: list[list[int]] = []
    latest = [-1] * (d + 1)  # of the exchanges at each place, shifted by one
    for place in places:
        layer = max(latest[place], latest[place + 1], latest[place + 2]) + 1
        latest[place + 1] = layer
        if layer == len(layers):
            layers.append([])
        layers[layer].append(place)
    return layers


def _exchange(before: Coalitions, order: Ints, places: Ints, wanted: Any) -> None:
    """Exchange the features at each place and the next, in the orders that allow it."""
    first, second = order[places], order[places + 1]
    swaps = wanted & ~before.ravel().take(first * len(before) + second)
    order[places] = np.where(swaps, second, first)
    order[places + 1] = np.where(swaps, first, second)
