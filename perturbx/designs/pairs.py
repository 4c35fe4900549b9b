"""Complementary pairs of coalitions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import binom

from perturbx._typing import Coalitions, Floats, Ints
from perturbx.designs._base import CoalitionDesign, check_rows
from perturbx.designs.packed import PackedCoalitions, chosen


@dataclass(frozen=True, eq=False)
class Pairs(CoalitionDesign):
    """c pairs {S, complement of S}, the members of each next to each other.

    The pair of the empty and the full coalition is never part of it, as both are always known.

    Parameters
    ----------
    first : (c, d) bool array
        The first member of each pair; `PackedCoalitions` where it would take much memory.
    pair_weights : (c,) array
        The weight of each member of a pair. Those of one size are equal, and add up to the
        Shapley kernel's weight of that size.
    random : bool
        True if the pairs of each size were drawn at random, False if they were chosen by design.
        Standard errors depend on it.
    complete : bool
        True if it holds every pair.
    """

    drawn_by = "ShapleyCoalitions()"
    entry_bytes = 1 / 16
    drawing_bytes = 0.5

    first: Coalitions | PackedCoalitions
    pair_weights: Floats
    random: bool = True
    complete: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.first, PackedCoalitions):
            check_rows("Pairs", self.first, np.bool_, self.pair_weights)
            object.__setattr__(self, "first", PackedCoalitions.of(self.first))
        present = self.first.sum(axis=1)
        if ((present == 0) | (present == self.first.shape[1])).any():
            raise ValueError(
                "Pairs needs coalitions of some but not all features: got the pair of the empty "
                "and the full coalition, whose outputs are always known. Leave it out."
            )

    @staticmethod
    def worth_of_ends(n_features: int) -> float:
        """The variance of n pairs is noise * (2 / n + 2 / (d^2 r)) if ends are asked r times.

        So the pair of the ends is asked n / d times.
        """
        return 1 / (2 * n_features)

    def repeats(self, n: int) -> Ints:
        """Sizes of which all pairs are known are asked again, so that sizes stay equally frequent.

        That comes close to the best allocation (Neyman, Journal of the Royal Statistical Society
        97, 1934), since pairs of a size add to the variance by the square of their weight.
        """
        d, present = self.n_features, self.first.sum(axis=1)
        size = np.minimum(present, d - present)
        half = np.where(2 * np.arange(d // 2 + 1) == d, 0.5, 1.0)
        known = np.bincount(size, minlength=d // 2 + 1)
        is_known = (known > 0) & (known >= np.rint(binom(d, np.arange(d // 2 + 1)) * half))
        spare = n // 2 - len(size)
        added = np.zeros(len(known), dtype=np.intp)
        if spare > 0 and is_known.any():
            low, high = 0.0, 2.0 * n
            for _ in range(60):  # the frequency of a size at which all spare answers are spent
                level = (low + high) / 2
                added = np.where(is_known, np.maximum(np.floor(level * half) - known, 0), 0)
                low, high = (low, level) if added.sum() > spare else (level, high)
            added = np.where(is_known, np.maximum(np.floor(low * half) - known, 0), 0).astype(int)
        # The pairs of a size are in random order: the first ones take what is left over.
        place = np.zeros(len(size), dtype=np.intp)
        for of in np.flatnonzero(added):
            own = size == of
            place[own] = np.arange(own.sum())
        more, rest = np.divmod(added, np.maximum(known, 1))
        return np.repeat(1 + more[size] + (place < rest[size]), 2)

    def __len__(self) -> int:
        return 2 * len(self.first)

    def some(self, which: Ints) -> Pairs:
        """Some of the pairs, as if they had been drawn alone."""
        return Pairs(chosen(self.first, which), self.pair_weights[which])

    def tile(self, rows: slice) -> Coalitions:
        number = np.arange(*rows.indices(len(self)))
        return np.asarray(self.first[number // 2] ^ (number % 2 == 1)[:, None])

    @cached_property
    def weights(self) -> Floats:
        return np.repeat(self.pair_weights, 2)

    @cached_property
    def cluster(self) -> Ints:
        return np.repeat(np.arange(len(self.first)), 2)

    def odd(self, outputs: Floats) -> Floats:
        """(c, t): half the difference of the answers (m, t) to the members of each pair."""
        halved = outputs[0::2] - outputs[1::2]
        halved /= 2
        return np.asarray(halved)

    def even(self, outputs: Floats) -> Floats:
        """(c, t): the mean of the answers (m, t) to the members of each pair."""
        halved = outputs[0::2] + outputs[1::2]
        halved /= 2
        return np.asarray(halved)

    def doubt(self, variances: Floats) -> Floats:
        """(c, t): the variance of `odd`, and of `even`, from those of the answers (m, t)."""
        return np.asarray((variances[0::2] + variances[1::2]) / 4)
