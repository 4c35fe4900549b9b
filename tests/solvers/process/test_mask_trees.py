"""Boosted trees on coalitions."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.solvers.process.mask_trees import Boosting, Leaves, boost


def predict(leaves: Leaves, z: np.ndarray) -> np.ndarray:
    """Sum of the values of the leaves that each coalition falls into, read off their paths."""
    total = np.zeros(len(z))
    for path, signs, value in zip(leaves.features, leaves.signs, leaves.values, strict=True):
        used = path >= 0
        total += value * (z[:, path[used]] == (signs[used] > 0)).all(axis=1)
    return total


def cube(d: int) -> np.ndarray:
    return (np.arange(2**d)[:, None] >> np.arange(d) & 1).astype(bool)


def every(z: np.ndarray, k: int = 1) -> np.ndarray:
    return np.ones((len(z), k), dtype=bool)


def test_a_rule_of_three_features_is_learned() -> None:
    """150 trees at rate 0.1 leave next to nothing of a sum of ANDs on the whole cube."""
    z = cube(8)
    y = z[:, :3].all(axis=1) + 2.0 * z[:, 4:6].all(axis=1)
    y = y - y.mean()
    (leaves,) = boost(z, y[:, None], every(z))
    assert np.abs(predict(leaves, z) - y).max() < 0.01


def test_trees_keep_their_limits() -> None:
    """No tree has more leaves or longer paths than allowed, and no leaf is too small."""
    rng = np.random.default_rng(0)
    z = rng.random((400, 12)) < 0.5
    settings = Boosting(n_trees=1, n_leaves=9, depth=4, min_leaf=7)
    (leaves,) = boost(z, rng.normal(size=(400, 1)), every(z), settings)
    assert len(leaves.values) == 9
    assert leaves.features.shape[1] == 4
    for path, signs in zip(leaves.features, leaves.signs, strict=True):
        used = path >= 0
        assert (z[:, path[used]] == (signs[used] > 0)).all(axis=1).sum() >= 7


def test_first_tree_splits_where_the_squared_error_falls_most() -> None:
    """A stump takes the feature that a search over all features finds."""
    rng = np.random.default_rng(1)
    z = rng.random((200, 6)) < 0.5
    y = rng.normal(size=200) + 0.3 * z[:, 4]
    gains = [
        -sum(((side - side.mean()) ** 2).sum() for side in (y[z[:, j]], y[~z[:, j]]))
        for j in range(6)
    ]
    (leaves,) = boost(z, y[:, None] - y.mean(), every(z), Boosting(n_trees=1, n_leaves=2))
    assert set(leaves.features[:, 0]) == {int(np.argmax(gains))}


def test_fits_together_are_fits_one_by_one() -> None:
    """Targets and folds that are fitted in one go do not know of one another."""
    rng = np.random.default_rng(2)
    z = rng.random((120, 7)) < 0.5
    targets = rng.normal(size=(120, 2)) + z[:, :1]
    rows = np.column_stack([rng.random(120) < 0.6, np.ones(120, dtype=bool)])
    settings = Boosting(n_trees=20)
    together = boost(z, targets, rows, settings)
    for t in range(2):
        (alone,) = boost(z, targets[:, [t]], rows[:, [t]], settings)
        assert_allclose(predict(together[t], z), predict(alone, z), atol=1e-5)


def test_rows_outside_a_fold_are_not_looked_at() -> None:
    """Whatever the targets are outside the rows of a fit, its trees are the same."""
    rng = np.random.default_rng(3)
    z = rng.random((100, 6)) < 0.5
    rows = (np.arange(100) % 2 == 0)[:, None]
    y = rng.normal(size=(100, 1))
    spoiled = np.where(rows, y, 1e6)
    (first,), (second,) = (boost(z, t, rows, Boosting(n_trees=10)) for t in (y, spoiled))
    assert_array_equal(first.features, second.features)
    assert_array_equal(first.values, second.values)


def test_a_constant_grows_no_tree() -> None:
    """Nothing to explain, nothing to split."""
    z = cube(4)
    (leaves,) = boost(z, np.zeros((16, 1)), every(z))
    assert len(leaves.values) == 0


def test_trees_predict_unseen_coalitions_as_well_as_scikit_learns() -> None:
    """On a rule with noise, the error on new coalitions is at most 1.2 times the peer's."""
    ensemble = pytest.importorskip("sklearn.ensemble")
    rng = np.random.default_rng(4)
    z = rng.random((600, 15)) < 0.5

    def truth(z: np.ndarray) -> np.ndarray:
        return z[:, 0] * z[:, 1] + 2.0 * z[:, 2:5].all(axis=1) - z[:, 5] * ~z[:, 6]

    y = truth(z) + 0.1 * rng.normal(size=600)
    peer = ensemble.HistGradientBoostingRegressor(
        max_iter=150, max_leaf_nodes=15, max_depth=6, min_samples_leaf=10, l2_regularization=0.1
    )
    peer.fit(z, y)
    (leaves,) = boost(z, (y - y.mean())[:, None], every(z))
    new = rng.random((2000, 15)) < 0.5
    ours = np.mean((predict(leaves, new) + y.mean() - truth(new)) ** 2)
    theirs = np.mean((peer.predict(new) - truth(new)) ** 2)
    assert ours < 1.2 * theirs
