"""The contract of a solver: what it is given and what it returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, ScoreKind
from perturbx.designs import Design, Evaluations
from perturbx.errors import RejectPerturbations
from perturbx.result import Interactions

D_co = TypeVar("D_co", bound=Design, covariant=True)


@dataclass(frozen=True, eq=False)
class Solution:
    """Scores of n instances, d features and k outputs.

    Parameters
    ----------
    values : (n, d, k) array
        The scores.
    standard_errors : (n, d, k) array
        The error from having tried only some perturbations: NaN where it cannot be estimated,
        `Evaluations.floor` where all of them were tried.
    base : (n, k) array
        What the scores are added to: the empty output, or the intercept of a local fit.
    degrees_of_freedom : float
        Of the t distribution behind the intervals; inf for the normal.
    fidelity : (n, k) array or None
        Weighted R2 of the local fit, where there is one.
    effective_samples : float or None
        (sum of weights)^2 / sum of squared weights, where there is a local fit.
    estimator : str
        How the scores were computed, such as "exact, all 4,096 coalitions".
    background_errors : (n, d, k) array or None
        The standard error from the background being a sample of rows, where the solver sees
        single rows.
    interactions : Interactions or None
        Scores of pairs of features, where they were asked for.
    heavy_tails : (n, k) bool array or None
        Where a few outputs hold most of the variation, so that errors were enlarged.
    score_kind : "shares" or "slopes"
        Whether a score is a share of the output or its change, or a slope per unit of noise.
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
    score_kind: ScoreKind = "shares"

    def of(self, chosen: NDArray[np.bool_]) -> Solution:
        """The solution of some of the instances."""
        names = ("values", "standard_errors", "base", "fidelity", "background_errors")
        arrays = {name: getattr(self, name) for name in (*names, "heavy_tails")}
        pairs = self.interactions
        return replace(
            self,
            interactions=None if pairs is None else pairs.map(lambda array: array[chosen]),
            **{name: array[chosen] for name, array in arrays.items() if array is not None},
        )


@dataclass(frozen=True, eq=False)
class Answers(Generic[D_co]):
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
        The output of each background row, where these are known.
    row_weights : (B,) array or None
        The weight of each background row, 1 in total; None if they are equal.
    """

    design: D_co
    outputs: Floats
    full: Floats
    empty: Floats
    floor: Floats
    shape: tuple[int, int]
    empty_rows: Floats | None = None
    row_weights: Floats | None = None

    @classmethod
    def of(cls, evaluations: Evaluations) -> Answers[Design]:
        n, k = evaluations.full.shape
        rows = evaluations.empty_rows
        return Answers(
            evaluations.design,
            evaluations.outputs.reshape(len(evaluations.outputs), n * k),
            evaluations.full.ravel(),
            evaluations.empty.ravel(),
            evaluations.floor.ravel(),
            (n, k),
            None if rows is None else rows.reshape(len(rows), n * k),
            evaluations.row_weights,
        )


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of d features for t targets, of which the base class makes a `Solution`.

    Parameters
    ----------
    values : (d, t) array
    errors : (d, t) array or None
        Standard errors, NaN where unknown; None where nothing was sampled.
    base : (t,) array or None
        What the scores are added to; None for the empty output.
    background_errors : (d, t) array or None
    fidelity : (t,) array or None
    estimator, degrees_of_freedom, effective_samples, interactions, score_kind
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


class Solver(ABC):
    """Turns the model's answers into scores. Pure algebra: no model, no random numbers.

    A solver is a frozen dataclass whose fields are its settings. The same evaluations give the
    same solution. It declares the classes of designs that it `reads`; `solve` refuses others, so
    `estimate` may rely on the class of its design.
    """

    reads: ClassVar[tuple[type[Design], ...]]
    """The classes of designs from which `estimate` computes scores."""

    additive: bool = False
    """True if base + sum of the scores is the full output, whatever was sampled."""

    samples: bool = True
    """True if its errors are sampling errors, and shrink with the root of the perturbations."""

    needs_background_rows: ClassVar[bool] = False
    """True if it needs the output of each background row, and not of their average alone."""

    scores_pairs: ClassVar[bool] = False
    """True if it scores pairs of features too."""

    def working(self, n_features: int) -> float:
        """About how many float64 numbers `solve` holds at once for each perturbation."""
        return 0.0

    def linear(self) -> Solver:
        """A solver of the same designs whose scores are linear in the outputs.

        The explainer solves parts of the background with it, to estimate how far the scores would
        move with another background.
        """
        return self

    def solve(self, evaluations: Evaluations) -> Solution:
        """Scores with standard errors, for all instances and outputs at once.

        Raises
        ------
        RejectPerturbations
            If the solver does not read such designs, or the design is empty.
        """
        answers = Answers.of(evaluations)
        scores, (n, k) = self.scores(answers), answers.shape
        unknown = np.full_like(scores.values, np.nan)
        errors = np.zeros_like(scores.values) if scores.errors is None else scores.errors
        background = scores.background_errors
        arrays = np.stack(
            [
                scores.values,
                np.maximum(errors, answers.floor),
                unknown if background is None else background,
            ]
        )
        values, errors, known = np.moveaxis(arrays.reshape(3, -1, n, k), 1, 2)
        return Solution(
            values,
            errors,
            base=(answers.empty if scores.base is None else scores.base).reshape(n, k),
            degrees_of_freedom=scores.degrees_of_freedom,
            fidelity=None if scores.fidelity is None else scores.fidelity.reshape(n, k),
            effective_samples=scores.effective_samples,
            estimator=scores.estimator,
            background_errors=None if background is None else known,
            interactions=scores.interactions,
            score_kind=scores.score_kind,
        )

    def scores(self, answers: Answers[Any]) -> Scores:
        """`exact` for a complete design, where the solver has it, or else `estimate`.

        One feature has no coalition except the empty and the full one, so it gets the whole gain.

        Raises
        ------
        RejectPerturbations
            As `solve`.
        """
        design = answers.design
        exact = self.exact(answers) if design.complete else None
        if exact is not None:
            return exact
        name = type(self).__name__
        check_reads(type(design), self.reads, name)
        if len(design):
            return self.estimate(answers)
        if not design.complete:
            raise RejectPerturbations(
                f"{name} needs some perturbations: got none. Draw more with the sampler "
                f"{design.drawn_by}."
            )
        return Scores((answers.full - answers.empty)[None], estimator="exact, one feature")

    def exact(self, answers: Answers[Design]) -> Scores | None:
        """The scores from every coalition; None if the solver has no formula for them."""
        return None

    @abstractmethod
    def estimate(self, answers: Answers[Any]) -> Scores:
        """Scores with standard errors from a design that the solver reads, and that is not empty.

        Annotate the design that is read: ``def estimate(self, answers: Answers[Pairs])``.
        """


def check_reads(
    design: type[Design], reads: tuple[type[Design], ...], solver: str, sampler: str = ""
) -> None:
    """Refuse a class of designs, which `sampler` draws, unless the solver reads it.

    Raises
    ------
    RejectPerturbations
        Naming the classes that are read, and the samplers that draw them.
    """
    if issubclass(design, reads):
        return
    names = " or ".join(read.__name__ for read in reads)
    samplers = " or ".join(read.drawn_by for read in reads if read.drawn_by)
    source = f" from the sampler {sampler}" if sampler else ""
    cure = f" Use the sampler {samplers}." if samplers else ""
    raise RejectPerturbations(f"{solver} reads {names}: got {design.__name__}{source}.{cure}")
