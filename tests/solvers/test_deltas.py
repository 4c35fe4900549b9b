"""Leave one out."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.designs import Evaluations
from perturbx.samplers import OneAtATime
from perturbx.solvers import Deltas


@pytest.mark.parametrize("d", [1, 2, 40])
def test_scores_are_what_is_lost(d: int) -> None:
    """Full output less the output without the feature, for every instance and output."""
    rng = np.random.default_rng(d)
    outputs, full, empty = rng.normal(size=(d, 3, 2)), *rng.normal(size=(2, 3, 2))
    design = OneAtATime().draw(d, d, rng)
    solution = Deltas().solve(Evaluations(design, outputs, full, empty))
    for i in range(3):
        for feature in range(d):
            assert_array_equal(solution.values[i, feature], full[i] - outputs[feature, i])
    assert_array_equal(solution.base, empty)
    assert not Deltas().additive


def test_nothing_is_sampled_so_errors_are_those_of_arithmetic() -> None:
    """1e-12 of the largest output, even where the empty output is unknown."""
    outputs = np.array([[[2.0]], [[-8.0]], [[1.0]]])
    design = OneAtATime().draw(3, 3, np.random.default_rng(0))
    evaluations = Evaluations(design, outputs, np.ones((1, 1)), np.full((1, 1), np.nan))
    solution = Deltas().solve(evaluations)
    assert_allclose(solution.standard_errors, 8e-12)
    assert solution.standard_errors.shape == (1, 3, 1)
