"""Rounding errors of outputs, and scores that are no larger than that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._typing import Floats, LinkName

DOUBLE, SINGLE = 1e-12, 5e-7
"""Relative errors of outputs from arithmetic alone: with float64 and with float32 answers."""

_ITSELF = 1e-14 / DOUBLE, 0.25
"""The rounding of an answer before anything is computed from it, as a fraction of those: for
float64, and for float32 and less."""


@dataclass(frozen=True)
class Rounding:
    """The error of an output from rounding alone.

    Parameters
    ----------
    resolution : float
        The relative rounding error of an answer and of results computed from it.
    link : "identity" or "logit"
        The scale of the outputs. The rounding of an answer p is multiplied by the slope of the
        logit, 1 / (p * (1 - p)), which grows without bound towards 1.
    of_one : bool
        True if an answer may be 1 minus another: then answers near 0 round like those near 1.
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
    """The values, and 0 for those no larger than `rounding`; NaN stays NaN."""
    return np.where(np.abs(values) <= rounding, 0.0, values)
