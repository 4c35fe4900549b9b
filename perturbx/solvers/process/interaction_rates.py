"""Which features interact: rates of the product kernel by restricted maximum likelihood.

The even part of a game says nothing about Shapley values, but its pairwise interactions, the
strongest there are, say which features interact at all. So odd and even parts share one rate per
feature, under a log-normal prior that keeps rates that the data do not tell apart together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack
from scipy.optimize import minimize

from perturbx._typing import Floats
from perturbx.solvers._triangles import mirrored
from perturbx.solvers.process.odd_pairs import OddPairs

_START = 0.1
MOST_FEATURES = 200
"""With more features than this, rates are not learned one by one."""

_SPREAD = 1.0
"""Standard deviation of a log rate about their mean; that of the mean about the start is 1.5."""
_MEAN_SPREAD = 1.5
_ITERATIONS = 15
_BAD = 1e10


def learn_rates(pairs: OddPairs, most: int = 250) -> Floats:
    """(d,): the rates that make the first `most` pairs most likely."""
    d = pairs.shape[1]
    if d > MOST_FEATURES:
        return np.full(d, _START)
    likelihood = _Likelihood.of(pairs.subset(np.arange(min(most, len(pairs.odd)))))
    start = np.append(np.full(d, np.log(_START)), likelihood.first_signals(_START))
    bounds = [(-7.0, np.log(0.9))] * d + [(-30.0, 30.0)] * 2
    found = minimize(
        likelihood,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": _ITERATIONS},
    )
    return np.asarray(np.exp(found.x[:d]))


@dataclass(frozen=True, eq=False)
class _Likelihood:
    """Minus the log restricted likelihood of log rates (d) and two log signals, with gradient."""

    signs: Floats
    noise: Floats
    odd: Floats
    even: Floats

    @classmethod
    def of(cls, pairs: OddPairs) -> _Likelihood:
        return cls(pairs.signs, 1 / pairs.weights, pairs.odd, pairs.even)

    def first_signals(self, rate: float) -> Floats:
        """Log signals at which interactions have 3 and 30 times the variance of the noise."""
        d = self.signs.shape[1]
        top, bottom = 0.5 * (1 + rate) ** d, 0.5 * (1 - rate) ** d
        variances = np.array([top - bottom - d * rate, top + bottom - 1])
        return np.asarray(np.log([3.0, 30.0]) - np.log(np.maximum(variances, 1e-12)))

    def __call__(self, parameters: Floats) -> tuple[float, Floats]:
        d = self.signs.shape[1]
        rates = np.exp(parameters[:d])
        odd, even = self._parts(rates)
        if not np.isfinite(even).all():
            return _BAD, np.zeros(d + 2)
        value, of_prior = _prior(parameters[:d])
        gradient = np.append(of_prior, [0.0, 0.0])
        kernels = (odd - (self.signs * rates) @ self.signs.T, even - 1.0)
        bases = (self.signs, np.ones((len(self.signs), 1)))
        for part, y in enumerate((self.odd, self.even)):
            signal = np.exp(parameters[d + part])
            minus_log, slope = _restricted(signal * kernels[part], bases[part], y, self.noise)
            if slope is None:
                return _BAD, np.zeros(d + 2)
            value += minus_log
            gradient[d + part] += signal * np.vdot(slope, kernels[part])
            moved = self._along_rates(rates, slope, (odd, even)[part], (even, odd)[part])
            if part == 0:
                moved -= (self.signs * (slope @ self.signs)).sum(axis=0)
            gradient[:d] += signal * rates * moved
        return value, gradient

    def _parts(self, rates: Floats) -> tuple[Floats, Floats]:
        """The odd and the even part of prod_i (1 + r_i x_i y_i), between all pairs."""
        scale = 0.5 * np.log1p(-(rates**2)).sum()
        exponent = (self.signs * np.arctanh(rates)) @ self.signs.T
        exponent += scale
        with np.errstate(over="ignore"):
            plus = np.exp(exponent, out=exponent)
        plus *= 0.5
        minus = 0.25 * np.exp(2 * scale) / plus
        return plus - minus, plus + minus

    def _along_rates(self, rates: Floats, slope: Floats, part: Floats, other: Floats) -> Floats:
        """(d,): slope times the derivative of one part in each rate.

        d/dr_i (1 + r_i x_i y_i) over itself is (x_i y_i - r_i) / (1 - r_i^2), and x_i y_i turns
        one part into the other.
        """
        turned = (self.signs * ((slope * other) @ self.signs)).sum(axis=0)
        return np.asarray((turned - rates * np.vdot(slope, part)) / (1 - rates**2))


def _prior(log_rates: Floats) -> tuple[float, Floats]:
    """Minus the log prior of the log rates, and its gradient."""
    mean = float(log_rates.mean())
    about, off = log_rates - mean, mean - np.log(_START)
    value = (about**2).sum() / (2 * _SPREAD**2) + off**2 / (2 * _MEAN_SPREAD**2)
    return float(value), about / _SPREAD**2 + off / _MEAN_SPREAD**2 / len(log_rates)


def _restricted(
    matrix: Floats, basis: Floats, y: Floats, noise: Floats
) -> tuple[float, Floats | None]:
    """Minus the log restricted likelihood, its scale profiled out, and its slope in the matrix.

    (Patterson & Thompson, Biometrika 58, 1971.) None for a slope: not positive definite. It takes
    the memory of `matrix`.
    """
    n, p = basis.shape
    # The matrix is symmetric: its transpose is in the order that the routines overwrite.
    matrix.flat[:: n + 1] += noise + 1e-8 * np.trace(matrix) / n
    factor, failed = lapack.dpotrf(matrix.T, lower=1, overwrite_a=1, clean=0)
    if failed:
        return _BAD, None
    log_determinant = 2 * np.log(np.diag(factor)).sum()
    inverse = mirrored(lapack.dpotri(factor, lower=1, overwrite_c=1)[0])
    solved = inverse @ basis
    gram = solved.T @ basis
    gram.flat[:: p + 1] += 1e-10 * np.trace(gram) / p
    kept = np.linalg.solve(gram, solved.T)
    projected = inverse @ y - solved @ (kept @ y)
    square = max(float(y @ projected), 1e-300)
    value = log_determinant + np.linalg.slogdet(gram)[1] + (n - p) * np.log(square)
    slope = inverse
    slope -= np.column_stack([solved, (n - p) / square * projected]) @ np.vstack([kept, projected])
    slope *= 0.5
    return 0.5 * float(value), slope
