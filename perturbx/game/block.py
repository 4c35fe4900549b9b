"""The work of one task: evaluates some perturbations of some instances, and averages outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints, LinkName, Noise
from perturbx.designs import Design, PackedCoalitions
from perturbx.game.cost import Cost
from perturbx.game.links import check_link, link_parts
from perturbx.game.parts import Parts, averages
from perturbx.maskers import BoundMasker
from perturbx.predictor import Predictor

_TILE_BYTES = 2**22
_MOST_ROWS = 8192
_LARGE_TILE_BYTES = 2**24
_FEW_ROWS = 16
_MANY_ROWS = 2**15
UNASKED = 0.5
"""Stands for an answer where nothing is asked: one that every link accepts."""

_OUTPUTS = 2**16
"""Outputs that are averaged at once."""


@dataclass(frozen=True, eq=False)
class Block:
    """Some perturbations of a design and some instances, as sent to a worker.

    Parameters
    ----------
    link : "identity" or "logit"
    batch_size : int or None
    perturbations : slice
        Positions in the design.
    source : Design or (m, d) array
        The rows of `z`, or the design if it is much smaller than they are.
    background_row : (m,) int array or None
        The background row of each perturbation, if the design names one.
    instances : sequence of (BoundMasker, (k,) int array, int)
        Each instance, its explained outputs, and its position in the user's X.
    parts : Parts or None
    active : (n_features,) bool array or None
        The features of the design, if not all.
    turn : int
        The number of this evaluation in its run.
    first : int
        How many perturbations were asked before those of the design.
    """

    link: LinkName
    batch_size: int | None
    perturbations: slice
    source: Design | Coalitions | PackedCoalitions | Noise
    background_row: Ints | None
    instances: Sequence[tuple[BoundMasker, Ints, int]]
    parts: Parts | None
    active: NDArray[np.bool_] | None
    turn: int = 0
    first: int = 0

    def outputs(
        self, predictor: Predictor | None, progress: Callable[[int], Any] | None = None
    ) -> tuple[Floats, Cost]:
        """The average outputs (1 + n_parts, m, instances, k) on the link's scale, and the cost.

        Without a predictor nothing is asked: that is the cost alone.
        """
        found, cost = [], Cost()
        for bound, columns, place in self.instances:
            averaged, asked = self._averages(predictor, progress, bound, columns, place)
            if self.link != "identity":
                averaged = link_parts(averaged, self.link, f"a perturbation of instance {place}")
            found.append(averaged)
            cost += asked
        return np.stack(found, axis=2), cost

    def _averages(
        self,
        predictor: Predictor | None,
        progress: Callable[[int], Any] | None,
        bound: BoundMasker,
        columns: Ints,
        instance: int,
    ) -> tuple[Floats, Cost]:
        """(1 + n_parts, m, k): the outputs of one instance, averaged over all rows and parts."""
        if bound.knows_answers:
            return self._known(predictor, bound, columns, instance)
        first, named, k = self.perturbations.start, self.background_row, len(columns)
        m = self.perturbations.stop - first
        per = bound.rows_per_perturbation if named is None else 1
        weights = bound.weights if named is None else None
        most = self.batch_size or _rows_in_a_call(bound)
        step, part = max(1, most // per), min(most, per)
        scratch = bound.scratch(min(step, m) * part)
        n_averages = 1 + (0 if self.parts is None else len(self.parts))
        averaged, n_calls = np.empty((n_averages, m, k)), 0
        together = step * max(1, _OUTPUTS // (step * per * k))
        for begin in range(0, m, together):
            n = min(together, m - begin)
            outputs = np.full((n * per, k), UNASKED)
            for start, low in product(range(0, n, step), range(0, per, part)):
                n_calls += 1
                if predictor is None:
                    continue
                stop, high = min(start + step, n), min(low + part, per)
                here = slice(begin + start, begin + stop)
                rows = slice(low, high) if named is None else named[here]
                batch = bound.batch(self._tile(here), rows, scratch)
                there = slice(start * per + low, (stop - 1) * per + high)
                start, last = (self.first + first + i for i in (here.start, here.stop - 1))
                text = f"perturbation{f's {start} to' * (last > start)} {last}"
                text += f" of instance {instance}"
                n_rows = there.stop - there.start
                outputs[there] = predictor(batch, n_rows, columns, text, self.turn)
                if self.link != "identity":  # an average may hide an invalid output
                    check_link(outputs[there], self.link)
                if progress:
                    progress(n_rows)
            averaged[:, begin : begin + n] = averages(outputs, per, self.parts, weights)
        return averaged, Cost(m * per, n_calls)

    def _known(
        self, predictor: Predictor | None, bound: BoundMasker, columns: Ints, instance: int
    ) -> tuple[Floats, Cost]:
        """(1, m, k): outputs that a masker knows; the model is asked where all is present."""
        m = self.perturbations.stop - self.perturbations.start
        step = self.batch_size or _MOST_ROWS
        found, n_asked = np.empty((1, m, len(columns))), 0
        for start in range(0, m, step):
            part = slice(start, min(start + step, m))
            z = np.asarray(self._tile(part), dtype=bool)
            whole = np.flatnonzero(z.all(axis=1))
            if predictor is None:
                found[0, part] = UNASKED
                n_asked += len(whole) > 0
                continue
            found[0, part] = bound.answers(z)[:, columns]
            if len(whole):
                batch = bound.batch(z[whole[:1]], slice(0, 1), bound.scratch(1))
                found[0, start + whole] = predictor(
                    batch, 1, columns, f"instance {instance}", self.turn
                )
                n_asked += 1
        return found, Cost(n_asked, n_asked)

    def _tile(self, rows: slice) -> Coalitions | Noise:
        """Some of the block's perturbations, of all features."""
        if isinstance(self.source, Design):
            first = self.perturbations.start
            z = self.source.tile(slice(first + rows.start, first + rows.stop))
        else:
            z = self.source[rows]
        return of_all_features(z, self.active)


def of_all_features(z: Coalitions | Noise, active: NDArray[np.bool_] | None) -> Coalitions | Noise:
    """Perturbations of the active features as perturbations of all; the others are unchanged."""
    if active is None or active.all():
        return z
    unchanged = np.ones if z.dtype == np.bool_ else np.zeros
    out: Any = unchanged((len(z), len(active)), dtype=z.dtype)
    out[:, active] = z
    return np.asarray(out)


def _rows_in_a_call(bound: BoundMasker) -> int:
    """Enough small rows to fill the cache, or a few large ones, such as images."""
    enough = _MANY_ROWS if bound.calls_are_costly else _FEW_ROWS
    worth_it = min(enough, _LARGE_TILE_BYTES // bound.row_bytes)
    return max(1, worth_it, min(_MOST_ROWS, _TILE_BYTES // bound.row_bytes))
