"""Pairs of coalitions, without replacement."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.designs import Design
from perturbx.samplers import ShapleyCoalitions

SAMPLER = ShapleyCoalitions()


def draw(d: int, n: int, seed: int = 0, drawn: Design | None = None) -> Design:
    return SAMPLER.draw(d, n, np.random.default_rng(seed), drawn)


def distinct(z: np.ndarray) -> int:
    return len(np.unique(np.packbits(z, axis=1), axis=0))


def pair_sizes(design: Design) -> np.ndarray:
    size = design.z[0::2].sum(axis=1)
    return np.minimum(size, design.n_features - size)


@given(d=st.integers(2, 14), n=st.integers(0, 400), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_every_design_is_distinct_pairs(d: int, n: int, seed: int) -> None:
    """Never more than n rows, only complementary neighbors, none twice, none empty or full."""
    n = max(n, SAMPLER.minimum(d))
    design = draw(d, n, seed)
    assert len(design) == min(n // 2 * 2, 2**d - 2)
    assert_array_equal(design.z[1::2], ~design.z[0::2])
    assert_array_equal(design.cluster, np.arange(len(design)) // 2)
    assert distinct(design.z) == len(design)
    assert design.z.any(axis=1).all()
    assert not design.z.all(axis=1).any()
    assert_allclose(design.weights.mean(), 1.0)
    assert_array_equal(design.weights[0::2], design.weights[1::2])
    assert design.complete == (len(design) == 2**d - 2)


def test_one_feature_has_an_empty_complete_design() -> None:
    """With one feature there is nothing between the empty and the full coalition."""
    design = draw(1, 10)
    assert design.z.shape == (0, 1)
    assert design.complete
    assert SAMPLER.minimum(1) == SAMPLER.default(1) == 0


@pytest.mark.parametrize("d", [2, 3, 4, 5, 8])
def test_enumeration_has_the_weights_of_the_shapley_kernel(d: int) -> None:
    """All coalitions once; the weight of one of size s is (d-1) / (C(d,s) s (d-s)), rescaled."""
    design = draw(d, 10**6)
    assert design.complete
    assert distinct(design.z) == len(design) == 2**d - 2
    size = design.z.sum(axis=1)
    kernel = np.array([(d - 1) / (math.comb(d, s) * s * (d - s)) for s in size])
    assert_allclose(design.weights, kernel / kernel.mean(), rtol=1e-12)


@pytest.mark.parametrize(("d", "n"), [(7, 40), (10, 100), (11, 600), (40, 500)])
def test_each_size_carries_its_mass_of_the_kernel(d: int, n: int) -> None:
    """However many coalitions of a size were drawn, their total weight is that of the size."""
    design = draw(d, n)
    size = pair_sizes(design)
    mass = np.bincount(size, design.weights[0::2])[1:]
    s = np.arange(1, d // 2 + 1)
    expected = np.where(2 * s == d, 0.5, 1.0) / (s * (d - s))
    assert_allclose(mass / mass.sum(), expected / expected.sum(), rtol=1e-12)


def test_a_weighted_sum_of_coalitions_is_unbiased() -> None:
    """Horvitz-Thompson: on average, weighted sums are those over all coalitions."""
    d, seeds = 7, 1500
    rng = np.random.default_rng(5)
    game = rng.normal(size=2**d)
    number = 2 ** np.arange(d)
    whole = draw(d, 2**d)
    truth = whole.weights @ game[whole.z @ number] / whole.weights.sum()
    estimates = []
    for seed in range(seeds):
        design = draw(d, 30, seed)
        estimates.append(design.weights @ game[design.z @ number] / design.weights.sum())
    error = np.std(estimates) / np.sqrt(seeds)
    assert abs(np.mean(estimates) - truth) < 4 * error


def test_coalitions_of_a_size_are_equally_likely() -> None:
    """Inclusion counts of the 35 coalitions of size 3 of 7 pass a chi-square test."""
    seen = np.zeros(2**7)
    for seed in range(1000):
        z = draw(7, 30, seed).z
        np.add.at(seen, z[z.sum(axis=1) == 3] @ (2 ** np.arange(7)), 1)
    counts = seen[seen > 0]
    assert len(counts) == math.comb(7, 3)
    chi_square = ((counts - counts.mean()) ** 2).sum() / counts.mean()
    assert chi_square < 66  # 0.999 quantile of 34 degrees of freedom is 65.2


@pytest.mark.parametrize(("d", "n"), [(9, 60), (20, 300), (31, 1000), (60, 2168)])
def test_sizes_share_alike_until_they_are_exhausted(d: int, n: int) -> None:
    """Sizes get equal numbers within one pair; a size with fewer coalitions is taken whole."""
    size, counts = np.unique(pair_sizes(draw(d, n)), return_counts=True)
    number = np.array([math.comb(d, s) // (2 if 2 * s == d else 1) for s in size])
    share = counts * np.where(2 * size == d, 2, 1)
    partly = counts < number
    assert size.tolist() == list(range(1, d // 2 + 1))
    assert np.ptp(share[partly & (2 * size != d)]) <= 1
    assert (counts[~partly] <= share[partly].max()).all()
    assert (number[~partly] == counts[~partly]).all()


@given(
    d=st.integers(3, 13),
    steps=st.lists(st.integers(0, 120), min_size=1, max_size=4),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=50)
def test_a_continued_design_is_as_good_as_one_draw(d: int, steps: list[int], seed: int) -> None:
    """It begins with what was drawn, repeats nothing, and its sizes are a single draw's."""
    n = SAMPLER.minimum(d)
    design = draw(d, n, seed)
    for step in steps:
        n += step
        before, design = design, draw(d, n, seed + 1, design)
        assert_array_equal(design.z[: len(before)], before.z)
        assert len(design) == min(n // 2 * 2, 2**d - 2)
        assert distinct(design.z) == len(design)
        assert_array_equal(design.z[1::2], ~design.z[0::2])
    single = draw(d, n, seed + 2)
    counts = np.bincount(pair_sizes(design), minlength=d)
    assert np.abs(counts - np.bincount(pair_sizes(single), minlength=d)).max() <= 1
    mass = np.bincount(pair_sizes(design), design.weights[0::2], minlength=d)
    assert_allclose(mass / mass.sum(), _mass(single), rtol=1e-12)


def _mass(design: Design) -> np.ndarray:
    mass = np.bincount(pair_sizes(design), design.weights[0::2], minlength=design.n_features)
    return mass / mass.sum()


@pytest.mark.parametrize("d", range(2, 12))
def test_the_minimum_determines_a_regression(d: int) -> None:
    """At the minimum, additive games are determined, whatever the seed."""
    for seed in range(30):
        z = draw(d, SAMPLER.minimum(d), seed).z[0::2].astype(float)
        assert np.linalg.matrix_rank(z - z.mean(axis=1, keepdims=True)) == d - 1


@pytest.mark.parametrize("d", [1200, 5000])
def test_thousands_of_features_do_not_overflow(d: int) -> None:
    """Binomial coefficients beyond float64 leave finite weights and no warning."""
    design = draw(d, SAMPLER.minimum(d))
    assert len(design) == 2 * d
    assert np.isfinite(design.weights).all()
    assert (design.weights > 0).all()


def test_the_same_rng_gives_the_same_design() -> None:
    """Two generators of one seed, one design; another seed, another."""
    assert_array_equal(draw(12, 200, 3).z, draw(12, 200, 3).z)
    assert (draw(12, 200, 3).z != draw(12, 200, 4).z).any()


def test_defaults_are_even_and_enough() -> None:
    """2 d + 2048, or all coalitions where there are fewer."""
    assert [SAMPLER.default(d) for d in (2, 5, 12, 100)] == [2, 30, 2072, 2248]
    assert all(SAMPLER.minimum(d) <= SAMPLER.default(d) for d in range(1, 40))
