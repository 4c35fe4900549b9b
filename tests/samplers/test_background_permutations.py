"""Designs in which each perturbation uses one background row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from perturbx.designs import Design
from perturbx.errors import InvalidParameterError
from perturbx.samplers import Permutations, ShapleyCoalitions
from perturbx.samplers.background_permutations import BackgroundPermutations


def rows_of_chains(design: Design) -> np.ndarray:
    """The row of each chain, which all of its members share."""
    assert design.background_row is not None
    first = np.unique(design.cluster, return_index=True)[1]
    assert_array_equal(design.background_row, design.background_row[first][design.cluster])
    return design.background_row[first]


@given(
    d=st.integers(3, 20),
    n_chains=st.integers(1, 30),
    extra=st.integers(0, 3),
    n_background=st.integers(1, 9),
)
@settings(deadline=None, max_examples=50)
def test_chains_are_those_of_permutations(
    d: int, n_chains: int, extra: int, n_background: int
) -> None:
    """Features join one by one; the second half joins them in the reverse order."""
    length = 2 * (d - 1)
    design = BackgroundPermutations(n_background).draw(
        d, n_chains * length + extra, np.random.default_rng(d)
    )
    assert len(design) == n_chains * length
    assert not design.complete
    assert (design.weights == 1).all()
    chains = design.z.reshape(-1, 2, d - 1, d)
    assert_array_equal(chains.sum(axis=-1), np.broadcast_to(np.arange(1, d), chains.shape[:3]))
    assert (chains[:, :, 1:] >= chains[:, :, :-1]).all()
    assert_array_equal(chains[:, 1], ~chains[:, 0, ::-1])
    assert_array_equal(design.cluster, np.arange(len(design)) // length)


@given(d=st.integers(4, 12), n_background=st.integers(1, 9), steps=st.lists(st.integers(1, 60)))
@settings(deadline=None, max_examples=40)
def test_rows_are_used_evenly_however_often_a_design_is_continued(
    d: int, n_background: int, steps: list[int]
) -> None:
    """After every chain, no row was used twice more than another; earlier chains stay in front."""
    sampler, rng, n = BackgroundPermutations(n_background), np.random.default_rng(d), 2 * (d - 1)
    design = sampler.draw(d, n, rng)
    for step in steps:
        n += step
        longer = sampler.draw(d, n, rng, design)
        assert_array_equal(longer.z[: len(design)], design.z)
        assert longer.background_row is not None
        assert_array_equal(longer.background_row[: len(design)], design.background_row)
        assert len(design) <= len(longer) <= n
        design = longer
    rows = rows_of_chains(design)
    used = (rows[:, None] == np.arange(n_background)).cumsum(axis=0)
    assert (np.ptp(used, axis=1) <= 1).all()


def test_every_row_is_as_likely_in_a_round_that_is_not_finished() -> None:
    """Over 2000 designs, each of five rows comes first equally often."""
    rng = np.random.default_rng(0)
    first = [rows_of_chains(BackgroundPermutations(5).draw(4, 6, rng))[0] for _ in range(2000)]
    count = np.bincount(first, minlength=5)
    assert ((count - 400) ** 2 / 400).sum() < 18.5  # chi-square 4, 0.999


def test_two_features_have_one_order_a_row() -> None:
    """A row's only chain is not drawn twice, and one feature needs no chain."""
    rng = np.random.default_rng(0)
    design = BackgroundPermutations(6).draw(2, 1000, rng)
    assert_array_equal(np.sort(rows_of_chains(design)), np.arange(6))
    assert len(BackgroundPermutations(6).draw(2, 1000, rng, design)) == 12
    alone = BackgroundPermutations(6).draw(1, 1000, rng)
    assert len(alone) == 0
    assert alone.complete
    assert alone.background_row is not None


def test_more_rows_give_more_chains_and_no_enumeration() -> None:
    """Far beyond 2**d coalitions the design still grows."""
    design = BackgroundPermutations(7).draw(3, 4000, np.random.default_rng(0))
    assert len(design) == 4000
    assert not design.complete


@pytest.mark.parametrize("d", [1, 2, 3, 5, 11, 30, 1200])
def test_defaults_can_be_spent(d: int) -> None:
    """The default is at least the minimum and is spent to the last perturbation."""
    sampler = BackgroundPermutations(3)
    assert sampler.draws.per_background_row
    assert sampler.minimum(d) <= sampler.default(d)
    if d <= 30:
        default = sampler.default(d)
        assert len(sampler.draw(d, default, np.random.default_rng(0))) == default


def test_a_background_without_rows_is_refused() -> None:
    """The message names the parameter."""
    with pytest.raises(InvalidParameterError, match="n_background"):
        BackgroundPermutations(0)


def test_other_samplers_average_over_rows() -> None:
    """Their perturbations are averaged over all background rows."""
    assert not Permutations().draws.per_background_row
    assert not ShapleyCoalitions.draws.per_background_row
