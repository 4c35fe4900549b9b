"""RISE against its formula, and as a method among the others."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.errors import BudgetError, InvalidParameterError


def spots(batch: np.ndarray) -> np.ndarray:
    """Two outputs, each the product of the brightness of two places."""
    at = batch.reshape(len(batch), *batch.shape[1:3], -1).mean(axis=-1)
    places = [at[:, y : y + 6, x : x + 6].mean(axis=(1, 2)) for y, x in ((5, 5), (20, 24), (30, 3))]
    return np.stack([places[0] * places[1], places[2]], axis=1)


@pytest.mark.parametrize("p", [0.5, 0.3])
def test_means_are_the_papers_formula(p: float) -> None:
    """Equation 6 of Petsiuk et al., from the masks that the model saw: to 1e-6 at every pixel.

    An image of ones under a black fill is its own mask.
    """
    seen: list[np.ndarray] = []

    def predict(batch: np.ndarray) -> np.ndarray:
        seen.append(batch.copy())
        return spots(batch)

    explainer = px.Rise(
        predict, masker=px.SmoothGrid(), estimator="mean", p=p, budget=402, random_state=0
    )
    explanation = explainer.explain(np.ones((40, 36)))
    rows = np.concatenate(seen)
    masks = rows[-400:]
    assert 0 < masks.min() + 1e-9 < masks.max() <= 1
    outputs = spots(masks)
    for output in (0, 1):
        total = np.zeros((40, 36))
        for mask, scores in zip(masks, outputs, strict=True):
            total += scores[output] * mask
        assert_allclose(explanation.heatmap(output), total / (len(masks) * p), atol=1e-6)


@pytest.mark.parametrize("estimator", ["mean", "covariance", "ridge"])
def test_maps_peak_where_the_output_comes_from(estimator: Any) -> None:
    """Several outputs from the same rows, each with its own map; the parts' centers lead."""
    image = np.random.default_rng(0).uniform(0.5, 1, (40, 40, 3))
    explainer = px.Rise(spots, estimator=estimator, random_state=0, budget=1002)
    explanation = explainer.explain(image)
    assert explanation.n_rows == 2 + 1002  # the probe comes first
    assert explanation.shape == (22 * 22, 2)
    center = explanation.heatmap(1)
    row, column = np.unravel_index(center.argmax(), center.shape)
    assert abs(row - 32.5) <= 4
    assert abs(column - 5.5) <= 4
    two = explanation.heatmap(0)
    assert min(two[7, 7], two[22, 26]) > np.quantile(two, 0.93)
    alone = px.Rise(spots, estimator=estimator, random_state=0, budget=1002, outputs=1).explain(
        image
    )
    assert_allclose(alone.values, explanation.values[:, 1], atol=1e-12)


def test_ridge_is_sharper_than_the_average() -> None:
    """Its map is nearer to the truth, a spot, up to offset and scale."""
    image = np.ones((40, 40, 1))
    truth = np.zeros((40, 40))
    truth[30:36, 3:9] = 1
    found = {}
    for estimator in ("mean", "covariance", "ridge"):
        explainer = px.Rise(spots, estimator=estimator, outputs=1, random_state=1, budget=502)
        heat = explainer.explain(image).heatmap()
        found[estimator] = np.corrcoef(heat.ravel(), truth.ravel())[0, 1]
    assert found["mean"] < found["covariance"] < found["ridge"]


def test_images_of_different_sizes() -> None:
    """A list of them: each map has its image's shape, and is what it is alone."""
    rng = np.random.default_rng(0)
    images = [rng.random((40, 44, 3)), rng.random((60, 50, 3)), rng.random((36, 12, 3))]
    explainer = px.Rise(lambda b: b.mean(axis=(1, 2, 3)), random_state=0, budget=300)
    explanation = explainer.explain(images)
    for i, image in enumerate(images):
        alone = explainer.explain(image)
        assert explanation[i].heatmap().shape == image.shape[:2]
        assert_array_equal(explanation[i].values, alone.values)


def test_series_and_volumes() -> None:
    """Cells along one axis, or along three."""
    series = np.sin(np.arange(90.0)) + 2
    explainer = px.Rise(
        lambda b: b[:, 60:66].mean(axis=1), masker=px.SmoothGrid(cells=(9,)), random_state=0
    )
    assert abs(explainer.explain(series).heatmap().argmax() - 62.5) < 5
    volume = np.ones((18, 16, 20))
    explainer = px.Rise(
        lambda b: b[:, 10:14, 3:6, 12:15].mean(axis=(1, 2, 3)),
        masker=px.SmoothGrid(cells=(4, 4, 4), steps=2),
        random_state=0,
    )
    heat = explainer.explain(volume).heatmap()
    assert heat.shape == volume.shape
    peak = np.unravel_index(heat.argmax(), heat.shape)
    assert np.abs(np.subtract(peak, (11.5, 4, 13))).max() <= 3


def test_columns_and_superpixels_are_present_at_random(table: np.ndarray) -> None:
    """On a linear model every column's slope is its distance from the background's mean."""
    w = np.arange(1.0, table.shape[1] + 1)
    explainer = px.Rise(lambda X: X @ w, estimator="ridge", random_state=0).fit(table)
    explanation = explainer.explain(table[0])
    exact = w * (table[0] - table.mean(axis=0))
    assert_allclose(explanation.values, exact, atol=0.02 * np.abs(exact).max())
    assert explanation.fidelity > 0.99


def test_too_few_masks_are_refused() -> None:
    """Fewer than two for each cell, before the model is asked."""
    asked = []

    def predict(batch: np.ndarray) -> np.ndarray:
        asked.append(len(batch))
        return batch.mean(axis=(1, 2, 3))

    with pytest.raises(BudgetError, match="Rise needs at least 130 model rows"):
        px.Rise(predict, budget=100).explain(np.ones((40, 40, 3)))
    assert sum(asked) <= 2


def test_rounds_stop_when_precise() -> None:
    """tol spends less where the answer is plain, and the errors keep the promise."""
    explainer = px.Rise(
        lambda b: b[:, :20].mean(axis=(1, 2, 3)),
        estimator="covariance",
        tol=0.2,
        budget=4000,
        random_state=0,
    )
    explanation = explainer.explain(np.ones((40, 40, 3)))
    assert explanation.converged
    assert explanation.n_rows < 4000
    assert explanation.standard_errors.max() <= 0.2 * np.ptp(explanation.values)


def test_no_mask_is_kept() -> None:
    """400 masks of 200 x 200 in float64 would be 128 MB; the whole explanation takes a tenth."""
    image = np.random.default_rng(0).random((200, 200)).astype(np.float32)
    masker = px.SmoothGrid(channel_axis=None)
    explainer = px.Rise(
        lambda b: b[:, 50, 50] * b[:, 120, 80], masker=masker, budget=402, random_state=0
    )
    explainer.set_params(budget=140).explain(image)
    tracemalloc.start()
    explainer.set_params(budget=402).explain(image)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 13e6, peak


@pytest.mark.parametrize("estimator", ["mean", "covariance", "ridge"])
def test_batches_change_nothing(estimator: Any) -> None:
    """The seed fixes every number."""
    image = np.random.default_rng(0).integers(0, 255, (40, 30, 3), dtype=np.uint8)
    first = None
    for settings in ({}, {"batch_size": 7}, {"batch_size": 1}):
        explainer = px.Rise(spots, estimator=estimator, random_state=4, budget=200, **settings)
        values = explainer.explain(image).values
        first = values if first is None else first
        assert_array_equal(values, first)


def test_maps_survive_saving_and_shap(tmp_path: Any) -> None:
    """The lattice is stored with its scores; shap gets a map that sums to them."""
    explainer = px.Rise(spots, outputs=1, random_state=0, budget=300)
    explanation = explainer.explain(np.ones((40, 30, 3)))
    for name in ("rise.npz", "rise.json"):
        explanation.save(tmp_path / name)
        assert_array_equal(px.load(tmp_path / name).heatmap(), explanation.heatmap())
    pytest.importorskip("shap")
    assert_allclose(explanation.to_shap().values.sum(), explanation.values.sum())


def test_wrong_settings_are_refused() -> None:
    """By name, before anything is computed."""
    for settings, match in (
        ({"estimator": "average"}, "estimator must be one of 'ridge'"),
        ({"p": 1}, "p must be a number above 0 and below 1"),
    ):
        with pytest.raises(InvalidParameterError, match=match):
            px.Rise(spots, **settings).explain(np.ones((40, 40, 3)))
    with pytest.raises(InvalidParameterError, match="SmoothGrid with RandomGrids"):
        px.KernelShap(spots, masker=px.SmoothGrid()).explain(np.ones((40, 40, 3)))


def test_images_whose_lattices_have_as_many_points_share_no_masks() -> None:
    """A wide and a tall image in one list have the scores of each alone."""
    rng = np.random.default_rng(0)
    images = [rng.random((15, 60)), rng.random((60, 15))]
    explainer = px.Rise(
        lambda X: X.reshape(len(X), -1)[:, 400],
        masker=px.SmoothGrid(),
        budget=200,
        random_state=0,
    )
    together = explainer.explain(images)
    for i, image in enumerate(images):
        assert np.array_equal(together[i].values, explainer.explain(image).values)
