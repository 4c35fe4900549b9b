"""Worker processes receive the model and the background once, and then little more than z."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import types
import warnings
from collections.abc import Iterator
from typing import Any

import cloudpickle
import joblib
import numpy as np
import perturbx as px
import pytest
from joblib._parallel_backends import ThreadingBackend
from perturbx import _shared
from perturbx._shared import Shared, carry_out, packed

ROWS = np.random.default_rng(0).normal(size=(2010, 6))
ONE = threading.Lock()


class Sent(ThreadingBackend):
    """Workers in this process that receive everything pickled, as other processes do."""

    uses_threads = supports_sharedmem = False
    tasks: list[bytes]
    contents: list[int]
    batches: list[int]
    n_counted = n_configured = n_rounds = 0
    forgets = one_at_a_time = False

    def compute_batch_size(self) -> int:
        """What backends wish for that have seen quick tasks."""
        return 4

    def effective_n_jobs(self, n_jobs: int) -> int:
        Sent.n_counted += 1
        return super().effective_n_jobs(n_jobs)

    def configure(self, *args: Any, **settings: Any) -> int:
        Sent.n_configured += 1
        return super().configure(*args, **settings)

    def submit(self, func: Any, callback: Any = None) -> Any:
        self.batches.append(len(func.items))
        for _, (task, _, sizes, *content), _ in func.items:
            self.tasks.append(task)
            self.contents.append(sum(memoryview(part).nbytes for part in content))
            assert len(content) == sum(sizes)
        received = cloudpickle.loads(cloudpickle.dumps(func))

        def run() -> Any:
            with ONE if self.one_at_a_time else contextlib.nullcontext():
                return received()

        return super().submit(run, callback)

    def start_call(self) -> None:
        Sent.n_rounds += 1
        if self.forgets:
            _shared._kept.clear()
        super().start_call()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Sent]]:
    """The backend of all `explain` calls of a test."""
    monkeypatch.setattr(_shared, "_kept", {})
    Sent.tasks, Sent.contents, Sent.batches = [], [], []
    Sent.n_counted = Sent.n_configured = Sent.n_rounds = 0
    Sent.forgets = Sent.one_at_a_time = False
    joblib.register_parallel_backend("sent", Sent)
    with joblib.parallel_config("sent", n_jobs=2):
        yield Sent


class Model:
    """A product and a sum, with more or less to carry."""

    def __init__(self, n_bytes: int) -> None:
        self.weights, self.text = np.ones(n_bytes // 8), bytes(n_bytes)

    def __call__(self, X: np.ndarray) -> np.ndarray:
        return X[:, 0] * X[:, 1] + X.sum(axis=1) + self.weights[:1].sum()


def explainer(method: Any, model: Any, n_background: int, **settings: Any) -> Any:
    """About 30 perturbations with so many background rows."""
    rows = ROWS[:n_background]
    masker = px.Background(rows, max_rows=n_background)
    if method is px.OwenShap:
        masker = px.ColumnTree(rows, max_rows=n_background)
    budget = 31 * n_background + 2
    settings = {"masker": masker, "budget": budget, "random_state": 0, **settings}
    if method is px.Lime:
        settings |= {"masker": None, "budget": 500}
    if method is px.PermutationShap:  # asks single background rows where there are many
        settings["budget"] = 4000
    if method is px.KernelShap:
        settings["estimator"] = "regression"
    return method(model, **settings).fit(rows)


@pytest.mark.parametrize("method", [px.KernelShap, px.PermutationShap, px.OwenShap, px.Lime])
def test_tasks_do_not_grow(method: Any, sent: type[Sent]) -> None:
    """Neither with the background nor with the model, which travel beside the first tasks.

    Only the empty coalition is asked once for each background row: z and the row's number.
    """
    sizes = []
    for n_background, n_bytes in [(40, 0), (2000, 3_000_000)]:
        sent.tasks.clear()
        explainer(method, Model(n_bytes), n_background).explain(ROWS[-3:])
        sizes.append(max(map(len, sent.tasks)))
    of_empty = 2000 * (6 + 8) // 8  # in eight tasks
    assert sizes[1] < sizes[0] + of_empty + 500 or method is px.PermutationShap
    assert sizes[1] < ROWS[:2000].nbytes / 4


def test_what_is_shared_travels_once(sent: type[Sent]) -> None:
    """With the first tasks of a run; a worker that lost it says so, and gets it again."""
    alone = explainer(px.KernelShap, Model(10_000), 40, n_jobs=1, tol=0.001)
    many = explainer(px.KernelShap, Model(10_000), 40, n_jobs=2, tol=0.001)
    expected = alone.explain(ROWS[-3:]).values
    assert sent.tasks == []
    sent.one_at_a_time = True  # so that one copy serves all
    np.testing.assert_array_equal(many.explain(ROWS[-3:]).values, expected)
    n_first = next(i for i, size in enumerate(sent.contents) if not size)
    assert sum(size > 0 for size in sent.contents[n_first:]) <= 8, "those of the instances"
    assert n_first < len(sent.contents) / 2
    sent.forgets = True
    sent.contents.clear()
    np.testing.assert_array_equal(many.explain(ROWS[-3:]).values, expected)
    last = sent.contents[-n_first:]
    assert all(last), "where workers end with each call, it is sent with all later tasks"


def test_no_worker_is_asked_what_it_cannot_know(
    sent: type[Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state that one worker received in a round of one task is not yet at the others.

    A worker without it would return all tasks that it takes, and leave the work to the others.
    """
    unknown = []
    missing = _shared.Missing

    class Counted(missing):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            unknown.append(self)

    class Slow(Model):
        def __call__(self, X: np.ndarray) -> np.ndarray:
            time.sleep(0.01)
            return super().__call__(X)

    monkeypatch.setattr(_shared, "Missing", Counted)
    explainer(px.KernelShap, Slow(0), 1, budget=1000).explain(ROWS[-1:])
    assert len(sent.tasks) > 2
    assert not unknown


@pytest.mark.parametrize("method", [px.KernelShap, px.OwenShap])
def test_a_run_keeps_its_workers(method: Any, sent: type[Sent]) -> None:
    """They start once for all rounds, are counted rarely, and get one task at a time."""
    explainer(method, Model(0), 40, budget=4000).explain(ROWS[-3:])
    assert sent.n_configured == 1
    assert len(sent.tasks) > 8
    assert set(sent.batches) == {1}
    assert sent.n_counted <= sent.n_rounds + 5


def test_no_two_threads_call_the_same_copy(sent: type[Sent]) -> None:
    """A model need not be safe to call from several threads."""

    class Fragile(Model):
        busy = False

        def __call__(self, X: np.ndarray) -> np.ndarray:
            assert not self.busy
            self.busy = True
            time.sleep(0.002)
            self.busy = False
            return super().__call__(X)

    with joblib.parallel_config("sent", n_jobs=4):
        explainer(px.KernelShap, Fragile(0), 10).explain(ROWS[-8:])
    assert len(sent.tasks) > 8


def test_large_arrays_are_not_copied_here_and_own_there() -> None:
    """They stand beside what is pickled, and each worker has its own, which it may change."""
    model = Model(2**21)
    model.again = model.weights  # type: ignore[attr-defined]
    shared = Shared(model)
    pickled, weights = shared.content()
    assert np.shares_memory(weights, model.weights)
    assert pickled.nbytes < 2**21 + 1000
    task = packed((lambda one: (one, one.again is one.weights), (model,)), [shared])
    assert len(task) < 1000
    copy, is_same = carry_out(task, [shared.key], [2], pickled, weights)
    assert is_same
    assert not np.shares_memory(copy.weights, model.weights)
    np.testing.assert_array_equal(copy.weights, model.weights)
    assert isinstance(carry_out(task, ["unknown"], [0]), _shared.Missing)


def test_workers_keep_the_latest_states_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that models of earlier runs do not fill their memory."""
    monkeypatch.setattr(_shared, "_kept", {})
    for _ in range(10):
        shared = Shared(Model(8))
        carry_out(packed((len, ("a",)), [shared]), [shared.key], [1], *shared.content())
    assert len(_shared._kept) == 4
    assert list(_shared._kept)[-1] == shared.key


def test_a_worker_that_cannot_read_says_why() -> None:
    """As where a module of the model is not installed there."""
    module = types.ModuleType("not_there")
    exec("def model(X):\n    return X[:, 0]", vars(module))
    sys.modules["not_there"] = module
    shared = Shared(module.model)
    content = shared.content()
    del sys.modules["not_there"]
    task = packed((len, ("a",)), [shared])
    with pytest.raises(px.errors.PredictFnError, match=r"worker .* No module named 'not_there'"):
        carry_out(task, [shared.key], [1], *content)


class Noisy:
    """A model whose noise comes from a generator of its own, or from a new one in each call."""

    def __init__(self, holds: bool) -> None:
        self.rng = np.random.default_rng(0) if holds else None

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        rng = self.rng or np.random.default_rng()
        return np.asarray(rows.sum(axis=1) + rng.normal(size=len(rows)))


OF_THE_MODULE = np.random.default_rng(0)


def noisy_by_its_module(rows: np.ndarray) -> np.ndarray:
    """What travels is its name alone."""
    return np.asarray(rows.sum(axis=1) + OF_THE_MODULE.normal(size=len(rows)))


@pytest.mark.parametrize(
    ("model", "holds"), [(Noisy(True), True), (noisy_by_its_module, True), (Noisy(False), False)]
)
def test_generators_that_travel_are_told(sent: type[Sent], model: Any, holds: bool) -> None:
    """Their copies repeat the noise, which errors do not know; in threads there are no copies."""
    explainer = px.KernelShap(model, budget=400, masker=px.Baseline(ROWS[0])).fit(ROWS)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        explainer.explain(ROWS[1:3])
    told = [one for one in said if issubclass(one.category, px.errors.UnstableModelWarning)]
    assert [("draws the same numbers" in str(one.message)) for one in told] == [True] * holds
    with joblib.parallel_config("threading", n_jobs=2), warnings.catch_warnings():
        warnings.simplefilter("error", px.errors.UnstableModelWarning)
        explainer.explain(ROWS[1:3])
