"""What is in an archive, and making it smaller."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import ArchiveError, InvalidParameterError

X = np.random.default_rng(0).normal(size=(30, 5))


def bumpy(X: np.ndarray) -> np.ndarray:
    """Two outputs; the answer to a row depends on it alone, to the last bit."""
    return np.stack([np.exp(X[:, 0]) * X[:, 2] + X[:, 3] ** 2, np.sin(X).sum(axis=1)], axis=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "answers.sqlite"
    for version in ("v1", "v2"):
        archive = px.Archive(path, model=version)
        px.KernelShap(bumpy, random_state=0, archive=archive).fit(X[:9]).explain(X[9])
    return path


def test_info_counts_answers(path: Path) -> None:
    """Each row that was asked, by version; the size is that on disk."""
    info = px.archive.info(path)
    first, second = info.models
    assert (first.name, second.name) == ("v1", "v2")
    assert first.n_answers == second.n_answers == info.n_answers / 2 > 200
    assert first.first <= first.last <= second.last
    assert 0 < info.n_bytes < 500 * info.n_answers
    assert "v1: " in repr(info)


def test_pruned_versions_are_asked_again(path: Path, counting_model: Any) -> None:
    """Only those; the file gets smaller."""
    before = px.archive.info(path)
    assert px.archive.prune(path, model="v1") == before.models[0].n_answers
    after = px.archive.info(path)
    assert [model.name for model in after.models] == ["v2"]
    assert after.n_bytes < before.n_bytes
    for version, n in (("v1", before.models[0].n_answers), ("v2", 0)):
        model = counting_model(bumpy)
        archive = px.Archive(path, model=version)
        px.KernelShap(model, random_state=0, archive=archive).fit(X[:9]).explain(X[9])
        assert model.n_rows == n
    assert px.archive.verify(path).n_lost == 0


def test_old_answers_are_pruned(path: Path) -> None:
    """Nothing is older than a day; everything is older than no time at all."""
    n = px.archive.info(path).n_answers
    assert px.archive.prune(path, older_than=1) == 0
    assert px.archive.prune(path, older_than=timedelta(0)) == n
    assert px.archive.info(path).n_answers == 0


def test_verify_reads_everything(path: Path) -> None:
    """All answers of a file that is whole."""
    assert px.archive.verify(path) == px.archive.Verified(px.archive.info(path).n_answers, 0)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"model": "v3"}, "one of"),
    ({"older_than": -1}, "older_than"),
    ({"older_than": timedelta(days=-1)}, "older_than"),
    ({"older_than": "a week"}, "older_than"),
]


@pytest.mark.parametrize(("settings", "message"), WRONG, ids=str)
def test_wrong_settings_are_refused(path: Path, settings: dict[str, Any], message: str) -> None:
    """Nothing is removed then."""
    n = px.archive.info(path).n_answers
    with pytest.raises(InvalidParameterError, match=message):
        px.archive.prune(path, **settings)
    assert px.archive.info(path).n_answers == n


@pytest.mark.parametrize("look", [px.archive.info, px.archive.prune, px.archive.verify])
def test_a_missing_archive_is_named(tmp_path: Path, look: Any) -> None:
    """It is not made by looking at it."""
    with pytest.raises(ArchiveError, match="no archive"):
        look(tmp_path / "nothing.sqlite")
    assert not list(tmp_path.iterdir())
