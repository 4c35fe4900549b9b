"""An order of instances in which similar ones stand side by side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats


def similar_order(scores: Floats, predictions: Floats) -> NDArray[np.intp]:
    """Positions of the n rows of `scores`, neighbors alike, higher predictions to the right.

    The order of the leaves of a tree (average linkage) in which neighbors are as close as the
    tree allows: Bar-Joseph, Gifford & Jaakkola (Bioinformatics 17, 2001), "Fast optimal leaf
    ordering for hierarchical clustering". Unknown scores count as 0.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage

    known = np.nan_to_num(scores)
    known = known / (np.abs(known).max(initial=0.0) or 1.0)  # squares of distances stay finite
    if len(known) < 3:
        return np.argsort(predictions, kind="stable")
    order = leaves_list(linkage(known, "average", optimal_ordering=True)).astype(np.intp)
    half = len(order) // 2
    left, right = (float(np.nanmean(predictions[part])) for part in (order[:half], order[half:]))
    return order[::-1] if left > right else order
