"""Symmetric matrices of which a routine computed one triangle."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Matrix = TypeVar("Matrix", bound=NDArray[Any])

_ROWS = 512
"""Triangles are copied in squares of so many rows."""


def mirrored(matrix: Matrix) -> Matrix:
    """The square matrix with its lower triangle copied to the upper one, in place."""
    d = len(matrix)
    for start in range(0, d, _ROWS):
        stop = min(start + _ROWS, d)
        matrix[start:stop, stop:] = matrix[stop:, start:stop].T
        square = np.tril(matrix[start:stop, start:stop])
        matrix[start:stop, start:stop] = square + np.tril(square, -1).T
    return matrix
