"""Coalitions with no structure that a solver could use."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from perturbx._typing import Coalitions, Floats, Ints
from perturbx.designs._base import CoalitionDesign, check_rows


@dataclass(frozen=True, eq=False)
class CustomCoalitions(CoalitionDesign):
    """Any coalitions, such as those of your own sampler.

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
