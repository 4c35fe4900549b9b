"""Pairwise interactions of a game that was evaluated on every coalition."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy.special import binom

from perturbx._typing import Floats
from perturbx.solvers._base import Answers
from perturbx.solvers._exact import _sizes, _table


def exact_interactions(answers: Answers) -> tuple[Floats, Floats]:
    """(pairs, t) each: the Shapley interaction index and the order-2 Faith-Shap terms.

    Both are means over T without i and j of v(T with both) - v(T with i) - v(T with j) + v(T),
    with t features in T: every t as likely as any other (Grabisch & Roubens, International
    Journal of Game Theory 28, 1999), or likely as (t + 1) (d - t - 1) (Tsai, Yeh & Ravikumar,
    JMLR 24, 2023). The differences are taken before they are summed, so that a feature
    that changes nothing interacts with none, to the last bit.
    """
    game = _table(answers)
    d = answers.design.n_features
    size = _sizes(max(d - 2, 0))
    evenly = 1 / ((d - 1) * binom(d - 2, size)) if d > 1 else size
    faithful = evenly * 6 * (size + 1) * (d - size - 1) / (d * (d + 1))
    shapley, faith = [np.zeros((0, game.shape[1]))], [np.zeros((0, game.shape[1]))]
    for i, j in combinations(range(d), 2):
        table = game.reshape(2**i, 2, 2 ** (j - i - 1), 2, -1, game.shape[1])
        gain = table[:, :, :, 1] - table[:, :, :, 0]
        second = (gain[:, 1] - gain[:, 0]).reshape(-1, game.shape[1])
        shapley.append(evenly[None] @ second)
        faith.append(faithful[None] @ second)
    return np.concatenate(shapley), np.concatenate(faith)
