"""Shapley values by regression over coalitions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from perturbx._validation import check_choice
from perturbx.errors import InvalidParameterError
from perturbx.explainers._base import BaseExplainer
from perturbx.explainers._plan import Setting
from perturbx.samplers import RowPermutations, Sampler, ShapleyCoalitions
from perturbx.solvers import (
    KernelShapRegression,
    OddProcess,
    RowContributions,
    Solver,
    WithInteractions,
)

Estimator: TypeAlias = Literal["auto", "regression", "process", "rows"]

_PAIRS_A_FEATURE = 10
"""Without a budget, the process reads so many pairs of coalitions a feature."""

_FEWEST_PAIRS = 128

_SECONDS_A_ROW, _SECONDS_AN_IMAGE = 5e-5, 2e-3
"""What a model may be expected to take; the process is worth its time where it takes less."""

_CROSSOVER = 4
"""Pairs of coalitions a feature from which the whole background beats single rows of it."""


@dataclass(eq=False, repr=False)
class KernelShap(BaseExplainer):
    """Shapley values from coalitions of features.

    Every score is the feature's share of f(x) minus the average output; shares add up to it
    exactly. Coalitions come in complementary pairs, without repetition, every size equally often
    (Lundberg & Lee, NeurIPS 2017, eq. 8-9; Covert & Lee, AISTATS 2021; Musco & Witter, ICLR
    2025). Where the budget allows all 2^d coalitions the values are exact. Where it does not,
    their answers are read by one of three estimators; `Explanation.method` says which.

    Parameters
    ----------
    {common}
    estimator : "auto", "regression", "process" or "rows"
        "regression" is Kernel SHAP's weighted regression. "process" adds a Gaussian process over
        the interactions that the regression takes for noise: several times nearer to the truth
        at the same budget, for a second or so an instance (`perturbx.solvers.OddProcess`).
        "rows" spends single background rows along permutations, and works where the budget
        cannot pay for the whole background behind each coalition
        (`perturbx.solvers.RowContributions`). "auto" takes "rows" while the budget is small
        against features times background rows, and then "process" where it costs less time than
        asking the model. It goes by budget, features and background rows, never by the clock: for
        a model that takes less than a few microseconds a row "regression" is the faster choice.
    interactions : bool
        Also score pairs of features from the same answers: ``explanation.interactions``.

    Notes
    -----
    Standard errors speak of the coalitions that were not tried. What no estimator can see is an
    interaction that no tried coalition met, such as a rare conjunction of six features.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> explainer = px.KernelShap(lambda X: 2 * X[:, 0] - X[:, 1], random_state=0).fit(X)
    >>> explanation = explainer.explain(X[:1])
    >>> np.allclose(explanation.values, [2, -1, 0] * (X[:1] - X.mean(axis=0)))
    True
    """

    estimator: Estimator = field(default="auto", kw_only=True)
    interactions: bool = field(default=False, kw_only=True)

    def recipe(self, setting: Setting) -> tuple[Sampler, Solver]:
        estimator = check_choice("estimator", self.estimator, get_args(Estimator))
        if estimator == "rows":
            self._check_rows(setting)
        if estimator == "rows" or (estimator == "auto" and self._rows_are_better(setting)):
            return RowPermutations(setting.n_rows), RowContributions()
        pairs = max(_FEWEST_PAIRS, _PAIRS_A_FEATURE * setting.n_features)
        process = OddProcess()
        if estimator == "process" or (estimator == "auto" and _worth_it(setting, pairs)):
            return ShapleyCoalitions(pairs), self._and_pairs(process)
        return ShapleyCoalitions(), self._and_pairs(KernelShapRegression())

    def _and_pairs(self, solver: Solver) -> Solver:
        return WithInteractions(solver) if self.interactions else solver

    def _rows_are_better(self, setting: Setting) -> bool:
        if self.interactions or setting.n_rows == 1 or setting.link != "identity":
            return False
        whole = setting.affordable(setting.n_rows)
        everything = 2 ** min(setting.n_features, 60) - 2
        few = min(2 * _CROSSOVER * setting.n_features, everything)
        return whole is not None and whole < few

    def _check_rows(self, setting: Setting) -> None:
        lacking = {
            "interactions=True, which need pairs of coalitions": self.interactions,
            f'link="{setting.link}", which applies to averages': setting.link != "identity",
            "a masker with one row behind each perturbation": setting.n_rows == 1,
        }
        for what, is_so in lacking.items():
            if is_so:
                raise InvalidParameterError(
                    f'estimator="rows" spends single background rows, and cannot serve {what}: '
                    'pass estimator="auto".'
                )


def _worth_it(setting: Setting, pairs: int) -> bool:
    """Whether solving by the process takes less time than asking an ordinary model."""
    n = pairs if setting.budget is None else (setting.affordable(setting.n_rows) or 0) // 2
    n = min(n, 2 ** min(setting.n_features - 1, 60) - 1)
    seconds = _SECONDS_AN_IMAGE if setting.is_image else _SECONDS_A_ROW
    return bool(0.25 + 0.0012 * n < 2 * n * setting.n_rows * seconds)
