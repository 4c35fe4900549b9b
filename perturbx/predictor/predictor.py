"""The one door to the model: calls `predict_fn` and checks every answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._rounding import DOUBLE
from perturbx._typing import Floats, Ints, OutputSelection, PredictFn
from perturbx._validation import (
    check_selection,
    distinct_names,
    invalid,
    position_of,
    top_of,
)
from perturbx.archive import Archive
from perturbx.containers import rows_at
from perturbx.errors import InvalidParameterError, ModelError, PredictFnError
from perturbx.predictor.answers import facts_of, not_finite, numbers_of
from perturbx.predictor.archived import Archived
from perturbx.predictor.awaiting import Awaited
from perturbx.predictor.calling import failure, resolve, shown_row
from perturbx.predictor.patience import ONCE, Patience

_PROBE = "the first rows"

_LARGEST = 1e150
"""Standard errors need squares, and those of larger numbers overflow float64."""


_SAME = 1e-4
"""An answer in a batch of another size may round differently, by this fraction at most."""

_KNOWN = (
    *("n_outputs", "is_vector", "output_names", "first_answers"),
    *("resolution", "varies", "seconds"),
)


@dataclass(eq=False)
class Turns:
    """Counts the calls of a model that answers differently each time."""

    n_asked: int = 1

    def next(self) -> int:
        """The number of the next call; the probe has made the first."""
        self.n_asked += 1
        return self.n_asked


@dataclass(frozen=True, eq=False)
class Predictor:
    """A model that answers batches with (n, k) float64, or with an error that says where it failed.

    Parameters
    ----------
    predict_fn : callable
        A batch to (n,) or (n, k) numbers.
    name : str
        Its name for the reader: "predict_proba of RandomForestClassifier".
    n_outputs : int
        How many outputs every later answer must have.
    is_vector : bool
        True if the model answers with (n,): there is no output axis.
    output_names : tuple of str
        A name for each output.
    first_answers : (n, n_outputs) array
        Answers to the probe. Settings are tried on them before the model is called again.
    resolution : float
        The relative rounding error of an answer: that of float64, or of float32.
    varies : bool
        True if the model gave two answers to one row.
    seconds : float or None
        What a call with one row took. No score depends on it.
    archived : Archived or None
        Where answers are kept, and looked up before the model is asked.
    patience : Patience
        How often a failed call is made again, and how long one may take.
    turns : Turns or None
        Numbers the calls that have no number.
    """

    predict_fn: Callable[[Any], Any]
    name: str
    n_outputs: int
    is_vector: bool
    output_names: tuple[str, ...]
    first_answers: Floats
    resolution: float = DOUBLE
    varies: bool = False
    seconds: float | None = None
    archived: Archived | None = None
    patience: Patience = ONCE
    turns: Turns | None = None

    @property
    def is_complementary(self) -> bool:
        """True for the probabilities of two classes: either may be 1 minus the other."""
        near = np.abs(self.first_answers.sum(axis=1) - 1) <= 4 * self.resolution
        return self.n_outputs == 2 and bool(near.all())

    @property
    def is_async(self) -> bool:
        """True if calls are awaited: they are made by threads, also where there are workers."""
        return isinstance(self.predict_fn, Awaited)

    def known(self) -> dict[str, Any]:
        """What was learned of the model, as plain values."""
        return {name: getattr(self, name) for name in _KNOWN}

    @classmethod
    def recalled(
        cls,
        predict_fn: PredictFn | Any,
        known: Mapping[str, Any],
        archive: Archive | None,
        patience: Patience,
    ) -> Predictor:
        """The predictor of a model that was asked before, of which so much is `known`."""
        function, name = resolve(predict_fn)
        archived = None if archive is None else Archived.of(archive, name)
        found = cls(function, name, **known, archived=archived, patience=patience)
        names, first = found.output_names, found.first_answers
        if not (
            set(known) == set(_KNOWN)
            and isinstance(names, tuple)
            and first.dtype == np.float64
            and first.shape[1:] == (found.n_outputs,) == (len(names),)
        ):
            raise ValueError("outputs that do not fit together")
        return found

    def check_same(self, rows: Any) -> None:
        """Refuse a model that does not answer the rows of the probe as it did."""
        then = self.first_answers
        now = self(rows, len(then), None, "the rows that fit saw first")
        difference, size = float(np.abs(then - now).max()), float(np.abs(now).max())
        if not difference <= max(_SAME, self.resolution) * max(size, 1e-300):
            raise PredictFnError(
                "predict_fn answers rows of fit otherwise than when the explainer was saved, by up "
                f"to {difference:.3g}: it is another model, or answers differently each time. Pass "
                "the model that was explained, or fit the explainer again."
            )

    def cancel(self) -> None:
        """End the calls that are still awaited."""
        if isinstance(self.predict_fn, Awaited):
            self.predict_fn.cancel()

    def __call__(
        self, batch: Any, n_rows: int, columns: Ints | None, place: str, turn: int = 0
    ) -> Floats:
        """Answers to a batch of `n_rows` rows, (n_rows, k): some columns, or all for None.

        `turn` numbers the evaluations of a model that answers differently each time: no two of
        its rows share an answer of the archive.
        """
        if not turn and self.turns is not None:
            turn = self.turns.next()
        try:
            if self.archived is None:
                answer = self._checked(batch, n_rows, place)
            else:
                asks = partial(self._checked, place=place, whole=True)
                answer = self.archived.answers(batch, n_rows, place, turn, asks)
        except ModelError as error:
            if not self.patience.retries or n_rows == 1:
                raise
            return self._in_parts(batch, n_rows, columns, place, turn, error)
        if self.is_vector:
            answer = answer[:, None]
        elif columns is not None:
            answer = answer[:, columns]
        return _finite(answer, place)

    def _in_parts(
        self, batch: Any, n_rows: int, columns: Ints | None, place: str, turn: int, error: Exception
    ) -> Floats:
        """The answers to a batch that fails as a whole: the first row's, then those of halves.

        Raises
        ------
        PredictFnError
            If a row fails by itself; it is named.
        """
        answers = []
        for start, stop in [(0, 1), (1, (n_rows + 1) // 2), ((n_rows + 1) // 2, n_rows)]:
            rows = np.arange(start, stop)
            if not len(rows):
                continue
            part = rows_at(batch, rows)
            try:
                answers.append(self(part, len(rows), columns, place, turn))
            except ModelError as failed:
                if len(rows) > 1:
                    raise
                raise PredictFnError(
                    f"{str(failed).rstrip('. ')}. It fails for one row alone: {shown_row(part)}"
                ) from error
        return np.concatenate(answers)

    def known_to_vary(self) -> Predictor:
        """The same model, after it gave two answers to one row."""
        if self.archived is not None:
            self.archived.learn_that_it_varies()
        return replace(self, varies=True)

    def numbered(self) -> Predictor:
        """The same model; if it varies, no two rows that it is asked share an answer from now on.

        A second run asks the same questions in the same order, and so finds the answers again.
        """
        return replace(self, turns=Turns()) if self.varies and self.archived is not None else self

    def _checked(self, batch: Any, n_rows: int, place: str, whole: bool = False) -> NDArray[Any]:
        """The model's answer, of the shape of the first; all finite, if it is kept as a `whole`."""
        _, answer = _ask(self.predict_fn, batch, n_rows, place, self.patience)
        if answer.shape[1:] != (() if self.is_vector else (self.n_outputs,)):
            was = "(n,)" if self.is_vector else f"(n, {self.n_outputs})"
            raise PredictFnError(
                f"predict_fn returned shape {answer.shape} for {place}, but with {was} before: "
                "it must return the same outputs for every batch."
                f"{'' if self.archived is None else self.archived.cure}"
            )
        if whole:
            _finite(answer, place)
        return answer

    def select(self, outputs: OutputSelection, answers: Floats) -> tuple[Ints, bool]:
        """Which columns are explained for each instance, and whether an output axis stays.

        Parameters
        ----------
        outputs : None, int, str or a sequence
            The user's choice.
        answers : (n, n_outputs) array
            The model's answers to the instances, by which "top3" is decided.

        Returns
        -------
        columns : (n, k) int array
        keeps_axis : bool
        """
        check_selection(outputs)
        n = len(answers)
        top = top_of(outputs)
        if top is not None and outputs not in self.output_names:
            if not 1 <= top <= self.n_outputs:
                raise invalid("outputs", f'"top1" to "top{self.n_outputs}"', outputs)
            return np.argsort(-answers, axis=1, kind="stable")[:, :top], True
        if outputs is None:
            return np.tile(np.arange(self.n_outputs), (n, 1)), not self.is_vector
        is_one = isinstance(outputs, (str, int, np.integer))
        keys: Any = [outputs] if is_one else outputs
        columns = [
            position_of(key, self.output_names, self.n_outputs, "output", InvalidParameterError)
            for key in keys
        ]
        if len(set(columns)) < len(columns):
            raise invalid("outputs", "distinct outputs", outputs)
        return np.tile(columns, (n, 1)), not is_one


def connect(
    predict_fn: PredictFn | Any,
    batch: Any,
    n_rows: int,
    names: Sequence[str] | None,
    archive: Archive | None = None,
    patience: Patience = ONCE,
) -> Predictor:
    """Call the model once, to learn the shape of its answers."""
    function, name = resolve(predict_fn)
    archived = None if archive is None else Archived.of(archive, name)
    if archived is None:
        raw, answer = _ask(function, batch, n_rows, _PROBE, patience)
        facts = facts_of(function, raw, answer)
    else:

        def ask(part: Any, n: int) -> NDArray[Any]:
            raw, found = _ask(function, part, n, _PROBE, patience)
            _finite(found, _PROBE)
            if archived.facts is None:  # kept before the answers, since a kill may come between
                archived.learn(facts_of(function, raw, found))
            return found

        answer = archived.answers(batch, n_rows, _PROBE, 0, ask)
        known = archived.facts
        facts = facts_of(function, answer, answer) if known is None else known
        if known is None:  # the file was damaged
            archived.learn(facts)
    n_outputs = 1 if answer.ndim == 1 else answer.shape[1]
    first = _finite(answer.reshape(n_rows, n_outputs), _PROBE)
    output_names = _output_names(function, facts.columns, n_outputs, names)
    return Predictor(
        function,
        name,
        n_outputs,
        answer.ndim == 1,
        output_names,
        first,
        facts.resolution,
        archived=archived,
        patience=patience,
    )


def _ask(
    function: Callable[[Any], Any], batch: Any, n_rows: int, place: str, patience: Patience
) -> tuple[Any, NDArray[Any]]:
    """The raw answer, and its numbers in an array of shape (n_rows,) or (n_rows, k)."""
    try:
        raw = function(batch) if patience == ONCE else patience.call(function, batch)
    except Exception as error:
        raise failure(function, batch, place, error, patience.attempts(error)) from error
    is_plain = type(raw) is np.ndarray and raw.dtype.kind in "biuf" and raw.ndim in (1, 2)
    if is_plain and len(raw) == n_rows and raw.size:
        return raw, raw
    return raw, numbers_of(raw, n_rows, place)


def _finite(answer: NDArray[Any], place: str) -> Floats:
    """A float64 copy of an answer, without NaN, infinity, and numbers too large to square."""
    with np.errstate(over="ignore"):  # beyond float64: becomes infinite and is refused
        answers = answer.astype(np.float64)
    if not np.abs(answers).max() <= _LARGEST:  # also true of NaN
        raise not_finite(answers, place)
    return answers


def _output_names(
    function: Callable[[Any], Any],
    columns: tuple[Any, ...],
    n_outputs: int,
    names: Sequence[str] | None,
) -> tuple[str, ...]:
    """The user's names, else the model's, else those of the answer's columns, else numbers."""
    if names is not None:
        if len(names) != n_outputs or len(set(names)) < len(names):
            raise invalid("output_names", f"{n_outputs} distinct names, one per output", names)
        return distinct_names("output_names", names)
    classes = getattr(getattr(function, "__self__", None), "classes_", None)
    own = getattr(function, "output_names", None)
    if isinstance(classes, np.ndarray) and len(classes) == n_outputs:
        source, labels = "classes_ of the model", classes.tolist()
    elif isinstance(own, (list, tuple)) and len(own) == n_outputs == len(set(own)):
        source, labels = "output_names of predict_fn", own
    elif len(columns) == n_outputs:
        source, labels = "columns of predict_fn's answer", columns
    else:
        return ("output",) if n_outputs == 1 else tuple(f"output {i}" for i in range(n_outputs))
    return distinct_names(source, labels, PredictFnError, "pass output_names=[...]")
