"""Pairwise interactions from the pairs of coalitions that Shapley values are computed from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from perturbx._typing import Coalitions, Floats, Ints
from perturbx.designs import Evaluations, Pairs
from perturbx.result import Interactions
from perturbx.solvers._base import Answers, check_design
from perturbx.solvers._corrected_fit import Fit, Total, fits
from perturbx.solvers._exact import exact_shapley
from perturbx.solvers._exact_interactions import exact_interactions
from perturbx.solvers._strata import Strata
from perturbx.solvers.kernel_shap import _Fit as OddFit
from perturbx.solvers.kernel_shap import _fit as fit_odd_part


@dataclass(frozen=True)
class PairwiseInteractions:
    """Shapley interaction index and order-2 Faith-Shap, from pairs of coalitions.

    Grabisch & Roubens (International Journal of Game Theory 28, 1999); Tsai, Yeh & Ravikumar
    (JMLR 24, 2023). Both indices depend only on the even part of the game, e(z) = (v(S) +
    v(complement of S)) / 2 with z in {-1, 1}, and Faith-Shap's terms are four times the
    coefficients of its regression on the products z_i z_j under the Shapley kernel, exact at the
    full coalition; its main effects follow from the Shapley values. A ridge, of a strength that
    leave-one-out chooses for each output, steadies the fit, and what it leaves out is estimated
    from its residuals, by coalition size, without bias. So a game with no interaction of more
    than two features is recovered exactly once the pairs of coalitions determine it (somewhat
    more than there are pairs of features; in all of our trials, half as many again), and any
    other game in the limit. On a complete design everything is computed exactly.

    Where the d (d - 1) / 2 pairs of features are not determined there is only the ridge's guess,
    which shrinks towards 0: errors are then NaN. An interaction that no sampled coalition met is
    not seen, nor in the errors.

    Standard errors are the jackknife's, within strata of coalition size, corrected for sampling
    without replacement. Memory: some ten arrays of pairs of coalitions times pairs of features.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.designs import Evaluations
    >>> from perturbx.samplers import ShapleyCoalitions
    >>> from perturbx.solvers.interactions import PairwiseInteractions
    >>> design = ShapleyCoalitions().draw(5, 28, np.random.default_rng(0))
    >>> answers = Evaluations(
    ...     design,
    ...     outputs=3.0 * (design.z[:, 0] & design.z[:, 1]).reshape(28, 1, 1),
    ...     full=np.array([[3.0]]),
    ...     empty=np.array([[0.0]]),
    ... )
    >>> found = PairwiseInteractions().solve(answers)
    >>> abs(found.faith_shap[0, :3, :3, 0].round(9))
    array([[0., 3., 0.],
           [3., 0., 0.],
           [0., 0., 0.]])
    """

    def solve(self, evaluations: Evaluations) -> Interactions:
        """All pairs of all instances and outputs at once.

        Raises
        ------
        RejectPerturbations
            If the design is none of `Pairs`.
        """
        return self.of(Answers.of(evaluations))

    def of(self, answers: Answers) -> Interactions:
        """The same from answers for each target."""
        design = answers.design
        if design.complete:
            return _exact(answers)
        check_design(design, (Pairs,), "PairwiseInteractions")
        assert isinstance(design, Pairs)
        d = design.n_features
        n_pairs = d * (d - 1) // 2
        targets = len(answers.full)
        shapley, faith = np.zeros((2, n_pairs, targets)), np.zeros((2, n_pairs, targets))
        mains = np.zeros((2, d, targets))
        for some, found in _estimates(answers, design):
            shapley[..., some], faith[..., some], mains[..., some] = found
        degrees = len(design.first) - n_pairs
        if degrees < 3:
            shapley[1], faith[1], mains[1] = np.nan, np.nan, np.nan
        errors = [np.sqrt(np.maximum(part[1], 0)) for part in (shapley, faith, mains)]
        shape = answers.shape
        least = answers.floor.reshape(shape[0], 1, 1, shape[1])
        return Interactions(
            _square(shapley[0], None, shape),
            _square(faith[0], mains[0], shape),
            np.maximum(_square(errors[0], None, shape), least),
            np.maximum(_square(errors[1], errors[2], shape), least),
            float(max(degrees, 1)),
        )


def _estimates(
    answers: Answers, pairs: Pairs
) -> Iterator[tuple[Ints, tuple[Floats, Floats, Floats]]]:
    """Numbers of targets, and Shapley interactions, Faith-Shap's pairs and main effects of them.

    Each of the three is (2, pairs or d, t): estimates, then variances.
    """
    first, weights = pairs.first, pairs.pair_weights
    design = _Design.of(first)
    outputs, full, empty = answers.outputs, answers.full, answers.empty
    odd = fit_odd_part(first, weights, (outputs[0::2] - outputs[1::2]) / 2, full - empty)
    even = (outputs[0::2] + outputs[1::2]) / 2 - (full + empty) / 2
    for fit in fits(design.products, weights, even):
        shapley, faith = fit.estimate(design.shapley), fit.estimate(design.faith)
        mains = odd.values[:, fit.targets] - design.members.T @ faith / 2
        spread = design.variances(fit, odd)
        both = np.stack([shapley, spread[0]]), np.stack([faith, spread[1]])
        yield fit.targets, (*both, np.stack([mains, spread[2]]))


@dataclass(frozen=True, eq=False)
class _Design:
    """What is known of c coalitions before any answer.

    A pair of features has an index that is a mean of differences like those of the exact
    formula, hence a sum of z_i z_j times a weight that depends on how many features a coalition
    has besides the two.
    """

    strata: Strata
    members: Floats
    """(pairs, d): 1 for either feature of a pair."""
    products: Floats
    """(c, pairs): z_i z_j, less its value in the full coalition."""
    shapley: Total
    faith: Total

    @classmethod
    def of(cls, first: Coalitions) -> _Design:
        strata, d = Strata.of(first), first.shape[1]
        i, j = np.triu_indices(d, 1)
        both, alike = first[:, i] & first[:, j], first[:, i] == first[:, j]
        size = first.sum(axis=1)[:, None].astype(float)
        left = d - size
        # How rare a place among the others makes up for how rare a size, with no binomials:
        # 1 / ((d - 1) binom(d - 2, others)) times binom(d, size).
        together = np.where(both, size * (size - 1), left * (left - 1))
        evenly = d / np.where(alike, together, -size * left)
        others = size - 2 * both - ~alike
        evenly *= (2 * strata.half / strata.drawn)[:, None]
        faithfully = evenly * (others + 1) * (d - others - 1) * (6 / (d * (d + 1)))
        members = (np.arange(d) == i[:, None]) | (np.arange(d) == j[:, None])
        products = np.where(alike, 0.0, -2.0)
        shapley, faith = Total(4.0, evenly, products), Total(4.0, faithfully, products)
        return cls(strata, members.astype(float), products, shapley, faith)

    def variances(self, fit: Fit, odd: OddFit) -> tuple[Floats, Floats, Floats]:
        """Of Shapley interactions, Faith-Shap's pairs and its main effects."""
        if not fit.determined:
            nothing = np.full_like(fit.coefficients, np.nan)
            return nothing, nothing, np.full((self.members.shape[1], len(fit.targets)), np.nan)
        r, s = fit.left_out, odd.residual[:, fit.targets]
        covariance = self.strata.covariance
        influence = fit.influence(self.shapley)
        shapley = covariance(influence, r, influence, r)
        influence = fit.influence(self.faith)
        faith = covariance(influence, r, influence, r)
        of_even, of_odd = influence @ self.members / 2, odd.influence
        mains = covariance(of_odd, s, of_odd, s) + covariance(of_even, r, of_even, r)
        return shapley, faith, mains - 2 * covariance(of_odd, s, of_even, r)


def _exact(answers: Answers) -> Interactions:
    shape, d = answers.shape, answers.design.n_features
    shapley, faith = exact_interactions(answers)
    i, j = np.triu_indices(d, 1)
    mains = exact_shapley(answers).values
    np.subtract.at(mains, i, faith / 2)
    np.subtract.at(mains, j, faith / 2)
    values = _square(shapley, None, shape), _square(faith, mains, shape)
    least = answers.floor.reshape(shape[0], 1, 1, shape[1])
    errors = np.broadcast_to(least, values[0].shape)
    return Interactions(*values, errors.copy(), errors.copy())


def _square(pairs: Floats, diagonal: Floats | None, shape: tuple[int, ...]) -> Floats:
    """(n, d, d, k) from (pairs, n * k) and (d, n * k), zeros if None."""
    d = round((1 + np.sqrt(1 + 8 * len(pairs))) / 2)
    square = np.zeros((d, d, pairs.shape[1]))
    i, j = np.triu_indices(d, 1)
    square[i, j] = square[j, i] = pairs
    if diagonal is not None:
        square[np.arange(d), np.arange(d)] = diagonal
    return np.moveaxis(square.reshape(d, d, *shape), 2, 0)
