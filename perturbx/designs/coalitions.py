"""Coalitions that are stored row by row: drawn independently, leave one out, or your own."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from perturbx._typing import Coalitions, Floats, Ints
from perturbx.designs._base import CoalitionDesign, check_rows


@dataclass(frozen=True, eq=False)
class Independent(CoalitionDesign):
    """Coalitions in which each feature is present independently with one probability.

    Parameters
    ----------
    present : (m, d) bool array
        True where the feature is present.
    p : float
        The probability of being present.
    """

    present: Coalitions
    p: float

    def __post_init__(self) -> None:
        check_rows("Independent", self.present, np.bool_)

    def __len__(self) -> int:
        return len(self.present)

    def tile(self, rows: slice) -> Coalitions:
        return self.present[rows]


@dataclass(frozen=True, eq=False)
class CustomCoalitions(CoalitionDesign):
    """Any coalitions, such as those of your own sampler; solvers assume no structure.

    Parameters
    ----------
    present : (m, d) bool array
        True where the feature is present.
    weights : (m,) array
    cluster : (m,) int array
    complete : bool
    """

    present: Coalitions
    weights: Floats = field()
    cluster: Ints = field()
    complete: bool = False

    def __post_init__(self) -> None:
        check_rows("CustomCoalitions", self.present, np.bool_, self.weights, self.cluster)

    def __len__(self) -> int:
        return len(self.present)

    def tile(self, rows: slice) -> Coalitions:
        return self.present[rows]


@dataclass(frozen=True, eq=False)
class LeaveOneOut(CoalitionDesign):
    """Row i has every feature present except feature i."""

    drawn_by = "OneAtATime()"

    n_features: int = field()

    def __len__(self) -> int:
        return self.n_features

    def tile(self, rows: slice) -> Coalitions:
        features = np.arange(self.n_features)
        return np.asarray(features[rows, None] != features)
