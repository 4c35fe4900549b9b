"""Numbers that are drawn again against those drawn all at once."""

from __future__ import annotations

import numpy as np
import pytest
from perturbx.rules._shared_draws import Draw, SharedDraws

WEIGHTS = np.arange(1, 8) / 28
KINDS: tuple[Draw, ...] = (
    lambda rng, n: rng.integers(11, size=n),
    lambda rng, n: rng.random((n, 3)),
    lambda rng, n: rng.choice(7, size=n, p=WEIGHTS),
)


@pytest.mark.parametrize("n", [1, 5, 40])
@pytest.mark.parametrize("step", [1, 7, 40, 1000])
def test_every_rule_gets_the_numbers_that_are_drawn_all_at_once(n: int, step: int) -> None:
    """Whatever the batches, each but the last of which is full; the generator ends where it did."""
    whole, rng = np.random.default_rng(0), np.random.default_rng(0)
    expected = [draw(whole, n) for draw in KINDS]
    shared = SharedDraws(KINDS, n, rng, step)
    assert rng.bit_generator.state == whole.bit_generator.state
    batches = list(shared.batches(3))
    sizes = [sum(len(numbers[0]) for _, numbers in batch) for batch in batches]
    assert sizes == [step] * (3 * n // step) + [3 * n % step] * (3 * n % step > 0)
    for rule in range(3):
        parts = [numbers for batch in batches for which, numbers in batch if which == rule]
        for found, kind in zip(zip(*parts, strict=True), expected, strict=True):
            np.testing.assert_array_equal(np.concatenate(found), kind)
