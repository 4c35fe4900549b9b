"""Predictor, masker and link as one game: a design to outputs, in bounded memory.

Model rows are built in batches of at most `batch_size` rows, in one reused buffer. A worker
receives a design and bound maskers, and returns outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._rounding import Rounding
from perturbx._shared import Shared
from perturbx._typing import Floats, Ints, LinkName
from perturbx._workers import in_workers, n_workers
from perturbx.designs import CoalitionDesign, CustomCoalitions, Design, NoiseDraws, PackedCoalitions
from perturbx.game.block import UNASKED, Block
from perturbx.game.cost import Cost
from perturbx.game.links import link
from perturbx.game.parts import Parts
from perturbx.maskers import BoundMasker, Instances
from perturbx.predictor import Predictor

_TASKS_PER_JOB = 4
"""So many tasks for each worker, so that none waits long for the last one."""

_ROWS_PER_TASK = 128
"""Tasks of fewer model rows would cost more than they balance: there is one for each worker."""

_AT_ONCE = 2**23
"""Bytes of `z` that are built at once: a larger `z` is built batch by batch."""

_ANSWERS = 2**19
"""Answers about an instance that a task returns, at most: there are copies of them."""

Rectangle: TypeAlias = tuple[list[int], slice]
"""Some instances and some perturbations."""


@dataclass(frozen=True, eq=False)
class Game:
    """The value function: maps a coalition to the average output of the model.

    Parameters
    ----------
    predictor : Predictor
    link : "identity" or "logit"
        Applied to the average over background rows.
    batch_size : int or None
        The most rows in one call; None for as many as fit into the cache of the processor.
    n_jobs : int or None
        As in joblib; None leaves it to ``joblib.parallel_config``.
    progress : callable or None
        Called with the number of model rows after each call of the model.
    dry : bool
        True to ask nothing: outputs mean nothing, and costs are what they would be.
    stochastic : bool
        True if the model answers differently each time: no two of its rows share an answer of the
        archive.
    parts : Parts or None
        The parts of the background whose averages are returned too.
    turns : iterator of int
        Numbers these evaluations.
    shared : list of Shared
        What workers keep: the model, and what the instances at hand have in common. Remove the
        latter where instances come that were bound at another time.
    """

    predictor: Predictor
    link: LinkName = "identity"
    batch_size: int | None = None
    n_jobs: int | None = None
    progress: Callable[[int], Any] | None = None
    dry: bool = False
    stochastic: bool = False
    parts: Parts | None = None
    turns: Iterator[int] = field(default_factory=lambda: count(1))
    shared: list[Shared] = field(default_factory=list)

    def predictions(self, instances: Instances) -> tuple[Floats, Cost]:
        """The model's outputs of the instances themselves, (n, n_outputs), before the link."""
        answers = []
        turn = next(self.turns) if self.stochastic else 0
        for part in instances.chunks(min(self.batch_size or instances.chunk, instances.chunk)):
            n_rows = part.stop - part.start
            place = f"instances {part.start} to {part.stop - 1}"
            if self.dry:
                # Instances differ in which outputs are largest, so that they share no empty state.
                ranks = np.add.outer(np.arange(n_rows), np.arange(self.predictor.n_outputs))
                answers.append(UNASKED + ranks % self.predictor.n_outputs / 1e3)
                continue
            batch = instances.take(part.start, part.stop)
            answers.append(self.predictor(batch, n_rows, None, place, turn))
        if self.progress:
            self.progress(len(instances))
        return np.concatenate(answers), Cost(len(instances), len(answers))

    def empty(
        self,
        bound: Sequence[BoundMasker],
        columns: Ints,
        first: int,
        each_row: bool = False,
    ) -> tuple[Floats, Cost]:
        """(1 + n_parts, n, k): the outputs with all features absent, or NaN for noise.

        With `each_row` (n_background, n, k): the outputs for each background row.
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
        outputs, cost = self.evaluate(asked, columns[: len(asked)], design, places)
        found = outputs[0] if each_row else outputs[:, 0]
        return np.broadcast_to(found, (len(found), *columns.shape)).copy(), cost

    def evaluate(
        self,
        bound: Sequence[BoundMasker],
        columns: Ints,
        design: Design,
        places: Ints,
        known: int = 0,
        active: NDArray[np.bool_] | None = None,
        first: int = 0,
    ) -> tuple[Floats, Cost]:
        """Outputs (1 + n_parts, m, n, k) of the m new perturbations of a design, and their cost.

        The first are averages over all background rows; the others, over each part of them. There
        is no average if the design names a background row for each perturbation.

        Parameters
        ----------
        bound : sequence of n BoundMasker
        columns : (n, k) int array
            The explained outputs of each instance.
        design : Design
        places : (n,) int array
            The positions of the instances in the user's X, for errors.
        known : int
            The number of perturbations of the design that are already evaluated.
        active : (n_features,) bool array, optional
            The features of the design, if not all.
        first : int
            How many perturbations were asked before those of the design, for errors.
        """
        parts = self.parts if design.background_row is None else None
        n_averages, m = 1 + (0 if parts is None else len(parts)), len(design) - known
        # Parts of the background lie side by side, so that a solver reads them without a copy.
        room, cost = np.empty((m, len(bound), n_averages, columns.shape[1])), Cost()
        outputs = np.moveaxis(room, 2, 0)
        turn = next(self.turns) if self.stochastic else 0
        instances = list(zip(bound, columns, places.tolist(), strict=True))
        common = self.link, self.batch_size, parts, active, turn, first
        blocks = self._blocks(instances, design, known, m, n_averages * columns.shape[1], common)
        for (those, some), answers, asked in self._answered(blocks):
            outputs[:, some, those] = answers
            cost += asked
        return outputs, cost

    @property
    def rounding(self) -> Rounding:
        """The rounding error of a linked output."""
        return Rounding(self.predictor.resolution, self.link, self.predictor.is_complementary)

    def linked(self, values: Floats) -> Floats:
        """(n, k) outputs of the instances themselves, on the link's scale."""
        if self.link == "identity":
            return values
        at_the_end = np.flatnonzero(((values <= 0) | (values >= 1)).any(axis=1))
        several = f" and of {len(at_the_end) - 1} more" * (len(at_the_end) > 1)
        return link(values, self.link, f"instance {at_the_end[:1].sum()}{several}")

    def _blocks(
        self,
        instances: list[tuple[BoundMasker, Ints, int]],
        design: Design,
        known: int,
        m: int,
        n_outputs: int,
        common: tuple[Any, ...],
    ) -> Iterator[tuple[Rectangle, Block]]:
        """Split instances and the m new perturbations into a few tasks per job, made one by one.

        Of many perturbations, with `n_outputs` each, there are more tasks: a task holds its
        answers, and z where a worker would else receive the whole design for its part.
        """
        n, jobs = len(instances), n_workers(self.n_jobs)
        named, n_tasks, n_parts = design.background_row, n, 1
        if jobs > 1:
            n_rows = m * n * (instances[0][0].rows_per_perturbation if named is None else 1)
            n_tasks = jobs * int(np.clip(n_rows // (jobs * _ROWS_PER_TASK), 1, _TASKS_PER_JOB))
            n_parts = max(1, min(m, -(-n_tasks // n)))
        n_parts = max(n_parts, -(-m * n_outputs // _ANSWERS))
        ends = np.linspace(known, known + m, n_parts + 1).astype(int).tolist()
        n_bytes = 1 if isinstance(design, CoalitionDesign) else 8
        is_large = n_bytes * m * design.n_features > _AT_ONCE
        is_whole = is_large and (design.compact or jobs == 1)
        link, batch_size, *rest = common
        for start, stop in pairwise(ends):
            here = slice(start, stop)
            z: Any = design if is_whole else design.tile(here)
            if jobs > 1 and not is_whole and isinstance(design, CoalitionDesign):
                z = PackedCoalitions.of(z)
            rows = None if named is None else named[here]
            for those in np.array_split(np.arange(n), min(n, n_tasks)):
                some = [instances[i] for i in those]
                block = Block(link, batch_size, here, z, rows, some, *rest)
                yield (those.tolist(), slice(start - known, stop - known)), block

    def _answered(
        self, blocks: Iterator[tuple[Rectangle, Block]]
    ) -> Iterator[tuple[Rectangle, Floats, Cost]]:
        """The outputs of each block and their cost, computed in workers if there are several."""
        if self.dry or n_workers(self.n_jobs) == 1:
            asked = None if self.dry else self.predictor
            for rectangle, block in blocks:
                yield rectangle, *block.outputs(asked, self.progress)
            return
        every = list(blocks)
        model = self.predictor
        if not self.shared:
            self.shared.append(Shared(model, model.predict_fn, varies=model.varies))
        if len(self.shared) == 1:
            bound = (every[i][1].instances[i][0] for i in (0, -1))
            self.shared.append(Shared(self.parts, *bound))
        tasks = ((block, self.predictor) for _, block in every)
        backend = "threading" if self.predictor.is_async else None
        try:
            found = in_workers(Block.outputs, tasks, self.n_jobs, self.shared, backend)
            for (rectangle, _), (outputs, cost) in zip(every, found, strict=True):
                if self.progress:
                    self.progress(cost.n_rows)
                yield rectangle, outputs, cost
        except BaseException:  # Ctrl-C too: no call stays in flight
            self.predictor.cancel()
            raise
