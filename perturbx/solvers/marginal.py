"""Shapley values as mean marginal contributions along random orders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx.designs import Chains, Design
from perturbx.solvers._answers import Answers, Scores
from perturbx.solvers._base import Solver
from perturbx.solvers._exact import exact_shapley
from perturbx.solvers._moderation import moderated


@dataclass(frozen=True)
class MarginalContributions(Solver):
    """What a feature adds when it joins, averaged over orders read forwards and backwards.

    Castro, Gomez & Tejada (Computers & Operations Research 36, 2009), antithetic as in
    Mitchell, Cooper, Frank & Holmes (JMLR 23:43, 2022). Unbiased; the scores sum to
    v(all) - v(none) because each chain does; a feature that never changes the output scores 0
    to the last bit. On a complete design the exact Shapley values are computed.

    Standard errors: the variance of the c chains' estimates, moderated by a prior worth two
    chains from the two readings of each chain and the other features, with c + 1 degrees of
    freedom. Without that, chains that happen to agree would report an error of zero. One chain:
    NaN. Where all readings of all features agree, the game is taken to be additive from eight
    chains on, unless all steps have one size, as those of a single threshold do.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.designs import Evaluations
    >>> from perturbx.samplers import Permutations
    >>> from perturbx.solvers import MarginalContributions
    >>> design = Permutations().draw(4, 12, np.random.default_rng(0))
    >>> answers = Evaluations.of_game(design, lambda z: z[:, 0] & z[:, 1])
    >>> MarginalContributions().solve(answers).values.ravel()
    array([0.5, 0.5, 0. , 0. ])
    """

    reads = (Chains,)
    additive = True

    def exact(self, answers: Answers[Design]) -> Scores:
        return exact_shapley(answers)

    def estimate(self, answers: Answers[Chains]) -> Scores:
        outputs, empty, full = answers.outputs, answers.empty, answers.full
        readings = answers.design.contributions(outputs, empty, full)
        estimates, n_chains = readings.mean(axis=1), len(readings)
        values = estimates.mean(axis=0)
        errors = np.full_like(values, np.nan)
        if n_chains > 1:
            squares = (estimates - values) ** 2
            halves = (readings[:, 0] - readings[:, 1]) / 2
            errors = np.sqrt(moderated(squares, n_chains - 1, halves**2, estimates) / n_chains)
        return Scores(
            values,
            errors,
            degrees_of_freedom=float(n_chains + 1),
            estimator=f"{n_chains:,} permutations, each read both ways",
        )
