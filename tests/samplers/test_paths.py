"""Paths: cells from 0 to 1, one feature at a time across each, in the order that solvers read."""

from __future__ import annotations

import numpy as np
import pytest
from perturbx.designs import PathDifferences
from perturbx.errors import InvalidParameterError
from perturbx.samplers import Paths, cells_for


def test_cells_cover_the_path() -> None:
    """Every path is cut from 0 to 1, at steps of one over the cells, with its own shift."""
    design = Paths(cells=4).draw(3, 1000, np.random.default_rng(0))
    assert isinstance(design, PathDifferences)
    edges = design.edges
    assert edges.shape == (1000 // (6 * 3 * 5), 6)
    assert (edges[:, 0] == 0).all()
    assert (edges[:, -1] == 1).all()
    np.testing.assert_allclose(np.diff(edges[:, 1:-1]), 0.25)
    assert len(np.unique(edges[:, 1])) == len(edges)


def test_one_feature_crosses_while_the_others_wait_in_the_middle() -> None:
    """Two perturbations of a crossing differ in one feature, and the others are at its middle."""
    design = Paths(cells=2).draw(4, 200, np.random.default_rng(0))
    z = design.z
    start, stop = z[0::2], z[1::2]
    moved = start != stop
    assert (moved.sum(axis=1) == 1).all()
    middle = ((start + stop) / 2)[moved]
    np.testing.assert_allclose(np.where(moved, middle[:, None], start), middle[:, None] + 0 * start)
    assert np.array_equal(design.tile(slice(5, 60)), z[5:60])
    assert design.tile(slice(0, 0)).shape == (0, 4)


def test_crossings_telescope() -> None:
    """An additive function is crossed exactly, by cells and by their halves, whatever its jumps."""
    design = Paths().draw(3, 400, np.random.default_rng(0))
    z = design.z
    game = np.exp(z[:, 0]) + (z[:, 1] > 0.4) - z[:, 2] ** 5
    for crossed in design.crossings(game[:, None]):
        expected = np.broadcast_to([np.e - 1, 1.0, -1.0], crossed.shape[:2])
        np.testing.assert_allclose(crossed[..., 0], expected, atol=1e-12)


def test_cells_for_a_budget() -> None:
    """A budget buys four paths of as many cells as it pays for, and at least one."""
    for d, n in ((1, 48), (5, 1000), (25, 100)):
        cells = cells_for(d, n)
        assert cells == 1 or Paths(cells).default(d) <= n < Paths(cells + 1).default(d)


@pytest.mark.parametrize("cells", [0, 1.5, "many"])
def test_bad_cells(cells: object) -> None:
    """Cells are a positive integer."""
    with pytest.raises(InvalidParameterError, match="cells"):
        Paths(cells)  # type: ignore[arg-type]
