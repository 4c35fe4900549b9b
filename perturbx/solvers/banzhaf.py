"""Banzhaf values from the pairs of coalitions that Shapley values are computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import gammaln

from perturbx._typing import Floats
from perturbx.designs import Design, Pairs
from perturbx.solvers._base import Answers, Scores, Solver
from perturbx.solvers._corrected_fit import Total, fits
from perturbx.solvers._exact import _table
from perturbx.solvers._strata import Strata


@dataclass(frozen=True)
class BanzhafRegression(Solver):
    """What a feature adds to a coalition of the others, every coalition as likely: Banzhaf values.

    Banzhaf (Rutgers Law Review 19, 1965): the mean of v(S with i) - v(S) over all 2^(d-1) S
    without i; equally, twice the slopes in z of the least-squares fit to all coalitions (Hammer
    & Holzman, Zeitschrift für Operations Research 36, 1992). They do not add up to v(all) -
    v(none), but no other such mean changes less when the model's answers are noisy (Wang & Jia,
    AISTATS 2023).

    With z in {-1, 1} and g(z) = (v(S) - v(complement of S)) / 2 they are twice the mean of z g
    over all pairs. Pairs were drawn for Shapley values, every size equally often, so a line in z
    is fitted first (a ridge, of a strength that leave-one-out chooses for each output), and the
    mean of what it leaves is estimated with each size weighted by how many coalitions have it.
    That is right on average for any game, and exact for an additive one once pairs outnumber
    features. A complete design gives the exact values.

    Standard errors are the jackknife's, within strata of coalition size, corrected for sampling
    without replacement. With fewer than d + 2 pairs they are NaN.

    Raises
    ------
    RejectPerturbations
        If the perturbations are not pairs of complementary coalitions.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.designs import Evaluations
    >>> from perturbx.samplers import ShapleyCoalitions
    >>> from perturbx.solvers import BanzhafRegression
    >>> design = ShapleyCoalitions().draw(3, 6, np.random.default_rng(0))
    >>> majority = design.z.sum(axis=1) >= 2
    >>> answers = Evaluations(
    ...     design, 1.0 * majority.reshape(6, 1, 1), np.array([[1.0]]), np.array([[0.0]])
    ... )
    >>> BanzhafRegression().solve(answers).values.ravel()
    array([0.5, 0.5, 0.5])
    """

    reads: ClassVar[tuple[type[Design], ...]] = (Pairs,)

    def working(self, n_features: int) -> float:
        return 3.0 * n_features

    def exact(self, answers: Answers) -> Scores:
        return _exact(answers)

    def estimate(self, answers: Answers) -> Scores:
        design, outputs = answers.design, answers.outputs
        assert isinstance(design, Pairs)
        first = design.first
        n_pairs, d = first.shape
        half_gain = (answers.full - answers.empty) / 2
        odd = np.vstack([(outputs[0::2] - outputs[1::2]) / 2, half_gain])
        # The pair of the full and the empty coalition is one of them all, with its own weight.
        rows = np.where(np.vstack([first, np.ones((1, d), dtype=bool)]), 1.0, -1.0)
        strata = Strata.of(rows > 0)
        total = Total(2.0, 2 * _share(strata)[:, None] * rows, rows)
        values, variance = np.empty((2, d, odd.shape[1]))
        for fit in fits(rows, np.ones(len(rows)), odd):
            values[:, fit.targets] = fit.estimate(total)
            variance[:, fit.targets] = np.nan
            if fit.determined and n_pairs >= d + 2:
                influence, r = fit.influence(total), fit.left_out
                variance[:, fit.targets] = strata.covariance(influence, r, influence, r)
        return Scores(
            values,
            np.sqrt(np.maximum(variance, 0.0)),
            degrees_of_freedom=float(max(n_pairs - d + 1, 1)),
            estimator=f"Banzhaf regression on {n_pairs:,} pairs of coalitions",
        )


def _share(strata: Strata) -> Floats:
    """(c,): the part of all pairs that each sampled pair stands for, by their size."""
    d, size = strata.d, strata.size
    # In logarithms, since binomials overflow past a thousand features.
    of_all = gammaln(d + 1) - gammaln(size + 1) - gammaln(d - size + 1) - (d - 1) * np.log(2)
    return np.asarray(strata.half * np.exp(of_all) / strata.drawn)


def _exact(answers: Answers) -> Scores:
    """The definition; differences before sums, so that what changes nothing scores 0."""
    game, d, t = _table(answers), answers.design.n_features, len(answers.full)
    values = np.empty((d, t))
    for feature in range(d):
        table = game.reshape(2**feature, 2, -1, t)
        values[feature] = (table[:, 1] - table[:, 0]).mean(axis=(0, 1))
    return Scores(values, estimator=f"exact, all {2**d:,} coalitions")
