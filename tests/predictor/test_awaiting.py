"""An `async` predict_fn: the same bits, bounded, and nothing left behind."""

import asyncio
import signal
import threading
import time
from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import PredictFnError

X = np.random.default_rng(0).normal(size=(40, 5))


def plain(rows: np.ndarray) -> np.ndarray:
    return np.tanh(rows @ [1.0, -2.0, 0.5, 0.0, 3.0]) + rows[:, 0] * rows[:, 1]


class Watched:
    """An async model that counts how many calls are in flight, and which have ended."""

    def __init__(self, seconds: float = 0.002) -> None:
        self.seconds, self.flying, self.most = seconds, 0, 0
        self.started, self.ended, self.cancelled = 0, 0, 0

    async def __call__(self, rows: np.ndarray) -> np.ndarray:
        self.flying, self.started = self.flying + 1, self.started + 1
        self.most = max(self.most, self.flying)
        try:
            await asyncio.sleep(self.seconds)
            return plain(rows)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.flying, self.ended = self.flying - 1, self.ended + 1


def explained(model: Any, **settings: Any) -> px.Explanation:
    explainer = px.KernelShap(
        model, masker=px.Baseline(np.zeros(5)), batch_size=2, random_state=0, **settings
    )
    return explainer.fit(X).explain(X[:3])


@pytest.mark.parametrize("n_jobs", [None, 4])
def test_an_awaited_model_gives_the_same_bits(n_jobs: int | None) -> None:
    """As a function, a method or a callable object, for any number of calls in flight."""
    model = Watched(0)

    async def function(rows: np.ndarray) -> np.ndarray:
        return plain(rows)

    expected = explained(plain)
    for each in (model, function, model.__call__):
        found = explained(each, n_jobs=n_jobs)
        np.testing.assert_array_equal(expected.values, found.values)
        np.testing.assert_array_equal(expected.standard_errors, found.standard_errors)
        assert (expected.n_rows, expected.n_calls) >= (found.n_rows, 1)


def test_never_more_calls_in_flight_than_jobs() -> None:
    """As many as `n_jobs` at once, and no more."""
    model = Watched()
    explained(model, n_jobs=3)
    assert model.most == 3
    alone = Watched()
    explained(alone)
    assert alone.most == 1


def test_it_works_inside_a_running_loop() -> None:
    """As in a notebook, whose cells run in an event loop."""

    async def cell() -> px.Explanation:
        return explained(Watched(0))

    np.testing.assert_array_equal(asyncio.run(cell()).values, explained(plain).values)


@pytest.mark.parametrize("n_jobs", [None, 3])
def test_errors_name_the_perturbation_and_leave_no_call(n_jobs: int | None) -> None:
    """An error is reported as that of a sync model, and calls beside it are cancelled."""
    model = Watched(0.05)

    async def fails(rows: np.ndarray) -> np.ndarray:
        if model.started >= 6:
            raise ValueError("overloaded")
        return await model(rows)

    with pytest.raises(PredictFnError, match=r"ValueError for perturbations .* of instance"):
        explained(fails, n_jobs=n_jobs)
    assert model.flying == 0
    assert model.started == model.ended


@pytest.mark.parametrize("n_jobs", [None, 3])
def test_an_interrupt_leaves_no_call_in_flight(n_jobs: int | None) -> None:
    """Ctrl-C ends the calls that are awaited."""
    model = Watched(30.0)
    model.seconds = 0.0
    explainer = px.KernelShap(
        model, masker=px.Baseline(np.zeros(5)), batch_size=2, n_jobs=n_jobs, random_state=0
    ).fit(X)
    model.seconds = 30.0

    def interrupt() -> None:
        while not model.flying:
            time.sleep(0.01)
        time.sleep(0.05)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    # Python's own handler, whatever a library that other tests import has put in its place.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            explainer.explain(X[:3])
    finally:
        signal.signal(signal.SIGINT, before)
    assert model.flying == 0
    assert model.cancelled >= 1


def test_a_call_that_cancels_itself_is_an_error_of_the_model() -> None:
    """A cancelled call is reported like any other failure."""

    async def cancels(rows: np.ndarray) -> np.ndarray:
        raise asyncio.CancelledError

    with pytest.raises(PredictFnError, match="cancelled"):
        explained(cancels)
