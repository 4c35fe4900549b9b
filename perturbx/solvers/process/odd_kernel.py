"""A prior over all odd interactions of three features or more, and its exact Shapley values.

The kernel prod_i (1 + r_i x_i y_i) on {-1, +1}^d gives each parity term T the prior variance
prod_{i in T} r_i. Since x_i y_i is -1 or +1, the product is exp(sum_i atanh(r_i) x_i y_i) times
prod_i sqrt(1 - r_i^2): one matrix product. Its odd part is a sinh, and without the linear terms
what is left are the interactions that Shapley values of a pairwise regression get wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._typing import Floats

_MOST_NODES = 40
"""Rates are bounded, so the multilinear extension is smooth: 40 nodes are exact to rounding."""

_LARGEST_RATE = 0.95
_LARGEST_NORM = 3.0
"""Beyond a norm of about 3 the prior expects orders that no design of ours can resolve."""


def bounded(rates: Floats) -> Floats:
    """Rates within what the kernel can use: each below 0.95, all of them together of norm 3."""
    norm = float(np.linalg.norm(rates))
    return np.asarray(
        np.minimum(rates * min(1.0, _LARGEST_NORM / max(norm, 1e-300)), _LARGEST_RATE)
    )


@dataclass(frozen=True, eq=False)
class OddKernel:
    """The odd part of prod_i (1 + r_i x_i y_i) without its linear terms.

    Parameters
    ----------
    rates : (d,) array
        r_i in [0, 0.95]: how strongly each feature takes part in interactions.
    """

    rates: Floats

    def matrix(self, x: Floats, others: Floats | None = None) -> Floats:
        """(n, k): the covariance between rows of -1 and +1, of x and of others (by default x)."""
        others = x if others is None else others
        scale = np.exp(0.5 * np.log1p(-(self.rates**2)).sum())
        odd = (x * np.arctanh(self.rates)) @ others.T
        np.sinh(odd, out=odd)  # in place: with thousands of pairs each copy is many megabytes
        odd *= scale
        odd -= (x * self.rates) @ others.T
        return np.asarray(odd)

    def shapley(self, x: Floats) -> Floats:
        """(n, d): the Shapley values of the function kernel(., x_n), for each row of x.

        phi_i is the integral over t in [0, 1] of the derivative of the multilinear extension
        (Owen, Management Science 18, 1972), here a polynomial in t: by Gauss-Legendre on
        [-1, 1], where the even orders cancel by themselves.
        """
        nodes, weights = self._nodes()
        scaled = nodes[:, None] * self.rates
        slack = 1 - scaled**2
        log_product = x @ np.arctanh(scaled).T + 0.5 * np.log(slack).sum(axis=1)
        product = np.exp(log_product) * weights
        derivative = x * (product @ (1 / slack)) - product @ (scaled / slack)
        return np.asarray(self.rates * (derivative - 2 * x))

    def shapley_variance(self) -> Floats:
        """(d,): the prior variance of each Shapley value, 4 r_i sum_k e_{k-1}(r without i) / k^2.

        k runs over the odd orders from 3 on, e are the elementary symmetric polynomials, and
        1 / k^2 is the integral of (s t)^(k-1) over the unit square.
        """
        nodes, weights = np.polynomial.legendre.leggauss(_MOST_NODES)
        nodes, weights = (nodes + 1) / 2, weights / 2
        scaled = np.outer(nodes, nodes).reshape(-1, 1) * self.rates
        mass = np.outer(weights, weights).ravel()
        plus = np.exp(np.log1p(scaled).sum(axis=1))[:, None] / (1 + scaled)
        minus = np.exp(np.log1p(-scaled).sum(axis=1))[:, None] / (1 - scaled)
        return np.asarray(4 * self.rates * (mass @ (0.5 * (plus + minus) - 1)))

    def _nodes(self) -> tuple[Floats, Floats]:
        d = len(self.rates)
        nodes, weights = np.polynomial.legendre.leggauss(min(d // 2 + 1, _MOST_NODES))
        return nodes, weights
