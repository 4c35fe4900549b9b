"""The singular value decomposition that ridge regressions are computed from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from perturbx._typing import Floats
from perturbx.solvers._strata import slices

MOST_KEPT = 2**20
"""Numbers of a matrix that is kept as an array; a larger one is made a part at a time."""


class Matrix(Protocol):
    """An array (m, d) of which some rows are made at a time."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, part: Any, /) -> Floats: ...


def kept(matrix: Matrix) -> Matrix:
    """The matrix as an array if it takes little memory, or else as it is."""
    m, d = matrix.shape
    return matrix if m * d > MOST_KEPT else matrix[:]


@dataclass(frozen=True, eq=False)
class ThinSvd:
    """Of a matrix (m, d), from its smaller Gram matrix, which is faster than `np.linalg.svd`.

    Parameters
    ----------
    squares : (r,) array
        The squared singular values, ascending; those below `smallest` times the largest are left
        out.
    right : (d, r) array
    """

    squares: Floats
    right: Floats
    _matrix: Matrix
    _known: Floats | None

    @classmethod
    def of(cls, matrix: Matrix, smallest: float) -> ThinSvd:
        """Of a large matrix with more rows than columns, no copy of the rows is made."""
        m, d = matrix.shape
        if m < d:
            whole = matrix[:]
            squares, known = _eigen(whole @ whole.T, smallest)
            return cls(squares, whole.T @ known / np.sqrt(squares), matrix, known)
        gram = np.zeros((d, d))
        for part in slices(m, d):
            rows = matrix[part]
            gram += rows.T @ rows
        squares, right = _eigen(gram, smallest)
        svd = cls(squares, right, matrix, None)
        return svd if m * d > MOST_KEPT else replace(svd, _known=svd.left())

    def left(self, part: Any = slice(None)) -> Floats:
        """(b, r): some rows of the left singular vectors."""
        if self._known is not None:
            return np.asarray(self._known[part])
        return np.asarray(self._matrix[part] @ self.right / np.sqrt(self.squares))


def _eigen(gram: Floats, smallest: float) -> tuple[Floats, Floats]:
    squares, known = np.linalg.eigh(gram)
    kept = squares > smallest * max(float(squares[-1]), 1e-300)
    return squares[kept], known[:, kept]
