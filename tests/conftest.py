"""Games with known answers, models that watch what they are asked, and frames of mixed types."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pytest

PredictFn = Callable[[Any], Any]


class CountingModel:
    """Forwards to a model; remembers the size of every call, and refuses too large ones."""

    def __init__(self, model: PredictFn, batch_size: int | None = None) -> None:
        self.model, self.batch_size = model, batch_size
        self.calls: list[int] = []

    def __call__(self, batch: Any) -> Any:
        n = batch.shape[0]
        self.calls.append(n)
        assert self.batch_size is None or n <= self.batch_size, f"{n} rows in one call"
        return self.model(batch)

    @property
    def n_rows(self) -> int:
        return sum(self.calls)


PROBE_ROWS = 3
"""Two rows, and the first of them again."""


def shapley_by_brute_force(predict_fn: PredictFn, x: Any, background: Any) -> np.ndarray:
    """(d, k): the definition over all subsets, with v(S) the mean over background rows."""
    x, background = np.asarray(x), np.asarray(background)
    d = len(x)

    def v(members: tuple[int, ...]) -> np.ndarray:
        rows = background.copy()
        rows[:, list(members)] = x[list(members)]
        answers = np.asarray(predict_fn(rows), dtype=float)
        return answers.reshape(len(rows), -1).mean(axis=0)

    game = {s: v(s) for size in range(d + 1) for s in combinations(range(d), size)}
    values = np.zeros((d, len(game[()])))
    for members, value in game.items():
        for i in set(range(d)) - set(members):
            joined = tuple(sorted((*members, i)))
            values[i] += (game[joined] - value) / (d * comb(d - 1, len(members)))
    return values


def bumpy(X: np.ndarray) -> np.ndarray:
    """Two smooth outputs with interactions of every order; column 1 is ignored."""
    X = np.asarray(X, dtype=float)
    slopes = np.cos(np.arange(X.shape[1])) * (np.arange(X.shape[1]) != 1)
    inner = (X * slopes).sum(axis=1)
    return np.stack([np.tanh(inner), inner * X[:, 0] + np.sin(X[:, -1])], axis=1)


@pytest.fixture(scope="session")
def counting_model() -> type[CountingModel]:
    return CountingModel


@pytest.fixture(scope="session")
def probe_rows() -> int:
    return PROBE_ROWS


@pytest.fixture(scope="session")
def brute_force() -> Callable[..., np.ndarray]:
    return shapley_by_brute_force


@pytest.fixture(scope="session")
def bumpy_model() -> PredictFn:
    return bumpy


@pytest.fixture
def table() -> Iterator[np.ndarray]:
    """(40, 5) normal numbers, which must not change."""
    X = np.random.default_rng(7).normal(size=(40, 5))
    before = X.copy()
    yield X
    assert np.array_equal(X, before), "the user's data was changed"


@pytest.fixture(scope="session")
def boosted() -> tuple[Any, np.ndarray]:
    """A boosted classifier of three classes on six columns, and its training rows."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    rng = np.random.default_rng(3)
    X = rng.normal(size=(400, 6))
    y = (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(int) + (X[:, 3] > 1)
    model = HistGradientBoostingClassifier(max_iter=15, random_state=0).fit(X, y)
    return model, X


@pytest.fixture
def mixed_frame() -> Any:
    """Eight pandas rows with a column of every kind, some cells missing."""
    pd = pytest.importorskip("pandas")
    n = 8
    return pd.DataFrame(
        {
            "tiny": np.arange(n, dtype=np.int8) - 3,
            "half": np.linspace(0, 1, n, dtype=np.float32),
            "holes": [np.nan, 1.5, -2.0, np.nan, 0.0, 3.25, 7.0, 8.0],
            "kind": pd.Categorical(list("abcabcab"), categories=list("zabc")),
            "grade": pd.Categorical(
                ["lo", "hi", "mid", None, "lo", "hi", "mid", "lo"],
                categories=["lo", "mid", "hi"],
                ordered=True,
            ),
            "name": ["x", "y", "", None, "x", "long name", "y", "z"],
            "count": pd.array([1, None, 3, 4, None, 6, 2**60 + 1, 8], dtype="Int64"),
            "flag": np.arange(n) % 3 == 0,
            "when": pd.date_range("2024-01-01", periods=n),
        },
        index=[f"row {i}" for i in range(n)],
    )
