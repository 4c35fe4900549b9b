"""Random orders in which features join, each read forwards and backwards."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from perturbx._typing import Coalitions, Ints, Orders
from perturbx.designs._base import CoalitionDesign


@dataclass(frozen=True, eq=False)
class AntitheticChains(CoalitionDesign):
    """c antithetic chains: features join one by one in an order, then in its reverse.

    A chain is 2 * (d - 1) coalitions, of which row j holds the first j + 1 features of the order,
    and row d - 1 + j those of the reversed order. Only the orders are stored.

    Parameters
    ----------
    place : (c, d) int array
        When each feature joins: 0 for the first one of the order, d - 1 for the last one.
    """

    place: Orders

    def __len__(self) -> int:
        return len(self.place) * self.length

    @cached_property
    def n_features(self) -> int:
        return int(self.place.shape[1])

    @property
    def length(self) -> int:
        """The number of coalitions of a chain."""
        return 2 * (self.n_features - 1)

    def tile(self, rows: slice) -> Coalitions:
        number, last = np.arange(len(self))[rows], self.n_features - 1
        place = self.place[number // max(self.length, 1)]
        within = number % max(self.length, 1)
        place = np.where((within >= last)[:, None], last - place, place)
        return np.asarray(place <= (within % max(last, 1))[:, None])

    @cached_property
    def cluster(self) -> Ints:
        return np.repeat(np.arange(len(self.place)), self.length)


@dataclass(frozen=True, eq=False)
class Chains(AntitheticChains):
    """Chains behind which all background rows are averaged."""

    drawn_by: ClassVar[str] = "Permutations()"


@dataclass(frozen=True, eq=False)
class BackgroundChains(AntitheticChains):
    """Chains that each run along one background row.

    One feature has no coalition but the empty and the full one: its design is complete.

    Parameters
    ----------
    row : (c,) int array
        The background row of each chain.
    """

    drawn_by: ClassVar[str] = "BackgroundPermutations(n_rows)"

    row: Ints

    @cached_property
    def background_row(self) -> Ints:
        return np.repeat(self.row, self.length)

    @cached_property
    def complete(self) -> bool:
        return self.n_features == 1
