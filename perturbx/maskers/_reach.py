"""Which training rows stand for the absent columns, once some columns are known."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from perturbx._typing import Coalitions, Floats, Ints


class Reach(ABC):
    """Weights of training rows, by how well they fit what is known of an instance."""

    @abstractmethod
    def weights(self, given: Floats, known: Coalitions) -> Floats:
        """(c, n): the weight of each training row under c coalitions of known columns.

        They are at least 0, and all equal if nothing is known. Those of a coalition do not depend,
        to the last bit, on which others come with it. `given` (d,) are the instance's scores.
        """


def every(n: int, most: int, rng: np.random.Generator) -> Ints:
    """Every k-th of n, from a random one on: at most so many."""
    b = min(n, most)
    return np.asarray(((np.arange(b) + rng.random()) * (n / b)).astype(np.intp))


def systematic(weights: Floats, b: int, start: float) -> Ints:
    """(c, b): rows drawn by weights (c, n), each as often as its weight asks for, up to rounding.

    The sample is systematic (Madow, Annals of Mathematical Statistics 20, 1949), and begins at the
    fraction `start` of a step for all coalitions. So draw r is at the same place of all their
    distributions, and the spread between draws tells the error of the scores. Where neighboring
    rows are alike, the squared error of scores from 30 draws is a quarter to a half of that of
    independent draws, and about that of a start of its own for each coalition.
    """
    at = (np.arange(b) + start) / b
    found = np.empty((len(weights), b), dtype=np.intp)
    for row, ends in zip(found, np.cumsum(weights, axis=1), strict=True):
        row[:] = np.searchsorted(ends[:-1], at * ends[-1], side="right")
    return found


def exact_sums(numbers: Floats) -> Floats:
    """Numbers below a million, rounded so that their sums do not depend on their order."""
    return np.asarray(np.rint(numbers * 2.0**30) / 2.0**30)
