"""Shapley values by weighted regression on pairs of coalitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, get_blas_funcs, get_lapack_funcs

from perturbx._typing import Coalitions, Floats, Ints
from perturbx._validation import check_flag
from perturbx.designs import Design, PackedCoalitions, Pairs
from perturbx.solvers._answers import Answers, Noise, Scores
from perturbx.solvers._base import Solver
from perturbx.solvers._exact import exact_shapley
from perturbx.solvers._strata import Strata, blocks
from perturbx.solvers._triangles import mirrored

_MOST_DOUBLE = 6000
"""Beyond so many features the matrix has numbers of 32 bits, half of the memory and of the time."""

_REFINED = 1e-13
"""Scores from such a matrix are refined until so much of the right side is left."""

_MOST_STEPS = 50

_CLEAR = 1.1
"""Pairs per feature from which on 32 bits tell the leverage of a pair to 1%."""


@dataclass(frozen=True)
class KernelShapRegression(Solver):
    """The additive game nearest to the model's, by the Shapley kernel: Kernel SHAP.

    Lundberg & Lee (NeurIPS 2017, Theorem 2), solved on the odd part of the game: with z in
    {-1, 1} and g(z) = (v(S) - v(complement of S)) / 2, minimize the weighted squares of
    g - z'b subject to the sum of b being (v(all) - v(none)) / 2; the scores are 2b. They sum
    to v(all) - v(none) at any budget, an additive game is recovered exactly, and on a complete
    design the exact Shapley values are computed instead.

    Standard errors use the residuals of the fit, scaled up by their leverage as in HC2 (MacKinnon &
    White, Journal of Econometrics 29, 1985), half each pair's own and half the mean of all. They
    are summed over strata of coalition size with the correction for a finite population, since
    pairs are drawn without replacement. With fewer than d + 2 pairs they are NaN. An interaction
    that no sampled coalition exposes does not show in them.

    Parameters
    ----------
    errors : bool
        False leaves the standard errors NaN, which takes a fraction of the time.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.designs import Evaluations
    >>> from perturbx.samplers import ShapleyCoalitions
    >>> from perturbx.solvers import KernelShapRegression
    >>> design = ShapleyCoalitions().draw(5, 20, np.random.default_rng(0))
    >>> answers = Evaluations.of_game(design, lambda z: z @ [4.0, 3.0, 2.0, 1.0, 0.0])
    >>> abs(KernelShapRegression().solve(answers).values.ravel().round(9))
    array([4., 3., 2., 1., 0.])
    """

    reads = (Pairs,)
    additive = True

    errors: bool = True

    def __post_init__(self) -> None:
        check_flag("errors", self.errors)

    def linear(self) -> Solver:
        return KernelShapRegression(errors=False)

    def exact(self, answers: Answers[Design]) -> Scores:
        return exact_shapley(answers)

    def estimate(self, answers: Answers[Pairs]) -> Scores:
        fit = OddFit.of(answers)
        n_pairs, d = fit.first.shape
        degrees = n_pairs - d + 1
        known = self.errors and degrees >= 3
        return Scores(
            fit.values,
            np.sqrt(fit.variance()) if known else np.full_like(fit.values, np.nan),
            degrees_of_freedom=float(max(degrees, 1)),
            estimator=f"regression on {n_pairs:,} pairs of coalitions",
            noise=fit.noise(answers),
        )


@dataclass(frozen=True, eq=False)
class OddFit:
    """The regression of the odd part of a game on c pairs and d features, for t targets."""

    values: Floats
    """(d, t): the scores."""
    inverse: Floats | NDArray[np.float32]
    """(d, d): of the normal matrix, for scores that sum to zero."""
    first: Coalitions | PackedCoalitions
    """(c, d): the first member of each pair."""
    weights: Floats
    """(c,)."""
    odd: Floats
    """(c, t): g."""
    strata: Strata

    @classmethod
    def of(cls, answers: Answers[Pairs]) -> OddFit:
        """Of the answers to pairs."""
        odd, gain = answers.design.odd(answers.outputs), answers.full - answers.empty
        return cls.to(answers.design, odd, gain)

    @classmethod
    def to(cls, pairs: Pairs, odd: Floats, gain: Floats) -> OddFit:
        """Scores 2b that minimize the weighted squares of odd - signs b, and sum to the gain.

        There may be many pairs, so they are added up in blocks, and many features, so there is one
        matrix of them, which becomes its inverse. Of thousands of features it has numbers of 32
        bits; then the scores are refined to 64 bits, with the pairs as they are.
        """
        first, weights = pairs.first, pairs.pair_weights
        n_pairs, d = first.shape
        is_rough = d > _MOST_DOUBLE and not d <= n_pairs < _CLEAR * d
        dtype = np.dtype(np.float32 if is_rough else np.float64)
        syrk = get_blas_funcs("syrk", dtype=dtype)
        normal, received = np.zeros((d, d), dtype, order="F"), np.zeros((d, odd.shape[1]))
        for part in blocks(np.arange(n_pairs), d):
            across, mean = _across(first[part]), _signs(first[part]).mean(axis=1)
            even_part = mean[:, None] * (gain / 2)
            received += (weights[part, None] * across).T @ (odd[part] - even_part)
            across *= np.sqrt(weights[part, None])
            turned = across.astype(dtype, copy=False).T
            normal = syrk(1.0, turned, beta=1.0, c=normal, lower=1, overwrite_c=1)
        scale = float(np.trace(normal, dtype=np.float64)) / d
        # Fewer pairs than features leave directions open; the stronger ridge keeps those at zero.
        ridge = scale * (1e-12 if n_pairs >= d else 1e-6)
        normal.flat[:: d + 1] += max(ridge, scale * 1e-5 * is_rough)
        normal += scale / d
        inverse = _inverted(normal)
        inverse -= inverse.mean(axis=0, dtype=np.float64).astype(dtype)
        if is_rough:
            values = 2 * _refined(inverse, received, first, weights, ridge) + gain / d
        else:
            values = 2 * (inverse.T @ received) + gain / d
        values += (gain - values.sum(axis=0)) / d
        return cls(values, inverse, first, weights, odd, Strata.of(first))

    def influence(self, pairs: Ints) -> Floats:
        """(b, d): what g of each of some pairs adds to each score."""
        weighted: Any = self.weights[pairs, None] * _across(self.first[pairs])
        # In the type of the inverse, of which a product must not make a copy in another type.
        found = 2 * weighted.astype(self.inverse.dtype, copy=False) @ self.inverse
        return np.asarray(found, dtype=np.float64)

    def left_out(self, pairs: Ints) -> tuple[Floats, Floats]:
        """The influence (b, d) of some pairs, and their residuals (b, t).

        Residuals g - z'b are divided by the root of one minus their leverage.
        """
        influence = self.influence(pairs)
        leverage = np.einsum("ij,ij->i", influence, _across(self.first[pairs])) / 2
        spare = 1 - np.minimum(leverage, 1.0)
        spare_root = np.sqrt(np.where(spare > 1e-9, spare, np.inf))
        missed = self.odd[pairs] - _signs(self.first[pairs]) @ (self.values / 2)
        return influence, missed / spare_root[:, None]

    def variance(self) -> Floats:
        """(d, t): the variance of stratified sampling without replacement.

        Half of it uses each pair's own residual, half the mean of all: a few residuals determine
        their own spread poorly, and with hardly more pairs than features intervals would be short.
        """
        unseen, squares = self.strata.unseen, np.zeros(self.odd.shape[1])
        reach = np.zeros(len(self.values))

        def left_out(pairs: Ints) -> tuple[Floats, Floats]:
            nonlocal squares, reach
            influence, residual = self.left_out(pairs)
            squares = squares + (residual**2).sum(axis=0)
            reach = reach + unseen[pairs] @ influence**2
            return influence, residual

        own = self.strata.variance(left_out)
        common = squares / max((unseen > 0).sum(), 1)
        return np.asarray(np.maximum((own + reach[:, None] * common) / 2, 0.0))

    def noise(self, answers: Answers[Pairs]) -> Noise | None:
        """What random answers add.

        Residuals show the noise of the pairs, but by the fraction of each size that was not drawn,
        as where all of a size is known: not the noise of those answers.
        """
        if answers.variances is None:
            return None
        own = answers.design.doubt(answers.variances.outputs)
        total, unseen = np.zeros((2, len(self.values), own.shape[1]))
        for part in blocks(np.arange(len(own)), len(self.values)):
            squares = self.influence(part) ** 2
            total += squares.T @ own[part]
            unseen += squares.T @ ((1 - self.strata.unseen[part, None]) * own[part])
        ends = self.of_gain[:, None] ** 2 * answers.variances.ends
        return Noise(total + ends, unseen + ends)

    @property
    def of_gain(self) -> Floats:
        """(d,): what a unit of v(all) - v(none) adds to each score."""
        d, shift = len(self.values), np.zeros(len(self.values))
        for part in blocks(np.arange(len(self.first)), d):
            shift += _signs(self.first[part]).mean(axis=1) @ self.influence(part)
        return np.asarray(1 / d - shift / 2)


def _refined(
    inverse: NDArray[np.float32],
    received: Floats,
    first: Coalitions | PackedCoalitions,
    weights: Floats,
    ridge: float,
) -> Floats:
    """(d, t): what the exact normal matrix turns into `received`, which sums to zero.

    By conjugate gradients (Hestenes & Stiefel, 1952) preconditioned with the rough inverse: two or
    three steps where pairs outnumber the features by half.
    """
    found, left = np.zeros_like(received), received.copy()
    enough = _REFINED**2 * (received**2).sum(axis=0)
    step, before = np.zeros_like(received), np.ones(received.shape[1])
    for _ in range(_MOST_STEPS):
        is_done = (left**2).sum(axis=0) <= enough
        if is_done.all():
            break
        turned = inverse.T @ left.astype(np.float32)
        turned = turned.astype(np.float64) - turned.mean(axis=0, dtype=np.float64)
        square = (left * turned).sum(axis=0)
        step = turned + np.where(before > 0, square / before, 0.0) * step
        along = ridge * step
        for part in blocks(np.arange(len(first)), first.shape[1]):
            across = _across(first[part])
            along += across.T @ (weights[part, None] * (across @ step))
        length = np.where(is_done, 0.0, square / np.maximum((step * along).sum(axis=0), 1e-300))
        found += length * step
        left -= length * along
        before = square
    return found


def _inverted(normal: Floats | NDArray[np.float32]) -> Floats | NDArray[np.float32]:
    """The inverse of a positive definite matrix in Fortran order, known by its lower triangle.

    It takes the memory of `normal`, whose upper triangle is ignored.
    """
    routines: Any = get_lapack_funcs(("potrf", "potri"), dtype=normal.dtype)
    potrf, potri = routines
    factor, failed = potrf(normal, lower=1, overwrite_a=1, clean=0)
    if failed:
        raise LinAlgError("the coalitions leave the scores undetermined")
    inverse, _ = potri(factor, lower=1, overwrite_c=1)
    return np.asarray(mirrored(inverse))


def _signs(first: Coalitions) -> Floats:
    return np.where(first, 1.0, -1.0)


def _across(first: Coalitions) -> Floats:
    """Signs less their mean over the features, since the sum of the scores is known."""
    signs = _signs(first)
    return np.asarray(signs - signs.mean(axis=1, keepdims=True))
