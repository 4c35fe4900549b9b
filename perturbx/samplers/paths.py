"""Straight paths from absent to present, cut into cells at random places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._validation import check_integer
from perturbx.designs import Design, PathDifferences
from perturbx.samplers._base import Sampler

FEWEST, USUAL = 2, 4
"""Paths from which an error can be told, and those of a usual design."""

_ROWS = 6
"""Perturbations for each feature and cell."""


@dataclass(frozen=True)
class Paths(Sampler):
    """Paths on which all presences rise together, and each feature crosses each cell by itself.

    A path is cut at steps of 1 / `cells` with a random shift, so that it has cells + 1 cells, of
    which the first and the last are shorter. Paths with other shifts show how far the cuts matter.

    Parameters
    ----------
    cells : int
        At least 1.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.samplers import Paths
    >>> design = Paths(cells=2).draw(1, 18, np.random.default_rng(0))
    >>> len(design), design.edges.round(2)
    (18, array([[0.  , 0.32, 0.82, 1.  ]]))
    """

    cells: int = 3

    draws = PathDifferences

    def __post_init__(self) -> None:
        check_integer("cells", self.cells, minimum=1)

    def per_path(self, n_features: int) -> int:
        """The perturbations of a path."""
        return _ROWS * n_features * (self.cells + 1)

    def minimum(self, n_features: int) -> int:
        return FEWEST * self.per_path(n_features)

    def default(self, n_features: int) -> int:
        return USUAL * self.per_path(n_features)

    def draw(
        self, n_features: int, n: int, rng: np.random.Generator, drawn: Design | None = None
    ) -> PathDifferences:
        known = self.own(drawn, PathDifferences)
        before = np.zeros((0, self.cells + 2)) if known is None else known.edges
        n_paths = max(n // self.per_path(n_features) - len(before), 0)
        edges = np.empty((n_paths, self.cells + 2))
        edges[:, 1:-1] = (rng.random((n_paths, 1)) + np.arange(self.cells)) / self.cells
        edges[:, 0], edges[:, -1] = 0.0, 1.0
        return PathDifferences(np.concatenate([before, edges]), n_features)


def cells_for(n_features: int, n: int) -> int:
    """The cells of a usual number of paths that n perturbations pay for."""
    return max(n // (USUAL * _ROWS * max(n_features, 1)) - 1, 1)
