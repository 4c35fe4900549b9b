"""Leverage SHAP from its definition, for more features than packages that offer it can hold."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import brentq
from scipy.special import gammaln

from benchmarks.games import Values
from benchmarks.peers import Oracle

NAME = "Leverage SHAP"


def leverage_shap(v: Oracle, seed: int) -> Values:
    """Musco & Witter (ICLR 2025), section 3: paired, without replacement, by leverage scores.

    A pair of size s is sampled with probability min(1, c / C(d, s)), c such that the budget is
    expected, and counts by the Shapley kernel over that probability. Surplus pairs are dropped at
    random. A pair says the same as its odd part, g - z'b with z in {-1, 1}.
    """
    rng, d, n = np.random.default_rng(seed), v.d, (v.m - 2) // 2
    members, log_chance = _sampled(d, n, rng)
    kept = rng.permutation(len(members))[:n]
    members, log_chance = members[kept], log_chance[kept]
    odd = (v(members) - v(~members)) / 2
    size = members.sum(axis=1)
    log_kernel = -_log_binomial(d, size) - np.log(size) - np.log(d - size)
    root = np.exp((log_kernel - log_chance - (log_kernel - log_chance).max()) / 2)
    half_gain = (v.full - v.empty) / 2
    rest = odd - (2 * size - d) / d * half_gain
    z = np.where(members, root[:, None], -root[:, None])
    z -= z.mean(axis=1, keepdims=True)  # acts on slopes that sum to zero
    right, normal = z.T @ (root * rest), z.T @ z
    del z
    scale = np.trace(normal) / d
    normal += scale / d  # along the vector of ones, which nothing else fills
    normal.flat[:: d + 1] += 1e-12 * scale
    slopes = cho_solve(cho_factor(normal, overwrite_a=True), right)
    return np.asarray(2 * (slopes - slopes.mean() + half_gain / d))


def _log_binomial(d: int, size: Values) -> Values:
    return np.asarray(gammaln(d + 1) - gammaln(size + 1) - gammaln(d - size + 1))


def _sampled(d: int, n: int, rng: np.random.Generator) -> tuple[Values, Values]:
    """About n members of pairs, and the logarithms of the probabilities of these pairs."""
    size = np.arange(1, d // 2 + 1)
    # Two coalitions of half the features are one pair. No size needs more pairs than exp(36).
    share = np.where(2 * size == d, 0.5, 1.0)
    pairs = np.rint(share * np.exp(np.minimum(_log_binomial(d, size), 36.0)))

    def surplus(log_c: float) -> float:
        return float(np.minimum(share * np.exp(log_c), pairs).sum()) - n

    log_c = 36.0 if n >= pairs.sum() else float(brentq(surplus, -36.0, 36.0))
    counts = rng.binomial(pairs.astype(int), np.minimum(share * np.exp(log_c) / pairs, 1.0))
    drawn = zip(size[counts > 0].tolist(), counts[counts > 0].tolist(), strict=True)
    members = np.concatenate([_distinct(d, s, count, rng) for s, count in drawn])
    return members, np.minimum(log_c - _log_binomial(d, members.sum(axis=1)), 0.0)


def _distinct(d: int, size: int, count: int, rng: np.random.Generator) -> Values:
    """So many coalitions of a size, no two alike and none the complement of another."""
    seen: dict[bytes, Values] = {}
    while len(seen) < count:
        z = np.zeros(d, bool)
        z[rng.choice(d, size, replace=False)] = True
        if 2 * size == d and not z[0]:
            z = ~z
        seen.setdefault(z.tobytes(), z)
    return np.array(list(seen.values()))
