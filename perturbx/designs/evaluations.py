"""The model's answers to a design."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from perturbx._rounding import Rounding
from perturbx._typing import Floats, Outputs
from perturbx.designs._base import Design
from perturbx.designs.continuous import NoiseDraws
from perturbx.designs.sums import Sums
from perturbx.designs.variances import Variances


@dataclass(frozen=True, eq=False)
class Evaluations:
    """The model's answers to a design: all that a solver is given.

    Parameters
    ----------
    design : Design
        m perturbations of d features.
    outputs : (m, n, k) array
        The (linked) model output of each perturbation, for each instance and output.
    full : (n, k) array
        The output with every feature present: the model's answer to the instance itself.
    empty : (n, k) array
        The output with every feature absent; NaN where there is no such state (noise).
    empty_rows : (B, n, k) array, optional
        The output of each background row itself, whose (weighted) mean is `empty`; given where
        each perturbation uses one background row.
    rounding : Rounding
        The rounding error of an output.
    row_weights : (B,) array, optional
        The weight of each background row, 1 in total; equal by default.
    variances : Variances, optional
        How far each answer is from its expectation, where answers are random. The standard errors
        of every solver include it. By default answers are exact.
    sums : Sums, optional
        What the solver asked for in place of the outputs (`Solver.summed`), which then are none.
    """

    design: Design
    outputs: Outputs
    full: Floats
    empty: Floats
    empty_rows: Floats | None = None
    rounding: Rounding = field(default_factory=Rounding)
    row_weights: Floats | None = None
    variances: Variances | None = None
    sums: Sums | None = None

    @cached_property
    def floor(self) -> Floats:
        """(n, 1, k): the standard error of exact arithmetic, the largest rounding of an output."""
        rounding = self.rounding.of
        largest = np.maximum(rounding(self.full), np.nan_to_num(rounding(self.empty)))
        ends: tuple[Floats, ...] = ()
        if self.sums is not None:
            ends = self.sums.outputs.lowest, self.sums.outputs.highest
        elif len(self.outputs):
            ends = self.outputs.min(axis=0), self.outputs.max(axis=0)
        for end in ends:
            largest = np.maximum(largest, rounding(end))
        return np.asarray(largest[:, None, :])

    @classmethod
    def of_game(cls, design: Design, game: Callable[[Any], Any]) -> Evaluations:
        """The answers of a function of `z`, such as a game on coalitions.

        It returns (m,), (m, k) or (m, n, k).

        Examples
        --------
        >>> from perturbx.designs import LeaveOneOut
        >>> Evaluations.of_game(LeaveOneOut(2), lambda z: z @ [3.0, 5.0]).outputs.ravel()
        array([5., 3.])
        """
        z, is_noise = design.z, isinstance(design, NoiseDraws)
        ends = np.zeros((2, design.n_features), dtype=z.dtype)
        ends[0] = not is_noise
        outputs, known = (np.asarray(game(of), dtype=np.float64) for of in (z, ends))
        shape = {1: (1, 1), 2: (1, *outputs.shape[1:]), 3: outputs.shape[1:]}[outputs.ndim]
        full, empty = known.reshape(2, *shape)
        empty = np.full_like(full, np.nan) if is_noise else empty
        return cls(design, outputs.reshape(len(z), *shape), full, empty)
