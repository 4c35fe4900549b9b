"""Smooth masks: what a model sees is the blend of image and fill, at every position and dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.maskers import Features
from scipy.interpolate import RegularGridInterpolator


def bind(masker: px.SmoothGrid, X: Any) -> list[Any]:
    fitted = masker.fit(None, Features(), np.random.default_rng(0))
    images = fitted.check(X)
    return images.bind(0, len(images))


def rows_of(bound: Any, z: np.ndarray) -> np.ndarray:
    return np.array(bound.batch(z, slice(0, 1), bound.scratch(len(z))))


def interpolated(nodes: np.ndarray, extent: tuple[int, ...]) -> np.ndarray:
    """The lattice's values at each position, by scipy."""
    axes = [np.linspace(0, 1, n) for n in nodes.shape]
    points = np.meshgrid(*(np.linspace(0, 1, n) for n in extent), indexing="ij")
    return RegularGridInterpolator(axes, nodes)(np.stack(points, axis=-1))


@pytest.mark.parametrize(
    ("extent", "cells", "channels"),
    [((31,), (4,), 0), ((31,), (4,), 3), ((40, 33), (7, 3), 0), ((40, 33), 4, 3),
     ((12, 9, 15), (2, 2, 3), 0), ((12, 9, 15), (2, 2, 3), 2), ((5, 6, 7, 8), (2, 1, 2, 3), 0)],
)  # fmt: skip
def test_presence_is_linear_between_points(
    extent: tuple[int, ...], cells: Any, channels: int
) -> None:
    """Series, images, volumes and beyond, with channels and without: scipy's interpolation."""
    shape = extent + (channels,) * bool(channels)
    image = np.ones(shape)
    axis = -1 if channels else None
    (bound,) = bind(px.SmoothGrid(cells=cells, steps=2, channel_axis=axis), image)
    z = np.random.default_rng(0).random((3, bound.n_features))
    expected = [interpolated(row.reshape(bound.regions.nodes), extent) for row in z]
    for row, presence in zip(rows_of(bound, z), expected, strict=True):
        wanted = np.broadcast_to(presence[..., None], shape) if channels else presence
        assert_allclose(row, wanted, atol=1e-12)
    assert_allclose(bound.regions.heatmap(z[0]), expected[0], atol=1e-12)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "i4", "?", "f2", "f4", "f8"])
@pytest.mark.parametrize("fill", [0, 1, "blur", "mean"])
def test_blends_are_rounded_to_the_dtype(dtype: str, fill: Any) -> None:
    """x M + fill (1 - M) in exact arithmetic, rounded; nothing wraps around or is cut off."""
    rng = np.random.default_rng(1)
    kind = np.dtype(dtype)
    low, high = (0, 2) if kind.kind in "bf" else (np.iinfo(kind).min, np.iinfo(kind).max)
    if kind.kind == "i" and fill in ("blur", "mean"):
        low = high // 2
    image = rng.uniform(low, high, (24, 20, 3)).astype(kind)
    (bound,) = bind(px.SmoothGrid(cells=3, fill=fill), image)
    z = rng.random((4, bound.n_features))
    for row, presences in zip(rows_of(bound, z), z, strict=True):
        assert row.dtype == kind
        M = interpolated(presences.reshape(bound.regions.nodes), (24, 20))[..., None]
        blend = image.astype(float) * M + bound.fill.astype(float) * (1 - M)
        wanted = blend if kind.kind == "f" else np.rint(blend)
        error = {"f2": 2e-3, "f4": 1e-6, "f8": 1e-14}.get(dtype, 0)
        far = np.abs(row.astype(float) - wanted) > error
        # Exact ties may fall to either side.
        assert np.abs(blend - np.floor(blend) - 0.5)[far].max(initial=0) < 1e-4


def test_all_and_nothing_are_exact() -> None:
    """The image and the fill, to the last bit, also of numbers that no blend would give back."""
    image = np.random.default_rng(0).normal(size=(20, 21)) * 1e-9 + 1e9
    (bound,) = bind(px.SmoothGrid(cells=2, fill="blur"), image)
    z = np.ones((2, bound.n_features))
    z[1] = 0
    full, empty = rows_of(bound, z)
    assert_array_equal(full, image)
    assert_array_equal(empty, bound.fill)
    assert_array_equal(rows_of(bound, z[1:].astype(bool))[0], bound.fill)


def test_rows_are_made_in_one_buffer() -> None:
    """A batch lives in its scratch, and is overwritten by the next one."""
    (bound,) = bind(px.SmoothGrid(), np.full((40, 40), 200, dtype=np.uint8))
    scratch = bound.scratch(2)
    z = np.random.default_rng(0).random((4, bound.n_features))
    first = bound.batch(z[:2], slice(0, 1), scratch)
    kept = first.copy()
    second = bound.batch(z[2:], slice(0, 1), scratch)
    assert np.shares_memory(first, second)
    assert_array_equal(second, first)
    assert (kept != first).any()


def test_a_lattice_has_no_more_points_than_positions() -> None:
    """Fewer steps on a short axis; an axis with no more positions than cells is refused."""
    tall, wide = bind(px.SmoothGrid(cells=7), [np.ones((15, 300)), np.ones((300, 8))])
    assert tall.regions.nodes == (15, 22)
    assert tall.regions.steps == (2, 3)
    assert wide.regions.nodes == (22, 8)
    with pytest.raises(InvalidInputError, match=r"too small for \(7, 7\) cells.*fewer cells"):
        bind(px.SmoothGrid(cells=7), np.ones((7, 300)))


def test_points_cover_everything_once() -> None:
    """Each position is nearest to one point, so maps keep their sums for shap's plots."""
    (bound,) = bind(px.SmoothGrid(cells=3, steps=2), np.ones((17, 22)))
    covers = [bound.regions.cover(i) for i in range(bound.n_features)]
    assert_array_equal(np.sum(covers, axis=0), 1)
    assert bound.feature_names[8] == "point 1, 1"


def test_an_image_that_is_its_fill_has_nothing_to_remove() -> None:
    """A black image under a black fill costs no model row for its masks."""
    asked = []

    def predict(batch: np.ndarray) -> np.ndarray:
        asked.append(len(batch))
        return batch.mean(axis=(1, 2))

    explanation = px.Rise(predict, masker=px.SmoothGrid(), random_state=0).explain(
        np.zeros((30, 30))
    )
    assert_array_equal(explanation.values, 0)
    assert sum(asked) <= 4


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"cells": 0}, "cells must be an integer of at least 1"),
        ({"cells": (3, 0)}, "cells must be an integer of at least 1"),
        ({"cells": ()}, "cells must be an integer, or one for each"),
        ({"steps": 0}, "steps must be an integer of at least 1"),
        ({"steps": 2.5}, "steps must be an integer"),
        ({"fill": "black"}, "fill must be one of"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], match: str) -> None:
    """Before anything is computed, by name."""
    with pytest.raises(InvalidParameterError, match=match):
        bind(px.SmoothGrid(**settings), np.ones((40, 40)))
