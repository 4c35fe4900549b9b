"""Antithetic normal noise."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.designs import NoiseDraws
from perturbx.errors import RejectPerturbations
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


@pytest.mark.parametrize("d", [1, 7, 300, 5000])
def test_large_noise_is_the_same_however_it_is_read(d: int) -> None:
    """Whole, row by row, in pieces of any length, in another process, or after it was continued."""
    n = 2 * (2**20 // d // 2) + 4 * 64
    rng = np.random.default_rng(3)
    design = GaussianNoise().draw(d, n, rng)
    assert not isinstance(design.noise, np.ndarray)
    z = design.z
    assert_array_equal(z[0::2], -z[1::2])
    assert_array_equal(design.cluster, np.arange(n) // 2)
    for start, stop in [(0, 1), (1, 2), (3, 10), (n - 5, n), (n // 2 - 1, n // 2 + 200), (4, 4)]:
        assert_array_equal(design.tile(slice(start, stop)), z[start:stop])
    few = 2 * max(1, 2**18 // d)
    small = GaussianNoise().draw(d, few, np.random.default_rng(3))
    assert isinstance(small.noise, np.ndarray)
    for same in (pickle.loads(pickle.dumps(design)), GaussianNoise().draw(d, n, rng, small)):
        assert_array_equal(same.tile(slice(0, 200)), z[:200])
    assert_array_equal(small.z, z[:few])


def test_blocks_of_large_noise_differ() -> None:
    """No row comes twice, and neighbors in and across blocks are uncorrelated."""
    z = GaussianNoise().draw(100, 20_000, np.random.default_rng(0)).z[0::2]
    assert len(np.unique(z[:, 0])) == len(z)
    for lag in (1, 40, 41):
        assert abs(np.corrcoef(z[lag:].ravel(), z[:-lag].ravel())[0, 1]) < 0.005
    assert_allclose(z.T @ z / len(z), np.eye(100), atol=0.05)


def test_noise_of_others_is_not_continued() -> None:
    """An array has no generator that could draw more."""
    custom = NoiseDraws(np.zeros((4, 3)), np.ones(4), np.arange(4))
    with pytest.raises(RejectPerturbations, match="can only continue noise that it drew"):
        GaussianNoise().draw(3, 10, np.random.default_rng(0), custom)
