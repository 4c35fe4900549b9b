"""Any removal of columns, with a tree of the features in which correlated ones share a branch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx._validation import check_choice, invalid
from perturbx.containers import Layout, is_missing, rows_and_weights, rows_of
from perturbx.errors import InvalidParameterError
from perturbx.features import Columns, FeatureTree
from perturbx.maskers._base import Features, FittedMasker, Masker
from perturbx.maskers._linkage import JOINS, Children, join, read_linkage, read_nested
from perturbx.maskers.background import Background
from perturbx.maskers.bound_moved import FittedMoved
from perturbx.maskers.bound_rows import FittedBackground

_MOST_ROWS = 10_000
"""Correlations are computed from at most this many rows, evenly spaced."""

_MASKERS = "a masker that removes columns, such as px.ConditionalNearest()"

_MOST_VALUES = 20
"""This many values of a column without numbers become indicator columns."""


@dataclass(frozen=True, eq=False)
class ColumnTree(Masker):
    """A tree of the columns, in which correlated features share a branch.

    Features are removed as by `Background`, or by any other `masker` of tables. The tree is for
    `OwenShap`, which divides the effect of a branch among its parts. By default it is a
    hierarchical clustering with the distance 1 - |correlation|. A column without numbers is
    represented by indicators of its most frequent values. The distance of two features of several
    columns is the smallest distance between their columns.

    Parameters
    ----------
    rows : table of rows, optional
        The background; by default the X of ``fit``.
    max_rows : int
        If there are more rows, one random sample of this size is used for all instances.
    clustering : "correlation", (d - 1, 2 or more) array, or nested lists
        How the d features are joined: by correlation in the X of ``fit`` (or in `rows`), by a
        linkage matrix as in scipy and shap, or by nested lists of features (names or positions),
        such as ``[["age", "sex"], ["height", "weight", "waist"]]``. Each list is one node. With a
        flat list of all features, Owen values are Shapley values.
    linkage : "complete", "average", "single", "weighted" or "ward"
        The linkage of the hierarchical clustering, as in `scipy.cluster.hierarchy`. The default
        is that of shap; its trees are shallow, so they need few coalitions.
    weights : sequence of float, optional
        The weight of each background row, as in `Background`. Correlations ignore it.
    masker : Masker, optional
        Another way to remove features, such as ``px.ConditionalNearest()``. It has its own rows:
        leave `rows`, `max_rows` and `weights` out.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.array([[0.0, 0.0, 1.0], [2.0, 4.0, 1.0], [4.0, 7.0, 0.0]])
    >>> masker = px.ColumnTree(X, clustering=[[0, 1], 2])
    >>> explainer = px.OwenShap(lambda X: X[:, 0] * X[:, 1] + X[:, 2], masker=masker)
    >>> np.round(explainer.explain([[3.0, 3.0, 1.0]]).values, 3)
    array([[ 1.   , -4.   ,  0.333]])
    """

    rows: Any = None
    max_rows: int = 100
    clustering: Any = "correlation"
    linkage: Literal["complete", "average", "single", "weighted", "ward"] = "complete"
    weights: Any = None
    masker: Masker | None = None

    @property
    def needs_fit(self) -> bool:  # type: ignore[override]
        return self.rows is None if self.masker is None else self.masker.needs_fit

    def fit(self, X: Any, features: Features, rng: np.random.Generator) -> FittedMasker:
        """Learn the background and the tree.

        Raises
        ------
        InvalidInputError
            If both `rows` and X are missing.
        InvalidParameterError
            If the clustering does not join all features of X in one tree, or `masker` removes no
            columns, or comes with `rows`, `max_rows` or `weights`.
        """
        check_choice("linkage", self.linkage, JOINS)
        fitted = self._removal().fit(X, features, rng)
        if not isinstance(fitted, (FittedBackground, FittedMoved)):
            raise invalid("masker", _MASKERS, self.masker)
        seen = rows_of(rows_and_weights(self.rows, None, X)[0] if X is None else X)[0]
        tree, how = self._tree(fitted.layout, fitted.columns, seen)
        said = f"{fitted.value_function} ({how})"
        return replace(fitted, trees=(tree,), value_function=said)

    def _removal(self) -> Masker:
        """The masker that removes features."""
        own = self.rows, self.max_rows, self.weights
        if self.masker is None:
            return Background(*own)
        if not isinstance(self.masker, Masker) or self.masker.of_images:
            raise invalid("masker", _MASKERS, self.masker)
        if own != (None, ColumnTree.max_rows, None):
            raise InvalidParameterError(
                "ColumnTree(masker=...) removes features by that masker, which has rows of its "
                "own: leave rows, max_rows and weights out, and give them to the masker."
            )
        return self.masker

    def _tree(self, layout: Layout, columns: Columns, seen: Any) -> tuple[FeatureTree, str]:
        names, given = columns.names, self.clustering
        if isinstance(given, str):
            if given != "correlation":
                raise invalid(
                    "clustering", '"correlation", a linkage matrix or nested lists', given
                )
            children = self._by_correlation(layout, columns, seen)
            how = f"a tree of correlated {'features' if len(names) > 1 else 'feature'}"
        elif isinstance(given, (list, tuple)) and not _is_matrix(given):
            children = read_nested(list(given), columns.labels, names)
            how = "a given tree of features"
        else:
            children, how = read_linkage(given, len(names), "features"), "a given tree of features"
        return FeatureTree.of_leaves(children, len(names)), how

    def _by_correlation(self, layout: Layout, columns: Columns, seen: Any) -> Children:
        d, n = len(columns.names), seen.shape[0]
        if d == 1:
            return ()
        step = -(-n // _MOST_ROWS)
        values = layout.values(layout.take(seen, np.arange(0, n, step)))
        parts = [_numbers(values[:, j]) for j in range(values.shape[1])]
        feature = np.repeat(columns.feature_of, [part.shape[1] for part in parts])
        together = np.abs(_correlations(np.concatenate(parts, axis=1)))
        nearest = np.zeros((d, d))
        np.maximum.at(nearest, (feature[:, None], feature[None]), together)
        upper = np.triu_indices(d, k=1)
        return join(np.clip(1 - nearest[upper], 0.0, None), self.linkage)


def _is_matrix(given: Any) -> bool:
    """Whether nested lists are a linkage matrix of scipy: rows of four numbers."""
    rows = [row for row in given if isinstance(row, (list, tuple))]
    return len(rows) == len(given) > 0 and all(
        len(row) == 4 and all(isinstance(v, (int, float, np.number)) for v in row) for row in rows
    )


def _numbers(column: NDArray[Any]) -> Floats:
    """A column as one column of numbers, or as one indicator column per frequent value."""
    if column.dtype.kind in "biuf":
        return np.asarray(column, dtype=np.float64)[:, None]
    try:
        return np.array([np.nan if is_missing(v) else float(v) for v in column])[:, None]
    except (TypeError, ValueError):
        texts = np.array([str(v) for v in column])
    names, counts = np.unique(texts, return_counts=True)
    frequent = names[np.argsort(-counts, kind="stable")[:_MOST_VALUES]]
    return np.asarray(texts[:, None] == frequent, dtype=np.float64)


def _correlations(values: Floats) -> Floats:
    """Correlations of columns: missing values are set to the mean, and constants have none."""
    present = np.isfinite(values)
    values = np.where(present, values, 0.0)
    # Powers of two change no bit, and keep squares of huge numbers within float64.
    values = np.ldexp(values, -np.frexp(np.abs(values).max(axis=0))[1])
    count = np.maximum(present.sum(axis=0), 1)
    mean = values.sum(axis=0) / count
    about = np.where(present, values - mean, 0.0)
    scale = np.sqrt((about**2).sum(axis=0))
    about = np.divide(about, scale, out=np.zeros_like(about), where=scale > 0)
    return np.asarray(about.T @ about)
