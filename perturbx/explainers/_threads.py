"""Linear algebra on one thread while solvers run, and on as many as before afterwards.

Most BLAS libraries have one setting for the process. If every thread put back what it found, a
thread that starts while another one solves would find 1 and leave it behind. So the setting is
read when the first `explain` of the process begins, and restored when the last solver leaves.
Models limit threads as well for a moment (scikit-learn's nearest neighbors do), so the largest
number that was seen counts.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


class _Library:
    """One BLAS library: its setting, and whether each thread has a setting of its own."""

    def __init__(self, controller: Any) -> None:
        self._controller = controller
        self.found = self.read()
        self.is_thread_local: bool | None = None

    def read(self) -> int:
        return int(self._controller.num_threads)

    def set(self, n_threads: int) -> None:
        if self.read() != n_threads:
            self._controller.set_num_threads(n_threads)
        # Newer versions of threadpoolctl let no other thread set it until this one lets go.
        getattr(self._controller, "clear_controlling_thread", lambda: None)()

    def restore(self) -> None:
        self.found = max(self.found, self.read())
        self.set(self.found)

    def limit(self) -> int:
        """Set to one thread; returns what this thread had."""
        mine = self.read()
        self.set(1)
        if self.is_thread_local is None and mine != 1 and self.read() == 1:
            seen: list[int] = []
            other = threading.Thread(target=lambda: seen.append(self.read()))
            other.start()
            other.join()
            self.is_thread_local = seen != [1]
        return mine


class _Setting:
    """The setting of the process, which several threads may ask to limit at once."""

    def __init__(self) -> None:
        from threadpoolctl import ThreadpoolController

        controllers = ThreadpoolController().select(user_api="blas").lib_controllers
        self._libraries = [_Library(controller) for controller in controllers]
        self._lock = threading.Lock()
        self._explaining: list[int] = []
        self._solving: list[int] = []
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget_other_threads)

    @contextmanager
    def kept(self) -> Iterator[None]:
        with self._lock:
            if not self._explaining:
                for library in self._libraries:
                    library.found = library.read()
            self._explaining.append(threading.get_ident())
        try:
            yield
        finally:
            with self._lock:
                self._explaining.remove(threading.get_ident())
                self._restore(unless=self._explaining)

    @contextmanager
    def limited(self) -> Iterator[None]:
        with self._lock:
            if not self._solving:
                for library in self._libraries:
                    library.found = max(library.found, library.read())
            self._solving.append(threading.get_ident())
            mine = [library.limit() for library in self._libraries]
        try:
            yield
        finally:
            with self._lock:
                self._solving.remove(threading.get_ident())
                for library, n_threads in zip(self._libraries, mine, strict=True):
                    if library.is_thread_local:
                        library.set(n_threads)
                self._restore(unless=self._solving)

    def _restore(self, unless: list[int]) -> None:
        """What all threads share, unless some thread still needs it as it is."""
        for library in self._libraries:
            if not unless and not library.is_thread_local:
                library.restore()

    def _forget_other_threads(self) -> None:
        """In a forked process, which has one thread: nobody else will unlock or restore."""
        self._lock = threading.Lock()
        me = threading.get_ident()
        was_limited = bool(self._solving)
        self._explaining = [thread for thread in self._explaining if thread == me]
        self._solving = [thread for thread in self._solving if thread == me]
        if was_limited:
            self._restore(unless=self._solving)


@cache
def _setting() -> _Setting:
    return _Setting()


def threads_kept() -> Any:
    """A context after which BLAS has as many threads as before, whatever solvers and model did."""
    return _setting().kept()


def one_thread() -> Any:
    """A context in which BLAS has one thread.

    Matrices are small: threads would wait for each other, and round differently.
    """
    return _setting().limited()
