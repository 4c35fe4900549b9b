"""Antithetic chains."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from perturbx.samplers import Permutations

SAMPLER = Permutations()


@given(d=st.integers(4, 30), n_chains=st.integers(1, 6), extra=st.integers(0, 5))
@settings(deadline=None, max_examples=50)
def test_units_are_an_order_read_both_ways(d: int, n_chains: int, extra: int) -> None:
    """Features join one by one; the second half joins them in the reverse order."""
    length = 2 * (d - 1)
    n = min(n_chains * length + extra, 2**d - 3)
    design = SAMPLER.draw(d, n, np.random.default_rng(d))
    assert len(design) == n // length * length
    assert not design.complete
    chains = design.z.reshape(-1, 2, d - 1, d)
    assert_array_equal(chains.sum(axis=-1), np.broadcast_to(np.arange(1, d), chains.shape[:3]))
    assert (chains[:, :, 1:] >= chains[:, :, :-1]).all()
    assert_array_equal(chains[:, 1], ~chains[:, 0, ::-1])
    assert_array_equal(design.cluster, np.arange(len(design)) // length)
    assert (design.weights == 1).all()


def test_orders_are_uniform() -> None:
    """Each feature comes first, and each last, equally often over many chains."""
    d, n_chains = 6, 3000
    rng = np.random.default_rng(0)
    one = SAMPLER.draw(d, 2 * (d - 1), rng)
    design = SAMPLER.draw(d, n_chains * 2 * (d - 1), rng, one)
    first = design.z.reshape(n_chains, 2, d - 1, d)[:, 0, 0].sum(axis=0)
    assert ((first - n_chains / d) ** 2).sum() / (n_chains / d) < 20.5  # chi-square 5, 0.999


@pytest.mark.parametrize("d", [1, 2, 3, 4, 7])
def test_enough_rows_hold_every_coalition_once(d: int) -> None:
    """From 2**d - 2 rows on the design is complete, in pairs."""
    design = SAMPLER.draw(d, 2**d - 2, np.random.default_rng(0))
    assert design.complete
    assert design.z.shape == (2**d - 2, d)
    assert len(np.unique(design.z, axis=0)) == 2**d - 2
    assert_array_equal(design.z[1::2], ~design.z[0::2])


def test_a_continued_design_appends_units() -> None:
    """Earlier perturbations stay in front, cluster numbers continue, and n is the total."""
    rng = np.random.default_rng(0)
    first = SAMPLER.draw(5, 16, rng)
    design = SAMPLER.draw(5, 28, rng, first)
    assert_array_equal(design.z[:16], first.z)
    assert_array_equal(design.cluster, np.arange(24) // 8)
    assert_array_equal(SAMPLER.draw(5, 24, rng, design).z, design.z)


@pytest.mark.parametrize("d", [1, 2, 3, 5, 11, 30, 1200])
def test_defaults_are_whole_units_or_everything(d: int) -> None:
    """The default can be spent to the last row."""
    default = SAMPLER.default(d)
    assert SAMPLER.minimum(d) <= default <= 2**d - 2
    assert len(SAMPLER.draw(d, default, np.random.default_rng(0))) == default
