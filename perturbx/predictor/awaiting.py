"""An `async` predict_fn, called like any other: its coroutines run in a loop of their own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, TimeoutError
from typing import Any

_PATIENCE = 10.0
"""Seconds that calls which were cancelled are waited for."""


class Awaited:
    """An async function as one that returns its answer.

    All calls run in one event loop, in a thread of its own. So they work inside a running loop,
    such as that of a notebook, and they can share a client session. Each thread that calls waits
    for its answer, so there are never more calls in flight than threads.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function
        self._flying: set[asyncio.Task[Any]] = set()
        for name in ("output_names", "resolution"):  # what a predict_fn may say of its answers
            if hasattr(function, name):
                setattr(self, name, getattr(function, name))

    def __call__(self, batch: Any, timeout: float | None = None) -> Any:
        future = asyncio.run_coroutine_threadsafe(self._answer(batch), _loop())
        try:
            return future.result(timeout)
        except TimeoutError:
            if future.done():  # raised by the function itself
                raise
            future.cancel()
            raise TimeoutError(f"no answer within timeout={timeout:g} seconds") from None
        except CancelledError:
            raise RuntimeError("The call was cancelled.") from None
        except Exception:
            raise
        except BaseException:  # Ctrl-C
            self.cancel()
            raise

    def cancel(self) -> None:
        """End every call in flight."""
        asyncio.run_coroutine_threadsafe(self._end(), _loop()).result(_PATIENCE)

    async def _answer(self, batch: Any) -> Any:
        task = asyncio.current_task()
        assert task is not None
        self._flying.add(task)
        try:
            return await self.function(batch)
        finally:
            self._flying.discard(task)

    async def _end(self) -> None:
        tasks = list(self._flying)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_PATIENCE)


_loops: dict[int, asyncio.AbstractEventLoop] = {}
"""By process: a forked one has none, since threads do not survive a fork."""

_starting = threading.Lock()


def _loop() -> asyncio.AbstractEventLoop:
    with _starting:
        pid = os.getpid()
        if pid not in _loops:
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="perturbx-async", daemon=True).start()
            _loops[pid] = loop
        return _loops[pid]
