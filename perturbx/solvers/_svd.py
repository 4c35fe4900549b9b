"""The singular value decomposition that ridge regressions are computed from."""

from __future__ import annotations

import numpy as np

from perturbx._typing import Floats


def thin_svd(matrix: Floats, smallest: float) -> tuple[Floats, Floats, Floats]:
    """Of a matrix (m, d), from its smaller Gram matrix, which is faster than `np.linalg.svd`.

    Returns
    -------
    left : (m, r) array
    squares : (r,) array
        The squared singular values, ascending; those below `smallest` times the largest are left
        out.
    right : (d, r) array
    """
    tall = len(matrix) >= matrix.shape[1]
    squares, known = np.linalg.eigh(matrix.T @ matrix if tall else matrix @ matrix.T)
    kept = squares > smallest * max(float(squares[-1]), 1e-300)
    squares, known = squares[kept], known[:, kept]
    other = (matrix @ known if tall else matrix.T @ known) / np.sqrt(squares)
    return (other, squares, known) if tall else (known, squares, other)
