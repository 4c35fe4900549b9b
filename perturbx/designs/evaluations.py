"""What the model answered to a design."""

from __future__ import annotations

from dataclasses import dataclass, field

from perturbx._rounding import Rounding
from perturbx._typing import Floats, Outputs
from perturbx.designs._base import Design


@dataclass(frozen=True, eq=False)
class Evaluations:
    """The answers to a design, all that a solver ever sees.

    Parameters
    ----------
    design : Design
        m perturbations of d features.
    outputs : (m, n, k) array
        The (linked) model output of each perturbation, for each instance and output.
    full : (n, k) array
        The output with every feature present: the model's answer to the instance itself.
    empty : (n, k) array
        The output with every feature absent; NaN where the masker has no such state (noise).
    empty_rows : (B, n, k) array, optional
        The output of each background row itself, whose (weighted) mean is `empty`; given where
        the perturbations name their background rows.
    rounding : Rounding
        How far an output may be off by rounding alone.
    row_weights : (B,) array, optional
        How much each background row counts, adding up to 1; by default all count the same.
    """

    design: Design
    outputs: Outputs
    full: Floats
    empty: Floats
    empty_rows: Floats | None = None
    rounding: Rounding = field(default_factory=Rounding)
    row_weights: Floats | None = None
