"""What a solver is given, and what it returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints, ScoreKind
from perturbx.designs import Design, Evaluations, Sums, Variances
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
    noise_errors : (n, d, k) array or None
        The part of `standard_errors` that comes from answers being random, where they are.
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
    noise_errors: Floats | None = None

    def of(self, chosen: NDArray[np.bool_]) -> Solution:
        """The solution of some of the instances."""
        names = ("values", "standard_errors", "base", "fidelity", "background_errors")
        arrays = {name: getattr(self, name) for name in (*names, "heavy_tails", "noise_errors")}
        pairs = self.interactions
        return replace(
            self,
            interactions=None if pairs is None else pairs.map(lambda array: array[chosen]),
            **{name: array[chosen] for name, array in arrays.items() if array is not None},
        )

    def with_draws(self, freedom: float) -> Solution:
        """The solution where background rows are draws of what is absent.

        Their error, of so many degrees of freedom, then is a part of the standard errors, NaN
        where it is unknown. The same draws serve all coalitions, so that it is an error of the
        scores, not of each answer by itself. Degrees follow Satterthwaite (1946).
        """
        added = self.background_errors
        added = np.full_like(self.standard_errors, np.nan) if added is None else added
        seen, more = (float(np.nansum(e**2)) for e in (self.standard_errors, added))
        spread = seen**2 / self.degrees_of_freedom + more**2 / freedom
        before = np.zeros_like(added) if self.noise_errors is None else self.noise_errors
        return replace(
            self,
            standard_errors=np.hypot(self.standard_errors, added),
            degrees_of_freedom=(seen + more) ** 2 / spread if spread else np.inf,
            background_errors=None,
            noise_errors=np.hypot(before, added),
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
    variances : Variances or None
        How far each answer is from its expectation, with an axis (t,) of targets; None if answers
        are exact.
    sums : Sums or None
        What the solver asked for in place of the outputs, which then are none.
    """

    design: D_co
    outputs: Floats
    full: Floats
    empty: Floats
    floor: Floats
    shape: tuple[int, int]
    empty_rows: Floats | None = None
    row_weights: Floats | None = None
    variances: Variances | None = None
    sums: Sums | None = None

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
            None if evaluations.variances is None else evaluations.variances.flat(),
            evaluations.sums,
        )

    def only(self, targets: Ints) -> Answers[D_co]:
        """The answers for some targets, as of so many instances with one output each."""
        rows, variances = self.empty_rows, self.variances
        return replace(
            self,
            outputs=self.outputs[:, targets],
            full=self.full[targets],
            empty=self.empty[targets],
            floor=self.floor[targets],
            shape=(len(targets), 1),
            empty_rows=None if rows is None else rows[:, targets],
            variances=None if variances is None else variances.of(targets),
        )


@dataclass(frozen=True, eq=False)
class Noise:
    """What random answers add to the variance of scores: (d, t) arrays.

    Parameters
    ----------
    total : (d, t) array
        The variance of the scores if nothing but the answers were random.
    unseen : (d, t) array
        The part of it that `Scores.errors` do not contain yet. Residuals show the noise of the
        answers that were fitted, so a solver that estimates its errors from them counts that once.
    """

    total: Floats
    unseen: Floats

    def of(self, targets: Ints | NDArray[np.bool_]) -> Noise:
        """The same for some of the targets."""
        return Noise(self.total[:, targets], self.unseen[:, targets])

    def replaced(self, targets: Ints, by: Noise) -> Noise:
        """With that of some targets replaced."""
        total, unseen = self.total.copy(), self.unseen.copy()
        total[:, targets], unseen[:, targets] = by.total, by.unseen
        return Noise(total, unseen)

    @classmethod
    def joined(cls, parts: Sequence[Noise | None]) -> Noise | None:
        """Of targets one after another; None if there is none."""
        known = [part for part in parts if part is not None]
        if not known:
            return None
        names = ("total", "unseen")
        return cls(*(np.concatenate([getattr(p, name) for p in known], axis=1) for name in names))


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
    noise : Noise or None
        What random answers add, where `Answers.variances` are given.
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
    noise: Noise | None = None
