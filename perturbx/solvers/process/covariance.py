"""Prior covariances of the odd part of a game, blended from three sources."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx.solvers.process.odd_kernel import OddKernel
from perturbx.solvers.process.parity import ParityTerms


@dataclass(frozen=True, eq=False)
class Covariance:
    """(1 - share) * (linear * K_linear + (1 - linear) * K_product) + share * K_terms.

    Each part has variance 1. K_product is the `OddKernel`; K_terms gives the parity term T of
    coefficient c_T the prior variance |c_T|^(2 power), as a share of their sum; K_linear is a
    common prior on the linear part, for designs too small to leave it free.

    Parameters
    ----------
    kernel : OddKernel
        Over all odd interactions of three features or more.
    terms : ParityTerms or None
        What boosted trees found, with `share` and `power`.
    """

    kernel: OddKernel
    terms: ParityTerms | None = None
    share: float = 0.0
    power: float = 1.0
    linear: float = 0.0

    def matrix(self, x: Floats, others: Floats | None = None) -> Floats:
        """(n, k): the covariance between rows of -1 and +1, of x and of others (by default x)."""
        _, of_linear, of_product, of_terms = self._weights
        columns = x if others is None else others
        total = np.zeros((len(x), len(columns)))
        if of_product > 0:
            total = self.kernel.matrix(x, others)
            total *= of_product
        if of_linear > 0:
            total += (of_linear * x) @ columns.T
        if self.terms is not None and self.share > 0:
            parity = self.terms.evaluate(x)
            of_columns = parity if others is None else self.terms.evaluate(columns)
            total += (parity * of_terms) @ of_columns.T
        return total

    def shapley(self, x: Floats) -> Floats:
        """(n, d): the Shapley values of the function covariance(., x_n), for each row of x."""
        _, of_linear, of_product, of_terms = self._weights
        total = 2 * of_linear * x
        if of_product > 0:
            total = total + of_product * self.kernel.shapley(x)
        if self.terms is not None and self.share > 0:
            terms = self.terms
            total = total + (terms.evaluate(x) * (of_terms * terms.shares())) @ terms.members
        return np.asarray(total)

    def shapley_variance(self) -> Floats:
        """(d,): the prior variance of each Shapley value."""
        d, of_linear, of_product, of_terms = self._weights
        total = np.full(d, 4 * of_linear)
        if of_product > 0:
            total += of_product * self.kernel.shapley_variance()
        if self.terms is not None and self.share > 0:
            total += (of_terms * self.terms.shares() ** 2) @ self.terms.members
        return total

    def variances(self, members: NDArray[np.float32]) -> Floats:
        """(q,): the prior variance of the coefficient of each odd parity term.

        Members (q, d) are those of `terms`, where these have a share.
        """
        _, of_linear, of_product, of_terms = self._weights
        rates = np.where(members > 0, self.kernel.rates, 1.0)
        total = np.where(members.sum(axis=1) == 1, of_linear, of_product * rates.prod(axis=1))
        return np.asarray(total + of_terms if len(of_terms) else total)

    @cached_property
    def _weights(self) -> tuple[int, float, float, Floats]:
        """d, and what each part is multiplied by."""
        d = len(self.kernel.rates)
        variance = float(self.kernel.matrix(np.ones((1, d)))[0, 0])
        rest = 1 - self.share if self.terms is not None else 1.0
        of_product = rest * (1 - self.linear) / variance if variance > 0 else 0.0
        of_terms = np.zeros(0)
        if self.terms is not None and self.share > 0:
            spread = np.abs(self.terms.coefficients) ** (2 * self.power)
            of_terms = self.share * spread / spread.sum()
        return d, rest * self.linear / d, of_product, of_terms
