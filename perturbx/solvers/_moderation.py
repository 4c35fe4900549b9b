"""Variances of a few permutations, moderated by their two readings and by other features."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtrit

from perturbx._typing import Floats, Ints

PRIOR_DEGREES = 2.0
"""The prior is worth at least so many permutations, counted in the degrees of freedom."""

_MOST_DEGREES = 4.0
_FEATURES_PER_DEGREE = 3.0
"""It is worth more where many features vary alike, up to that."""

RATIO, _RATIO_DEGREES = 1 / 3, 4.0
"""A first guess of the variance of two readings' mean over that of one reading, and its worth.

An interaction of q features has (q - 2) / (2 q - 2): nothing for pairs, a quarter for three, half
for many.
"""

_UNSEEN = 0.5
"""How many permutations of typical size are added to those that were seen (Jeffreys' prior)."""

_FEWEST = 8
"""Fewer permutations than this may agree by chance."""

_ROUNDING = 1e-6
"""Readings agree if they differ by no more than this fraction of the largest contribution."""


@dataclass(frozen=True, eq=False)
class Spread:
    """How n contributions of d features vary, for t targets.

    Parameters
    ----------
    n : int
    squares : (d, t) array
        Their squared deviations, summed.
    noise : (d, t) array
        The squares of half the difference between the readings of each permutation, summed.
    fourths : (d, t) array
        The squares of all of both, summed.
    largest : (d, t) array
        The largest of both.
    contributions : (r, d, t) array
        Means of the two readings; or means of several, which serve where those agree.
    """

    n: int
    squares: Floats
    noise: Floats
    fourths: Floats
    largest: Floats
    contributions: Floats

    @classmethod
    def of(cls, squares: Floats, noise: Floats, contributions: Floats) -> Spread:
        """Of (m, d, t) squared deviations, and (n, d, t) squares of half differences."""
        return cls(
            len(contributions),
            squares.sum(axis=0),
            noise.sum(axis=0),
            (squares**2).sum(axis=0) + (noise**2).sum(axis=0),
            np.maximum(squares.max(axis=0, initial=0.0), noise.max(axis=0)),
            contributions,
        )

    def with_noise(self, more: Floats, usual: Floats) -> Spread:
        """With more noise (r, d, t) of permutations whose noise is `usual` (r, d, t)."""
        return replace(
            self,
            noise=self.noise + more.sum(axis=0),
            fourths=self.fourths + (more * (2 * usual + more)).sum(axis=0),
            largest=np.maximum(self.largest, more.max(axis=0)),
        )

    def with_guesses(self, guess: Floats, times: int) -> Spread:
        """With the squared deviation `guess` (d, t) added so many times."""
        return replace(
            self,
            squares=self.squares + times * guess,
            fourths=self.fourths + times * guess**2,
            largest=np.maximum(self.largest, guess),
        )

    def of_features(self, features: Ints) -> Spread:
        """Of some of the features."""
        return Spread(
            self.n,
            self.squares[features],
            self.noise[features],
            self.fourths[features],
            self.largest[features],
            self.contributions[:, features],
        )


def moderated(spread: Spread, degrees: float, worth: float = PRIOR_DEGREES) -> Floats:
    """(d, t): the variance of each feature's contribution, for `degrees` + `worth` degrees.

    A few permutations may agree by chance, so that their own variance is 0. But their two readings
    vary more, and so do other features. Each variance is therefore moderated by a prior: the
    variance of the feature's single readings, times the ratio between the two kinds of variance
    over all features. Half a permutation is added in which a feature changes as much as those
    that change typically do, even where most do not: what is rare may not have been seen yet. The
    more features support a prior, the shorter the intervals, as in Smyth (Statistical
    Applications in Genetics and Molecular Biology 3, 2004).

    Where no reading differs from any other, either the game is additive, or the same feature
    crossed its thresholds each time. It counts as additive from eight permutations on, if
    contributions have several sizes; else each contribution could have been 0 in one permutation
    more.

    Parameters
    ----------
    spread : Spread
    degrees : float
        The degrees of freedom of its squares, at least 0.
    worth : float
        How many permutations the prior is worth.
    """
    n, own, contributions = spread.n, spread.squares, spread.contributions
    of_readings = (own + spread.noise) / n
    total = of_readings.sum(axis=0)
    typical = _ratio(spread.fourths.sum(axis=0), n * total)
    n_alike = _ratio(total**2, (of_readings**2).sum(axis=0))
    is_tied = own <= _ROUNDING**2 * of_readings
    tied = _RATIO_DEGREES * (of_readings * is_tied).sum(axis=0)
    ratio = _ratio(own.sum(axis=0) + RATIO * tied, degrees * total + tied)
    variance = (own + worth * ratio * of_readings) / (degrees + worth)
    variance += _UNSEEN * ratio * typical / (n + 1)
    supported = np.clip(n_alike / _FEATURES_PER_DEGREE, PRIOR_DEGREES, _MOST_DEGREES)
    gained = np.maximum(supported - worth, 0.0)
    reach = stdtrit(degrees + worth + gained, 0.975) / stdtrit(degrees + worth, 0.975)
    variance *= reach**2
    largest = np.abs(contributions).max(axis=(0, 1))
    varies = (spread.largest > (_ROUNDING * largest) ** 2).any(axis=0)
    if varies.all():
        return np.asarray(variance)
    size = np.abs(contributions)
    smallest = np.where(size > _ROUNDING * largest, size, np.inf).min(axis=(0, 1))
    may_be_chance = ~varies & ((n < _FEWEST) | (smallest >= largest * (1 - _ROUNDING)))
    if may_be_chance.any():
        of_one = (contributions[:, :, may_be_chance] ** 2).mean(axis=0)
        usual = _ratio((of_one**2).sum(axis=0), of_one.sum(axis=0))
        variance[:, may_be_chance] = np.maximum(of_one, usual) / (n + 1)
    return np.asarray(variance)


def _ratio(above: Floats, below: Floats) -> Floats:
    """0 where nothing varies."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
