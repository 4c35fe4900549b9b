"""Bounds of a probability, given how often something happened in so many draws."""

from __future__ import annotations

from math import ceil, log

import numpy as np
from numpy.typing import ArrayLike

from perturbx._typing import Floats
from perturbx.errors import BudgetError

_HALVINGS = 30
_SMALLEST = 1e-12

_SHARE = 4
"""One in so many rows of a budget is kept for the draws that verify an answer."""

_MARGIN = 3.2
"""How many standard errors of the fresh draws an answer must be above the threshold: about 2 for
the end of their interval, and 1.2 for their own luck. Wide rules would else fail by a hair."""


def exact_interval(successes: int, n: int, confidence: float) -> tuple[float, float]:
    """Clopper and Pearson's interval (Biometrika 26, 1934), which covers at least as promised."""
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    lower = betaincinv(successes, n - successes + 1, tail) if successes else 0.0
    upper = betaincinv(successes + 1, n - successes, 1 - tail) if successes < n else 1.0
    return float(lower), float(upper)


def divergence(p: Floats, q: Floats) -> Floats:
    """Kullback and Leibler's divergence between two coins."""
    p, q = (np.clip(x, _SMALLEST, 1 - _SMALLEST) for x in (p, q))
    return np.asarray(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)))


def information_bounds(mean: ArrayLike, n: ArrayLike, rate: float) -> tuple[Floats, Floats]:
    """The probabilities that are at most ``rate / n`` away from `mean`, by their divergence.

    Kaufmann & Kalyanakrishnan (COLT 2013), section 3.
    """
    mean, allowed = np.asarray(mean, float), rate / np.maximum(np.asarray(n, float), _SMALLEST)
    ends = []
    for far in (np.zeros_like(mean), np.ones_like(mean)):
        near = mean.copy()
        for _ in range(_HALVINGS):
            middle = (near + far) / 2
            inside = divergence(mean, middle) <= allowed
            near, far = np.where(inside, middle, near), np.where(inside, far, middle)
        ends.append(far)
    return ends[0], ends[1]


def exploration_rate(n_arms: int, time: int, failure: float) -> float:
    """``log(k K t**a / failure)`` with a = 1.1 and k > 1 + 1 / (a - 1) (theorem 1 there)."""
    return float(np.log(11.1 * n_arms * max(time, 1) ** 1.1 / failure))


def fresh_draws(budget: int, threshold: float, confidence: float) -> int:
    """The draws of a budget that verify an answer.

    Raises
    ------
    BudgetError
        If they are too few to show the threshold even if all of them agreed.
    """
    least = ceil(log((1 - confidence) / 2) / log(threshold))
    n_fresh = budget // _SHARE
    if n_fresh < least:
        raise BudgetError(
            f"budget={budget} is too small: {least} draws must agree to show a share of "
            f"{threshold:g} with a confidence of {confidence:g}, and a quarter of the budget is "
            f"for them: raise budget to {_SHARE * least} or more, or lower threshold."
        )
    return n_fresh


def safe_target(threshold: float, n_fresh: int) -> float:
    """The probability that fresh draws will mostly show to be above the threshold."""
    error = np.sqrt(threshold * (1 - threshold) / n_fresh)
    return float(min(threshold + _MARGIN * error, (1 + threshold) / 2))
