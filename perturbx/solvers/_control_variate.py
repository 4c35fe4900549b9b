"""Mean contributions over all background rows, from some of them and the totals of all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._typing import Floats

_PRIOR_CHAINS = 2.0
"""How many chains the first guess of the slopes is worth."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """Scores over B rows of d features and t targets, from c rows.

    Parameters
    ----------
    scores : (d, t) array
        Their sum is the mean total of all rows.
    squares : (c, d, t) array
        Squared errors of predicting each row from the others.
    scale : (t,) array
        The variance of a score over that of an error of prediction.
    beyond : (t,) array
        The variance from rows whose totals are unlike any that were asked, so that no feature is
        known to cause them.
    """

    scores: Floats
    squares: Floats
    scale: Floats
    beyond: Floats


def predict_all_rows(
    contributions: Floats, totals: Floats, every: Floats, *, unbiased: bool
) -> Prediction:
    """Regress the contributions (c, d, t) of c rows on their totals (c, t), of `every` (B, t).

    The line is evaluated at the mean total of all rows: a control variate. Its slopes depend on
    the same rows as the gap between the two mean totals, which is a bias. `unbiased` avoids it.
    Rows are asked in random order, so any of them could have been the last. Given the others, the
    last is equally likely to be any of the rows left. So its contributions, less the prediction
    of a line fitted to the others, plus the mean prediction of that line, estimate the mean over
    the rows left. With those of the others they sum to the mean total. The scores are the mean
    over the choice of the last row.
    """
    c, n_rows = len(totals), len(every)
    prior = _PRIOR_CHAINS * every.var(axis=0)
    mean, mean_total = contributions.mean(axis=0), totals.mean(axis=0)
    about, off = contributions - mean, totals - mean_total
    slopes = _slopes_without_each(contributions, about, off, prior)
    spread = (off**2).sum(axis=0) + prior
    spread = np.where(spread > 0, spread, 1.0)
    gap = every.mean(axis=0) - mean_total
    if unbiased:
        left = n_rows - c + 1
        unseen = (every.sum(axis=0) - totals.sum(axis=0) + totals) / left
        last = contributions - slopes * (totals - unseen)[:, None]
        scores = ((c - 1) * mean + left * last.mean(axis=0)) / n_rows
    else:
        shares = shares_of((about**2).sum(axis=0) + mean**2, (contributions**2).sum(axis=0))
        cross = np.einsum("ct,cdt->dt", off, about)
        scores = mean + (cross + prior * shares) / spread * gap
    # About the means without the row, errors are c / (c - 1) times as large.
    squares = (about - slopes * off[:, None]) ** 2
    # A score may include all or nothing of how far totals lie outside the range of those asked,
    # by more than their deviation.
    reach = totals.std(axis=0, ddof=1) if c > 1 else np.zeros(totals.shape[1])
    above = np.maximum(every - (totals.max(axis=0) + reach), 0.0).mean(axis=0)
    below = np.maximum((totals.min(axis=0) - reach) - every, 0.0).mean(axis=0)
    return Prediction(scores, squares, 1 / c + gap**2 / spread, (above**2 + below**2) / 4)


def _slopes_without_each(
    contributions: Floats, about: Floats, off: Floats, prior: Floats
) -> Floats:
    """(c, d, t): slopes on the total, each fitted to the other rows, whose sum is 1.

    With few rows they shrink towards each feature's fraction of the squares.
    """
    c = len(contributions)
    others = max(c - 1, 1)
    grown = c / others
    squares = (off**2).sum(axis=0) - grown * off**2
    squares = np.maximum(squares, 0.0)[:, None] + prior
    cross = np.einsum("ct,cdt->dt", off, about) - grown * off[:, None] * about
    spread = np.maximum((about**2).sum(axis=0) - grown * about**2, 0.0)
    means = contributions.mean(axis=0) - about / others
    shares = shares_of(spread + means**2, (contributions**2).sum(axis=0))
    slopes = (cross + prior * shares) / np.where(squares > 0, squares, 1.0)
    return np.where(squares > 0, slopes, shares)


def shares_of(squares: Floats, of_all: Floats) -> Floats:
    """Squares (..., d, t) as fractions of their sum over the features.

    Where they are all 0, those of the squares `of_all` (d, t); equal ones if these are 0 too.
    """
    of_all = np.where(of_all.sum(axis=0) > 0, of_all, 1.0)
    squares = np.where(squares.sum(axis=-2, keepdims=True) > 0, squares, of_all)
    return np.asarray(squares / squares.sum(axis=-2, keepdims=True))
