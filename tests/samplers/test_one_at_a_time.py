"""Each feature absent alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from perturbx.samplers import OneAtATime


@pytest.mark.parametrize("d", [1, 2, 7])
@pytest.mark.parametrize("extra", [0, 100])
def test_row_i_lacks_feature_i(d: int, extra: int) -> None:
    """Exactly d rows at any budget; nothing else is worth trying."""
    sampler = OneAtATime()
    assert sampler.minimum(d) == sampler.default(d) == d
    design = sampler.draw(d, d + extra, np.random.default_rng(0))
    assert_array_equal(design.z, np.eye(d) == 0)
    assert_array_equal(sampler.draw(d, d + 1, np.random.default_rng(0), design).z, design.z)
