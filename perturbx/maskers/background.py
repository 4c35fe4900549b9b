"""Absent features take the values of background rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import check_integer, invalid, real_numbers
from perturbx.containers import layout_of, rows_and_weights, rows_of, training_rows
from perturbx.features import Columns
from perturbx.maskers._base import Features, FittedMasker, Masker
from perturbx.maskers._tabular import at_type_of, require, sample_rows, sample_weighted_rows
from perturbx.maskers.bound_rows import FittedBackground


@dataclass(frozen=True, eq=False)
class Background(Masker):
    """Absent features take the values of background rows, over which outputs are averaged.

    This is the marginal (interventional) value function of Lundberg & Lee (NeurIPS 2017):
    v(S) = mean over background rows b of f(x_S, b_notS).

    Parameters
    ----------
    rows : table of rows, optional
        The background; by default the X of ``fit``.
    max_rows : int
        If there are more rows, one random sample of this size is used for all instances, and
        the explanation's notes say so.
    weights : sequence of float, optional
        The weight of each row in the average, in any unit: for example cluster sizes, if the
        rows are cluster centers, or survey weights. By default all weights are equal. `rows` may
        also be the result of ``shap.kmeans``, which has its own weights.

    Notes
    -----
    With weights, ``background_errors`` treat the rows as a sample in which each row represents
    a number of rows proportional to its weight.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.array([[0.0, 0.0], [2.0, 4.0]])
    >>> explainer = px.KernelShap(lambda X: X.sum(axis=1), masker=px.Background(X))
    >>> explainer.explain([[3.0, 3.0]]).values
    array([[2., 1.]])
    """

    rows: Any = None
    max_rows: int = 100
    weights: Any = None

    @property
    def needs_fit(self) -> bool:  # type: ignore[override]
        return self.rows is None

    def fit(self, X: Any, features: Features, rng: np.random.Generator) -> FittedMasker:
        max_rows = check_integer("max_rows", self.max_rows, minimum=1)
        given, weights = rows_and_weights(self.rows, self.weights, X)
        rows = require(X, "Background") if given is None else training_rows(given, "rows")
        X = rows if X is None or given is None else rows_of(X)[0]
        rows = at_type_of(X, rows, "Background rows")
        layout = layout_of(X, features.names)
        layout.check(rows, "the background")
        counts = None if weights is None else _checked_weights(weights, rows.shape[0])
        if counts is None or (counts == counts[0]).all():
            rows, note = sample_rows(layout, rows, max_rows, rng)
            counts = None
        else:
            rows, counts, note = sample_weighted_rows(layout, rows, counts, max_rows, rng)
        n = rows.shape[0]
        average = "average" if counts is None else "weighted average"
        said = f"{n} background rows, on {average}" if n > 1 else "one background row"
        notes = () if note is None else (note,)
        return FittedBackground(
            layout,
            Columns.grouped(layout.names, layout.labels, features.groups),
            rows,
            f"absent features from {said}",
            notes,
            weights=counts,
        )


def _checked_weights(weights: Any, n_rows: int) -> Floats:
    """One finite weight for each row, none negative and at least one positive."""
    try:
        counts = real_numbers(weights)
    except (TypeError, ValueError, OverflowError):
        counts = np.zeros(0)
    if counts.shape != (n_rows,) or not (counts >= 0).all() or not 0 < counts.sum() < np.inf:
        raise invalid(
            "weights", f"{n_rows} numbers of at least 0, one for each row, not all 0", weights
        )
    return counts
