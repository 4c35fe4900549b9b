"""A partial order as samplers see it: what its orders depend on, and its coalitions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints
from perturbx.designs import DownSets
from perturbx.errors import InvalidParameterError
from perturbx.features import FeatureOrder
from perturbx.samplers._down_sets import down_sets
from perturbx.samplers._linear_extensions import (
    MOST_DOWN_SETS,
    stages_of,
    takes_too_long,
    that_matter,
    two_readings,
)


@dataclass(frozen=True, eq=False)
class ConsistentOrders:
    """The orders of d features that are consistent with a partial order.

    A feature that receives no score still takes its place in an order: where it must join between
    two others, these are ordered by it.

    Parameters
    ----------
    before : (n, n) bool array
        The partial order of the features that matter.
    explained : (d,) int array
        The positions among them of the features that receive a score.
    """

    before: Coalitions
    explained: Ints

    @classmethod
    def of(cls, order: FeatureOrder) -> ConsistentOrders:
        explained = np.zeros(len(order.before), dtype=bool)
        explained[order.positions] = True
        kept = that_matter(order.before, explained)
        return cls(order.before[np.ix_(kept, kept)], np.flatnonzero(explained[kept]))

    @cached_property
    def stage(self) -> Ints:
        """(d,): features of a lower stage join before all those of a higher one."""
        stage = np.empty(len(self.before), dtype=np.intp)
        for number, members in enumerate(stages_of(self.before)):
            stage[members] = number
        return stage[self.explained]

    @cached_property
    def settled(self) -> NDArray[np.bool_]:
        """(d,): True for features whose two readings hold every order of their stage."""
        settled = np.zeros(len(self.before), dtype=bool)
        is_explained = np.isin(np.arange(len(self.before)), self.explained)
        for members in stages_of(self.before):
            settled[members] = len(members) <= 2 or is_explained[members].sum() == 1
        return settled[self.explained]

    @cached_property
    def every(self) -> DownSets | None:
        """Every coalition that can occur; None if there are very many."""
        lattice = down_sets(self.before, MOST_DOWN_SETS)
        if lattice is None:
            return None
        packed = np.packbits(~lattice.sets[:, self.explained], axis=1)
        _, first, number = np.unique(packed, axis=0, return_index=True, return_inverse=True)
        sets = lattice.sets[first][:, self.explained]
        by_size = sets.sum(axis=1).argsort(kind="stable")
        number = by_size.argsort()[number.ravel()]
        place = np.full(len(self.before), -1)
        place[self.explained] = np.arange(len(self.explained))
        scored = place[lattice.joins] >= 0
        ends = number[lattice.lower[scored]], number[lattice.upper[scored]]
        # Steps between the same two coalitions differ in features without a score alone.
        steps, first, same = np.unique(
            np.stack(ends), axis=1, return_index=True, return_inverse=True
        )
        likely: Floats = np.bincount(same.ravel(), lattice.probability[scored]).astype(np.float64)
        joins = place[lattice.joins[scored]][first]
        return DownSets(sets[by_size][1:-1], steps[0], steps[1], joins, likely)

    def draw(self, n_chains: int, rng: np.random.Generator) -> Ints:
        """(2, c, d): when each explained feature joins, in two orders of each chain."""
        both = two_readings(self.before, n_chains, rng)[:, :, self.explained]
        return both.argsort(axis=2).argsort(axis=2)

    def check(self) -> None:
        """Refuse orders that cannot be drawn in reasonable time."""
        if takes_too_long(self.before):
            raise InvalidParameterError(
                f"order= relates {len(self.before)} features in a way in which random orders take "
                "too long to draw: pass a list of levels, or make groups of features."
            )


@lru_cache(maxsize=16)
def consistent_orders(order: FeatureOrder) -> ConsistentOrders:
    """Of one order, computed once."""
    return ConsistentOrders.of(order)
