"""Asks the model about rows that were moved along one feature."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx.game import Cost, Swaps
from perturbx.rules._effect_axes import Axis


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

    def _unmoved(self) -> Floats:
        """(n, k): the outputs of the rows as they are, asked once for all features."""
        if self._own is None:
            rows = np.arange(len(self.swaps.cells.bits))
            self._own = self._asked(rows, rows, np.arange(0), "the rows of X")
        return self._own

    def _answers(self, axis: Axis, rows: Ints, points: Ints, name: str) -> Floats:
        place = f"rows with another {name}"
        return self._asked(rows, axis.sources[points], axis.members, place)

    def _asked(self, rows: Ints, donors: Ints, members: Ints, place: str) -> Floats:
        answers, cost = self.swaps.ask(rows, donors, members, place)
        self.cost += cost
        return answers
