"""Antithetic normal noise."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.samplers import GaussianNoise


@pytest.mark.parametrize(("n", "rows"), [(40, 40), (41, 40)])
def test_mirror_images_lie_next_to_each_other(n: int, rows: int) -> None:
    """Each pair sums to zero and shares its cluster; odd budgets lose a row."""
    design = GaussianNoise().draw(5, n, np.random.default_rng(0))
    assert design.z.dtype == np.float64
    assert design.z.shape == (rows, 5)
    assert_array_equal(design.z[0::2], -design.z[1::2])
    assert_array_equal(design.cluster, np.arange(rows) // 2)


def test_noise_has_unit_covariance() -> None:
    """Over many draws: mean zero exactly, covariance one, fourth moment three."""
    z = GaussianNoise().draw(3, 200_000, np.random.default_rng(0)).z
    assert_allclose(z.sum(axis=0), 0, atol=1e-9)
    assert_allclose(z.T @ z / len(z), np.eye(3), atol=0.02)
    assert_allclose((z**4).mean(axis=0), 3, atol=0.15)


def test_a_continued_design_keeps_its_beginning() -> None:
    """n is the new total; cluster numbers continue."""
    rng = np.random.default_rng(0)
    first = GaussianNoise().draw(2, 10, rng)
    design = GaussianNoise().draw(2, 17, rng, first)
    assert_array_equal(design.z[:10], first.z)
    assert_array_equal(design.cluster, np.arange(16) // 2)
    assert len(np.unique(design.z[:, 0])) == 16


def test_the_minimum_leaves_degrees_of_freedom() -> None:
    """More pairs than slopes, even with a single feature."""
    for d in (1, 2, 30):
        assert GaussianNoise().minimum(d) // 2 - d >= 2
        assert GaussianNoise().default(d) >= GaussianNoise().minimum(d)
