"""Gradient boosted trees as plain arrays, which any file can hold, asked at the speed of C."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats

_NODES = (
    *("value", "num_threshold", "feature_idx", "left", "right", "missing_go_to_left"),
    *("is_leaf", "is_categorical", "bitset_idx"),
)
"""What scikit-learn reads of a node to predict."""

_WORDS = 8
"""The 32-bit words of a set of up to 256 categories."""


@dataclass(frozen=True, eq=False)
class BoostedTrees:
    """A regression by `HistGradientBoostingRegressor`, to the bit, without that object.

    Parameters
    ----------
    start : float
        What is predicted before the first tree.
    nodes : tuple of (m,) arrays
        For all trees one after the other: `_NODES`, as scikit-learn numbers them in each tree.
    ends : (t,) int array
        Where the nodes of each tree end.
    sets : (s, 8) uint32 array
        The categories that go left at splits on categories.
    set_ends : (t,) int array
        Where the sets of each tree end.
    categories : tuple of arrays or None
        For each column its known categories in increasing order; None for a column of numbers.

    Raises
    ------
    ValueError
        If a node points to where there is none, or back: such trees would not end.
    """

    start: float
    nodes: tuple[NDArray[Any], ...]
    ends: NDArray[np.intp]
    sets: NDArray[np.uint32]
    set_ends: NDArray[np.intp]
    categories: tuple[Floats | None, ...]

    def __post_init__(self) -> None:
        node = dict(zip(_NODES, self.nodes, strict=True))
        n = len(node["value"])
        sizes, own_sets = np.diff(self.ends, prepend=0), np.diff(self.set_ends, prepend=0)
        whole = [
            len(self.ends) == len(self.set_ends) and (sizes > 0).all() and (own_sets >= 0).all(),
            sizes.sum() == n and own_sets.sum() == len(self.sets),
            all(one.shape == (n,) and one.dtype.kind in "biuf" for one in self.nodes),
            self.sets.shape[1:] == (_WORDS,) and self.sets.dtype == np.uint32,
            all(one is None or _are_known(one) for one in self.categories),
        ]
        if not all(whole):
            raise ValueError("trees whose parts do not fit together")
        inner = node["is_leaf"] == 0
        place = np.arange(n) - np.repeat(self.ends - sizes, sizes)
        last = np.repeat(sizes, sizes)[inner]
        onward = [
            (node[side][inner] > place[inner]) & (node[side][inner] < last)
            for side in ("left", "right")
        ]
        columns, by_set = node["feature_idx"][inner], inner & (node["is_categorical"] != 0)
        of_set, n_sets = node["bitset_idx"][by_set], np.repeat(own_sets, sizes)[by_set]
        inside = (columns >= 0) & (columns < len(self.categories))
        if not (np.all(onward) and inside.all() and ((of_set >= 0) & (of_set < n_sets)).all()):
            raise ValueError("trees with nodes that lead nowhere")
        if node["is_categorical"][inner].any() and not self._are_categories(columns, by_set[inner]):
            raise ValueError("trees that split numbers by category")

    @classmethod
    def fitted(
        cls,
        rows: Floats,
        wanted: Floats,
        is_category: NDArray[np.bool_] | None = None,
        **settings: Any,
    ) -> BoostedTrees:
        """Of rows of numbers (n, c), and what is wanted of each (n,).

        `settings` are those of `HistGradientBoostingRegressor`.
        """
        from sklearn.ensemble import HistGradientBoostingRegressor

        flags = np.zeros(rows.shape[1], bool) if is_category is None else is_category
        columns = flags if flags.any() else None
        grown = HistGradientBoostingRegressor(
            **settings, categorical_features=columns, early_stopping=False
        ).fit(rows, wanted)
        trees = [tree for (tree,) in grown._predictors]
        sets = [tree.raw_left_cat_bitsets for tree in trees]
        return cls(
            float(grown._baseline_prediction.item()),
            tuple(np.concatenate([tree.nodes[name] for tree in trees]) for name in _NODES),
            np.cumsum([len(tree.nodes) for tree in trees]),
            np.concatenate(sets).astype(np.uint32).reshape(-1, _WORDS),
            np.cumsum([len(one) for one in sets]),
            tuple(
                np.unique(column[~np.isnan(column)]) if flag else None
                for flag, column in zip(flags, rows.T, strict=True)
            ),
        )

    def predict(self, rows: Floats) -> Floats:
        """(n,): for rows of numbers (n, c), NaN where one is missing."""
        from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

        numbers = self._as_trees_read(rows)
        found = np.full(len(rows), self.start)
        known, place = self._known
        n_threads = _openmp_effective_n_threads()
        for tree in self._trees:
            found += tree.predict(numbers, known, place, n_threads)
        return found

    def __getstate__(self) -> dict[str, Any]:
        """The fields, without what is made of them."""
        return {name: vars(self)[name] for name in self.__dataclass_fields__}

    def _are_categories(self, columns: NDArray[Any], by_set: NDArray[np.bool_]) -> bool:
        last = max(int(np.count_nonzero(self._is_category)) - 1, -1)
        return bool((columns[by_set] <= last).all())

    @cached_property
    def _is_category(self) -> NDArray[np.bool_]:
        return np.array([known is not None for known in self.categories], dtype=bool)

    def _as_trees_read(self, rows: Floats) -> Floats:
        """Columns of categories first, each by the place of its category, NaN for a new one."""
        flags = self._is_category
        if not flags.any():
            return np.ascontiguousarray(rows, dtype=np.float64)
        codes = [
            _codes(column, known)
            for column, known in zip(rows.T, self.categories, strict=True)
            if known is not None
        ]
        return np.column_stack([*codes, rows[:, ~flags]])

    @cached_property
    def _known(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """The set of known categories of each such column, and which set is that of a column."""
        known = [one for one in self.categories if one is not None]
        sets = np.zeros((len(known), _WORDS), dtype=np.uint32)
        for own, values in zip(sets, known, strict=True):
            for code in range(len(values)):
                own[code // 32] |= np.uint32(1 << code % 32)
        place = np.zeros(len(self.categories), dtype=np.uint32)
        place[: len(known)] = np.arange(len(known))
        return sets, place

    @cached_property
    def _trees(self) -> list[Any]:
        from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
        from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

        whole = np.zeros(len(self.nodes[0]), dtype=PREDICTOR_RECORD_DTYPE)
        for name, values in zip(_NODES, self.nodes, strict=True):
            whole[name] = values
        parts = np.split(whole, self.ends[:-1]), np.split(self.sets, self.set_ends[:-1])
        return [
            TreePredictor(nodes.copy(), own.copy(), own.copy())
            for nodes, own in zip(*parts, strict=True)
        ]


def _are_known(values: Floats) -> bool:
    return values.ndim == 1 and len(values) <= 32 * _WORDS and bool((np.diff(values) > 0).all())


def _codes(column: Floats, known: Floats) -> Floats:
    if not len(known):
        return np.full(len(column), np.nan)
    place = np.minimum(np.searchsorted(known, column), len(known) - 1)
    return np.where(known[place] == column, place, np.nan)
