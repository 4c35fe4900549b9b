"""Sums over outputs that were not kept."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.designs import OutputSums

RNG = np.random.default_rng(0)


def summed(outputs: np.ndarray, ends: list[int]) -> OutputSums:
    """Of sequences in pieces that end there."""
    found = None
    for piece in np.split(outputs, ends):
        found = OutputSums.of(piece, found)
    assert found is not None
    return found


@pytest.mark.parametrize("outlier", [0.0, 1e6])
@pytest.mark.parametrize("scale", [1e-90, 1.0, 1e90])
def test_they_are_those_of_all_outputs(scale: float, outlier: float) -> None:
    """Even if the first output is the only one of its size, or fourth powers would overflow."""
    outputs = RNG.normal(size=(40, 6, 3, 2)) + 7
    outputs[0, 0] += outlier
    found = summed(outputs * scale, [1, 30])
    flat = outputs.reshape(240, 3, 2)
    assert found.count == 240
    assert_array_equal(found.lowest, flat.min(axis=0) * scale)
    assert_array_equal(found.highest, flat.max(axis=0) * scale)
    about = flat - flat.mean(axis=0)
    expected = (about**2).sum(axis=0) ** 2 / (about**4).sum(axis=0)
    assert_allclose(found.effective, expected, rtol=1e-9)


def test_pieces_change_no_bit() -> None:
    outputs = RNG.normal(size=(64, 10, 2, 3))
    whole = summed(outputs, [])
    for ends in ([1], [1, 2, 3], [7, 40], list(range(1, 64))):
        found = summed(outputs, ends)
        assert_array_equal(found.powers, whole.powers)
        assert_array_equal(found.effective, whole.effective)


def test_equal_outputs_are_all_effective() -> None:
    found = summed(np.full((5, 4, 1, 1), 0.1), [2])
    assert_array_equal(found.effective, [[20.0]])


def test_instances_are_taken_out() -> None:
    outputs = RNG.normal(size=(8, 4, 3, 2))
    chosen = np.array([True, False, True])
    found = summed(outputs, []).of_instances(chosen)
    alone = summed(outputs[:, :, chosen], [])
    for name in ("lowest", "highest", "first", "scale", "powers", "effective"):
        assert_array_equal(getattr(found, name), getattr(alone, name))
