"""Answers through an archive: only rows that no one asked for before reach the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Ints
from perturbx.archive import Archive, ModelFacts
from perturbx.containers import digests_of, rows_at
from perturbx.errors import PredictFnError

_CHECKED, _CHECKED_BY_WORKER = 8, 2
"""Rows of the archive that are asked again where the model's version has no name."""

_SAME = 1e-4
"""An answer in a batch of another size may round differently, by this fraction at most."""

Ask = Callable[[Any, int], NDArray[Any]]
"""A batch and its number of rows to the model's answers, checked."""


@dataclass(eq=False)
class Archived:
    """An archive, as one predictor uses it.

    Parameters
    ----------
    archive : Archive
    scope : str
        The version of the model, or the name of predict_fn.
    """

    archive: Archive
    scope: str
    unchecked: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        if self.archive.model is None:
            self.unchecked = _CHECKED

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "unchecked": min(self.unchecked, _CHECKED_BY_WORKER)}

    @classmethod
    def of(cls, archive: Archive, name: str) -> Archived:
        """The archive for a model, of which `name` is that of predict_fn."""
        return cls(archive, archive.model or f"unnamed version of {name}")

    @property
    def facts(self) -> ModelFacts | None:
        """What the archive knows of the model besides its answers."""
        return self.archive.facts(self.scope)

    @property
    def cure(self) -> str:
        """What to do if the archive holds answers of another model."""
        path = str(self.archive.path)
        return (
            f" If the archive {path!r} holds answers of another model, name the version of this "
            f"one, as in archive=px.Archive({path!r}, model='version 2'), or pass another path."
        )

    def learn(self, facts: ModelFacts) -> None:
        """Keep what is known of the model."""
        self.archive.learn(self.scope, facts)

    def learn_that_it_varies(self) -> None:
        """Keep that the model gave two answers to one row."""
        known = self.facts
        if known is not None and not known.varies:
            self.learn(replace(known, varies=True))

    def answers(self, batch: Any, n_rows: int, place: str, turn: int, ask: Ask) -> NDArray[Any]:
        """The answers to a batch, of which those that are not known are asked and kept.

        With a `turn`, rows of the same content share no answer: each is found by where in the
        run it was asked.
        """
        digests = digests_of(batch, self.scope)
        if turn:
            digests = _placed(digests, f"{place} {turn}")
        known, answers = self.archive.read(digests)
        again = self._again(known)
        is_new = np.ones(n_rows, dtype=bool)
        is_new[known] = False
        new = _first_of_each(digests, np.flatnonzero(is_new))
        if answers is not None and not len(again) and not len(new):
            return answers
        asked_for = np.concatenate([new, again])
        part = batch if len(new) == n_rows else rows_at(batch, asked_for)
        asked = ask(part, len(asked_for))
        if answers is not None:
            self._compare(answers[np.searchsorted(known, again)], asked[len(new) :])
        if len(new):
            self.archive.write(self.scope, digests[new], asked[: len(new)])
        if len(new) == n_rows:
            return asked
        return self._whole(digests, known, answers, new, asked[: len(new)])

    def _again(self, known: Ints) -> Ints:
        """Positions of known rows that are asked again, since the model may have changed."""
        n = min(self.unchecked, len(known))
        if not n or ((facts := self.facts) is not None and facts.varies):
            return known[:0]
        self.unchecked -= n
        return known[np.linspace(0, len(known) - 1, n).astype(np.intp)]

    def _compare(self, then: NDArray[Any], now: NDArray[Any]) -> None:
        if not len(now):
            return
        difference = np.abs(then.astype(np.float64) - now).max()
        if then.shape == now.shape and difference <= _SAME * np.abs(now).max():
            return
        raise PredictFnError(
            f"predict_fn answers rows otherwise than the archive {str(self.archive.path)!r} holds, "
            f"by up to {difference:.3g}: the model has changed, or answers differently each time."
            f"{self.cure}"
        )

    def _whole(
        self,
        digests: NDArray[np.uint8],
        known: Ints,
        answers: NDArray[Any] | None,
        new: Ints,
        asked: NDArray[Any],
    ) -> NDArray[Any]:
        """The answers to all rows, from those known before and those asked now."""
        parts = [asked] if answers is None else [answers, asked] if len(asked) else [answers]
        if answers is not None and len(asked) and answers.shape[1:] != asked.shape[1:]:
            raise PredictFnError(
                f"predict_fn returned answers of shape {asked.shape[1:]}, but the archive "
                f"{str(self.archive.path)!r} holds answers of shape {answers.shape[1:]}.{self.cure}"
            )
        found = np.concatenate(parts)
        at = np.concatenate([known, new]).astype(np.intp)
        where = {digests[position].tobytes(): i for i, position in enumerate(at)}
        return found[[where[digest.tobytes()] for digest in digests]]


def _first_of_each(digests: NDArray[np.uint8], some: Ints) -> Ints:
    """The positions in `some` of the first row of each content."""
    first = {digests[i].tobytes(): i for i in some[::-1].tolist()}
    return np.array(sorted(first.values()), dtype=np.intp)


def _placed(digests: NDArray[np.uint8], place: str) -> NDArray[np.uint8]:
    """Digests that also tell where in a run each row was asked."""
    keys = bytearray()
    for i, digest in enumerate(digests):
        keys += blake2b(digest.tobytes() + f"{place} {i}".encode(), digest_size=16).digest()
    return np.frombuffer(bytes(keys), dtype=np.uint8).reshape(-1, 16)
