"""Banzhaf values from the pairs of coalitions that Shapley values are computed from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammaln

from perturbx._typing import Coalitions, Floats, Ints
from perturbx.designs import Design, PackedCoalitions, Pairs
from perturbx.solvers._answers import Answers, Noise, Scores
from perturbx.solvers._base import Solver
from perturbx.solvers._difference_estimator import Fit, Influence, Scaled, Total, fits
from perturbx.solvers._exact import exact_banzhaf
from perturbx.solvers._strata import Strata, slices


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
        return 4.0

    def exact(self, answers: Answers[Design]) -> Scores:
        return exact_banzhaf(answers)

    def estimate(self, answers: Answers[Pairs]) -> Scores:
        n_pairs, d = answers.design.first.shape
        odd = _Odd(answers)
        # The pair of the full and the empty coalition is one of them all, with its own weight.
        rows = _Signs(answers.design.first)
        strata = Strata(np.append(Strata.of(answers.design.first).size, 0), d)
        total = Total(2.0, Scaled(rows, 2 * _fractions(strata)[:, None]), rows)
        values, variance = np.empty((2, d, odd.shape[1]))
        of_noise, variances = np.zeros((2, d, odd.shape[1])), answers.variances
        for fit in fits(rows, np.ones(n_pairs + 1), odd):
            values[:, fit.targets] = fit.estimate(total)
            variance[:, fit.targets] = np.nan
            influence = fit.influence(total)
            if fit.determined and n_pairs >= d + 2:
                variance[:, fit.targets] = strata.variance(_terms(fit, influence))
            if variances is not None:
                doubt = answers.design.doubt(variances.outputs[:, fit.targets])
                doubt = np.vstack([doubt, variances.ends[fit.targets] / 4])
                # Residuals show noise by the fraction of each size that was not drawn.
                shown = (1 - strata.unseen[:, None]) * doubt
                for part in slices(n_pairs + 1, d):
                    squares = (influence[part] ** 2).T
                    of_noise[0][:, fit.targets] += squares @ doubt[part]
                    of_noise[1][:, fit.targets] += squares @ shown[part]
        return Scores(
            values,
            np.sqrt(np.maximum(variance, 0.0)),
            degrees_of_freedom=float(max(n_pairs - d + 1, 1)),
            estimator=f"Banzhaf regression on {n_pairs:,} pairs of coalitions",
            noise=None if variances is None else Noise(*of_noise),
        )


@dataclass(frozen=True, eq=False)
class _Signs:
    """The signs of the pairs (c, d), and of the full coalition as the last row."""

    first: Coalitions | PackedCoalitions

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.first) + 1, self.first.shape[1]

    def __getitem__(self, part: Any) -> Floats:
        rows = np.arange(len(self.first) + 1)[part]
        signs, of_pairs = np.ones((len(rows), self.first.shape[1])), rows < len(self.first)
        signs[of_pairs] = np.where(self.first[rows[of_pairs]], 1.0, -1.0)
        return signs


@dataclass(frozen=True, eq=False)
class _Odd:
    """Half the difference of the answers to the members of each pair (c + 1, t), the ends last."""

    answers: Answers[Pairs]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.answers.design.first) + 1, self.answers.outputs.shape[1]

    def __getitem__(self, part: Any) -> Floats:
        answers, n_pairs = self.answers, len(self.answers.design.first)
        rows = np.arange(n_pairs + 1)[part]
        of_pairs = rows < n_pairs
        members = 2 * rows[of_pairs, None] + np.arange(2)
        found = np.empty((len(rows), self.shape[1]))
        found[of_pairs] = answers.design.odd(answers.outputs[members.ravel()])
        found[~of_pairs] = (answers.full - answers.empty) / 2
        return found


def _terms(fit: Fit, influence: Influence) -> Callable[[Ints], tuple[Floats, Floats]]:
    """Of some pairs, as `Strata.variance` asks for them."""
    return lambda pairs: (influence[pairs], fit.left_out(pairs))


def _fractions(strata: Strata) -> Floats:
    """(c,): the fraction of all pairs that each sampled pair stands for, by its size."""
    d, size = strata.d, strata.size
    # In logarithms, since binomials overflow past a thousand features.
    of_all = gammaln(d + 1) - gammaln(size + 1) - gammaln(d - size + 1) - (d - 1) * np.log(2)
    return np.asarray(strata.half * np.exp(of_all) / strata.drawn)
