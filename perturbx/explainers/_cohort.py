"""Instances that share a design, between the masker's features and the solver's."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from perturbx._rounding import Rounding
from perturbx._typing import Floats, Ints, Noise, Outputs
from perturbx.designs import Design, Evaluations, NoiseDraws
from perturbx.game import Parts, of_all_features
from perturbx.maskers import BoundMasker
from perturbx.solvers import Solution

_MOST_NUMBERS = 2**18
"""Design are read in blocks of so many numbers."""


@dataclass(frozen=True, eq=False)
class Cohort:
    """n instances whose active features are the same.

    Parameters
    ----------
    removals : list of n BoundMasker
    active : (d,) bool array
        The features that can change the model's rows; only these are sampled and solved.
    columns : (n, k) int array
        The model outputs that are explained.
    places : (n,) int array
        The instances' positions in the user's X.
    full : (n, k) array
        The outputs of the instances themselves.
    empty : (n, k * (1 + n_parts)) array
        The outputs with nothing present, over the background and over each part of it.
    rows : (B, n, k) array or None
        The outputs of each background row, where they are told apart.
    rounding : Rounding
        How far an output may be off by rounding alone.
    parts : Parts or None
        The parts of the background that are kept apart.
    """

    removals: list[BoundMasker]
    active: NDArray[np.bool_]
    columns: Ints
    places: Ints
    full: Floats
    empty: Floats
    rows: Floats | None
    rounding: Rounding
    parts: Parts | None

    def evaluations(self, design: Design, outputs: Outputs, members: Ints) -> Evaluations:
        """What a solver reads of some members."""
        k = self.full.shape[1]
        if isinstance(design, NoiseDraws):
            design = replace(design, noise=self._interpretable(design.noise))
        return Evaluations(
            design,
            outputs[:, :, :k],
            self.full[members],
            self.empty[members, :k],
            None if self.rows is None else self.rows[:, members],
            self.rounding,
            None if self.rows is None else self.removals[0].weights,
        )

    def _interpretable(self, z: Noise) -> Noise:
        """What a solver reads in place of the active features' noise, which may be very large."""
        interpretable = self.removals[0].interpretable
        if self.active.all():
            return np.asarray(interpretable(z), dtype=np.float64)
        read, step = np.empty_like(z), max(1, _MOST_NUMBERS // len(self.active))
        for start in range(0, len(z), step):
            part = slice(start, start + step)
            read[part] = interpretable(of_all_features(z[part], self.active))[:, self.active]
        return read

    def by_part(self, whole: Evaluations, outputs: Outputs, members: Ints) -> Evaluations | None:
        """The same for each part of the background, as so many more outputs."""
        k = self.full.shape[1]
        if self.parts is None or outputs.shape[2] == k:
            return None
        return replace(
            whole,
            outputs=outputs[:, :, k:],
            full=np.repeat(whole.full, len(self.parts), axis=1),
            empty=self.empty[members, k:],
            empty_rows=None,
            row_weights=None,
        )

    def unmoved(self, place: int) -> Solution:
        """The solution of a member that equals its background in every feature."""
        k = self.full.shape[1]
        full, empty = self.full[place : place + 1], self.empty[place : place + 1, :k]
        zeros = np.zeros((1, len(self.active), k))
        base, rounding = full if np.isnan(empty).any() else empty, self.rounding.of(full)
        return Solution(zeros, zeros + rounding[:, None], base, rounding=rounding)


def with_all_features(
    solution: Solution, place: int, active: NDArray[np.bool_], least: Floats
) -> Solution:
    """One instance's part of a solution, with 0 for the features that change nothing.

    `least` (n, 1, k) are their standard errors.
    """
    one = slice(place, place + 1)
    shape = (1, len(active), solution.values.shape[2])
    values, errors = np.zeros(shape), np.empty(shape)
    errors[...] = least[one]
    values[:, active], errors[:, active] = solution.values[one], solution.standard_errors[one]
    background = None
    if solution.background_errors is not None:
        background = np.zeros(shape)
        background[:, active] = solution.background_errors[one]
    interactions = solution.interactions
    if interactions is not None:
        interactions = interactions.map(lambda array: _square(array[one], active))
    return replace(
        solution,
        interactions=interactions,
        values=values,
        standard_errors=errors,
        base=solution.base[one],
        fidelity=None if solution.fidelity is None else solution.fidelity[one],
        background_errors=background,
        rounding=least[one, 0],
        heavy_tails=None if solution.heavy_tails is None else solution.heavy_tails[one],
    )


def _square(array: Floats, active: NDArray[np.bool_]) -> Floats:
    """(1, d, d, k) with 0 for the features that change nothing, and interact with nothing."""
    out = np.zeros((1, len(active), len(active), array.shape[3]))
    out[:, np.outer(active, active)] = array.reshape(1, -1, array.shape[3])
    return out
