"""Tasks in the workers of joblib, and errors for tasks that cannot run there."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from itertools import chain
from typing import Any, TypeVar

from perturbx._shared import Missing, Shared, answered, packed
from perturbx._unpicklable import culprit
from perturbx.errors import InvalidParameterError, PredictFnError

Item = TypeVar("Item")
Found = TypeVar("Found")

SPREAD_OVER: ContextVar[int | None] = ContextVar("spread_over", default=1)
"""How many threads `spread` uses, as in joblib. New threads begin with 1."""

_MOST_DEATHS = 2
"""Workers that may die in a row before a single task is done."""

_COUNTED_FOR = 5.0
"""Seconds after which workers are counted anew: a cluster may grow, and Dask's tells it slowly."""

_CURE = 'use n_jobs=1, or threads, as in joblib.parallel_config("threading")'


@dataclass(eq=False)
class _Kept:
    """What stays while one explanation is made.

    Parameters
    ----------
    counts : dict
        By backend and `n_jobs`, the number of workers, and until when it is taken to be known.
    pools : dict
        By `n_jobs`, the `joblib.Parallel` of a backend whose workers would end with each call.
    """

    counts: dict[Any, tuple[int, float]] = field(default_factory=dict)
    pools: dict[int | None, Any] = field(default_factory=dict)

    def end(self, n_jobs: int | None) -> None:
        """End the workers of a pool, if there is one."""
        pool = self.pools.pop(n_jobs, None)
        if pool is not None:
            pool.__exit__(None, None, None)


_KEPT: ContextVar[_Kept | None] = ContextVar("kept", default=None)


@contextmanager
def workers_kept() -> Iterator[None]:
    """Within, workers that would end with each round stay, and are not counted all the time."""
    if _KEPT.get() is not None:
        yield
        return
    kept = _Kept()
    before = _KEPT.set(kept)
    try:
        yield
    finally:
        _KEPT.reset(before)
        for n_jobs in list(kept.pools):
            kept.end(n_jobs)


def n_workers(n_jobs: int | None) -> int:
    """The number of workers that joblib would use."""
    from joblib import effective_n_jobs
    from joblib.parallel import get_active_backend

    kept = _KEPT.get()
    if kept is None:
        return int(effective_n_jobs(n_jobs))
    backend, configured = get_active_backend()
    key, now = (type(backend), configured, n_jobs), time.monotonic()
    n, until = kept.counts.get(key, (0, now))
    if until <= now:
        n = int(effective_n_jobs(n_jobs))
        kept.counts[key] = n, now + _COUNTED_FOR
    return n


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
    from joblib import delayed

    left: dict[int, Any] = dict(enumerate(tasks))
    is_here = backend == "threading" or _are_threads() or n_workers(n_jobs) == 1
    if not is_here:
        left = _packed(function, left, shared)
    found: dict[int, Any] = {}
    n_given = n_died = 0
    fewest: float = min(n_workers(n_jobs), len(left))
    while left:
        asked, n_missing = list(left), 0
        ask = delayed(function) if is_here else _carried_out(shared, fewest)
        try:
            answers = _pool(n_jobs, backend)(ask(*left[i]) for i in asked)
            for place, answer in zip(asked, answers, strict=True):
                if not is_here:
                    worker, answer = answer
                    if isinstance(answer, Missing):
                        n_missing += 1
                        continue
                    for state in shared:
                        state.workers.add(worker)
                found[place] = answer
                del left[place]
                while n_given in found:
                    yield found.pop(n_given)
                    n_given += 1
        except Exception as error:
            n_died = 1 if len(left) < len(asked) else n_died + 1
            _end_pool(n_jobs)
            if not _says_that_a_worker_died(error):
                raise
            if n_died > _MOST_DEATHS:
                raise _died(error) from error
        for state in shared:
            state.is_kept &= n_missing < len(asked)
        fewest = math.inf  # what is left now goes to workers that are new


def _are_threads() -> bool:
    """Whether the workers of joblib are threads of this process."""
    from joblib.parallel import get_active_backend

    return bool(getattr(get_active_backend()[0], "uses_threads", False))


def _pool(n_jobs: int | None, backend: str | None) -> Any:
    """Workers of joblib, as they were in the last round if they would end with it."""
    from joblib import Parallel
    from joblib.parallel import BACKENDS, get_active_backend

    active, kept = get_active_backend()[0], _KEPT.get()
    one_by_one = getattr(active, "supports_return_generator", False)
    # Tasks are of the right size: joblib would join those that follow quick ones.
    made = Parallel(
        n_jobs=n_jobs,
        backend=backend,
        batch_size=1,
        return_as="generator" if one_by_one else "list",
    )
    # Pools of joblib itself keep files of all that was sent until they end.
    pools = BACKENDS["multiprocessing"], BACKENDS["threading"]
    is_own = type(active).__module__.startswith("joblib.")
    if kept is None or backend is not None or is_own or not isinstance(active, pools):
        return made
    if n_jobs not in kept.pools:
        kept.pools[n_jobs] = made.__enter__()
    return kept.pools[n_jobs]


def _end_pool(n_jobs: int | None) -> None:
    kept = _KEPT.get()
    if kept is not None:
        kept.end(n_jobs)


def _carried_out(shared: Sequence[Shared], fewest: float) -> Callable[[bytes], Any]:
    """Makes the task of a worker, with the content of states that fewer workers than these have."""
    from joblib import delayed

    contents = [state.content_for(fewest) for state in shared]
    keys, sizes = [state.key for state in shared], [len(content) for content in contents]
    return lambda task: delayed(answered)(task, keys, sizes, *chain(*contents))


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
