"""Perturbations of a search for the smallest set of features that reaches an aim."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints, Presences
from perturbx.designs._base import CoalitionDesign, Design, check_rows
from perturbx.designs.continuous import GradedDesign

S = TypeVar("S", bound="Searched")

_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Searched(Design):
    """Sets of *chosen* features, among which the smallest is looked for that reaches an aim.

    Absent features are chosen where their absence shall destroy the output, and present ones where
    their presence shall keep it.

    Parameters
    ----------
    present : (m, d) bool array
    area : (d,) array
        The share of the whole that each feature covers, 1 in total.
    drop : float
        The share of the way from the full to the empty output that chosen features must destroy,
        or from the empty to the full one that they must keep.
    keeps : bool
        True if present features are chosen, False if absent ones are.
    output : (m,) int array
        The output for which a row was tried, or -1 where it was drawn at random.
    complete : bool
        True of a single feature, of which there is no set but it and none.
    """

    drawn_by = "MaskSearch()"

    present: Coalitions
    area: Floats
    drop: float
    keeps: bool
    output: Ints
    complete: bool = False

    def __post_init__(self) -> None:
        check_rows(type(self).__name__, self.present, np.bool_, self.output)

    def __len__(self) -> int:
        return len(self.present)

    @property
    def chosen(self) -> NDArray[np.bool_]:
        """(m, d): the features of each set."""
        return self.present if self.keeps else ~self.present

    def with_rows(self: S, chosen: NDArray[np.bool_], output: int) -> S:
        """The design with more sets of chosen features, which are tried for one output."""
        present = chosen if self.keeps else ~chosen
        return replace(
            self,
            present=np.concatenate([self.present, present]),
            output=np.concatenate([self.output, np.full(len(chosen), output, dtype=np.intp)]),
        )

    def left(self, outputs: Floats, full: Floats, empty: Floats) -> Floats:
        """(m, t): 1 if nothing were chosen, 0 if everything were; at most 1 - drop is the aim."""
        share = (outputs - empty) / (full - empty)
        return 1 - share if self.keeps else share

    def smallest(self, left: Floats) -> int:
        """The row of the smallest set that reaches the aim, by what each leaves (m,).

        Of equally small sets that which leaves least; -1 if none reaches it, so that everything
        must be chosen.
        """
        reached = np.flatnonzero(left <= 1 - self.drop + _ROUNDING)
        if not len(reached):
            return -1
        sizes = self.chosen[reached] @ self.area
        return int(reached[np.lexsort((left[reached], sizes.round(12)))[0]])


@dataclass(frozen=True, eq=False)
class SearchedCoalitions(Searched, CoalitionDesign):
    """Sets of features of any kind."""

    drawn_by = "MaskSearch()"

    def tile(self, rows: slice) -> Coalitions:
        return self.present[rows]


@dataclass(frozen=True, eq=False)
class SearchedMasks(Searched, GradedDesign):
    """Sets of the points of a lattice, between which a smooth mask is interpolated."""

    drawn_by = "MaskSearch(shape=...)"

    def tile(self, rows: slice) -> Presences:
        return self.present[rows].astype(np.float64)
