"""Growing a readable tree on a model's answers, with scikit-learn's trees for the splits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.containers import TableNumbers

_SMALLEST_LEAF = 5
"""Leaves with fewer answers than this are not split off."""

_SPARE = 4
"""A tree is grown to so many times its leaves, and cut back to those that change an answer."""


@dataclass(frozen=True, eq=False)
class Branches:
    """A binary tree as arrays over its nodes, the root first; leaves have `left` 0.

    Parameters
    ----------
    left, right : (n,) int array
        The nodes of rows that pass the test of a node, and of those that do not.
    column : (n,) int array
    threshold : (n,) array
        Numbers up to it pass; NaN where the test is whether a category has `code`.
    code : (n,) int array
    missing_left : (n,) bool array
        Whether a missing number passes.
    """

    left: Ints
    right: Ints
    column: Ints
    threshold: Floats
    code: Ints
    missing_left: NDArray[np.bool_]

    def passes(self, node: int, values: Floats) -> NDArray[np.bool_]:
        """(n,): which rows of numbers (n, d) pass the test of a node."""
        cells = values[:, self.column[node]]
        if np.isnan(self.threshold[node]):
            return np.asarray(cells == self.code[node])
        below = cells <= self.threshold[node]
        return np.asarray(np.where(np.isnan(cells), self.missing_left[node], below))

    def nodes_of(self, values: Floats) -> NDArray[np.bool_]:
        """(n_nodes, n): which rows reach each node."""
        reached = np.zeros((len(self.left), len(values)), dtype=bool)
        reached[0] = True
        for node in np.flatnonzero(self.left):  # children come after their parents
            passes = self.passes(int(node), values)
            reached[self.left[node]] = reached[node] & passes
            reached[self.right[node]] = reached[node] & ~passes
        return reached

    def apply(self, values: Floats) -> Ints:
        """(n,): the leaf of each row."""
        leaves = np.flatnonzero(self.left == 0)
        return np.asarray(leaves[self.nodes_of(values)[leaves].argmax(axis=0)])


def grown(
    numbers: TableNumbers,
    values: Floats,
    answers: NDArray[Any],
    weights: Floats,
    *,
    max_leaves: int,
    classifies: bool,
    seed: int,
) -> Branches:
    """The tree of at most so many leaves that fits answers (n,) to rows of numbers (n, d) best.

    Splits come best first, as in TREPAN. For classes, splits whose leaves all give one answer are
    taken back, and others take their place.
    """
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    table = _Table.of(numbers, values)
    kind = DecisionTreeClassifier if classifies else DecisionTreeRegressor
    learner = kind(
        max_leaf_nodes=max_leaves * (_SPARE if classifies else 1),
        min_samples_leaf=min(_SMALLEST_LEAF, max(1, len(values) // 2)),
        random_state=seed % 2**31,
    )
    tree = learner.fit(table.columns, answers, sample_weight=weights).tree_
    # Children are numbered when their parent is split, so that this is the order of the splits.
    splits = np.flatnonzero(tree.children_left >= 0)
    order: list[int] = splits[np.argsort(tree.children_left[splits])].tolist()
    majority = tree.value[:, 0].argmax(axis=1) if classifies else np.arange(tree.node_count)
    kept = order
    for n_splits in range(len(order), -1, -1):
        kept = _useful(order[:n_splits], tree, majority)
        if len(kept) < max_leaves:
            break
    return table.branches(tree, kept)


def _useful(splits: list[int], tree: Any, majority: Ints) -> list[int]:
    """Some of the splits, without those below which all leaves give the same answer."""
    inner = set(splits)
    answers: dict[int, frozenset[int]] = {}

    def below(node: int) -> frozenset[int]:
        if node not in inner:
            return frozenset([int(majority[node])])
        return answers[node]

    for node in reversed(splits):  # children are split after their parents
        answers[node] = below(int(tree.children_left[node])) | below(int(tree.children_right[node]))
    return [node for node in splits if len(answers[node]) > 1]


@dataclass(frozen=True, eq=False)
class _Table:
    """What scikit-learn's trees split: ranks of numbers, and one column for each category.

    Ranks make any numbers as fine as they are: the trees round their input to float32.

    Parameters
    ----------
    columns : (n, c) array
    column : (c,) int array
        The column of the table behind each.
    code : (c,) int array
        Its category; -1 for numbers.
    levels : list of (array or None)
        The distinct numbers of each column of the table.
    """

    columns: Floats
    column: Ints
    code: Ints
    levels: list[Floats | None]

    @classmethod
    def of(cls, numbers: TableNumbers, values: Floats) -> _Table:
        parts: list[Floats] = []
        behind: list[tuple[int, int]] = []
        levels: list[Floats | None] = []
        for j, is_category in enumerate(numbers.is_category):
            cells = values[:, j]
            if is_category:
                own = numbers.levels[j]
                assert own is not None
                n_codes = len(own) if len(own) > 2 else 1
                parts.append((cells[:, None] == np.arange(n_codes)).astype(np.float64))
                behind += [(j, code) for code in range(n_codes)]
                levels.append(None)
                continue
            known = np.unique(cells[~np.isnan(cells)])
            ranks = np.searchsorted(known, cells).astype(np.float64)
            parts.append(np.where(np.isnan(cells), np.nan, ranks)[:, None])
            behind.append((j, -1))
            levels.append(known)
        column, code = np.array(behind, dtype=np.intp).reshape(-1, 2).T
        return cls(np.concatenate(parts, axis=1), column, code, levels)

    def branches(self, tree: Any, splits: list[int]) -> Branches:
        """The tree of these splits alone, on the columns of the table."""
        place = {0: 0}
        for node in splits:
            for child in (tree.children_left[node], tree.children_right[node]):
                place[int(child)] = len(place)
        n = len(place)
        left, right, column, code = np.zeros((4, n), dtype=np.intp)
        threshold, missing_left = np.full(n, np.nan), np.zeros(n, dtype=bool)
        for node in splits:
            at, by = place[int(node)], int(tree.feature[node])
            sides = place[int(tree.children_left[node])], place[int(tree.children_right[node])]
            column[at], code[at] = self.column[by], self.code[by]
            if code[at] >= 0:  # up to 0.5 is any other category
                right[at], left[at] = sides
                continue
            left[at], right[at] = sides
            threshold[at] = self._threshold(int(column[at]), float(tree.threshold[node]))
            missing_left[at] = self._takes_missing(tree, int(node), by)
        return Branches(left, right, column, threshold, code, missing_left)

    def _threshold(self, column: int, rank: float) -> float:
        """The roundest number that splits the numbers of a column as a rank does."""
        levels = self.levels[column]
        assert levels is not None
        if not rank < len(levels) - 1:
            return np.inf
        below, above = levels[int(np.floor(rank))], levels[int(np.floor(rank)) + 1]
        if below <= 0 < above:
            return 0.0
        middle = below / 2 + above / 2
        for digits in range(1, 17):
            rounded = float(f"{middle:.{digits}g}")
            if below <= rounded < above:
                return rounded
        return float(below)

    def _takes_missing(self, tree: Any, node: int, by: int) -> bool:
        """Whether missing numbers go left; those never seen go where most rows do."""
        if np.isnan(self.columns[:, by]).any():
            return bool(tree.missing_go_to_left[node])
        weights = tree.weighted_n_node_samples
        return bool(weights[tree.children_left[node]] >= weights[tree.children_right[node]])
