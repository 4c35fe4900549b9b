"""What is below its own rounding error is 0 wherever scores are shown, and asks for no rows."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_allclose
from perturbx._rounding import Rounding

METHODS = [px.KernelShap, px.PermutationShap, px.Banzhaf, px.Occlusion, px.OwenShap]
METHODS += [px.Lime, px.Rise]
IMAGE = np.random.default_rng(3).random((24, 24, 3)).astype(np.float32)


@pytest.fixture(autouse=True)
def _no_window() -> None:
    matplotlib.use("Agg")


class Trembling:
    """Answers 3 where `reacts` is 0, give or take a unit in the last place."""

    def __init__(self, kind: Any, reacts: Any = None) -> None:
        self.kind, self.reacts = np.dtype(kind), reacts or (lambda X: 0.0)

    def __call__(self, X: np.ndarray) -> np.ndarray:
        flat = X.reshape(len(X), -1).astype(np.float64)
        units = np.floor(flat @ np.linspace(1, 99, flat.shape[1]) * 991) % 3 - 1
        answers = (3 + self.reacts(X)) * (1 + units * np.finfo(self.kind).eps)
        return np.asarray(answers, dtype=self.kind)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("method", METHODS)
def test_a_table_of_a_model_that_does_not_react_is_empty(method: Any, kind: Any) -> None:
    """No score is shown in text, frame or bar, none ranks, and no budget is advised."""
    pytest.importorskip("pandas")
    rows = np.random.default_rng(0).normal(size=(20, 6))
    explainer = method(Trembling(kind), random_state=0, budget=400).fit(rows)
    explanation = explainer.explain(rows[:2])
    assert explanation.notes == ()
    assert explanation[0].notes == ()
    assert (explanation.to_frame()["score"] == 0).all()
    table = repr(explanation[0]).partition("score ±")[2].splitlines()[1:]
    assert len(table) == 6
    assert all("+0.000" in line for line in table)
    lengths = [bar.get_width() for bar in px.plots.bar(explanation[0], show=False).patches]
    assert_allclose(lengths, 0)
    matplotlib.pyplot.close("all")
    judged = [
        px.metrics.deletion(Trembling(kind), rows[:2], scores, masker=px.Background(rows[:3]))
        for scores in (explanation, np.zeros((2, 6)))
    ]
    assert np.array_equal(judged[0].values, judged[1].values)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("method", [m for m in METHODS if m is not px.PermutationShap])
def test_a_map_of_a_model_that_does_not_react_is_blank(method: Any, kind: Any) -> None:
    """No color, nothing cut out, no picture in a notebook that differs from the plain image."""
    explanation = method(Trembling(kind), random_state=0, budget=150).explain(IMAGE)
    assert explanation.notes == ()
    assert (explanation.heatmap() == 0).all()
    drawn = px.plots.overlay(explanation, show=False)
    assert (drawn.get_images()[1].get_array() == 0).all()
    cut_out = px.plots.overlay(explanation, top=3, show=False)
    assert "no region above 0" in cut_out.texts[0].get_text()
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize("method", [px.KernelShap, px.Occlusion, px.Lime])
def test_only_what_counts_is_cut_out(method: Any) -> None:
    """Of three highest regions one reacts: two would be rounding."""
    explainer = method(
        Trembling(np.float32, lambda X: X[:, :8, :8].mean(axis=(1, 2, 3))),
        masker=px.Windows(shape=(8, 8), stride=(8, 8), fill=0),
        random_state=0,
    )
    explanation = explainer.explain(IMAGE)
    assert (
        "the 1 highest of 9" in px.plots.overlay(explanation, top=3, show=False).texts[0].get_text()
    )
    matplotlib.pyplot.close("all")
    assert np.flatnonzero(explanation.heatmap()[::8, ::8]).tolist() == [0]


def test_scores_above_their_rounding_stay() -> None:
    """However small, and whatever their standard error; an explanation without it has float64's."""
    explanation = px.Explanation(
        values=np.array([2e-12, 5e-13, -1e-7, 0.3]),
        standard_errors=np.array([1e-15, 1e-15, 1.0, 1.0]),
        base_values=np.array(-1.0),
        predictions=np.array(0.5),
        data=None,
        feature_names=tuple("abcd"),
        output_names=("y",),
        axes=("feature",),
        method="Mine",
        value_function="none",
        n_rows=1,
        n_calls=1,
    )
    pytest.importorskip("pandas")
    assert explanation.to_frame()["score"].tolist() == [2e-12, 0, -1e-7, 0.3]
    assert explanation.values[1] == 5e-13


def test_slices_and_files_keep_the_rounding(tmp_path: Any) -> None:
    """Each instance and output has its own."""
    rows = np.random.default_rng(0).normal(size=(10, 3))
    explainer = px.KernelShap(lambda X: np.stack([X[:, 0], 1e6 + X[:, 1]], axis=1)).fit(rows)
    explanation = explainer.explain(rows[:2])
    assert explanation.rounding.shape == (2, 2)
    assert explanation[1, :, 0].rounding == explanation.rounding[1, 0] < 1e-10
    explanation.save(tmp_path / "own.npz")
    assert np.array_equal(px.load(tmp_path / "own.npz").rounding, explanation.rounding)


@pytest.mark.parametrize(
    ("method", "masker"),
    [
        (px.KernelShap, px.Superpixels()),
        (px.KernelShap, px.Superpixels(method="grid", fill="mean")),
        (px.KernelShap, px.Superpixels(fill=0.3)),
        (px.PermutationShap, px.Windows(shape=(8, 8))),
        (px.Occlusion, px.Windows(shape=(8, 8), stride=(4, 4), fill="mean")),
        (px.Lime, px.Superpixels(fill="light blur")),
        (px.Rise, px.SmoothGrid(fill="blur")),
        (px.Rise, px.SmoothGrid(fill="mean")),
        (px.OwenShap, px.SuperpixelTrees()),
        (px.Banzhaf, px.Superpixels(fill="noise")),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_blank_image_has_nothing_to_remove(method: Any, masker: Any, dtype: Any) -> None:
    """A fill that equals it says so, up to rounding; a picture beside it has scores."""
    blank = np.full((24, 24, 3), 0.3, dtype=dtype)
    budget = 1_000 if method is px.Rise else 200
    explainer = method(
        lambda X: X.mean(axis=(1, 2, 3)), masker=masker, budget=budget, random_state=0
    )
    explanation = explainer.explain(np.stack([blank, IMAGE.astype(dtype)]))
    said = "nothing to remove: the instance equals its fill, so all scores are 0"
    assert said in explanation[0].notes
    assert f"1 of 2 instances: {said}" in explanation.notes
    assert not any("nothing to remove" in note for note in explanation[1].notes)
    assert np.nanmax(np.abs(explanation[0].values)) == 0


def test_an_instance_that_equals_its_background_says_so() -> None:
    """On tables as on images; noise changes nothing if no column varies."""
    rows = np.ones((5, 3))
    of_one = px.KernelShap(lambda X: X.sum(axis=1)).fit(rows).explain(rows[0])
    assert of_one.notes[-1].startswith("nothing to remove: the instance equals its background")
    moved = px.Lime(lambda X: X.sum(axis=1)).fit(rows).explain(rows[0])
    assert moved.notes[-1].startswith("nothing to perturb")


def test_rounding_goes_through_the_slope_of_the_logit() -> None:
    """In float32, p = 1 - 1e-4 is known to 1e-7, and its logit to 1e-3; so is 1e-4 as 1 - p."""
    logits = np.array([np.log((1 - 1e-4) / 1e-4), np.log(1e-4 / (1 - 1e-4))])
    alone = Rounding(5e-7, "logit").of(logits)
    assert_allclose(alone, [1.25e-3, 5e-7 * 9.2], rtol=0.01)
    assert_allclose(Rounding(5e-7, "logit", of_one=True).of(logits), 1.25e-3, rtol=0.01)
    assert_allclose(Rounding(5e-7, of_one=True).of(np.array([0.1, 2.0])), [5e-7, 1e-6])
