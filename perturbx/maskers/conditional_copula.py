"""Absent features are drawn given the present ones, by a Gaussian copula."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from perturbx._validation import check_choice, check_integer
from perturbx.maskers._base import Features, FittedMasker, Masker
from perturbx.maskers._learned import Learned
from perturbx.maskers._reach import every
from perturbx.maskers.bound_copula import FittedCopula

_MOST_TRAINING_ROWS = 5_000
"""More training rows than this say little more about how columns depend on each other."""


@dataclass(frozen=True)
class ConditionalCopula(Masker):
    """Absent features are drawn given the present ones, by a Gaussian copula.

    This is the conditional (observational) value function of Aas, Jullum & Loland (Artificial
    Intelligence 298, 2021, section 3.2): v(S) = E[f(x_S, X_notS) | X_S = x_S]. Each column is
    mapped to normal scores by its ranks, and scores depend on each other as if they were jointly
    normal. Background rows are moved to where the present features are, by as much as absent
    features follow them; with independent columns they stay where they are, and the result is
    that of `Background`. With all features absent it always is.

    Parameters
    ----------
    max_rows : int
        The number of background rows, which are moved: model rows per coalition. If ``fit`` sees
        more, one random sample of this size is used for all instances.
    marginals : "ranks" or "normal"
        "ranks" takes columns of any distribution, and each cell of a model row is a value that the
        column held. "normal" takes columns of plain numbers to be normally distributed, and the
        model rows hold any numbers; on normal data this is the most accurate (shapr: "gaussian",
        and "copula" for ranks). Other columns keep their ranks.

    Notes
    -----
    Categories are ordered by what goes with them in the other columns. A value that ``fit`` did
    not see tells nothing about the other features, unless it is a number, which lies between its
    neighbors; nor does a missing value where none was seen. Correlations are shrunk, so there may
    be more columns than rows. Only monotone dependence is seen: on clusters or curves prefer
    `ConditionalForest`, or `ConditionalRegression`.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> rng = np.random.default_rng(0)
    >>> X = rng.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], size=2000)
    >>> masker = px.ConditionalCopula(marginals="normal", max_rows=2000)
    >>> explainer = px.KernelShap(lambda X: X[:, 0], masker=masker).fit(X)
    >>> explainer.explain([[1.0, 1.0]]).values.round(2)  # without the mean, .55 and .45
    array([[0.54, 0.43]])
    """

    needs_fit = True

    max_rows: int = 100
    marginals: Literal["ranks", "normal"] = "ranks"

    def fit(self, X: Any, features: Features, rng: np.random.Generator) -> FittedMasker:
        """Learn the marginals and the correlations.

        Raises
        ------
        InvalidInputError
            If X is missing, or a sparse matrix.
        InvalidParameterError
            If a setting is invalid.
        """
        max_rows = check_integer("max_rows", self.max_rows, minimum=1)
        kind = check_choice("marginals", self.marginals, ("ranks", "normal"))
        learned = Learned.of(
            X,
            features,
            rng,
            masker="ConditionalCopula",
            most=_MOST_TRAINING_ROWS,
            normal=kind == "normal",
        )
        n, order = len(learned.means), learned.order
        chosen = np.sort(order[every(n, max_rows, rng)])
        few = (f"the background is a sample of {len(chosen)} of {n} rows",) * (len(chosen) < n)
        return FittedCopula(
            layout=learned.layout,
            columns=learned.columns,
            learned=learned,
            value_function=(
                f"absent features from {len(chosen)} draws given the present ones (Gaussian copula)"
            ),
            notes=(*learned.notes, *few),
            chosen=chosen,
        )
