"""Classifiers on drawn data, with the true Shapley values of the probability of class 1."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.special import expit

from benchmarks.games import exact_shapley, masked_mean, on_grid

Array = np.ndarray
JUDGED = 5
"""So many rows have a known truth."""
_BACKGROUND, _HALF = 100, 1000
_MOST_ENUMERATED = 12
_ROWS, _NUMBERS = 8_000_000, 4e8
"""A long run asks the model about so many rows, or computes so many numbers, for each row."""


@dataclass
class Asked:
    """A model that counts its rows and its CPU time."""

    model: Any
    outputs: int
    rows: int = 0
    seconds: float = 0.0

    def __call__(self, X: Array) -> Array:
        start = time.process_time()
        answers = np.asarray(self.model.predict_proba(X))
        self.seconds += time.process_time() - start
        self.rows += len(X)
        return answers if self.outputs == 2 else answers[:, 1]


@dataclass(frozen=True)
class Problem:
    """What every contender gets, and the truth about the first `JUDGED` rows.

    `uncertainty` is the squared error of the truth over its squared size: 0 where it is exact.
    """

    model: Any
    X: Array
    background: Array
    truth: Array
    uncertainty: float


def _models() -> dict[str, Any]:
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    return {
        "boosting": GradientBoostingClassifier(n_estimators=100, random_state=0),
        "forest": RandomForestClassifier(50, min_samples_leaf=3, random_state=0),
        "logistic": LogisticRegression(max_iter=2000),
        "network": MLPClassifier((32,), max_iter=100, random_state=0),
    }


def problem(kind: str, d: int) -> Problem:
    """A model of `kind`, fitted to half of the data; rows of the other half are explained."""
    from sklearn.datasets import make_classification

    useful = max(4, min(d // 3, 20))
    X, y = make_classification(
        2 * _HALF, d, n_informative=useful, n_redundant=d // 5, flip_y=0.05, random_state=0
    )
    X = on_grid(X / X.std(axis=0))
    model = _models()[kind].fit(X[:_HALF], y[:_HALF])
    background, rows = X[:_BACKGROUND], X[_HALF:]
    truth, uncertainty = _truth(model, kind, rows[:JUDGED], background)
    return Problem(model, rows, background, truth, uncertainty)


def _truth(model: Any, kind: str, X: Array, background: Array) -> tuple[Array, float]:
    """Enumeration, interventional TreeSHAP or a long run, and its uncertainty.

    TreeSHAP is exact for a forest, whose probabilities are a mean over trees. For boosted trees it
    rescales the values of the log-odds, which is not the same: 3% of the squared size at d = 30.
    """
    d = X.shape[1]
    if d <= _MOST_ENUMERATED:
        games = (partial(masked_mean, Asked(model, 1), x, background) for x in X)
        return np.array([exact_shapley(v, d) for v in games]), 0.0
    if kind == "forest":
        return _tree_shap(model, X, background), 0.0
    run = partial(_long_run, model) if kind == "boosting" else _Layers.of(model).long_run
    runs = [run(x, background, np.random.default_rng(0)) for x in X]
    truth, variance = (np.array(part) for part in zip(*runs, strict=True))
    return truth, float(variance.sum() / (truth**2).sum())


def _tree_shap(model: Any, X: Array, background: Array) -> Array:
    import shap

    explainer = shap.TreeExplainer(
        model, background, feature_perturbation="interventional", model_output="probability"
    )
    found = np.asarray(explainer.shap_values(X, check_additivity=False))
    return found[..., 1] if found.ndim == 3 else found


def _long_run(
    model: Any, x: Array, background: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Antithetic permutations over the whole background: their mean, and its variance."""
    chains = _ROWS // (2 * background.size)
    found = np.zeros((chains, len(x)))
    predict = Asked(model, 1)
    for chain in found:
        order = rng.permutation(len(x))
        for walk in (order, order[::-1]):
            present = walk.argsort() < np.arange(len(x) + 1)[:, None]
            chain[walk] += np.diff(masked_mean(predict, x, background, present)) / 2
    return found.mean(axis=0), found.var(axis=0, ddof=1) / chains


@dataclass(frozen=True)
class _Layers:
    """A model as a linear layer and what follows, so that one more feature costs one addition."""

    slopes: Array
    offset: Array
    following: Callable[[Array], Array]

    @classmethod
    def of(cls, model: Any) -> _Layers:
        if hasattr(model, "coefs_"):
            first, last = model.coefs_

            def following(hidden: Array) -> Array:
                return expit(np.maximum(hidden, 0) @ last[:, 0] + model.intercepts_[1][0])

            return cls(first, model.intercepts_[0], following)
        return cls(model.coef_.T, model.intercept_, lambda hidden: expit(hidden[..., 0]))

    def long_run(
        self, x: Array, background: Array, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        """Antithetic permutations over the whole background: their mean, and its variance."""
        empty = background @ self.slopes + self.offset
        steps = (x - background)[:, :, None] * self.slopes
        chains = int(np.clip(_NUMBERS / (2 * steps.size), 50, 5000))
        found = np.zeros((chains, len(x)))
        base = self.following(empty).mean()
        for chain in found:
            order = rng.permutation(len(x))
            for walk in (order, order[::-1]):
                hidden = empty[:, None] + np.cumsum(steps[:, walk], axis=1)
                values = self.following(hidden).mean(axis=0)
                chain[walk] += np.diff(values, prepend=base) / 2
        return found.mean(axis=0), found.var(axis=0, ddof=1) / chains
