"""Invariant ranges: the largest box around a row in which the model keeps its decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from perturbx._validation import (
    check_choice,
    check_integer,
    check_kind,
    check_names,
    check_number,
    check_random_state,
)
from perturbx.errors import NotFittedError
from perturbx.game import probe_cost
from perturbx.rules._axes import Axis, Box, Draws, axes_of
from perturbx.rules._base import BaseRule
from perturbx.rules._bounds import exact_interval, fresh_draws, safe_target
from perturbx.rules._box_search import Asker, Search
from perturbx.rules._changes import changes_of
from perturbx.rules._decisions import DecisionRule
from perturbx.rules._kept import kept_of
from perturbx.rules._reach import Reach, limits_of, reach_of
from perturbx.rules._table import learned
from perturbx.rules.counterfactuals import Change
from perturbx.rules.invariant_ranges import FeatureRange, InvariantRanges, Membership

_WORDS = {
    "uniform": "each feature uniformly from its range, independently of the others",
    "data": "each feature from the training values in its range, independently of the others",
}

_SINGLE_STEPS = 6
"""Values on each side of the instance at which a feature is changed alone."""


@dataclass(eq=False, repr=False)
class InvariantRange(BaseRule):
    """The largest box around a row in which the model keeps its decision.

    Maximally invariant perturbation (Hara, Ikeno, Soma & Maehara, 2018, arXiv 1806.07004), from
    outputs alone: how far may all features move at the same time? Narrow ranges belong to features
    that matter for the decision; features that may be anything do not matter for it.

    Parameters
    ----------
    predict_fn : callable or fitted model
        A batch of rows to classes, to the score of each class, or to a single output (n,).
    threshold : float
        The least share of the box that must keep the decision.
    confidence : float
        Of the intervals of that share and of the coverage.
    tolerance : float, optional
        Of a single output: it must stay within this distance of its value for the row. By default
        the decision must be kept.
    decision : float or callable, optional
        What must stay the same: a threshold of a single score, or a function of the outputs, (n,)
        or (n, k), that returns (n,) labels. By default the class of the largest output, or the
        label itself where predict_fn returns whole numbers.
    draws : {"uniform", "data"}
        How rows are drawn in the box, and how its size is measured. "uniform" draws every number
        between the two ends alike, and every category; "data" draws the values of training rows,
        so that the share counts values as often as they occur. Features are drawn independently.
    frozen : sequence of features
        What keeps its value: by label, by name, or by position where no label is an integer.
    groups : mapping of str to list of columns, optional
        Columns that change together, such as those of a one-hot code, to values that a training
        row had in all of them. Every column must be in one group.
    budget : int
        The most model rows. A quarter is kept for the draws that verify the box. The three rows by
        which the model's outputs are learned come on top.
    feature_names, output_names : sequence of str, optional
        Names where neither the model nor the container gives them.
    batch_size : int, optional
        The most rows in one call of predict_fn.
    {asking}
    random_state : int, numpy generator or None
        Fixes every number, whatever batch_size.

    Notes
    -----
    Ranges end where training rows end, or at the row itself if it lies outside of them. A missing
    number stays missing, and nothing else becomes missing. The size of a box is the product of
    the shares of its ranges. Ends of ranges are found to within 7% of their distance from the row.

    The search shortens all ranges alike, cuts off what loses the decision (after PRIM: Friedman &
    Fisher, 1999), and grows again where the decision is kept. The share that keeps the decision is
    then estimated from draws that the search has not seen: their Clopper-Pearson interval covers
    the true share at least as often as it says, and ``reached`` is wrong in at most half of the
    rest. With threshold 1 no finite number of draws would do.

    Correlated features are drawn independently, so the box says what the model does there, not
    whether such rows exist. `InvariantRanges.coverage` tells how many training rows lie in the box.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.random.default_rng(0).uniform(0, 100, size=(400, 3)).round()
    >>> approves = lambda X: (X[:, 0] >= 30) & (X[:, 1] < 80)
    >>> names = ["income", "debts", "age"]
    >>> finder = px.InvariantRange(approves, feature_names=names, random_state=0).fit(X)
    >>> found = finder.explain([50.0, 20.0, 40.0])
    >>> [r.feature for r in found.ranges if not r.is_free], found.reached
    (['income', 'debts'], True)
    """

    threshold: float = field(default=0.95, kw_only=True)
    confidence: float = field(default=0.95, kw_only=True)
    tolerance: float | None = field(default=None, kw_only=True)
    decision: DecisionRule = field(default=None, kw_only=True)
    draws: Draws = field(default="uniform", kw_only=True)
    frozen: Sequence[Any] = field(default=(), kw_only=True)
    groups: Mapping[str, Sequence[str | int]] | None = field(default=None, kw_only=True)
    budget: int = field(default=20_000, kw_only=True)
    feature_names: Sequence[str] | None = field(default=None, kw_only=True)

    def fit(self, X: Any) -> InvariantRange:
        """Learn the ranges and categories of the columns; the model is not asked.

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
        self._reach_limits()  # refuses unknown features here rather than later
        return self

    def explain(self, x: Any) -> InvariantRanges:
        """The box around one row.

        Parameters
        ----------
        x : one row
            In the container that `fit` saw.

        Returns
        -------
        InvariantRanges
            If no feature may move, ``text`` says so, with the nearest miss.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        InvalidInputError
            If there are several rows, or if x is not like the X of `fit`.
        InvalidParameterError
            If a parameter cannot have its value, or if the outputs are no decisions.
        BudgetError
            If the draws that verify the box could not show the threshold even if all agreed.
        PredictFnError
            If the model fails, or answers with something that cannot be explained.
        """
        self._check_parameters()
        if "table_" not in vars(self):
            raise NotFittedError(
                "InvariantRange learns ranges and categories from data: call fit(X_train) before "
                "explain."
            )
        table = self.table_
        instances = table.one(x, "Invariant ranges")
        reach = reach_of(table.observed, table.features, self._reach_limits(), instances.take(0, 1))
        n_fresh = fresh_draws(self.budget, self.threshold, self.confidence)
        seeds = check_random_state(self.random_state)
        of_search, of_draws = (np.random.default_rng(s) for s in seeds.spawn(2))
        predictor = self._probe(instances)
        kept = kept_of(self.decision, self.tolerance, predictor)
        asker = Asker(reach, predictor, kept, self.batch_size)
        axes, most = axes_of(reach, self.draws), self.budget - n_fresh
        near_miss = _near_miss(asker, axes, most // 8)
        search = Search(asker, axes, of_search, most, safe_target(self.threshold, n_fresh))
        box = search.run()
        _, rows = search.values(box, n_fresh, of_draws)
        n_kept = int(asker(rows).sum())
        total, seed = probe_cost(predictor) + asker.cost, seeds.entropy
        assert isinstance(seed, int)
        return replace(
            self._box(reach, axes, box, n_kept, n_fresh),
            decision=kept.words,
            near_miss=near_miss,
            n_rows=total.n_rows,
            n_calls=total.n_calls,
            random_state=seed,
        )

    def _box(
        self, reach: Reach, axes: tuple[Axis, ...], box: Box, n_kept: int, n_fresh: int
    ) -> InvariantRanges:
        """The result, but for what the model says and costs."""
        table, ranges = self.table_, _ranges(reach, axes, box)
        interval = exact_interval(n_kept, n_fresh, self.confidence)
        membership = Membership(table.masker, table.observed, _parts(axes, box))
        covered = membership.of(table.observed.values)
        reached = interval[0] >= self.threshold
        return InvariantRanges(
            ranges=tuple(sorted(ranges, key=lambda r: (r.is_frozen, r.share))),
            decision="",
            share=n_kept / n_fresh,
            share_interval=interval,
            threshold=self.threshold,
            confidence=self.confidence,
            reached=reached,
            size=_size(ranges),
            coverage=float(covered.mean()),
            coverage_interval=exact_interval(int(covered.sum()), len(covered), self.confidence),
            draws=_WORDS[self.draws],
            near_miss=None,
            n_fresh=n_fresh,
            n_training=len(covered),
            n_rows=0,
            n_calls=0,
            random_state=0,
            notes=(*reach.notes, *_notes(ranges, n_kept == n_fresh, reached)),
            membership=membership,
        )

    def _reach_limits(self) -> Any:
        return limits_of(self.table_.observed, self.table_.features, self.frozen, {}, {})

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number("threshold", self.threshold, above=0, below=1)
        check_number("confidence", self.confidence, above=0, below=1)
        if self.tolerance is not None:
            check_number("tolerance", self.tolerance, above=0)
        check_choice("draws", self.draws, tuple(_WORDS))
        check_integer("budget", self.budget, minimum=1)
        if self.groups is not None:
            check_kind("groups", self.groups, Mapping, "a dict, as in {'city': ['city_a', ...]}")
        if self.feature_names is not None:
            check_names("feature_names", self.feature_names)


def _near_miss(asker: Asker, axes: tuple[Axis, ...], most: int) -> Change | None:
    """The smallest change of one feature, among a few of each, that loses the decision."""
    reach, tried = asker.reach, []
    for axis in axes:
        other = np.flatnonzero(np.arange(axis.n_cells) != axis.own)
        if axis.is_ordered:
            sides = [other[other < axis.own][::-1], other[other > axis.own]]
            steps = [side[_spread(len(side))] for side in sides]
            other = np.concatenate(steps)
        for cell in other[: 2 * _SINGLE_STEPS]:
            tried.append(reach.own.copy())
            tried[-1][axis.members] = axis.far_end(int(cell))
    if not tried:
        return None
    rows = np.array(tried[:most])
    distances = reach.distances(rows).sum(axis=1)
    distances[asker(rows) | (distances == 0)] = np.inf
    at = int(distances.argmin())
    return changes_of(reach, rows[at])[0] if np.isfinite(distances[at]) else None


def _spread(n: int) -> Any:
    """A few positions from the first to the last of n, both included."""
    return np.unique(np.linspace(0, n - 1, min(n, _SINGLE_STEPS)).astype(int))


def _ranges(reach: Reach, axes: tuple[Axis, ...], box: Box) -> list[FeatureRange]:
    """What each feature may be, in the order of the features."""
    layout, found = reach.observed.layout, []
    own = layout.values(reach.build(reach.own[None]))[0]
    for j, (axis, kept) in enumerate(zip(axes, box, strict=True)):
        members, single, is_frozen = axis.members, len(axis.members) == 1, axis.n_cells == 1
        ends, values = (np.nan, np.nan), tuple[Any, ...]()
        if axis.is_ordered:
            ends = float(axis.low[kept][0]), float(axis.high[kept][-1])
        elif single and reach.observed.columns[members[0]].is_ordered and not np.isnan(axis.low[0]):
            ends = float(axis.low[0]), float(axis.low[0])  # a frozen number
        else:
            cells = [axis.far_end(int(cell)) for cell in np.flatnonzero(kept)]
            rows = np.repeat(reach.own[None], len(cells), axis=0)
            rows[:, members] = cells
            shown = layout.values(reach.build(rows))[:, members]
            values = tuple(row[0] if single else tuple(row) for row in shown)
        found.append(
            FeatureRange(
                feature=reach.features.names[j],
                value=own[members[0]] if single else tuple(own[members]),
                lower=ends[0],
                upper=ends[1],
                values=values,
                share=axis.share(kept),
                is_lowest=bool(kept[0] if axis.is_ordered else kept.all()) and not is_frozen,
                is_highest=bool(kept[-1] if axis.is_ordered else kept.all()) and not is_frozen,
                is_frozen=is_frozen,
            )
        )
    return found


def _parts(axes: tuple[Axis, ...], box: Box) -> tuple[Any, ...]:
    """For each feature its columns, the ends or the values that it may have, and which of these."""
    found = []
    for axis, kept in zip(axes, box, strict=True):
        cells = np.flatnonzero(kept)
        if axis.is_ordered:
            allowed = np.array([axis.low[cells[:1]], axis.high[cells[-1:]]])
        else:
            allowed = np.array([axis.far_end(int(cell)) for cell in cells])
        found.append((axis.members, allowed, axis.is_ordered))
    return tuple(found)


def _size(ranges: Sequence[FeatureRange]) -> float:
    """The geometric mean of the shares; 1 if every feature is frozen."""
    shares = [r.share for r in ranges if not r.is_frozen]
    if not shares:
        return 1.0
    with np.errstate(divide="ignore"):
        return float(np.exp(np.log(shares).mean()))


def _notes(ranges: Sequence[FeatureRange], is_constant: bool, reached: bool) -> tuple[str, ...]:
    if not reached:
        return (
            "no box was shown to keep the decision in enough of it: this is the one that comes "
            "closest. Raise budget, or lower threshold",
        )
    moving = [r for r in ranges if not r.is_frozen]
    if moving and all(r.is_free for r in moving) and is_constant:
        return (
            "the decision was kept for every random row, as by a model of a single class: no "
            "feature matters",
        )
    return ()
