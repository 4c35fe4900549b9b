"""Pairs of coalitions as a stratified sample, and the variance of sums over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import binom

from perturbx._typing import Coalitions, Floats, Ints

_MOST_NUMBERS = 2**18


@dataclass(frozen=True, eq=False)
class Strata:
    """c pairs of d features, drawn without replacement among those of their size.

    ``size`` (c,) is that of the smaller member. Size 0 is the pair of the empty and the full
    coalition.
    """

    size: Ints
    d: int

    @classmethod
    def of(cls, coalitions: Coalitions) -> Strata:
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

    def variance(self, *sums: tuple[Callable[[Ints], Floats], Floats]) -> Floats:
        """(p, t): of the sum over the sample of influence * residual, for p scores.

        Each of `sums`, which are added, is a function that gives the influence (b, p) of some
        pairs, and residuals (c, t). The variance is that of stratified sampling without
        replacement.
        """
        influence, residual = sums[0]
        total = np.zeros((influence(np.arange(0)).shape[1], residual.shape[1]))
        for size in np.unique(self.size[self.unseen > 0]):
            members = np.flatnonzero(self.size == size)
            n_drawn = len(members)
            squares, added = np.zeros_like(total), np.zeros_like(total)
            for part in blocks(members, self.d):
                terms = [(influence(part), residual[part]) for influence, residual in sums]
                squares += sum((a * b).T @ (r * s) for a, r in terms for b, s in terms)
                added += sum(a.T @ r for a, r in terms)
            if n_drawn >= 3:  # the mean of fewer is too uncertain to subtract
                squares -= added**2 / n_drawn
                squares *= n_drawn / (n_drawn - 1)
            total += self.unseen[members[0]] * squares
        return total


def blocks(pairs: Ints, d: int) -> Iterator[Ints]:
    """Pairs in blocks, so that arrays of a number for each feature take little memory."""
    step = max(1, _MOST_NUMBERS // d)
    yield from (pairs[start : start + step] for start in range(0, len(pairs), step))
