"""Sparse local fits."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.designs import Evaluations
from perturbx.errors import InvalidParameterError
from perturbx.samplers import BernoulliMasks, GaussianNoise
from perturbx.solvers import WeightedRidge
from perturbx.solvers._weighted_rows import blocks

NAMES = ["highest_weights", "forward", "lasso_path"]


@pytest.mark.parametrize("selection", NAMES)
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_a_sparse_linear_model_is_found(
    games: SimpleNamespace, selection: str, scale: float
) -> None:
    """Two outputs of different features: each keeps its own, with their slopes; the rest is 0."""
    slopes = np.zeros((12, 2))
    slopes[[1, 5, 7], 0] = 3, -2, 1
    slopes[[0, 5, 11], 1] = -1, 4, 2
    for sampler in (GaussianNoise(), BernoulliMasks()):
        design = games.draw(sampler, 12, 600)
        evaluations = games.evaluate(lambda z: scale * (z.astype(float) @ slopes), design)
        solution = WeightedRidge(n_select=3, selection=selection, alpha=1e-9).solve(evaluations)
        assert_allclose(solution.values[0], scale * slopes, atol=1e-6 * scale)
        assert_array_equal(solution.values[0] != 0, slopes != 0)
        assert_array_equal(np.isnan(solution.standard_errors[0]), slopes == 0)


@pytest.mark.parametrize("selection", NAMES)
def test_at_most_so_many_are_kept_and_refitted(games: SimpleNamespace, selection: str) -> None:
    """Slopes of those kept are those of a fit that never saw the others."""
    design = games.draw(GaussianNoise(), 8, 300)
    y = np.random.default_rng(0).normal(size=(len(design), 1, 1))
    end = np.zeros((1, 1))
    sparse = WeightedRidge(kernel_width=4.0, n_select=3, selection=selection)
    values = sparse.solve(Evaluations(design, y, end, end)).values[0, :, 0]
    kept = values != 0
    assert 1 <= kept.sum() <= 3
    (block,) = blocks(design, sparse.proximity(design))
    weights = block.weights / block.weights.sum()
    root = np.sqrt(weights)[:, None]
    x = np.column_stack([np.ones(len(design)), design.z[:, kept]])
    expected = np.linalg.lstsq(x * root, y[:, 0] * root, rcond=None)[0][1:, 0]
    assert_allclose(values[kept], expected, rtol=1e-4)


def test_forward_takes_the_best_next_feature(games: SimpleNamespace) -> None:
    """One feature: the best single one by R2. Each next one: the best addition, by brute force."""
    design = games.draw(GaussianNoise(), 6, 100)
    y = np.random.default_rng(1).normal(size=len(design)) + design.z[:, 2] * design.z[:, 3]
    end = np.zeros((1, 1))
    chosen: list[int] = []
    for n in (1, 2, 3):
        squares = {}
        for j in set(range(6)) - set(chosen):
            x = np.column_stack([np.ones(len(y)), design.z[:, [*chosen, j]]])
            squares[j] = ((y - x @ np.linalg.lstsq(x, y, rcond=None)[0]) ** 2).sum()
        chosen.append(min(squares, key=lambda j: squares[j]))
        solver = WeightedRidge(kernel_width=np.inf, n_select=n, selection="forward")
        values = solver.solve(Evaluations(design, y[:, None, None], end, end)).values[0, :, 0]
        assert set(np.flatnonzero(values)) == set(chosen)


@pytest.mark.parametrize("selection", NAMES)
def test_keeping_more_than_there_are_keeps_all(games: SimpleNamespace, selection: str) -> None:
    """n_select of d or more is no selection."""
    design = games.draw(GaussianNoise(), 4, 200)
    evaluations = games.evaluate(lambda z: np.sin(z).sum(axis=1) + z[:, 0] ** 2, design)
    plain = WeightedRidge().solve(evaluations)
    sparse = WeightedRidge(n_select=9, selection=selection).solve(evaluations)
    assert_allclose(sparse.values, plain.values, rtol=1e-9)
    assert_allclose(sparse.standard_errors, plain.standard_errors, rtol=1e-9)


@pytest.mark.parametrize(("name", "value"), [("n_select", 0), ("selection", "auto")])
def test_bad_parameters_are_named(name: str, value: object) -> None:
    """At construction, with the name and the value."""
    with pytest.raises(InvalidParameterError, match=f"{name} must be .*got"):
        WeightedRidge(**{name: value})
