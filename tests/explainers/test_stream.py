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


def test_rows_of_parquet_are_numbered_through_all_chunks(tmp_path: Path) -> None:
    """Also where a chunk is a single row, and where a run goes on."""
    pd, _ = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    chunks = [X[20], X[21:23], X[23]]
    explainer().explain_to(tmp_path, chunks[:2], format="parquet")
    explainer().explain_to(tmp_path, chunks, format="parquet")
    frame = pd.read_parquet(tmp_path)
    assert frame["instance"].tolist() == np.repeat(np.arange(4), 6).tolist()
    np.testing.assert_allclose(frame["data"], X[20:24].ravel())


def test_lines_count_a_single_row_as_one(tmp_path: Path) -> None:
    """It is no table of as many rows as it has columns."""
    paths = explainer().explain_to(tmp_path, [X[20], X[21:23]], format="jsonl")
    found = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    assert [line["instance"] for line in found] == [0, 1, 2]


@pytest.mark.parametrize("format", ["npz", "jsonl"])
def test_another_model_or_background_is_refused(tmp_path: Path, format: Any) -> None:
    """Files of an earlier model are not taken for those of this one."""

    def retrained(rows: np.ndarray) -> np.ndarray:
        return 1.01 * model(rows)

    explainer().explain_to(tmp_path, CHUNKS, format=format)
    other_rows = px.KernelShap(model, budget=900, random_state=0).fit(X[1:21])
    for other in (explainer(retrained), other_rows):
        with pytest.raises(InvalidParameterError, match=r"Chunk 0 .* model or data of fit"):
            other.explain_to(tmp_path, CHUNKS, format=format)

    def rounded(rows: np.ndarray) -> np.ndarray:
        return model(rows) * (1 + 1e-7)

    assert len(explainer(rounded).explain_to(tmp_path, CHUNKS, format=format)) == 4


def test_another_version_of_the_model_is_refused(tmp_path: Path) -> None:
    """Its name is enough, where its first answers are the same."""
    one, two = (px.Archive(tmp_path / "a", model=name) for name in ("1", "2"))
    explainer(archive=one).explain_to(tmp_path / "scores", CHUNKS)
    with pytest.raises(InvalidParameterError, match="another chunk, setting, model"):
        explainer(archive=two).explain_to(tmp_path / "scores", CHUNKS)


@pytest.mark.parametrize("format", ["npz", "parquet", "jsonl"])
def test_explanations_that_were_cut_short_are_made_again(tmp_path: Path, format: Any) -> None:
    """A model that failed for a while leaves no file that the next call takes for a whole one."""
    if format == "parquet":
        pytest.importorskip("pyarrow")
    left = [7]

    def fragile(rows: np.ndarray) -> np.ndarray:
        left[0] -= 1
        if left[0] < 0:
            raise ConnectionError("down")
        return model(rows)

    settings: dict[str, Any] = {"on_error": "partial", "batch_size": 200}
    run = explainer(fragile, **settings)
    with pytest.warns(px.errors.PartialResultWarning):
        (path,) = run.explain_to(tmp_path, CHUNKS[:1], format=format)
    assert path.name.startswith("partial-000000-")
    left[0] = 10**6
    (again,) = run.explain_to(tmp_path, CHUNKS[:1], format=format)
    assert [again] == list(tmp_path.iterdir())
    if format == "npz":
        whole = explainer(**settings).explain(CHUNKS[0])
        np.testing.assert_array_equal(px.load(again).values, whole.values)


def test_an_interruption_ends_the_call(tmp_path: Path) -> None:
    """With on_error="partial", the chunk at hand is kept, and no further one is asked."""
    asked = [0]

    def interrupted(rows: np.ndarray) -> np.ndarray:
        asked[0] += 1
        if asked[0] in (7, 57):
            raise KeyboardInterrupt
        return model(rows)

    run = explainer(interrupted, on_error="partial", batch_size=200)
    with pytest.warns(px.errors.PartialResultWarning):
        paths = run.explain_to(tmp_path, CHUNKS)
    assert [path.name[:14] for path in paths] == ["partial-000000"]
    assert asked == [7]
    asked[0] = 50
    with pytest.warns(px.errors.PartialResultWarning):
        assert len(list(run.explain_iter(CHUNKS))) == 1
    assert asked == [57]


def test_errors_of_files_say_which_chunk(tmp_path: Path) -> None:
    """Counted through all chunks, also where the first ones are there."""
    explainer().explain_to(tmp_path, CHUNKS[:2])
    for bad in (None, 3, X[20:22, :5]):
        with pytest.raises(InvalidInputError, match=r"Chunk 2 \(from 0\): X"):
            explainer().explain_to(tmp_path, [*CHUNKS[:2], bad])


def test_a_full_disk_leaves_whole_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the file, and says that the same call goes on."""
    explainer().explain_to(tmp_path, CHUNKS[:1])

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("perturbx.result.storage.os.fsync", full)
    with pytest.raises(OSError, match=r"No space left on device; .* goes on after them.*part-0"):
        explainer().explain_to(tmp_path, CHUNKS)
    monkeypatch.undo()
    assert len(list(tmp_path.iterdir())) == 1
    assert len(explainer().explain_to(tmp_path, CHUNKS)) == 4


def test_dates_in_the_background(tmp_path: Path) -> None:
    """What `fit` has learned of them is part of a file's name."""
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"day": pd.date_range("2026-01-01", periods=6), "size": np.arange(6.0)})

    def counted(rows: Any) -> Any:
        return rows["day"].dt.day * 1.0 + rows["size"]

    run = px.Occlusion(counted, masker=px.Background(frame[:3]), random_state=0)
    (path,) = run.fit(frame[:3]).explain_to(tmp_path, [frame[3:5]])
    np.testing.assert_allclose(px.load(path).values, [[2, 2], [3, 3]])
    other = px.Occlusion(counted, masker=px.Background(frame[1:4]), random_state=0)
    with pytest.raises(InvalidParameterError, match="data of fit"):
        other.fit(frame[:3]).explain_to(tmp_path, [frame[3:5]])
