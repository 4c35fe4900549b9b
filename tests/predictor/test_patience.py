"""Calls that fail or hang are made again, and rows at fault are found."""

from __future__ import annotations

import asyncio
import random
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidParameterError, PredictFnError
from perturbx.predictor import patience
from perturbx.predictor.calling import shown_row

X = np.random.default_rng(0).normal(size=(30, 5))


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses between attempts, which are not waited for."""
    pauses: list[float] = []
    before = patience._pause
    monkeypatch.setattr(patience, "_pause", lambda n: pauses.append(before(n)) or 0.0)
    return pauses


def smooth(X: np.ndarray) -> np.ndarray:
    return np.exp(X[:, 0]) * X[:, 2] + X[:, 3] ** 2


def explained(model: Any, **settings: Any) -> Any:
    explainer = px.KernelShap(model, random_state=0, batch_size=40, **settings)
    return explainer.fit(X[:20]).explain(X[20:22])


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_random_failures_change_nothing(n_jobs: int) -> None:
    """Where calls fail at random, every run has the bits of a healthy one."""
    rate = 0.2 if n_jobs == 1 else 0.05  # workers really wait

    def flaky(X: np.ndarray) -> np.ndarray:
        if np.random.default_rng().uniform() < rate:
            raise ConnectionError("reset by peer")
        return np.exp(X[:, 0]) * X[:, 2] + X[:, 3] ** 2

    healthy = explained(smooth)
    for _ in range(3):
        found = explained(flaky, retries=20, retry_on=ConnectionError, n_jobs=n_jobs)
        np.testing.assert_array_equal(found.values, healthy.values)
        np.testing.assert_array_equal(found.standard_errors, healthy.standard_errors)
        assert found.n_rows == healthy.n_rows


def test_pauses_double_at_random(no_pauses: list[float]) -> None:
    """Up to twice the one before, and the state of the module `random` is not touched."""
    random.seed(0)
    before = random.getstate()

    def down(X: np.ndarray) -> np.ndarray:
        raise OSError("down")

    with pytest.raises(PredictFnError, match="10 times in a row"):
        explained(down, retries=9)
    assert random.getstate() == before
    assert len(no_pauses) in (9, 10)  # the last may be drawn and not used
    assert all(0 <= pause <= 0.1 * 2 ** (i + 1) for i, pause in enumerate(no_pauses))
    assert len(set(no_pauses)) == len(no_pauses)


def test_other_exceptions_are_not_tried_again() -> None:
    """A mistake in predict_fn shows at once."""
    calls = []

    def mistaken(X: np.ndarray) -> np.ndarray:
        calls.append(len(X))
        raise KeyError("age")

    with pytest.raises(PredictFnError, match="KeyError"):
        explained(mistaken, retries=9, retry_on=(ConnectionError, TimeoutError))
    assert len(calls) == 1


@pytest.mark.parametrize("where", [0, 7, 19])
def test_the_row_at_fault_is_named(where: int, tmp_path: Path) -> None:
    """A batch that keeps failing is split; what the others were answered is kept."""
    poison = X[20:22].copy()
    calls = []

    def model(rows: np.ndarray) -> np.ndarray:
        calls.append(len(rows))
        if len(calls) > 4 and (rows[:, 1] == X[where, 1]).any():
            raise ValueError("cannot read this")
        return smooth(rows)

    archive = px.Archive(tmp_path / "answers.sqlite", model="v1")
    with pytest.raises(PredictFnError, match=r"cannot read this.*one row alone: array\(\[") as said:
        explained(model, retries=1, archive=archive)
    assert f"{X[where, 1]:.8g}"[:7] in str(said.value)
    n_failed = sum(calls[-4:])
    assert n_failed < 160
    healthy = explained(smooth)
    mended = explained(smooth, archive=archive)
    np.testing.assert_allclose(mended.values, healthy.values, atol=1e-13)
    assert (poison == X[20:22]).all()


def test_batches_that_are_too_large_are_split() -> None:
    """A model that runs out of memory for many rows answers them in parts."""

    def small(rows: np.ndarray) -> np.ndarray:
        if len(rows) > 10:
            raise MemoryError("40 rows do not fit")
        return smooth(rows)

    np.testing.assert_array_equal(explained(small, retries=1).values, explained(smooth).values)


def test_calls_that_hang_are_made_again() -> None:
    """A call is given up after `timeout` seconds."""
    calls = []

    def hangs(rows: np.ndarray) -> np.ndarray:
        calls.append(len(rows))
        if len(calls) % 5 == 0:
            time.sleep(2.0)
        return smooth(rows)

    found = explained(hangs, retries=2, retry_on=TimeoutError, timeout=0.2)
    np.testing.assert_array_equal(found.values, explained(smooth).values)
    with pytest.raises(PredictFnError, match=r"TimeoutError.*timeout=0\.05 seconds"):
        explained(lambda rows: time.sleep(1.0), timeout=0.05)


def test_awaited_calls_that_hang_are_cancelled() -> None:
    """An async predict_fn is told to end, and asked again."""
    calls, cancelled = [], []

    async def hangs(rows: np.ndarray) -> np.ndarray:
        calls.append(len(rows))
        if len(calls) % 5 == 0:
            try:
                await asyncio.sleep(5.0)
            except asyncio.CancelledError:
                cancelled.append(len(rows))
                raise
        return smooth(rows)

    found = explained(hangs, retries=2, timeout=0.2)
    np.testing.assert_array_equal(found.values, explained(smooth).values)
    assert cancelled


def test_answers_that_cannot_be_used_are_not_asked_again() -> None:
    """NaN is no failure of the call."""
    calls = []

    def nan(rows: np.ndarray) -> np.ndarray:
        calls.append(len(rows))
        return np.full(len(rows), np.nan)

    with pytest.raises(PredictFnError, match="NaN"):
        explained(nan, retries=5)
    assert len(calls) == 1


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"retries": -1}, "retries"),
    ({"retries": 1.5}, "retries"),
    ({"timeout": 0}, "timeout"),
    ({"timeout": "long"}, "timeout"),
    ({"retry_on": "ConnectionError"}, "retry_on"),
    ({"retry_on": ()}, "retry_on"),
    ({"retry_on": (ValueError, 3)}, "retry_on"),
    ({"retry_on": KeyboardInterrupt}, "retry_on"),
]


@pytest.mark.parametrize(("settings", "name"), WRONG, ids=str)
def test_wrong_settings_are_refused(settings: dict[str, Any], name: str) -> None:
    """Before the model is called."""
    with pytest.raises(InvalidParameterError, match=name):
        explained(lambda rows: 1 / 0, **settings)


@pytest.mark.parametrize(
    ("container", "said"),
    [
        ("pandas", "'column 0': 1.0, .*'column 9': 10.0}"),
        ("polars", "'column 0': 1.0, .*'column 9': 10.0}"),
        ("sparse", r"\[1.0, 2.0, .*10.0\]"),
        ("torch", r"\[1.0, 2.0, .*10.0\]"),
        ("numpy", r"array\(\[ 1.,  2., .*10.\]\)"),
        ("texts", "'one two'"),
    ],
)
def test_a_row_is_shown_with_its_columns(container: str, said: str) -> None:
    """A frame of ten columns would show two of them."""
    rows = np.arange(1.0, 21.0).reshape(2, 10)
    batch: Any = ["one two", "three"] if container == "texts" else rows
    if container == "sparse":
        batch = pytest.importorskip("scipy.sparse").csr_array(rows)
    elif container == "torch":
        batch = pytest.importorskip("torch").from_numpy(rows)
    elif container in ("pandas", "polars"):
        columns = {f"column {j}": column for j, column in enumerate(rows.T)}
        batch = pytest.importorskip(container).DataFrame(columns)
    assert re.fullmatch(rf".*{said}", shown_row(batch), re.DOTALL)


def test_a_row_of_a_frame_that_fails_is_named() -> None:
    """All of it, after what the model said."""
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X[:22], columns=[f"column {j}" for j in range(X.shape[1])])

    def poisoned(rows: Any) -> np.ndarray:
        if len(rows) != 2 and (rows["column 1"] == X[3, 1]).any():
            raise ValueError("bad row")
        return rows["column 0"].to_numpy()

    run = px.KernelShap(poisoned, retries=1, random_state=0).fit(frame[:20])
    with pytest.raises(PredictFnError, match=r"bad row\. It fails .* alone: {'column 0': ") as said:
        run.explain(frame[20:])
    assert f"'column 1': {X[3, 1]!r}".replace("np.float64(", "").rstrip(")") in str(said.value)


def test_memory_errors_say_what_helps() -> None:
    """They have no message of their own."""

    def small(rows: np.ndarray) -> np.ndarray:
        if len(rows) > 10:
            raise MemoryError
        return smooth(rows)

    with pytest.raises(PredictFnError, match=r"no message\. Pass a smaller batch_size, or retries"):
        explained(small)
