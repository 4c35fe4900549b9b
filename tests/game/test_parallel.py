"""Workers of any kind give the same numbers, and receive little data."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import threading
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import perturbx as px
import pytest
from perturbx.game.block import Block

METHODS = [px.KernelShap, px.PermutationShap, px.Lime, px.OwenShap]


def _explainer(method: Any, boosted: Any, **settings: Any) -> Any:
    model, rows = boosted
    usual = {"random_state": 0, "budget": 2500}
    return method(model.predict_proba, **{**usual, **settings}).fit(rows)


@pytest.mark.parametrize("backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)])
@pytest.mark.parametrize("method", METHODS)
def test_workers_change_nothing(method: Any, backend: str, boosted: Any) -> None:
    """One worker or two, threads or processes: the same to the last bit, at the same cost."""
    rows = boosted[1][:3]
    alone = _explainer(method, boosted, n_jobs=1).explain(rows)
    with joblib.parallel_config(backend):
        together = _explainer(method, boosted, n_jobs=2).explain(rows)
    with joblib.parallel_config(backend, n_jobs=2):
        configured = _explainer(method, boosted).explain(rows)
    for other in (together, configured):
        assert np.array_equal(other.values, alone.values)
        assert np.array_equal(other.standard_errors, alone.standard_errors, equal_nan=True)
        assert other.n_rows == alone.n_rows


def test_one_instance_is_shared_by_workers(boosted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The perturbations of a single instance are split into several tasks."""
    tasks = []
    outputs = Block.outputs

    def watched(*args: Any) -> Any:
        tasks.append(args)
        return outputs(*args)

    monkeypatch.setattr(Block, "outputs", watched)
    with joblib.parallel_config("threading", n_jobs=2):
        _explainer(px.KernelShap, boosted).explain(boosted[1][0])
    assert len(tasks) >= 2


def test_errors_of_workers_arrive(boosted: Any) -> None:
    """They name the instance."""
    calls = []

    def model(X: np.ndarray) -> np.ndarray:
        calls.append(len(X))
        return X.sum(axis=1) * (np.nan if len(calls) > 5 else 1)

    explainer = px.KernelShap(model, random_state=0).fit(boosted[1])
    with (
        joblib.parallel_config("threading", n_jobs=2),
        pytest.raises(px.errors.PredictFnError, match=r"NaN or infinite.*of instance"),
    ):
        explainer.explain(boosted[1][:4])


def _with_a_lock(calls: list[int]) -> Any:
    lock = threading.Lock()

    def model(X: np.ndarray) -> np.ndarray:
        with lock:
            calls.append(len(X))
            return X.sum(axis=1)

    return model


class Held:
    """A model that cannot be pickled, or that refuses to be."""

    def __init__(self, calls: list[int], held: Any) -> None:
        self.calls, self.held = calls, held

    def __call__(self, X: np.ndarray) -> np.ndarray:
        self.calls.append(len(X))
        return X.sum(axis=1)

    def __reduce__(self) -> Any:
        if self.held is None:
            raise RuntimeError("not to be pickled")
        return super().__reduce__()


OPENED: list[Any] = []
"""What the tests below have opened, and close."""


def _opened(make: Any) -> Any:
    OPENED.append(make())
    return OPENED[-1]


class Nested:
    """Holds what cannot be pickled deep inside."""

    def __init__(self, calls: list[int]) -> None:
        file = _opened(lambda: open(os.devnull, "w"))  # noqa: SIM115
        self.steps = {"last": [functools.partial(_with_a_lock, calls), Held(calls, file)]}

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.steps["last"][1](X))  # type: ignore[operator]


UNSENDABLE: dict[str, tuple[Any, str]] = {
    "lock in a closure": (_with_a_lock, r"predict_fn -> lock \(_thread.lock\)"),
    "generator": (
        lambda calls: Held(calls, (i for i in range(3))),
        r"predict_fn\.held \(generator\)",
    ),
    "lock": (lambda calls: Held(calls, threading.RLock()), r"predict_fn\.held \(_thread.RLock\)"),
    "socket": (
        lambda calls: Held(calls, _opened(socket.socket)),
        r"predict_fn\.held \(socket.socket\)",
    ),
    "file in a method's object": (
        lambda calls: Nested(calls).predict,
        r"predict_fn\.__self__\.steps\['last'\]\[1\]\.held \(_io.TextIOWrapper\)",
    ),
    "own refusal": (lambda calls: Held(calls, None), r"predict_fn \(.*Held\).*not to be pickled"),
}


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
@pytest.mark.parametrize(("make", "named"), UNSENDABLE.values(), ids=UNSENDABLE.keys())
def test_models_that_cannot_be_sent_are_refused(make: Any, named: str, backend: str) -> None:
    """Before they are asked, with the part at fault and the cure; which works."""
    calls: list[int] = []
    rows = np.arange(12.0).reshape(4, 3)
    explainer = px.KernelShap(make(calls), masker=px.Background(rows), n_jobs=2)
    refused = pytest.raises(
        px.errors.InvalidParameterError, match=f"can be sent to .*{named}.*use n_jobs=1"
    )
    with joblib.parallel_config(backend), refused:
        explainer.explain(rows)
    with joblib.parallel_config(backend), refused:
        explainer.fit(rows)
    assert calls == []
    with joblib.parallel_config("threading"):
        threads = explainer.explain(rows)
    while OPENED:
        OPENED.pop().close()
    expected = rows - rows.mean(axis=0)
    np.testing.assert_allclose(threads.values, expected, atol=1e-12)


def test_a_large_array_is_no_obstacle() -> None:
    """Neither in a model nor in a lambda, which all backends receive by value."""
    weights = np.zeros(10**6)
    px.KernelShap(lambda X: X[:, 0] + weights[0], masker=px.Background(np.eye(3)), n_jobs=2).fit(
        np.eye(3)
    )


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore")
def test_workers_that_die_and_forks() -> None:
    """A dead worker is our error, and the next explain has new ones; a fork cannot use them."""
    main, rows = os.getpid(), np.random.default_rng(0).normal(size=(20, 4))

    def dies(X: np.ndarray) -> np.ndarray:
        if os.getpid() != main:
            os._exit(3)
        return X[:, 0]

    def of(model: Any) -> Any:
        return px.KernelShap(model, masker=px.Background(rows), n_jobs=2, random_state=0)

    with pytest.raises(px.errors.PredictFnError, match=r"worker process died.*n_jobs=1"):
        of(dies).explain(rows[:2])
    expected = rows[:2, 0] - rows[:, 0].mean()
    np.testing.assert_allclose(of(lambda X: X[:, 0]).explain(rows[:2]).values[:, 0], expected)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            of(lambda X: X[:, 0]).explain(rows[:2])
        except px.errors.InvalidParameterError as error:
            with joblib.parallel_config("threading"):
                found = of(lambda X: X[:, 0]).explain(rows[:2]).values[:, 0]
            status = 0 if "forked" in str(error) and np.allclose(found, expected) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_workers_that_are_killed_lose_nothing(backend: str, tmp_path: Path) -> None:
    """Two are really killed; what they were asked goes to others, and the bits are the same."""
    main, rows, folder = os.getpid(), np.random.default_rng(0).normal(size=(40, 6)), str(tmp_path)

    def fragile(X: np.ndarray) -> np.ndarray:
        if os.getpid() != main and len(X) > 3:
            for i in range(2):
                try:
                    os.close(os.open(f"{folder}/{i}", os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    continue
                os.kill(os.getpid(), signal.SIGKILL)
        return np.exp(X[:, 0]) * X[:, 1] + X[:, 5]

    masker = px.Background(rows[:20])
    settings: dict[str, Any] = {"masker": masker, "budget": 3000, "random_state": 0}
    alone = px.KernelShap(fragile, n_jobs=1, **settings).explain(rows[20:24])
    explainer = px.KernelShap(fragile, n_jobs=2, **settings)
    with contextlib.ExitStack() as stack:
        if backend == "dask":
            distributed = pytest.importorskip("distributed")
            cluster = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
                )
            )
            stack.enter_context(distributed.Client(cluster))
        stack.enter_context(joblib.parallel_config(backend))
        there = explainer.explain(rows[20:24])
    assert len(list(tmp_path.iterdir())) == 2
    np.testing.assert_array_equal(there.values, alone.values)
    assert there.n_rows == alone.n_rows
