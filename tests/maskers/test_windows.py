"""Windows: they cover everything, and hide exactly what a naive reference hides."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.maskers._base import Features
from perturbx.maskers.bound_images import BoundLabels, BoundWindows
from perturbx.maskers.windows import Windows, disjoint_labels, window_grid

ONCE = slice(0, 1)


def fitted(seed=0, **settings):
    return Windows(**settings).fit(None, Features(), np.random.default_rng(seed))


def bind(x, seed=0, **settings):
    masker = fitted(seed, **settings)
    checked = masker.check(x)
    assert checked.single
    return checked.bind(0, 1)[0]


def rows(bound, z):
    return bound.batch(z, ONCE, bound.scratch(len(z))).copy()


def reference(x, fill, regions, coalition):
    """Position by position: absent if any absent window covers it."""
    out = x.copy()
    for feature in np.flatnonzero(~coalition):
        out[regions.cover(feature)] = fill[regions.cover(feature)]
    return out


@st.composite
def grids(draw):
    extent = tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=3)))
    shape = tuple(draw(st.integers(1, side)) for side in extent)
    stride = tuple(draw(st.integers(1, length)) for length in shape)
    return extent, shape, stride


@given(grids())
@settings(max_examples=200, deadline=None)
def test_windows_cover_every_position(grid):
    """Whatever shape and stride, each position lies in a window of full size, none twice."""
    extent, shape, stride = grid
    windows = window_grid(extent, shape, stride)
    covers = np.stack([windows.cover(i) for i in range(len(windows))])
    assert covers.any(axis=0).all()
    assert (covers.reshape(len(windows), -1).sum(axis=1) == np.prod(shape)).all()
    assert len(np.unique(windows.starts, axis=0)) == len(windows)


@given(grids())
@settings(max_examples=200, deadline=None)
def test_windows_are_disjoint_exactly_if_none_covers_a_position_twice(grid):
    """By brute force over the covers."""
    windows = window_grid(*grid)
    covers = np.stack([windows.cover(i) for i in range(len(windows))])
    labels = disjoint_labels(windows)
    assert (labels is not None) == (covers.sum(axis=0).max() == 1)
    if labels is not None:
        np.testing.assert_array_equal(labels, covers.argmax(axis=0))


@given(grids(), st.sampled_from([None, 1, 3]), st.sampled_from(["uint8", "float32", "bool", "i8"]))
@settings(max_examples=200, deadline=None)
def test_every_coalition_equals_the_reference(grid, channels, dtype):
    """To the bit, in any number of axes, with channels or not, overlapping or not."""
    extent, shape, stride = grid
    rng = np.random.default_rng(0)
    full = extent if channels is None else (*extent, channels)
    x, fill = (rng.integers(0, 2 if dtype == "bool" else 100, full).astype(dtype) for _ in "ab")
    axis = None if channels is None else -1
    bound = bind(x, shape=shape, stride=stride, fill=fill, channel_axis=axis)
    z = np.vstack([rng.random((3, bound.n_features)) < 0.7, ~np.eye(bound.n_features, dtype=bool)])
    expected = np.stack([reference(x, fill, bound.regions, coalition) for coalition in z])
    got = rows(bound, z)
    assert got.dtype == x.dtype
    assert got.tobytes() == expected.tobytes()


def test_default_shape_and_stride():
    """A fifth of each side, and a third of that: 45 and 15 at 224 pixels."""
    windows = window_grid((224, 100), None, None)
    assert windows.size == (45, 20)
    assert np.unique(np.diff(np.unique(windows.starts[:, 0])))[-1] == 15
    assert np.unique(np.diff(np.unique(windows.starts[:, 1])))[-1] == 7
    assert window_grid((2, 1), None, None).size == (1, 1)


def test_the_last_window_ends_at_the_end():
    """Starts follow the stride; the last one is moved so that its window fits."""
    np.testing.assert_array_equal(window_grid((10,), 4, 3).starts[:, 0], [0, 3, 6])
    np.testing.assert_array_equal(window_grid((11,), 4, 3).starts[:, 0], [0, 3, 6, 7])


@pytest.mark.parametrize(
    ("X", "settings", "n", "extent"),
    [
        (np.zeros(50), {}, None, (50,)),
        (np.zeros((50, 40)), {}, None, (50, 40)),
        (np.zeros((50, 40, 3)), {}, None, (50, 40)),
        (np.zeros((6, 50, 40, 3)), {}, 6, (50, 40)),
        (np.zeros((6, 50, 40)), {"channel_axis": None}, 6, (50, 40)),
        (np.zeros((50, 12)), {"channel_axis": -1}, None, (50,)),
        (np.zeros((50, 3)), {"shape": (5,)}, None, (50,)),
        (np.zeros((6, 50, 3)), {"shape": (5,)}, 6, (50,)),
        (np.zeros((6, 50)), {"shape": (5,), "channel_axis": None}, 6, (50,)),
        (np.zeros((9, 8, 7)), {"shape": (2, 2, 2)}, None, (9, 8, 7)),
        (np.zeros((9, 8, 7)), {"stride": (1, 1, 1)}, None, (9, 8, 7)),
        (np.zeros((9, 8, 7, 2)), {"shape": (2, 2, 2)}, None, (9, 8, 7)),
        ([np.zeros(50), np.zeros(30)], {}, 2, (50,)),
        ([np.zeros((50, 40, 3)), np.zeros((30, 40, 3))], {"shape": 5}, 2, (50, 40)),
    ],
)
def test_series_images_and_volumes(X, settings, n, extent):
    """How many spatial axes there are follows from the settings, or else from the instance."""
    masker = fitted(**settings)
    checked = masker.check(X)
    assert (len(checked), checked.single) == (n or 1, n is None)
    (bound,) = checked.bind(0, 1)
    assert bound.regions.shape == extent
    first = X[0] if n else X
    assert rows(bound, np.ones((2, bound.n_features), bool)).shape == (2, *first.shape)


def test_windows_that_do_not_overlap_show_their_own_mean():
    """With stride equal to shape each window is filled with its own mean color."""
    x = np.random.default_rng(0).integers(0, 255, (8, 12, 3), dtype=np.uint8)
    bound = bind(x, shape=4, stride=4)
    assert isinstance(bound, BoundLabels)
    (got,) = rows(bound, ~np.eye(6, dtype=bool)[3:4])
    box = bound.regions.box(3)
    assert (got[box] == np.rint(x[box].mean(axis=(0, 1)))).all()
    assert (got[:4, :] == x[:4, :]).all()


@pytest.mark.parametrize("settings", [{"shape": 4, "stride": 3}, {"shape": 1, "stride": 1}])
def test_other_windows_show_the_mean_of_the_image(settings):
    """Overlapping windows have no one mean, and a single pixel's own mean would hide nothing."""
    x = np.random.default_rng(0).random((8, 12))
    bound = bind(x, **settings)
    (empty,) = rows(bound, np.zeros((1, bound.n_features), bool))
    np.testing.assert_allclose(empty, x.mean(), rtol=1e-14)


def test_the_buffer_is_reused_and_never_the_users():
    """A model that changes its batch changes neither the user's data nor the next batch."""
    x = np.arange(30.0)
    kept, masker = x.copy(), fitted(shape=6)
    checked = masker.check(x)
    (bound,) = checked.bind(0, 1)
    assert isinstance(bound, BoundWindows)
    scratch = bound.scratch(3)
    for n in (3, 1):
        batch = bound.batch(np.ones((n, bound.n_features), bool), ONCE, scratch)
        assert np.shares_memory(batch, scratch)
        np.testing.assert_array_equal(batch, np.tile(kept, (n, 1)))
        batch[...] = -1
    taken = checked.take(0, 1)
    taken[...] = -1
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_array_equal(bound.data, kept)


def test_facts_of_a_bound_masker():
    """Names, size and words; and it pickles, for the workers."""
    bound = pickle.loads(pickle.dumps(bind(np.zeros(10, "float32"), shape=5)))
    assert bound.feature_names == ("window 0", "window 1", "window 2", "window 3")
    assert (bound.n_features, bound.row_bytes, bound.rows_per_perturbation) == (4, 40, 1)
    assert not bound.shares_empty
    assert (
        fitted(fill="blur").value_function
        == "absent windows filled with a blurred copy of the image"
    )
    assert fitted(shape=5).check(np.zeros(10)).chunk == 1


def test_noise_is_the_same_for_the_same_seed():
    """One seed is drawn at fit and serves every instance."""
    x = np.random.default_rng(0).random((20, 20))
    first, again, other = (bind(x, seed, fill="noise").fill for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(
    ("X", "settings", "message"),
    [
        (np.zeros((10, 4, 3)), {"shape": 5}, r"window of shape \(5, 5\) is larger .* \(10, 4\)"),
        (np.zeros((10, 10)), {"stride": 3}, r"stride of \(3, 3\) leaves gaps"),
        (np.zeros((10, 10)), {"shape": (2, 2, 2)}, r"3 spatial axes.*must have 3 or 4 dimensions"),
        (np.zeros((10, 10)), {"shape": (2, 2), "channel_axis": -1}, r"must have 3 dimensions"),
        (np.zeros((64, 50)), {"shape": (2,)}, r"50 channels or a batch of 64"),
        (np.zeros((3, 50, 50)), {}, "channels first"),
        (np.zeros((3, 50)), {"shape": (5,)}, "channels first"),
        (np.full(10, np.nan), {}, "10 of its 10 values are NaN"),
        (np.zeros((10, 10)), {"fill": (1, 2, 3)}, "does not match an image of shape"),
        ("signal.wav", {}, "got str"),
        (np.float64(3), {}, "must be a NumPy array"),
    ],
)
def test_input_that_cannot_be_explained(X, settings, message):
    """Bad input is refused at the door, with what was expected and the cure."""
    with pytest.raises(InvalidInputError, match=message):
        fitted(**settings).check(X)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shape": 0}, "shape must be None, a positive integer"),
        ({"shape": (3, 2.5)}, "shape must be None, a positive integer"),
        ({"shape": ()}, "shape must be None, a positive integer"),
        ({"stride": True}, "stride must be None, a positive integer"),
        ({"shape": (3, 3), "stride": (1,)}, "stride must be as long as shape"),
        ({"shape": (3, 3), "stride": 4}, r"stride must be at most the window's shape, \(3, 3\)"),
        ({"fill": "zero"}, "fill must be one of"),
        ({"channel_axis": 1}, "channel_axis must be 'auto'"),
    ],
)
def test_invalid_settings_are_refused(settings, message):
    """Settings are checked at fit, before any instance is seen."""
    with pytest.raises(InvalidParameterError, match=message):
        fitted(**settings)


def test_names_of_columns_are_refused():
    """They name columns, and an image has none."""
    with pytest.raises(InvalidParameterError, match="feature_names must be None"):
        Windows().fit(None, Features(names=["a"]), np.random.default_rng(0))
