"""Presences that are interpolated from coarse grids when they are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Ints, Presences


@dataclass(frozen=True, eq=False)
class ShiftedGrids:
    """(m, d) presences that are read as an array is, some rows at a time.

    Parameters
    ----------
    lattice : tuple of int
        The number of features along each axis, the last one fastest.
    steps : tuple of int
        Features from one point of the coarse grid to the next, along each axis.
    present : (m, ...) bool array
        The points of each coarse grid.
    shifts : (m, axes) int array
        By how many features each grid is shifted.
    """

    lattice: tuple[int, ...]
    steps: tuple[int, ...]
    present: NDArray[np.bool_]
    shifts: Ints

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.present), int(np.prod(self.lattice))

    @property
    def size(self) -> int:
        """The number of entries."""
        return len(self) * self.shape[1]

    def __len__(self) -> int:
        return len(self.present)

    def __getitem__(self, rows: slice | Ints) -> Presences:
        grids, shifts = self.present[rows].astype(np.float64), self.shifts[rows]
        z = np.empty((len(grids), *self.lattice))
        for shift in np.unique(shifts, axis=0):
            members = np.flatnonzero((shifts == shift).all(axis=1))
            presences = grids[members]
            for axis, (length, step) in enumerate(zip(self.lattice, self.steps, strict=True)):
                # Entry by entry, so that rows do not depend on those that are read with them.
                place, rest = np.divmod(np.arange(length) + shift[axis], step)
                after = np.expand_dims(rest / step, tuple(range(1, len(self.steps) - axis)))
                low, high = (np.take(presences, place + i, axis=axis + 1) for i in (0, 1))
                presences = low * (1 - after) + high * after
            z[members] = presences
        return z.reshape(len(grids), self.shape[1])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype=dtype)

    def and_then(self, others: ShiftedGrids) -> ShiftedGrids:
        """These, followed by others of the same lattice."""
        present = np.concatenate([self.present, others.present])
        shifts = np.concatenate([self.shifts, others.shifts])
        return ShiftedGrids(self.lattice, self.steps, present, shifts)
