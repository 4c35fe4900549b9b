"""How well a covariance predicts pairs that it has not seen, for every signal at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats

SIGNALS = np.array([0.03, 0.3, 3.0, 30.0, 300.0, 3e3, 1e5])
"""Prior variance of the interactions over that of the noise. Small: plain regression."""


SPARE = 3
"""How many more pairs than features it takes to judge free slopes by leaving pairs out."""


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Eigenvectors of a whitened covariance: one factorization for every signal and target."""

    eigenvalues: Floats
    vectors: Floats
    basis: Floats
    noise: Floats

    @classmethod
    def of(cls, matrix: Floats, basis: Floats, noise: Floats) -> Decomposition:
        """Of a covariance (n, n), the free part (n, p) and the noise variances (n,)."""
        root = 1 / np.sqrt(noise)
        eigenvalues, vectors = np.linalg.eigh(matrix * root[:, None] * root)
        turned = vectors.T @ (basis * root[:, None])
        return cls(np.maximum(eigenvalues, 0.0), vectors, turned, noise)

    def scores(self, y: Floats, judged: NDArray[np.bool_]) -> Floats:
        """(signals, t): the weighted mean squares of leave-one-out residuals of y (n, t).

        Dubrule (Mathematical Geology 15, 1983): the residual of pair i is (Q y)_i / Q_ii. Only
        the pairs `judged` count: those that the covariance was not made from.
        """
        y_turned = self.vectors.T @ (y / np.sqrt(self.noise)[:, None])
        squared = self.vectors**2
        return np.stack([self._score(s, y_turned, squared, judged) for s in SIGNALS])

    def _score(
        self, signal: float, y: Floats, squared: Floats, judged: NDArray[np.bool_]
    ) -> Floats:
        shrunk = 1 / (signal * self.eigenvalues + 1)
        solved = self.basis * shrunk[:, None]
        gram = solved.T @ self.basis
        gram.flat[:: len(gram) + 1] += 1e-10 * np.trace(gram) / len(gram)
        inverse = np.linalg.inv(gram)
        left = shrunk[:, None] * (y - self.basis @ (inverse @ (solved.T @ y)))
        back = self.vectors @ solved
        diagonal = squared @ shrunk - ((back @ inverse) * back).sum(axis=1)
        # a pair that the free part alone pins down has no residual to judge by
        counted = judged & (diagonal > 1e-7)
        if 2 * counted.sum() <= judged.sum():
            return np.full(y.shape[1], np.inf)
        residual = (self.vectors[counted] @ left) / diagonal[counted, None]
        return np.asarray((residual**2).sum(axis=0) / (1 / self.noise[counted]).sum())


def plain_scores(x: Floats, noise: Floats, y: Floats) -> Floats:
    """(t,): the leave-one-out scores of the plain regression, infinite without pairs to spare."""
    n, d = len(x) - 1, x.shape[1]
    if n < d + SPARE:
        return np.full(y.shape[1], np.inf)
    weighted = x / noise[:, None]
    normal = weighted.T @ x
    normal.flat[:: d + 1] += 1e-12 * np.trace(normal) / d
    inverse = np.linalg.inv(normal)
    spare = 1 - ((weighted @ inverse) * x).sum(axis=1)[:n, None]
    residual = (y - x @ (inverse @ (weighted.T @ y)))[:n] / np.maximum(spare, 1e-7)
    return np.asarray(np.average(residual**2, axis=0, weights=1 / noise[:n]))
