"""Rows some of whose columns come from other rows: what the model answers to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx.containers import Cells, Layout
from perturbx.game.cost import Cost
from perturbx.predictor import Predictor

Taken: TypeAlias = Sequence[tuple[Ints, Ints]]
"""Rows that cells come from, and their columns."""

_TILE_BYTES = 2**24
_MOST_ROWS = 4096
"""Without a batch size, the most rows of a call."""


@dataclass(frozen=True, eq=False)
class Swaps:
    """n rows of a table, with cells that may be exchanged between them.

    Parameters
    ----------
    layout : Layout
    cells : Cells
        The rows as `layout` encodes them.
    predictor : Predictor
    outputs : (k,) int array
        Which outputs.
    batch_size : int, optional
        The most rows in one call.
    dry : bool
        True to ask nothing: outputs are 0, and costs are what they would be.
    """

    layout: Layout
    cells: Cells
    predictor: Predictor
    outputs: Ints
    batch_size: int | None
    dry: bool = False

    def ask(self, rows: Ints, taken: Taken, place: str, turn: int = 0) -> tuple[Floats, Cost]:
        """The outputs (e, k) of some rows with cells of others in them, and the cost.

        Parameters
        ----------
        rows : (e,) int array
        taken : sequence of ((e,) int array, (c,) int array)
            The rows that cells come from, and the columns that are taken from them.
        place : str
            What is asked, for errors.
        turn : int
            Numbers the questions to a model that answers differently each time: no two of its
            rows share an answer of the archive.
        """
        width, cost = max(self.cells.bits[0].nbytes, 1), Cost()
        step = self.batch_size or max(1, min(_MOST_ROWS, _TILE_BYTES // width))
        answers = np.zeros((len(rows), len(self.outputs)))
        for start in range(0, len(rows), step):
            part = slice(start, min(start + step, len(rows)))
            cost += Cost(part.stop - part.start, 1)
            if self.dry:
                continue
            bits = self.cells.bits[rows[part]]
            for donors, members in taken:
                bits[:, members] = self.cells.bits[np.ix_(donors[part], members)]
            batch = self.layout.decode(bits, self.cells.tables)
            answers[part] = self.predictor(batch, len(bits), self.outputs, place, turn)
        return answers, cost
