"""The model's answers are regressed on the present features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from perturbx._validation import check_choice, check_integer
from perturbx.maskers._base import Features, FittedMasker, Masker
from perturbx.maskers._learned import Learned
from perturbx.maskers.bound_regression import FittedRegression


@dataclass(frozen=True)
class ConditionalRegression(Masker):
    """Absent features are averaged out by a regression of the model's answers on the present ones.

    This is the conditional (observational) value function v(S) = E[f(x_S, X_notS) | X_S = x_S],
    without samples of X_notS: E[f(X) | X_S] is the best prediction of f(X) from X_S, so one
    regression learns it for all S, with S as an input (Covert, Lundberg & Lee, JMLR 22:209, 2021,
    section 8.2; Frye et al., ICLR 2021; shapr: "regression_surrogate"). The model is asked in
    ``fit``, about `max_rows` training rows, and afterwards about each instance once: a coalition
    costs no model row, and `budget` limits the coalitions.

    Parameters
    ----------
    max_rows : int
        The training rows about which the model is asked; a random sample if there are more.
    regression : "trees" or "ridge"
        "ridge" is linear in normal scores, with absent ones completed by a Gaussian copula, and
        right for linear models of normal data. "trees" adds boosted trees of what the ridge leaves.
    masks : int
        The random coalitions under which each training row is seen.

    Notes
    -----
    The regression learns each output on its own scale, and never leaves the range of the answers.
    With all features absent it is their mean. Standard errors do not contain the error of the
    regression, which more training rows reduce.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> rng = np.random.default_rng(0)
    >>> X = rng.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], size=1000)
    >>> masker = px.ConditionalRegression(regression="ridge")
    >>> explainer = px.KernelShap(lambda X: X[:, 0], masker=masker, random_state=0).fit(X)
    >>> explanation = explainer.explain([[1.0, 1.0]])
    >>> explanation.values.round(1), explanation.n_rows
    (array([[0.5, 0.4]]), 1)
    """

    needs_fit = True

    max_rows: int = 1000
    regression: Literal["trees", "ridge"] = "trees"
    masks: int = 10

    def fit(self, X: Any, features: Features, rng: np.random.Generator) -> FittedMasker:
        """Learn how columns depend on each other; the explainer then asks the model.

        Raises
        ------
        InvalidInputError
            If X is missing, or a sparse matrix.
        InvalidParameterError
            If a setting is invalid.
        """
        max_rows = check_integer("max_rows", self.max_rows, minimum=1)
        kind = check_choice("regression", self.regression, ("trees", "ridge"))
        masks = check_integer("masks", self.masks, minimum=1)
        learned = Learned.of(X, features, rng, masker="ConditionalRegression", most=max_rows)
        how = "boosted trees" if kind == "trees" else "ridge"
        return FittedRegression(
            layout=learned.layout,
            columns=learned.columns,
            learned=learned,
            value_function=(
                f"absent features averaged out, by a regression on the present ones ({how})"
            ),
            notes=learned.notes,
            masks=masks,
            trees_too=kind == "trees",
            seed=int(rng.integers(2**63)),
        )
