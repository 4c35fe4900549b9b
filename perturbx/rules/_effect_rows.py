"""Asks the model about rows that were moved along one feature."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx.game import Cost, Swaps, probe_cost
from perturbx.predictor import Predictor
from perturbx.rules._effect_axes import Axis, cells_of


@dataclass(eq=False)
class Asker:
    """Asks about rows with the value of a point of an axis in them, and counts the cost."""

    swaps: Swaps
    cost: Cost = field(default_factory=Cost)
    _own: Floats | None = field(init=False, default=None)

    def differences(self, axis: Axis, name: str) -> Floats:
        """(e, k): how the output changes over the interval of each of `axis.steps`."""
        rows, steps = axis.steps
        sides = []
        for points in (steps + 1, steps):
            if not axis.by_level:
                sides.append(self._answers(axis, rows, points, name))
                continue
            stays = axis.lower[rows] == points
            answers = self._unmoved()[rows]
            answers[~stays] = self._answers(axis, rows[~stays], points[~stays], name)
            sides.append(answers)
        return sides[0] - sides[1]

    def everywhere(self, axis: Axis, name: str) -> Floats:
        """(n, K, k): the outputs of every row at every point."""
        n, n_points = len(axis.lower), len(axis.positions)
        rows, points = np.repeat(np.arange(n), n_points), np.tile(np.arange(n_points), n)
        return self._answers(axis, rows, points, name).reshape(n, n_points, -1)

    def corners(self, axes: tuple[Axis, Axis], rows: Ints, points: Ints, name: str) -> Floats:
        """(e, k): the outputs of rows moved along two axes, to points (e, 2)."""
        pairs = zip(axes, points.T, strict=True)
        taken = [(axis.sources[at], axis.members) for axis, at in pairs]
        return self._asked(rows, taken, f"rows with another {name}")

    def _unmoved(self) -> Floats:
        """(n, k): the outputs of the rows as they are, asked once for all features."""
        if self._own is None:
            self._own = self._asked(np.arange(len(self.swaps.cells.bits)), [], "the rows of X")
        return self._own

    def _answers(self, axis: Axis, rows: Ints, points: Ints, name: str) -> Floats:
        taken = [(axis.sources[points], axis.members)]
        return self._asked(rows, taken, f"rows with another {name}")

    def _asked(self, rows: Ints, taken: list[tuple[Ints, Ints]], place: str) -> Floats:
        answers, cost = self.swaps.ask(rows, taken, place)
        self.cost += cost
        return answers


@dataclass(frozen=True, eq=False)
class Asked:
    """The chosen rows of X, and the model about to answer about them.

    Parameters
    ----------
    chosen : (m,) int array
    rows : table of m rows
    asker : Asker
    keeps_axis : bool
        Whether results have an axis of outputs.
    seed : int
    notes : tuple of str
    """

    chosen: Ints
    rows: Any
    asker: Asker
    keeps_axis: bool
    seed: int
    notes: tuple[str, ...]

    @property
    def predictor(self) -> Predictor:
        return self.asker.swaps.predictor

    @property
    def output_names(self) -> tuple[str, ...]:
        return tuple(self.predictor.output_names[j] for j in self.asker.swaps.outputs)

    @property
    def cost(self) -> Cost:
        return probe_cost(self.predictor) + self.asker.cost

    def grid(self, axis: Axis) -> tuple[Any, ...]:
        """The points as the user's cells."""
        return cells_of(self.asker.swaps.layout, self.rows, axis)

    def cut(self, array: Floats) -> Floats:
        """Without an axis of outputs, if there is a single one."""
        return array if self.keeps_axis else np.asarray(array[..., 0])
