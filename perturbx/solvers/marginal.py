"""Shapley values as mean marginal contributions along random orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from perturbx._typing import Floats, Orders
from perturbx.designs import Chains, Design
from perturbx.solvers._base import Answers, Scores, Solver
from perturbx.solvers._exact import exact_shapley
from perturbx.solvers._moderation import moderated


@dataclass(frozen=True)
class MarginalContributions(Solver):
    """What a feature adds when it joins, averaged over orders read forwards and backwards.

    Castro, Gomez & Tejada (Computers & Operations Research 36, 2009), antithetic as in
    Mitchell, Cooper, Frank & Holmes (JMLR 23:43, 2022). Unbiased; the scores add up to
    v(all) - v(none) because each chain does; a feature that never changes the output scores 0
    to the last bit. On a complete design the exact Shapley values are computed.

    Standard errors: the variance of the c chains' estimates, moderated by two chains' worth of
    what the two readings of each chain and the other features show, with c + 1 degrees of freedom.
    Without that, chains that happen to agree would report an error of zero. One chain: NaN. Where
    all readings of all features agree, the game is taken for an additive one from eight chains on,
    unless all steps have one size, as those of a single threshold do.

    Raises
    ------
    RejectPerturbations
        If the perturbations are not such chains.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.designs import Evaluations
    >>> from perturbx.samplers import Permutations
    >>> from perturbx.solvers import MarginalContributions
    >>> design = Permutations().draw(4, 12, np.random.default_rng(0))
    >>> both = design.z[:, 0] & design.z[:, 1]
    >>> answers = Evaluations(
    ...     design,
    ...     outputs=both.astype(float).reshape(12, 1, 1),
    ...     full=np.array([[1.0]]),
    ...     empty=np.array([[0.0]]),
    ... )
    >>> MarginalContributions().solve(answers).values.ravel()
    array([0.5, 0.5, 0. , 0. ])
    """

    reads: ClassVar[tuple[type[Design], ...]] = (Chains,)
    additive = True

    def exact(self, answers: Answers) -> Scores:
        return exact_shapley(answers)

    def estimate(self, answers: Answers) -> Scores:
        design = answers.design
        assert isinstance(design, Chains)
        estimates, halves = _estimates(answers, design.place)
        n_chains = len(estimates)
        return Scores(
            estimates.mean(axis=0),
            _errors(estimates, halves),
            degrees_of_freedom=float(n_chains + 1),
            estimator=f"{n_chains:,} permutations, each read both ways",
        )


def _estimates(answers: Answers, place: Orders) -> tuple[Floats, Floats]:
    """(c, d, t): the mean over both readings of what each feature adds, and half their gap."""
    n_chains, d = place.shape
    targets = len(answers.full)
    along = np.empty((n_chains, 2, d + 1, targets))
    along[:, :, 0] = answers.empty
    along[:, :, 1:-1] = answers.outputs.reshape(n_chains, 2, d - 1, targets)
    along[:, :, -1] = answers.full
    steps = np.diff(along, axis=2)
    forwards = np.take_along_axis(steps[:, 0], place[:, :, None], axis=1)
    backwards = np.take_along_axis(steps[:, 1], d - 1 - place[:, :, None], axis=1)
    return (forwards + backwards) / 2, (forwards - backwards) / 2


def _errors(estimates: Floats, halves: Floats) -> Floats:
    """(d, t): from the moderated variance of the chains."""
    n_chains = len(estimates)
    if n_chains < 2:
        return np.full(estimates.shape[1:], np.nan)
    squares = (estimates - estimates.mean(axis=0)) ** 2
    variance = moderated(squares, n_chains - 1, halves**2, estimates)
    return np.asarray(np.sqrt(variance / n_chains))
