"""What is rounding: how far an output may be off by it, and which scores are no more than that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._typing import Floats, LinkName

DOUBLE, SINGLE = 1e-12, 5e-7
"""Errors below these parts of the outputs are arithmetic: of float64, of float32 answers."""

_ITSELF = 1e-14 / DOUBLE, 0.25
"""The rounding of an answer before anything is computed from it, as a part of that: of float64,
of float32 and less."""


@dataclass(frozen=True)
class Rounding:
    """How far an output may be off by rounding alone.

    Parameters
    ----------
    resolution : float
        The rounding of an answer and of what is computed from it, as a part of its size.
    link : "identity" or "logit"
        The scale of the outputs. The rounding of an answer p goes through the slope of the logit,
        1 / (p * (1 - p)), and so grows without bound towards 1.
    of_one : bool
        True if an answer may be 1 minus another, so that one near 0 is as coarse as one near 1.
    """

    resolution: float = DOUBLE
    link: LinkName = "identity"
    of_one: bool = False

    def of(self, outputs: Floats) -> Floats:
        """The rounding error of each (linked) output."""
        if self.link == "identity":
            least = 1.0 if self.of_one else 0.0
            return np.asarray(self.resolution * np.maximum(np.abs(outputs), least))
        answer = self.resolution * _ITSELF[self.resolution > DOUBLE]
        slope = 1 + np.exp(outputs)  # p / (p * (1 - p))
        if self.of_one:
            slope = slope + 1 + np.exp(-outputs)  # 1 / (p * (1 - p))
        return np.asarray(np.maximum(self.resolution * np.abs(outputs), answer * slope))


def above_rounding(values: Floats, rounding: Floats) -> Floats:
    """The values, and 0 for those that `rounding` explains; what is NaN stays so."""
    return np.where(np.abs(values) <= rounding, 0.0, values)
