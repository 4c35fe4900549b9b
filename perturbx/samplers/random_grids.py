"""Random grids of present and absent points, each with its own shift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._validation import check_integer, check_number, invalid
from perturbx.designs import Design, ShiftedGrids, SoftMasks
from perturbx.samplers._base import Sampler

_ROWS = 2**14
"""Grids that are drawn at once."""

_MOST_NUMBERS = 2**21
"""More presences are interpolated when they are read."""


@dataclass(frozen=True)
class RandomGrids(Sampler):
    """Presences that are interpolated from a coarse random grid, which is shifted for each draw.

    The masks of RISE (Petsiuk, Das & Saenko, BMVC 2018, section 3.2): each point of a coarse grid
    is present with probability `p`, presence is linear between the points, and the grid is
    shifted at random, so that no place always lies on an edge. Features are the points of a
    finer lattice, on which every such mask is exact; all have the expected presence `p` and the
    same variance. (The published masks stretch an s x s grid over a little more than the image.
    Its outermost points have no neighbors, so presence varies more at the border.)

    Parameters
    ----------
    shape : tuple of int, optional
        The lattice: the number of features along each axis, the last one fastest. None: all
        features lie along one axis.
    steps : int or tuple
        Features from one point of the coarse grid to the next, along each axis.
    p : float
        Between 0 and 1, both excluded.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.samplers import RandomGrids
    >>> RandomGrids(steps=2).draw(5, 3, np.random.default_rng(1)).z
    array([[0.5, 1. , 0.5, 0. , 0.5],
           [0. , 0.5, 1. , 0.5, 0. ],
           [0.5, 1. , 0.5, 0. , 0.5]])
    """

    shape: tuple[int, ...] | None = None
    steps: int | tuple[int, ...] = 3
    p: float = 0.5

    draws = SoftMasks

    def __post_init__(self) -> None:
        check_number("p", self.p, above=0, below=1)
        if self.shape is not None and not isinstance(self.shape, tuple):
            raise invalid("shape", "a tuple of integers, or None", self.shape)
        for n in self.shape or ():
            check_integer("shape", n, minimum=1)
        for n in self.steps if isinstance(self.steps, tuple) else (self.steps,):
            check_integer("steps", n, minimum=1)
        if self.shape is not None and len(self._steps(self.shape)) != len(self.shape):
            raise invalid("steps", f"one integer, or one for each axis of {self.shape}", self.steps)

    def check(self, n_features: int, n_background: int) -> None:
        if self.shape is not None and int(np.prod(self.shape)) != n_features:
            raise invalid("shape", f"a lattice of the {n_features} features", self.shape)

    def minimum(self, n_features: int) -> int:
        """Two rows per cell."""
        return 2 * self._n_cells(n_features)

    def default(self, n_features: int) -> int:
        """Ten rows per cell; at least 1000."""
        return max(1000, 10 * self._n_cells(n_features))

    def draw(
        self, n_features: int, n: int, rng: np.random.Generator, drawn: Design | None = None
    ) -> SoftMasks:
        self.check(n_features, 1)
        shape = (n_features,) if self.shape is None else self.shape
        known, steps = self.own(drawn, SoftMasks), self._steps(shape)
        # Enough points to cover the lattice from any shift on.
        coarse = [(n + step - 2) // step + 2 for n, step in zip(shape, steps, strict=True)]
        n_new, n_points = max(n - (0 if known is None else len(known)), 0), int(np.prod(coarse))
        present = np.empty((n_new, n_points), dtype=bool)
        shifts = np.empty((n_new, len(shape)), dtype=np.intp)
        for start in range(0, n_new, _ROWS):
            part = slice(start, start + _ROWS)
            numbers = rng.random((len(present[part]), len(shape) + n_points))
            shifts[part] = numbers[:, : len(shape)] * steps
            present[part] = numbers[:, len(shape) :] < self.p
        grids = ShiftedGrids(shape, steps, present.reshape(n_new, *coarse), shifts)
        if known is not None and isinstance(known.presence, ShiftedGrids):
            return SoftMasks(known.presence.and_then(grids), self.p)
        if known is not None:
            return SoftMasks(np.concatenate([known.presence, grids[:]]), self.p)
        return SoftMasks(grids if grids.size > _MOST_NUMBERS else grids[:], self.p)

    def _steps(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.steps if isinstance(self.steps, tuple) else (self.steps,) * len(shape)

    def _n_cells(self, n_features: int) -> int:
        """The number of cells for so many features, at the density of `shape`."""
        shape = (n_features,) if self.shape is None else self.shape
        cells = [
            (length - 1) // step + 1 for length, step in zip(shape, self._steps(shape), strict=True)
        ]
        return int(np.ceil(np.prod(cells) * n_features / np.prod(shape)))
