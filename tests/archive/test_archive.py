"""Archives: what was answered once is read, not asked, whoever asks."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import (
    ArchiveError,
    DamagedArchiveWarning,
    InvalidParameterError,
    PredictFnError,
)

X = np.random.default_rng(0).normal(size=(30, 5))


def bumpy(X: np.ndarray) -> np.ndarray:
    """Two outputs; the answer to a row depends on it alone, to the last bit."""
    return np.stack([np.exp(X[:, 0]) * X[:, 2] + X[:, 3] ** 2, np.sin(X).sum(axis=1)], axis=1)


def explained(model: Any, archive: Any, method: Any = px.KernelShap, **settings: Any) -> Any:
    return method(model, random_state=0, archive=archive, **settings).fit(X[:20]).explain(X[20:23])


@pytest.fixture
def archive(tmp_path: Path) -> px.Archive:
    return px.Archive(tmp_path / "answers.sqlite", model="v1")


SAME = [
    {},
    {"link": "identity", "outputs": [1]},
    {"tol": 0.1},
    {"batch_size": 7},
    {"n_jobs": 2},
]


@pytest.mark.parametrize("settings", SAME, ids=str)
def test_nothing_is_asked_twice(archive: px.Archive, settings: dict[str, Any]) -> None:
    """Another analysis of the same rows calls nothing, and gives the bits that it would without."""
    explained(bumpy, archive)

    def never(X: np.ndarray) -> np.ndarray:
        raise AssertionError("asked")

    def fresh_model(X: np.ndarray) -> np.ndarray:  # found by workers, as it is local
        first = np.exp(X[:, 0]) * X[:, 2] + X[:, 3] ** 2
        return np.stack([first, np.sin(X).sum(axis=1)], axis=1)

    again, fresh = explained(never, archive, **settings), explained(fresh_model, None, **settings)
    np.testing.assert_array_equal(again.values, fresh.values)
    np.testing.assert_array_equal(again.standard_errors, fresh.standard_errors)
    assert (again.n_rows, again.n_calls) == (fresh.n_rows, fresh.n_calls)
    assert again.output_names == fresh.output_names


def test_another_method_reads_the_same_answers(archive: px.Archive, counting_model: Any) -> None:
    """Coalitions that were asked by one method are known to the next."""
    explained(bumpy, archive, px.KernelShap)  # five features: all coalitions
    model = counting_model(bumpy)
    for method in (px.PermutationShap, px.Banzhaf, px.Occlusion):
        explained(model, archive, method)
    assert model.calls == []


def test_new_rows_alone_are_asked(archive: px.Archive, counting_model: Any) -> None:
    """Of a batch that is known in part, the rest is asked."""
    explained(bumpy, archive)
    model = counting_model(bumpy)
    explainer = px.KernelShap(model, random_state=0, archive=archive).fit(X[:20])
    explanation = explainer.explain(X[20:24])
    fresh = px.KernelShap(bumpy, random_state=0).fit(X[:20]).explain(X[20:24])
    np.testing.assert_allclose(explanation.values, fresh.values, atol=1e-13)
    assert 0 < model.n_rows <= fresh.n_rows / 4 + 1


def test_another_version_starts_afresh(archive: px.Archive) -> None:
    """Nothing of v1 is read for v2, and both stay."""
    explained(bumpy, archive)
    other = px.Archive(archive.path, model="v2")
    twice = explained(lambda X: 2 * bumpy(X), other)
    np.testing.assert_allclose(twice.values, 2 * explained(bumpy, archive).values)
    assert [one.name for one in px.archive.info(other).models] == ["v1", "v2"]


def test_a_changed_model_without_a_version_is_refused(
    archive: px.Archive, counting_model: Any
) -> None:
    """Some rows are asked again at the start; the error says how to name the version."""
    model = counting_model(bumpy)
    explained(model, archive.path)
    n = model.n_rows
    explained(model, archive.path)
    assert 0 < model.n_rows - n <= 16

    def changed(X: np.ndarray) -> np.ndarray:
        return bumpy(X) * np.array([1.0, 1.01])

    changed.__name__ = "CountingModel"
    with pytest.raises(PredictFnError, match=r"px\.Archive\(.*version 2"):
        explained(counting_model(changed), archive.path)


def test_a_model_that_changed_elsewhere_is_refused(archive: px.Archive) -> None:
    """Rows known to both are asked again where they are first met, in workers too."""
    explained(bumpy, archive.path)

    def bumpy_for_few(X: np.ndarray) -> np.ndarray:
        return bumpy(X) + 0.5 * (np.abs(X).sum(axis=1, keepdims=True) < 3)

    bumpy_for_few.__name__ = bumpy.__name__
    with pytest.raises(PredictFnError, match="the model has changed"):
        explained(bumpy_for_few, archive.path)


def test_another_number_of_outputs_is_refused(archive: px.Archive) -> None:
    """One version has one number of outputs, and the error says how to name another."""
    explained(bumpy, archive)
    with pytest.raises(PredictFnError, match=r"shape \(\d+,\).*model='version 2'"):
        px.Occlusion(lambda X: X[:, 0], archive=archive).fit(X[:9]).explain(X[9])


def test_noisy_models_are_resumed(
    archive: px.Archive, counting_model: Any, probe_rows: int
) -> None:
    """No two questions share an answer; the same run again asks nothing and gives the same."""
    rng = np.random.default_rng(0)

    def noisy(X: np.ndarray) -> np.ndarray:
        return X @ np.arange(5.0) + rng.normal(size=len(X))

    model = counting_model(noisy)
    first = explained(model, archive, budget=600)
    n = model.n_rows
    again = explained(model, archive, budget=600)
    assert (n, model.n_rows) == (first.n_rows + probe_rows, n)
    np.testing.assert_array_equal(first.values, again.values)
    np.testing.assert_array_equal(first.noise_errors, again.noise_errors)
    assert (first.noise_errors > 0.01).all()


def test_names_of_outputs_and_rounding_are_kept(archive: px.Archive) -> None:
    """A warm archive tells what a frame of answers told."""
    pd = pytest.importorskip("pandas")

    def named(X: np.ndarray) -> Any:
        return pd.DataFrame(bumpy(X).astype(np.float32), columns=["low", "high"])

    first = explained(named, archive)

    def never(X: np.ndarray) -> Any:
        raise AssertionError("asked")

    again = explained(never, archive)
    assert again.output_names == first.output_names == ("low", "high")
    np.testing.assert_array_equal(again.rounding, first.rounding)
    np.testing.assert_array_equal(again.values, first.values)


def test_names_of_outputs_are_kept_before_answers(
    archive: px.Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a kill between the two loses neither names nor the rounding of half precision."""

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("perturbx.predictor.archived.Archived.learn", killed)
    explainer = px.Occlusion(lambda X: X[:, 0], masker=px.Baseline(np.zeros(4)), archive=archive)
    with pytest.raises(KeyboardInterrupt):
        explainer.explain(np.ones((1, 4)))
    assert px.archive.info(archive).n_answers == 0


@pytest.mark.parametrize("kind", ["frame", "sparse", "texts", "image"])
def test_every_container(archive: px.Archive, kind: str, counting_model: Any) -> None:
    """Read back in the same bits, without a call."""
    settings: dict[str, Any] = {"random_state": 0, "archive": archive}
    if kind == "frame":
        pd = pytest.importorskip("pandas")
        frame = pd.DataFrame(
            {"a": X[:, 0], "b": pd.Categorical(["x", "y"] * 15), "c": ["p", None, "r"] * 10}
        )
        model = counting_model(lambda X: X["a"] + (X["b"] == "x") * (X["c"] == "p"))
        run = px.KernelShap(model, **settings).fit(frame[:20])
        explain: Any = lambda: run.explain(frame[20:22])  # noqa: E731
    elif kind == "sparse":
        from scipy import sparse

        matrix = sparse.csr_array(X * (X > 0))
        model = counting_model(lambda X: X.toarray() @ np.arange(5.0))
        run = px.KernelShap(model, **settings).fit(matrix[:20])
        explain = lambda: run.explain(matrix[20:22])  # noqa: E731
    elif kind == "texts":
        model = counting_model(lambda texts: np.array([len(t) * 1.0 for t in texts]))

        def lengths(texts: list[str]) -> np.ndarray:
            model.calls.append(len(texts))
            return np.array([len(t) * 1.0 for t in texts])

        text = px.KernelShap(lengths, **settings)
        explain = lambda: text.explain("a good day for all of us")  # noqa: E731
    else:
        image = np.random.default_rng(1).uniform(size=(16, 16, 3))
        model = counting_model(lambda images: images[:, :8, :8].mean(axis=(1, 2, 3)))
        rise = px.Rise(model, budget=200, **settings)
        explain = lambda: rise.explain(image)  # noqa: E731
    first = explain()
    n = model.n_rows
    again = explain()
    assert model.n_rows == n > 0
    np.testing.assert_array_equal(first.values, again.values)


def test_bad_answers_are_not_kept(archive: px.Archive) -> None:
    """Neither NaN nor a wrong shape, so that a mended model is asked."""
    calls = []

    def breaks(X: np.ndarray) -> np.ndarray:
        calls.append(len(X))
        return np.full((len(X), 1), np.nan) if len(calls) > 3 else X[:, :1]

    with pytest.raises(PredictFnError, match="NaN"):
        explained(breaks, archive)
    mended = explained(lambda X: X[:, :1], archive)
    np.testing.assert_allclose(mended.values[:, 0, 0], X[20:23, 0] - X[:20, 0].mean())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_answers_of_one_output_are_refused(archive: px.Archive, bad: float) -> None:
    """The error names the row, also where answers have no axis of outputs."""

    def breaks(X: np.ndarray) -> np.ndarray:
        answers = X[:, 0].copy()
        answers[3:4] = bad
        return answers

    with pytest.raises(PredictFnError, match=r"1 NaN or infinite values .* first in row 3"):
        explained(breaks, archive)


def test_threads_and_processes_share_an_archive(archive: px.Archive, counting_model: Any) -> None:
    """Several runs at once, in two threads and with two workers each, lose nothing."""
    found: list[Any] = []

    def local(X: np.ndarray) -> np.ndarray:
        return np.exp(X[:, :1]) * X[:, 2:3]

    runs = [
        threading.Thread(target=lambda: found.append(explained(local, archive, n_jobs=2)))
        for _ in range(2)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    fresh = explained(local, None)
    for one in found:
        np.testing.assert_allclose(one.values, fresh.values, atol=1e-13)
    model = counting_model(local)
    explained(model, archive)
    assert (len(found), model.calls) == (2, [])
    assert px.archive.verify(archive).n_lost == 0


# Files


def test_files_are_private(archive: px.Archive) -> None:
    """No one else can read what a model said."""
    explained(bumpy, archive)
    for file in Path(archive.path).parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0


def _flip(path: Path, share: float) -> None:
    """Overwrite some bytes at a place in the file."""
    with path.open("r+b") as file:
        file.seek(int(path.stat().st_size * share))
        file.write(b"\x55" * 64)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_damage_is_set_aside(tmp_path: Path, share: float, counting_model: Any) -> None:
    """Wherever bytes are changed: no wrong number, no lost run; what was lost is asked again."""
    path = tmp_path / "answers.sqlite"
    archive = px.Archive(path, model="v1")
    fresh = explained(bumpy, archive)
    px.archive.prune(path, older_than=1)  # all in one file
    other = tmp_path / "moved.sqlite"
    path.rename(other)
    archive = px.Archive(other, model="v1")
    _flip(other, share)
    model = counting_model(bumpy)
    if share == 0.0:  # a file without its head is no archive
        with pytest.raises(ArchiveError, match="another program"):
            explained(model, archive)
        return
    with warnings.catch_warnings(record=True):  # none, where the bytes were not in use
        warnings.simplefilter("always", DamagedArchiveWarning)
        again = explained(model, archive)
        px.archive.verify(archive)
    np.testing.assert_allclose(again.values, fresh.values, atol=1e-13)
    assert px.archive.verify(archive).n_lost == 0
    explained(model, archive)
    n = model.n_rows
    explained(model, archive)
    assert model.n_rows == n


def test_cut_files_are_set_aside(tmp_path: Path) -> None:
    """A file that ends too early is read as far as it goes."""
    path = tmp_path / "answers.sqlite"
    explained(bumpy, px.Archive(path, model="v1"))
    px.archive.prune(path, older_than=1)
    cut = tmp_path / "cut.sqlite"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.warns(DamagedArchiveWarning):
        again = explained(bumpy, px.Archive(cut, model="v1"))
    np.testing.assert_allclose(again.values, explained(bumpy, None).values, atol=1e-13)


BAD_FILES = {
    "a folder": ("is a folder", lambda path: path.mkdir()),
    "a link": ("not a link", lambda path: path.symlink_to(path.parent / "elsewhere")),
    "another database": (
        "another program",
        lambda path: sqlite3.connect(path).execute("CREATE TABLE mine(x)").connection.close(),
    ),
    "a text": ("another program", lambda path: path.write_text("a diary\n" * 1000)),
    "no folder": ("cannot", lambda path: None),
}


@pytest.mark.parametrize("name", sorted(BAD_FILES))
def test_other_files_are_refused(tmp_path: Path, name: str, counting_model: Any) -> None:
    """Before the model is asked, and they are left as they are."""
    message, make = BAD_FILES[name]
    path = tmp_path / ("no/such/folder" if name == "no folder" else "file")
    make(path)
    before = path.read_bytes() if path.is_file() else None
    model = counting_model(bumpy)
    with pytest.raises(ArchiveError, match=message):
        explained(model, path)
    assert model.calls == []
    assert before is None or path.read_bytes() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_files_that_cannot_be_written_are_refused(archive: px.Archive) -> None:
    """The error names the file."""
    explained(bumpy, archive)
    Path(archive.path).chmod(0o400)
    with pytest.raises(ArchiveError, match="can be written"):
        explained(bumpy, archive)


def test_another_format_is_refused(archive: px.Archive) -> None:
    """A file of a later perturbx is not touched."""
    explained(bumpy, archive)
    px.archive.prune(archive, older_than=1)  # all in one file
    later = Path(archive.path).with_name("later.sqlite")
    later.write_bytes(Path(archive.path).read_bytes())
    with sqlite3.connect(later) as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(ArchiveError, match="format 2"):
        explained(bumpy, later)


@pytest.mark.parametrize("bad", [3, "", b"", ["a"], {}], ids=repr)
def test_what_is_no_path_is_refused(bad: Any) -> None:
    """The error says what to pass."""
    with pytest.raises(InvalidParameterError, match="path"):
        explained(bumpy, bad)


@pytest.mark.parametrize("bad", [3, "", " ", b"v1"], ids=repr)
def test_what_is_no_version_is_refused(bad: Any) -> None:
    """A version is a text."""
    with pytest.raises(InvalidParameterError, match="version of the model"):
        px.Archive("a.sqlite", model=bad)
