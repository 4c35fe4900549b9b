"""Metrics of maps, on models that look at a known square."""

from __future__ import annotations

from typing import Any

import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_allclose

SQUARE = (slice(4, 10), slice(12, 18))


def looks(batch: np.ndarray) -> np.ndarray:
    """Two outputs: the brightness of the square, and 1 minus it."""
    bright = batch[:, SQUARE[0], SQUARE[1]].mean(axis=(1, 2, 3)) / 255
    return np.stack([bright, 1 - bright], axis=1)


@pytest.fixture
def photo() -> np.ndarray:
    image = np.random.default_rng(0).integers(0, 100, (24, 30, 3), dtype=np.uint8)
    image[SQUARE] = 255
    return image


def _truth() -> np.ndarray:
    heat = np.zeros((24, 30))
    heat[SQUARE] = 1.0
    return heat


def test_deletion_in_closed_form(photo: np.ndarray) -> None:
    """Each of the first 36 of 720 pixels removes 1/36 of the output, and the rest nothing."""
    found = px.metrics.deletion(looks, photo, _truth(), fill=0, steps=40, outputs=0)
    assert_allclose(found.curves[:3], [1, 0.5, 0])
    assert_allclose(found.curves[3:], 0)
    assert_allclose(found.values, (0.5 + 0.5) / 40)


def test_insertion_in_closed_form(photo: np.ndarray) -> None:
    """Each of the first 36 pixels adds 1/36 of the output, and the rest nothing."""
    found = px.metrics.insertion(looks, photo, _truth(), fill=0, steps=40, outputs=0)
    assert_allclose(found.values, 1 - 1 / 40)


def test_reading_it_against_the_center(photo: np.ndarray) -> None:
    """The square beats the center, and the center a random order; the repr is one line."""
    found = px.metrics.insertion_deletion(looks, photo, _truth(), normalize="prediction", outputs=0)
    assert found.mean > found.references["center blob"] > found.references["random"]
    assert abs(found.references["random"]) < 0.3
    text = repr(found)
    assert "\n" not in text
    assert f"(random {float(found.references['random']):.3g}, center blob " in text
    assert "absent pixels filled with a blurred copy of the image" in text


def test_maps_of_px_go_by_their_heatmap(photo: np.ndarray) -> None:
    """An explanation measures the same as its heat map, also with two outputs."""
    explanation = px.Occlusion(looks, masker=px.Windows(shape=6, stride=3, fill=0)).explain(photo)
    for output in (0, 1):
        one = px.metrics.deletion(looks, photo, explanation, outputs=output)
        heat = explanation.heatmap(output=output)
        other = px.metrics.deletion(looks, photo, heat, outputs=output)
        assert one.values == other.values
    both = px.metrics.deletion(looks, photo, explanation, outputs=[0, 1])
    assert both.axes == ("output",)
    assert both.values[1] == other.values


def test_a_list_of_sizes(photo: np.ndarray) -> None:
    """Images of different sizes measure the same together and alone."""
    other = np.concatenate([photo, photo[:7]])
    explainer = px.Occlusion(looks, masker=px.Windows(shape=6, stride=6, fill=0), outputs=0)
    found = px.metrics.insertion(looks, [photo, other], explainer.explain([photo, other]))
    alone = px.metrics.insertion(looks, other, explainer.explain(other))
    assert_allclose(found.values[1], alone.values)
    assert found.values.shape == (2,)


@pytest.mark.parametrize("metric", [px.metrics.deletion, px.metrics.infidelity])
def test_own_regions(metric: Any, photo: np.ndarray) -> None:
    """With a masker, its regions are removed one by one, and rows are counted."""
    segments = np.zeros((24, 30), dtype=int)
    segments[SQUARE] = 1
    segments[20:] = 2
    masker = px.Superpixels(segments=segments, fill=0)
    explanation = px.KernelShap(looks, masker=masker, outputs=0, random_state=0).explain(photo)
    found = metric(looks, photo, explanation, masker=masker)
    assert found.n_rows < 250
    assert found.value_function == "absent regions filled with the color 0 (a given label map)"
    if found.curves is not None:
        assert_allclose(found.values, 1 / 6)  # 1, 0, 0, 0 at 0, 1/3, 2/3, 1
        assert_allclose(found.curves[::10], [1, 0.4, 0, 0, 0, 0], atol=1e-12)
    else:
        assert_allclose(found.values, 0, atol=1e-20)


def test_scores_of_regions_are_spread_over_their_pixels(photo: np.ndarray) -> None:
    """Scores of regions add up the same in the metric's boxes, also for overlapping windows."""
    windows = px.Windows(shape=7, stride=3, fill=0)
    explanation = px.Occlusion(looks, masker=windows, outputs=0).explain(photo)
    found = px.metrics.completeness(looks, photo, explanation, fill=0)
    assert_allclose(found.details["sum of scores"], explanation.values.sum())
    assert_allclose(found.details["f(x) - f(empty)"], 1)


@pytest.mark.parametrize("metric", [px.metrics.sensitivity_n, px.metrics.faithfulness_correlation])
def test_what_adds_up_correlates(metric: Any, photo: np.ndarray) -> None:
    """The weights of a linear model predict the effect of removing any boxes."""
    heat = np.zeros((24, 30))
    heat[SQUARE] = photo[SQUARE].mean(axis=2) / 255 / 36
    found = metric(looks, photo, heat, fill=0, outputs=0)
    assert_allclose(found.values, 1)
    assert found.references["random"] < 0.6
    error = px.metrics.infidelity(looks, photo, heat, fill=0, outputs=0)
    assert_allclose(error.values, 0, atol=1e-20)
    assert error.references["center blob"] > 0.01


def test_series_and_volumes() -> None:
    """Instances may have any number of axes."""
    series, volume = np.arange(1.0, 13.0), np.ones((4, 4, 4))
    total = lambda batch: batch.reshape(len(batch), -1).sum(axis=1)  # noqa: E731
    one = px.Occlusion(total, masker=px.Windows(shape=(3,), stride=(3,), fill=0)).explain(series)
    found = px.metrics.deletion(total, series, one, fill=0, steps=4)
    assert_allclose(found.curves, [78, 45, 21, 6, 0])
    assert found.value_function == "absent steps filled with the color 0"
    cube = px.Windows(shape=(2, 2, 2), stride=(2, 2, 2), fill=0)
    three = px.Occlusion(total, masker=cube).explain(volume)
    assert_allclose(px.metrics.deletion(total, volume, three, fill=0).values, 32)


def test_the_mean_of_the_whole_image(photo: np.ndarray) -> None:
    """fill="mean" is one color for all pixels."""
    found = px.metrics.deletion(looks, photo, _truth(), fill="mean", outputs=0)
    assert_allclose(found.curves[-1], np.rint(photo.mean(axis=(0, 1))).mean() / 255)
    assert found.value_function == "absent pixels filled with the image's mean color"


def test_batches_are_as_small_as_asked(photo: np.ndarray, counting_model: Any) -> None:
    """Values, rows and calls are right for any batch size."""
    model = counting_model(looks, batch_size=5)
    few = px.metrics.deletion(model, photo, _truth(), batch_size=5, outputs=0)
    assert few.n_rows == model.n_rows
    assert few.n_calls == len(model.calls)
    many = px.metrics.deletion(looks, photo, _truth(), outputs=0)
    assert np.array_equal(few.curves, many.curves)
    assert np.array_equal(few.references["random"], many.references["random"])


@pytest.mark.parametrize(
    "masker", [px.Superpixels(), px.Windows(), px.SmoothGrid(), px.SuperpixelTrees()]
)
def test_maps_of_gray_images(masker: Any) -> None:
    """Two axes are an image, not a table, if the masker is one of images."""
    gray = np.random.default_rng(0).random((24, 24))

    def model(batch: np.ndarray) -> np.ndarray:
        return batch.reshape(len(batch), -1).mean(axis=1)

    for one in (masker, masker.fit(gray, px.maskers.Features(), np.random.default_rng(0))):
        found = px.metrics.infidelity(model, gray, gray, masker=one, budget=100)
        assert np.isfinite(found.values)
