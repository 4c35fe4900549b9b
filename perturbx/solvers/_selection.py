"""Which features a sparse local fit keeps, target by target."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats

SelectionName: TypeAlias = Literal["highest_weights", "forward", "lasso_path"]


def highest_weights(gram: Floats, cross: Floats, n: int) -> NDArray[np.bool_]:
    """The n largest standardized slopes of the full fit (a little ridge against collinearity)."""
    slopes = np.linalg.solve(gram + 1e-6 * np.eye(len(gram)), cross)
    return np.asarray(np.argsort(np.argsort(-np.abs(slopes), axis=0), axis=0) < n)


def forward(gram: Floats, cross: Floats, n: int) -> NDArray[np.bool_]:
    """Step by step, the feature that leaves the least weighted squared error."""
    kept = np.zeros(cross.shape, dtype=bool)
    for target in range(cross.shape[1]):
        rest, gain = gram.copy(), cross[:, target].copy()
        for _ in range(min(n, len(gram))):
            spread = np.diag(rest)
            # A feature that those kept so far explain has nothing to add.
            open_ = (spread > 1e-9) & ~kept[:, target]
            if not open_.any():
                break
            best = int(np.argmax(np.where(open_, gain**2 / np.where(open_, spread, 1.0), -1.0)))
            kept[best, target] = True
            column = rest[:, best] / rest[best, best]
            gain -= column * gain[best]
            rest -= np.outer(column, rest[best])
    return kept


def lasso_path(gram: Floats, cross: Floats, n: int) -> NDArray[np.bool_]:
    """The features on the lasso path where it last has n or fewer (Efron et al., 2004)."""
    from sklearn.linear_model import lars_path_gram

    kept = np.zeros(cross.shape, dtype=bool)
    for target in range(cross.shape[1]):
        # On a scale of 1, since the path stops at an absolute tolerance.
        size = np.abs(cross[:, target]).max()
        if size > 0:
            xy = cross[:, target] / size
            path = lars_path_gram(xy, gram, n_samples=1, method="lasso")[2] != 0
            kept[:, target] = path[:, np.flatnonzero(path.sum(axis=0) <= n)[-1]]
    return kept


SELECTIONS = {"highest_weights": highest_weights, "forward": forward, "lasso_path": lasso_path}
