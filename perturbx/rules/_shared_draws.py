"""Random numbers that several rules share, a batch at a time."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Draw: TypeAlias = Callable[[np.random.Generator, int], NDArray[Any]]
"""The next n random numbers (n, ...) of one kind; those of n and of m follow as n + m would."""


class SharedDraws:
    """The same n random numbers for every rule, a batch at a time.

    Of more than a batch only the states of the generator are kept from which they are drawn again,
    so that memory does not grow with n or with the number of rules. The generator itself moves on
    past all n at once.

    Parameters
    ----------
    kinds : tuple of Draw
        All n of the first kind come before those of the second in the stream of the generator.
    n : int
    rng : numpy generator
    step : int
        The most draws in a batch.
    """

    def __init__(
        self, kinds: tuple[Draw, ...], n: int, rng: np.random.Generator, step: int
    ) -> None:
        self.kinds, self.n, self.step = kinds, n, step
        self.numbers, self.starts = list[NDArray[Any]](), list[np.random.Generator]()
        for draw in kinds:
            if n <= step:
                self.numbers.append(draw(rng, n))
                continue
            self.starts.append(copy.deepcopy(rng))
            for start in range(0, n, step):
                draw(rng, min(step, n - start))

    def batches(self, n_rules: int) -> Iterator[list[tuple[int, list[NDArray[Any]]]]]:
        """Batches of `step` draws, rule after rule: the rule, and its numbers, for reading only."""
        batch, room = list[tuple[int, list[NDArray[Any]]]](), self.step
        for rule in range(n_rules):
            streams, done = copy.deepcopy(self.starts), 0
            while done < self.n:
                n = min(self.n - done, room)
                batch.append((rule, self._next(streams, done, n)))
                done, room = done + n, room - n
                if not room:
                    yield batch
                    batch, room = [], self.step
        if batch:
            yield batch

    def _next(self, streams: list[np.random.Generator], done: int, n: int) -> list[NDArray[Any]]:
        if self.numbers:
            return [numbers[done : done + n] for numbers in self.numbers]
        return [draw(rng, n) for draw, rng in zip(self.kinds, streams, strict=True)]
