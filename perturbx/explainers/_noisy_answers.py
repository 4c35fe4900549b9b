"""The answers of a model that answers differently each time: asked again, averaged, with variances.

Scores are those of the mean answers, so efficiency holds against these. Every score contains the
full and the empty output, so these are asked most often; see `Design.worth_of_ends` and
`Design.repeats`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.designs import CustomCoalitions, Design, NoiseDraws, Repeated, SoftMasks, Variances
from perturbx.explainers._plan import Task
from perturbx.game import Cost, Game
from perturbx.maskers import BoundMasker

_PRIOR_DEGREES = 4.0
"""How many degrees of freedom the pooled variance is worth in that of one answer."""


Empty: TypeAlias = tuple[Floats | None, Floats, Cost]
"""Outputs with all features absent: of each background row (or None), of averages, the cost."""

AskEmpty: TypeAlias = Callable[[list[BoundMasker], Ints, int], Empty]


@dataclass(eq=False)
class NoisyAnswers:
    """All answers about n instances, of which some are to the same question.

    Parameters
    ----------
    game, task, bound, places, columns, active
        As those of the run.
    ask_empty : callable
        Asks for the empty outputs of some instances, by their columns and the first place.
    full : (1, n, k) array
        The first answers to the instances.
    empty : (1, 1 + n_parts, n, k) array
        The first answers with all features absent.
    rows : (1, n_background, n, k) array or None
        The same of each background row.
    """

    game: Game
    task: Task
    bound: list[BoundMasker]
    places: Ints
    columns: Ints
    active: NDArray[np.bool_]
    ask_empty: AskEmpty
    full: Floats
    empty: Floats
    rows: Floats | None
    index: Ints = field(init=False, default_factory=lambda: np.zeros(0, dtype=np.intp))
    outputs: Floats = field(init=False)
    """(1 + n_parts, answers, n, k)"""

    row_noise: Floats = field(init=False)

    def __post_init__(self) -> None:
        n_averages, *shape = self.empty.shape[1:]
        self.outputs = np.empty((n_averages, 0, *shape))

    def ask(self, design: Design, n: int) -> Cost:
        """Spend `n` answers on a design, and on the ends as many as they are worth."""
        cost = self._ask_ends(*self._ends_for(n))
        asked = np.bincount(self.index, minlength=len(design))
        more = np.maximum(design.repeats(n) - asked, 0)
        index = np.repeat(np.arange(len(design)), more)
        if not len(index):
            return cost
        known = len(self.index)
        is_new = np.array_equal(index, np.arange(known, len(design)))
        questions = design if is_new else Repeated(design, index)
        outputs, of_design = self.game.evaluate(
            self.bound,
            self.columns,
            questions,
            self.places,
            known if is_new else 0,
            self.active,
        )
        self.outputs = np.concatenate([self.outputs, outputs], axis=1) if known else outputs
        self.index = np.concatenate([self.index, index])
        return cost + of_design

    def _ends_for(self, n: int) -> tuple[int, int]:
        draws = self.task.sampler.draws
        return self.task.context.asked_ends(draws, n * self.task.rows_each)

    def keep(self, which: NDArray[np.bool_]) -> None:
        """Forget the other instances, which are done."""
        self.bound = [one for one, kept in zip(self.bound, which, strict=True) if kept]
        self.places, self.columns = self.places[which], self.columns[which]
        self.full, self.empty = self.full[:, which], self.empty[:, :, which]
        self.rows = None if self.rows is None else self.rows[:, :, which]
        self.outputs = self.outputs[:, :, which]

    def means(self, m: int) -> Floats:
        """(1 + n_parts, m, n, k): the mean answer to each perturbation."""
        counts = np.bincount(self.index, minlength=m)
        if (counts == 1).all():
            return self.outputs[:, np.argsort(self.index, kind="stable")]
        total = np.zeros((len(self.outputs), m, *self.outputs.shape[2:]))
        for sums, outputs in zip(total, self.outputs, strict=True):
            np.add.at(sums, self.index, outputs)
        return np.asarray(total / counts[:, None, None])

    def variances(self, outputs: Floats) -> Variances:
        """Those of the mean answers, `outputs` (m, n, k); that of one model row is `row_noise`.

        Answers that were repeated show their own variance, which is moderated by that of all, since
        few answers tell little (Smyth, Statistical Applications in Genetics and Molecular Biology
        3, 2004). Those that were not have the variance of all.
        """
        m, per = len(outputs), self._rows_behind
        counts = np.bincount(self.index, minlength=m)
        squares = np.zeros_like(outputs)
        np.add.at(squares, self.index, (self.outputs[0] - outputs[self.index]) ** 2)
        r, r_empty = len(self.full), len(self.empty)
        of_full = ((self.full - self.full.mean(axis=0)) ** 2).sum(axis=0)
        of_empty = np.zeros_like(of_full)
        if not np.isnan(self.empty).any():
            means = self.empty[:, 0]
            of_empty = self._behind * ((means - means.mean(axis=0)) ** 2).sum(axis=0)
        degrees = r - 1 + (r_empty - 1) + int((counts - 1).sum())
        self.row_noise = pooled = (of_full + of_empty + per * squares.sum(axis=0)) / degrees

        def moderated(total: Floats, n_asked: Any, behind: float) -> Floats:
            own = (_PRIOR_DEGREES * pooled / behind + total) / (_PRIOR_DEGREES + n_asked - 1)
            return np.asarray(own / n_asked)

        if (counts == 1).all():
            of_outputs: Floats = np.broadcast_to(pooled / per, outputs.shape)
        else:
            of_outputs = moderated(squares, counts[:, None, None], per)
        of_rows = None
        if self.rows is not None:
            of_rows = np.broadcast_to(pooled / r_empty, self.rows.shape[1:])
        nothing = np.isnan(self.empty[0, 0])
        empty = moderated(of_empty / self._behind, r_empty, self._behind)
        more = float(counts.mean()) - 1 if m else 0.0
        spread = 1 / degrees + more / (_PRIOR_DEGREES + more) ** 2
        return Variances(
            of_outputs,
            moderated(of_full, r, 1.0),
            np.where(nothing, 0.0, empty),
            of_rows,
            1 / spread,
        )

    @property
    def _behind(self) -> float:
        """How many model rows the variance of an average over the background is divided by."""
        weights = self.bound[0].weights
        n = self.bound[0].rows_per_perturbation
        return float(n if weights is None else 1 / (weights**2).sum())

    @property
    def _rows_behind(self) -> float:
        """The same of an answer to a perturbation."""
        return 1.0 if self.task.rows_each == 1 else self._behind

    def _ask_ends(self, n_full: int, n_empty: int) -> Cost:
        """Ask for the full and the empty output until they were asked so often."""
        cost = Cost()
        more = n_full - len(self.full)
        if more > 0:
            first = self.bound[0]
            again, cost = self.game.evaluate(
                self.bound, self.columns, _everything(first, more), self.places
            )
            self.full = np.concatenate([self.full, again[0]])
        if self.bound[0].accepts is NoiseDraws:
            return cost
        for _ in range(n_empty - len(self.empty)):
            rows, empty, asked = self.ask_empty(self.bound, self.columns, int(self.places[0]))
            self.empty = np.concatenate([self.empty, empty[None]])
            if rows is not None and self.rows is not None:
                self.rows = np.concatenate([self.rows, rows[None]])
            cost += asked
        return cost


def _everything(bound: BoundMasker, n: int) -> Design:
    """A design that asks for the instance itself `n` times, one model row each."""
    d, order = bound.n_features, np.arange(n)
    if bound.accepts is NoiseDraws:
        return NoiseDraws(np.zeros((n, d)), np.ones(n), order)
    if issubclass(SoftMasks, bound.accepts):
        return SoftMasks(np.ones((n, d)), p=1.0)
    rows = np.zeros(n, dtype=np.intp) if bound.rows_per_perturbation > 1 else None
    return CustomCoalitions(np.ones((n, d), dtype=bool), np.ones(n), order, background_row=rows)
