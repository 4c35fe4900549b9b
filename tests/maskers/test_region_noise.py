"""Noise on regions of images and segments of series: what moves, by how much, in which layout."""

from __future__ import annotations

from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.maskers import Features
from perturbx.testing import check_masker

QUARTERS = np.repeat(np.repeat([[0, 1], [2, 3]], 2, axis=0), 2, axis=1)


def bound(masker: Any, X: Any) -> Any:
    instances = masker.fit(X, Features(), np.random.default_rng(0)).check(X)
    return instances.bind(0, 1)[0]


def test_regions_move_by_their_share_of_the_range() -> None:
    """All values of a region, in all channels, move by z * scale * (max - min)."""
    image = np.random.default_rng(0).random((4, 4, 3))
    one = bound(px.RegionNoise(px.Superpixels(segments=QUARTERS), scale=0.1), image)
    z = np.array([[1.0, 0.0, -2.0, 0.5]])
    moves = one.batch(z, slice(0, 1), one.scratch(1))[0] - image
    expected = 0.1 * np.ptp(image) * z[0][QUARTERS][..., None]
    np.testing.assert_allclose(moves, np.broadcast_to(expected, image.shape), atol=1e-12)
    np.testing.assert_allclose(one.interpretable(z), 0.1 * z)


def test_integers_are_rounded_and_clipped() -> None:
    """An 8-bit image stays one: values are rounded, and held between 0 and 255."""
    image = np.array([[0, 100], [200, 255]], dtype=np.uint8)
    one = bound(px.RegionNoise(px.Superpixels(segments=np.arange(4).reshape(2, 2))), image)
    unit = 0.15 * 255
    z = np.array([[-1.0, 0.26 / unit, 0.76 / unit, 1.0]])
    batch = one.batch(z, slice(0, 1), one.scratch(1))
    assert batch.dtype == np.uint8
    assert batch[0].tolist() == [[0, 100], [201, 255]]


@pytest.mark.parametrize("channel_axis", [-1, -2])
def test_channels_of_series_move_by_their_own_range(channel_axis: int) -> None:
    """Each channel has its own range, and rows come in the user's layout."""
    series = np.array([[0.0, 0], [1, 50], [0, 0], [1, 100]])
    X = series.T.copy() if channel_axis == -2 else series
    masker = px.RegionNoise(px.SeriesSegments(2, channel_axis=channel_axis), scale=0.5)
    one = bound(masker, X)
    batch = one.batch(np.ones((1, 4)), slice(0, 1), one.scratch(1))
    moved = batch[0].T if channel_axis == -2 else batch[0]
    np.testing.assert_allclose(moved - series, np.tile([0.5, 50.0], (4, 1)))


def test_constant_images_do_not_move() -> None:
    """Nothing moves in an image of one value, and an explanation says so."""
    found = px.SmoothGrad(lambda b: b.mean(axis=(1, 2, 3))).explain(np.full((12, 12, 3), 3.0))
    assert (found.values == 0).all()
    assert any("all values are the same" in note for note in found.notes)


@pytest.mark.parametrize(
    "regions", [px.SuperpixelTrees(), px.Superpixels(method="grid", n_segments=4)]
)
def test_contract(regions: Any) -> None:
    """The contract of maskers holds whatever masker the regions are from."""
    images = np.random.default_rng(0).integers(0, 255, (2, 12, 14, 3), dtype=np.uint8)
    check_masker(px.RegionNoise(regions), images)
    check_masker(px.RegionNoise(regions), images.astype(np.float32))


def test_bad_settings() -> None:
    """Regions that overlap, bool images, and what is no masker of images are refused."""
    image = np.random.default_rng(0).random((12, 12))
    with pytest.raises(InvalidParameterError, match="do not overlap"):
        bound(px.RegionNoise(px.Windows(shape=4)), image)
    with pytest.raises(InvalidInputError, match="convert them"):
        bound(px.RegionNoise(px.Superpixels(method="grid", n_segments=4)), image > 0.5)
    for wrong in (px.Background(), "slic", None):
        with pytest.raises(InvalidParameterError, match="regions"):
            bound(px.RegionNoise(wrong), image)
    with pytest.raises(InvalidParameterError, match="scale"):
        bound(px.RegionNoise(scale=0.0), image)
