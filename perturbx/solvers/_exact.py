"""Shapley values of a game that was evaluated on every coalition."""

from __future__ import annotations

import numpy as np
from scipy.special import binom

from perturbx._typing import Floats
from perturbx.solvers._base import Answers, Scores


def exact_shapley(answers: Answers) -> Scores:
    """Shapley (1953): sum over S without i of s! (d-s-1)! / d! * (v(S with i) - v(S)).

    The differences are taken before they are summed, so that a feature that changes nothing
    scores 0 to the last bit.
    """
    game = _table(answers)
    d, t = answers.design.n_features, len(answers.full)
    size = _sizes(d - 1)
    weights = 1.0 / (d * binom(d - 1, size))
    values = np.empty((t, d))
    for feature in range(d):
        table = game.reshape(2**feature, 2, -1, t)
        difference = (table[:, 1] - table[:, 0]).reshape(-1, t)
        values[:, feature] = weights @ difference
    return Scores(values.T, estimator=f"exact, all {2**d:,} coalitions")


def _table(answers: Answers) -> Floats:
    """(2**d, t): v of each coalition, at the number whose binary digits its features are."""
    z = answers.design.z.astype(bool, copy=False)
    d = z.shape[1]
    table = np.empty((2**d, len(answers.full)))
    table[z @ (2 ** np.arange(d)[::-1])] = answers.outputs
    table[0], table[-1] = answers.empty, answers.full
    return table


def _sizes(d: int) -> Floats:
    """(2**d,): how many features each number stands for."""
    size = np.zeros(1)
    for _ in range(d):
        size = np.concatenate([size, size + 1])
    return size
