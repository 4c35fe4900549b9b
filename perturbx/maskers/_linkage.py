"""Trees from points, distances, linkage matrices and nested lists."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import real_numbers, shown
from perturbx.errors import InvalidParameterError
from perturbx.features import Labels

JOINS = ("ward", "average", "complete", "single", "weighted")
"""Methods of `scipy.cluster.hierarchy.linkage` whose distances never decrease up the tree."""

MOST_CHILDREN = 12
"""A split of this many children takes 4,094 coalitions; more are refused."""

Children: TypeAlias = tuple[tuple[int, ...], ...]


def join(points: Floats, method: str) -> Children:
    """Join points, or the objects of a condensed distance matrix, pair by pair."""
    from scipy.cluster.hierarchy import linkage

    n = len(points) if points.ndim == 2 else round((1 + (1 + 8 * len(points)) ** 0.5) / 2)
    if n == 1:
        return ()
    rule: Any = method
    return tuple((int(a), int(b)) for a, b in linkage(points, rule)[:, :2])


def read_linkage(matrix: Any, n: int, things: str) -> Children:
    """The two nodes that each row of a linkage matrix (as in scipy or shap) joins.

    Raises
    ------
    InvalidParameterError
        If it does not join n things in one tree.
    """
    try:
        rows = real_numbers(matrix)
    except (TypeError, ValueError, OverflowError):
        rows = np.empty(0)
    if rows.ndim != 2 or rows.shape[0] != n - 1 or rows.shape[1] < 2:
        raise InvalidParameterError(
            f"a linkage matrix must join {n} {things} in {n - 1} rows of two nodes (scipy's has "
            f"shape ({n - 1}, 4)): got shape {np.shape(matrix)}, {shown(matrix)}."
        )
    pairs = rows[:, :2]
    nodes = np.sort(pairs.ravel())
    known = n + np.arange(len(pairs))[:, None]
    if not np.array_equal(nodes, np.arange(2 * n - 2)) or (pairs >= known).any():
        raise InvalidParameterError(
            f"a linkage matrix must join every node once, after the row that creates it: {things} "
            f"are nodes 0 to {n - 1}, and row i creates node {n} + i."
        )
    return tuple((int(a), int(b)) for a, b in pairs)


def read_nested(nested: Any, labels: tuple[Any, ...], names: tuple[str, ...]) -> Children:
    """The nodes that each of some nested lists of features joins.

    Features are given by label, name or position.

    Raises
    ------
    InvalidParameterError
        If a feature is missing, unknown or listed twice, or if a list has too many parts.
    """
    children: list[tuple[int, ...]] = []
    known = Labels(labels, names)
    seen: list[int] = []

    def node(part: Any) -> int:
        is_label = isinstance(part, tuple) and part in labels
        if is_label or not isinstance(part, (list, tuple)):
            seen.append(known.position(part, "clustering: there is no feature"))
            return seen[-1]
        below = tuple(node(inner) for inner in part)
        if len(below) == 1:
            return below[0]
        _check_width(below)
        children.append(below)
        return len(names) + len(children) - 1

    node(nested)
    twice = sorted({names[i] for i in seen if seen.count(i) > 1})
    missing = [name for i, name in enumerate(names) if i not in seen]
    if twice or missing:
        what = f"{twice[0]!r} is listed twice" if twice else f"{missing[0]!r} is missing"
        raise InvalidParameterError(f"clustering must list every feature once: {what}.")
    return tuple(children)


def _check_width(below: tuple[int, ...]) -> None:
    if not below:
        raise InvalidParameterError(
            "clustering contains an empty list: every list must join features."
        )
    if len(below) > MOST_CHILDREN:
        raise InvalidParameterError(
            f"clustering joins {len(below)} parts at once, and splitting them would take "
            f"2**{len(below)} coalitions: join at most {MOST_CHILDREN} per list, in nested lists, "
            "or use KernelShap, which needs no tree."
        )
