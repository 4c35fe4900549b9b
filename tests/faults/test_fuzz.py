"""Random containers, models and settings: a right answer, or an error of ours that says why.

A case is made of its number alone. ``python tests/faults/test_fuzz.py 2000`` tries many, and
``python tests/faults/test_fuzz.py 2000 17`` begins at 17.
"""

from __future__ import annotations

import datetime
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import fields
from decimal import Decimal
from typing import Any
from zlib import crc32

import numpy as np
import perturbx as px
import pytest
from joblib import parallel_config
from perturbx.errors import PerturbxError, PerturbxWarning
from scipy import sparse

METHODS = [
    *(px.KernelShap, px.PermutationShap, px.Banzhaf, px.Lime, px.Occlusion, px.OwenShap),
    *(px.Rise, px.SmoothGrad, px.IntegratedGradients, px.MeaningfulPerturbation),
]
ADDS_UP = ("KernelShap", "PermutationShap", "OwenShap")
SECONDS = 60.0
"""A case that takes longer hangs."""


def _pandas() -> Any:
    return pytest.importorskip("pandas")


# Data


def _numbers(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    rows = rng.normal(size=(n, d)) * 10.0 ** rng.integers(-6, 7, size=d)
    if rng.random() < 0.3:
        rows[:, rng.integers(d)] = 1.0
    if rng.random() < 0.2:
        rows[rng.integers(n), rng.integers(d)] = rng.choice([np.nan, np.inf, -np.inf, 1e300, -0.0])
    if rng.random() < 0.2:
        rows[rng.integers(n)] = rows[0]
    return rows


def _column(rng: np.random.Generator, n: int) -> Any:
    """A column of a frame, of any type."""
    pd = _pandas()
    days = pd.to_datetime("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D")
    words = rng.choice(["a", "b", "", "ä", "<b>", "nan", "0"], n)
    kinds: list[Callable[[], Any]] = [
        lambda: rng.normal(size=n),
        lambda: rng.integers(-3, 4, n),
        lambda: rng.random(n) < 0.5,
        lambda: words.astype(object),
        lambda: pd.Categorical(words),
        lambda: pd.Series([None if rng.random() < 0.3 else word for word in words], dtype=object),
        lambda: pd.array([None if rng.random() < 0.3 else int(i) for i in range(n)], dtype="Int64"),
        lambda: days,
        lambda: days.tz_localize("Europe/Berlin"),
        lambda: [Decimal(int(i)) for i in rng.integers(0, 4, n)],
        lambda: [datetime.date(2020, 1, 1 + int(i)) for i in rng.integers(0, 9, n)],
        lambda: rng.normal(size=n).astype(np.float32),
        lambda: [["list"]] * n,
        lambda: pd.arrays.SparseArray(rng.integers(0, 2, n)),
        lambda: pd.period_range("2020-01", periods=n, freq="M"),
        lambda: pd.interval_range(0, n, periods=n),
        lambda: rng.normal(size=n) + 1j,
    ]
    return kinds[rng.integers(len(kinds))]()


def _frame(rng: np.random.Generator, n: int, d: int) -> Any:
    pd = _pandas()
    names: list[Any] = [f"c{j}" for j in range(d)]
    if rng.random() < 0.2:
        names = list(range(d))
    if rng.random() < 0.1:
        names[0] = names[-1]
    if rng.random() < 0.1:
        names[0] = ("a", 1)
    columns = [_column(rng, n) for _ in range(d)]
    frame = pd.concat([pd.Series(c).reset_index(drop=True) for c in columns], axis=1)
    frame.columns = pd.Index(names, tupleize_cols=False)
    if rng.random() < 0.3:
        frame.index = rng.permutation(n) + 5
    return frame


def _data(rng: np.random.Generator) -> tuple[str, Any]:
    n, d = int(rng.integers(1, 14)), int(rng.integers(1, 7))
    rows = _numbers(rng, n, d)
    with np.errstate(all="ignore"):
        kinds: list[tuple[str, Callable[[], Any]]] = [
            ("float64", lambda: rows),
            ("float32", lambda: rows.astype(np.float32)),
            ("float16", lambda: rng.normal(size=(n, d)).astype(np.float16)),
            ("int64", lambda: rng.integers(-5, 6, (n, d))),
            ("uint8", lambda: rng.integers(0, 256, (n, d)).astype(np.uint8)),
            ("bool", lambda: rng.random((n, d)) < 0.5),
            ("objects", lambda: rng.choice(np.array(["a", 1, 2.5, None], object), (n, d))),
            ("strings", lambda: rng.choice(["a", "bb"], (n, d))),
            ("not contiguous", lambda: np.asfortranarray(np.repeat(rows, 2, axis=0))[::2]),
            ("read-only", lambda: np.frombuffer(rows.tobytes()).reshape(n, d)),
            ("big-endian", lambda: rows.astype(">f8")),
            ("csr", lambda: sparse.csr_array(rows * (rng.random((n, d)) < 0.4))),
            ("coo", lambda: sparse.coo_matrix(rows * (rng.random((n, d)) < 0.4))),
            ("lists", lambda: rows.tolist()),
            ("ragged", lambda: [*rows.tolist(), [1.0]]),
            ("masked", lambda: np.ma.masked_less(rows, 0)),
            ("complex", lambda: rows + 1j),
            ("records", lambda: [{"a": 1.0}] * n),
            ("cube", lambda: rng.random((n, 5, 5))),
            ("scalar", lambda: 3.0),
            ("empty", lambda: np.zeros((0, d))),
            ("no columns", lambda: np.zeros((n, 0))),
            ("texts", lambda: [" ".join(rng.choice(["a", "day", "of"], 4)) for _ in range(n)]),
            ("dates", lambda: rng.integers(0, 99, (n, d)).astype("M8[D]")),
            *[("frame", lambda: _frame(rng, n, d))] * 8,
            ("polars", lambda: _polars(rng, n, d)),
        ]
        name, make = kinds[rng.integers(len(kinds))]
        return name, make()


def _polars(rng: np.random.Generator, n: int, d: int) -> Any:
    pl = pytest.importorskip("polars")
    kinds: list[Callable[[], Any]] = [
        lambda: rng.normal(size=n),
        lambda: rng.choice(["a", "b"], n).tolist(),
        lambda: [None if rng.random() < 0.3 else 1.5 for _ in range(n)],
        lambda: pl.Series(rng.choice(["a", "b"], n).tolist(), dtype=pl.Categorical),
        lambda: [[1, 2]] * n,
    ]
    return pl.DataFrame({f"c{j}": kinds[rng.integers(len(kinds))]() for j in range(d)})


# Models


def _cells(batch: Any) -> list[list[Any]]:
    if hasattr(batch, "toarray"):
        batch = batch.toarray()
    if hasattr(batch, "iter_rows"):
        return [list(row) for row in batch.iter_rows()]
    if hasattr(batch, "itertuples"):
        return [list(row) for row in batch.itertuples(index=False)]
    return [row.split() if isinstance(row, str) else np.ravel(row).tolist() for row in batch]


def honest(batch: Any) -> np.ndarray:
    """Some number for every row of any container, with interactions; the same for the same row."""
    found = []
    for row in _cells(batch):
        codes = [(crc32(repr(cell).encode()) % 997) / 997 for cell in row]
        found.append(sum(codes) + (codes[0] if codes else 0.0) * (codes[-1] if codes else 0.0))
    return np.array(found)


def _mutates(batch: Any) -> Any:
    answer = honest(batch)
    if isinstance(batch, np.ndarray) and batch.size and batch.flags.writeable:
        batch[...] = batch.ravel()[0]
    return answer


class _Fails:
    """Raises at a call."""

    def __init__(self, at: int, error: type[Exception]) -> None:
        self.left, self.error = at, error

    def __call__(self, batch: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise self.error("no")
        return honest(batch)


class _Turns:
    """Answers well for some calls, then in another way."""

    def __init__(self, at: int, into: Callable[[np.ndarray], Any]) -> None:
        self.left, self.into = at, into

    def __call__(self, batch: Any) -> Any:
        self.left -= 1
        answer = honest(batch)
        return answer if self.left >= 0 else self.into(answer)


WAYS: list[Callable[[np.ndarray], Any]] = [
    lambda a: None,
    lambda a: (score for score in a),
    lambda a: [str(score) for score in a],
    lambda a: a + 1j,
    lambda a: np.ma.masked_greater(a, a.min()),
    lambda a: [[1.0], [1.0, 2.0], *[[1.0]] * len(a)],
    lambda a: a[:-1],
    lambda a: a * np.nan,
    lambda a: np.full(a.shape, np.inf),
    lambda a: np.stack([a, a], axis=1),
    lambda a: a.reshape(-1, 1, 1),
    lambda a: a.astype(np.float64) * 1e300,
    lambda a: {"score": a},
    lambda a: float(a[0]),
    lambda a: a.astype(object),
    lambda a: list(a),
    lambda a: sparse.csr_array(a[:, None]),
    lambda a: a.astype("M8[s]"),
    lambda a: a > 1,
    lambda a: np.round(a).astype(int),
]


def _model(rng: np.random.Generator) -> tuple[str, Any]:
    kind = rng.random()
    if kind < 0.5:
        return "honest", honest
    if kind < 0.6:
        return "two outputs", lambda batch: np.stack([honest(batch), -(honest(batch) ** 2)], axis=1)
    if kind < 0.65:
        return "mutates", _mutates
    at = int(rng.integers(0, 6))
    if kind < 0.75:
        error = [ValueError, KeyError, MemoryError, StopIteration, PerturbxError][rng.integers(5)]
        return f"raises {error.__name__} at {at}", _Fails(at, error)
    way = int(rng.integers(len(WAYS)))
    return f"turns into {way} at {at}", _Turns(at, WAYS[way])


SETTINGS: dict[str, list[Any]] = {
    "budget": [1, 50, 300, 2000, 10**12, 2.5],
    "tol": [0.0, 0.1, 0.9, 1.5],
    "link": ["logit", "probit"],
    "batch_size": [1, 3, 10**6, 0],
    "n_jobs": [1, 2],
    "outputs": [0, "top1", "top9", [0, 0], "output", 5],
    "feature_names": [["a"], ["a", "b", "c"]],
    "groups": [{"a": [0]}, {"all": [0, 1, 2]}, {}],
    "stochastic": [True, False],
    "random_state": [None, 3, -1],
    "on_error": ["partial"],
    "masker": [px.Baseline("mean"), px.Baseline("zero"), px.Tokens(), px.Windows(shape=2), 3],
    "max_memory": ["1 kB", 10**9],
    "retries": [1, -1],
    "timeout": [30.0, 0],
    "estimator": ["process", "regression"],
    "interactions": [True],
}


def run(number: int) -> str:
    """The outcome of a case: "explained", or the name of the error; raises for anything else."""
    rng = np.random.default_rng(number)
    name, data = _data(rng)
    kind, model = _model(rng)
    method = METHODS[rng.integers(len(METHODS))]
    own = {field.name for field in fields(method)}
    names = rng.choice([key for key in SETTINGS if key in own], rng.integers(0, 4), replace=False)
    chosen = {key: SETTINGS[key][rng.integers(len(SETTINGS[key]))] for key in names}
    settings: dict[str, Any] = {"budget": 300, "random_state": 0, **chosen}
    case = f"case {number}: {name}, {kind}, {method.__name__}, {chosen}"
    with warnings.catch_warnings(record=True) as said, parallel_config("threading"):
        warnings.simplefilter("always")
        try:
            explainer = method(model, **settings).fit(data)
            x = data[:2] if isinstance(data, (list, np.ndarray)) and rng.random() < 0.5 else data
            explanation = explainer.explain(x)
        except PerturbxError as error:
            found = type(error).__name__
            if not str(error):
                raise AssertionError(f"{case}: {found} says nothing") from error
        except Exception as error:
            raise AssertionError(f"{case}: bare {type(error).__name__}: {error}") from error
        else:
            found = "explained"
            _check(explanation, method.__name__, kind, case)
    ours = (PerturbxWarning, ResourceWarning)
    leaked = [one for one in said if not issubclass(one.category, ours)]
    assert not leaked, f"{case}: {leaked[0].category.__name__}: {leaked[0].message}"
    return found


def _check(explanation: px.Explanation, method: str, kind: str, case: str) -> None:
    """Scores that add up, or NaN with a reason, and views that work."""
    values = np.asarray(explanation.values)
    partial = any("no scores" in note for note in explanation.notes)
    ragged = explanation.regions is not None
    assert partial or ragged or np.isfinite(values).all(), case
    assert (np.nan_to_num(explanation.standard_errors) >= 0).all(), case
    assert explanation.n_rows >= 0, case
    if method in ADDS_UP and kind in ("honest", "two outputs") and not partial:
        total = np.nansum(values, axis=explanation.axes.index("feature"))
        gap = np.abs(total + explanation.base_values - explanation.predictions)
        size = 1.0 + np.abs(explanation.predictions) + np.abs(explanation.base_values)
        assert (gap <= 1e-6 * size).all(), f"{case}: adds up to {gap.max():.3g}"
    repr(explanation)
    explanation._repr_html_()


def _within(number: int) -> str:
    """The outcome of a case; one that hangs is a failure."""
    found: list[Any] = []

    def work() -> None:
        try:
            found.append(run(number))
        except BaseException as error:  # raised again below
            found.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert found, f"case {number} hangs"
    if isinstance(found[0], BaseException):
        raise found[0]
    return str(found[0])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("block", range(10))
def test_hostile_cases(block: int) -> None:
    """300 cases: each is explained, or refused by an error of ours; nothing else leaks."""
    outcomes = [run(30 * block + i) for i in range(30)]
    assert "explained" in outcomes
    assert len(set(outcomes)) > 1


if __name__ == "__main__":
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    failures, counts = 0, dict[str, int]()
    for number in range(first, first + int(sys.argv[1])):
        try:
            outcome = _within(number)
        except AssertionError as failure:
            outcome, failures = "failed", failures + 1
            print(str(failure)[:400])
        counts[outcome] = counts.get(outcome, 0) + 1
    print(counts)
    sys.exit(bool(failures))
