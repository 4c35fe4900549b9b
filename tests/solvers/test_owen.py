"""Owen values against their definition over orders; nodes that were not split, and their errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from perturbx.designs import Evaluations
from perturbx.errors import RejectPerturbations
from perturbx.features import FeatureTree
from perturbx.samplers import OwenSplits
from perturbx.solvers import OwenValues, Solution, Solver

Game = Callable[[np.ndarray], np.ndarray]
RNG = np.random.default_rng(0)
DEFAULT = OwenValues()


def _orders(tree: FeatureTree, node: int) -> Iterator[tuple[int, ...]]:
    """Orders of a node's leaves in which every node's leaves stay together."""
    children = tree.children_of(node)
    if not children:
        yield (node,)
        return
    for order in permutations(children):
        for parts in product(*(tuple(_orders(tree, child)) for child in order)):
            yield sum(parts, ())


def _by_orders(game: Game, tree: FeatureTree) -> np.ndarray:
    """Owen (1977): the mean marginal contribution over those orders."""
    orders = list(_orders(tree, tree.root))
    values = np.zeros(tree.n_features)
    for order in orders:
        z = np.zeros((len(order) + 1, tree.n_features), dtype=bool)
        for i, feature in enumerate(order):
            z[i + 1 :, feature] = True
        values[list(order)] += np.diff(game(z))
    return values / len(orders)


def _solved(
    game: Any,
    trees: tuple[FeatureTree, ...],
    n: int = 10**6,
    solver: Solver = DEFAULT,
    **settings: Any,
) -> Solution:
    """`game` is one function of coalitions, or one for each tree."""
    games = game if isinstance(game, (list, tuple)) else [game] * len(trees)
    d = trees[0].n_features
    sampler = OwenSplits(trees, **settings)

    def answers(z: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.stack([games[r](z[i : i + 1])[0] for i, r in enumerate(rows)])[:, None, None]

    full = np.mean([g(np.ones((1, d), bool)) for g in games]).reshape(1, 1)
    empty = answers(np.zeros((len(trees), d), bool), np.arange(len(trees)))
    design = sampler.draw(d, n, RNG)
    while True:
        rows = design.background_row
        named = None if rows is None else empty
        rows = np.zeros(len(design), int) if rows is None else rows
        known = answers(design.z, rows) if len(design) else np.zeros((0, 1, 1))
        evaluations = Evaluations(design, known, full, empty.mean(axis=0), named)
        more = sampler.follow(evaluations, n, RNG)
        if len(more) == len(design):
            return solver.solve(evaluations)
        design = more


def _network(d: int, seed: int) -> Game:
    rng = np.random.default_rng(seed)
    inner, outer = rng.normal(size=(d, 12)), rng.normal(size=12)
    inner *= rng.exponential(size=(d, 1)) ** 2
    return lambda z: np.tanh(z @ inner / 2) @ outer


TREES = {
    "halves": FeatureTree.balanced(6),
    "chain": FeatureTree.of_leaves([(0, 1), (5, 2), (6, 3), (7, 4)], 5),
    "unions": FeatureTree.of_leaves([(0, 3, 4), (1, 2), (6, 7, 5)], 6),
    "one": FeatureTree.of_leaves([], 1),
}


@pytest.mark.parametrize("name", TREES)
def test_exact_once_everything_is_split(name: str) -> None:
    """The definition, for trees of two children and of more."""
    tree = TREES[name]
    game = _network(tree.n_features, 1)
    found = _solved(game, (tree,))
    assert_allclose(found.values[0, :, 0], _by_orders(game, tree), atol=1e-12)
    assert (found.standard_errors <= 1e-11).all()
    expected = "exact, one feature" if name == "one" else "Owen values, all of a tree"
    assert found.estimator == expected


def test_a_flat_tree_gives_shapley_values(brute_force: Any) -> None:
    """One node that joins all features: every coalition is asked, every order counts."""
    game = _network(5, 2)
    flat = FeatureTree.of_leaves([(0, 1, 2, 3, 4)], 5)
    shapley = brute_force(game, np.ones(5), np.zeros((1, 5)))[:, 0]
    assert_allclose(_solved(game, (flat,)).values[0, :, 0], shapley, atol=1e-12)


@pytest.mark.parametrize("n", [4, 10, 40, 200])
def test_efficient_at_every_budget_and_in_each_tree(n: int) -> None:
    """Scores add up to full less the mean empty output, however little was split."""
    games = [_network(8, 3), lambda z: _network(8, 3)(z) + 5.0 * (~z[:, 0]) - 2.0 * (~z[:, 5])]
    trees = (
        FeatureTree.balanced(8),
        FeatureTree.of_leaves([(0, 7), (1, 6), (2, 5, 3, 4), (8, 9, 10)], 8),
    )
    found = _solved(games, trees, n)
    ends = [np.array([[True] * 8, [False] * 8])] * 2
    gained = np.mean([np.diff(game(z)[::-1])[0] for game, z in zip(games, ends, strict=True)])
    assert_allclose(found.values.sum(), gained, atol=1e-12)


def test_trees_add_up() -> None:
    """Two trees of two fills: the mean of what each gives alone."""
    games = [_network(6, 4), _network(6, 5)]
    games[1] = lambda z, g=games[1]: g(z) + games[0](np.ones((1, 6))) - g(np.ones((1, 6)))
    trees = (TREES["halves"], TREES["unions"])
    together = _solved(games, trees).values
    alone = [_solved(game, (tree,)).values for game, tree in zip(games, trees, strict=True)]
    assert_allclose(together, np.mean(alone, axis=0), atol=1e-12)


def test_what_is_never_split_is_shared_by_size() -> None:
    """A leaf of several features, and a node for which the budget did not suffice."""
    tree = FeatureTree(np.array([0, 0, 1, 2]), ((1, 2), (0, 3)), np.array([1.0, 3.0, 4.0, 6.0]))
    found = _solved(lambda z: 8.0 * z[:, 0] * z[:, 1] + 10.0 * z[:, 2], (tree,), 2)
    assert_allclose(found.values[0, :, 0], [2, 6, 4, 6])
    assert np.isnan(found.standard_errors[0, 2:]).all()
    assert (found.standard_errors[0, :2] < 1e-9).all()


def test_what_was_split_elsewhere_is_shared_as_there() -> None:
    """Features 2 and 3 share 1 : 3 in every context; and one split of them shows it."""
    tree = FeatureTree.of_leaves(((0, 1), (2, 3), (4, 5)), 4)

    def game(z: np.ndarray) -> np.ndarray:
        return (2.0 + z[:, 0]) * (1.0 * z[:, 2] + 3.0 * z[:, 3]) + 1e-3 * z[:, 0]

    for by_example, solver in ((True, DEFAULT), (False, DEFAULT.linear())):
        found = _solved(game, (tree,), 4, solver=solver, splits_per_round=1).values[0, :, 0]
        close = np.allclose(found[2:], _by_orders(game, tree)[2:], atol=1e-9)
        assert close == by_example
        assert found.sum() == pytest.approx(game(np.ones((1, 4)))[0])


def test_examples_bring_nearer() -> None:
    """With a third of the splits made, errors for networks of 20 features are a tenth smaller."""
    tree, off = FeatureTree.balanced(20), {True: [], False: []}
    for seed in range(200, 212):
        game = _network(20, seed)
        exact = _solved(game, (tree,), splits_per_round=64).values
        for by_example, solver in ((True, DEFAULT), (False, DEFAULT.linear())):
            found = _solved(game, (tree,), 120, solver=solver).values
            off[by_example].append(np.linalg.norm(found - exact) / np.linalg.norm(exact))
    assert np.mean(off[True]) < 0.9 * np.mean(off[False])


def test_errors_cover_what_was_never_split() -> None:
    """Nominal 95% intervals hold 90% and more of the exact values, for any fraction of the splits.

    The exact values are those of the same tree, split to the end: networks of 20 features.
    """
    tree = FeatureTree.balanced(20)
    inside = {10: [], 40: [], 120: [], 240: []}
    for seed in range(100, 112):
        game = _network(20, seed)
        exact = _solved(game, (tree,), splits_per_round=64).values
        for n, hits in inside.items():
            found = _solved(game, (tree,), n)
            hits.append(np.abs(found.values - exact) <= 1.96 * found.standard_errors + 1e-12)
    for n, hits in inside.items():
        assert np.mean(hits) > 0.9, n
    assert np.mean(list(inside.values())) < 0.999


def test_errors_shrink_and_end() -> None:
    """More splits give smaller errors overall, and none once everything is split."""
    game, tree = _network(16, 7), FeatureTree.balanced(16)
    errors = [
        _solved(game, (tree,), n).standard_errors.mean() for n in (12, 120, tree.all_coalitions())
    ]
    assert errors[0] > 1.5 * errors[1] > 1e6 * errors[2]


def test_few_splits_give_no_errors() -> None:
    """Three splits: NaN where a node was not split; four: a number."""
    game, tree = _network(16, 8), FeatureTree.balanced(16)
    assert np.isnan(_solved(game, (tree,), 6).standard_errors).all()
    assert np.isfinite(_solved(game, (tree,), 8).standard_errors).all()


def test_trees_without_rows_are_refused() -> None:
    """Splits of several trees need the answers of as many background rows."""
    nothing = np.zeros((1, 1))
    two = OwenSplits((FeatureTree.balanced(4),) * 2).draw(4, 4, RNG)
    with pytest.raises(RejectPerturbations, match="a background row for each of 2 trees"):
        OwenValues().solve(Evaluations(two, np.zeros((4, 1, 1)), nothing, nothing))
