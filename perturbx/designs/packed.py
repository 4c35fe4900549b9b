"""Coalitions with a bit for each feature, where a byte for each would fill much of the memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints

_MOST_BYTES = 2**23
"""Larger arrays are packed."""

_ROWS = 2**14
"""Rows that are read at once."""


@dataclass(frozen=True, eq=False)
class PackedCoalitions:
    """(m, d) coalitions that are read as an array of bool is, some rows at a time.

    Parameters
    ----------
    bits : (m, ceil(d / 8)) uint8 array
        As of `numpy.packbits`.
    n_features : int
        The number d of features.
    """

    bits: NDArray[np.uint8]
    n_features: int

    @classmethod
    def of(cls, rows: Coalitions | PackedCoalitions) -> Coalitions | PackedCoalitions:
        """An array of the rows if they take little memory, or else packed."""
        is_small = np.prod(rows.shape) <= _MOST_BYTES
        if isinstance(rows, cls):
            return rows[:] if is_small else rows
        return rows if is_small else cls(np.packbits(rows, axis=1), rows.shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.bits), self.n_features

    def __len__(self) -> int:
        return len(self.bits)

    def __getitem__(self, rows: slice | Ints) -> Coalitions:
        unpacked = np.unpackbits(self.bits[rows], axis=1, count=self.n_features)
        return unpacked.view(np.bool_)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype=dtype)

    def sum(self, axis: int) -> Ints:
        """The size of each coalition, as `numpy.ndarray.sum` along axis 1."""
        parts = [self[start : start + _ROWS].sum(axis=axis) for start in self._starts()]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.intp)

    def mean(self, axis: int) -> Floats:
        """The fraction of features in each coalition, as `numpy.ndarray.mean` along axis 1."""
        return np.asarray(self.sum(axis) / self.n_features)

    def _starts(self) -> Iterator[int]:
        yield from range(0, len(self), _ROWS)


def chosen(rows: Coalitions | PackedCoalitions, which: Ints) -> Coalitions | PackedCoalitions:
    """Some rows, packed if the rows are."""
    if isinstance(rows, PackedCoalitions):
        return PackedCoalitions(rows.bits[which], rows.n_features)
    return np.asarray(rows[which])
