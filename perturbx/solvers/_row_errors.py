"""Errors of chains that each run along one background row: permutations and rows told apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx.solvers._moderation import PRIOR_DEGREES, RATIO, moderated
from perturbx.solvers._row_predictions import Prediction

_PRIOR_REPEATS = 2
"""How many repeated rows the two readings stand for, until there are repeated rows."""

_MOST_WORTH = 40
"""How many repeated rows the division among features is worth, at most."""

_ROUNDING = 1e-10
"""Totals are the same if they differ by no more than this fraction of the largest."""


@dataclass(frozen=True, eq=False)
class Spread:
    """Variances (d, t), and what they say about a mean over chains.

    Parameters
    ----------
    sampling : (d, t) array
        The variance of the scores, from permutations and from rows that have no chain yet.
    between : (d, t) array
        The variance between rows of their own scores.
    n_chains, n_rows : int
        How many chains there are, and background rows.
    """

    sampling: Floats
    between: Floats
    n_chains: int
    n_rows: int

    @classmethod
    def of_some_rows(
        cls, contributions: Floats, gaps: Floats, found: Prediction, n_rows: int
    ) -> Spread:
        """C chains along c different rows, fewer than there are.

        The rows are drawn without replacement, so their spread counts by the fraction not drawn;
        that of permutations counts whole.

        Parameters
        ----------
        contributions : (c, d, t) array
            What each feature adds in each chain, a mean over the two readings.
        gaps : (c, d, t) array
            What chains show of the noise of permutations: `permutation_gaps`.
        found : Prediction
            The scores, and what they were predicted by.
        n_rows : int
            How many background rows there are.
        """
        n_chains = len(contributions)
        degrees = n_chains - 1.0
        about = (contributions - contributions.mean(axis=0)) ** 2
        total = moderated(found.squares, degrees, gaps, contributions)
        noise = np.minimum(moderated(found.squares[:0], 0.0, gaps, contributions), total)
        drawn = n_chains / n_rows
        sampling = ((1 - drawn) * total + drawn * noise) * found.scale + found.beyond
        between = moderated(about, degrees, gaps, contributions) - noise
        return cls(sampling, np.maximum(between, 0.0), n_chains, n_rows)

    @classmethod
    def of_all_rows(cls, contributions: Floats, gaps: Floats, row: Ints, times: Ints) -> Spread:
        """Each row has a chain or more: what is left is the noise of permutations.

        Chains that share a row show it, but at first they are few. So `gaps` say how it is divided
        among features, and the repeated rows how large it is.
        """
        n_chains, n_rows = len(row), len(times)
        sums = np.zeros((n_rows, *contributions.shape[1:]))
        np.add.at(sums, row, contributions)
        means = sums / times[:, None, None]
        within = (contributions - means[row]) ** 2
        degrees = float(n_chains - n_rows)
        if n_rows == 1:
            noise = moderated(within, degrees, gaps, contributions)
        else:
            guess = RATIO / (1 - RATIO) * gaps.mean(axis=0, keepdims=True)
            within = np.concatenate([within, np.repeat(guess, _PRIOR_REPEATS, axis=0)])
            degrees += _PRIOR_REPEATS
            worth = float(min(n_rows, _MOST_WORTH))
            noise = moderated(within, degrees, gaps, contributions, worth)
        inverse = float((1 / times).mean())
        spread = means.var(axis=0, ddof=1) if n_rows > 1 else np.zeros_like(noise)
        between = np.maximum(spread - noise * inverse, 0.0)
        return cls(noise * inverse / n_rows, between, n_chains, n_rows)

    @property
    def degrees_of_freedom(self) -> float:
        repeated = self.n_chains - self.n_rows
        return float(max(repeated, min(self.n_chains, self.n_rows) - 1, 0) + PRIOR_DEGREES)

    def errors(self) -> Floats:
        """(d, t): of the mean over these background rows; NaN from one chain."""
        if self.n_chains < 2:
            return np.full_like(self.sampling, np.nan)
        return np.asarray(np.sqrt(self.sampling))

    def background_errors(self) -> Floats:
        """(d, t): of these rows as a sample of all there could be; NaN from one chain or row."""
        if min(self.n_chains, self.n_rows) < 2:
            return np.full_like(self.between, np.nan)
        return np.asarray(np.sqrt(self.between / self.n_rows))


def permutation_gaps(contributions: Floats, halves: Floats, totals: Floats) -> Floats:
    """(c, d, t): what each chain shows of the noise of permutations.

    Half the difference between its two readings, squared; and the difference between it and a
    chain that adds up to the same, since that may have run along an equal row. Votes, for one, have
    two readings that always agree.

    Parameters
    ----------
    contributions, halves : (c, d, t) arrays
        Mean and half difference of the two readings.
    totals : (c, t) array
        What each chain adds up to.
    """
    order = totals.argsort(axis=0, kind="stable")
    ranked = np.take_along_axis(totals, order, axis=0)
    is_same = np.diff(ranked, axis=0) <= _ROUNDING * np.abs(totals).max(axis=0)
    gaps = halves**2
    if is_same.any():
        steps = np.diff(np.take_along_axis(contributions, order[:, None], axis=0), axis=0)
        gaps[1:] += is_same[:, None] * steps**2 / (2 * RATIO)
    return gaps
