"""The frozen result of `InvariantRange`: a box around an instance, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx._validation import needed
from perturbx.maskers import FittedMasker
from perturbx.result.text import shorten
from perturbx.rules._observed import Observed
from perturbx.rules._reach import coded
from perturbx.rules.counterfactuals import Change, shown_cell

_MOST_NAMED = 8
"""So many categories, and so many features, are named in a sentence."""


@dataclass(frozen=True)
class FeatureRange:
    """What one feature may be while the decision is kept.

    Parameters
    ----------
    feature : str
    value : object
        Of the instance; a tuple of cells for a group of columns.
    lower, upper : float
        The ends of a range of numbers, both included; NaN for categories and missing numbers.
    values : tuple
        The categories, or the values of a group of columns; empty for a range of numbers.
    share : float
        Of what could have been drawn: 1 if the feature may be anything that training rows were.
    is_lowest, is_highest : bool
        Whether the range begins, and ends, where the values seen in training do.
    is_frozen : bool
        Whether the user or a missing cell kept it from being changed.

    Examples
    --------
    >>> str(FeatureRange("age", 36, 29.0, 41.0, (), 0.3, False, False, False))
    'age is from 29 to 41 (now 36)'
    """

    feature: str
    value: Any
    lower: float
    upper: float
    values: tuple[Any, ...]
    share: float
    is_lowest: bool
    is_highest: bool
    is_frozen: bool

    @property
    def is_free(self) -> bool:
        """Whether it may be anything."""
        return self.is_lowest and self.is_highest

    @property
    def is_single(self) -> bool:
        """Whether it may be nothing but what it is."""
        return len(self.values) == 1 if self.values else not self.lower < self.upper

    def __str__(self) -> str:
        name, now = shorten(self.feature, 40), shown_cell(self.value)
        if self.is_single:
            return f"{name} is {now}"
        if self.values:
            named = [shown_cell(value) for value in self.values[:_MOST_NAMED]]
            more = len(self.values) - len(named)
            named += [f"{more} more"] * (more > 0)
            return f"{name} is {', '.join(named[:-1])} or {named[-1]} (now {now})"
        if self.is_lowest:
            return f"{name} is at most {self.upper:.6g} (now {now})"
        if self.is_highest:
            return f"{name} is at least {self.lower:.6g} (now {now})"
        return f"{name} is from {self.lower:.6g} to {self.upper:.6g} (now {now})"


@dataclass(frozen=True, eq=False)
class Membership:
    """Tells which rows lie in a box: a range of numbers, or listed values, for each feature."""

    masker: FittedMasker
    observed: Observed
    parts: tuple[tuple[NDArray[np.intp], Floats, bool], ...]

    def holds(self, X: Any) -> tuple[NDArray[np.bool_], bool]:
        """(n,), and whether X was a single row."""
        instances = self.masker.check(X)
        return self.of(coded(self.observed, instances.take(0, len(instances)))[0]), instances.single

    def of(self, values: Floats) -> NDArray[np.bool_]:
        """(n,): for rows of numbers that stand for cells."""
        found = np.ones(len(values), dtype=bool)
        for members, allowed, is_range in self.parts:
            cells = values[:, members]
            if is_range:
                found &= (cells[:, 0] >= allowed[0, 0]) & (cells[:, 0] <= allowed[1, 0])
                continue
            same = cells[:, None, :] == allowed
            same |= np.isnan(cells[:, None, :]) & np.isnan(allowed)
            found &= same.all(axis=2).any(axis=1)
        return found


@dataclass(frozen=True, eq=False, repr=False)
class InvariantRanges:
    """A box around an instance in which the model keeps its decision.

    Parameters
    ----------
    ranges : tuple of FeatureRange
        One per feature, the narrowest first.
    decision : str
        What the model says of the instance, and keeps in the box.
    share : float
        The share of random rows in the box that keep the decision, among `n_fresh` draws that the
        search has not seen.
    share_interval : (float, float)
        Exact (Clopper and Pearson), at `confidence`; its lower end is the guaranteed share.
    threshold, confidence : float
        As they were asked for.
    reached : bool
        Whether the lower end of `share_interval` is at least `threshold`.
    size : float
        The geometric mean of the ranges' shares, over features that are not frozen.
    coverage : float
        The share of the training rows that lie in the box.
    coverage_interval : (float, float)
        For the population that the training rows are a sample of.
    draws : str
        In words, which rows are drawn in the box.
    near_miss : Change or None
        The smallest change of a single feature, among those tried, that loses the decision.
    n_fresh, n_training : int
        The draws behind `share`, and the rows behind `coverage`.
    n_rows, n_calls : int
        Model rows and calls.
    random_state : int
        Repeats every number.
    notes : tuple of str
        To be read before the box is trusted.
    """

    ranges: tuple[FeatureRange, ...]
    decision: str
    share: float
    share_interval: tuple[float, float]
    threshold: float
    confidence: float
    reached: bool
    size: float
    coverage: float
    coverage_interval: tuple[float, float]
    draws: str
    near_miss: Change | None
    n_fresh: int
    n_training: int
    n_rows: int
    n_calls: int
    random_state: int
    notes: tuple[str, ...] = ()
    membership: Membership | None = field(default=None)

    def __len__(self) -> int:
        return len(self.ranges)

    def __getitem__(self, feature: str) -> FeatureRange:
        """The range of a feature, by name."""
        for found in self.ranges:
            if found.feature == feature:
                return found
        raise KeyError(f"no feature {feature!r}; there are {[r.feature for r in self.ranges]}")

    @property
    def text(self) -> str:
        """The box in one sentence."""
        kept = f"{self.decision} is kept"
        bound = [r for r in self.ranges if not r.is_free]
        free = sum(r.is_free for r in self.ranges)
        if not bound:
            return f"{kept} whatever the features are ({self._guarantee})."
        if all(r.is_single and r.share == 1 for r in self.ranges):
            return f"{kept}, as no feature has another value in the training rows: pass more rows."
        if all(r.is_single for r in bound) and not free:
            said = f"{self.decision} is lost at once"
            return f"{said}: {self._missed}." if self.near_miss else f"{said}."
        named = [str(r) for r in bound[:_MOST_NAMED]]
        more = len(bound) - len(named)
        rest = "1 more feature stays in its range" if more == 1 else f"{more} more stay in theirs"
        named += [rest] * (more > 0)
        others = f"; {free} other{'s' * (free > 1)} may be anything" if free else ""
        *first, last = named
        joined = f"{', '.join(first)} and {last}" if first else last
        return f"{kept} while {joined}{others} ({self._guarantee})."

    def holds(self, X: Any) -> NDArray[np.bool_]:
        """Which rows lie in the box: (n,) bool, or a single bool for a single row.

        Parameters
        ----------
        X : table of rows
            In the container that `fit` saw.

        Raises
        ------
        InvalidInputError
            If X is not like the training rows.
        """
        assert self.membership is not None
        found, single = self.membership.holds(X)
        return found[0] if single else found

    def to_frame(self) -> Any:
        """A pandas DataFrame with one line per feature, the narrowest range first.

        Columns: feature, value, lower, upper, values, share, is_free, is_frozen.
        """
        pandas = needed("pandas", "to_frame", "pandas")
        names = ["feature", "value", "lower", "upper", "values", "share", "is_free", "is_frozen"]
        lines = [[getattr(r, name) for name in names] for r in self.ranges]
        return pandas.DataFrame(lines, columns=names)

    @property
    def _guarantee(self) -> str:
        share, level = 100 * self.share_interval[0], 100 * self.confidence
        return f"in at least {share:.1f}% of the box, {level:g}% confidence"

    @property
    def _missed(self) -> str:
        assert self.near_miss is not None
        return f"{self.decision} is lost if {self.near_miss}"

    def __repr__(self) -> str:
        low, high = self.share_interval
        level = f"{100 * self.confidence:g}% interval"
        verdict = "reached" if self.reached else "NOT reached"
        lines = [
            self.text,
            f"  kept in {self.share:.3f} of the box, {level} [{low:.3f}, {high:.3f}] from "
            f"{self.n_fresh:,} fresh draws; {self.threshold:g} {verdict}",
            f"  size: {self.size:.3g} of each range in the geometric mean; {self.coverage:.3g} of "
            f"{self.n_training:,} training rows lie in it",
        ]
        if self.near_miss:
            lines += [f"  nearest miss: {self._missed}"]
        lines += [
            f"  draws: {self.draws}",
            f"  cost: {self.n_rows:,} model rows in {self.n_calls:,} calls",
        ]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])
