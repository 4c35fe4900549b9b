"""The number of BLAS threads is the user's: it is the same after every explain."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import perturbx as px
import pytest
import scipy.linalg  # noqa: F401 - brings a BLAS of its own
from perturbx.designs import Design, LeaveOneOut
from perturbx.samplers import OneAtATime
from perturbx.solvers import Answers, Deltas, Scores, Solver
from threadpoolctl import ThreadpoolController

SET = 3
"""The user's setting: neither one thread nor the number of cores."""


def blas_threads() -> set[int]:
    """The settings of all BLAS libraries, as a thread finds them."""
    controllers = ThreadpoolController().select(user_api="blas").lib_controllers
    return {controller.num_threads for controller in controllers}


def _set(n_threads: int) -> None:
    for controller in ThreadpoolController().select(user_api="blas").lib_controllers:
        controller.set_num_threads(n_threads)
        # Newer versions of threadpoolctl keep other threads from setting it until then.
        getattr(controller, "clear_controlling_thread", lambda: None)()


@pytest.fixture(autouse=True)
def user_setting() -> Iterator[None]:
    """Three threads, in whatever process the test runs."""
    _set(SET)
    if blas_threads() != {SET}:
        pytest.skip("threadpoolctl cannot set the threads of this BLAS")
    yield
    _set(int(os.environ.get("OPENBLAS_NUM_THREADS", "1")))


@dataclass(frozen=True)
class Watched(Solver):
    """Deltas, with a function that is called while it solves."""

    during: Callable[[], Any] = field(default=lambda: None)

    reads: ClassVar[tuple[type[Design], ...]] = (LeaveOneOut,)

    def estimate(self, answers: Answers) -> Scores:
        self.during()
        return Deltas().estimate(answers)


def explain(during: Callable[[], Any] = lambda: None, model: Any = None) -> px.Explanation:
    explainer = px.Explainer(
        model or (lambda X: X.sum(axis=1)),
        masker=px.Baseline([0.0, 0.0]),
        sampler=OneAtATime(),
        solver=Watched(during),
    )
    return explainer.explain([[2.0, 4.0]])


def in_threads(*functions: Callable[[], Any]) -> None:
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)


def test_solvers_run_on_one_thread() -> None:
    """While a solver reads answers BLAS has one thread, and afterwards what it had."""
    seen: list[set[int]] = []
    explain(lambda: seen.append(blas_threads()))
    assert seen == [{1}]
    assert blas_threads() == {SET}


@pytest.mark.parametrize("first_out", [0, 1])
def test_threads_that_overlap_leave_the_setting(first_out: int) -> None:
    """Two explains at once, whichever ends first: the setting is what it was."""
    both, first_left = threading.Barrier(2, timeout=20), threading.Event()
    seen: list[set[int]] = []

    def run(who: int) -> None:
        def during() -> None:
            both.wait()
            if who != first_out:
                assert first_left.wait(20)
            seen.append(blas_threads())

        explain(during)
        if who == first_out:
            first_left.set()

    in_threads(lambda: run(0), lambda: run(1))
    assert seen == [{1}, {1}]
    assert blas_threads() == {SET}


def test_errors_leave_the_setting() -> None:
    """A solver or a model that raises, in several threads, leaves the setting as it was."""

    def fails() -> None:
        raise ZeroDivisionError

    def model(X: np.ndarray) -> np.ndarray:
        raise ZeroDivisionError

    def run() -> None:
        with pytest.raises(ZeroDivisionError):
            explain(fails)
        with pytest.raises(px.errors.PredictFnError):
            explain(model=model)

    in_threads(*[run] * 4)
    assert blas_threads() == {SET}


def test_nested_explains_leave_the_setting() -> None:
    """An explain inside the model, or inside a solver, of another: one thread until both end."""
    seen: list[set[int]] = []

    def during() -> None:
        explain()
        seen.append(blas_threads())

    def model(X: np.ndarray) -> np.ndarray:
        explain()
        return X.sum(axis=1)

    explain(during, model)
    assert seen == [{1}]
    assert blas_threads() == {SET}


def test_models_that_limit_threads_leave_the_setting() -> None:
    """Limits of a model's own that overlap with those of a solver in another thread."""
    model_limits, solver_left = threading.Event(), threading.Event()

    def limiting(X: np.ndarray) -> np.ndarray:
        found = max(blas_threads())
        _set(1)
        model_limits.set()
        assert solver_left.wait(20)
        _set(found)
        return X.sum(axis=1)

    entered = threading.Event()

    def during() -> None:
        entered.set()
        assert model_limits.wait(20)

    def solver() -> None:
        explain(during)
        solver_left.set()

    def model() -> None:
        assert entered.wait(20)
        explain(model=limiting)

    in_threads(solver, model)
    assert blas_threads() == {SET}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forks_have_the_setting() -> None:
    """A process that was forked while another thread solved has the setting of before."""
    found: list[int] = []
    solving, forked = threading.Event(), threading.Event()

    def during() -> None:
        solving.set()
        assert forked.wait(20)

    def fork() -> None:
        assert solving.wait(20)
        pid = os.fork()
        if pid == 0:
            os._exit(max(blas_threads()))
        found.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        forked.set()

    in_threads(lambda: explain(during), fork)
    assert found == [SET]
    assert blas_threads() == {SET}
