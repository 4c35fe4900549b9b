"""Prior covariances of the even part of a game, blended from three sources."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx.solvers.process.even_kernel import EvenKernel, PairIndex, total_of_term
from perturbx.solvers.process.parity import ParityTerms


@dataclass(frozen=True, eq=False)
class EvenCovariance:
    """(1 - share) * (equal * K_equal + (1 - equal) * K_product) + K_terms, of variance 1.

    K_equal gives all pairs of features the same prior variance and nothing to interactions of more,
    so that alone it makes a ridge of the process; K_product is the `EvenKernel`; both have
    variance 1. K_terms gives the parity term T of coefficient c_T the prior variance c_T^2, and the
    share is their sum.

    Parameters
    ----------
    kernel : EvenKernel
        Over all even interactions.
    equal : float
    terms : ParityTerms or None
    """

    kernel: EvenKernel
    equal: float = 0.0
    terms: ParityTerms | None = None

    def matrix(self, x: Floats) -> Floats:
        """(n, n): the covariance between the rows of x, which hold -1 and +1."""
        of_equal, of_product, of_terms = self._weights
        total = np.zeros((len(x), len(x)))
        if of_product > 0:
            total = self.kernel.matrix(x)
            total *= of_product
        if of_equal > 0:
            total += of_equal / 2 * ((x @ x.T) ** 2 - x.shape[1])
        if self.terms is not None:
            parity = self.terms.evaluate(x)
            total += (parity * of_terms) @ parity.T
        return total

    def index(self, which: PairIndex, x: Floats, i: Ints, j: Ints) -> Floats:
        """(n, pairs): the indices of the features i, j of the function covariance(., x_n)."""
        of_equal, of_product, of_terms = self._weights
        total = 4 * of_equal * x[:, i] * x[:, j]
        if of_product > 0:
            total += of_product * self.kernel.index(which, x, i, j)
        if self.terms is not None:
            each = self.terms.evaluate(x) * (of_terms * which.of_term(self._sizes))
            total += each @ (self.terms.members[:, i] * self.terms.members[:, j])
        return np.asarray(total)

    def totals(self, x: Floats) -> Floats:
        """(n, d): the sum over j of Faith-Shap's pairs i, j of the function covariance(., x_n)."""
        of_equal, of_product, of_terms = self._weights
        total = 4 * of_equal * x * (x.sum(axis=1, keepdims=True) - x)
        if of_product > 0:
            total += of_product * self.kernel.totals(x)
        if self.terms is not None:
            each = self.terms.evaluate(x) * (of_terms * total_of_term(self._sizes))
            total += each @ self.terms.members
        return np.asarray(total)

    def index_variance(self, which: PairIndex) -> Floats:
        """(d, d): the prior variance of the index of each pair."""
        of_equal, of_product, of_terms = self._weights
        total = np.full((len(self.kernel.rates),) * 2, 16 * of_equal)
        if of_product > 0:
            total += of_product * self.kernel.index_variance(which)
        if self.terms is not None:
            members = self.terms.members
            total += (members.T * (of_terms * which.of_term(self._sizes) ** 2)) @ members
        return np.asarray(total)

    def total_variance(self) -> Floats:
        """(d,): the prior variance of `totals`."""
        of_equal, of_product, of_terms = self._weights
        d = len(self.kernel.rates)
        total = np.full(d, 16 * (d - 1) * of_equal)
        if of_product > 0:
            total += of_product * self.kernel.total_variance()
        if self.terms is not None:
            total += (of_terms * total_of_term(self._sizes) ** 2) @ self.terms.members
        return np.asarray(total)

    @cached_property
    def _sizes(self) -> Floats:
        assert self.terms is not None
        return np.asarray(self.terms.members.sum(axis=1), dtype=float)

    @cached_property
    def _weights(self) -> tuple[float, float, Floats]:
        """What each part is multiplied by."""
        d = len(self.kernel.rates)
        of_terms = np.zeros(0) if self.terms is None else self.terms.coefficients**2
        rest = 1 - float(of_terms.sum())
        of_product = rest * (1 - self.equal)
        if of_product > 0:
            of_product /= float(self.kernel.matrix(np.ones((1, d)))[0, 0])
        return rest * self.equal / (d * (d - 1) / 2), of_product, of_terms
