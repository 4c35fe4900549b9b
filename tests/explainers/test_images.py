"""Image methods with their defaults: windows in any dimension, superpixels at a budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_allclose
from perturbx.errors import BudgetError, InvalidInputError, InvalidParameterError, NotFittedError


def test_default_windows_are_a_fifth_with_a_stride_of_a_third() -> None:
    """20% of each side, and a third of that: 13 windows along 224 pixels, 169 model rows."""
    image = np.random.default_rng(0).random((224, 150, 3))
    explanation = px.Occlusion(lambda b: b.mean(axis=(1, 2, 3))).explain(image)
    assert explanation.regions.size == (45, 30)
    firsts = np.unique(explanation.regions.starts[:, 0])
    assert_allclose(np.diff(firsts)[:-1], 15)
    assert len(explanation.regions) == 13 * 13
    assert explanation.n_rows == 2 + 169 + 2  # the probe comes first


@pytest.mark.parametrize("n_axes", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [0, 2])
def test_occlusion_in_any_dimension(n_axes: int, channels: int) -> None:
    """Of a weighted sum every window loses its own part; a position has its windows' mean."""
    rng = np.random.default_rng(n_axes)
    extent = (12, 9, 7, 6)[:n_axes]
    shape = extent + (channels,) * bool(channels)
    x, w = rng.normal(size=shape), rng.normal(size=shape)
    size, stride = (4, 3, 3, 2)[:n_axes], (2, 3, 2, 1)[:n_axes]
    masker = px.Windows(shape=size, stride=stride, fill=0.5, channel_axis=-1 if channels else None)
    axes = tuple(range(1, len(shape) + 1))
    explainer = px.Occlusion(lambda b: (b * w).sum(axis=axes), masker=masker)
    explanation = explainer.explain(x)
    lost = (x - 0.5) * w
    total, count = np.zeros(extent), np.zeros(extent)
    for i in range(explanation.shape[0]):
        box = explanation.regions.box(i)
        assert_allclose(explanation.values[i], lost[box].sum(), atol=1e-10)
        total[box] += lost[box].sum()
        count[box] += 1
    assert count.min() >= 1
    assert_allclose(explanation.heatmap(), total / count, atol=1e-10)


def test_a_series_is_hidden_where_it_matters() -> None:
    """Sensors over time: the default windows of a (time, sensors) series find the pulse."""
    series = np.random.default_rng(0).normal(size=(100, 4)) * 0.01
    series[60:66] += 1
    masker = px.Windows(shape=(20,), channel_axis=-1)
    explanation = px.Occlusion(lambda b: b[:, 55:70].max(axis=(1, 2)), masker=masker).explain(
        series
    )
    assert explanation.heatmap().shape == (100,)
    assert 55 <= explanation.heatmap().argmax() <= 70


@pytest.mark.parametrize("method", [px.Lime, px.KernelShap])
def test_superpixels_need_two_rows_each(method: Any) -> None:
    """Fewer are refused with the number that would do, and that number works."""
    image = np.random.default_rng(0).random((48, 48, 3))
    explainer = method(lambda b: b.mean(axis=(1, 2, 3)), random_state=0)
    d = explainer.explain(image).shape[0]
    assert 15 <= d <= 35
    with pytest.raises(BudgetError, match=r"needs at least (\d+) model rows"):
        explainer.set_params(budget=2 * d).explain(image)
    explanation = explainer.set_params(budget=2 * d + 4).explain(image)
    assert explanation.n_rows <= 2 + 2 * d + 4  # the probe comes on top


def test_default_budgets_pay_for_ten_rows_a_superpixel() -> None:
    """Without a budget, whatever the number of regions."""
    image = np.random.default_rng(0).random((60, 60))
    for n_segments in (25, 150):
        masker = px.Superpixels(method="grid", n_segments=n_segments)
        for method in (px.Lime, px.KernelShap):
            explainer = method(lambda b: b.mean(axis=(1, 2)), masker=masker, random_state=0)
            explanation = explainer.explain(image)
            assert explanation.n_rows >= 10 * explanation.shape[0]


@pytest.mark.parametrize("method", [px.Rise, px.OwenShap])
def test_methods_for_images_need_no_data(method: Any, counting_model: Any) -> None:
    """fit() without X changes no number of an image, and leaves a table to be refused unasked."""
    image = np.random.default_rng(0).random((24, 24, 3))
    model = counting_model(lambda b: b[:, 5, 7, 0])
    explainer = method(model, budget=200, random_state=0)
    expected = explainer.explain(image).values
    assert explainer.fit() is explainer
    np.testing.assert_array_equal(explainer.explain(image).values, expected)
    asked = model.n_rows
    with pytest.raises(NotFittedError, match=r"call fit\(X_train\) before explain"):
        explainer.explain(np.ones((8, 5)))
    assert model.n_rows == asked


def test_fit_without_data_forgets_the_data_of_an_earlier_fit() -> None:
    """What fit learned from a table is not used for images."""
    explainer = px.OwenShap(lambda b: b.reshape(len(b), -1).mean(axis=1), budget=60)
    explainer.fit(np.random.default_rng(0).normal(size=(20, 4)))
    image = np.random.default_rng(1).random((24, 24, 3))
    with pytest.raises(InvalidInputError, match="two dimensions"):
        explainer.explain(image)
    assert explainer.fit().explain(image).heatmap().shape == (24, 24)


@pytest.mark.parametrize("method", [px.KernelShap, px.Lime, px.Occlusion, px.Banzhaf])
def test_maskers_of_images_need_no_data(method: Any) -> None:
    """fit() with an image masker needs no X; otherwise the error says that images need no fit."""
    image = np.random.default_rng(0).random((12, 12, 3))
    masker = px.Superpixels(method="grid", n_segments=4, fill=0)
    explainer = method(lambda b: b.sum(axis=(1, 2, 3)), masker=masker, random_state=0)
    expected = explainer.explain(image).values
    np.testing.assert_array_equal(explainer.fit().explain(image).values, expected)
    with pytest.raises(InvalidInputError, match=r"Images need no fit: call explain\(image\)"):
        method(lambda b: b.sum(axis=(1, 2, 3))).fit()


@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.parametrize("budget", [None, 70])
def test_each_photo_is_segmented_once(n: int, budget: int | None) -> None:
    """Whether or not the budget has to be checked against the regions of every one."""
    bound: list[int] = []

    class Counting(px.Superpixels):
        def fit(self, X: Any, features: Any, rng: Any) -> Any:
            fitted = super().fit(X, features, rng)
            own = fitted.bound

            def counted(X: Any, index: int) -> Any:
                bound.append(index)
                return own(X, index)

            object.__setattr__(fitted, "bound", counted)
            return fitted

    photos = np.random.default_rng(0).random((n, 32, 32, 3))
    explainer = px.Lime(
        lambda X: X.mean(axis=(1, 2, 3)), masker=Counting(n_segments=20), budget=budget
    )
    explainer.explain(photos)
    assert sorted(bound) == list(range(n))


def test_interactions_of_images_with_other_numbers_of_regions(counting_model: Any) -> None:
    """Refused before the model is asked; images with as many regions have a common shape."""
    images = np.random.default_rng(0).random((2, 12, 12, 3))
    rows = np.repeat(np.arange(12)[:, None], 12, axis=1)
    model = counting_model(lambda b: b.mean(axis=(1, 2, 3)))
    masker = px.Superpixels(segments=[rows // 4, rows // 3])
    explainer = px.KernelShap(model, masker=masker, interactions=True, random_state=0)
    with pytest.raises(InvalidParameterError, match=r"they have \[3, 4\].*one by one"):
        explainer.explain(list(images))
    assert model.calls == []
    explainer.set_params(masker=px.Superpixels(segments=[rows // 4, rows.T // 4]))
    assert explainer.explain(list(images)).interactions.shapley.shape == (2, 3, 3)


MASKERS = [px.Superpixels(method="grid"), px.Windows(), px.SmoothGrid(), px.SuperpixelTrees()]


@pytest.mark.parametrize("masker", MASKERS, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("kind", ["one", "several", "list", "sizes", "view"])
def test_what_is_written_into_an_image_does_not_reach_its_explanation(
    masker: Any, kind: str
) -> None:
    """A read-only view of an array that can be written into is copied as well."""
    X = np.random.default_rng(0).random((3, 24, 24, 3))
    view = X.view()
    view.flags.writeable = False
    given: dict[str, Any] = {
        **{"one": X[0], "several": X, "list": list(X), "view": view},
        "sizes": [X[0], X[1, :20]],
    }
    before = [np.array(image) for image in given[kind]]
    data = _explained(masker, given[kind]).data
    X[:] = 0
    assert all(np.array_equal(a, b) for a, b in zip(data, before, strict=True))


@pytest.mark.parametrize("masker", MASKERS, ids=lambda m: type(m).__name__)
def test_images_that_nobody_can_write_into_are_not_copied(masker: Any, tmp_path: Path) -> None:
    """An explanation then refers to them, as to a file that is mapped into memory."""
    X = np.random.default_rng(0).random((3, 24, 24, 3))
    np.save(tmp_path / "photos.npy", X)
    mapped = np.load(tmp_path / "photos.npy", mmap_mode="r")
    X.flags.writeable = False
    for given in (X, mapped, X[1], mapped[1]):
        data = _explained(masker, given).data
        assert np.shares_memory(data, given)
        assert not data.flags.writeable
        assert np.array_equal(data, given)
    first, second = _explained(masker, [X[0], X[1, :20]]).data
    assert np.shares_memory(first, X)
    assert np.shares_memory(second, X)
    np.testing.assert_array_equal(_explained(masker, list(X)).data, X)


def _explained(masker: Any, X: Any) -> Any:
    method: Any = px.Rise if isinstance(masker, px.SmoothGrid) else px.Occlusion
    return method(lambda batch: batch[:, 3:9, 4:12].mean(axis=(1, 2, 3)), masker=masker).explain(X)
