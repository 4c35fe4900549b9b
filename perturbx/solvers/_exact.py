"""Values of a game that was evaluated on every coalition.

All of them are weighted sums of differences of v. The differences are taken before they are
summed, so that a feature that changes nothing scores 0 to the last bit.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy.special import binom

from perturbx._typing import Floats
from perturbx.designs import Design, Variances
from perturbx.errors import RejectPerturbations
from perturbx.solvers._answers import Answers, Noise, Scores


def exact_shapley(answers: Answers[Design]) -> Scores:
    """Shapley (1953): sum over S without i of s! (d-s-1)! / d! * (v(S with i) - v(S))."""
    d = answers.design.n_features
    return _weighted_gains(answers, 1.0 / (d * binom(d - 1, _sizes(d - 1))))


def exact_banzhaf(answers: Answers[Design]) -> Scores:
    """Banzhaf (1965): the mean over S without i of v(S with i) - v(S)."""
    others = answers.design.n_features - 1
    return _weighted_gains(answers, np.full(2**others, 0.5**others))


def _weighted_gains(answers: Answers[Design], weights: Floats) -> Scores:
    game, variances = _table(answers.design, answers), answers.variances
    doubt = None if variances is None else _table(answers.design, variances)
    d, t = answers.design.n_features, len(answers.full)
    values, variance = np.empty((2, t, d))
    for feature in range(d):
        table = game.reshape(2**feature, 2, -1, t)
        values[:, feature] = weights @ (table[:, 1] - table[:, 0]).reshape(-1, t)
        if doubt is not None:
            table = doubt.reshape(2**feature, 2, -1, t)
            variance[:, feature] = weights**2 @ table.sum(axis=1).reshape(-1, t)
    noise = None if doubt is None else Noise(variance.T, variance.T)
    return Scores(values.T, estimator=f"exact, all {2**d:,} coalitions", noise=noise)


def exact_interactions(answers: Answers[Design]) -> tuple[Floats, Floats]:
    """(pairs, t) each: the Shapley interaction index and the order-2 Faith-Shap terms.

    Both are means over T without i and j of v(T with both) - v(T with i) - v(T with j) + v(T),
    with t features in T: every t is equally likely (Grabisch & Roubens, International Journal of
    Game Theory 28, 1999), or has the weight (t + 1) (d - t - 1) (Tsai, Yeh & Ravikumar, JMLR 24,
    2023).
    """
    game = _table(answers.design, answers)
    d, t = answers.design.n_features, len(answers.full)
    evenly, faithful = _pair_weights(d)
    found = np.zeros((2, d * (d - 1) // 2, t))
    for pair, (i, j) in enumerate(combinations(range(d), 2)):
        table = game.reshape(2**i, 2, 2 ** (j - i - 1), 2, -1, t)
        gain = table[:, :, :, 1] - table[:, :, :, 0]
        found[:, pair] = np.stack([evenly, faithful]) @ (gain[:, 1] - gain[:, 0]).reshape(-1, t)
    return found[0], found[1]


def interaction_noise(answers: Answers[Design]) -> tuple[Floats, Floats, Floats] | None:
    """The variances of both, and of Faith-Shap's main effects (d, t); None for exact answers.

    A main effect is the Shapley value less half of the feature's terms.
    """
    if answers.variances is None:
        return None
    doubt = _table(answers.design, answers.variances)
    d, t = answers.design.n_features, doubt.shape[1]
    evenly, faithful = _pair_weights(d)
    found = np.zeros((2, d * (d - 1) // 2, t))
    gains = 1.0 / (d * binom(d - 1, _sizes(d - 1)))
    mains = np.zeros((d, 2**d))
    for i in range(d):
        own = mains[i].reshape(2**i, 2, -1)
        own[:, 1] += gains.reshape(2**i, -1)
        own[:, 0] -= gains.reshape(2**i, -1)
    for pair, (i, j) in enumerate(combinations(range(d), 2)):
        shape = (2**i, 2, 2 ** (j - i - 1), 2, -1)
        four = doubt.reshape(*shape, t).sum(axis=(1, 3)).reshape(-1, t)
        found[:, pair] = np.stack([evenly, faithful]) ** 2 @ four
        weights = faithful.reshape(2**i, 2 ** (j - i - 1), -1) / 2
        for i_in in range(2):
            for j_in in range(2):
                sign = 1 if i_in == j_in else -1
                mains[i].reshape(shape)[:, i_in, :, j_in] -= sign * weights
                mains[j].reshape(shape)[:, i_in, :, j_in] -= sign * weights
    return found[0], found[1], mains**2 @ doubt


def _pair_weights(d: int) -> tuple[Floats, Floats]:
    """(2**(d - 2),) each: the weights of the differences in both indices."""
    size = _sizes(max(d - 2, 0))
    evenly = 1 / ((d - 1) * binom(d - 2, size)) if d > 1 else size
    return evenly, evenly * 6 * (size + 1) * (d - size - 1) / (d * (d + 1))


def _table(design: Design, of: Answers[Design] | Variances) -> Floats:
    """(2**d, t): v of each coalition, at the number whose binary digits its features are.

    Raises
    ------
    RejectPerturbations
        If they are not all there, as orders of features are constrained.
    """
    z = design.z.astype(bool, copy=False)
    d = z.shape[1]
    if len(z) < 2**d - 2:
        raise RejectPerturbations(
            f"All {2**d:,} coalitions are needed: got {type(design).__name__} of "
            f"{len(z) + 2:,}. Use the sampler ShapleyCoalitions()."
        )
    table = np.empty((2**d, len(of.full)))
    table[z @ (2 ** np.arange(d)[::-1])] = of.outputs
    table[0], table[-1] = of.empty, of.full
    return table


def _sizes(d: int) -> Floats:
    """(2**d,): the number of features in each coalition of the table."""
    size = np.zeros(1)
    for _ in range(d):
        size = np.concatenate([size, size + 1])
    return size
