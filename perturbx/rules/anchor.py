"""The frozen result of `Anchors`: a rule, how often it is right, and how many rows it covers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx.containers import Layout, is_missing
from perturbx.errors import InvalidParameterError
from perturbx.maskers import FittedMasker
from perturbx.result.text import shorten

Kind: TypeAlias = Literal["range", "equals", "missing", "present"]


@dataclass(frozen=True)
class Condition:
    """One condition of a rule, on one feature.

    Parameters
    ----------
    feature : str
    position : int
        Of the feature: the column of a table, or the piece of an image or text.
    kind : "range", "equals", "missing" or "present"
        ``lower < value <= upper``, the value of the instance, no value, or a piece that is kept.
    lower, upper : float
        The ends of a range; -inf and inf where it has none.
    value : object
        What an "equals" compares with.

    Examples
    --------
    >>> str(Condition("age", 0, "range", lower=29.0, upper=41.0))
    '29 < age ≤ 41'
    """

    feature: str
    position: int
    kind: Kind
    lower: float = -np.inf
    upper: float = np.inf
    value: Any = None

    def __str__(self) -> str:
        name = shorten(self.feature, 40)
        if self.kind == "equals":
            return f"{name} = {shorten(str(self.value), 40)}"
        if self.kind != "range":
            return f"{name} is {self.kind}"
        low = f"{self.lower:.6g} < {name}" if np.isfinite(self.lower) else name
        if not np.isfinite(self.upper):
            return f"{name} > {self.lower:.6g}"
        return f"{low} ≤ {self.upper:.6g}"


@dataclass(frozen=True, eq=False)
class Reader:
    """Checks rows as `explain` does, and tells for which of them conditions hold."""

    masker: FittedMasker
    layout: Layout
    row: Any

    def holds(self, conditions: tuple[Condition, ...], X: Any) -> tuple[NDArray[np.bool_], bool]:
        """(n,), and whether X was a single row."""
        instances = self.masker.check(X)
        rows = instances.take(0, len(instances))
        values = self.layout.values(rows)
        cells, own = self.layout.encode(rows, self.row)
        found = np.ones(len(instances), dtype=bool)
        for condition in conditions:
            at = condition.position
            if condition.kind == "equals":
                found &= cells.bits[:, at] == own.bits[0, at]
            elif condition.kind == "missing":
                found &= np.isnan(as_numbers(values[:, at]))
            else:
                numbers = as_numbers(values[:, at])
                found &= (numbers > condition.lower) & (numbers <= condition.upper)
        return found, instances.single


def as_numbers(cells: NDArray[Any]) -> NDArray[np.float64]:
    """A column of numbers as float64; NaN where one is missing."""
    if cells.dtype != object:
        return np.asarray(cells, dtype=np.float64)
    return np.array([np.nan if is_missing(cell) else float(cell) for cell in cells])


@dataclass(frozen=True, eq=False, repr=False)
class Anchor:
    """A rule under which the model keeps its decision, with its precision and coverage.

    Parameters
    ----------
    conditions : tuple of Condition
        All must hold; none if the model keeps its decision for almost all rows.
    decision : str
        What the model decides for the instance.
    precision : float
        The share of rows drawn at random under the rule that get the same decision, among
        `n_fresh` draws that the search has not seen.
    precision_interval : (float, float)
        Exact (Clopper and Pearson), at `confidence`.
    coverage : float
        The share of the training rows for which the rule holds; for pieces of an image or text,
        of the random subsets of pieces.
    coverage_interval : (float, float)
        For the population that the training rows are a sample of.
    threshold, confidence : float
        As they were asked for.
    reached : bool
        Whether the lower end of `precision_interval` is at least `threshold`.
    draws : str
        In words, which rows are drawn under the rule.
    n_fresh, n_training : int
        The draws behind `precision`, and the rows (0: none) behind `coverage`.
    n_rows, n_calls : int
        Model rows and calls.
    random_state : int
        Repeats every number.
    notes : tuple of str
        To be read before the rule is trusted.
    alternatives : tuple of Anchor
        Other rules, with fresh draws of their own. The cost of all is that of the first; each
        interval is for one rule, not for the best of several.
    """

    conditions: tuple[Condition, ...]
    decision: str
    precision: float
    precision_interval: tuple[float, float]
    coverage: float
    coverage_interval: tuple[float, float]
    threshold: float
    confidence: float
    reached: bool
    draws: str
    n_fresh: int
    n_training: int
    n_rows: int
    n_calls: int
    random_state: int
    notes: tuple[str, ...] = ()
    reader: Reader | None = field(default=None)
    alternatives: tuple[Anchor, ...] = ()

    @property
    def text(self) -> str:
        """The rule in one line."""
        if not self.conditions:
            return f"Always: {self.decision}"
        return f"If {' and '.join(map(str, self.conditions))}: {self.decision}"

    def holds(self, X: Any) -> NDArray[np.bool_]:
        """For which rows the rule holds: (n,) bool, or a single bool for a single row.

        Parameters
        ----------
        X : table of rows
            In the container that `fit` saw.

        Raises
        ------
        InvalidInputError
            If X is not like the training rows.
        InvalidParameterError
            If the rule is about the pieces of one image or text, which other inputs do not have.
        """
        if self.reader is None:
            raise InvalidParameterError(
                "This rule is about the pieces of one input, which other inputs do not have: "
                "holds(X) is for rules on the columns of a table."
            )
        found, single = self.reader.holds(self.conditions, X)
        return found[0] if single else found

    def __repr__(self) -> str:
        low, high = self.precision_interval
        level = f"{100 * self.confidence:g}% interval"
        verdict = "reached" if self.reached else "NOT reached"
        lines = [
            self.text,
            f"  precision {self.precision:.3f}, {level} [{low:.3f}, {high:.3f}] from "
            f"{self.n_fresh:,} fresh draws; {self.threshold:g} {verdict}",
        ]
        if self.n_training:
            low, high = self.coverage_interval
            lines += [
                f"  coverage {self.coverage:.3f} of {self.n_training:,} training rows, {level} "
                f"[{low:.3f}, {high:.3f}]"
            ]
        else:
            lines += [f"  coverage {self.coverage:.3g} of random subsets of the pieces"]
        lines += [
            f"  draws: {self.draws}",
            f"  cost: {self.n_rows:,} model rows in {self.n_calls:,} calls",
        ]
        lines += [f"  note: {note}" for note in self.notes]
        for other in self.alternatives:
            low, high = other.precision_interval
            verdict = "" if other.reached else f", {other.threshold:g} NOT reached"
            lines += [
                f"  or: {other.text} (precision [{low:.3f}, {high:.3f}]{verdict}; coverage "
                f"{other.coverage:.3g})"
            ]
        return "\n".join(lines)
