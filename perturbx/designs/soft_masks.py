"""Masks between absent and present."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from perturbx._typing import Presences
from perturbx.designs._base import Design, check_rows


@dataclass(frozen=True, eq=False)
class SoftMasks(Design):
    """Masks that are drawn independently and say how much of each feature is present.

    Parameters
    ----------
    presence : (m, d) array
        From 0 (absent) to 1 (present).
    p : float
        The expected presence of every feature.
    """

    drawn_by: ClassVar[str] = "RandomGrids()"

    presence: Presences
    p: float

    def __post_init__(self) -> None:
        check_rows("SoftMasks", self.presence, np.float64)

    def __len__(self) -> int:
        return len(self.presence)

    def tile(self, rows: slice) -> Presences:
        return self.presence[rows]
