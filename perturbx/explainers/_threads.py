"""Linear algebra on one thread while solvers run, and on as many as before afterwards.

Most BLAS libraries have one setting for the process. If every thread restored the value that it
found, a thread that starts while another one solves would find 1 and leave it behind. So the
setting is read when the first `explain` of the process begins, and restored when the last solver
ends. Models may also limit threads for a moment (scikit-learn's nearest neighbors do), so the
largest number seen is restored.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from perturbx._workers import SPREAD_OVER


class _Library:
    """One BLAS library: its setting, and whether each thread has its own setting."""

    def __init__(self, controller: Any) -> None:
        self.controller = controller
        self.found = int(controller.num_threads)
        self.is_thread_local: bool | None = None

    def set(self, n_threads: int) -> None:
        if self.controller.num_threads != n_threads:
            self.controller.set_num_threads(n_threads)
        # Newer versions of threadpoolctl let no other thread set it until this one releases it.
        getattr(self.controller, "clear_controlling_thread", lambda: None)()

    def limit(self) -> int:
        """Set it to one thread; returns the previous setting of this thread."""
        mine = int(self.controller.num_threads)
        self.set(1)
        if self.is_thread_local is None and mine != 1 and self.controller.num_threads == 1:
            seen: list[int] = []
            other = threading.Thread(target=lambda: seen.append(self.controller.num_threads))
            other.start()
            other.join()
            self.is_thread_local = seen != [1]
        return mine


class _Setting:
    """The setting of the process, which several threads may limit at once."""

    def __init__(self) -> None:
        from threadpoolctl import ThreadpoolController

        controllers = ThreadpoolController().select(user_api="blas").lib_controllers
        self.libraries = [_Library(controller) for controller in controllers]
        self.lock = threading.Lock()
        self.explaining: list[int] = []
        self.solving: list[int] = []
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget_other_threads)

    def restore(self) -> None:
        """Restore what all threads share."""
        for library in self.libraries:
            if not library.is_thread_local:
                library.found = max(library.found, library.controller.num_threads)
                library.set(library.found)

    def _forget_other_threads(self) -> None:
        """In a forked process, which has one thread: no other thread will unlock or restore."""
        self.lock = threading.Lock()
        me = threading.get_ident()
        was_limited = bool(self.solving)
        self.explaining = [thread for thread in self.explaining if thread == me]
        self.solving = [thread for thread in self.solving if thread == me]
        if was_limited and not self.solving:
            self.restore()


@cache
def _setting() -> _Setting:
    return _Setting()


@contextmanager
def threads_kept() -> Iterator[None]:
    """Afterwards BLAS has as many threads as before, whatever solvers and the model did."""
    setting = _setting()
    with setting.lock:
        if not setting.explaining:
            for library in setting.libraries:
                library.found = int(library.controller.num_threads)
        setting.explaining.append(threading.get_ident())
    try:
        yield
    finally:
        with setting.lock:
            setting.explaining.remove(threading.get_ident())
            if not setting.explaining:
                setting.restore()


@contextmanager
def one_thread(n_jobs: int | None = 1) -> Iterator[None]:
    """Limit BLAS to one thread, while solvers spread their targets over `n_jobs`.

    Matrices are small: more threads would wait for each other, and round differently.
    """
    setting, me = _setting(), threading.get_ident()
    before = SPREAD_OVER.set(n_jobs)
    with setting.lock:
        if not setting.solving:
            for library in setting.libraries:
                library.found = max(library.found, library.controller.num_threads)
        setting.solving.append(me)
        mine = [library.limit() for library in setting.libraries]
    try:
        yield
    finally:
        SPREAD_OVER.reset(before)
        with setting.lock:
            setting.solving.remove(me)
            for library, n_threads in zip(setting.libraries, mine, strict=True):
                if library.is_thread_local:
                    library.set(n_threads)
            if not setting.solving:
                setting.restore()
