"""Lines of JSON: one for each instance, strict, in bounded memory, and added without loss."""

from __future__ import annotations

import datetime
import io
import json
import os
import stat
import tracemalloc
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidParameterError

KEYS = [
    *("time", "instance", "method", "model", "prediction", "base_value", "scores"),
    *("standard_errors", "data", "n_rows", "n_calls", "converged", "notes"),
]


def refused(token: str) -> None:
    raise AssertionError(f"{token} is not JSON")


def read(explanation: px.Explanation, **settings: Any) -> list[dict[str, Any]]:
    """The lines, by a reader that takes strict JSON alone."""
    file = io.StringIO()
    explanation.to_jsonl(file, **settings)
    assert file.getvalue().endswith("\n")
    return [json.loads(line, parse_constant=refused) for line in file.getvalue().splitlines()]


def result(n: int = 3, d: int = 2, **fields: Any) -> px.Explanation:
    values = np.arange(1.0, n * d + 1).reshape(n, d)
    given: dict[str, Any] = {
        "values": values,
        "standard_errors": values / 10,
        "base_values": np.zeros(n),
        "predictions": values.sum(axis=1),
        "data": values,
        "feature_names": tuple(f"x{j}" for j in range(d)),
        "output_names": ("output",),
        "axes": ("instance", "feature"),
        "method": "KernelShap: regression",
        "value_function": "a baseline",
        "n_rows": 1,
        "n_calls": 1,
    }
    return px.Explanation(**{**given, **fields})


def test_a_line_for_each_instance() -> None:
    """Each has its own scores, errors, data, cost and notes, by names."""
    X = np.random.default_rng(0).normal(size=(5, 3))
    explanation = px.KernelShap(
        lambda X: X[:, 0] * X[:, 1] - X[:, 2], feature_names=["age", "sex", "bmi"], random_state=0
    ).fit_explain(X)
    lines = read(explanation, start=100)
    assert [list(line) for line in lines] == [KEYS] * 5
    assert [line["instance"] for line in lines] == [100, 101, 102, 103, 104]
    for line, one, x in zip(lines, explanation, X, strict=True):
        assert line["scores"] == dict(
            zip(("age", "sex", "bmi"), one.to_frame()["score"], strict=True)
        )
        assert list(line["standard_errors"].values()) == one.standard_errors.tolist()
        assert list(line["data"].values()) == x.tolist()
        assert (line["prediction"], line["base_value"]) == (one.predictions, one.base_values)
        assert (line["n_rows"], line["n_calls"]) == (one.n_rows, one.n_calls)
        assert (line["notes"], line["converged"]) == (list(one.notes), None)
    assert datetime.datetime.fromisoformat(lines[0]["time"]).utcoffset() == datetime.timedelta(0)


def test_what_json_lacks() -> None:
    """NaN, infinite and missing become null, other cells numbers, texts and lists."""
    pd = pytest.importorskip("pandas")
    cells = [
        *(np.nan, np.inf, None, pd.NA, pd.NaT, np.float32(1.5), np.int8(3), np.True_),
        *(pd.Timestamp("2024-01-02"), datetime.date(2024, 1, 2), Decimal("1.50"), "a\nb\ud800"),
        *(np.datetime64("2024-01-02T00:00:00.5", "ns"), (1, np.nan), {"k": np.inf}, 2**80),
    ]
    values = np.full((1, len(cells)), np.nan)
    explanation = result(1, len(cells), values=values, data=np.array([[*cells, 0]], object)[:, :-1])
    (line,) = read(replace(explanation, predictions=np.array([-np.inf])))
    assert set(line["scores"].values()) == {None}
    assert line["prediction"] is None
    assert list(line["data"].values()) == [
        *(None, None, None, None, None, 1.5, 3, True),
        *("2024-01-02T00:00:00", "2024-01-02", "1.50", "a\nb?"),
        *("2024-01-02T00:00:00.500000000", [1, None], {"k": None}, 2**80),
    ]


def test_several_outputs() -> None:
    """By the name of the output first; each instance may have outputs of its own."""
    X = np.random.default_rng(0).normal(size=(4, 2))

    def model(X: np.ndarray) -> np.ndarray:
        return np.stack([X[:, 0], X[:, 1], X.sum(axis=1)], axis=1)

    settings: dict[str, Any] = {"masker": px.Baseline([0.0, 0.0]), "output_names": ["a", "b", "c"]}
    (line, *_) = read(px.Occlusion(model, **settings).explain(X))
    assert line["scores"]["a"] == {"x0": X[0, 0], "x1": 0.0}
    assert line["prediction"] == dict(zip("abc", model(X)[0], strict=True))
    top = px.Occlusion(model, outputs="top1", **settings).explain(X)
    assert [list(one["scores"]) for one in read(top)] == np.asarray(top.output_names).tolist()
    one = px.Occlusion(model, outputs="b", **settings).explain(X[0])
    assert read(one)[0]["scores"] == {"x0": 0.0, "x1": X[0, 1]}
    assert read(top[1:2])[0]["scores"] == read(top)[1]["scores"]
    assert read(one["x1"])[0]["scores"] == {"x1": X[0, 1]}


def test_texts_and_images() -> None:
    """The text itself, its own pieces, and no pixels."""
    texts = ["a good man", "is hard to find"]
    explanation = px.KernelShap(lambda texts: [len(set(t)) for t in texts]).explain(texts)
    lines = read(explanation)
    assert [line["data"] for line in lines] == texts
    assert list(lines[0]["scores"]) == ["a", "good", "man"]
    images = np.random.default_rng(0).random((2, 8, 8))
    masker = px.Superpixels(method="grid", n_segments=4)
    found = px.Occlusion(lambda X: X.mean(axis=(1, 2)), masker=masker).explain(list(images))
    (line, _) = read(found)
    assert line["data"] is None
    assert list(line["scores"]) == list(found[0].feature_names)


def test_global_scores() -> None:
    """One line, with no data."""
    X = np.random.default_rng(0).normal(size=(40, 2))
    found = px.PermutationImportance(lambda X: X[:, 0], random_state=0).explain(X, X[:, 0])
    (line,) = read(found)
    assert line["data"] is None
    assert list(line["scores"].values()) == found.to_frame()["score"].tolist()


# Files


def test_a_file_is_replaced_or_added_to(tmp_path: Path) -> None:
    """Private when it is new; a line that was cut short is ended first, and others stay whole."""
    path = tmp_path / "x.jsonl"
    result().to_jsonl(path)
    result().to_jsonl(path)
    assert len(path.read_text().splitlines()) == 3
    result(2).to_jsonl(path, append=True, start=3)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["instance"] for line in lines] == [0, 1, 2, 3, 4]
    path.write_text(path.read_text()[:-20])
    result(1).to_jsonl(path, append=True, start=9)
    *_, torn, last = path.read_text().splitlines()
    with pytest.raises(json.JSONDecodeError):
        json.loads(torn)
    assert json.loads(last)["instance"] == 9
    result(1).to_jsonl(tmp_path / "new.jsonl", append=True)
    if os.name != "nt":
        for file in tmp_path.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_memory_is_bounded(tmp_path: Path) -> None:
    """The file is ten times larger than what was allocated for it."""
    explanation = result(20_000, 8)
    tracemalloc.start()
    try:
        explanation.to_jsonl(tmp_path / "x.jsonl")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "x.jsonl").stat().st_size > 1e7
    assert peak < 6e6


@pytest.mark.parametrize("settings", [{"append": 1}, {"start": -1}, {"start": 0.5}])
def test_bad_settings(settings: dict[str, Any], tmp_path: Path) -> None:
    """Refused before anything is written."""
    with pytest.raises(InvalidParameterError, match=next(iter(settings))):
        result().to_jsonl(tmp_path / "x.jsonl", **settings)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("append", [True, False])
def test_bad_paths(append: bool, tmp_path: Path) -> None:
    """A number, nothing, a folder, a folder that is not there, a pipe."""
    for bad in (3, "", None):
        with pytest.raises(InvalidParameterError, match="path"):
            result().to_jsonl(bad, append=append)  # type: ignore[arg-type]
    with pytest.raises(OSError, match=r"directory|Permission"):
        result().to_jsonl(tmp_path, append=append)
    with pytest.raises(FileNotFoundError, match="none"):
        result().to_jsonl(tmp_path / "none" / "x.jsonl", append=append)
    if append and os.name != "nt":
        os.mkfifo(tmp_path / "x.jsonl")
        with pytest.raises(InvalidParameterError, match="pipe"):
            result().to_jsonl(tmp_path / "x.jsonl", append=True)
