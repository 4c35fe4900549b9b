"""Random orders in which features join, each read forwards and backwards."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from perturbx._typing import Coalitions, Floats, Ints, Orders, Outputs
from perturbx.designs._base import CoalitionDesign


@dataclass(frozen=True, eq=False)
class AntitheticChains(CoalitionDesign):
    """c antithetic chains: features join one by one in an order, then in its reverse.

    A chain has 2 * (d - 1) coalitions: row j holds the first j + 1 features of the order, and row
    d - 1 + j those of the reversed order. Only the orders are stored.

    Parameters
    ----------
    place : (c, d) int array
        When each feature joins: 0 for the first one of the order, d - 1 for the last one.
    """

    compact = True

    place: Orders

    def __len__(self) -> int:
        return len(self.place) * self.length

    @cached_property
    def n_features(self) -> int:
        return int(self.place.shape[1])

    @cached_property
    def length(self) -> int:
        """The number of coalitions of a chain."""
        return 2 * (self.n_features - 1)

    def tile(self, rows: slice) -> Coalitions:
        number, last = np.arange(*rows.indices(len(self))), self.n_features - 1
        place = self.place[number // max(self.length, 1)]
        within = number % max(self.length, 1)
        place = np.where((within >= last)[:, None], last - place, place)
        return np.asarray(place <= (within % max(last, 1))[:, None])

    @cached_property
    def cluster(self) -> Ints:
        return np.repeat(np.arange(len(self.place)), self.length)

    def contributions(self, outputs: Floats, empty: Floats, full: Floats) -> Outputs:
        """(c, 2, d, t): what each feature adds when it joins, forwards and backwards.

        `outputs` (m, t) answer the design, `empty` (t,) or (c, t) what each chain begins with, and
        `full` (t,) what it ends with.
        """
        c, d = self.place.shape
        along = np.empty((c, 2, d + 1, outputs.shape[1]))
        along[:, :, 0] = empty[..., None, :]
        along[:, :, 1:-1] = outputs.reshape(c, 2, d - 1, -1)
        along[:, :, -1] = full
        place = np.stack([self.place, d - 1 - self.place], axis=1)
        return np.take_along_axis(np.diff(along, axis=2), place[..., None], axis=2)


@dataclass(frozen=True, eq=False)
class Chains(AntitheticChains):
    """Chains whose outputs are averaged over all background rows."""

    drawn_by = "Permutations()"


@dataclass(frozen=True, eq=False)
class BackgroundChains(AntitheticChains):
    """Chains that each use one background row.

    Parameters
    ----------
    row : (c,) int array
        The background row of each chain.
    complete : bool
        True for one feature, which has no coalition except the empty and the full one.
    """

    drawn_by = "BackgroundPermutations(n_background)"
    per_background_row = True

    row: Ints
    complete: bool = False

    @cached_property
    def background_row(self) -> Ints:  # type: ignore[override]
        return np.repeat(self.row, self.length)
