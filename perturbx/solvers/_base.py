"""The contract of a solver, what it is given and what it answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, ScoreKind
from perturbx.designs import Design, Evaluations
from perturbx.errors import RejectPerturbations
from perturbx.result import Interactions


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


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers to a design for t targets: the n instances times the k outputs.

    Parameters
    ----------
    design : Design
        m perturbations of d features.
    outputs : (m, t) array
    full, empty : (t,) arrays
        The outputs with everything and with nothing present; `empty` is NaN for noise.
    floor : (t,) array
        The standard error of exact arithmetic.
    shape : (n, k)
    empty_rows : (B, t) array or None
        The output of each background row, where they are told apart.
    row_weights : (B,) array or None
        How much each background row counts, adding up to 1; None if all count the same.
    """

    design: Design
    outputs: Floats
    full: Floats
    empty: Floats
    floor: Floats
    shape: tuple[int, int]
    empty_rows: Floats | None = None
    row_weights: Floats | None = None

    @classmethod
    def of(cls, evaluations: Evaluations) -> Answers:
        n, k = evaluations.full.shape
        rows = evaluations.empty_rows
        return cls(
            evaluations.design,
            evaluations.outputs.reshape(len(evaluations.outputs), n * k),
            evaluations.full.ravel(),
            evaluations.empty.ravel(),
            floor(evaluations).ravel(),
            (n, k),
            None if rows is None else rows.reshape(len(rows), n * k),
            evaluations.row_weights,
        )


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of d features for t targets; the base class makes a `Solution` of them.

    Parameters
    ----------
    values : (d, t) array
    errors : (d, t) array or None
        Standard errors, NaN where unknown; None where nothing was sampled.
    estimator : str
        What was computed, in words.
    base : (t,) array or None
        What the scores are added to; None for the empty output.
    background_errors : (d, t) array or None
    fidelity : (t,) array or None
    degrees_of_freedom, effective_samples, interactions, score_kind
        As in `Solution`.
    """

    values: Floats
    errors: Floats | None = None
    estimator: str = ""
    base: Floats | None = None
    background_errors: Floats | None = None
    fidelity: Floats | None = None
    degrees_of_freedom: float = np.inf
    effective_samples: float | None = None
    interactions: Interactions | None = None
    score_kind: ScoreKind = "shares"

    def solution(self, answers: Answers) -> Solution:
        """The same for each instance and output, with errors no smaller than rounding."""
        n, k = answers.shape

        def by_instance(array: Floats) -> Floats:
            return np.moveaxis(array.reshape(-1, n, k), 0, 1)

        errors = np.zeros_like(self.values) if self.errors is None else self.errors
        background, fidelity = self.background_errors, self.fidelity
        return Solution(
            values=by_instance(self.values),
            standard_errors=by_instance(np.maximum(errors, answers.floor)),
            base=(answers.empty if self.base is None else self.base).reshape(n, k),
            degrees_of_freedom=self.degrees_of_freedom,
            fidelity=None if fidelity is None else fidelity.reshape(n, k),
            effective_samples=self.effective_samples,
            estimator=self.estimator,
            background_errors=None if background is None else by_instance(background),
            interactions=self.interactions,
            score_kind=self.score_kind,
        )


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
        answers = Answers.of(evaluations)
        return self.scores(answers).solution(answers)

    def scores(self, answers: Answers) -> Scores:
        """The exact way for a complete design, where there is one, or else the estimate.

        Raises
        ------
        RejectPerturbations
            As `solve`.
        """
        exact = self.exact(answers) if answers.design.complete else None
        if exact is not None:
            return exact
        check_design(answers.design, self.reads, type(self).__name__)
        return self.estimate(answers)

    def exact(self, answers: Answers) -> Scores | None:
        """The scores from every coalition; None if the solver knows no way of its own to them."""
        return None

    @abstractmethod
    def estimate(self, answers: Answers) -> Scores:
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
