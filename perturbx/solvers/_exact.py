"""Shapley values of a game that was evaluated on every coalition."""

from __future__ import annotations

import numpy as np
from scipy.special import binom

from perturbx._typing import Floats
from perturbx.designs import Evaluations
from perturbx.solvers._base import Solution, floor


def exact_shapley(evaluations: Evaluations) -> Solution:
    """Shapley (1953): sum over S without i of s! (d-s-1)! / d! * (v(S with i) - v(S)).

    The differences are taken before they are summed, so that a feature that changes nothing
    scores 0 to the last bit.
    """
    full = evaluations.full
    game = _table(evaluations)
    d = evaluations.design.n_features
    size = _sizes(d - 1)
    weights = 1.0 / (d * binom(d - 1, size))
    values = np.empty((full.size, d))
    for feature in range(d):
        table = game.reshape(2**feature, 2, -1, full.size)
        difference = (table[:, 1] - table[:, 0]).reshape(-1, full.size)
        values[:, feature] = weights @ difference
    scores = values.reshape(*full.shape, d).swapaxes(1, 2)
    errors = np.broadcast_to(floor(evaluations), scores.shape).copy()
    everything = f"exact, all {2**evaluations.design.n_features:,} coalitions"
    return Solution(scores, errors, evaluations.empty, estimator=everything)


def _table(evaluations: Evaluations) -> Floats:
    """(2**d, n * k): v of each coalition, at the number whose binary digits its features are."""
    z = evaluations.design.z.astype(bool, copy=False)
    d = z.shape[1]
    targets = evaluations.full.size
    table = np.empty((2**d, targets))
    table[z @ (2 ** np.arange(d)[::-1])] = evaluations.outputs.reshape(len(z), targets)
    table[0], table[-1] = evaluations.empty.ravel(), evaluations.full.ravel()
    return table


def _sizes(d: int) -> Floats:
    """(2**d,): how many features each number stands for."""
    size = np.zeros(1)
    for _ in range(d):
        size = np.concatenate([size, size + 1])
    return size
