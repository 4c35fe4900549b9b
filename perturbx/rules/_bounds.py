"""Bounds of a probability, given how often something happened in so many draws."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from perturbx._typing import Floats

_HALVINGS = 30
_SMALLEST = 1e-12


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
