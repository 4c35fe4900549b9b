"""The frozen result of `SurrogateAdditive`: a sum of one term per column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import needed
from perturbx.containers import TableNumbers, is_missing
from perturbx.maskers import FittedMasker
from perturbx.result.text import shorten
from perturbx.rules.fidelity import Fidelity

_MOST_SHOWN = 12
"""The most points of a term in a line of text; `to_frame` has all of them."""


@dataclass(frozen=True, eq=False)
class Term:
    """What one column adds to the output; 0 on average over the rows it was fitted to.

    Parameters
    ----------
    feature : str
    points : tuple
        Numbers in increasing order, between which effects are joined by straight lines, and beyond
        which they stay; or the categories of the column.
    effects : (k,) array
        For each of the points.
    missing : float
        For a missing number; for a category that is not among the points.
    size : float
        The standard deviation of the term over the rows.
    """

    feature: str
    points: tuple[Any, ...]
    effects: Floats
    missing: float
    size: float

    def __str__(self) -> str:
        name = shorten(self.feature, 40)
        pairs = zip(self.points[:_MOST_SHOWN], self.effects, strict=False)
        said = ", ".join(f"{_shown(point)}: {effect:+.3g}" for point, effect in pairs)
        more = len(self.points) - _MOST_SHOWN
        return f"{name} (±{self.size:.3g}): {said}{f' and {more} more' * (more > 0)}"


@dataclass(frozen=True, eq=False, repr=False)
class AdditiveModel:
    """A sum of terms, one per column, that repeats an output of a model.

    Parameters
    ----------
    intercept : float
        The mean output.
    terms : tuple of Term
        In the order of the columns.
    fidelity : Fidelity
        R2 on held-out rows.
    output : str
    confidence : float
        Of its interval.
    n_rows, n_calls : int
        Model rows and calls.
    random_state : int
        Repeats every number.
    notes : tuple of str
    """

    intercept: float
    terms: tuple[Term, ...]
    fidelity: Fidelity
    output: str
    confidence: float
    n_rows: int
    n_calls: int
    random_state: int
    notes: tuple[str, ...]
    numbers: TableNumbers
    masker: FittedMasker

    def contributions(self, X: Any) -> Floats:
        """(n, d): what each column adds for each row of X, in the container that `fit` saw.

        Raises
        ------
        InvalidInputError
            If X is not like the rows of `fit`.
        """
        instances = self.masker.check(X)
        return contributions(
            self.terms, self.numbers, self.numbers.encode(instances.take(0, len(instances)))
        )

    def predict(self, X: Any) -> Floats:
        """(n,): the output as the terms add up to it, for rows in the container of `fit`."""
        return np.asarray(self.intercept + self.contributions(X).sum(axis=1))

    @property
    def text(self) -> str:
        """One line per term, largest first."""
        ranked = sorted(self.terms, key=lambda term: -term.size)
        return "\n".join([f"{self.output} = {self.intercept:.4g} +", *(f"  {t}" for t in ranked)])

    def to_frame(self) -> Any:
        """A pandas DataFrame with one line per point: feature, point, effect, size."""
        pandas = needed("pandas", "to_frame", "pandas")
        lines = [
            (term.feature, point, effect, term.size)
            for term in self.terms
            for point, effect in zip(term.points, term.effects, strict=True)
        ]
        return pandas.DataFrame(lines, columns=["feature", "point", "effect", "size"])

    def __repr__(self) -> str:
        lines = [
            f"AdditiveModel of {self.output}: {self.fidelity} on {self.fidelity.n:,} held-out rows "
            f"({100 * self.confidence:g}% interval)",
            *(f"  {line}" for line in self.text.splitlines()),
            f"  cost: {self.n_rows:,} model rows in {self.n_calls:,} calls",
        ]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def contributions(terms: tuple[Term, ...], numbers: TableNumbers, values: Floats) -> Floats:
    """(n, d): what each term adds for rows as numbers (n, d)."""
    each = zip(terms, values.T, numbers.is_category, strict=True)
    found = [_looked_up(term, cells, bool(is_category)) for term, cells, is_category in each]
    return np.stack(found, axis=1)


def _looked_up(term: Term, cells: Floats, is_category: bool) -> Floats:
    """(n,): the effects of cells of a column, as numbers."""
    if is_category:
        known = cells >= 0
        codes = np.where(known, cells, 0).astype(np.intp)
        return np.where(known, term.effects[codes], term.missing)
    clipped = np.interp(np.nan_to_num(cells), np.asarray(term.points, float), term.effects)
    return np.where(np.isnan(cells), term.missing, clipped)


def _shown(point: Any) -> str:
    if isinstance(point, (float, np.floating)):
        return f"{point:.4g}"
    return "missing" if is_missing(point) else shorten(str(point), 20)
