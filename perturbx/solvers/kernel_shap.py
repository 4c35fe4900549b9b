"""Shapley values by weighted regression on pairs of coalitions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from scipy.special import binom

from perturbx._typing import Coalitions, Floats, Ints
from perturbx._validation import check_flag
from perturbx.designs import Design, Pairs
from perturbx.solvers._base import Answers, Scores, Solver
from perturbx.solvers._exact import exact_shapley

_MOST_NUMBERS = 2**18


@dataclass(frozen=True)
class KernelShapRegression(Solver):
    """The additive game nearest to the model's, by the Shapley kernel: Kernel SHAP.

    Lundberg & Lee (NeurIPS 2017, Theorem 2), solved on the odd part of the game: with z in
    {-1, 1} and g(z) = (v(S) - v(complement of S)) / 2, minimize the weighted squares of
    g - z'b subject to the sum of b being (v(all) - v(none)) / 2; the scores are 2b. They add
    up to v(all) - v(none) at any budget, an additive game is recovered exactly, and on a complete
    design the exact Shapley values are computed instead.

    Standard errors: the residuals of the fit, scaled up by their leverage as in HC2 (MacKinnon &
    White, Journal of Econometrics 29, 1985), half each pair's own and half the mean of all, added
    up over strata of coalition size with the correction for a finite population, since pairs are
    drawn without replacement. With fewer than d + 2 pairs they are NaN. They cannot tell of an
    interaction that no sampled coalition met.

    Parameters
    ----------
    errors : bool
        False leaves the standard errors NaN: scores alone take a fraction of the time.

    Raises
    ------
    RejectPerturbations
        If the perturbations are not pairs of complementary coalitions.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.designs import Evaluations
    >>> from perturbx.samplers import ShapleyCoalitions
    >>> from perturbx.solvers import KernelShapRegression
    >>> design = ShapleyCoalitions().draw(5, 20, np.random.default_rng(0))
    >>> slopes = np.array([4.0, 3.0, 2.0, 1.0, 0.0])
    >>> answers = Evaluations(
    ...     design,
    ...     outputs=(design.z @ slopes).reshape(20, 1, 1),
    ...     full=np.array([[10.0]]),
    ...     empty=np.array([[0.0]]),
    ... )
    >>> abs(KernelShapRegression().solve(answers).values.ravel().round(9))
    array([4., 3., 2., 1., 0.])
    """

    reads: ClassVar[tuple[type[Design], ...]] = (Pairs,)
    additive = True

    errors: bool = True

    def __post_init__(self) -> None:
        check_flag("errors", self.errors)

    def linear(self) -> Solver:
        return KernelShapRegression(errors=False)

    def exact(self, answers: Answers) -> Scores:
        return exact_shapley(answers)

    def estimate(self, answers: Answers) -> Scores:
        design = answers.design
        assert isinstance(design, Pairs)
        first = design.first
        n_pairs, d = first.shape
        outputs, gain = answers.outputs, answers.full - answers.empty
        fit = _fit(first, design.pair_weights, (outputs[0::2] - outputs[1::2]) / 2, gain)
        size = first.sum(axis=1)
        size = np.minimum(size, d - size)
        degrees = n_pairs - d + 1
        known = self.errors and degrees >= 3
        errors = np.sqrt(fit.variance(size)) if known else np.full_like(fit.values, np.nan)
        return Scores(
            fit.values,
            errors,
            degrees_of_freedom=float(max(degrees, 1)),
            estimator=f"regression on {n_pairs:,} pairs of coalitions",
        )


@dataclass(frozen=True, eq=False)
class _Fit:
    """A fit of c pairs and d features to t targets."""

    values: Floats
    """(d, t): the scores."""
    inverse: Floats
    """(d, d): of the normal matrix, for scores that add up to nothing."""
    first: Coalitions
    """(c, d): the first member of each pair."""
    weights: Floats
    """(c,)."""
    odd: Floats
    """(c, t): g."""

    @property
    def influence(self) -> Floats:
        """(c, d): what each pair's g adds to each score."""
        return self.influence_of(np.arange(len(self.first)))

    def influence_of(self, pairs: Ints) -> Floats:
        """The same for some pairs."""
        weighted = self.weights[pairs, None] * _across(self.first[pairs])
        return np.asarray(2 * weighted @ self.inverse)

    @cached_property
    def residual(self) -> Floats:
        """(c, t): g - z'b, divided by the root of one minus its leverage."""
        residual = np.empty_like(self.odd)
        for part in _blocks(np.arange(len(self.first)), len(self.values)):
            leverage = np.einsum("ij,ij->i", self.influence_of(part), _across(self.first[part])) / 2
            spare = 1 - np.minimum(leverage, 1.0)
            spare_root = np.sqrt(np.where(spare > 1e-9, spare, np.inf))
            missed = self.odd[part] - _signs(self.first[part]) @ (self.values / 2)
            residual[part] = missed / spare_root[:, None]
        return residual

    def variance(self, size: Ints) -> Floats:
        """(d, t): the variance of stratified sampling without replacement.

        Half of it takes each pair's own residual, half the mean of all: few residuals say little
        of their own spread, and with hardly more pairs than features intervals would be short.
        """
        own, reach = np.zeros_like(self.values), np.zeros((len(self.values), 1))
        unseen = _unseen(size, len(self.values))
        for s in np.unique(size[unseen > 0]):
            members = np.flatnonzero(size == s)
            n_drawn, share = len(members), unseen[members[0]]
            squares, total = np.zeros_like(own), np.zeros_like(own)
            for part in _blocks(members, len(self.values)):
                influence, residual = self.influence_of(part), self.residual[part]
                squares += (influence**2).T @ residual**2
                total += influence.T @ residual
                reach[:, 0] += share * (influence**2).sum(axis=0)
            if n_drawn >= 3:  # the mean of fewer is too uncertain to take off
                squares -= total**2 / n_drawn
                squares *= n_drawn / (n_drawn - 1)
            own += share * squares
        open_ = unseen > 0
        common = (self.residual[open_] ** 2).sum(axis=0) / max(open_.sum(), 1)
        return np.asarray(np.maximum((own + reach * common) / 2, 0.0))


def _unseen(size: Ints, d: int) -> Floats:
    """(c,): the share of all pairs of each pair's size that was not drawn."""
    every = binom(d, size) / np.where(2 * size == d, 2, 1)
    return np.asarray(np.maximum(1 - np.bincount(size)[size] / every, 0.0))


def _fit(first: Coalitions, weights: Floats, odd: Floats, gain: Floats) -> _Fit:
    """Scores 2b that minimize the weighted squares of odd - signs b, and add up to `gain`.

    Pairs may be many: they are added up in blocks.
    """
    n_pairs, d = first.shape
    normal, received = np.zeros((d, d)), np.zeros((d, odd.shape[1]))
    for part in _blocks(np.arange(n_pairs), d):
        across, mean = _across(first[part]), _signs(first[part]).mean(axis=1)
        rooted = np.sqrt(weights[part, None]) * across
        normal += rooted.T @ rooted
        even_share = mean[:, None] * (gain / 2)
        received += (weights[part, None] * across).T @ (odd[part] - even_share)
    scale = np.trace(normal) / d
    # Fewer pairs than features leave directions open; the stronger ridge keeps those at zero.
    normal.flat[:: d + 1] += scale * (1e-12 if n_pairs >= d else 1e-6)
    inverse = np.linalg.inv(normal + scale / d)
    inverse -= inverse.mean(axis=0)
    values = 2 * inverse.T @ received + gain / d
    values += (gain - values.sum(axis=0)) / d
    return _Fit(values, inverse, first, weights, odd)


def _signs(first: Coalitions) -> Floats:
    return np.where(first, 1.0, -1.0)


def _across(first: Coalitions) -> Floats:
    """Signs without their mean: what the constraint leaves free lies across the diagonal."""
    signs = _signs(first)
    return np.asarray(signs - signs.mean(axis=1, keepdims=True))


def _blocks(pairs: Ints, d: int) -> Iterator[Ints]:
    """Pairs in blocks of so few that their signs take little memory."""
    step = max(1, _MOST_NUMBERS // d)
    yield from (pairs[start : start + step] for start in range(0, len(pairs), step))
