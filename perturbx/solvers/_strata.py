"""Pairs of coalitions as a stratified sample, and the variance of what is added up from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import binom

from perturbx._typing import Coalitions, Floats, Ints


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

    @property
    def drawn(self) -> Ints:
        """(c,): how many pairs have each pair's size."""
        return np.asarray(np.bincount(self.size)[self.size])

    @property
    def half(self) -> Floats:
        """(c,): a half where both members have one size, so that pairs are half as many."""
        return np.where(2 * self.size == self.d, 0.5, 1.0)

    def covariance(self, one: Floats, r: Floats, two: Floats, s: Floats) -> Floats:
        """(p, t): of sum(one r) and sum(two s) over the sample, for p scores and t targets.

        What each pair adds is its influence (c, p) times its residual (c, t). Sums over strata
        of the covariance within, corrected for the share of the stratum that was not drawn.
        """
        total = np.zeros((one.shape[1], r.shape[1]))
        for stratum in np.unique(self.size):
            members = self.size == stratum
            n_drawn = int(members.sum())
            unseen = 1 - n_drawn / (binom(self.d, stratum) * self.half[members][0])
            if unseen <= 0:
                continue
            a, b, x, y = one[members], two[members], r[members], s[members]
            products = (a * b).T @ (x * y)
            if n_drawn >= 3:  # the mean of fewer is too uncertain to take off
                products -= (a.T @ x) * (b.T @ y) / n_drawn
                products *= n_drawn / (n_drawn - 1)
            total += unseen * products
        return total
