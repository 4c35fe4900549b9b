"""Series with planted motifs, and two models that find them: one analytic and one trained."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.ensemble import RandomForestClassifier

Array = np.ndarray

N_STEPS, N_CHANNELS, LENGTH = 200, 3, 25
SIZE = 2.5
"""The height of a motif, in standard deviations of the noise."""


class Model(Protocol):
    """Batches (n, T, C) to scores (n,): is the motif there?"""

    def __call__(self, X: Array) -> Array: ...


def motif() -> Array:
    """(LENGTH,): a wave of rising frequency, with mean 0 and variance 1."""
    t = np.arange(LENGTH) / LENGTH
    wave = np.sin(2 * np.pi * (t + 2 * t**2))
    wave = wave - wave.mean()
    return np.asarray(wave / wave.std())


def noise(rng: np.random.Generator, n: int) -> Array:
    """(n, T, C) autoregressive noise of order 1, each channel with a level of its own."""
    X = rng.normal(size=(n, N_STEPS, N_CHANNELS))
    for t in range(1, N_STEPS):
        X[:, t] = 0.5 * X[:, t - 1] + np.sqrt(0.75) * X[:, t]
    return X + 2 * rng.normal(size=(n, 1, N_CHANNELS))


@dataclass(frozen=True, eq=False)
class Planted:
    """One series with copies of the motif, and where they lie."""

    series: Array
    where: Array
    """(T, C) bool."""


def planted(rng: np.random.Generator, copies: int = 2, channel: int | None = None) -> Planted:
    """Noise with `copies` of the motif in one channel, and as many reversed ones in others."""
    (series,) = noise(rng, 1)
    where = np.zeros(series.shape, dtype=bool)
    c = int(rng.integers(N_CHANNELS)) if channel is None else channel
    for start in _starts(rng, copies):
        series[start : start + LENGTH, c] += SIZE * motif()
        where[start : start + LENGTH, c] = True
    other = (c + 1 + int(rng.integers(N_CHANNELS - 1))) % N_CHANNELS
    for start in _starts(rng, copies):
        series[start : start + LENGTH, other] += SIZE * motif()[::-1]
    return Planted(series, where)


def _starts(rng: np.random.Generator, copies: int) -> Array:
    """Starts of motifs, at least a length apart."""
    room = N_STEPS - copies * 2 * LENGTH
    gaps = np.sort(rng.integers(0, room + 1, copies))
    return np.asarray(gaps + 2 * LENGTH * np.arange(copies))


@dataclass(frozen=True)
class Detector:
    """The analytic model: how well the best place of any channel matches the motif.

    The largest covariance with the motif, so one copy is enough.
    """

    def __call__(self, X: Array) -> Array:
        windows = sliding_window_view(X, LENGTH, axis=1)
        return np.asarray((windows @ motif()).max(axis=(1, 2)) / LENGTH)  # SIZE at a motif


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained classifier: the probability of a random forest on the matches with shapelets.

    Shapelets are pieces of training series, and a feature is how well the best place of a series
    matches one (Hills et al., "Classification of time series by shapelet transformation", Data
    Mining and Knowledge Discovery 28, 2014). The other class has reversed motifs only.
    """

    seed: int = 0
    n_shapelets: int = 150
    n_train: int = 400

    def __call__(self, X: Array) -> Array:
        return np.asarray(self._fitted.predict_proba(self._features(X))[:, 1])

    @cached_property
    def accuracy(self) -> float:
        """On fresh series."""
        X, y = self._labeled(np.random.default_rng(self.seed + 1), 300)
        return float(((self(X) > 0.5) == y).mean())

    @cached_property
    def _data(self) -> tuple[Array, Array]:
        return self._labeled(np.random.default_rng(self.seed), self.n_train)

    @cached_property
    def _shapelets(self) -> Array:
        """(n_shapelets, LENGTH), each with mean 0 and length 1."""
        X, y = self._data
        rng = np.random.default_rng(self.seed)
        series = rng.choice(np.flatnonzero(y), self.n_shapelets)
        starts = rng.integers(0, N_STEPS - LENGTH + 1, self.n_shapelets)
        channels = rng.integers(0, N_CHANNELS, self.n_shapelets)
        pieces = X[series[:, None], starts[:, None] + np.arange(LENGTH), channels[:, None]]
        pieces = pieces - pieces.mean(axis=1, keepdims=True)
        return np.asarray(pieces / np.linalg.norm(pieces, axis=1, keepdims=True))

    @cached_property
    def _fitted(self) -> RandomForestClassifier:
        X, y = self._data
        forest = RandomForestClassifier(100, max_depth=3, random_state=self.seed)
        return forest.fit(self._features(X), y)

    def _labeled(self, rng: np.random.Generator, n: int) -> tuple[Array, Array]:
        """Half with one to three copies of the motif, half with reversed ones alone."""
        y = np.arange(n) % 2 == 1
        found = [planted(rng, int(rng.integers(1, 4))) for _ in range(n)]
        series = np.stack([one.series for one in found])
        where = np.stack([one.where for one in found])
        return np.where(where & ~y[:, None, None], noise(rng, n), series), y

    def _features(self, X: Array) -> Array:
        windows = sliding_window_view(X, LENGTH, axis=1)
        flat = np.ascontiguousarray(windows).reshape(len(X), -1, LENGTH)
        return np.asarray((flat @ self._shapelets.T).max(axis=1))
