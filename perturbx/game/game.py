"""Predictor, masker and link as one game: a design to outputs, in bounded memory.

Model rows are built in tiles of at most `batch_size` rows, in one buffer that is used again and
again; what a worker receives is a design and bound maskers, what it returns is outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._rounding import Rounding
from perturbx._typing import Coalitions, Floats, Ints, LinkName, Noise
from perturbx._workers import in_workers, n_workers
from perturbx.designs import CustomCoalitions, Design, NoiseDraws
from perturbx.game.links import check_link, link, link_parts
from perturbx.game.parts import Parts, averages
from perturbx.maskers import BoundMasker, Instances
from perturbx.predictor import Predictor

_TILE_BYTES = 2**22
_MOST_ROWS = 8192
_LARGE_TILE_BYTES = 2**24
_FEW_ROWS = 16
_ANSWERS = 2**16
"""Answers that are averaged in one go."""
_MANY_ROWS = 2**15
_TASKS_PER_JOB = 4
_AT_ONCE = 2**23
"""Entries of `z` that are built at once; more are built tile by tile, from a compact design."""


@dataclass(frozen=True)
class Cost:
    """What the model was asked."""

    n_rows: int = 0
    n_calls: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.n_rows + other.n_rows, self.n_calls + other.n_calls)

    def divided(self, n: int) -> Ints:
        """(n, 2) rows and calls of n instances that share them: whole numbers with that sum."""
        whole = np.array([self.n_rows, self.n_calls])
        return np.asarray(np.diff(np.arange(n + 1)[:, None] * whole // n, axis=0))


@dataclass(frozen=True, eq=False)
class Block:
    """What travels to a worker: some perturbations of a design, and some instances.

    Parameters
    ----------
    tried : slice
        The perturbations that are asked.
    source : Design or (m, d) array
        Where their rows of `z` come from: the rows, or the design where it is much smaller.
    background_row : (m,) int array or None
        The one background row behind each of them.
    instances : sequence of (BoundMasker, (k,) int array, int)
        What each perturbation is applied to, the outputs that are asked of it, and its place in
        the user's X.
    parts : Parts or None
    active : (n_features,) bool array or None
        The features that the design is of, where it is not of all.
    """

    tried: slice
    source: Design | Coalitions | Noise
    background_row: Ints | None
    instances: Sequence[tuple[BoundMasker, Ints, int]]
    parts: Parts | None
    active: NDArray[np.bool_] | None

    def tile(self, rows: slice) -> Coalitions | Noise:
        """Some of the block's perturbations, of all features; those that are not active stay."""
        if isinstance(self.source, Design):
            first = self.tried.start
            z = self.source.tile(slice(first + rows.start, first + rows.stop))
        else:
            z = self.source[rows]
        return of_all_features(z, self.active)


@dataclass(frozen=True, eq=False)
class Game:
    """The value function: which features are present, to what the model says on average.

    Parameters
    ----------
    predictor : Predictor
    link : "identity" or "logit"
        Applied to the average over background rows.
    batch_size : int or None
        The most rows in one call; None for as many as fit into the processor's cache.
    n_jobs : int or None
        As in joblib; None leaves it to ``joblib.parallel_config``.
    progress : callable or None
        Told how many model rows have been answered.
    """

    predictor: Predictor
    link: LinkName = "identity"
    batch_size: int | None = None
    n_jobs: int | None = None
    progress: Callable[[int], Any] | None = None

    def predictions(self, instances: Instances) -> tuple[Floats, Cost]:
        """All outputs of the model for the instances themselves, (n, n_outputs), not linked."""
        answers = []
        for part in instances.chunks(min(self.batch_size or instances.chunk, instances.chunk)):
            batch, n_rows = instances.take(part.start, part.stop), part.stop - part.start
            place = f"instances {part.start} to {part.stop - 1}"
            answers.append(self.predictor(batch, n_rows, None, place))
        if self.progress:
            self.progress(len(instances))
        return np.concatenate(answers), Cost(len(instances), len(answers))

    def empty(
        self,
        bound: Sequence[BoundMasker],
        columns: Ints,
        first: int,
        parts: Parts | None = None,
        each_row: bool = False,
    ) -> tuple[Floats, Cost]:
        """(1 + n_parts, n, k): the outputs with every feature absent; NaN if never so.

        With `each_row` (B, n, k): the outputs of each background row itself.
        """
        if bound[0].accepts is NoiseDraws:
            return np.full((1, *columns.shape), np.nan), Cost()
        rows = np.arange(bound[0].rows_per_perturbation) if each_row else None
        m = 1 if rows is None else len(rows)
        nothing = np.zeros((m, bound[0].n_features), dtype=bool)
        design = CustomCoalitions(nothing, np.ones(m), np.arange(m), background_row=rows)
        shared = bound[0].shares_empty and (columns == columns[:1]).all()
        asked = bound[:1] if shared else bound
        places = first + np.arange(len(asked))
        outputs, cost = self.evaluate(asked, columns[: len(asked)], design, places, parts=parts)
        found = outputs[0] if each_row else outputs[:, 0]
        return np.broadcast_to(found, (len(found), *columns.shape)).copy(), cost

    def evaluate(
        self,
        bound: Sequence[BoundMasker],
        columns: Ints,
        design: Design,
        places: Ints,
        known: int = 0,
        parts: Parts | None = None,
        active: NDArray[np.bool_] | None = None,
    ) -> tuple[Floats, Cost]:
        """Outputs (1 + n_parts, m, n, k) of the m new perturbations of a design, and their cost.

        The averages over all background rows come first, then those over each part of them. A
        design that names a background row for each perturbation averages nothing.

        Parameters
        ----------
        bound : sequence of n BoundMasker
        columns : (n, k) int array
            The model outputs that are asked of each instance.
        design : Design
        places : (n,) int array
            The instances' positions in the user's X, for messages.
        known : int
            How many perturbations of the design have been answered.
        parts : Parts, optional
        active : (n_features,) bool array, optional
            The features that the design is of, where it is not of all.
        """
        n, m = len(bound), len(design) - known
        named = design.background_row
        parts = parts if named is None else None
        rectangles, sources = list(self._blocks(n, m)), {}
        for _, some in rectangles:
            tried = slice(known + some.start, known + some.stop)
            large = (some.stop - some.start) * design.n_features > _AT_ONCE
            if some.start not in sources:
                rows = design if design.compact and large else design.tile(tried)
                sources[some.start] = tried, rows, None if named is None else named[tried]
        blocks = [
            Block(
                *sources[some.start],
                [(bound[i], columns[i], int(places[i])) for i in those],
                parts,
                active,
            )
            for those, some in rectangles
        ]
        n_averages = 1 + (0 if parts is None else len(parts))
        outputs, cost = np.empty((n_averages, m, n, columns.shape[1])), Cost()
        for (those, some), (answers, asked) in zip(rectangles, self._answers(blocks), strict=True):
            outputs[:, some, those] = answers
            cost += asked
        return outputs, cost

    @property
    def rounding(self) -> Rounding:
        """How far a linked output may be off by rounding alone."""
        return Rounding(self.predictor.resolution, self.link, self.predictor.is_complementary)

    def linked(self, values: Floats) -> Floats:
        """(n, k) outputs of the instances themselves, on the scale on which scores add up."""
        if self.link == "identity":
            return values
        at_the_end = np.flatnonzero(((values <= 0) | (values >= 1)).any(axis=1))
        several = f" and of {len(at_the_end) - 1} more" * (len(at_the_end) > 1)
        return link(values, self.link, f"instance {at_the_end[:1].sum()}{several}")

    def _blocks(self, n: int, m: int) -> Iterator[tuple[list[int], slice]]:
        """Pieces of the (instances, perturbations) rectangle, a few for each job."""
        jobs = n_workers(self.n_jobs)
        n_tasks = jobs * _TASKS_PER_JOB if jobs > 1 else n
        n_parts = max(1, min(m, -(-n_tasks // n))) if jobs > 1 else 1
        ends = np.linspace(0, m, n_parts + 1).astype(int).tolist()
        for those in np.array_split(np.arange(n), min(n, n_tasks)):
            for start, stop in pairwise(ends):
                yield those.tolist(), slice(start, stop)

    def _answers(self, blocks: list[Block]) -> Iterator[tuple[Floats, Cost]]:
        asking = self.predictor, self.link, self.batch_size
        if n_workers(self.n_jobs) == 1:
            yield from (_answer(*asking, self.progress, block) for block in blocks)
            return
        tasks = ((*asking, None, block) for block in blocks)
        for outputs, cost in in_workers(_answer, tasks, self.n_jobs):
            if self.progress:
                self.progress(cost.n_rows)
            yield outputs, cost


def _answer(
    predictor: Predictor,
    link_name: LinkName,
    batch_size: int | None,
    progress: Callable[[int], Any] | None,
    block: Block,
) -> tuple[Floats, Cost]:
    """One block: outputs (1 + n_parts, m, instances of the block, k)."""
    answers, cost = [], Cost()
    for bound, columns, place in block.instances:
        averaged, asked = _averages(
            predictor, link_name, batch_size, progress, bound, columns, block, place
        )
        if link_name != "identity":
            averaged = link_parts(averaged, link_name, f"a perturbation of instance {place}")
        answers.append(averaged)
        cost += asked
    return np.stack(answers, axis=2), cost


def _averages(
    predictor: Predictor,
    link_name: LinkName,
    batch_size: int | None,
    progress: Callable[[int], Any] | None,
    bound: BoundMasker,
    columns: Ints,
    block: Block,
    instance: int,
) -> tuple[Floats, Cost]:
    """(1 + n_parts, m, k): the outputs of one instance, averaged over all model rows and parts."""
    m, k, named = block.tried.stop - block.tried.start, len(columns), block.background_row
    per = bound.rows_per_perturbation if named is None else 1
    weights = bound.weights if named is None else None
    most = batch_size or _rows_in_a_call(bound)
    step = max(1, most // per)
    scratch = bound.scratch(min(step, m) * min(most, per))
    n_averages = 1 + (0 if block.parts is None else len(block.parts))
    averaged, n_calls = np.empty((n_averages, m, k)), 0
    together = step * max(1, _ANSWERS // (step * per * k))
    for first in range(0, m, together):
        n = min(together, m - first)
        answers = np.empty((n * per, k))
        for tried, rows in _tiles(n, per, most):
            here = slice(first + tried.start, first + tried.stop)
            batch = bound.batch(block.tile(here), rows if named is None else named[here], scratch)
            start, stop = tried.start * per + rows.start, (tried.stop - 1) * per + rows.stop
            low = block.tried.start
            place = f"perturbations {low + here.start} to {low + here.stop - 1}"
            place += f" of instance {instance}"
            answers[start:stop] = predictor(batch, stop - start, columns, place)
            if link_name != "identity":  # an average may hide what is outside
                check_link(answers[start:stop], link_name)
            n_calls += 1
            if progress:
                progress(stop - start)
        averaged[:, first : first + n] = averages(answers, per, block.parts, weights)
    return averaged, Cost(m * per, n_calls)


def of_all_features(z: Coalitions | Noise, active: NDArray[np.bool_] | None) -> Coalitions | Noise:
    """Perturbations of the active features as perturbations of all; the rest stay."""
    if active is None or active.all():
        return z
    stays = np.ones if z.dtype == np.bool_ else np.zeros
    out: Any = stays((len(z), len(active)), dtype=z.dtype)
    out[:, active] = z
    return np.asarray(out)


def _tiles(n: int, per: int, most: int) -> Iterator[tuple[slice, slice]]:
    """Pieces of n perturbations with `per` model rows each, of at most `most` model rows."""
    step, part = max(1, most // per), min(most, per)
    for start in range(0, n, step):
        for low in range(0, per, part):
            yield slice(start, min(start + step, n)), slice(low, min(low + part, per))


def _rows_in_a_call(bound: BoundMasker) -> int:
    """Small rows fill the cache; of large ones, such as images, a few make a call worth it."""
    enough = _MANY_ROWS if bound.calls_are_costly else _FEW_ROWS
    worth_it = min(enough, _LARGE_TILE_BYTES // bound.row_bytes)
    return max(1, worth_it, min(_MOST_ROWS, _TILE_BYTES // bound.row_bytes))
