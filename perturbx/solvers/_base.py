"""The contract of a solver, and what it answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, ScoreKind
from perturbx.designs import Design, Evaluations
from perturbx.errors import RejectPerturbations
from perturbx.interactions import Interactions


@dataclass(frozen=True, eq=False)
class Solution:
    """Scores of n instances, d features and k outputs.

    Parameters
    ----------
    values : (n, d, k) array
        The scores.
    standard_errors : (n, d, k) array
        The error that comes from having tried only some perturbations; NaN where too few were
        drawn to know, `floor` where all of them were.
    base : (n, k) array
        What the scores are added to: the empty output, or the intercept of a local fit.
    degrees_of_freedom : float
        Of the t distribution behind the intervals; inf for the normal.
    fidelity : (n, k) array or None
        Weighted R2 of the local fit, where there is one.
    effective_samples : float or None
        (sum of weights)^2 / sum of squared weights, where there is a local fit.
    estimator : str
        What was computed, in words, such as "exact, all 4,096 coalitions".
    background_errors : (n, d, k) array or None
        The error that comes from the background being a sample of rows, where the solver sees
        single rows and can tell.
    interactions : Interactions or None
        Scores of pairs of features, where they were asked for.
    rounding : (n, k) array or None
        The rounding of an output, which the explainer adds: a score no larger than that is 0.
    heavy_tails : (n, k) bool array or None
        Where a few outputs hold most of the variation, so that errors were raised.
    score_kind : "shares" or "slopes"
        Whether a score is a part of the output or its change, or a slope per unit of noise.
    """

    values: Floats
    standard_errors: Floats
    base: Floats
    degrees_of_freedom: float = np.inf
    fidelity: Floats | None = None
    effective_samples: float | None = None
    estimator: str = ""
    background_errors: Floats | None = None
    interactions: Interactions | None = None
    heavy_tails: NDArray[np.bool_] | None = None
    rounding: Floats | None = None
    score_kind: ScoreKind = "shares"


class Solver(ABC):
    """Reads the model's answers. Pure algebra: it never sees the model and draws nothing.

    A solver is a frozen dataclass whose fields are its settings. The same evaluations give the
    same solution. It declares the classes of designs that it `reads`; `solve` refuses others, so
    `estimate` and `exact` need not look whether a design is what its class says.
    """

    reads: ClassVar[tuple[type[Design], ...]]
    """The classes of designs from which `estimate` computes scores."""

    additive: bool = False
    """True if base + sum of the scores promises to be the full output."""

    samples: bool = True
    """True if its errors are those of a sample, and shrink with the root of the perturbations."""

    def working(self, n_features: int) -> float:
        """About how many float64 numbers `solve` holds at once for each perturbation."""
        return 0.0

    def linear(self) -> Solver:
        """A solver of the same designs whose scores are linear in the outputs.

        The explainer gives it the outputs of parts of the background, to find how far the scores
        would move with another background.
        """
        return self

    def solve(self, evaluations: Evaluations) -> Solution:
        """Scores with standard errors, for all instances and outputs at once.

        Raises
        ------
        RejectPerturbations
            If the design is none of those that the solver reads, or holds nothing.
        """
        design = evaluations.design
        if design.complete:
            solution = self.exact(evaluations)
            if solution is not None:
                return solution
        check_design(design, self.reads, type(self).__name__)
        return self.estimate(evaluations)

    def exact(self, evaluations: Evaluations) -> Solution | None:
        """The scores from every coalition; None if the solver knows no way of its own to them."""
        return None

    @abstractmethod
    def estimate(self, evaluations: Evaluations) -> Solution:
        """Scores with standard errors from a design that is read, and not empty."""


def check_reads(
    design: type[Design], reads: tuple[type[Design], ...], solver: str, sampler: str = ""
) -> None:
    """Refuse a class of designs, which `sampler` draws, if it is none of those that are read.

    Raises
    ------
    RejectPerturbations
        Naming what is read, and the samplers that draw it.
    """
    if issubclass(design, reads):
        return
    names = " or ".join(read.__name__ for read in reads)
    samplers = " or ".join(read.drawn_by for read in reads if read.drawn_by)
    source = f" from the sampler {sampler}" if sampler else ""
    cure = f" Use the sampler {samplers}." if samplers else ""
    raise RejectPerturbations(f"{solver} reads {names}: got {design.__name__}{source}.{cure}")


def check_design(design: Design, reads: tuple[type[Design], ...], solver: str) -> None:
    """Refuse a design that is not read, or that holds nothing though there is something to try.

    Raises
    ------
    RejectPerturbations
    """
    check_reads(type(design), reads, solver)
    if not len(design) and not design.complete:
        raise RejectPerturbations(
            f"{solver} needs some perturbations: got none. Draw more with the sampler "
            f"{design.drawn_by}."
        )


def floor(evaluations: Evaluations) -> Floats:
    """(n, 1, k): the standard error of exact arithmetic, the largest rounding of an output."""
    rounding = evaluations.rounding
    largest = np.maximum(
        rounding.of(evaluations.full), np.nan_to_num(rounding.of(evaluations.empty))
    )
    if len(evaluations.outputs):
        for ends in (evaluations.outputs.max(axis=0), evaluations.outputs.min(axis=0)):
            largest = np.maximum(largest, rounding.of(ends))
    return np.asarray(largest[:, None, :])
