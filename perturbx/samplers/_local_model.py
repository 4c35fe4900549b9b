"""A linear model of what one more chosen feature does, around the best set of features so far."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from perturbx._typing import Floats, Ints

_NEAR = 256
"""The model is fitted to so many of the nearest sets."""

_EXACT, _CURVED, _REACH = 0.05, 0.3, 6.0
"""The spread of what the linear model misses: of every set, and of one that differs in a feature
by a typical effect, which grows faster than linearly beyond so many features."""


@dataclass(frozen=True, eq=False)
class Smoothness:
    """How alike the effects of two features are by where they lie: a Gaussian process.

    Parameters
    ----------
    shape : tuple of int
        The lattice of the features.
    length : float
        The distance at which effects are alike, in points of the lattice; 0 if they are not.
    """

    shape: tuple[int, ...]
    length: float

    @cached_property
    def _factors(self) -> list[tuple[Floats, Floats]]:
        """The covariance along each axis, and its root; none where features are not alike."""
        factors = []
        for n in self.shape if self.length else ():
            apart = np.subtract.outer(np.arange(n), np.arange(n)) / self.length
            kernel = np.exp(-0.5 * apart**2) + 1e-6 * np.eye(n)
            factors.append((kernel, np.asarray(np.linalg.cholesky(kernel), dtype=np.float64)))
        return factors

    def covariance(self, rows: Floats) -> Floats:
        """(m, d) times the covariance of the features."""
        return self._times(rows, 0)

    def drawn(self, rng: np.random.Generator, n: int) -> Floats:
        """(n, d): effects at random, each of variance 1."""
        return self._times(rng.standard_normal((n, int(np.prod(self.shape)))), 1)

    def _times(self, rows: Floats, which: int) -> Floats:
        grid = rows.reshape(len(rows), *self.shape)
        for axis, both in enumerate(self._factors):
            grid = np.moveaxis(np.tensordot(grid, both[which], (axis + 1, 1)), -1, axis + 1)
        return grid.reshape(len(rows), -1)


def first_effects(chosen: NDArray[np.bool_], left: Floats, smoothness: Smoothness) -> Floats:
    """(d,): how much less is left where a feature is chosen, by sets that were drawn at random.

    Half of the variation is taken for noise, as interactions are.
    """
    if len(chosen) < 2:
        return np.zeros(chosen.shape[1])
    moved, fell = chosen - chosen.mean(axis=0), left.mean() - left
    smooth = smoothness.covariance(moved)
    explained = moved @ smooth.T
    noise = max(float(np.trace(explained)) / len(moved), 1e-12)
    return np.asarray(np.linalg.solve(explained + noise * np.eye(len(moved)), fell) @ smooth)


def local_effects(
    chosen: NDArray[np.bool_],
    fell: Floats,
    best: NDArray[np.bool_],
    prior: Floats,
    smoothness: Smoothness,
    rng: np.random.Generator,
    n: int,
) -> Floats:
    """(n, d): how much a feature lowers what is left near the set `best`; the first is the mean.

    The others are draws from the posterior (Thompson sampling), so that what is not known is tried.

    Parameters
    ----------
    chosen : (m, d) bool array
        Sets that were asked about.
    fell : (m,) array
        How much less each leaves than `best`.
    prior : (d,) array
        Effects that are expected.
    """
    apart: Ints = (chosen != best).sum(axis=1)
    near = np.argsort(apart, kind="stable")[:_NEAR]
    moved, apart, fell = chosen[near].astype(float) - best, apart[near], fell[near]
    scale = max(float(prior[best].mean()), 1e-3)
    noise = _EXACT**2 + (_CURVED * scale) ** 2 * apart * (1 + apart / _REACH)
    smooth = smoothness.covariance(moved)
    drawn = prior + scale * smoothness.drawn(rng, n)
    errors = rng.standard_normal((n, len(moved))) * np.sqrt(noise)
    drawn[0], errors[0] = prior, 0.0
    known = cho_factor(scale**2 * moved @ smooth.T + np.diag(noise))
    missed = fell - drawn @ moved.T - errors
    return np.asarray(drawn + scale**2 * cho_solve(known, missed.T).T @ smooth)


def exchanged(
    best: NDArray[np.bool_], effects: Floats, area: Floats, spare: float, most: int
) -> NDArray[np.bool_]:
    """A smaller set, in which at most `most` features are exchanged.

    What is left may rise by `spare`. Features that do least for their area are given up, and,
    where that permits to give up more, those that would do most are taken.
    """
    inside, outside = np.flatnonzero(best), np.flatnonzero(~best)
    worth = effects / area
    out = inside[np.argsort(worth[inside], kind="stable")]
    into = outside[np.argsort(-worth[outside], kind="stable")][:most]
    cost = np.maximum.accumulate(np.cumsum(effects[out]))
    gain = np.concatenate([[0.0], np.cumsum(effects[into])])[: most // 2 + 1]
    n_in = np.arange(len(gain))
    n_out = np.minimum(np.searchsorted(cost, spare + gain, side="right"), most - n_in)
    freed = np.concatenate([[0.0], np.cumsum(area[out])])[n_out]
    freed -= np.concatenate([[0.0], np.cumsum(area[into])])[n_in]
    k = int(freed.argmax())
    found = best.copy()
    found[out[: max(n_out[k], 1)] if freed[k] > 0 else out[:1]] = False
    if freed[k] > 0:
        found[into[:k]] = True
    return found
