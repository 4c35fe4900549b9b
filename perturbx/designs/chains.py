"""Random orders in which features join, each with a second one that mirrors it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints, Orders, Outputs
from perturbx.designs._base import CoalitionDesign

_MOST_OUTPUTS = 2**18
"""A piece of a design has no more outputs than this, unless it is a single chain."""


C = TypeVar("C", bound="AntitheticChains")


@dataclass(frozen=True, eq=False)
class AntitheticChains(CoalitionDesign):
    """c antithetic chains: features join one by one in an order, then in a second one.

    A chain has 2 * (d - 1) coalitions: row j holds the first j + 1 features of the order, and row
    d - 1 + j those of the second order. Only orders are stored.

    Parameters
    ----------
    place : (c, d) int array
        When each feature joins: 0 for the first one of the order, d - 1 for the last one.
    """

    compact = True
    of_chains: ClassVar[tuple[str, ...]] = ("place",)
    """The fields that have an entry for each chain."""

    place: Orders

    @staticmethod
    def piece_length(n_features: int, each: int) -> int:
        """How many chains of so many features are in a piece."""
        return max(1, _MOST_OUTPUTS // (2 * max(n_features - 1, 1) * each))

    def part(self: C, chains: slice) -> C:
        """Some of the chains."""
        return replace(self, **{name: getattr(self, name)[chains] for name in self.of_chains})

    def pieces(self, each: int, start: int = 0) -> Iterator[slice]:
        """Slices of the chains from `start` on, for pieces of few outputs.

        There are `each` outputs of a perturbation.
        """
        step = self.piece_length(self.n_features, each)
        for first in range(start, len(self.place), step):
            yield slice(first, min(first + step, len(self.place)))

    @staticmethod
    def worth_of_ends(n_features: int) -> float:
        """The variance of c chains is noise * (1 / c + 2 / (d^2 r)) if ends are asked r times."""
        return float(np.sqrt(2 / n_features) / (2 * max(n_features - 1, 1)))

    @abstractmethod
    def second(self, chains: slice) -> Orders:
        """When each feature joins in the second order of some chains."""

    @property
    def blocks(self) -> tuple[Ints, ...]:
        """Blocks of features whose places vary together: one of all, if any order may occur.

        Features of which one chain holds everything that they can add are in no block.
        """
        return (np.arange(self.n_features),)

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
        number, last = range(len(self))[rows], self.n_features - 1
        if not number:
            return np.zeros((0, self.n_features), dtype=bool)
        start, end = sorted((number[0], number[-1]))
        z = np.empty((end + 1 - start, self.n_features), dtype=bool)
        filled = 0
        for halves, joined in _pieces(start, end + 1, last):
            place = self._places(halves)[:, None]
            here = slice(filled, filled + len(place) * len(joined))
            # A comparison with one number a row costs less than to gather the row's places.
            np.less_equal(
                place,
                np.array(joined, dtype=place.dtype)[:, None],
                out=z[here].reshape(len(place), len(joined), -1),
            )
            filled = here.stop
        return z[:: number.step]

    def _places(self, halves: range) -> Orders:
        """When each feature joins, in some of the halves: each order, and then the second one."""
        first = halves.start // 2
        chains = slice(first, -(-halves.stop // 2))
        both = np.stack([self.place[chains], self.second(chains)], axis=1)
        return both.reshape(-1, self.n_features)[halves.start - 2 * first :][: len(halves)]

    @cached_property
    def cluster(self) -> Ints:
        return np.repeat(np.arange(len(self.place)), self.length)

    def contributions(self, outputs: Floats, empty: Floats, full: Floats) -> Outputs:
        """(c, 2, d, t): what each feature adds when it joins, in the two orders of each chain.

        `outputs` (m, t) answer the design, `empty` (t,) or (c, t) what each chain begins with, and
        `full` (t,) what it ends with.
        """
        (c, d), t = self.place.shape, outputs.shape[1]
        along, steps = outputs.reshape(c, 2, d - 1, t), np.empty((c, 2, d, t))
        np.subtract(along[:, :, 0], empty[..., None, :], out=steps[:, :, 0])
        np.subtract(along[:, :, 1:], along[:, :, :-1], out=steps[:, :, 1:-1])
        np.subtract(full, along[:, :, -1], out=steps[:, :, -1])
        place = np.stack([self.place, self.second(slice(None))], axis=1)
        at = place + d * np.arange(2 * c).reshape(c, 2, 1)
        return np.asarray(np.take(steps.reshape(-1, t), at, axis=0))

    @property
    def ends(self) -> Ints:
        """(2, c, d): in how many of a chain's two orders each feature is the first, or the last."""
        both = np.stack([self.place, self.second(slice(None))])
        return np.asarray([(both == end).sum(axis=0) for end in (0, self.n_features - 1)])

    def doubts(self, variances: Floats) -> Outputs:
        """(c, 2, d, t): the variance of each contribution, the empty and the full output known.

        `variances` (m, t) are those of the answers to the design.
        """
        (c, d), t = self.place.shape, variances.shape[1]
        # With alternating signs differences become sums, up to a sign.
        sign = (-1.0) ** np.arange(d - 1)[:, None]
        signed = (variances.reshape(c, 2, d - 1, t) * sign).reshape(-1, t)
        return np.abs(self.contributions(signed, np.zeros(t), np.zeros(t)))


def _pieces(start: int, stop: int, length: int) -> Iterator[tuple[range, range]]:
    """Rows `start` to `stop` as halves of chains, whole but for the first and the last."""
    half, low = divmod(start, length)
    if low:
        high = min(length, low + stop - start)
        yield range(half, half + 1), range(low, high)
        start, half = start + high - low, half + 1
    whole, rest = divmod(stop - start, length)
    if whole:
        yield range(half, half + whole), range(length)
    if rest:
        yield range(half + whole, half + whole + 1), range(rest)


@dataclass(frozen=True, eq=False)
class Chains(AntitheticChains):
    """Chains in any order, then in its reverse; outputs are averaged over all background rows."""

    drawn_by = "Permutations()"

    def second(self, chains: slice) -> Orders:
        return self.n_features - 1 - self.place[chains]


@dataclass(frozen=True, eq=False)
class BackgroundChains(AntitheticChains):
    """Chains in any order, then in its reverse, that each use one background row.

    Parameters
    ----------
    row : (c,) int array
        The background row of each chain.
    complete : bool
        True for one feature, which has no coalition except the empty and the full one.
    """

    drawn_by = "BackgroundPermutations(n_background)"
    per_background_row = True
    of_chains = ("place", "row")

    row: Ints
    complete: bool = False

    def second(self, chains: slice) -> Orders:
        return self.n_features - 1 - self.place[chains]

    @cached_property
    def background_row(self) -> Ints:  # type: ignore[override]
        return np.repeat(self.row, self.length)


@dataclass(frozen=True, eq=False)
class ConsistentChains(AntitheticChains):
    """Chains along orders that are consistent with a partial order.

    Parameters
    ----------
    again : (c, d) int array
        When each feature joins in the second order of each chain: also a consistent order, and
        mirrored as far as the partial order allows.
    stage : (d,) int array
        Features of a lower stage join before all those of a higher one.
    settled : (d,) bool array
        True where one chain holds everything that a feature can add, such as a feature that joins
        at the same place in every order.
    """

    drawn_by = "Permutations(order)"
    of_chains: ClassVar[tuple[str, ...]] = ("place", "again")

    again: Orders
    stage: Ints
    settled: NDArray[np.bool_]

    def second(self, chains: slice) -> Orders:
        return self.again[chains]

    @property
    def blocks(self) -> tuple[Ints, ...]:
        varies = ~self.settled
        stages = np.unique(self.stage[varies])
        return tuple(np.flatnonzero(varies & (self.stage == stage)) for stage in stages)


@dataclass(frozen=True, eq=False)
class ConsistentBackgroundChains(ConsistentChains):
    """Chains along consistent orders that each use one background row.

    Parameters
    ----------
    row : (c,) int array
        The background row of each chain.
    complete : bool
        True for one feature.
    """

    drawn_by = "BackgroundPermutations(n_background, order)"
    per_background_row = True
    of_chains = ("place", "again", "row")

    row: Ints
    complete: bool = False

    @cached_property
    def background_row(self) -> Ints:  # type: ignore[override]
        return np.repeat(self.row, self.length)
