"""The frozen result of `Counterfactual`: rows with another decision, and what changed in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx._validation import needed
from perturbx.result.text import shorten


@dataclass(frozen=True)
class Change:
    """One feature of a counterfactual that differs from the instance.

    Parameters
    ----------
    feature : str
    before, after : object
        The cells of the instance and of the counterfactual; tuples of them for a group of columns.
    distance : float
        In units of the column's median absolute deviation, times its weight.

    Examples
    --------
    >>> str(Change("worst area", 1209.0, 742.0, 0.9))
    'worst area were 742 instead of 1209'
    """

    feature: str
    before: Any
    after: Any
    distance: float

    def __str__(self) -> str:
        name = shorten(self.feature, 40)
        return f"{name} were {shown_cell(self.after)} instead of {shown_cell(self.before)}"


@dataclass(frozen=True, eq=False, repr=False)
class Counterfactuals:
    """Rows near one instance for which the model decides otherwise, each checked with the model.

    Parameters
    ----------
    rows : table of k rows
        In the container that `fit` saw; none if no change was found. Fewest changed features come
        first, then the smallest distance.
    changes : tuple of k tuples of Change
        What differs from the instance, largest distance first.
    distances : (k,) array
        The sum of the distances of the changes.
    outputs : (k, m) array
        The m outputs of the model for `rows`.
    decisions : tuple of k str
        What the model decides for each of them.
    decision : str
        What it decides for the instance.
    wanted : str
        What was asked for.
    near_miss : tuple of Change
        If nothing was found, the changes that came nearest to the wanted decision.
    near_miss_outputs : (m,) array or None
        The outputs for them.
    output_names : tuple of str
    n_rows, n_calls : int
        Model rows and calls.
    random_state : int
        Repeats every number.
    notes : tuple of str
        To be read before a counterfactual is passed on.
    """

    rows: Any
    changes: tuple[tuple[Change, ...], ...]
    distances: Floats
    outputs: Floats
    decisions: tuple[str, ...]
    decision: str
    wanted: str
    near_miss: tuple[Change, ...]
    near_miss_outputs: Floats | None
    output_names: tuple[str, ...]
    n_rows: int
    n_calls: int
    random_state: int
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.changes)

    @property
    def n_changed(self) -> Ints:
        """(k,): the number of changed features of each counterfactual."""
        return np.array([len(changes) for changes in self.changes], dtype=np.intp)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What would have to be different, one sentence per counterfactual."""
        pairs = zip(self.decisions, self.changes, strict=True)
        return tuple(f"{self._subject} would be {d} if {_joined(c)}." for d, c in pairs)

    @property
    def text(self) -> str:
        """The first sentence, or that none was found, with the nearest miss."""
        if self.sentences:
            return self.sentences[0]
        said = f"No allowed change was found after which {self._lower} would be {self.wanted}."
        if not self.near_miss:
            return said
        return f"{said} Nearest miss: {self._reached} if {_joined(self.near_miss)}."

    def to_frame(self) -> Any:
        """A pandas DataFrame with one line per change.

        Columns: counterfactual (0 to k - 1), feature, before, after, distance, decision.
        """
        pandas = needed("pandas", "to_frame", "pandas")
        lines = [
            (i, change.feature, change.before, change.after, change.distance, decision)
            for i, (changes, decision) in enumerate(zip(self.changes, self.decisions, strict=True))
            for change in changes
        ]
        names = ["counterfactual", "feature", "before", "after", "distance", "decision"]
        return pandas.DataFrame(lines, columns=names)

    def __repr__(self) -> str:
        lines = [f"{self._subject} is {self.decision}; wanted: {self.wanted}"]
        if not self.changes:
            lines += [f"  {self.text}"]
        for sentence, changes, distance in zip(
            self.sentences, self.changes, self.distances, strict=True
        ):
            plural = "s" * (len(changes) > 1)
            lines += [
                f"  {sentence}",
                f"    {len(changes)} change{plural}, distance {distance:.3g}",
            ]
        lines += [f"  cost: {self.n_rows:,} model rows in {self.n_calls:,} calls"]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])

    @property
    def _subject(self) -> str:
        single = len(self.output_names) == 1
        return f"The {self.output_names[0]}" if single else "The decision"

    @property
    def _lower(self) -> str:
        return self._subject[0].lower() + self._subject[1:]

    @property
    def _reached(self) -> str:
        assert self.near_miss_outputs is not None
        pairs = zip(self.output_names, self.near_miss_outputs, strict=True)
        shown = sorted(pairs, key=lambda pair: -pair[1])[:3]
        return ", ".join(f"{name} {value:.4g}" for name, value in shown)


def _joined(changes: tuple[Change, ...]) -> str:
    *first, last = map(str, changes)
    return f"{', '.join(first)} and {last}" if first else last


def shown_cell(cell: Any) -> str:
    """A cell of a table in a sentence."""
    if isinstance(cell, tuple):
        return f"({', '.join(map(shown_cell, cell))})"
    if isinstance(cell, (float, np.floating)):
        return "missing" if np.isnan(cell) else f"{cell:.6g}"
    return "missing" if cell is None else shorten(str(cell), 40)
