"""Metrics of a model whose answers are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
import pytest

X = np.random.default_rng(0).normal(size=(6, 5))
REMOVED = px.Background(X)


class Model:
    """Counts the rows that it is asked."""

    def __init__(self, noise: float = 0.0) -> None:
        self.asked, self._noise, self._rng = 0, noise, np.random.default_rng(1)

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        self.asked += len(rows)
        answers = rows @ [3.0, -2.0, 1.0, 0.5, 0.0] + rows[:, 0] * rows[:, 1]
        return np.asarray(answers + self._noise * self._rng.normal(size=len(rows)))


@pytest.mark.parametrize(
    "metric",
    [px.metrics.deletion, px.metrics.insertion, px.metrics.sensitivity_n, px.metrics.infidelity],
)
def test_answers_are_found_again(metric: Any, tmp_path: Path) -> None:
    """A second run asks nothing, and has the same bits, also without an archive."""
    settings: dict[str, Any] = {"masker": REMOVED, "random_state": 0}
    archive, model = px.Archive(tmp_path / "answers.sqlite", model="v1"), Model()
    first = metric(model, X, X, archive=archive, **settings)
    paid, model.asked = model.asked, 0
    again = metric(model, X, X, archive=archive, **settings)
    assert paid > 0
    assert model.asked == 0
    np.testing.assert_array_equal(again.values, first.values)
    np.testing.assert_array_equal(metric(model, X, X, **settings).values, first.values)
    assert again.n_rows == first.n_rows


def test_what_an_explainer_asked_is_not_asked_again(tmp_path: Path) -> None:
    """Deletion looks at coalitions that exact Shapley values have asked all of."""
    archive, model = px.Archive(tmp_path / "answers.sqlite", model="v1"), Model()
    explainer = px.KernelShap(model, masker=REMOVED, archive=archive, random_state=0).fit(X)
    explanation = explainer.explain(X)
    model.asked = 0
    masker = explainer.masker_
    px.metrics.deletion(model, X, explanation, masker=masker, references=False, archive=archive)
    assert model.asked == 0


def test_comparisons_pass_it_on(tmp_path: Path) -> None:
    """The answers by which settings are rehearsed are invented, and are not kept."""
    path, model = tmp_path / "answers.sqlite", Model()
    explainers = {"occlusion": px.Occlusion(model, masker=REMOVED).fit(X), "plain": np.abs}
    plain = px.metrics.compare(explainers, X)
    archive = px.Archive(path, model="v1")
    kept = px.metrics.compare(explainers, X, archive=archive)
    model.asked = 0
    again = px.metrics.compare(explainers, X, archive=archive)
    without = model.asked
    np.testing.assert_array_equal(kept.means, plain.means)
    np.testing.assert_array_equal(again.means, plain.means)
    model.asked = 0
    explainers["occlusion"].explain(X)
    assert without <= 2 * model.asked + 20  # the explainer and its rehearsal have no archive


def test_noisy_answers_are_not_shared_by_equal_rows(tmp_path: Path) -> None:
    """Where the model varies, a row is found by where it was asked; the run repeats itself."""
    settings: dict[str, Any] = {"masker": REMOVED, "random_state": 0, "references": False}
    archive, model = px.Archive(tmp_path / "answers.sqlite", model="v1"), Model(noise=1.0)
    twins = np.vstack([X[:1], X[:1]])
    with pytest.warns(px.errors.UnstableModelWarning):
        first = px.metrics.deletion(model, twins, twins, archive=archive, **settings)
    assert first.values[0] != first.values[1]
    model.asked = 0
    with pytest.warns(px.errors.UnstableModelWarning):
        again = px.metrics.deletion(model, twins, twins, archive=archive, **settings)
    assert model.asked == 0
    np.testing.assert_array_equal(first.values, again.values)
