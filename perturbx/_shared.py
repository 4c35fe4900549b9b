"""What the tasks of a run have in common: each worker process receives it once."""

from __future__ import annotations

import io
import math
import os
import pickle
import platform
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from perturbx._generators import GENERATORS, uses_module_generator
from perturbx.errors import PredictFnError, UnstableModelWarning

_WORTH_NAMING = 2**10
"""Arrays of so many bytes are not sent again with each task."""

_APART = 2**20
"""Arrays of so many bytes are not pickled: joblib maps them into the memory of its workers."""

_SMALL = 2**15
"""So many pickled bytes go with each task as they are: what Dask sends apart, it sends to one
worker first, which then gets all tasks."""

_ENOUGH = 2
"""Rounds after which all workers are taken to have what they bring."""

_MOST_KEPT = 4
"""How many of the latest shared states a worker keeps: those of two runs."""

_REPEATS = (
    "predict_fn draws from a random generator that it or its module holds. Each worker process has "
    "a copy that draws the same numbers: the noise of their answers repeats itself, and standard "
    "errors are too small. Make the generator inside predict_fn, as in np.random.default_rng(), or "
    "use n_jobs=1."
)

Content = tuple[Any, ...]
"""What is pickled, as bytes or an array of them, and then the large arrays within it."""


Worker = tuple[str, int, int]
"""A thread of a process of a machine."""


class Shared:
    """Objects that many tasks refer to, such as the model and the background.

    A task is pickled with names in place of these objects, and of the large arrays and the parts
    of perturbx within them. They must not change until the last task has been packed.

    If the model `varies`, a generator within it is warned about, as its copies draw the same.
    """

    def __init__(self, *objects: Any, varies: bool = False) -> None:
        self.key = uuid4().hex
        self.objects, self.varies = objects, varies
        self.workers = set[Worker]()  # those that have answered with it
        self.n_sent = 0  # rounds in which all tasks brought it
        self.is_kept = True  # False for workers that end with each call
        self._content: Content = ()
        self._named: list[Any] = []
        self._places: dict[int, int] = {}

    def content(self) -> Content:
        """The pickled objects, and the large arrays within them, which are not copied."""
        if not self._content:
            apart, file, generators = list[NDArray[Any]](), io.BytesIO(), list[Any]()
            for one in self.objects:
                self._name(one)

            def place(one: Any) -> int | None:
                self._find(one)
                if isinstance(one, GENERATORS):
                    generators.append(one)
                if not _is_array(one, _APART) or one.dtype.hasobject:
                    return None
                at = next((i for i, other in enumerate(apart) if other is one), len(apart))
                apart[at:] = apart[at:] or [one]
                return at

            # The list comes last, and so holds what is found while the objects are pickled.
            _writer()(file, place).dump((self.objects, self._named))
            if self.varies and (generators or any(map(uses_module_generator, self.objects))):
                warnings.warn(_REPEATS, UnstableModelWarning, stacklevel=2)
            pickled = file.getbuffer()
            is_small = pickled.nbytes <= _SMALL
            whole = bytes(pickled) if is_small else np.frombuffer(pickled, dtype=np.uint8)
            self._content = whole, *apart
        return self._content

    def content_for(self, fewest: float) -> Content:
        """The content, or nothing where so many workers have it as get a task.

        In a round of quick tasks one worker may get all of them. So two rounds are enough, and a
        worker that was left out says so.
        """
        is_spread = len(self.workers) >= fewest or self.n_sent >= _ENOUGH
        if self.is_kept and is_spread and fewest < math.inf:
            return ()
        self.n_sent += 1
        return self.content()

    def place(self, one: Any) -> int | None:
        """The place of an object in the list of those that have names, or None."""
        return self._places.get(id(one))

    def _find(self, one: Any) -> None:
        if _is_array(one, _WORTH_NAMING) or type(one).__module__.startswith("perturbx."):
            self._name(one)

    def _name(self, one: Any) -> None:
        if id(one) not in self._places:
            self._places[id(one)] = len(self._named)
            self._named.append(one)  # keeps it alive, and so its id


def packed(task: Any, shared: Sequence[Shared]) -> bytes:
    """A task as a worker receives it, with names in place of what is shared."""

    def place(one: Any) -> tuple[int, int] | None:
        for which, state in enumerate(shared):
            at = state.place(one)
            if at is not None:
                return which, at
        return None

    for state in shared:
        state.content()  # gives names
    file = io.BytesIO()
    _writer()(file, place).dump(task)
    return file.getvalue()


@dataclass(frozen=True)
class Missing:
    """The answer of a worker that does not have what a task refers to."""


_kept: dict[str, list[list[Any]]] = {}
"""The copies of each shared state that no task uses at the moment, by key; the latest last."""

_lock = threading.Lock()


def answered(*given: Any) -> tuple[Worker, Any]:
    """Which worker this is, and what `carry_out` makes of what is given."""
    return (platform.node(), os.getpid(), threading.get_ident()), carry_out(*given)


def carry_out(task: bytes, keys: Sequence[str], sizes: Sequence[int], *content: Any) -> Any:
    """Carry out a packed task in a worker; `content` is that of the states with a size above 0.

    No two threads use the same copy, since a model may not be safe to call from several.
    """
    states: list[list[Any]] = []
    try:
        for key, size in zip(keys, sizes, strict=True):
            state = _taken(key)
            if state is None and not size:
                return Missing()
            states.append(_unpacked(content[:size]) if state is None else state)
            content = content[size:]
        function, arguments = _read(task, lambda name: states[name[0]][name[1]])
        return function(*arguments)
    finally:
        for key, state in zip(keys, states, strict=False):
            _put_back(key, state)


def _taken(key: str) -> list[Any] | None:
    with _lock:
        copies = _kept.get(key)
        return copies.pop() if copies else None


def _put_back(key: str, state: list[Any]) -> None:
    with _lock:
        _kept[key] = [*_kept.pop(key, []), state]
        while len(_kept) > _MOST_KEPT:
            del _kept[next(iter(_kept))]


def _unpacked(content: Content) -> list[Any]:
    """What has names. Arrays are our own, unless they are mapped, and then read-only."""
    own = [np.asarray(one) if isinstance(one, np.memmap) else one.copy() for one in content[1:]]
    _, named = _read(memoryview(content[0]), own.__getitem__)
    return list(named)


def _read(pickled: Any, find: Callable[[Any], Any]) -> Any:
    try:
        return _Reader(pickled, find).load()
    except Exception as error:
        raise PredictFnError(
            f"A worker process cannot read predict_fn or the data: {type(error).__name__}: {error}."
            " Where a module is missing, install it where workers run, or define predict_fn and "
            "its classes in the script itself, from which they are sent by value."
        ) from error


class _Reader(pickle.Unpickler):
    def __init__(self, pickled: Any, find: Callable[[Any], Any]) -> None:
        super().__init__(io.BytesIO(pickled))
        self.find = find

    def persistent_load(self, name: Any) -> Any:
        return self.find(name)


def _is_array(one: Any, n_bytes: int) -> bool:
    return type(one) in (np.ndarray, np.memmap) and one.nbytes >= n_bytes


@cache
def _writer() -> Any:
    """A class that pickles, functions by value if necessary, and asks `place` of every object."""
    try:
        from cloudpickle import Pickler
    except ImportError:  # joblib before 1.6 has its own copy
        from joblib.externals.cloudpickle import Pickler

    class Writer(Pickler):  # type: ignore[misc, unused-ignore]
        def __init__(self, file: Any, place: Callable[[Any], Any]) -> None:
            super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
            self.place = place

        def persistent_id(self, one: Any) -> Any:
            return self.place(one)

    return Writer
