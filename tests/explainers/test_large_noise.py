"""Noise that is too large to keep: the same scores, however it is read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import PartialResultWarning

ROWS = np.random.default_rng(0).normal(size=(40, 300))
SETTINGS: dict[str, Any] = {"budget": 5001, "random_state": 3}
"""5,000 draws of 300 columns: a million and a half numbers."""


def model(X: np.ndarray) -> np.ndarray:
    return np.asarray(np.tanh(X[:, 0] * X[:, 1]) + X[:, 2] + X[:, -1])


def integers() -> np.ndarray:
    """Columns that move in steps; one in six is a category of two, and one in six is constant."""
    rows = np.rint(5 * ROWS).astype(int)
    rows[:, 1::6] = rows[:, 1::6] > 0
    rows[:, 2::6] = 1
    return rows


@pytest.fixture(scope="module", params=[px.Lime, px.SmoothGrad])
def usual(request: Any) -> tuple[Any, px.Explanation]:
    return request.param, request.param(model, **SETTINGS).fit(ROWS).explain(ROWS[:2])


def same(one: px.Explanation, other: px.Explanation) -> bool:
    """Scores and errors agree to the last bit."""
    names = ("values", "standard_errors", "base_values")
    return all(np.array_equal(getattr(one, n), getattr(other, n), equal_nan=True) for n in names)


@pytest.mark.parametrize(
    "settings",
    [{"batch_size": 101}, {"batch_size": 10_000}, {"n_jobs": 2}, {"on_error": "partial"}],
    ids=str,
)
def test_batches_and_workers_change_nothing(usual: Any, settings: dict[str, Any]) -> None:
    """Whatever is drawn together, and by whom."""
    method, expected = usual
    found = method(model, **SETTINGS, **settings).fit(ROWS).explain(ROWS[:2])
    assert same(found, expected)


def test_an_archive_knows_every_row(usual: Any, tmp_path: Path, counting_model: Any) -> None:
    """Cold or warm; the second time all rows but those of the probe are known."""
    method, expected = usual
    counting = counting_model(model)
    for _ in range(2):
        asked = counting.n_rows
        explainer = method(counting, archive=tmp_path / "a.db", **SETTINGS).fit(ROWS)
        assert same(explainer.explain(ROWS[:2]), expected)
    assert counting.n_rows - asked < 20


def test_what_is_saved_goes_on_the_same(usual: Any, tmp_path: Path) -> None:
    """The explainer, and the explanation."""
    method, expected = usual
    explainer = method(model, **SETTINGS).fit(ROWS)
    explainer.save(tmp_path / "explainer.npz")
    loaded = px.load_explainer(tmp_path / "explainer.npz", model)
    assert same(loaded.explain(ROWS[:2]), expected)
    expected.save(tmp_path / "explanation.npz")
    assert same(px.load(tmp_path / "explanation.npz"), expected)


def test_a_failure_leaves_scores_of_what_was_answered() -> None:
    """The perturbations until the failure are those of a smaller budget."""
    asked = 0

    def failing(X: np.ndarray) -> np.ndarray:
        nonlocal asked
        asked += len(X)
        if asked > 4000:
            raise ConnectionError("gone")
        return model(X)

    explainer = px.Lime(failing, on_error="partial", **SETTINGS).fit(ROWS)
    with pytest.warns(PartialResultWarning):
        found = explainer.explain(ROWS[:1])
    assert np.isfinite(found.values).all()
    answered = re.search(r"on ([\d,]+) perturbations", found.method)
    assert answered is not None
    fewer = {**SETTINGS, "budget": int(answered[1].replace(",", "")) + 1}
    smaller = px.Lime(model, **fewer).fit(ROWS).explain(ROWS[:1])
    assert np.array_equal(found.values, smaller.values)


def test_columns_of_all_kinds_are_read_in_blocks() -> None:
    """Integers, categories and constant columns: rows do not depend on the batches."""
    rows = integers()
    expected = px.Lime(model, budget=12_000, random_state=3).fit(rows).explain(rows[:2])
    found = px.Lime(model, budget=12_000, batch_size=97, random_state=3, n_jobs=2)
    assert same(found.fit(rows).explain(rows[:2]), expected)
    assert (expected.values[:, 2::6] == 0).all()
