"""Features that fade: the ends bit by bit, what lies between, types, containers and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import perturbx as px
import pytest
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.maskers import Features
from perturbx.testing import check_masker


def bound(masker: Any, X: Any, one: Any = None) -> Any:
    fitted = masker.fit(X, Features(), np.random.default_rng(0))
    return fitted.check(X if one is None else one).bind(0, 1)[0]


def batch(masked: Any, z: Any) -> Any:
    per = masked.rows_per_perturbation
    return masked.batch(np.asarray(z), slice(0, per), masked.scratch(len(z) * per))


def test_rows_fade_into_each_background_row() -> None:
    """A row is the same share of the way to each background row, in each column's own type."""
    frame = pd.DataFrame({"n": [0, 10], "x": [0.0, 1.0], "small": np.float32([1.0, 3.0])})
    one = pd.DataFrame({"n": [5], "x": [3.0], "small": np.float32([2.0])})
    out = batch(bound(px.Fade(px.Background(frame)), frame, one), [[0.5, 0.25, 1.0]])
    assert out["n"].tolist() == [2, 8]
    assert out["n"].dtype == frame["n"].dtype
    np.testing.assert_allclose(out["x"], [0.75, 1.5])
    assert out["small"].dtype == np.float32
    assert out["small"].tolist() == [2.0, 2.0]


def test_groups_fade_together() -> None:
    """One presence moves all columns of a group."""
    features = Features(groups={"both": [0, 2], "other": [1]})
    fitted = px.Fade(px.Baseline([0.0, 0, 0])).fit(None, features, np.random.default_rng(0))
    (masked,) = fitted.check([2.0, 4.0, 6.0]).bind(0, 1)
    assert batch(masked, [[0.5, 1.0]]).tolist() == [[1.0, 4.0, 3.0]]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_images_fade_region_by_region(dtype: Any) -> None:
    """Each region is its own share of the way to the fill, and integers are rounded."""
    image = np.full((2, 2), 101, dtype=dtype)
    masked = bound(px.Fade(px.Superpixels(segments=np.arange(4).reshape(2, 2), fill=0)), image)
    out = batch(masked, [[0.0, 0.25, 0.5, 1.0]])[0]
    assert out.dtype == dtype
    expected = np.array([[0, 25.25], [50.5, 101]])
    np.testing.assert_allclose(out, np.rint(expected) if dtype == np.uint8 else expected)


@pytest.mark.parametrize("channel_axis", [-1, -2])
def test_series_keep_their_layout(channel_axis: int) -> None:
    """Segments of each channel fade into its mean, in the user's layout."""
    series = np.array([[0.0, 10], [2, 20], [4, 30], [6, 40]])
    X = series.T.copy() if channel_axis == -2 else series
    masker = px.Fade(px.SeriesSegments(2, fill="mean", channel_axis=channel_axis))
    out = batch(bound(masker, X), [[0.5, 1.0, 1.0, 0.0]])[0]
    out = out.T if channel_axis == -2 else out
    np.testing.assert_allclose(out, [[1.5, 10], [2.5, 20], [4, 25], [6, 25]])


@pytest.mark.parametrize("kind", ["table", "frame", "image", "series"])
def test_contract(kind: str, table: np.ndarray) -> None:
    """The contract of maskers holds for rows, frames, images and series."""
    rng = np.random.default_rng(0)
    given: dict[str, tuple[Any, Any]] = {
        "table": (px.Background(), table[:5]),
        "frame": (px.Baseline(), pd.DataFrame({"a": [1, 2, 4], "b": np.float32([1, 2, 3])})),
        "image": (px.Superpixels(method="grid"), rng.integers(0, 9, (2, 12, 12, 3), np.uint8)),
        "series": (px.SeriesSegments(4, fill="noise", channel_axis=None), rng.normal(size=(2, 9))),
    }
    inner, X = given[kind]
    check_masker(px.Fade(inner), X)


def test_soft_masks_of_random_grids_apply() -> None:
    """Any method of graded presences takes it: RISE's soft masks on regions."""
    image = np.random.default_rng(0).random((16, 16))
    masker = px.Fade(px.Superpixels(method="grid", n_segments=16, fill=0))
    found = px.Rise(lambda b: b[:, 1, 1], masker=masker, random_state=0).explain(image)
    assert int(found.values.argmax()) == 0


def test_what_has_no_path_is_refused() -> None:
    """Categories, missing values, bridges, windows, and what is no masker."""
    frame = pd.DataFrame({"x": [0.0, 1.0], "city": ["a", "b"]})
    with pytest.raises(InvalidParameterError, match="'city' holds no plain numbers"):
        bound(px.Fade(px.Background(frame)), frame)
    holes = np.array([[0.0, np.nan], [1.0, 2.0]])
    with pytest.raises(InvalidInputError, match="missing or infinite"):
        bound(px.Fade(px.Background(holes)), holes)
    image = np.random.default_rng(0).random((12, 12))
    for masker, X in ((px.Windows(shape=4), image), (px.SeriesSegments(3), image[0])):
        with pytest.raises(InvalidParameterError, match="one value in the place"):
            bound(px.Fade(masker), X)
    for wrong in (None, "mean", px.Fade(px.Baseline())):
        with pytest.raises(InvalidParameterError, match="masker"):
            px.Fade(wrong).fit(image, Features(), np.random.default_rng(0))
