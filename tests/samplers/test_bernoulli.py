"""Independent masks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.errors import InvalidParameterError
from perturbx.samplers import BernoulliMasks


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_each_row_has_the_probability_that_independence_gives(p: float) -> None:
    """Each coalition of three features has the frequency of its product of probabilities."""
    n = 60_000
    z = BernoulliMasks(p).draw(3, n, np.random.default_rng(0)).z
    frequency = np.bincount(z @ [1, 2, 4], minlength=8) / n
    size = np.array([bin(i).count("1") for i in range(8)])
    expected = p**size * (1 - p) ** (3 - size)
    assert_allclose(frequency, expected, atol=4 * np.sqrt(0.25 / n))


@pytest.mark.parametrize("p", [0, 1, -0.1, 1.5, float("nan")])
def test_p_must_be_a_probability(p: float) -> None:
    """Outside (0, 1) the error shows the name and the value."""
    with pytest.raises(InvalidParameterError, match="p must be a number above 0 and below 1; got"):
        BernoulliMasks(p)


def test_rows_are_units_of_their_own_and_go_on() -> None:
    """A continued design keeps its beginning; each row has its own number."""
    rng = np.random.default_rng(0)
    first = BernoulliMasks().draw(8, 30, rng)
    design = BernoulliMasks().draw(8, 50, rng, first)
    assert_array_equal(design.z[:30], first.z)
    assert_array_equal(design.cluster, np.arange(50))
    assert len(design) == 50
