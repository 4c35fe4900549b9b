"""Errors of chains that each run along one background row: permutations and rows told apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._typing import Floats, Ints

_POOLED = 2.0
"""A variance is moderated by the mean over features, as if of so many more chains."""

_READING = 0.5
"""The noise of a chain read both ways, as a share of what its readings' half difference shows.

An interaction of q features leaves 1 - 2 / q of it: nothing of pairs, half of four features.
"""

_PRIOR_REPEATS = 3.0
"""How many repeated rows that share is worth, until repeated rows show it."""

_MOST_WORTH = 40
"""How many repeated rows the division among features is worth, at most."""


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
        cls,
        about: Floats,
        residual: Floats,
        noise: Floats,
        spent: Floats,
        scale: Floats,
        n_rows: int,
    ) -> Spread:
        """C chains along c different rows, fewer than there are.

        The rows are drawn without replacement, so their spread counts by the share not drawn;
        that of permutations counts whole, and only the two readings of each chain tell it.
        """
        n_chains = len(residual)
        degrees = np.maximum(n_chains - spent, 0.5)
        total = _moderated((residual**2).sum(axis=0), degrees)
        raw = _moderated((about**2).sum(axis=0), max(n_chains - 1.0, 0.5))
        noise = np.minimum(_moderated(n_chains * _READING * noise, n_chains), total)
        drawn = n_chains / n_rows
        sampling = ((1 - drawn) * total + drawn * noise) * scale
        return cls(sampling, np.maximum(raw - noise, 0.0), n_chains, n_rows)

    @classmethod
    def of_all_rows(
        cls, contributions: Floats, about: Floats, noise: Floats, row: Ints, times: Ints
    ) -> Spread:
        """Each row has a chain or more: what is left is the noise of permutations.

        Chains that share a row show it, but at first they are few. So the two readings of all
        chains say how it is divided among features, and the repeated rows how large it is.
        """
        n_chains, n_rows = len(row), len(times)
        sums = np.zeros((n_rows, *contributions.shape[1:]))
        np.add.at(sums, row, contributions)
        means = sums / times[:, None, None]
        within = ((contributions - means[row]) ** 2).sum(axis=0)
        repeated = n_chains - n_rows
        if n_rows == 1:
            permutation = _moderated(within, max(repeated, 1))
            return cls(permutation / n_chains, np.zeros_like(within), n_chains, n_rows)
        total = (about**2).sum(axis=0) / (n_chains - 1)
        guess = np.minimum(noise, total)
        expected = guess.sum(axis=0)
        ratio = (within.sum(axis=0) + _PRIOR_REPEATS * _READING * expected) / np.maximum(
            (repeated + _PRIOR_REPEATS) * expected, 1e-300
        )
        guess = guess * np.minimum(ratio, 1.0)
        worth = min(n_rows, _MOST_WORTH)
        prior = 0.5 * (guess + guess.mean(axis=0))
        permutation = (within + worth * prior) / (repeated + worth)
        inverse = float((1 / times).mean())
        between = np.maximum(means.var(axis=0, ddof=1) - permutation * inverse, 0.0)
        return cls(permutation * inverse / n_rows, between, n_chains, n_rows)

    @property
    def degrees_of_freedom(self) -> float:
        repeated = self.n_chains - self.n_rows
        return float(max(repeated, min(self.n_chains, self.n_rows) - 1, 0) + _POOLED)

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


def _moderated(squares: Floats, degrees: Floats | float) -> Floats:
    variance = squares / degrees
    return np.asarray((squares + _POOLED * variance.mean(axis=0)) / (degrees + _POOLED))
