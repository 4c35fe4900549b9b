"""Workers of any kind give the same numbers, and receive little data."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
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


@pytest.mark.parametrize("method", [m for m in METHODS if m is not px.OwenShap])
def test_little_travels(method: Any, boosted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task holds z, rows and state, whose size is independent of its number of model rows.

    Owen values are left out: each round has fewer coalitions than there are background rows.
    """
    sizes, rows_made = [], []
    outputs = Block.outputs

    def watched(block: Block, predictor: Any) -> Any:
        sizes.append(len(pickle.dumps(block)))
        out = outputs(block, predictor)
        rows_made.append(out[1].n_rows)
        return out

    monkeypatch.setattr(Block, "outputs", watched)
    X = boosted[1]
    with joblib.parallel_config("threading", n_jobs=2):
        _explainer(method, boosted, budget=20_000 if method is px.Lime else 200_000).explain(X[:3])
    z_and_background = 8 * X.shape[1] * (max(rows_made) // 100 + 2500 + 200)
    bound = z_and_background if method is not px.Lime else 2 * 8 * X.shape[1] * max(rows_made)
    assert max(sizes) < bound
    if method is not px.Lime:
        assert max(sizes) < 0.1 * 8 * X.shape[1] * max(rows_made)


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


UNSENDABLE = {
    "lock in a closure": _with_a_lock,
    "generator": lambda calls: Held(calls, (i for i in range(3))),
    "lock": lambda calls: Held(calls, threading.RLock()),
    "own refusal": lambda calls: Held(calls, None),
}


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
@pytest.mark.parametrize("make", UNSENDABLE.values(), ids=UNSENDABLE.keys())
def test_models_that_cannot_be_sent_are_refused(make: Any, backend: str) -> None:
    """Before they are asked, with the cure; which works."""
    calls: list[int] = []
    rows = np.arange(12.0).reshape(4, 3)
    explainer = px.KernelShap(make(calls), masker=px.Background(rows), n_jobs=2)
    refused = pytest.raises(px.errors.InvalidParameterError, match=r"can be sent to .*use n_jobs=1")
    with joblib.parallel_config(backend), refused:
        explainer.explain(rows)
    with joblib.parallel_config(backend), refused:
        explainer.fit(rows)
    assert calls == []
    with joblib.parallel_config("threading"):
        threads = explainer.explain(rows)
    expected = rows - rows.mean(axis=0)
    np.testing.assert_allclose(threads.values, expected, atol=1e-12)


def test_functions_without_a_name_need_no_name() -> None:
    """A lambda reaches joblib's own processes; multiprocessing finds functions by name alone."""
    rows = np.arange(12.0).reshape(4, 3)
    explainer = px.KernelShap(lambda X: X[:, 0], masker=px.Background(rows), n_jobs=2)
    with (
        joblib.parallel_config("multiprocessing"),
        pytest.raises(px.errors.InvalidParameterError, match=r"lambda.*threading"),
    ):
        explainer.explain(rows)


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
