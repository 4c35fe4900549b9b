"""Asks the model about rows that were moved along one feature."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.containers import Cells, Layout
from perturbx.game import Cost
from perturbx.predictor import Predictor
from perturbx.rules._effect_axes import Axis

_TILE_BYTES = 2**24
_MOST_ROWS = 4096
"""Without a batch size, the most rows of a call."""


@dataclass(eq=False)
class Asker:
    """Asks about rows with the value of a point of an axis in them, and counts the cost."""

    layout: Layout
    rows: Any
    predictor: Predictor
    outputs: Ints
    batch_size: int | None
    cost: Cost = field(default_factory=Cost)
    cells: Cells = field(init=False)
    _own: Floats | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        (self.cells,) = self.layout.encode(self.rows)

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
            bits = self.cells.bits
            self._own = self._asked(lambda part: bits[part].copy(), len(bits), "the rows of X")
        return self._own

    def _answers(self, axis: Axis, rows: Ints, points: Ints, name: str) -> Floats:
        def bits(part: slice) -> NDArray[Any]:
            moved = self.cells.bits[rows[part]]
            values = self.cells.bits[axis.sources[points[part]]]
            moved[:, axis.members] = values[:, axis.members]
            return moved

        return self._asked(bits, len(rows), f"rows with another {name}")

    def _asked(self, bits: Any, n: int, place: str) -> Floats:
        width = self.cells.bits[0].nbytes
        step = self.batch_size or max(1, min(_MOST_ROWS, _TILE_BYTES // max(width, 1)))
        answers = np.empty((n, len(self.outputs)))
        for start in range(0, n, step):
            part = slice(start, min(start + step, n))
            batch = self.layout.decode(bits(part), self.cells.tables)
            answers[part] = self.predictor(batch, part.stop - start, self.outputs, place)
            self.cost += Cost(part.stop - start, 1)
        return answers
