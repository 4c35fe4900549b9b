"""Chunks of instances: the same scores as at once, in files that a run goes on with."""

from __future__ import annotations

import builtins
import json
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidInputError, InvalidParameterError

X = np.random.default_rng(0).normal(size=(60, 6))
CHUNKS = np.array_split(X[20:], 4)


def model(rows: np.ndarray) -> np.ndarray:
    return np.exp(rows[:, 0]) * rows[:, 2] + rows[:, 5]


def explainer(function: Any = model, **settings: Any) -> Any:
    return px.KernelShap(function, **{"budget": 900, "random_state": 0, **settings}).fit(X[:20])


def test_chunks_have_the_scores_of_one_call() -> None:
    """With a budget, scores do not depend on the company of a row."""
    whole = explainer().explain(X[20:])
    joined = px.concat(explainer().explain_iter(iter(CHUNKS)))
    np.testing.assert_allclose(joined.values, whole.values, atol=1e-12)
    np.testing.assert_array_equal(joined.data, X[20:])


def test_chunks_are_explained_when_they_are_asked_for() -> None:
    """A generator is read chunk by chunk."""
    read = []

    def chunks() -> Any:
        for chunk in CHUNKS:
            read.append(len(chunk))
            yield chunk

    found = explainer().explain_iter(chunks())
    next(found)
    assert len(read) == 1


@pytest.mark.parametrize("format", ["npz", "parquet"])
def test_files_are_gone_on_with(tmp_path: Path, format: str) -> None:
    """After an interruption the rest alone is asked, and the numbers are the same."""
    if format == "parquet":
        pytest.importorskip("pyarrow")
    folder = tmp_path / "scores"

    def breaks() -> Any:
        yield from CHUNKS[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explainer().explain_to(folder, breaks(), format=format)
    assert len(list(folder.iterdir())) == 2
    calls: list[int] = []

    def counting(rows: np.ndarray) -> np.ndarray:
        calls.append(len(rows))
        return model(rows)

    counting.__name__ = model.__name__
    run = explainer(counting)
    calls.clear()
    paths = run.explain_to(folder, CHUNKS, format=format)
    rows = sum(calls)
    assert run.explain_to(folder, CHUNKS, format=format) == paths == sorted(folder.iterdir())
    assert sum(calls) == rows
    whole = explainer().explain(X[20:])
    assert rows < 0.6 * whole.n_rows
    if format == "npz":
        np.testing.assert_allclose(px.concat(map(px.load, paths)).values, whole.values, atol=1e-12)
        return
    pd = pytest.importorskip("pandas")
    frame = pd.concat(map(pd.read_parquet, paths))
    np.testing.assert_allclose(frame["score"], whole.to_frame()["score"], atol=1e-12)
    np.testing.assert_allclose(frame["data"], whole.to_frame()["data"].astype(float))


def test_mixed_data_are_written_as_text(tmp_path: Path) -> None:
    """Parquet columns have one type."""
    pd, _ = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"age": [1.5, 2.5, np.nan], "sex": ["f", "m", None]})
    run = px.Occlusion(lambda rows: rows["age"].fillna(0) + (rows["sex"] == "f"), random_state=0)
    (path,) = run.fit(frame).explain_to(tmp_path, [frame], format="parquet")
    assert pd.read_parquet(path)["data"].tolist()[:2] == ["1.5", "f"]


def test_other_chunks_and_settings_are_refused(tmp_path: Path) -> None:
    """Parts of two runs are never mixed."""
    explainer().explain_to(tmp_path, CHUNKS)
    for run, chunks in (
        (explainer(budget=800), CHUNKS),
        (explainer(random_state=1), CHUNKS),
        (explainer(), [CHUNKS[0], CHUNKS[2]]),
        (explainer(), np.array_split(X[20:], 5)),
    ):
        with pytest.raises(InvalidParameterError, match=r"Chunk [01] .* another folder"):
            run.explain_to(tmp_path, chunks)
    assert len(list(tmp_path.iterdir())) == 4
    explainer(n_jobs=2, batch_size=7, archive=tmp_path / "a").explain_to(tmp_path, CHUNKS)


def test_errors_say_which_chunk() -> None:
    """Columns that change midway are found where they do."""
    chunks = [CHUNKS[0], CHUNKS[1][:, :5]]
    found = explainer().explain_iter(chunks)
    next(found)
    with pytest.raises(InvalidInputError, match=r"Chunk 1 \(from 0\): X has 5 columns"):
        next(found)


@pytest.mark.parametrize("bad", [3, None, "rows", X[20:]], ids=["3", "None", "text", "table"])
def test_what_are_no_chunks_is_refused(bad: Any, tmp_path: Path) -> None:
    """A table is not taken for a list of rows."""
    with pytest.raises((InvalidParameterError, InvalidInputError), match=r"np\.array_split"):
        list(explainer().explain_iter(bad))
    with pytest.raises((InvalidParameterError, InvalidInputError), match=r"np\.array_split"):
        explainer().explain_to(tmp_path, bad)


@pytest.mark.parametrize(
    ("folder", "message"), [(3, "folder must be"), ("", "folder must be"), ("file", "neither")]
)
def test_bad_folders_are_refused(folder: Any, message: str, tmp_path: Path) -> None:
    """Before anything is asked."""
    (tmp_path / "file").write_text("mine")
    place = tmp_path / folder if folder == "file" else folder
    with pytest.raises(InvalidParameterError, match=message):
        explainer().explain_to(place, CHUNKS)
    with pytest.raises(InvalidParameterError, match="format"):
        explainer().explain_to(tmp_path, CHUNKS, format="csv")


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is asked."""
    before = builtins.__import__

    def without(name: str, *args: Any, **keywords: Any) -> Any:
        if name == "pyarrow":
            raise ImportError(name)
        return before(name, *args, **keywords)

    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match="pip install pyarrow"):
        explainer().explain_to(tmp_path / "new", CHUNKS, format="parquet")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("container", ["array", "frame"])
def test_an_empty_chunk_is_refused(container: str, tmp_path: Path) -> None:
    """A generator may well end with one: the error says which it is."""
    nothing = X[:0] if container == "array" else pytest.importorskip("pandas").DataFrame(X).iloc[:0]
    with pytest.raises(InvalidInputError, match=r"Chunk 0 .*empty"):
        px.KernelShap(model, masker=px.Baseline(np.zeros(6)), random_state=0).explain_to(
            tmp_path, [nothing]
        )


@pytest.mark.skipif(os.name == "nt", reason="POSIX alone")
@pytest.mark.parametrize("format", ["npz", "parquet"])
def test_files_are_private_and_no_links(tmp_path: Path, format: str) -> None:
    """A link that somebody put into the folder is neither followed nor replaced."""
    if format == "parquet":
        pytest.importorskip("pyarrow")
    (path,) = explainer().explain_to(tmp_path / "scores", CHUNKS[:1], format=format)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidParameterError, match="is a link"):
        explainer().explain_to(tmp_path / "scores", CHUNKS[:1], format=format)
    assert not (tmp_path / "elsewhere").exists()


def test_lines_are_numbered_through_all_chunks(tmp_path: Path) -> None:
    """Also where a run goes on; the parts are what one explanation would write."""

    def breaks() -> Any:
        yield from CHUNKS[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explainer().explain_to(tmp_path, breaks(), format="jsonl")
    paths = explainer().explain_to(tmp_path, iter(CHUNKS), format="jsonl")
    found = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    assert [line["instance"] for line in found] == list(range(40))
    scores = [list(line["scores"].values()) for line in found]
    np.testing.assert_allclose(scores, explainer().explain(X[20:]).values, atol=1e-9)
