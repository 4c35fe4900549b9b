"""Absent features are those of training rows in the leaves that the present ones reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from perturbx._validation import check_integer
from perturbx.maskers._base import Features, FittedMasker, Masker
from perturbx.maskers._density_forest import DensityForest
from perturbx.maskers._learned import Learned
from perturbx.maskers.bound_local import fitted_local

_MOST_TRAINING_ROWS = 2_000
"""Forests of more rows than this cost more than they add."""


@dataclass(frozen=True)
class ConditionalForest(Masker):
    """Absent features are those of training rows in the leaves that the present features reach.

    This is the conditional (observational) value function v(S) = E[f(x_S, X_notS) | X_S = x_S],
    with one forest for all S: its trees split where columns depend on each other, whatever they
    are (shapr: "arf", and "ctree", which grows a tree for each S). A split on an absent feature is
    followed into both branches, and rows of a leaf count by how well it matches the present
    features. Their absent cells are then moved, as in `ConditionalNearest`.

    With all features absent, every training row counts the same, as in `Background`.

    Parameters
    ----------
    max_rows : int
        The model rows per coalition: a systematic sample of the training rows by their weights.
    n_trees : int
        The trees of the forest.
    min_leaf : int
        The fewest rows in a leaf, of training rows and as many shuffled ones.

    Notes
    -----
    Columns that go with no other one are hardly ever split, so they do not thin out the rows, as
    they do in `ConditionalNearest`: prefer the forest where many columns are noise.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> rng = np.random.default_rng(0)
    >>> side = rng.choice([-1.0, 1.0], size=1000)
    >>> X = np.stack([side, side * rng.uniform(size=1000)], axis=1)
    >>> masker = px.ConditionalForest()
    >>> explainer = px.KernelShap(lambda X: 4 * X[:, 1], masker=masker, random_state=0).fit(X)
    >>> explainer.explain([[1.0, 0.5]]).values.round()  # x0 tells the sign of x1
    array([[1., 1.]])
    """

    needs_fit = True

    max_rows: int = 100
    n_trees: int = 50
    min_leaf: int = 5

    def fit(self, X: Any, features: Features, rng: np.random.Generator) -> FittedMasker:
        """Grow the forest.

        Raises
        ------
        InvalidInputError
            If X is missing, or a sparse matrix.
        InvalidParameterError
            If a setting is invalid.
        """
        max_rows = check_integer("max_rows", self.max_rows, minimum=1)
        n_trees = check_integer("n_trees", self.n_trees, minimum=1)
        min_leaf = check_integer("min_leaf", self.min_leaf, minimum=1)
        learned = Learned.of(
            X, features, rng, masker="ConditionalForest", most=_MOST_TRAINING_ROWS, in_order=True
        )
        forest = DensityForest.grown(learned.means, n_trees, min_leaf, rng)
        return fitted_local(learned, forest, max_rows, rng, "leaves of a forest")
