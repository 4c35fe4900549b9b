"""Absent features follow what the present ones cause, and not what causes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from perturbx._validation import invalid
from perturbx.features import FeatureOrder, Labels
from perturbx.maskers._base import Features, FittedMasker, Masker
from perturbx.maskers._stages import stages_of
from perturbx.maskers.bound_copula import FittedCopula
from perturbx.maskers.conditional_copula import ConditionalCopula


@dataclass(frozen=True)
class CausalCopula(Masker):
    """Absent features are drawn as if the present ones had been set by hand.

    This is the interventional value function of Heskes, Sijben, Bucur & Claassen ("Causal Shapley
    values", NeurIPS 2020, theorem 1): v(S) = E[f(X) | do(X_S = x_S)]. Present features change
    their effects, by the correlations of a Gaussian copula (`ConditionalCopula`), but not their
    causes. What its causes leave unexplained of a feature comes from a background row. With all
    features in one level it is `ConditionalCopula`, and `Background` if that level is confounded.

    Parameters
    ----------
    order : list of lists, or mapping
        Levels that hold every feature once, causes first, such as ``[["age", "sex"],
        ["income"]]``: all earlier levels are causes of a level. Or the direct causes of features,
        such as ``{"income": ["age", "sex"]}``. Features are named by label, by name, or by
        position, and a group by its name.
    confounded : bool, or a list of bool
        For all levels, or for each one: what makes its features depend on each other. False, if
        they act on each other: absent ones then follow the present ones. True, if they share
        causes that were not measured: then they do not.
    max_rows : int
        The number of background rows: model rows per coalition.
    marginals : "ranks" or "normal"
        As in `ConditionalCopula`.

    Notes
    -----
    The data tell how strongly a cause acts, and nothing about what causes what: that is yours to
    say, and other orders give other scores. A cause that was not measured between two levels
    counts as an effect of the first on the second. Features that a mapping leaves unrelated stay
    as dependent as they are in the data, but do not follow each other.

    To credit effects of a feature to its causes entirely, instead of half, pass the order to the
    method too: ``PermutationShap(masker=CausalCopula(order), order=order)``.

    Examples
    --------
    Only the second feature enters the model, and the first one causes it. Half of what it causes
    is credited to the first feature. Were it the effect, it would have no credit:

    >>> import numpy as np, perturbx as px
    >>> rng = np.random.default_rng(0)
    >>> X = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], size=2000)
    >>> for order in ([[0], [1]], [[1], [0]]):
    ...     masker = px.CausalCopula(order, marginals="normal", max_rows=2000)
    ...     explainer = px.KernelShap(lambda X: X[:, 1], masker=masker).fit(X)
    ...     print(explainer.explain([[1.0, 1.0]]).values.round(1))
    [[0.4 0.6]]
    [[0. 1.]]
    """

    needs_fit = True

    order: Sequence[Any] | Mapping[Any, Any]
    confounded: bool | Sequence[bool] = False
    max_rows: int = 100
    marginals: Literal["ranks", "normal"] = "ranks"

    def fit(self, X: Any, features: Features, rng: np.random.Generator) -> FittedMasker:
        """Learn the marginals and the correlations.

        Raises
        ------
        InvalidInputError
            If X is missing, or a sparse matrix.
        InvalidParameterError
            If a setting is invalid, the order leaves features out, or it is cyclic.
        """
        fitted = ConditionalCopula(self.max_rows, self.marginals).fit(X, features, rng)
        assert isinstance(fitted, FittedCopula)
        columns = fitted.columns
        order = FeatureOrder.read(self.order, Labels(columns.labels, columns.names))
        stages = stages_of(order, self._confounded(len(order.components)), columns)
        along = order.describe(columns.names)
        said = (
            f"absent features from {len(fitted.chosen)} draws in which the present ones are set by "
            f"intervention{f', along {along}' if along else ''} (Gaussian copula)"
        )
        return replace(fitted, stages=tuple(stages), value_function=said)

    def _confounded(self, n_levels: int) -> list[bool]:
        """One answer for each level."""
        given: Any = self.confounded
        if isinstance(given, (bool, np.bool_)):
            return [bool(given)] * n_levels
        is_list = isinstance(given, (list, tuple)) or getattr(given, "ndim", 0) == 1
        answers = list(given) if is_list and not isinstance(self.order, Mapping) else []
        if len(answers) == n_levels and all(isinstance(a, (bool, np.bool_)) for a in answers):
            return [bool(answer) for answer in answers]
        what = f"a list of {n_levels} of them, one for each level of order"
        raise invalid("confounded", f"True or False, or {what}", given)
