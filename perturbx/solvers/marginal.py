"""Shapley values as mean marginal contributions along random orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from perturbx._typing import Floats, Orders
from perturbx.designs import Chains, Design, Evaluations
from perturbx.solvers._base import Solution, Solver, floor
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

    def exact(self, evaluations: Evaluations) -> Solution:
        return exact_shapley(evaluations)

    def estimate(self, evaluations: Evaluations) -> Solution:
        design = evaluations.design
        assert isinstance(design, Chains)
        estimates, halves = _estimates(evaluations, design.place)
        n_chains, d, _ = estimates.shape
        shape = (d, *evaluations.full.shape)
        values = np.moveaxis(estimates.mean(axis=0).reshape(shape), 0, 1)
        errors = np.moveaxis(_errors(estimates, halves).reshape(shape), 0, 1)
        return Solution(
            values=values,
            standard_errors=np.maximum(errors, floor(evaluations)),
            base=evaluations.empty,
            degrees_of_freedom=float(n_chains + 1),
            estimator=f"{n_chains:,} permutations, each read both ways",
        )


def _estimates(evaluations: Evaluations, place: Orders) -> tuple[Floats, Floats]:
    """(c, d, n * k): the mean over both readings of what each feature adds, and half their gap."""
    n_chains, d = place.shape
    targets = evaluations.full.size
    along = np.empty((n_chains, 2, d + 1, targets))
    along[:, :, 0] = evaluations.empty.ravel()
    along[:, :, 1:-1] = evaluations.outputs.reshape(n_chains, 2, d - 1, targets)
    along[:, :, -1] = evaluations.full.ravel()
    steps = np.diff(along, axis=2)
    forwards = np.take_along_axis(steps[:, 0], place[:, :, None], axis=1)
    backwards = np.take_along_axis(steps[:, 1], d - 1 - place[:, :, None], axis=1)
    return (forwards + backwards) / 2, (forwards - backwards) / 2


def _errors(estimates: Floats, halves: Floats) -> Floats:
    """(d, n * k): from the moderated variance of the chains."""
    n_chains = len(estimates)
    if n_chains < 2:
        return np.full(estimates.shape[1:], np.nan)
    squares = (estimates - estimates.mean(axis=0)) ** 2
    variance = moderated(squares, n_chains - 1, halves**2, estimates)
    return np.asarray(np.sqrt(variance / n_chains))
