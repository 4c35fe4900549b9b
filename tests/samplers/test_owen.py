"""Splits of trees: the coalitions of each round, their order, and none of them twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from perturbx.designs import CustomCoalitions, Design, Evaluations
from perturbx.errors import InvalidParameterError, RejectPerturbations
from perturbx.features import FeatureTree
from perturbx.samplers import OwenSplits

RNG = np.random.default_rng(0)
NESTED = FeatureTree.of_leaves(((0, 1, 2), (3, 4), (5, 6)), 5)


def _answered(design: Design, game: Any, n_rows: int = 1) -> Evaluations:
    """`game` of coalitions (m, d) and rows (m,) to (m, k)."""
    d = design.n_features
    rows = design.background_row
    known = game(design.z, np.zeros(len(design), int) if rows is None else rows)
    full = game(np.ones((1, d), bool), np.zeros(1, int))
    empty = game(np.zeros((n_rows, d), bool), np.arange(n_rows))
    named = None if rows is None else empty[:, None]
    return Evaluations(design, known[:, None], full, empty.mean(axis=0, keepdims=True), named)


def _followed(sampler: OwenSplits, game: Any, d: int, n: int, n_rows: int = 1) -> Design:
    design = sampler.draw(d, n, RNG)
    while True:
        more = sampler.follow(_answered(design, game, n_rows), n, RNG)
        if len(more) == len(design):
            return design
        design = more


def _curved(z: np.ndarray, row: np.ndarray) -> np.ndarray:
    return np.tanh(z @ np.arange(1.0, z.shape[1] + 1) / 3 - 1 - row)[:, None]


@pytest.mark.parametrize("tree", [NESTED, FeatureTree.balanced(7), FeatureTree.balanced(2)])
def test_everything_once(tree: FeatureTree) -> None:
    """Every coalition of a tree once, and then nothing more."""
    sampler = OwenSplits((tree,))
    design = _followed(sampler, _curved, tree.n_features, 10**6)
    assert len(design) == tree.all_coalitions()
    assert len(np.unique(design.z, axis=0)) == len(design)
    assert 0 < design.z.sum(axis=1).min() <= design.z.sum(axis=1).max() < tree.n_features


def test_two_trees_have_rows_of_their_own() -> None:
    """Tree r uses row r; its coalitions are unions of its nodes within contexts."""
    trees = (FeatureTree.balanced(4), FeatureTree.of_leaves(((0, 3), (1, 2), (4, 5)), 4))
    sampler = OwenSplits(trees)
    assert sampler.draws.per_background_row
    assert sampler.minimum(4) == 4
    design = _followed(sampler, _curved, 4, 100, n_rows=2)
    assert np.bincount(design.background_row).tolist() == [tree.all_coalitions() for tree in trees]
    first = design.z[design.background_row == 1][:2]
    assert first.tolist() == [[True, False, False, True], [False, True, True, False]]


def test_the_largest_effects_first() -> None:
    """Half of the features do nothing: their branch is split last."""
    tree = FeatureTree.balanced(8)

    def game(z: np.ndarray, row: np.ndarray) -> np.ndarray:
        return (z[:, :4] @ [1.0, 2.0, 3.0, 4.0])[:, None] ** 2

    design = _followed(OwenSplits((tree,), splits_per_round=1), game, 8, 22)
    halves = design.z.reshape(-1, 2, 8)
    alike = (halves[:, 0, 4:] == halves[:, 1, 4:]).all(axis=1)
    assert alike[1:].all()


def test_every_output_counts_in_its_own_units() -> None:
    """A large output does not outweigh a small one that needs another branch."""
    tree = FeatureTree.balanced(8)

    def game(z: np.ndarray, row: np.ndarray) -> np.ndarray:
        left, right = z[:, :4] @ [1.0, 2.0, 3.0, 4.0], z[:, 4:] @ [1.0, 2.0, 3.0, 4.0]
        return np.stack([1e6 * left**2, right**2], axis=1)

    design = _followed(OwenSplits((tree,), splits_per_round=1), game, 8, 10)
    halves = design.z.reshape(-1, 2, 8)
    touched = [
        (halves[1:, 0, s] != halves[1:, 1, s]).any(axis=1).sum() for s in (slice(4), slice(4, 8))
    ]
    assert touched == [2, 2]


def test_budgets_are_kept() -> None:
    """Never more than n; a node of three children waits until all of its six fit."""
    design = OwenSplits((NESTED,)).draw(5, 7, RNG)
    more = OwenSplits((NESTED,)).follow(_answered(design, _curved), 7, RNG)
    assert len(design) == 2
    assert len(more) == 6
    nodes = more.steps.node[~more.steps.is_open]
    assert sorted(nodes.tolist()) == [6, 6, 7]


def test_following_is_a_function_of_the_answers() -> None:
    """The same answers, the same round; it begins with what was drawn."""
    sampler = OwenSplits((FeatureTree.balanced(9),), splits_per_round=3)
    design = sampler.draw(9, 50, RNG)
    for _ in range(3):
        answered = _answered(design, _curved)
        one = sampler.follow(answered, 50, np.random.default_rng(1))
        other = sampler.follow(answered, 50, np.random.default_rng(2))
        assert np.array_equal(one.z, other.z)
        assert np.array_equal(one.z[: len(design)], design.z)
        assert len(one) - len(design) <= 6
        design = one
    assert (np.diff(design.cluster) >= 0).all()
    assert sampler.draw(9, 50, RNG, design) is design


def test_refusals() -> None:
    """Other designs, and invalid settings."""
    foreign = CustomCoalitions(np.ones((2, 3), bool), np.ones(2), np.arange(2))
    with pytest.raises(RejectPerturbations, match=r"OwenSplits.draw"):
        OwenSplits().follow(_answered(foreign, _curved), 9, RNG)
    with pytest.raises(InvalidParameterError, match="splits_per_round"):
        OwenSplits(splits_per_round=0)
