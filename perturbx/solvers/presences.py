"""How the output depends on the presence of one feature, the others at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from perturbx._typing import Floats
from perturbx.designs import CoalitionDesign, Design, Independent, SoftMasks
from perturbx.solvers._answers import Answers, Noise, Scores
from perturbx.solvers._base import Solver

_MOST_NUMBERS = 2**18
"""Columns are processed in blocks of so many numbers."""


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
        return 2.0 * n_features

    def estimate(self, answers: Answers[SoftMasks | Independent]) -> Scores:
        z, outputs = answers.design.z.astype(np.float64, copy=False), answers.outputs
        m, p = len(z), answers.design.p
        means = z.T @ outputs / m
        variance = np.maximum((z**2).T @ outputs**2 / m - means**2, 0.0) / max(m - 1, 1)
        errors = np.sqrt(variance) if m > 1 else np.full_like(means, np.nan)
        return Scores(
            means / p,
            errors / p,
            f"means over {m:,} random masks",
            degrees_of_freedom=float(max(m - 1, 1)),
            noise=_noise(answers, z / (m * p)),
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
        return 1.0 * n_features

    def estimate(self, answers: Answers[Design]) -> Scores:
        z = answers.design.z.astype(np.float64, copy=False)
        moves, m = centered(answers.outputs, answers.floor), len(z)
        step = max(1, _MOST_NUMBERS // m)
        blocks = [z[:, start : start + step] for start in range(0, z.shape[1], step)]
        slopes, errors = map(np.concatenate, zip(*(_slopes(b, moves) for b in blocks), strict=True))
        noise = None
        if answers.variances is not None:
            change = centered(z)
            squares = (change**2).sum(axis=0)
            noise = _noise(answers, change / np.where(squares > 0, squares, 1.0))
        return Scores(
            slopes,
            errors,
            f"slopes over {m:,} random masks",
            degrees_of_freedom=float(max(m - 2, 1)),
            noise=noise,
        )


def _noise(answers: Answers[Any], influence: Floats) -> Noise | None:
    """What random answers add, (m, d) of which is `influence`: the residuals show it."""
    if answers.variances is None:
        return None
    total = (influence**2).T @ answers.variances.outputs
    return Noise(total, np.zeros_like(total))


def _slopes(z: Floats, answers: Floats) -> tuple[Floats, Floats]:
    """(d, t) least-squares slopes of centered answers on each column alone, and their errors."""
    change = centered(z)
    squares = (change**2).sum(axis=0)
    scale = np.where(squares > 0, squares, 1.0)
    slopes = change.T @ answers / scale[:, None]
    spare = 1 - 1 / len(z) - change**2 / scale
    known = (squares > 0) & (spare.min(axis=0) > 1e-9)
    weights = np.where(known, change / np.where(known, spare, 1.0), 0.0) ** 2
    # (answers - slopes * change)^2, summed with weights, without a loop over targets
    total = weights.T @ answers**2
    total -= 2 * slopes * ((weights * change).T @ answers)
    total += slopes**2 * (weights * change**2).sum(axis=0)[:, None]
    errors = np.sqrt(np.maximum(total, 0.0)) / scale[:, None]
    errors[~known] = np.nan
    return slopes, errors


def centered(columns: Floats, rounding: Floats | float = 0.0) -> Floats:
    """Columns less their means; columns that are constant up to rounding become 0."""
    moved = np.ptp(columns, axis=0) > rounding
    return np.asarray(np.where(moved, columns - columns.mean(axis=0), 0.0))
