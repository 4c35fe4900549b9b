"""Parity terms of trees."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from numpy.testing import assert_allclose
from perturbx.solvers.process.mask_trees import Boosting, Leaves, boost
from perturbx.solvers.process.parity import parity_terms


def cube(d: int) -> np.ndarray:
    return (np.arange(2**d)[:, None] >> np.arange(d) & 1).astype(bool)


def fitted(d: int, seed: int) -> tuple[Leaves, np.ndarray]:
    """Trees on random answers, and their predictions on the whole cube."""
    z = cube(d)
    y = np.random.default_rng(seed).normal(size=(len(z), 1))
    (leaves,) = boost(z, y, np.ones((len(z), 1), dtype=bool), Boosting(n_trees=10))
    inside = np.array(
        [
            (z[:, path[path >= 0]] == (signs[path >= 0] > 0)).all(axis=1)
            for path, signs in zip(leaves.features, leaves.signs, strict=True)
        ]
    )
    return leaves, leaves.values @ inside


def test_terms_are_the_odd_part_of_the_trees() -> None:
    """Summed up, the terms of odd size equal (f(x) - f(-x)) / 2 at every point of the cube."""
    leaves, predicted = fitted(7, 0)
    terms = parity_terms(leaves, 7, most=1000, least=1)
    signs = np.where(cube(7), 1.0, -1.0)
    assert_allclose(
        terms.evaluate(signs) @ terms.coefficients, (predicted - predicted[::-1]) / 2, atol=1e-12
    )


def test_without_linear_terms_the_rest_is_the_same() -> None:
    """`least` = 3 leaves out the terms of one feature and nothing else."""
    leaves, _ = fitted(6, 1)
    all_terms, higher = (parity_terms(leaves, 6, 1000, least) for least in (1, 3))
    kept = all_terms.members.sum(axis=1) >= 3
    pairs = zip(all_terms.members[kept], all_terms.coefficients[kept], strict=True)
    expected = {tuple(m): c for m, c in pairs}
    found = {tuple(m): c for m, c in zip(higher.members, higher.coefficients, strict=True)}
    assert expected.keys() == found.keys()
    assert_allclose([found[key] for key in expected], list(expected.values()), atol=1e-14)


def test_the_largest_terms_are_kept() -> None:
    """Of all terms, `most` are kept, and none that was dropped is larger."""
    leaves, _ = fitted(7, 2)
    every, few = parity_terms(leaves, 7, 1000), parity_terms(leaves, 7, 5)
    largest = np.sort(np.abs(every.coefficients))[::-1][:5]
    assert_allclose(np.abs(few.coefficients), largest)


def test_shapley_values_of_terms(games: SimpleNamespace) -> None:
    """Each member of T gets 2 c / |T|: brute force agrees."""
    leaves, _ = fitted(6, 3)
    terms = parity_terms(leaves, 6, 1000, least=1)

    def game(z: np.ndarray) -> np.ndarray:
        return terms.evaluate(np.where(z, 1.0, -1.0)) @ terms.coefficients

    assert_allclose(terms.shapley(terms.coefficients), games.brute_force(game, 6), atol=1e-12)


def test_no_trees_no_terms() -> None:
    """Trees without a split, or without three features on a path, have no odd terms."""
    empty = Leaves(np.empty((0, 6), int), np.empty((0, 6)), np.empty(0))
    assert len(parity_terms(empty, 4, 100)) == 0
