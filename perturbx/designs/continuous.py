"""Perturbations that are no coalitions: noise, and masks between absent and present."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from perturbx._typing import Floats, Ints, Noise, Presences
from perturbx.designs._base import Design, check_rows
from perturbx.designs.mirrored_noise import MirroredNoise, ReadNoise
from perturbx.designs.shifted_grids import ShiftedGrids


@dataclass(frozen=True, eq=False)
class NoiseDraws(Design):
    """Noise that is added to every feature.

    Parameters
    ----------
    noise : (m, d) array
        In units of each feature's scale; `ReadNoise` where it would take much memory.
    weights : (m,) array
    cluster : (m,) int array
        A draw and its mirror image share a number.
    drawn : MirroredNoise or None
        What drew the noise, and can draw more.
    """

    drawn_by = "GaussianNoise()"

    noise: Noise | ReadNoise
    weights: Floats = field()
    cluster: Ints = field()
    drawn: MirroredNoise | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "compact", isinstance(self.noise, ReadNoise))
        check_rows("NoiseDraws", self.noise, np.float64, self.weights, self.cluster)

    def __len__(self) -> int:
        return len(self.noise)

    @cached_property
    def n_features(self) -> int:
        return int(self.noise.shape[1])

    def tile(self, rows: slice) -> Noise:
        return self.noise[rows]


class GradedDesign(Design):
    """A design whose `z` is from 0 (absent) to 1 (present)."""

    drawn_by = "RandomGrids()"

    @abstractmethod
    def tile(self, rows: slice) -> Presences: ...


@dataclass(frozen=True, eq=False)
class SoftMasks(GradedDesign):
    """Masks that are drawn independently and tell how much of each feature is present.

    Parameters
    ----------
    presence : (m, d) array
        From 0 (absent) to 1 (present); `ShiftedGrids` where it would take much memory.
    p : float
        The expected presence of every feature.
    """

    drawn_by = "RandomGrids()"
    drawing_bytes = 2
    entry_bytes = 1  # grids are much smaller than their presences

    presence: Presences | ShiftedGrids
    p: float

    def __post_init__(self) -> None:
        if isinstance(self.presence, ShiftedGrids):
            object.__setattr__(self, "compact", True)
            return
        check_rows("SoftMasks", self.presence, np.float64)

    def __len__(self) -> int:
        return len(self.presence)

    def tile(self, rows: slice) -> Presences:
        return self.presence[rows]
