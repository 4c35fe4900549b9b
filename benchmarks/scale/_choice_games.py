"""Models whose Shapley values are known exactly, about a few rows, with any background."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from benchmarks.games import exact_shapley, masked_mean, on_grid

Array = np.ndarray
_TRAINED, _EXPLAINED, _SEEN = 1000, 8, 200
_ENUMERATED, _MANY = 12, 30


@dataclass(frozen=True)
class Subject:
    """A model, rows with their true scores, the background, and rows that `fit` may see."""

    name: str
    predict: Callable[[Array], Array]
    X: Array
    background: Array
    seen: Array
    truth: Array

    @property
    def d(self) -> int:
        return self.X.shape[1]


def subjects(n_background: int) -> Iterator[Subject]:
    """Boosted trees and a forest on 30 features (TreeSHAP), a network on 12 (enumeration)."""
    for name, d in (("boosting", _MANY), ("forest", _MANY), ("network", _ENUMERATED)):
        predict, model, X = _fitted(name, d)
        background, rows = X[:n_background], X[_TRAINED : _TRAINED + _EXPLAINED]
        if name == "network":
            games = (partial(masked_mean, predict, x, background) for x in rows)
            truth = np.array([exact_shapley(v, d) for v in games])
        else:
            truth = _tree_shap(model, rows, background)
        yield Subject(f"{name}, d = {d}", predict, rows, background, X[-_SEEN:], truth)


@cache
def _fitted(name: str, d: int) -> tuple[Callable[[Array], Array], Any, Array]:
    """The function that is explained, its model, and all rows. No link: TreeSHAP is exact."""
    from sklearn.datasets import make_classification
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
    from sklearn.neural_network import MLPClassifier

    X, y = make_classification(
        2 * _TRAINED, d, n_informative=d // 3, n_redundant=d // 5, flip_y=0.05, random_state=1
    )
    X = on_grid(X / X.std(axis=0))
    model = {
        "boosting": GradientBoostingClassifier(random_state=1),
        "forest": RandomForestClassifier(50, min_samples_leaf=3, random_state=1),
        "network": MLPClassifier((32,), max_iter=300, random_state=1),
    }[name].fit(X[:_TRAINED], y[:_TRAINED])
    if name == "boosting":
        return model.decision_function, model, X
    return lambda rows: np.asarray(model.predict_proba(rows)[:, 1]), model, X


def _tree_shap(model: Any, X: Array, background: Array) -> Array:
    import shap

    explainer = shap.TreeExplainer(model, background, feature_perturbation="interventional")
    found = np.asarray(explainer.shap_values(X, check_additivity=False))
    return found[..., 1] if found.ndim == 3 else found
