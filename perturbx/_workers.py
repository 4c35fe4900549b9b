"""Tasks in the workers of joblib, and errors for tasks that cannot run there."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextvars import ContextVar
from inspect import iscoroutinefunction
from typing import Any, TypeVar

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
    from joblib.externals.loky.backend import reduction
    from joblib.parallel import BACKENDS, get_active_backend

    backend, _ = get_active_backend()
    calls = predict_fn, getattr(type(predict_fn), "__call__", None)  # noqa: B004
    threads = getattr(backend, "uses_threads", False) or any(map(iscoroutinefunction, calls))
    if threads or n_workers(n_jobs) == 1:
        return
    if isinstance(backend, BACKENDS["loky"]) and _has_a_parents_workers():
        raise InvalidParameterError(
            f"n_jobs={n_jobs} cannot work here: this process was forked from one with worker "
            f"processes, which do not respond to it. Start it with the method 'spawn', or {_CURE}."
        )
    # multiprocessing pickles functions by name, all other backends by value if necessary.
    by_name = isinstance(backend, BACKENDS["multiprocessing"])
    try:
        (pickle.dump if by_name else reduction.dump)(predict_fn, _Nowhere())
    except Exception as error:
        raise _cannot_be_sent(error) from error


def in_workers(
    function: Callable[..., Any],
    tasks: Iterable[tuple[Any, ...]],
    n_jobs: int | None,
    backend: str | None = None,
) -> Iterator[Any]:
    """The results of the function for the arguments of each task, in their order.

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

    left, n_died = list(tasks), 0
    one_by_one = getattr(get_active_backend()[0], "supports_return_generator", False)
    while left:
        workers = Parallel(
            n_jobs=n_jobs, backend=backend, return_as="generator" if one_by_one else "list"
        )
        n_done = 0
        try:
            for found in workers(delayed(function)(*task) for task in left):
                n_done += 1
                yield found
            return
        except pickle.PicklingError as error:
            raise _cannot_be_sent(error) from error
        except Exception as error:
            n_died = 1 if n_done else n_died + 1
            if not _says_that_a_worker_died(error):
                raise
            if n_died > _MOST_DEATHS:
                raise _died(error) from error
            left = left[n_done:]


def _died(error: Exception) -> PredictFnError:
    return PredictFnError(
        "A worker process died, or could not read its task, and so did those that were started "
        "in its place: predict_fn ended it, ran out of memory, crashed in native code, or imports "
        "a module that the worker does not find. To see the cause, use n_jobs=1; to save memory, "
        "use fewer workers or a smaller batch_size, or threads, as in "
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


class _Nowhere:
    """A file that discards everything."""

    def write(self, content: Any) -> int:
        return len(content)


def _cannot_be_sent(error: Exception) -> InvalidParameterError:
    return InvalidParameterError(
        "predict_fn must be something that can be sent to worker processes (pickled) if n_jobs is "
        f"not 1: {type(error).__name__}: {error}. Create locks, sessions and open files inside "
        f"predict_fn, or {_CURE}."
    )


def _says_that_a_worker_died(error: Exception) -> bool:
    """True for workers of joblib and of a dask cluster."""
    is_of_dask = type(error).__module__.partition(".")[0] == "distributed"
    return isinstance(error, BrokenProcessPool) or is_of_dask


def _has_a_parents_workers() -> bool:
    """Whether joblib holds a pool whose threads were lost in a fork: it would wait forever."""
    module = sys.modules.get("joblib.externals.loky.reusable_executor")
    pool = getattr(module, "_executor", None)
    thread = getattr(pool, "_executor_manager_thread", None)
    flags = getattr(pool, "_flags", None)
    ended = getattr(flags, "shutdown", True) or getattr(flags, "broken", True)
    return thread is not None and not thread.is_alive() and not ended
