"""Each feature absent alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from perturbx._typing import Coalitions
from perturbx.designs._base import CoalitionDesign


@dataclass(frozen=True, eq=False)
class LeaveOneOut(CoalitionDesign):
    """Row i has every feature present but feature i."""

    drawn_by: ClassVar[str] = "OneAtATime()"

    n_features: int = field()

    def __len__(self) -> int:
        return self.n_features

    def tile(self, rows: slice) -> Coalitions:
        features = np.arange(self.n_features)
        return np.asarray(features[rows, None] != features)
