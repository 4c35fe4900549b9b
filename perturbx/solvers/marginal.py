"""Shapley values as mean marginal contributions along random orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx.designs import AntitheticChains, Chains, ConsistentChains, Design, DownSets, Sums
from perturbx.solvers._answers import Answers, Noise, Scores
from perturbx.solvers._base import Solver
from perturbx.solvers._chain_sums import ChainSums, numbers_kept, summed_chains
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

    Orders that are consistent with a partial order give asymmetric Shapley values (Frye, Rowat &
    Feige, NeurIPS 2020), with an error of rounding for features that one chain settles. From
    every coalition that can occur (`DownSets`) they are exact.

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

    reads = (Chains, ConsistentChains)
    additive = True
    sums_up = True

    def kept(self, n_features: int, n: int, n_background: int) -> float:
        return numbers_kept(1, n_features)

    def exact(self, answers: Answers[Design]) -> Scores:
        design = answers.design
        if not isinstance(design, DownSets):
            return exact_shapley(answers)
        return Scores(
            design.contributions(answers.outputs, answers.empty, answers.full),
            estimator=f"exact, all {len(design) + 2:,} coalitions that can occur",
            noise=_noise_of_all(design, answers),
        )

    def summed(self, answers: Answers[AntitheticChains], before: Sums | None = None) -> ChainSums:
        row = np.zeros(len(answers.design.place), dtype=np.intp)
        return summed_chains(answers, row, answers.empty[None], before)

    def estimate(self, answers: Answers[AntitheticChains]) -> Scores:
        design, sums = answers.design, answers.sums or self.summed(answers)
        assert isinstance(sums, ChainSums)
        consistent = "consistent " if isinstance(design, ConsistentChains) else ""
        return Scores(
            sums.means[0],
            _errors(design.blocks, sums),
            degrees_of_freedom=float(sums.n_chains + 1),
            estimator=f"{sums.n_chains:,} {consistent}permutations, each read both ways",
            noise=_noise(answers),
        )


def _errors(blocks: Sequence[Ints], sums: ChainSums) -> Floats:
    """(d, t): standard errors; features of one block support each other."""
    errors, spread = np.zeros(sums.means.shape[1:]), sums.spread
    for block in blocks:
        errors[block] = np.nan
        if sums.n_chains > 1:
            variance = moderated(spread.of_features(block), sums.n_chains - 1)
            errors[block] = np.sqrt(variance / sums.n_chains)
    return errors


def _noise_of_all(design: DownSets, answers: Answers[Design]) -> Noise | None:
    """What random answers add where every coalition that can occur was asked."""
    variances = answers.variances
    if variances is None:
        return None
    table = np.concatenate([variances.empty[None], variances.outputs, variances.full[None]])
    added = design.influence.T**2 @ table
    return Noise(added, added)


def _noise(answers: Answers[AntitheticChains]) -> Noise | None:
    """What random answers add: those along the chains show in their spread, the ends do not."""
    variances, design = answers.variances, answers.design
    if variances is None:
        return None
    n_readings = 2 * len(design.place)
    along = design.doubts(variances.outputs).sum(axis=(0, 1)) / n_readings**2
    first, last = (design.ends.sum(axis=1) / n_readings)[..., None] ** 2
    unseen = first * variances.empty + last * variances.full
    total = along + unseen
    settled = np.setdiff1d(np.arange(design.n_features), np.concatenate(design.blocks or [[]]))
    unseen[settled] = total[settled]
    return Noise(total, unseen)
