"""Prior covariances of the odd part of a game, blended from three sources."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx.solvers.process.odd_kernel import OddKernel
from perturbx.solvers.process.parity import ParityTerms

_MOST_ROWS = 256
"""Rows of a matrix that are computed at once: its parts are copies."""


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
        terms = self.terms if self.terms is not None and self.share > 0 else None
        products = np.empty((len(columns), len(of_terms)), np.int8)
        if terms is not None:
            for part in _parts(len(columns)):
                products[part] = terms.evaluate(columns[part])
        for part in _parts(len(x)):
            if of_product > 0:
                total[part] = self.kernel.matrix(x[part], columns)
                total[part] *= of_product
            if of_linear > 0:
                total[part] += (of_linear * x[part]) @ columns.T
            if terms is None:
                continue
            of_rows = (products[part] if others is None else terms.evaluate(x[part])) * of_terms
            for block in _parts(len(columns)):
                total[part, block] += of_rows @ products[block].T
        return total

    def mean_of(self, x: Floats, weights: Floats) -> Callable[[Floats], Floats]:
        """What ``matrix(rows, x) @ weights`` is for any rows, with weights (n, t) of x (n, d)."""
        _, of_linear, of_product, of_terms = self._weights
        terms = self.terms if self.terms is not None and self.share > 0 else None
        slopes = of_linear * (x.T @ weights)
        received = np.zeros((len(of_terms), weights.shape[1]))
        if terms is not None:
            for part in _parts(len(x)):
                received += terms.evaluate(x[part]).T @ weights[part]
        received *= of_terms[:, None]

        def found(rows: Floats) -> Floats:
            total = rows @ slopes
            if of_product > 0:
                total += of_product * (self.kernel.matrix(rows, x) @ weights)
            if terms is not None:
                total += terms.evaluate(rows) @ received
            return np.asarray(total)

        return found

    def shapley(self, x: Floats) -> Floats:
        """(n, d): the Shapley values of the function covariance(., x_n), for each row of x."""
        _, of_linear, of_product, of_terms = self._weights
        total = 2 * of_linear * x
        if of_product > 0:
            total = total + of_product * self.kernel.shapley(x)
        if self.terms is not None and self.share > 0:
            terms, received = self.terms, of_terms * self.terms.shares()
            for part in _parts(len(x)):
                total[part] += (terms.evaluate(x[part]) * received) @ terms.members
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


def _parts(n: int) -> Iterator[slice]:
    yield from (slice(start, start + _MOST_ROWS) for start in range(0, n, _MOST_ROWS))
