"""Banzhaf values from the pairs of coalitions that Shapley values are computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from perturbx._typing import Floats
from perturbx.designs import Design, Pairs
from perturbx.solvers._answers import Answers, Noise, Scores
from perturbx.solvers._base import Solver
from perturbx.solvers._difference_estimator import Total, fits
from perturbx.solvers._exact import exact_banzhaf
from perturbx.solvers._strata import Strata, terms_of


@dataclass(frozen=True)
class BanzhafRegression(Solver):
    """A feature's mean effect when every coalition of the others is equally likely: Banzhaf values.

    Banzhaf (Rutgers Law Review 19, 1965): the mean of v(S with i) - v(S) over all 2^(d-1) S
    without i; equally, twice the slopes in z of the least-squares fit to all coalitions (Hammer
    & Holzman, Zeitschrift für Operations Research 36, 1992). They do not sum to v(all) - v(none),
    but no other such mean changes less when the model's answers are noisy (Wang & Jia, AISTATS
    2023).

    With z in {-1, 1} and g(z) = (v(S) - v(complement of S)) / 2 they are twice the mean of z g
    over all pairs. The pairs were drawn for Shapley values, with every size equally frequent. So
    a linear model in z is fitted first (a ridge, whose penalty leave-one-out chooses for each
    output), and the mean of its residuals is estimated with each size weighted by its number of
    coalitions. The sum is unbiased for any game, and exact for an additive one once pairs
    outnumber features. A complete design gives the exact values.

    Standard errors are the jackknife's, within strata of coalition size, corrected for sampling
    without replacement. With fewer than d + 2 pairs they are NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.designs import Evaluations
    >>> from perturbx.samplers import ShapleyCoalitions
    >>> from perturbx.solvers import BanzhafRegression
    >>> design = ShapleyCoalitions().draw(3, 6, np.random.default_rng(0))
    >>> majority = Evaluations.of_game(design, lambda z: z.sum(axis=1) >= 2)
    >>> BanzhafRegression().solve(majority).values.ravel()
    array([0.5, 0.5, 0.5])
    """

    reads = (Pairs,)

    def working(self, n_features: int, n: int) -> float:
        return 3.0 * n_features

    def exact(self, answers: Answers[Design]) -> Scores:
        return exact_banzhaf(answers)

    def estimate(self, answers: Answers[Pairs]) -> Scores:
        first = answers.design.first
        n_pairs, d = first.shape
        odd = np.vstack([answers.design.odd(answers.outputs), (answers.full - answers.empty) / 2])
        # The pair of the full and the empty coalition is one of them all, with its own weight.
        rows = np.where(np.vstack([first, np.ones((1, d), dtype=bool)]), 1.0, -1.0)
        strata = Strata.of(rows > 0)
        total = Total(2.0, 2 * _fractions(strata)[:, None] * rows, rows)
        values, variance = np.empty((2, d, odd.shape[1]))
        of_noise, variances = np.zeros((2, d, odd.shape[1])), answers.variances
        for fit in fits(rows, np.ones(len(rows)), odd):
            values[:, fit.targets] = fit.estimate(total)
            variance[:, fit.targets] = np.nan
            if fit.determined and n_pairs >= d + 2:
                influence, left_out = fit.influence(total), fit.left_out
                variance[:, fit.targets] = strata.variance(terms_of(influence, left_out))
            if variances is not None:
                doubt = answers.design.doubt(variances.outputs[:, fit.targets])
                doubt = np.vstack([doubt, variances.ends[fit.targets] / 4])
                squares = (fit.influence(total) ** 2).T
                # Residuals show noise by the fraction of each size that was not drawn.
                shown = 1 - strata.unseen[:, None]
                of_noise[:, :, fit.targets] = squares @ doubt, squares @ (shown * doubt)
        return Scores(
            values,
            np.sqrt(np.maximum(variance, 0.0)),
            degrees_of_freedom=float(max(n_pairs - d + 1, 1)),
            estimator=f"Banzhaf regression on {n_pairs:,} pairs of coalitions",
            noise=None if variances is None else Noise(*of_noise),
        )


def _fractions(strata: Strata) -> Floats:
    """(c,): the fraction of all pairs that each sampled pair stands for, by its size."""
    d, size = strata.d, strata.size
    # In logarithms, since binomials overflow past a thousand features.
    of_all = gammaln(d + 1) - gammaln(size + 1) - gammaln(d - size + 1) - (d - 1) * np.log(2)
    return np.asarray(strata.half * np.exp(of_all) / strata.drawn)
