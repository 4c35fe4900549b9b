"""The gradient of the output, smoothed by noise: SmoothGrad without gradients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from perturbx._typing import Floats
from perturbx.designs import NoiseDraws
from perturbx.solvers._answers import Answers, Noise, Scores
from perturbx.solvers._base import Solver
from perturbx.solvers._weighted_rows import Moments, WeightedRows

_MOST_NUMBERS = 2**18

_FEWEST = 2.0
"""No fewer degrees of freedom, of which the t distribution has no finite variance."""

_LARGEST = 1 - 1e-9
"""A cluster of more leverage alone determines a slope, and its residual tells nothing."""


@dataclass(frozen=True)
class NoiseGradient(Solver):
    """The mean gradient over Gaussian noise, as the slopes of a least-squares fit.

    SmoothGrad (Smilkov et al., 2017) averages the gradient of f over Gaussian noise u around the
    instance. By Stein's identity (Stein, Annals of Statistics 9, 1981, lemma 1) that average is
    E[f(x + s u) u] / s, the gradient of the smoothed f, and these are also the slopes of the
    linear function that is nearest to f in mean square over the noise. No gradient is needed, f
    may have jumps, and f need not be nearly linear.

    `base` is the smoothed output. A feature that never moved scores 0 and has no standard error.
    Errors are sandwich errors adjusted for leverage (HC2: MacKinnon & White, 1985), clustered by
    draws and their mirror images, so that curvature, which cancels out of a pair's difference,
    does not enlarge them. Where f grows faster than the noise, few pairs carry the variance of a
    score: its errors are enlarged to the t distribution of as many degrees of freedom as these
    have (Satterthwaite, 1946), since one explanation has the same degrees for all scores.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.designs import Evaluations
    >>> from perturbx.samplers import GaussianNoise
    >>> from perturbx.solvers import NoiseGradient
    >>> design = GaussianNoise().draw(2, 2000, np.random.default_rng(0))
    >>> answers = Evaluations.of_game(design, lambda z: 3 * z[:, 0] + z[:, 1] ** 2)
    >>> NoiseGradient().solve(answers).values.ravel().round(2) + 0.0
    array([3., 0.])
    """

    reads = (NoiseDraws,)
    reads_blocks = True

    def estimate(self, answers: Answers[NoiseDraws]) -> Scores:
        design, outputs, variances = answers.design, answers.outputs, answers.variances
        moments = Moments.of(design, outputs)
        moves = np.ptp(outputs, axis=0) > answers.floor
        inverse = np.asarray(np.linalg.pinv(moments.gram, hermitian=True), dtype=np.float64)
        slopes = inverse @ np.where(moves, moments.cross, 0.0)
        variance, fourth, added = np.zeros((3, *slopes.shape))
        n_clusters, d = 0, design.n_features
        doubt = None if variances is None else variances.outputs
        for block in moments.rows(doubt):
            influence = block.rows @ inverse
            residual = np.where(moves, block.answers - block.rows @ slopes, 0.0)
            for sums, more in zip(
                (variance, fourth), _squares(block, influence, residual), strict=True
            ):
                sums += more
            n_clusters += len(block.first)
            if block.doubt is not None:
                added += (influence**2).T @ block.doubt
        degrees = float(max(n_clusters - d, 1))
        errors = np.sqrt(variance) * _reach(variance, fourth, n_clusters, d, degrees)
        errors[np.diag(moments.gram) == 0] = np.nan
        if n_clusters <= d:
            errors[:] = np.nan
        return Scores(
            slopes,
            errors,
            f"mean gradient over {len(design):,} noisy copies",
            base=moments.mean - moments.center @ slopes,
            degrees_of_freedom=degrees,
            score_kind="slopes",
            noise=None if doubt is None else Noise(added, np.zeros_like(added)),
        )


def _squares(block: WeightedRows, influence: Floats, residual: Floats) -> tuple[Floats, Floats]:
    """(d, t): the sums over clusters of the square, and of the fourth power, of what each adds."""
    first, (d, t) = block.first, (influence.shape[1], residual.shape[1])
    leverage = np.add.reduceat(np.einsum("ij,ij->i", influence, block.rows), first)
    spare = np.sqrt(1 - np.minimum(leverage, _LARGEST))
    variance, fourth = np.zeros((2, d, t))
    ends, step = np.append(first, len(influence)), max(1, _MOST_NUMBERS // (2 * d * t))
    for start in range(0, len(first), step):
        stop = min(start + step, len(first))
        rows = slice(ends[start], ends[stop])
        each = influence[rows, :, None] * residual[rows, None]
        added = np.add.reduceat(each, first[start:stop] - ends[start], axis=0)
        squares = (added / spare[start:stop, None, None]) ** 2
        variance += squares.sum(axis=0)
        fourth += (squares**2).sum(axis=0)
    return variance, fourth


def _reach(variance: Floats, fourth: Floats, n: int, d: int, degrees: float) -> Floats:
    """(d, t): by what errors grow, since few of n clusters may carry most of a variance."""
    equal = np.full_like(variance, 1 / n)
    unequal = np.divide(fourth, variance**2, out=equal, where=variance > 0) - 1 / n
    own = np.divide(2.0, unequal, out=np.full_like(unequal, np.inf), where=unequal > 0) - d
    own = np.clip(own, min(_FEWEST, degrees), degrees)
    return np.asarray(stdtrit(own, 0.975) / stdtrit(degrees, 0.975))
