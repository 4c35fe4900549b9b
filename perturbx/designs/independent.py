"""Features that are present independently of each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from perturbx._typing import Coalitions
from perturbx.designs._base import CoalitionDesign, check_rows


@dataclass(frozen=True, eq=False)
class Independent(CoalitionDesign):
    """Coalitions in which every feature is present with one probability, on its own.

    Parameters
    ----------
    present : (m, d) bool array
        True where the feature is present.
    p : float
        The probability of being present.
    """

    drawn_by: ClassVar[str] = "BernoulliMasks()"

    present: Coalitions
    p: float

    def __post_init__(self) -> None:
        check_rows("Independent", self.present, np.bool_)

    def __len__(self) -> int:
        return len(self.present)

    def tile(self, rows: slice) -> Coalitions:
        return self.present[rows]
