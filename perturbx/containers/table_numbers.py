"""Rows of a table as one array of numbers, for learners that take nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx._validation import shown
from perturbx.containers._base import Layout
from perturbx.containers.cells import is_missing
from perturbx.errors import InvalidInputError

OTHER = -1
"""The code of a category that is not among the levels of its column."""


@dataclass(frozen=True, eq=False)
class TableNumbers:
    """A table's columns as float64: numbers as they are, categories as codes.

    A missing number is NaN. Codes count the levels of a column from the most frequent one on,
    and a missing cell of such a column is a level like any other. A category that is not among the
    levels, such as one that was never seen, has the code `OTHER`.

    Parameters
    ----------
    layout : Layout
    rows : table or None
        Rows that hold every level; None if all columns are numbers.
    places : tuple of (int array or None)
        For each column of categories the row of `rows` that has each level; None for numbers.
    levels : tuple of (tuple or None)
        The cells themselves.
    """

    layout: Layout
    rows: Any
    places: tuple[Ints | None, ...]
    levels: tuple[tuple[Any, ...] | None, ...]

    @classmethod
    def of(cls, layout: Layout, rows: Any, most_levels: int) -> TableNumbers:
        """Of training rows; only so many levels of a column get codes of their own."""
        (cells,) = layout.encode(rows)
        known = layout.values(rows)
        first: list[Ints | None] = []
        for j in range(len(layout.names)):
            dtype = layout.number_type(j, cells.tables)
            is_number = dtype is None or not layout.is_category(j)
            if is_number and layout.numbers(rows, j) is not None:
                first.append(None)
                continue
            _, at, counts = np.unique(cells.bits[:, j], return_index=True, return_counts=True)
            first.append(at[np.lexsort((at, -counts))][:most_levels])
        used = [at for at in first if at is not None]
        if not used:
            return cls(layout, None, tuple(first), (None,) * len(first))
        kept = np.unique(np.concatenate(used))
        levels = tuple(None if at is None else tuple(known[at, j]) for j, at in enumerate(first))
        places = tuple(None if at is None else np.searchsorted(kept, at) for at in first)
        return cls(layout, layout.take(rows, kept), places, levels)

    @property
    def is_category(self) -> NDArray[np.bool_]:
        """(d,): which columns hold codes."""
        return np.array([at is not None for at in self.places], dtype=bool)

    def encode(self, X: Any) -> Floats:
        """(n, d): checked rows in the container of the training rows.

        Raises
        ------
        InvalidInputError
            If a column of numbers holds anything else.
        """
        cells = self.layout.values(X)
        if self.rows is None and cells.dtype == np.float64:
            return np.asarray(cells)
        out = np.empty(cells.shape)
        if self.rows is not None:
            known, new = self.layout.encode(self.rows, X)
        for j, at in enumerate(self.places):
            if at is None:
                out[:, j] = _numbers(cells[:, j], self.layout.names[j])
                continue
            bits = known.bits[at, j]
            order = np.argsort(bits)
            place = np.minimum(np.searchsorted(bits, new.bits[:, j], sorter=order), len(bits) - 1)
            code = order[place]
            out[:, j] = np.where(bits[code] == new.bits[:, j], code, OTHER)
        return out


def _numbers(cells: NDArray[Any], name: str) -> Floats:
    """A column as float64, NaN where it is missing."""
    try:
        return np.asarray(cells, dtype=np.float64)
    except (TypeError, ValueError):
        pass
    missing = np.array([is_missing(cell) for cell in cells], dtype=bool)
    out = np.full(len(cells), np.nan)
    try:
        out[~missing] = cells[~missing].astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"Column {name!r} of X must hold numbers, as it did in fit: {shown(str(error))}."
        ) from error
    return out
