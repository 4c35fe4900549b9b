"""Two workers asked for in a fork, a daemon, a thread or another worker: it works or says why."""

from __future__ import annotations

import multiprocessing
import os
import threading
import warnings
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import perturbx as px
import pytest

ROWS = np.random.default_rng(0).normal(size=(30, 5))


def scores(n_jobs: int = 2) -> np.ndarray:
    """Of three rows, by a model that every process can receive."""
    masker = px.Background(ROWS[:10])
    explainer = px.KernelShap(
        lambda X: X[:, 0] * X[:, 1] + X[:, 2],
        masker=masker,
        budget=400,
        random_state=0,
        n_jobs=n_jobs,
    )
    return np.asarray(explainer.explain(ROWS[10:13]).values)


def told() -> tuple[np.ndarray, set[str]]:
    """The scores, and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        return scores(), {str(one.message) for one in caught}


def in_a_thread() -> tuple[np.ndarray, set[str]]:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(told()))
    thread.start()
    thread.join()
    return found[0]


def in_a_daemon() -> tuple[np.ndarray, set[str]]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(told)


def within(backend: str) -> Callable[[], tuple[np.ndarray, set[str]]]:
    def run() -> tuple[np.ndarray, set[str]]:
        with joblib.parallel_config(backend):
            found = joblib.Parallel(2)(joblib.delayed(told)() for _ in range(2))
        np.testing.assert_array_equal(found[0][0], found[1][0])
        return found[1]

    return run


PLACES = {
    "thread": in_a_thread,
    "daemon": in_a_daemon,
    "threads of joblib": within("threading"),
    "processes of joblib": within("loky"),
    "pool of joblib": within("multiprocessing"),
}


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_scores_are_the_same_within_other_workers(place: Any) -> None:
    """Where processes cannot start others, joblib takes one, and says so."""
    found, said = place()
    np.testing.assert_array_equal(found, scores(n_jobs=1))
    assert all("setting n_jobs=1" in text for text in said)
    assert bool(said) == (place is in_a_daemon)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_starts_workers_of_its_own() -> None:
    """If the process that it was forked from had none."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_send_forked, args=(send,))
    process.start()
    found = receive.recv()
    process.join()
    np.testing.assert_array_equal(found, scores(n_jobs=1))


def _send_forked(send: Any) -> None:
    """In a new process, which has no workers: `test_workers_that_die_and_forks` is for others."""
    pid = os.fork()
    if pid == 0:
        try:
            send.send(scores())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
