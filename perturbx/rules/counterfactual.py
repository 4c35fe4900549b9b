"""Counterfactuals: the smallest changes of a row after which the model decides otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from perturbx._validation import (
    check_integer,
    check_kind,
    check_names,
    check_random_state,
)
from perturbx.errors import BudgetError, NotFittedError
from perturbx.game import probe_cost
from perturbx.predictor import Predictor
from perturbx.rules._base import BaseRule
from perturbx.rules._changes import changes_of
from perturbx.rules._counterfactual_search import Found, Search
from perturbx.rules._near_rows import Asker
from perturbx.rules._reach import Limits, limits_of, reach_of
from perturbx.rules._table import learned
from perturbx.rules._wanted import Target, wanted
from perturbx.rules.counterfactuals import Counterfactuals


@dataclass(eq=False, repr=False)
class Counterfactual(BaseRule):
    """The smallest changes of a row after which the model decides otherwise.

    The answer is one or more rows that have the wanted decision and stay within what was observed:
    numbers within the range of the training rows, with no more decimals than they have, categories
    that were seen, nothing newly missing. They change as few features as possible, then as little
    as possible, and no counterfactual changes all the features that another one changes.

    Parameters
    ----------
    predict_fn : callable or fitted model
        A batch of rows to the score of each class, or to a single output (n,).
    target : str, int or (low, high), optional
        A class by name or position; by default any class but the present one. For a single
        output the interval wanted, ends included, such as ``(200, None)`` for at least 200.
    n_counterfactuals : int
        The most rows to find.
    frozen : sequence of features
        What must not change: by label, by name, or by position where no label is an integer.
    direction : mapping of feature to "up" or "down"
        Columns of numbers that may only rise, or only fall.
    weights : mapping of feature to float
        What a unit of distance costs; 1 by default.
    groups : mapping of str to list of columns, optional
        Columns that change together, such as those of a one-hot code, to values that a training
        row had in all of them. Every column must be in one group.
    budget : int
        The most model rows. The three rows by which the model's outputs are learned come on top.
    feature_names, output_names : sequence of str, optional
        Names where neither the model nor the container gives them.
    batch_size : int, optional
        The most rows in one call of predict_fn.
    {asking}
    random_state : int, numpy generator or None
        Fixes every number, whatever batch_size.

    Notes
    -----
    The distance of a number is its change in units of the median absolute deviation of its column
    (Wachter, Mittelstadt & Russell, 2017), or where that is 0, of the standard deviation; that of
    a category is 1. Distances are added up.

    The search joins four parts: single changes, joined step by step; the nearest training rows of
    the wanted decision, made sparse; growing spheres where neither finds any (Laugel et al.,
    2018); and every change is then moved back towards the row as far as the decision holds. It is
    a search, so that a smaller change may exist. What the model was asked for and answered with
    the wanted decision is never lost, and every row returned is asked again at the end.

    A counterfactual describes the model. Whether the world would follow is a causal question.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.random.default_rng(0).normal([30.0, 5.0], [10.0, 2.0], size=(400, 2)).round(1)
    >>> approves = lambda X: np.stack([60 - X[:, 0] - X[:, 1], X[:, 0] + X[:, 1] - 60], axis=1)
    >>> names = dict(feature_names=["income", "savings"], output_names=["refused", "approved"])
    >>> found = px.Counterfactual(approves, random_state=0, **names).fit(X).explain([50.0, 4.0])
    >>> print(found.text)
    The decision would be approved if income were 56.1 instead of 50.
    """

    target: Target = field(default=None, kw_only=True)
    n_counterfactuals: int = field(default=3, kw_only=True)
    frozen: Sequence[Any] = field(default=(), kw_only=True)
    direction: Mapping[Any, Literal["up", "down"]] | None = field(default=None, kw_only=True)
    weights: Mapping[Any, float] | None = field(default=None, kw_only=True)
    groups: Mapping[str, Sequence[str | int]] | None = field(default=None, kw_only=True)
    budget: int = field(default=2000, kw_only=True)
    feature_names: Sequence[str] | None = field(default=None, kw_only=True)

    def fit(self, X: Any) -> Counterfactual:
        """Learn the ranges, categories and spreads of the columns; the model is not asked.

        Parameters
        ----------
        X : table of rows
            Training data.

        Returns
        -------
        self
        """
        self._check_parameters()
        self.table_ = learned(X, self.feature_names, self.groups)
        self._limits()  # refuses unknown features here rather than later
        return self

    def explain(self, x: Any) -> Counterfactuals:
        """The counterfactuals of one row.

        Parameters
        ----------
        x : one row
            In the container that `fit` saw.

        Returns
        -------
        Counterfactuals
            Without rows if no allowed change was found; ``text`` then tells the nearest miss.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        InvalidInputError
            If there are several rows, or if x is not like the X of `fit`.
        InvalidParameterError
            If a parameter cannot have its value, or if x has the wanted decision already.
        BudgetError
            If the budget does not even allow one change of each feature.
        PredictFnError
            If the model fails, or answers with something that cannot be explained.
        """
        self._check_parameters()
        if "table_" not in vars(self):
            raise NotFittedError(
                "Counterfactual learns ranges and categories from data: call fit(X_train) before "
                "explain."
            )
        instances, table = self.table_.one(x, "Counterfactuals"), self.table_
        limits = self._limits()
        reach = reach_of(table.observed, table.features, limits, instances.take(0, 1))
        least = len(reach.free) + 2 * self.n_counterfactuals
        if self.budget < least:
            raise BudgetError(
                f"budget={self.budget} is too small to change each of {len(reach.free)} features "
                f"once: raise it to {least} or more."
            )
        seeds = check_random_state(self.random_state)
        predictor = self._probe(instances)
        asked = wanted(self.target, predictor, predictor.first_answers[0])
        kept = self.budget - self.n_counterfactuals  # these rows are asked again
        asker = Asker(reach, predictor, asked, kept, self.batch_size)
        search = Search(asker, np.random.default_rng(seeds))
        return self._checked(search, search.run(self.n_counterfactuals), predictor, seeds)

    def _checked(
        self,
        search: Search,
        found: list[Found],
        predictor: Predictor,
        seeds: np.random.SeedSequence,
    ) -> Counterfactuals:
        """The result, after the model was asked again for every row in it."""
        asker, reach = search.asker, search.reach
        asked, outputs = asker.wanted, np.empty((0, predictor.n_outputs))
        again, notes = found, reach.notes
        if found:
            outputs = asker.outputs(np.array([f.row for f in found]))
            holds = asked.reached(outputs)
            again = [f for f, same in zip(found, holds, strict=True) if same]
            outputs = outputs[holds]
        if len(again) < len(found):
            notes += (
                f"{len(found) - len(again)} of {len(found)} rows did not get the wanted decision "
                "again and were left out: the model answers differently each time",
            )
        miss = None if again or search.miss is None else search.miss[1]
        rows = np.array([f.row for f in again]).reshape(-1, len(reach.own))
        total = probe_cost(predictor) + asker.cost
        seed = seeds.entropy
        assert isinstance(seed, int)
        return Counterfactuals(
            rows=reach.build(rows),
            changes=tuple(changes_of(reach, f.row) for f in again),
            distances=np.array([f.distance for f in again]),
            outputs=outputs,
            decisions=tuple(asked.decided(row) for row in outputs),
            decision=asked.decided(predictor.first_answers[0]),
            wanted=asked.words,
            near_miss=() if miss is None else changes_of(reach, miss.row),
            near_miss_outputs=None if miss is None else asker.answer(miss.row),
            output_names=predictor.output_names,
            n_rows=total.n_rows,
            n_calls=total.n_calls,
            random_state=seed,
            notes=notes,
        )

    def _limits(self) -> Limits:
        known = self.table_.observed, self.table_.features
        return limits_of(*known, self.frozen, self.direction or {}, self.weights or {})

    def _check_parameters(self) -> None:
        super()._check_parameters()
        for name in ("budget", "n_counterfactuals"):
            check_integer(name, getattr(self, name), minimum=1)
        for name in ("direction", "weights", "groups"):
            if getattr(self, name) is not None:
                check_kind(name, getattr(self, name), Mapping, "a dict, as in {'age': ...}")
        if self.feature_names is not None:
            check_names("feature_names", self.feature_names)
