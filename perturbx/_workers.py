"""Tasks in the workers of joblib, and errors for tasks that cannot run there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextvars import ContextVar
from inspect import iscoroutinefunction
from itertools import chain
from typing import Any, TypeVar

from perturbx._shared import Missing, Shared, carry_out, packed
from perturbx._unpicklable import culprit
from perturbx.errors import InvalidParameterError, PredictFnError

Item = TypeVar("Item")
Found = TypeVar("Found")

SPREAD_OVER: ContextVar[int | None] = ContextVar("spread_over", default=1)
"""How many threads `spread` uses, as in joblib. New threads begin with 1."""

_MOST_DEATHS = 2
"""Workers that may die in a row before a single task is done."""

_CURE = 'use n_jobs=1, or threads, as in joblib.parallel_config("threading")'


def n_workers(n_jobs: int | None) -> int:
    """The number of workers that joblib would use."""
    from joblib import effective_n_jobs

    return int(effective_n_jobs(n_jobs))


def check_workers(predict_fn: Any, n_jobs: int | None) -> None:
    """Refuse a model that would fail in worker processes, before it is called.

    Raises
    ------
    InvalidParameterError
        If `predict_fn` cannot be sent to them, or if this process was forked from one with
        workers, which do not respond to it.
    """
    from joblib.parallel import BACKENDS, get_active_backend

    calls = predict_fn, getattr(type(predict_fn), "__call__", None)  # noqa: B004
    if n_workers(n_jobs) == 1 or any(map(iscoroutinefunction, calls)) or _are_threads():
        return
    backend, _ = get_active_backend()
    if isinstance(backend, BACKENDS["loky"]) and _has_a_parents_workers():
        raise InvalidParameterError(
            f"n_jobs={n_jobs} cannot work here: this process was forked from one with worker "
            f"processes, which do not respond to it. Start it with the method 'spawn', or {_CURE}."
        )
    try:
        Shared(predict_fn).content()
    except Exception as error:
        raise _cannot_be_sent(predict_fn, "predict_fn", error) from error


def in_workers(
    function: Callable[..., Any],
    tasks: Iterable[tuple[Any, ...]],
    n_jobs: int | None,
    shared: Sequence[Shared],
    backend: str | None = None,
) -> Iterator[Any]:
    """The results of the function for the arguments of each task, in their order.

    Worker processes receive what is `shared` with the first tasks, and keep it for later calls.
    The `backend` is that of ``joblib.parallel_config`` if it is None. Where a worker process dies,
    the tasks without a result go to new workers.

    Raises
    ------
    InvalidParameterError
        If a task cannot be sent to a worker process.
    PredictFnError
        If worker processes die again and again.
    """
    from joblib import Parallel, delayed
    from joblib.parallel import get_active_backend

    left: dict[int, Any] = dict(enumerate(tasks))
    is_here = backend == "threading" or _are_threads() or n_workers(n_jobs) == 1
    if not is_here:
        left = _packed(function, left, shared)
    one_by_one = getattr(get_active_backend()[0], "supports_return_generator", False)
    found: dict[int, Any] = {}
    n_given = n_died = 0
    while left:
        asked, n_missing = list(left), 0
        ask = delayed(function) if is_here else _carried_out(shared)
        workers = Parallel(
            n_jobs=n_jobs, backend=backend, return_as="generator" if one_by_one else "list"
        )
        try:
            answers = workers(ask(*left[i]) for i in asked)
            for place, answer in zip(asked, answers, strict=True):
                if isinstance(answer, Missing):
                    n_missing += 1
                    continue
                found[place] = answer
                del left[place]
                while n_given in found:
                    yield found.pop(n_given)
                    n_given += 1
        except Exception as error:
            n_died = 1 if len(left) < len(asked) else n_died + 1
            if not _says_that_a_worker_died(error):
                raise
            if n_died > _MOST_DEATHS:
                raise _died(error) from error
        for state in shared:
            # Workers that are new, or that end with each call, do not have it.
            state.is_kept &= n_missing < len(asked)
            state.is_there = state.is_kept and not left


def _are_threads() -> bool:
    """Whether the workers of joblib are threads of this process."""
    from joblib.parallel import get_active_backend

    return bool(getattr(get_active_backend()[0], "uses_threads", False))


def _carried_out(shared: Sequence[Shared]) -> Callable[[bytes], Any]:
    """Makes the task of a worker, with the content of those states that it may not have."""
    from joblib import delayed

    contents = [() if state.is_there else state.content() for state in shared]
    keys, sizes = [state.key for state in shared], [len(content) for content in contents]
    return lambda task: delayed(carry_out)(task, keys, sizes, *chain(*contents))


def _packed(
    function: Callable[..., Any], tasks: dict[int, Any], shared: Sequence[Shared]
) -> dict[int, tuple[bytes]]:
    try:
        return {i: (packed((function, task), shared),) for i, task in tasks.items()}
    except Exception as error:
        raise _cannot_be_sent([[state.objects for state in shared], tasks], "", error) from error


def _died(error: Exception) -> PredictFnError:
    return PredictFnError(
        "A worker process died, and so did those that were started in its place: predict_fn ended "
        "it, ran out of memory, or crashed in native code. To see the cause, use n_jobs=1; to save "
        "memory, use fewer workers or a smaller batch_size, or threads, as in "
        f'joblib.parallel_config("threading"). ({type(error).__name__}: {error})'
    )


def spread(function: Callable[[Item], Found], items: Iterable[Item]) -> list[Found]:
    """The function of each item, in as many threads as `SPREAD_OVER` says.

    Each item is computed by itself, so that the results do not depend on the number of threads.
    """
    every, n_jobs = list(items), SPREAD_OVER.get()
    if len(every) < 2 or n_workers(n_jobs) == 1:
        return [function(item) for item in every]
    from joblib import Parallel, delayed

    found = Parallel(n_jobs=n_jobs, require="sharedmem")(delayed(function)(i) for i in every)
    return list(found)


def _cannot_be_sent(one: Any, name: str, error: Exception) -> InvalidParameterError:
    bad = culprit(one, name, lambda part: Shared(part).content())
    return InvalidParameterError(
        "predict_fn must be something that can be sent to worker processes (pickled) if n_jobs is "
        f"not 1: {bad} cannot. {type(error).__name__}: {error}. Create "
        f"locks, sessions and open files inside predict_fn, or {_CURE}."
    )


def _says_that_a_worker_died(error: Exception) -> bool:
    """True for workers of joblib, and of a cluster of Dask or Ray."""
    kind = type(error)
    library = kind.__module__.partition(".")[0]
    is_of_ray = library == "ray" and not kind.__name__.startswith("RayTaskError")
    return isinstance(error, BrokenProcessPool) or library == "distributed" or is_of_ray


def _has_a_parents_workers() -> bool:
    """Whether joblib holds a pool whose threads were lost in a fork: it would wait forever."""
    module = sys.modules.get("joblib.externals.loky.reusable_executor")
    pool = getattr(module, "_executor", None)
    thread = getattr(pool, "_executor_manager_thread", None)
    flags = getattr(pool, "_flags", None)
    ended = getattr(flags, "shutdown", True) or getattr(flags, "broken", True)
    return thread is not None and not thread.is_alive() and not ended
