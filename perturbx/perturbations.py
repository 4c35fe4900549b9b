"""What is tried (`Perturbations`), and what the model answered to it (`Evaluations`)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from perturbx._rounding import Rounding
from perturbx._typing import Coalitions, Floats, Ints, Kind, Noise, Outputs
from perturbx.splits import Splits


@dataclass(frozen=True, eq=False)
class Perturbations:
    """A design: m perturbations of d features, shared by every instance with those features.

    Parameters
    ----------
    z : (m, d) array
        bool: coalitions, True = the feature is present. float: noise, in units of each
        feature's scale, or presences, if `graded`.
    weights : (m,) array
        What makes the sampled perturbations stand for all of them; only ratios matter.
    unit : (m,) int array
        Perturbations drawn together share a number (a coalition and its complement, a chain):
        errors are clustered by it. Numbers never decrease along the design.
    complete : bool
        True if z holds every coalition but the empty and the full one, once each.
    background_row : (m,) int array, optional
        The one background row that stands behind each perturbation; None if all of them do,
        and their outputs are averaged.
    splits : Splits, optional
        What the design has split, where it goes down trees of features.
    graded : bool
        True if z holds presences: how much of each feature is there, from 0 to 1.
    """

    z: Coalitions | Noise
    weights: Floats
    unit: Ints
    complete: bool = False
    background_row: Ints | None = None
    splits: Splits | None = None
    graded: bool = False

    def __post_init__(self) -> None:
        m = len(self.z)
        if self.z.ndim != 2 or self.weights.shape != (m,) or self.unit.shape != (m,):
            raise ValueError(
                "Perturbations need z (m, d), weights (m,) and unit (m,): got shapes "
                f"{self.z.shape}, {self.weights.shape} and {self.unit.shape}."
            )
        if self.z.dtype not in (np.bool_, np.float64):
            raise TypeError(f"z must be bool or float64, got {self.z.dtype}.")

    def __len__(self) -> int:
        return len(self.z)

    @property
    def n_features(self) -> int:
        return int(self.z.shape[1])

    @property
    def is_coalitions(self) -> bool:
        """True if z says present or absent, False if it is a number."""
        return bool(self.z.dtype == np.bool_)

    @property
    def kind(self) -> Kind:
        """What z says of a feature."""
        if self.is_coalitions:
            return "coalitions"
        return "presences" if self.graded else "noise"

    @property
    def coalitions(self) -> NDArray[np.bool_]:
        """z, for a reader that knows that it is bool."""
        return self.z.astype(bool, copy=False)


@dataclass(frozen=True, eq=False)
class Evaluations:
    """The answers to a design, all that a solver ever sees.

    Parameters
    ----------
    perturbations : Perturbations
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

    perturbations: Perturbations
    outputs: Outputs
    full: Floats
    empty: Floats
    empty_rows: Floats | None = None
    rounding: Rounding = field(default_factory=Rounding)
    row_weights: Floats | None = None
