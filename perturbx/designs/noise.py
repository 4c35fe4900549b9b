"""Shifts of the features."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from perturbx._typing import Floats, Ints, Noise
from perturbx.designs._base import Design, check_rows


@dataclass(frozen=True, eq=False)
class NoiseDraws(Design):
    """Noise that moves every feature.

    Parameters
    ----------
    noise : (m, d) array
        In units of each feature's scale.
    weights : (m,) array
    cluster : (m,) int array
        A draw and its mirror image share a number.
    """

    drawn_by: ClassVar[str] = "GaussianNoise()"

    noise: Noise
    weights: Floats = field()
    cluster: Ints = field()

    def __post_init__(self) -> None:
        check_rows("NoiseDraws", self.noise, np.float64, self.weights, self.cluster)

    def __len__(self) -> int:
        return len(self.noise)

    def tile(self, rows: slice) -> Noise:
        return self.noise[rows]
