"""Pairs of coalitions as a stratified sample, and the variance of sums over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import binom

from perturbx._typing import Coalitions, Floats, Ints
from perturbx.designs import PackedCoalitions

MOST_NUMBERS = 2**18
"""Of a block of pairs."""

_FEWEST_PAIRS = 256
"""A block is this large at least: products of thinner matrices wait for memory."""


@dataclass(frozen=True, eq=False)
class Strata:
    """c pairs of d features, drawn without replacement among those of their size.

    ``size`` (c,) is that of the smaller member. Size 0 is the pair of the empty and the full
    coalition.
    """

    size: Ints
    d: int

    @classmethod
    def of(cls, coalitions: Coalitions | PackedCoalitions) -> Strata:
        present = coalitions.sum(axis=1)
        d = coalitions.shape[1]
        return cls(np.minimum(present, d - present), d)

    @cached_property
    def drawn(self) -> Ints:
        """(c,): the number of pairs of each pair's size."""
        return np.asarray(np.bincount(self.size)[self.size])

    @cached_property
    def half(self) -> Floats:
        """(c,): 0.5 where both members have the same size, which makes pairs half as many."""
        return np.where(2 * self.size == self.d, 0.5, 1.0)

    @cached_property
    def unseen(self) -> Floats:
        """(c,): the fraction of all pairs of each pair's size that was not drawn."""
        every = binom(self.d, self.size) * self.half
        return np.asarray(np.maximum(1 - self.drawn / every, 0.0))

    def variance(
        self, *sums: Callable[[Ints], tuple[Floats, Floats]], width: int | None = None
    ) -> Floats:
        """(p, t): of the sum over the sample of influence * residual, for p scores.

        Each of `sums`, which are added, is a function that gives the influence (b, p) of some
        pairs and their residuals (b, t). It is called once for each pair, except those of a size
        that was drawn completely. The variance is that of stratified sampling without replacement.
        `width` is how many numbers a pair takes while they are made, d by default.
        """
        influence, residual = sums[0](np.arange(0))
        total = np.zeros((influence.shape[1], residual.shape[1]))
        for pair, squares, added in self._by_size(sums, width or self.d):
            n_drawn = self.drawn[pair]
            if n_drawn >= 3:  # the mean of fewer is too uncertain to subtract
                squares = (squares - added**2 / n_drawn) * (n_drawn / (n_drawn - 1))
            total += self.unseen[pair] * squares
        return total

    def _by_size(
        self, sums: Sequence[Callable[[Ints], tuple[Floats, Floats]]], width: int
    ) -> Iterator[tuple[int, Floats, Floats]]:
        """For each size: a pair of it, and what all of them add up to, squared and not.

        There are few pairs of each size where features are many, so a block holds several sizes.
        """
        is_open = np.flatnonzero(self.unseen > 0)
        last, squares, added = -1, np.zeros(()), np.zeros(())
        for part in blocks(is_open[np.argsort(self.size[is_open], kind="stable")], width):
            terms = [of(part) for of in sums]
            ends = np.flatnonzero(np.diff(self.size[part])) + 1
            for rows in np.split(np.arange(len(part)), ends):
                pair = int(part[rows[0]])
                if last >= 0 and self.size[pair] != self.size[last]:
                    yield last, squares, added
                    squares, added = np.zeros(()), np.zeros(())
                own = [(influence[rows], residual[rows]) for influence, residual in terms]
                squares = squares + sum((a * b).T @ (r * s) for a, r in own for b, s in own)
                added = added + sum(a.T @ r for a, r in own)
                last = pair
        if last >= 0:
            yield last, squares, added


def slices(m: int, d: int) -> Iterator[slice]:
    """All of m rows in blocks, as `blocks` has some of them."""
    step = max(_FEWEST_PAIRS, MOST_NUMBERS // max(d, 1))
    yield from (slice(start, start + step) for start in range(0, m, step))


def blocks(pairs: Ints, d: int) -> Iterator[Ints]:
    """Pairs in blocks, so that arrays of d numbers for each pair take little memory."""
    step = max(_FEWEST_PAIRS, MOST_NUMBERS // d)
    yield from (pairs[start : start + step] for start in range(0, len(pairs), step))
