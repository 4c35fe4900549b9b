"""Random grids: all places have the same distribution, and each draw its own shift."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from perturbx.designs import SoftMasks
from perturbx.errors import InvalidParameterError
from perturbx.samplers import RandomGrids

SHAPE, STEPS = (13, 9), 4


def drawn(n: int, p: float = 0.5, seed: int = 0) -> np.ndarray:
    sampler = RandomGrids(SHAPE, STEPS, p)
    design = sampler.draw(13 * 9, n, np.random.default_rng(seed))
    assert isinstance(design, SoftMasks)
    assert design.p == p
    return design.z.reshape(n, *SHAPE)


@pytest.mark.parametrize("p", [0.5, 0.2])
def test_every_point_is_drawn_alike(p: float) -> None:
    """Mean p, and the variance p (1 - p) E[w^2 + (1 - w)^2]^2 over shifts, at borders too."""
    z = drawn(20_000, p)
    w = np.arange(STEPS) / STEPS
    variance = p * (1 - p) * np.mean(w**2 + (1 - w) ** 2) ** 2
    assert_allclose(z.mean(axis=0), p, atol=5 * np.sqrt(variance / 20_000))
    assert_allclose(z.var(axis=0), variance, rtol=0.06)


def test_each_draw_is_a_grid_with_its_own_shift() -> None:
    """Linear between points that are 0 or 1; all 16 shifts come equally often."""
    z = drawn(3200)
    counts = np.zeros((STEPS, STEPS))
    for mask in z:
        offsets = []
        for axis in (0, 1):
            # Where a second difference is not 0 there lies a point of the coarse grid.
            bends = np.flatnonzero(np.abs(np.diff(mask, 2, axis=axis)).max(axis=1 - axis) > 1e-12)
            assert len(set((bends + 1) % STEPS)) <= 1
            offsets.append((bends[0] + 1) % STEPS if len(bends) else 0)
        knots = mask[offsets[0] :: STEPS, offsets[1] :: STEPS]
        assert np.isin(knots.round(12), (0, 1)).all()
        counts[tuple(offsets)] += 1
    # chi-square of 15 degrees of freedom, and a little for grids without a bend
    assert ((counts - 200) ** 2 / 200).sum() < 50


def test_rounds_draw_what_one_draw_would() -> None:
    """100 and 150 more are the same 250 masks."""
    sampler, rng = RandomGrids(SHAPE, STEPS), np.random.default_rng(3)
    more = sampler.draw(117, 250, rng, sampler.draw(117, 100, rng))
    assert_allclose(more.z, drawn(250, seed=3).reshape(250, -1))


def test_budgets_go_by_cells() -> None:
    """At least two rows per cell, ten by default: of RISE's 7 x 7 cells on 29 x 29 points."""
    sampler = RandomGrids((29, 29), 4)
    assert sampler.minimum(841) == 2 * 64
    assert sampler.default(841) == 1000
    assert RandomGrids((29, 29, 29), 4).default(29**3) == 5120


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"p": 1.0}, "p must be a number above 0 and below 1"),
        ({"shape": (3, 0)}, "shape must be an integer of at least 1"),
        ({"steps": 0}, "steps must be an integer of at least 1"),
        ({"shape": (5, 5), "steps": (2,)}, "one for each axis of \\(5, 5\\)"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object], match: str) -> None:
    """When the sampler is made."""
    with pytest.raises(InvalidParameterError, match=match):
        RandomGrids(**settings)


def test_a_lattice_of_other_features_is_refused() -> None:
    """Its points are the features."""
    with pytest.raises(InvalidParameterError, match="a lattice of the 10 features"):
        RandomGrids((3, 3)).draw(10, 40, np.random.default_rng(0))
