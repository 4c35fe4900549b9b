"""A prior over all even interactions, and the exact indices of pairs of features that it implies.

The kernel prod_i (1 + r_i x_i y_i) on {-1, +1}^d gives each parity term T the prior variance
prod_{i in T} r_i, as in `OddKernel`; its even part is a cosh. The index of a pair {i, j} is a mean
over t in [0, 1] of the second derivative of the multilinear extension at (t, ..., t) (Owen,
Management Science 18, 1972): with equal weights the Shapley interaction index (Grabisch & Roubens,
International Journal of Game Theory 28, 1999), with weights 6 t (1 - t) the pairwise terms of
Faith-Shap (Tsai, Yeh & Ravikumar, JMLR 24, 2023).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import binom

from perturbx._typing import Floats, Ints

_MOST_NODES = 40
"""Rates are bounded, so the multilinear extension is smooth: 40 nodes are exact to rounding."""


@dataclass(frozen=True)
class PairIndex:
    """A linear index of pairs of features.

    Parameters
    ----------
    density : callable
        Four times the weight of s = 2 t - 1 in [-1, 1].
    of_term : callable
        What the parity term of a size (even) adds to the index of each pair of its members.
    weight : callable
        Of d and the number of other features present: the weight of a second difference.
    """

    density: Callable[[Floats], Floats]
    of_term: Callable[[Floats], Floats]
    weight: Callable[[int, Floats], Floats]

    def direct(self, x: Floats, i: Ints, j: Ints) -> Floats:
        """(n, pairs): what a unit of e at one pair of coalitions alone adds, by definition."""
        both, apart, neither = self._by_members(x)
        first = x[:, i] > 0
        alike = first == (x[:, j] > 0)
        return np.asarray(np.where(alike, np.where(first, both, neither), apart))

    def direct_totals(self, x: Floats) -> Floats:
        """(n, d): the sums of `direct` over the pairs of each feature."""
        both, apart, neither = self._by_members(x)
        d, size = x.shape[1], (x > 0).sum(axis=1, keepdims=True)
        # Weights of coalitions that do not exist are 0.
        inside = (size - 1) * both + (d - size) * apart
        return np.asarray(np.where(x > 0, inside, size * apart + (d - size - 1) * neither))

    def _by_members(self, x: Floats) -> list[Floats]:
        """(n, 1) each: `direct` with both, one and none of the features in the coalition."""
        d, size = x.shape[1], (x > 0).sum(axis=1, keepdims=True)
        found = []
        for inside in (2, 1, 0):
            others = size - inside
            exists = (others >= 0) & (others <= d - 2)
            sign = -2.0 if inside == 1 else 2.0
            weight = self.weight(d, np.clip(others, 0, d - 2).astype(float))
            found.append(np.where(exists, sign * weight, 0.0))
        return found


def _evenly(d: int, others: Floats) -> Floats:
    with np.errstate(over="ignore"):
        return np.asarray(1 / ((d - 1) * binom(d - 2, others)))


def _faithfully(d: int, others: Floats) -> Floats:
    return _evenly(d, others) * 6 * (others + 1) * (d - others - 1) / (d * (d + 1))


SHAPLEY = PairIndex(lambda s: 2 + 0 * s, lambda size: 4 / (size - 1), _evenly)
FAITH_SHAP = PairIndex(lambda s: 3 * (1 - s**2), lambda size: 12 / (size**2 - 1), _faithfully)


def total_of_term(size: Floats) -> Floats:
    """What a parity term adds to the sum of Faith-Shap's pairs of one member with the others."""
    return 12 / (size + 1)


@dataclass(frozen=True, eq=False)
class EvenKernel:
    """The even part of prod_i (1 + r_i x_i y_i) without its constant.

    Parameters
    ----------
    rates : (d,) array
        r_i in [0, 0.95]: how strongly each feature takes part in interactions.
    """

    rates: Floats

    def matrix(self, x: Floats) -> Floats:
        """(n, n): the covariance between the rows of x, which hold -1 and +1."""
        even = (x * np.arctanh(self.rates)) @ x.T
        np.cosh(even, out=even)  # in place: with thousands of pairs each copy is many megabytes
        even *= np.exp(0.5 * np.log1p(-(self.rates**2)).sum())
        even -= 1
        return np.asarray(even)

    def index(self, which: PairIndex, x: Floats, i: Ints, j: Ints) -> Floats:
        """(n, pairs): the indices of the features i, j of the function kernel(., x_n)."""
        nodes, weights = self._nodes
        product = self._products(x) * (weights * which.density(nodes))
        alone, against = self._without
        of_i, of_j = x[:, i], x[:, j]
        total = of_i * of_j * (product @ (alone[:, i] * alone[:, j]))
        total -= of_i * (product @ (alone[:, i] * against[:, j]))
        total -= of_j * (product @ (against[:, i] * alone[:, j]))
        total += product @ (against[:, i] * against[:, j])
        return np.asarray(self.rates[i] * self.rates[j] * total)

    def totals(self, x: Floats) -> Floats:
        """(n, d): the sum over j of Faith-Shap's pairs i, j of the function kernel(., x_n)."""
        nodes, weights = self._nodes
        product = self._products(x) * (weights * 6 * nodes)
        alone, against = self._without
        return np.asarray(self.rates * (x * (product @ alone) - product @ against))

    def index_variance(self, which: PairIndex) -> Floats:
        """(d, d): the prior variance of the index of each pair."""
        product, without = self._twice(which.density)
        return np.asarray(np.outer(self.rates, self.rates) * ((without.T * product) @ without))

    def total_variance(self) -> Floats:
        """(d,): the prior variance of `totals`."""
        product, without = self._twice(lambda s: 6 * s)
        return np.asarray(self.rates * (product @ without))

    @cached_property
    def _nodes(self) -> tuple[Floats, Floats]:
        d = len(self.rates)
        nodes, weights = np.polynomial.legendre.leggauss(min(d // 2 + 1, _MOST_NODES))
        return nodes, weights

    @cached_property
    def _without(self) -> tuple[Floats, Floats]:
        """(nodes, d) each: a and b, where 1 / (1 + s r_i x_i) is a - x_i b."""
        scaled = self._nodes[0][:, None] * self.rates
        return 1 / (1 - scaled**2), scaled / (1 - scaled**2)

    def _products(self, x: Floats) -> Floats:
        """(n, nodes): prod_i (1 + s r_i x_i)."""
        scaled = self._nodes[0][:, None] * self.rates
        return np.asarray(
            np.exp(x @ np.arctanh(scaled).T + 0.5 * np.log1p(-(scaled**2)).sum(axis=1))
        )

    def _twice(self, density: Callable[[Floats], Floats]) -> tuple[Floats, Floats]:
        """(nodes^2,) and (nodes^2, d): the weighted prod_i (1 + s t r_i), and 1 / (1 + s t r_i)."""
        nodes, weights = self._nodes
        mass = weights * density(nodes)
        scaled = np.outer(nodes, nodes).reshape(-1, 1) * self.rates
        product = np.outer(mass, mass).ravel() * np.exp(np.log1p(scaled).sum(axis=1))
        return product, 1 / (1 + scaled)
