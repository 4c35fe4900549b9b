"""The Gaussian copula: how columns of normal scores depend, and how some follow others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx.maskers._marginals import Marginal

_RIDGE = 1e-6
"""Added to the variance of each score, so that copies of a column share what they tell."""

_PRIOR_ROWS = 10.0
"""How many rows of a neighborhood the correlations of all rows count for."""

_MOST_NUMBERS = 2**19
"""Matrices of coalitions are built in blocks of so many numbers."""


@dataclass(frozen=True, eq=False)
class Copula:
    """Normal scores of the columns of a table, jointly Gaussian.

    Given the scores x_S of some columns, the others are drawn by moving a row b that was drawn
    from the joint distribution (Matheron's rule; Doucet, "A note on efficient conditional
    simulation of Gaussian distributions", 2010)::

        score_A = b_A + gain (x_S - b_S),    gain = C_AS inverse(C_SS)

    It has the conditional distribution exactly, whatever S is, and one row b serves every S: so
    the differences between coalitions do not depend on which rows were drawn. With S empty it is
    b, and with columns that are independent it is b too.

    Parameters
    ----------
    marginals : tuple of d Marginal
    covariance : (d, d) array
        Of the scores of the cells (`shrunk_covariance`).
    """

    marginals: tuple[Marginal, ...]
    covariance: Floats

    def shift(
        self,
        rows: Floats,
        given: Floats,
        known: NDArray[np.bool_],
        covariance: Floats | None = None,
    ) -> Floats:
        """(c, b, d): what is added to each score, once the known ones are as given.

        Parameters
        ----------
        rows, given : (b, d) or (c, b, d) array
            Mean scores of the rows that are moved, and the scores that are given.
        known : (c, d) bool array
            The columns that are given; nothing is added to them.
        covariance : (c, d, d) array, optional
            One for each coalition, where it is not the same everywhere.
        """
        (c, d), apart = known.shape, given - rows
        wide = np.broadcast_to(apart, (c, *apart.shape[-2:]))
        out, step = np.empty(wide.shape), max(1, _MOST_NUMBERS // d**2)
        for start in range(0, c, step):
            part = slice(start, start + step)
            own = self.covariance if covariance is None else covariance[part]
            # Not a product of matrices, whose rounding depends on how many rows there are.
            np.einsum("cas,cbs->cba", gains(own, known[part]), wide[part], out=out[part])
        return out


def gains(covariance: Floats, known: NDArray[np.bool_]) -> Floats:
    """(c, d, d): how each score follows the known ones of each coalition; 0 for all others.

    The covariance is (d, d), or (c, d, d): one for each coalition.

    The symmetric sweep operator (Beaton, 1964; Goodnight, The American Statistician 33, 1979),
    on many coalitions at once: it rounds the same however many there are, and on any number of
    threads.
    """
    size = known.sum(axis=1)
    turn = np.argsort(-size, kind="stable")
    pivots = np.argsort(~known[turn], axis=1, kind="stable")
    d = known.shape[1]
    swept = np.broadcast_to(covariance, (len(known), d, d))[turn].copy()
    for step in range(int(size.max(initial=0))):
        n = int(np.count_nonzero(size > step))
        each, pivot = np.arange(n), pivots[:n, step]
        row = swept[each, pivot]
        divided = row / row[each, pivot][:, None]
        swept[:n] -= row[:, :, None] * divided[:, None, :]
        swept[each, pivot] = divided
        swept[each, :, pivot] = divided
        swept[each, pivot, pivot] = -1 / row[each, pivot]
    found = np.empty_like(swept)
    found[turn] = swept
    found *= ~known[:, :, None] & known[:, None, :]
    return found


def local_covariances(rows: Floats, covariance: Floats, effective: Floats) -> Floats:
    """(c, d, d): the covariance of each of c sets of b rows (c, b, d), shrunk to that of all rows.

    `effective` (c,) is how many rows each set is worth; the correlations of all rows count for
    `_PRIOR_ROWS` more.
    """
    about = rows - rows.mean(axis=1, keepdims=True)
    own = np.einsum("cbi,cbj->cij", about, about) / rows.shape[1]
    scale = np.sqrt(np.einsum("cii->ci", own)) / np.sqrt(np.diag(covariance))
    kept = (effective / (effective + _PRIOR_ROWS))[:, None, None]
    found = kept * own + (1 - kept) * covariance * scale[:, :, None] * scale[:, None, :]
    return np.asarray(found + _RIDGE * np.eye(rows.shape[2]))


def shrunk_covariance(scores: Floats) -> Floats:
    """(d, d): the covariance of (n, d) scores, their correlations shrunk as chance demands.

    Correlations move towards 0 by the share of them that the sample accounts for (Schaefer &
    Strimmer, Statistical Applications in Genetics and Molecular Biology 4, 2005, target D), so
    that there may be fewer rows than columns. Constant columns go with nothing.
    """
    n, d = scores.shape
    about = scores - scores.mean(axis=0)
    scale = np.sqrt((about**2).mean(axis=0))
    varies = scale > 1e-12
    about = np.divide(about, scale, out=np.zeros_like(about), where=varies)
    scale = np.where(varies, scale, 1.0)
    correlation = about.T @ about / n
    chance = ((about**2).T @ about**2 / n - correlation**2) / max(n - 1, 1)
    apart = ~np.eye(d, dtype=bool)
    total = float((correlation[apart] ** 2).sum())
    kept = 1 - min(1.0, max(float(chance[apart].sum()), 0.0) / total) if total and n > 1 else 0.0
    correlation = np.where(apart, kept * correlation, 1 + _RIDGE)
    return np.asarray(correlation * scale * scale[:, None])
