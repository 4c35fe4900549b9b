"""How the output depends on the presence of one feature, the others at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx.designs import CoalitionDesign, Design, Independent, SoftMasks
from perturbx.solvers._answers import Answers, Noise, Scores
from perturbx.solvers._base import Solver
from perturbx.solvers._strata import slices

_LEAST = 1e-9
"""A perturbation with no more than this left after its leverage determines a slope alone."""


@dataclass(frozen=True)
class PresenceMeans(Solver):
    """The mean output, weighted by the presence of a feature: RISE's scores.

    ``sum_i f_i z_ij / (m p)`` over m perturbations, where p is the expected presence with which
    the design was drawn (Petsiuk, Das & Saenko, BMVC 2018, equation 6). Scores are relative: all
    of them include the mean output, and how often a feature happened to be present. `base` is the
    empty output; the scores do not sum to the output.

    Standard errors are those of a mean of independent draws; NaN for a single draw.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.designs import Evaluations, Independent
    >>> z = np.array([[True, False], [False, True]])
    >>> answers = Evaluations(
    ...     Independent(z, p=0.5),
    ...     outputs=np.array([3.0, 1.0]).reshape(2, 1, 1),
    ...     full=np.array([[4.0]]),
    ...     empty=np.array([[0.0]]),
    ... )
    >>> PresenceMeans().solve(answers).values.ravel()
    array([3., 1.])
    """

    reads = (SoftMasks, Independent)

    def working(self, n_features: int, n: int) -> float:
        return 4.0

    def estimate(self, answers: Answers[SoftMasks | Independent]) -> Scores:
        design, outputs, p = answers.design, answers.outputs, answers.design.p
        m, d = len(design), design.n_features
        first, second, noise = np.zeros((3, d, outputs.shape[1]))
        for part in slices(m, d):
            z = design.tile(part).astype(np.float64, copy=False)
            first += z.T @ outputs[part]
            second += (z**2).T @ outputs[part] ** 2
            if answers.variances is not None:
                noise += ((z / (m * p)) ** 2).T @ answers.variances.outputs[part]
        means = first / m
        variance = np.maximum(second / m - means**2, 0.0) / max(m - 1, 1)
        errors = np.sqrt(variance) if m > 1 else np.full_like(means, np.nan)
        return Scores(
            means / p,
            errors / p,
            f"means over {m:,} random masks",
            degrees_of_freedom=float(max(m - 1, 1)),
            noise=None if answers.variances is None else Noise(noise, np.zeros_like(noise)),
        )


@dataclass(frozen=True)
class PresenceSlopes(Solver):
    """How much the output rises with the presence of a feature: covariance over variance.

    Unlike RISE's average, the scores do not depend on a constant added to the output, nor on how
    often a feature happened to be present. They estimate the output with the feature present less
    the output without it, averaged over random presences of the others (with its neighbors, where
    presence is smooth). `base` is the empty output; the scores do not sum to the output.

    Standard errors are those of a least-squares slope, adjusted for leverage (HC3: MacKinnon &
    White, Journal of Econometrics 29, 1985). A feature that never changed scores 0 and has none.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.designs import Evaluations
    >>> from perturbx.samplers import BernoulliMasks
    >>> design = BernoulliMasks().draw(2, 2000, np.random.default_rng(0))
    >>> answers = Evaluations.of_game(design, lambda z: z @ [3.0, 0.0] + 7)
    >>> bool(np.allclose(PresenceSlopes().solve(answers).values.ravel(), [3, 0], atol=0.2))
    True
    """

    reads = (SoftMasks, CoalitionDesign)

    def working(self, n_features: int, n: int) -> float:
        return 4.0

    def estimate(self, answers: Answers[Design]) -> Scores:
        presences, moves = Presences.of(answers.design), centered(answers.outputs, answers.floor)
        (m, d), t, variances = presences.shape, moves.shape[1], answers.variances
        squares, cross = np.zeros(d), np.zeros((d, t))
        for part in slices(m, d):
            change = presences[part]
            squares += (change**2).sum(axis=0)
            cross += change.T @ moves[part]
        scale = np.where(squares > 0, squares, 1.0)
        slopes, known = cross / scale[:, None], squares > 0
        largest = np.zeros(d)
        total, across, of_noise = np.zeros((3, d, t))
        curved = np.zeros(d)
        for part in slices(m, d):
            change = presences[part]
            largest = np.maximum(largest, (change**2).max(axis=0))
            spare = 1 - 1 / m - change**2 / scale
            weights = (change / np.where(spare > _LEAST, spare, 1.0)) ** 2
            # (moves - slopes * change)^2, summed with weights, without a loop over targets
            total += weights.T @ moves[part] ** 2
            across += (weights * change).T @ moves[part]
            curved += (weights * change**2).sum(axis=0)
            if variances is not None:
                of_noise += ((change / scale) ** 2).T @ variances.outputs[part]
        known &= 1 - 1 / m - largest / scale > _LEAST
        total += slopes**2 * curved[:, None] - 2 * slopes * across
        errors = np.sqrt(np.maximum(total, 0.0)) / scale[:, None]
        errors[~known] = np.nan
        return Scores(
            slopes,
            errors,
            f"slopes over {m:,} random masks",
            degrees_of_freedom=float(max(m - 2, 1)),
            noise=None if variances is None else Noise(of_noise, np.zeros_like(of_noise)),
        )


@dataclass(frozen=True, eq=False)
class Presences:
    """The `z` (m, d) of a design less its means, made a part at a time."""

    design: Design
    mean: Floats
    """(d,)"""
    moved: NDArray[np.bool_]
    """(d,): False where a feature never changed; its column is 0."""

    @classmethod
    def of(cls, design: Design) -> Presences:
        m, d = len(design), design.n_features
        total, low, high = np.zeros(d), np.full(d, np.inf), np.full(d, -np.inf)
        for part in slices(m, d):
            z = design.tile(part)
            total += z.sum(axis=0)
            low, high = np.minimum(low, z.min(axis=0)), np.maximum(high, z.max(axis=0))
        return cls(design, total / m, high > low)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.design), len(self.mean)

    def __getitem__(self, part: slice) -> Floats:
        return np.where(self.moved, self.design.tile(part) - self.mean, 0.0)


def centered(columns: Floats, rounding: Floats | float = 0.0) -> Floats:
    """Columns less their means; columns that are constant up to rounding become 0."""
    moved = np.ptp(columns, axis=0) > rounding
    return np.asarray(np.where(moved, columns - columns.mean(axis=0), 0.0))
