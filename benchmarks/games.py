"""Games whose Shapley values are known, and how they are known: closed forms and enumeration.

A game is v(Z), a bool matrix of coalitions (m, d) to m values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import comb
from typing import Any

import numpy as np

Values = np.ndarray


@dataclass(frozen=True, eq=False)
class Game:
    """A set function on d features with its Shapley values, and the model behind it, if any."""

    v: Callable[[Values], Values]
    phi: Values
    predict: Callable[[Values], Values] | None = None
    x: Values | None = None
    background: Values | None = None

    @property
    def d(self) -> int:
        return len(self.phi)


# ---------------------------------------------------------------- values of a masked model


def masked_mean(
    predict: Callable[[Values], Values], x: Values, background: Values, Z: Values
) -> Values:
    """v(S): the mean of predict over the background, the features of S set to those of x."""
    block = max(1, 200_000 // len(background))
    means = []
    for start in range(0, len(Z), block):
        z = Z[start : start + block]
        rows = np.where(z[:, None, :], x, background).reshape(-1, len(x))
        means.append(predict(rows).reshape(len(z), -1).mean(axis=1))
    return np.concatenate(means)


def model_game(predict: Any, x: Values, background: Values, phi: Values) -> Game:
    return Game(partial(masked_mean, predict, x, background), phi, predict, x, background)


def on_grid(X: Values) -> Values:
    """Each column rounded to 20 bits, so that thresholds halfway between values are float32 too.

    Otherwise scikit-learn's trees and TreeSHAP, which round in different places, may send a value
    near a threshold in different directions, and the truth is off by up to 1%.
    """
    unit = 2.0 ** (np.ceil(np.log2(np.maximum(np.abs(X).max(axis=0), 1e-300))) - 20)
    return np.asarray(np.round(X / unit) * unit)


# ---------------------------------------------------------------- Shapley values


def exact_shapley(v: Callable[[Values], Values], d: int) -> Values:
    """Shapley values by enumeration of all 2^d coalitions."""
    Z = (np.arange(2**d)[:, None] >> np.arange(d) & 1).astype(bool)
    values, sizes = v(Z), Z.sum(axis=1)
    weight_in = np.array([0.0] + [1 / (d * comb(d - 1, s - 1)) for s in range(1, d + 1)])
    weight_out = np.array([1 / (d * comb(d - 1, s)) for s in range(d)] + [0.0])
    signed = np.where(Z, weight_in[sizes][:, None], -weight_out[sizes][:, None])
    return np.asarray(values @ signed)


def permutation_shapley(
    v: Callable[[Values], Values], d: int, chains: int, rng: np.random.Generator
) -> Values:
    """Shapley values by antithetic permutation chains: unbiased, with error ~ 1 / chains."""
    phi = np.zeros(d)
    for _ in range(0, chains, 100):
        order = rng.permuted(np.tile(np.arange(d), (100, 1)), axis=1)
        for walk in (order, order[:, ::-1]):
            rank = np.argsort(walk, axis=1)
            Z = rank[:, None, :] < np.arange(d + 1)[None, :, None]
            steps = np.diff(v(Z.reshape(-1, d)).reshape(100, d + 1), axis=1)
            np.add.at(phi, walk, steps)
    return phi / (2 * chains)


def product_shapley(present: Values, absent: Values, weights: Values) -> Values:
    """Shapley values of sum_j weights_j prod_i (present_ji or absent_ji), by Gauss-Legendre.

    phi_i is the integral over t in [0, 1] of the derivative of the multilinear extension
    (Owen, 1972): exact with d/2 + 1 nodes.
    """
    d = present.shape[1]
    nodes, node_weights = np.polynomial.legendre.leggauss(d // 2 + 1)
    phi = np.zeros(d)
    gap = present - absent
    for t, weight in zip((nodes + 1) / 2, node_weights / 2, strict=True):
        factors = absent + t * gap
        ones = np.ones((len(factors), 1))
        before = np.cumprod(np.hstack([ones, factors[:, :-1]]), axis=1)
        after = np.cumprod(np.hstack([ones, factors[:, :0:-1]]), axis=1)[:, ::-1]
        phi += weight * (weights[:, None] * before * after * gap).sum(axis=0)
    return phi
