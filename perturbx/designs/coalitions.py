"""Coalitions that are stored row by row: drawn independently, leave one out, or your own."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from perturbx._typing import Coalitions, Floats, Ints
from perturbx.designs._base import CoalitionDesign, check_rows
from perturbx.designs.packed import PackedCoalitions


@dataclass(frozen=True, eq=False)
class StoredCoalitions(CoalitionDesign):
    """Coalitions that are stored row by row.

    Parameters
    ----------
    present : (m, d) bool array
        True where the feature is present.
    """

    present: Coalitions | PackedCoalitions

    def __post_init__(self) -> None:
        if not isinstance(self.present, PackedCoalitions):
            check_rows(type(self).__name__, self.present, np.bool_)

    def __len__(self) -> int:
        return len(self.present)

    def tile(self, rows: slice) -> Coalitions:
        return self.present[rows]


@dataclass(frozen=True, eq=False)
class Independent(StoredCoalitions):
    """Coalitions in which each feature is present independently with one probability.

    Parameters
    ----------
    p : float
        The probability of being present.
    """

    p: float

    entry_bytes = 0.125
    drawing_bytes = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "present", PackedCoalitions.of(self.present))


@dataclass(frozen=True, eq=False)
class CustomCoalitions(StoredCoalitions):
    """Any coalitions, such as those of your own sampler; solvers assume no structure.

    Parameters
    ----------
    weights : (m,) array
    cluster : (m,) int array
    complete : bool
    background_row : (m,) int array, optional
        The background row of each perturbation; by default all rows are averaged.
    """

    weights: Floats = field()
    cluster: Ints = field()
    complete: bool = False
    background_row: Ints | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.present, PackedCoalitions):
            check_rows("CustomCoalitions", self.present, np.bool_, self.weights, self.cluster)


@dataclass(frozen=True, eq=False)
class LeaveOneOut(CoalitionDesign):
    """Row i has every feature present except feature i.

    Parameters
    ----------
    n_features : int
    n : int, optional
        How many features are removed, the first ones; by default each of them.
    """

    drawn_by = "OneAtATime()"
    shows_noise = False

    n_features: int = field()
    n: int | None = None

    def __len__(self) -> int:
        return self.n_features if self.n is None else self.n

    @staticmethod
    def worth_of_ends(n_features: int) -> float:
        """The full output is in every score, so it is asked sqrt(d) times as often."""
        return float(n_features**-0.5)

    def tile(self, rows: slice) -> Coalitions:
        features = np.arange(self.n_features)
        return np.asarray(features[: len(self)][rows, None] != features)
