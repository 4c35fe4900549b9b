"""Trees as arrays: the bits of scikit-learn, and nothing that leads out of them."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from perturbx._boosted_trees import BoostedTrees
from sklearn.ensemble import HistGradientBoostingRegressor

FLAGS = np.array([False, True, False, True, False])
SETTINGS: dict[str, Any] = {"max_iter": 12, "max_leaf_nodes": 8, "random_state": 1}


def rows(n: int, seed: int, beyond: int = 0) -> np.ndarray:
    """Numbers, and in two columns categories, with missing ones, and if asked new ones."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5))
    X[:, 1] = 2 * rng.integers(-beyond, 30 + beyond, n) - 5
    X[:, 3] = rng.integers(0, 3 + beyond, n)
    X[rng.random(X.shape) < 0.05] = np.nan
    return X


def wanted(X: np.ndarray) -> np.ndarray:
    whole = np.nan_to_num(X)
    return np.asarray(whole[:, 0] ** 2 + whole[:, 1] % 5 + whole[:, 3] * whole[:, 4])


@pytest.fixture(scope="module", params=[True, False], ids=["categories", "numbers"])
def grown(request: Any) -> tuple[HistGradientBoostingRegressor, BoostedTrees]:
    X, flags = rows(600, 0), FLAGS if request.param else None
    y = wanted(X)
    peer = HistGradientBoostingRegressor(
        **SETTINGS, categorical_features=flags, early_stopping=False
    )
    return peer.fit(X, y), BoostedTrees.fitted(X, y, flags, **SETTINGS)


@pytest.mark.parametrize("n", [1, 500])
def test_the_bits_of_scikit_learn(grown: Any, n: int) -> None:
    """Also for missing and new categories, and after a copy."""
    peer, trees = grown
    X = rows(n, 1, beyond=4)
    np.testing.assert_array_equal(trees.predict(X), peer.predict(X))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(trees)).predict(X), peer.predict(X))


def changed(trees: BoostedTrees, name: str, value: Any) -> dict[str, Any]:
    """The nodes with one field of every inner node replaced."""
    names = (
        *("value", "num_threshold", "feature_idx", "left", "right", "missing_go_to_left"),
        *("is_leaf", "is_categorical", "bitset_idx"),
    )
    node = dict(zip(names, trees.nodes, strict=True))
    inner = node["is_leaf"] == 0
    node[name] = np.where(inner, value, node[name].astype(np.int64))
    return {"nodes": tuple(node[one] for one in names)}


HOSTILE: dict[str, Any] = {
    "a loop": lambda t: changed(t, "left", 0),
    "a child beyond the tree": lambda t: changed(t, "right", 10**6),
    "a child before it": lambda t: changed(t, "right", -1),
    "a column beyond the row": lambda t: changed(t, "feature_idx", 5),
    "a column before it": lambda t: changed(t, "feature_idx", -1),
    "no leaf": lambda t: {"nodes": (*t.nodes[:6], 0 * t.nodes[6], *t.nodes[7:])},
    "a set that is not there": lambda t: {
        "nodes": (*t.nodes[:7], 1 + 0 * t.nodes[7], 0 * t.nodes[8] + 10**6)
    },
    "an empty tree": lambda t: {"ends": np.append(t.ends[:1], t.ends[:-1])},
    "nodes of several sizes": lambda t: {"nodes": (t.nodes[0][:-1], *t.nodes[1:])},
    "narrow sets": lambda t: {"sets": np.zeros((len(t.sets), 1), np.uint32)},
    "too many categories": lambda t: {"categories": (np.arange(300.0), *t.categories[1:])},
    "fewer columns": lambda t: {"categories": t.categories[:1]},
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE.keys())
def test_trees_that_lead_out_are_refused(grown: Any, change: Any) -> None:
    """Compiled code would follow them to anywhere in memory, or for ever."""
    trees = grown[1]
    with pytest.raises((ValueError, IndexError)):
        replace(trees, **change(trees))
