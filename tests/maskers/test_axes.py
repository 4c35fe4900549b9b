"""Which axes are space, channels and instances: explained as meant, or refused with the cures."""

from __future__ import annotations

from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidInputError
from perturbx.maskers import Features

MASKERS = [px.Superpixels, px.SuperpixelTrees, px.Windows, px.SmoothGrid]
FOR_ANY_AXES = [px.Windows, px.SmoothGrid]


def read(masker: Any, X: Any) -> tuple[int, tuple[int, ...], bool]:
    """How many instances a masker finds in X, their spatial shape, and whether it is a single."""
    fitted = masker.fit(None, Features(), np.random.default_rng(0))
    checked = fitted.check(X)
    return len(checked), checked.read.spatial(0), checked.single


def over(kind: type, n_axes: int, **settings: Any) -> Any:
    """A masker for some number of spatial axes."""
    sides = {px.Windows: {"shape": (2,) * n_axes}, px.SmoothGrid: {"cells": (2,) * n_axes}}
    return kind(**(sides.get(kind, {}) if n_axes != 2 else {}), **settings)


@pytest.mark.parametrize("kind", MASKERS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_colors_in_the_last_axis_are_seen(kind: type, channels: int) -> None:
    """Up to 4 channels that come last need no word."""
    image = np.zeros((9, 16, 15, channels), dtype=np.float32)
    assert read(kind(), image) == (9, (16, 15), False)
    assert read(kind(), image[0]) == (1, (16, 15), True)
    assert read(kind(), list(image)) == (9, (16, 15), False)


@pytest.mark.parametrize("kind", MASKERS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 8, 12, 64])
def test_channels_first_is_refused_with_a_cure_that_works(kind: type, channels: int) -> None:
    """One, several, and a list of images: the error names both cures, and each works."""
    images = np.zeros((2, channels, 16, 15), dtype=np.uint8)
    cases = [
        (images, "np.moveaxis(images, 1, -1)", np.moveaxis(images, 1, -1)),
        (images[0], "np.moveaxis(image, 0, -1)", np.moveaxis(images[0], 0, -1)),
        (
            list(images),
            "[np.moveaxis(image, 0, -1) for image in images]",
            [np.moveaxis(image, 0, -1) for image in images],
        ),
    ]
    for X, move, moved in cases:
        with pytest.raises(InvalidInputError) as refusal:
            read(kind(), X)
        said = str(refusal.value)
        assert f"{move} and channel_axis=-1" in said
        assert f"masker=px.{kind.__name__}(channel_axis=-1)" in said
        assert read(kind(channel_axis=-1), moved)[1] == (16, 15)


@pytest.mark.parametrize("kind", MASKERS)
@pytest.mark.parametrize("channels", [5, 12, 64])
def test_many_channels_last_must_be_said(kind: type, channels: int) -> None:
    """More than 4 channels are ambiguous: refused, but explained with channel_axis."""
    images = np.zeros((2, 16, 15, channels))
    for X in (images, images[0], list(images)):
        with pytest.raises(InvalidInputError, match=r"channel_axis=-1.*np\.moveaxis"):
            read(kind(), X)
        assert read(kind(channel_axis=-1), X)[1] == (16, 15)


@pytest.mark.parametrize("kind", MASKERS)
@pytest.mark.parametrize("n", [1, 3, 20])
def test_gray_batches_must_be_said(kind: type, n: int) -> None:
    """(n, H, W) may be one image with channels: the error names None, which makes it a batch."""
    X = np.zeros((n, 16, 15))
    with pytest.raises(InvalidInputError, match=r"channel_axis=None|None \(a batch\)"):
        read(kind(), X)
    assert read(kind(channel_axis=None), X) == (n, (16, 15), False)


@pytest.mark.parametrize("kind", FOR_ANY_AXES)
@pytest.mark.parametrize("shape", [(6, 12, 30), (6, 3, 30), (6, 40, 30), (6, 3, 4)])
def test_series_with_channels_first(kind: type, shape: tuple[int, ...]) -> None:
    """(n, C, T) is not read as C steps of T channels."""
    X = np.zeros(shape)
    with pytest.raises(InvalidInputError, match=r"np\.moveaxis\(series, 1, -1\)"):
        read(over(kind, 1), X)
    moved = np.moveaxis(X, 1, -1)
    assert read(over(kind, 1, channel_axis=-1), moved) == (6, shape[2:], False)


@pytest.mark.parametrize("kind", FOR_ANY_AXES)
@pytest.mark.parametrize("channels", [1, 3, 5, 9, 30])
def test_volumes_with_channels_first(kind: type, channels: int) -> None:
    """(n, C, D, H, W) and (C, D, H, W) are not read as slices with W channels."""
    X = np.zeros((2, channels, 8, 9, 10))
    for volumes, move, axis in (
        (X, r"np\.moveaxis\(volumes, 1, -1\)", 1),
        (X[0], r"np\.moveaxis\(volume, 0, -1\)", 0),
    ):
        with pytest.raises(InvalidInputError, match=move):
            read(over(kind, 3), volumes)
        moved = np.moveaxis(volumes, axis, -1)
        assert read(over(kind, 3, channel_axis=-1), moved)[1] == (8, 9, 10)


@pytest.mark.parametrize("kind", MASKERS)
@pytest.mark.parametrize("shape", [(20, 40, 12), (20, 12, 40), (20, 40, 5), (20,)])
def test_series_given_to_an_image_masker(kind: type, shape: tuple[int, ...]) -> None:
    """The error names series and what to type for them."""
    if shape == (20,) and kind in FOR_ANY_AXES:
        assert read(kind(), np.zeros(shape)) == (1, (20,), True)
        return
    with pytest.raises(InvalidInputError, match=r"for series masker=.*px\.SeriesSegments\(\)"):
        read(kind(), np.zeros(shape))


@pytest.mark.parametrize("kind", MASKERS)
@pytest.mark.parametrize("shape", [(8, 9, 10), (2, 8, 9, 10), (2, 8, 9, 10, 3), (2, 3, 8, 9, 10)])
def test_volumes_given_to_an_image_masker(kind: type, shape: tuple[int, ...]) -> None:
    """The error names volumes and what to type for them."""
    with pytest.raises(
        InvalidInputError, match=r"for volumes masker=.*px\.Windows\(shape=\(k, k, k\)\)"
    ):
        read(kind(), np.zeros(shape))


@pytest.mark.parametrize(
    ("n_axes", "shape", "said"),
    [
        (1, (9, 8, 7, 6), r"\(k, k\)\).*for volumes masker=px.Windows\(shape=\(k, k, k\)\)"),
        (3, (30,), r"for series masker=px.SeriesSegments\(\)"),
        (3, (30, 20), r"for series .*for images masker=px.Windows\(shape=\(k, k\)\)"),
        (1, (30, 20), r"for images masker=px.Windows\(shape=\(k, k\)\)"),
        (2, (30,), r"for series masker=px.SeriesSegments\(\)"),
    ],
)
def test_windows_of_another_number_of_axes(n_axes: int, shape: Any, said: str) -> None:
    """The error for a tuple of the wrong length names the lengths for series and volumes."""
    with pytest.raises(InvalidInputError, match=said):
        read(px.Windows(shape=(2,) * n_axes), np.zeros(shape))


@pytest.mark.parametrize(
    ("channel_axis", "shape", "said"),
    [
        (None, (2, 16, 15, 3), "pass channel_axis=-1"),
        (-1, (16, 15), "pass channel_axis=None"),
    ],
)
def test_a_channel_axis_that_is_not_there(channel_axis: Any, shape: Any, said: str) -> None:
    """Said wrongly, the other word is named."""
    with pytest.raises(InvalidInputError, match=said):
        read(px.Superpixels(channel_axis=channel_axis), np.zeros(shape))


def test_a_list_of_batches() -> None:
    """A list of batches must be concatenated first."""
    with pytest.raises(InvalidInputError, match=r"np\.concatenate\(X\)"):
        read(px.Superpixels(), [np.zeros((2, 16, 15, 3))] * 2)


def test_channel_axis_belongs_to_the_masker() -> None:
    """channel_axis passed to a method: the error says that it belongs to the masker."""
    with pytest.raises(px.errors.UnknownParameterError, match=r"masker=Superpixels\(channel_axis="):
        px.KernelShap(len, channel_axis=-1)


def test_label_maps_of_a_volume() -> None:
    """There are no superpixels of volumes: windows are named."""
    labels = np.arange(8 * 9 * 3).reshape(8, 9, 3)
    with pytest.raises(InvalidInputError, match=r"volume pass masker=px.Windows\(shape=\(k, k, k"):
        read(px.Superpixels(segments=labels), np.zeros((8, 9, 3)))


def test_the_cure_explains_correctly() -> None:
    """Twelve channels first, moved as the error says: each score is the sum of its window."""
    rng = np.random.default_rng(0)
    images, w = rng.random((2, 12, 8, 8)), rng.normal(size=(12, 8, 8))
    masker = px.Windows(shape=4, stride=4, fill=0, channel_axis=-1)

    def predict(batch: np.ndarray) -> np.ndarray:
        first = np.moveaxis(batch, -1, 1)
        assert first.shape[1:] == images.shape[1:]
        return np.asarray((first * w).sum(axis=(1, 2, 3)))

    found = px.Occlusion(predict, masker=masker).explain(np.moveaxis(images, 1, -1))
    sums = (images * w).reshape(2, 12, 2, 4, 2, 4).sum(axis=(1, 3, 5)).reshape(2, 4)
    np.testing.assert_allclose(found.values, sums, atol=1e-12)


def test_a_model_of_series_that_is_given_images() -> None:
    """(n, T, 3) reads as one image; where the model objects, the masker of series is named."""

    def recurrent(batch: np.ndarray) -> np.ndarray:
        assert batch.ndim == 3, "a batch of series has three axes"
        return np.asarray(batch.mean(axis=(1, 2)))

    X = np.random.default_rng(0).random((20, 30, 3))
    for method in (px.KernelShap, px.Occlusion, px.Rise, px.OwenShap):
        with pytest.raises(
            px.errors.PredictFnError, match=r"for series pass masker=px.SeriesSegments\(\)"
        ):
            method(recurrent).explain(X)
    found = px.Occlusion(recurrent, masker=px.Windows(shape=(10,), stride=(10,), fill=0)).explain(X)
    np.testing.assert_allclose(found.values, X.reshape(20, 3, 10, 3).sum(axis=(2, 3)) / 90)
