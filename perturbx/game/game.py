"""Predictor, masker and link as one game: perturbations to outputs, in bounded memory.

Model rows are built in tiles of at most `batch_size` rows, in one buffer that is used again and
again; what a worker receives is z and bound maskers, what it returns is outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._rounding import SINGLE, Rounding
from perturbx._typing import Coalitions, Floats, Ints, LinkName, Noise, Outputs
from perturbx._workers import in_workers, n_workers
from perturbx.designs import NoiseDraws
from perturbx.errors import PredictFnError
from perturbx.maskers import BoundMasker, FittedMasker
from perturbx.predictor import Predictor

_TILE_BYTES = 2**22
_MOST_ROWS = 8192
_LARGE_TILE_BYTES = 2**24
_FEW_ROWS = 16
_ANSWERS = 2**16
"""Answers that are averaged in one go."""
_MANY_ROWS = 2**15
_TASKS_PER_JOB = 4


def _nothing(n_rows: int) -> None:
    """No progress is shown."""


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
class Parts:
    """Background rows dealt to parts of about the same size.

    How far the scores of the parts differ tells how far those of all rows would move with
    another sample. Rows are dealt at random, since they may lie in an order that means something.

    Parameters
    ----------
    order : (n_rows,) int array
        The rows of the first part, then those of the second, and so on.
    starts : (n_parts,) int array
        Where each part begins in `order`.
    shares : (n_parts,) array
        How much of the average over all rows each part is, adding up to 1.
    """

    order: Ints
    starts: Ints
    shares: Floats

    @classmethod
    def dealt(
        cls, n_rows: int, n_parts: int, rng: np.random.Generator, weights: Floats | None = None
    ) -> Parts:
        """`n_rows` rows in `n_parts` parts, whose sizes differ by one at most."""
        starts = np.linspace(0, n_rows, n_parts + 1).astype(int)[:-1]
        order = rng.permutation(n_rows)
        if weights is None:
            return cls(order, starts, np.diff(starts, append=n_rows) / n_rows)
        return cls(order, starts, np.add.reduceat(weights[order], starts))

    def error(self, values: Floats) -> Floats:
        """The standard error of an average over all rows, from (..., n_parts) values of parts.

        That of a ratio estimate (Cochran, Sampling Techniques, 1977, section 6.4); of parts of one
        size, their standard deviation over the root of their number.
        """
        n = len(self)
        about = values - (values @ self.shares)[..., None]
        return np.asarray(np.sqrt(about**2 @ self.shares**2 * (n / (n - 1))))

    def __len__(self) -> int:
        return len(self.starts)


@dataclass(frozen=True, eq=False)
class Ask:
    """What travels to a worker: perturbations once, and the instances to which they apply."""

    z: Coalitions | Noise
    instances: Sequence[tuple[BoundMasker, Ints, int]]
    background_row: Ints | None = None
    parts: Parts | None = None
    active: NDArray[np.bool_] | None = None

    @property
    def n_averages(self) -> int:
        """How many averages are asked of each output: over all background rows, and of parts."""
        return 1 + (0 if self.parts is None else len(self.parts))


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
    progress : callable
        Told how many model rows have been answered.
    """

    predictor: Predictor
    link: LinkName = "identity"
    batch_size: int | None = None
    n_jobs: int | None = None
    progress: Callable[[int], Any] = _nothing

    def predictions(self, masker: FittedMasker, X: Any) -> tuple[Floats, Cost]:
        """All outputs of the model for the instances themselves, (n, n_outputs), not linked."""
        n, answers, cost = masker.count(X), [], Cost()
        step = min(self.batch_size or masker.chunk, masker.chunk)
        for start in range(0, n, step):
            stop = min(start + step, n)
            place = f"instances {start} to {stop - 1}"
            answers.append(self.predictor(masker.take(X, start, stop), stop - start, None, place))
            cost += Cost(stop - start, 1)
        self.progress(n)
        return np.concatenate(answers), cost

    def empty(
        self, removals: Sequence[BoundMasker], columns: Ints, first: int, parts: Parts | None = None
    ) -> tuple[Floats, Cost]:
        """(n, k * (1 + n_parts)): the outputs with every feature absent; NaN if never so."""
        if removals[0].accepts is NoiseDraws:
            return np.full(columns.shape, np.nan), Cost()
        shared = removals[0].shares_empty and (columns == columns[:1]).all()
        asked = removals[:1] if shared else removals
        nothing = np.zeros((1, removals[0].n_features), dtype=bool)
        outputs, cost = self.evaluate(
            asked, columns[: len(asked)], nothing, first + np.arange(len(asked)), parts=parts
        )
        return np.broadcast_to(outputs[0], (len(columns), outputs.shape[2])).copy(), cost

    def empty_rows(
        self, removals: Sequence[BoundMasker], columns: Ints, first: int
    ) -> tuple[Outputs, Cost]:
        """(B, n, k): the outputs of each background row itself."""
        rows = np.arange(removals[0].rows_per_perturbation)
        shared = removals[0].shares_empty and (columns == columns[:1]).all()
        asked = removals[:1] if shared else removals
        nothing = np.zeros((len(rows), removals[0].n_features), dtype=bool)
        places = first + np.arange(len(asked))
        outputs, cost = self.evaluate(asked, columns[: len(asked)], nothing, places, rows)
        return np.broadcast_to(outputs, (len(rows), *columns.shape)).copy(), cost

    def evaluate(
        self,
        removals: Sequence[BoundMasker],
        columns: Ints,
        z: Coalitions | Noise,
        places: Ints,
        background_row: Ints | None = None,
        parts: Parts | None = None,
        active: NDArray[np.bool_] | None = None,
    ) -> tuple[Outputs, Cost]:
        """Outputs (m, n, k) of m perturbations of n instances, and what they cost.

        Parameters
        ----------
        removals : sequence of n BoundMasker
        columns : (n, k) int array
            The model outputs that are asked of each instance.
        z : (m, d) array
        places : (n,) int array
            The instances' positions in the user's X, for messages.
        background_row : (m,) int array, optional
            The one background row behind each perturbation; by default all, averaged.
        parts : Parts, optional
            With parts, the outputs are (m, n, k * (1 + n_parts)): behind the averages of all
            background rows follow those of each part, for each output in turn.
        active : (n_features,) bool array, optional
            The d features that `z` is of, where it is not of all.
        """
        blocks = list(self._blocks(len(removals), len(z)))
        asks = [
            Ask(
                z[part],
                [(removals[i], columns[i], int(places[i])) for i in block],
                None if background_row is None else background_row[part],
                parts,
                active,
            )
            for block, part in blocks
        ]
        n_averages = asks[0].n_averages
        outputs = np.empty((len(z), len(removals), columns.shape[1] * n_averages))
        cost = Cost()
        for (block, part), (answers, asked) in zip(blocks, self._answers(asks), strict=True):
            outputs[part, block] = answers
            cost += asked
        return outputs, cost

    @property
    def rounding(self) -> Rounding:
        """How far a linked output may be off by rounding alone."""
        return Rounding(self.predictor.resolution, self.link, self.predictor.is_complementary)

    def linked(self, values: Floats) -> Floats:
        """(n, k) outputs of the instances themselves, on the scale on which scores add up."""
        if self.link == "logit":
            at_the_end = np.flatnonzero(((values <= 0) | (values >= 1)).any(axis=1))
            several = f" and of {len(at_the_end) - 1} more" * (len(at_the_end) > 1)
            return link(values, self.link, f"instance {at_the_end[:1].sum()}{several}")
        return link(values, self.link)

    def _blocks(self, n: int, m: int) -> Iterator[tuple[list[int], slice]]:
        """Pieces of the (instances, perturbations) rectangle, a few for each job."""
        n_tasks = n_workers(self.n_jobs) * _TASKS_PER_JOB if n_workers(self.n_jobs) > 1 else n
        for block in np.array_split(np.arange(n), min(n, n_tasks)):
            n_parts = max(1, min(m, -(-n_tasks // n))) if n_workers(self.n_jobs) > 1 else 1
            ends = np.linspace(0, m, n_parts + 1).astype(int)
            for start, stop in pairwise(ends):
                yield block.tolist(), slice(int(start), int(stop))

    def _answers(self, asks: list[Ask]) -> Iterator[tuple[Outputs, Cost]]:
        if n_workers(self.n_jobs) == 1:
            for ask in asks:
                yield _answer(self.predictor, self.link, self.batch_size, self.progress, ask)
            return
        tasks = ((self.predictor, self.link, self.batch_size, None, ask) for ask in asks)
        for outputs, cost in in_workers(_answer, tasks, self.n_jobs):
            self.progress(cost.n_rows)
            yield outputs, cost


def link(values: Floats, name: LinkName, whose: str = "some rows") -> Floats:
    """The link function of averaged outputs, and an error that says whose it does not suit."""
    check_link(values, name)
    if name == "identity":
        return values
    if ((values <= 0) | (values >= 1)).any():
        raise PredictFnError(
            'link="logit" needs outputs strictly between 0 and 1, as the logit of 0 or 1 is '
            f"infinite: an output of {whose} is exactly {0 if (values <= 0).any() else 1}. Let "
            "predict_fn clip its answers, as in predict_fn=lambda X: "
            'np.clip(model.predict_proba(X), 1e-6, 1 - 1e-6), or use link="identity".'
        )
    return np.asarray(np.log(values) - np.log1p(-values))


def check_link(values: Floats, name: LinkName) -> None:
    """Refuse outputs that the link is not made for, whatever they are averaged with."""
    if name == "logit" and not ((values >= -SINGLE) & (values <= 1 + SINGLE)).all():
        raise PredictFnError(
            'link="logit" needs outputs strictly between 0 and 1: got values from '
            f'{values.min():.6g} to {values.max():.6g}. Of logits: use link="identity", which '
            "explains them as they are, or let predict_fn return probabilities, as "
            'px.interop.from_torch(module, output="softmax") does.'
        )


def _answer(
    predictor: Predictor,
    link_name: LinkName,
    batch_size: int | None,
    progress: Callable[[int], Any] | None,
    ask: Ask,
) -> tuple[Outputs, Cost]:
    """One block: outputs (m, instances of the block, k)."""
    answers, cost = [], Cost()
    tell = progress or _nothing
    for removal, columns, instance in ask.instances:
        averaged, asked = _averages(
            predictor, link_name, batch_size, tell, removal, columns, ask, instance
        )
        answers.append(_linked_parts(averaged, link_name, f"a perturbation of instance {instance}"))
        cost += asked
    return np.stack(answers, axis=1), cost


def _averages(
    predictor: Predictor,
    link_name: LinkName,
    batch_size: int | None,
    progress: Callable[[int], Any],
    removal: BoundMasker,
    columns: Ints,
    ask: Ask,
    instance: int,
) -> tuple[Floats, Cost]:
    """(m, k, n_averages): the outputs of one instance, averaged over all model rows and parts."""
    m, k = len(ask.z), len(columns)
    per = removal.rows_per_perturbation if ask.background_row is None else 1
    most = batch_size or _rows_in_a_call(removal)
    step = max(1, most // per)
    scratch = removal.scratch(min(step, m) * min(most, per))
    averaged, n_calls = np.empty((m, k, ask.n_averages)), 0
    together = step * max(1, _ANSWERS // (step * per * k))
    for first in range(0, m, together):
        n = min(together, m - first)
        answers = np.empty((n * per, k))
        for tried, rows in _tiles(n, per, most):
            block = slice(first + tried.start, first + tried.stop)
            named = rows if ask.background_row is None else ask.background_row[block]
            place = f"perturbations {block.start} to {block.stop - 1} of instance {instance}"
            batch = removal.batch(of_all_features(ask.z[block], ask.active), named, scratch)
            start = tried.start * per + rows.start
            stop = (tried.stop - 1) * per + rows.stop
            answers[start:stop] = predictor(batch, stop - start, columns, place)
            check_link(answers[start:stop], link_name)  # an average may hide what is outside
            n_calls += 1
            progress(stop - start)
        weights = removal.weights if ask.background_row is None else None
        averaged[first : first + n] = _average(answers, per, ask.parts, weights)
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


def _rows_in_a_call(removal: BoundMasker) -> int:
    """Small rows fill the cache; of large ones, such as images, a few make a call worth it."""
    enough = _MANY_ROWS if removal.calls_are_costly else _FEW_ROWS
    worth_it = min(enough, _LARGE_TILE_BYTES // removal.row_bytes)
    return max(1, worth_it, min(_MOST_ROWS, _TILE_BYTES // removal.row_bytes))


def averages(answers: Floats, parts: Parts | None, weights: Floats | None) -> Floats:
    """(B, k) answers to background rows: averages of all and of parts, (k * (1 + n_parts),)."""
    averaged = _average(answers, len(answers), parts, weights)
    return np.asarray(_linked_parts(averaged, "identity")[0])


def _average(answers: Floats, per: int, parts: Parts | None, weights: Floats | None) -> Floats:
    """Means over the `per` rows behind each perturbation: (c * per, k) to (c, k, 1 + n_parts).

    The mean of all rows comes first. Sums run along contiguous memory, so their rounding does
    not depend on c. They are sums of differences to the first answer: the mean of equal answers
    is that answer to the last bit, so a feature that never changes the output differs by
    exactly 0.
    """
    if per == 1:
        return answers[:, :, None]
    rows = answers.reshape(-1, per, answers.shape[1])
    by_row = np.ascontiguousarray(rows.transpose(0, 2, 1))
    first = by_row[:, :, :1]
    by_row = by_row - first
    if weights is not None:
        by_row *= weights * per
    whole = first + np.add.reduce(by_row, axis=2, keepdims=True) / per
    if parts is None:
        return np.asarray(whole)
    # apart from the whole, whose rounding is not to depend on how rows were dealt
    sums = np.add.reduceat(np.take(by_row, parts.order, axis=2), parts.starts, axis=2)
    sizes = np.diff(parts.starts, append=per) if weights is None else parts.shares * per
    means = first + sums / sizes
    return np.concatenate([whole, means], axis=2)


def _linked_parts(averaged: Floats, name: LinkName, whose: str = "") -> Floats:
    """(m, k, 1 + n_parts) to (m, k * (1 + n_parts)): all on the link's scale.

    Parts follow the link's tangent at the average of all rows, as their own averages may lie
    where it is not defined.
    """
    whole = link(averaged[:, :, :1], name, whose)
    parts = averaged[:, :, 1:] - averaged[:, :, :1]
    if name == "logit" and parts.shape[2]:
        parts = parts / (averaged[:, :, :1] * (1 - averaged[:, :, :1]))
    flat = (whole + parts).reshape(len(parts), parts.shape[1] * parts.shape[2])
    together = np.concatenate([whole[:, :, 0], flat], axis=1)
    return np.asarray(together)
