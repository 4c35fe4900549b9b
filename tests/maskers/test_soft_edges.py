"""Soft edges: blurred regions add up to the image, and fade where hard ones are cut."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.errors import InvalidParameterError
from perturbx.maskers import Features
from perturbx.testing import check_masker
from scipy.ndimage import gaussian_filter

LABELS = np.arange(6).reshape(2, 3).repeat(9, axis=0).repeat(8, axis=1)
"""Six regions of 18 x 24."""


def _bound(masker: Any, image: np.ndarray) -> Any:
    fitted = masker.fit(None, Features(), np.random.default_rng(0))
    return fitted.check(image).bind(0, 1)[0]


def _rows(bound: Any, z: np.ndarray) -> np.ndarray:
    per = bound.rows_per_perturbation
    return np.array(bound.batch(z, slice(0, per), bound.scratch(len(z) * per)))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64, np.bool_])
@pytest.mark.parametrize(
    "masker",
    [
        px.Superpixels(method="grid", n_segments=9, edges=1.5),
        px.Superpixels(n_segments=9, fill="mean", edges="soft"),
        px.SuperpixelTrees([px.RegionTree(9), px.RegionTree(4)], edges=2.0),
        px.Windows(shape=6, stride=6, edges=1),
        px.Windows(shape=6, stride=3, edges=1.5),
    ],
)
def test_the_contract(masker: Any, dtype: Any) -> None:
    """All present is the image, bit by bit, all absent the fill, and batches are as promised."""
    images = np.random.default_rng(0).integers(0, 255, (2, 18, 24, 3)).astype(dtype)
    check_masker(masker, images)
    bound = _bound(masker, images[0])
    nothing = _rows(bound, np.zeros((1, bound.n_features), dtype=bool))
    hard = _bound(replace(masker, edges="hard"), images[0])
    assert_array_equal(nothing, _rows(hard, np.zeros((1, hard.n_features), dtype=bool)))
    assert nothing.dtype == dtype
    assert (bound.active >= hard.active).all()  # what fades beside a region is its own too


def test_presence_is_the_blurred_set() -> None:
    """A row is fill + G * (shown positions) times the change, for each set of regions."""
    image = np.random.default_rng(1).random((18, 24))
    bound = _bound(px.Superpixels(segments=LABELS, fill=0.25, edges=1.3, channel_axis=None), image)
    z = np.random.default_rng(2).random((20, 6)) < 0.5
    for row, coalition in zip(_rows(bound, z), z, strict=True):
        shown = gaussian_filter(coalition[LABELS].astype(float), 1.3, mode="nearest", truncate=3.0)
        assert_allclose(row, 0.25 + shown * (image - 0.25), atol=3e-3)


def test_regions_add_up() -> None:
    """The changes that regions make alone add up to the whole change, at every position."""
    image = np.random.default_rng(1).random((18, 24))
    bound = _bound(
        px.Superpixels(segments=LABELS, fill=0.25, edges="soft", channel_axis=None), image
    )
    alone = _rows(bound, np.eye(6, dtype=bool)) - 0.25
    assert_allclose(alone.sum(axis=0), image - 0.25, atol=1e-12)
    assert_array_equal(alone[0][:4, :4], image[:4, :4] - 0.25)  # far from edges: not touched
    assert_array_equal(alone[0][12:], 0)


def test_windows_that_overlap() -> None:
    """What no absent window covers, blurred."""
    image = np.random.default_rng(1).random(30)
    bound = _bound(px.Windows(shape=6, stride=3, fill=0.0, edges=1.0), image)
    z = np.ones((1, bound.n_features), dtype=bool)
    z[0, [2, 3]] = False
    shown = np.ones(30)
    shown[6:15] = 0
    expected = gaussian_filter(shown, 1.0, mode="nearest", truncate=3.0) * image
    assert_allclose(_rows(bound, z)[0], expected, atol=1e-4)


def test_a_linear_model_gets_the_shares_of_soft_regions() -> None:
    """Scores of a mean are exact, with hard edges and with soft ones, and sum to the same."""
    image = np.random.default_rng(1).random((18, 24, 3))
    found = {}
    for edges in ("hard", 1.0):
        masker = px.Superpixels(segments=LABELS, fill=0, edges=edges)
        explainer = px.KernelShap(lambda X: X.mean(axis=(1, 2, 3)), masker=masker, random_state=0)
        found[edges] = explainer.explain(image).values
    assert found["hard"].sum() == pytest.approx(found[1.0].sum(), abs=1e-12)
    assert np.abs(found["hard"] - found[1.0]).max() > 1e-5


def test_it_says_so_and_refuses() -> None:
    """The value function tells the edges; what is no width is refused; fading has its own."""
    for masker, said in (
        (px.Superpixels(edges="soft"), "with soft edges"),
        (px.Windows(edges=2), "edges 2 pixels soft"),
        (px.SuperpixelTrees(edges=0.5), "edges 0.5 pixels soft"),
    ):
        assert said in masker.fit(None, Features(), np.random.default_rng(0)).value_function
        for wrong in ("round", 0, -1.0, None, np.nan):
            with pytest.raises(InvalidParameterError, match="edges"):
                type(masker)(edges=wrong).fit(None, Features(), np.random.default_rng(0))
    with pytest.raises(InvalidParameterError, match="hard edges"):
        _bound(px.Fade(px.Superpixels(segments=LABELS, edges="soft")), np.ones((18, 24, 3)))
