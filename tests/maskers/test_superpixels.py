"""Superpixels: accepted images, how regions are found, and removal that is exact bit by bit."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.maskers import _segmentation
from perturbx.maskers._base import Features
from perturbx.maskers.superpixels import Superpixels

DTYPES = ["bool", "uint8", "int16", "uint16", "uint32", "int64", "float16", "float32", "float64"]
ONCE = slice(0, 1)


def fitted(seed=0, **settings):
    return Superpixels(**settings).fit(None, Features(), np.random.default_rng(seed))


def bind(X, seed=0, **settings):
    masker = fitted(seed, **settings)
    checked = masker.check(X)
    return checked.bind(0, len(checked))


def rows(bound, z):
    return bound.batch(z, ONCE, bound.scratch(len(z))).copy()


def photo(shape=(48, 64, 3), dtype="uint8", seed=0):
    """A few colored discs on a gradient: something that a segmentation can find."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = np.zeros(shape) + (x / shape[1] / 2).reshape(x.shape + (1,) * (len(shape) - 2))
    for _ in range(4):
        center, color = rng.random(2) * shape[:2], rng.random(shape[2:]) / 2 + 0.5
        image[(y - center[0]) ** 2 + (x - center[1]) ** 2 < (min(shape[:2]) / 4) ** 2] = color
    scale = 1 if np.dtype(dtype).kind in "fb" else 250
    return np.round(image * scale, 3).astype(dtype)


@st.composite
def cases(draw):
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    dtype = dtype.newbyteorder(draw(st.sampled_from("<>")))
    height, width = draw(st.integers(1, 9)), draw(st.integers(2, 9))
    channels = draw(st.sampled_from([None, 1, 2, 3, 4, 7]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (height, width) + (() if channels is None else (channels,))
    image = rng.integers(0, 256, (*shape, dtype.itemsize), dtype=np.uint8).view(dtype)[..., 0]
    if dtype.kind == "b":
        image = rng.random(shape) < 0.5
    if dtype.kind == "f":
        image = np.where(np.isfinite(image), image, dtype.type(-0.0)).astype(dtype)
    segments = rng.integers(1, 1 + draw(st.sampled_from([2, 5, 400])), (height, width))
    segments[0, :2] = 0, 500
    return image, segments, rng, None if channels is None else -1


@given(cases())
@settings(max_examples=200, deadline=None)
def test_removal_is_exact_to_the_bit(case):
    """Present pixels have the image's own bits, absent ones the fill's, in every dtype."""
    image, segments, rng, channel_axis = case
    fill = np.roll(image, 1)
    (bound,) = bind(image, segments=segments, fill=fill, channel_axis=channel_axis)
    labels = np.unique(segments, return_inverse=True)[1].reshape(segments.shape)
    z = rng.random((5, bound.n_features)) < 0.5
    present = z[:, labels].reshape((5, *segments.shape) + (1,) * (image.ndim - 2))
    expected = np.where(present, image, fill)
    got = rows(bound, z)
    assert (got.dtype, got.shape) == (image.dtype, expected.shape)
    assert got.tobytes() == expected.astype(image.dtype).tobytes()


def test_more_labels_than_a_byte_holds():
    """Label maps of 300 and of 70,000 regions are removed as exactly as small ones."""
    for shape in ((15, 20), (250, 280)):
        image = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
        (bound,) = bind(image, segments=np.arange(image.size).reshape(shape), fill=255)
        z = np.random.default_rng(1).random((2, image.size)) < 0.5
        np.testing.assert_array_equal(rows(bound, z), np.where(z.reshape(2, *shape), image, 255))


@pytest.mark.parametrize("method", ["slic", "quickshift", "felzenszwalb", "grid"])
@pytest.mark.parametrize("shape", [(48, 64), (48, 64, 1), (48, 64, 3), (48, 64, 4), (48, 64, 9)])
def test_each_region_is_hidden_by_its_own_coalition(method, shape):
    """No region is out of reach: leaving out feature j changes region j and nothing else."""
    (bound,) = bind(
        photo(shape, "float32"),
        method=method,
        n_segments=12,
        fill=-1,
        channel_axis="auto" if len(shape) == 2 else -1,
    )
    hidden = rows(bound, ~np.eye(bound.n_features, dtype=bool)) == -1
    for feature, absent in enumerate(hidden):
        cover = bound.regions.cover(feature)
        assert cover.any()
        assert (absent == (cover if absent.ndim == 2 else cover[..., None])).all()


@pytest.mark.parametrize("method", ["slic", "quickshift", "felzenszwalb", "grid"])
def test_number_of_regions(method):
    """slic and grid find about n_segments regions, the others at most as many."""
    rng = np.random.default_rng(0)
    image = np.clip(photo((96, 128, 3), "float64") + 0.05 * rng.normal(size=(96, 128, 3)), 0, 1)
    (bound,) = bind(image, method=method, n_segments=20)
    assert (14 if method in ("slic", "grid") else 2) <= bound.n_features <= 26
    if method in ("quickshift", "felzenszwalb"):
        assert bound.n_features <= 20


@pytest.mark.parametrize("channels", [(), (3,), (10,)])
def test_superpixels_follow_a_sharp_edge(channels):
    """No SLIC region reaches more than a pixel over an edge, in gray, colors or ten channels."""
    image = np.zeros((40, 40, *channels))
    image[:, 17:] = 1
    (bound,) = bind(image, n_segments=8, channel_axis=-1 if channels else None)
    segments = bound.regions.segments
    assert not np.intersect1d(segments[:, :16], segments[:, 18:]).size


@pytest.mark.parametrize("method", ["slic", "quickshift", "felzenszwalb"])
def test_segmentation_sees_a_small_copy(method, monkeypatch):
    """However large the image, the segmenter is given at most 256 pixels a side."""
    seen = []

    def spy(colors, *_):
        seen.append(colors.shape)
        return np.arange(colors.shape[0] * colors.shape[1]).reshape(colors.shape[:2]) % 2

    monkeypatch.setattr(_segmentation, f"_{method}", spy)
    (bound,) = bind(np.zeros((900, 1200, 3), dtype=np.uint8), method=method)
    assert seen == [(192, 256, 3)]
    assert bound.regions.segments.shape == (900, 1200)
    assert (np.bincount(bound.regions.segments.ravel()) > 0).all()


@given(st.integers(1, 700), st.integers(2, 700))
@settings(max_examples=30, deadline=None)
def test_enlarged_labels_fit_images_of_any_size(height, width):
    """Labels come back at the image's size, 0..K-1 with none missing."""
    labels = _segmentation.segment(np.zeros((height, width)), False, "grid", 6, 1.0)
    assert labels.shape == (height, width)
    assert (np.bincount(labels.ravel()) > 0).all()


def test_segmentation_does_not_depend_on_scale():
    """An image as uint8, uint16 or floats, moved or scaled, has the same regions."""
    image = photo()
    (expected,) = bind(image)
    moved = [image.astype(np.uint16) * 257, image / 255.0, image.astype(np.float32) / 2 - 60]
    for other in moved:
        (got,) = bind(other)
        np.testing.assert_array_equal(got.regions.segments, expected.regions.segments)


def test_alpha_is_left_out_of_the_segmentation():
    """A fourth channel changes what is filled, not where regions lie."""
    image = photo()
    alpha = np.random.default_rng(0).integers(0, 255, (48, 64, 1), dtype=np.uint8)
    (expected,), (got,) = bind(image), bind(np.concatenate([image, alpha], axis=2))
    np.testing.assert_array_equal(got.regions.segments, expected.regions.segments)
    assert rows(got, np.zeros((1, got.n_features), bool)).shape == (1, 48, 64, 4)


def test_labels_are_numbered_in_the_order_of_their_values():
    """Gaps and maps that start at 1 become 0..K-1."""
    segments = np.array([[7, 7, 1], [300, 7, 1]])
    (bound,) = bind(np.zeros((2, 3)), segments=segments)
    np.testing.assert_array_equal(bound.regions.segments, [[1, 1, 0], [2, 1, 0]])
    assert bound.feature_names == ("region 0", "region 1", "region 2")


def test_merging_takes_the_smallest_region_to_its_most_similar_neighbor():
    """A single pixel is merged with the neighbor of its own color, not with the larger one."""
    labels = np.array([[0, 0, 0, 0, 1, 2, 2]])
    colors = np.array([[0, 0, 0, 0, 5, 6, 6]], dtype=float)[..., None]
    merged = _segmentation.merge_to(labels, colors, 2)
    np.testing.assert_array_equal(_segmentation.relabel(merged), [[0, 0, 0, 0, 1, 1, 1]])


def test_nothing_and_everything_removed_are_the_image_and_the_fill():
    """The full coalition is the instance; the empty one is the fill alone."""
    image = photo()
    (bound,) = bind(image, fill=(9, 8, 7))
    got = rows(bound, np.array([[True], [False]]).repeat(bound.n_features, axis=1))
    np.testing.assert_array_equal(got[0], image)
    assert (got[1] == [9, 8, 7]).all()


def test_mean_fill_is_the_mean_of_the_region():
    """The empty coalition shows the mean color of each region."""
    image = photo()
    (bound,) = bind(image, fill="mean")
    empty = rows(bound, np.zeros((1, bound.n_features), bool))[0]
    cover = bound.regions.cover(3)
    assert (empty[cover] == np.rint(image[cover].mean(axis=0))).all()


def test_noise_is_the_same_for_the_same_seed():
    """One seed is drawn at fit, so the order and number of images do not matter."""
    images = [photo(seed=1), photo(seed=2)]
    both = bind(images, seed=3, fill="noise")
    (second,) = bind(images[1], seed=3, fill="noise")
    (other,) = bind(images[1], seed=4, fill="noise")
    np.testing.assert_array_equal(both[1].fill, second.fill)
    assert (other.fill != second.fill).any()


def test_the_scratch_buffer_is_reused_and_never_the_users():
    """Smaller batches live in the same buffer; the user's image is neither shared nor changed."""
    image = photo()
    kept = image.copy()
    masker = fitted()
    checked = masker.check(image)
    (bound,) = checked.bind(0, 1)
    scratch = bound.scratch(4)
    for n in (4, 1):
        batch = bound.batch(np.ones((n, bound.n_features), bool), ONCE, scratch)
        assert np.shares_memory(batch, scratch)
        assert batch.flags.c_contiguous
        batch[...] = 0
    taken = checked.take(0, 1)
    taken[...] = 0
    assert not any(np.shares_memory(image, a) for a in (batch, taken, bound.data))
    np.testing.assert_array_equal(image, kept)
    np.testing.assert_array_equal(bound.data, kept)
    assert bound.row_bytes == image.nbytes


def test_a_bound_masker_pickles():
    """Workers receive it; what they build is the same."""
    (bound,) = bind(photo())
    z = np.random.default_rng(0).random((3, bound.n_features)) < 0.5
    np.testing.assert_array_equal(rows(pickle.loads(pickle.dumps(bound)), z), rows(bound, z))


@pytest.mark.parametrize(
    ("X", "channel_axis", "n", "shape"),
    [
        (np.zeros((9, 8)), "auto", None, (9, 8)),
        (np.zeros((9, 8, 3)), "auto", None, (9, 8, 3)),
        (np.zeros((9, 8, 12)), -1, None, (9, 8, 12)),
        (np.zeros((3, 9, 8)), -1, None, (3, 9, 8)),
        (np.zeros((2, 9, 8, 3)), "auto", 2, (9, 8, 3)),
        (np.zeros((2, 9, 8, 12)), -1, 2, (9, 8, 12)),
        (np.zeros((5, 9, 8)), None, 5, (9, 8)),
        ([np.zeros((9, 8)), np.zeros((7, 6))], "auto", 2, (9, 8)),
        ((np.zeros((9, 8, 3)), np.zeros((7, 6, 3))), "auto", 2, (9, 8, 3)),
    ],
)
def test_one_image_is_distinguished_from_a_batch(X, channel_axis, n, shape):
    """By the shape or by channel_axis; a batch for the model has a leading axis."""
    masker = fitted(channel_axis=channel_axis)
    checked = masker.check(X)
    assert (len(checked), checked.single) == (n or 1, n is None)
    assert checked.take(0, 1).shape == (1, *shape)
    assert checked.take(0, 1).dtype == np.float64


def test_a_batch_of_images_of_different_sizes():
    """Each image has its own regions, and is bound separately."""
    images = [photo((48, 64, 3)), photo((30, 50, 3))]
    masker = fitted(n_segments=10)
    checked = masker.check(images)
    assert (checked.single, checked.chunk) == (False, 1)
    for index, (image, bound) in enumerate(zip(images, bind(images), strict=True)):
        assert bound.regions.shape == image.shape[:2]
        np.testing.assert_array_equal(checked.take(index, index + 1)[0], image)
    with pytest.raises(InvalidInputError, match="different shapes cannot share a batch"):
        checked.take(0, 2)


def test_label_maps_for_each_image_or_one_for_all():
    """A list holds one map per image; a single array applies to every image of its size."""
    images = np.zeros((2, 4, 4, 3))
    one, other = np.arange(16).reshape(4, 4), np.arange(16).reshape(4, 4) // 8
    assert [b.n_features for b in bind(images, segments=[one, other])] == [16, 2]
    assert [b.n_features for b in bind(images, segments=np.stack([one, other]))] == [16, 2]
    assert [b.n_features for b in bind(images, segments=other)] == [2, 2]


@pytest.mark.parametrize(
    ("X", "settings", "message"),
    [
        ("cat.jpg", {}, r"must be a NumPy array.*got str"),
        ([[1, 2], [3, 4]], {}, r"image 0 must be a NumPy array.*got list"),
        ([], {}, "empty list"),
        (np.zeros((0, 4, 3)), {}, r"empty: its shape is \(0, 4, 3\)"),
        (np.full((4, 4), None), {}, "got dtype object"),
        (np.full((4, 4), "a"), {}, "got dtype <U1"),
        (np.zeros((4, 4), complex), {}, "got dtype complex128"),
        (np.ma.zeros((4, 4)), {}, "masked array"),
        (np.zeros(4), {}, r"must have 2 or 3 dimensions.*got shape \(4,\)"),
        (np.zeros((1, 2, 4, 4, 3)), {}, r"a batch of them 4\)"),
        (np.zeros((4, 4)), {"channel_axis": -1}, r"must have 3 dimensions .*batch of them 4"),
        (np.zeros((2, 4, 4, 3)), {"channel_axis": None}, r"must have 2 dimensions"),
        ([np.zeros((2, 4, 4, 3))], {}, r"must have 2 or 3 dimensions; got shape"),
        (np.zeros((3, 24, 24)), {}, r"channels first.*np.moveaxis\(image, 0, -1\)"),
        (np.zeros((9, 3, 24, 24)), {}, r"channels first.*np.moveaxis\(images, 1, -1\)"),
        ([np.zeros((3, 24, 24))], {}, "channels first"),
        (np.zeros((9, 24, 24)), {}, r"channel_axis=-1 \(channels\) or None \(a batch\)"),
        ([np.zeros((4, 4)), np.zeros((4, 4, 3))], {}, "same channels and dtype"),
        ([np.zeros((4, 4)), np.zeros((4, 4), "uint8")], {}, "image 1 has 1 of uint8"),
        (np.array([[0, np.nan], [np.inf, 1]]), {}, r"2 of its 4 values.*first at \(0, 1\)"),
        ([np.zeros((2, 2)), np.full((2, 2), np.nan)], {}, "image 1 must be finite: 4"),
        (np.zeros((4, 4, 3)), {"fill": (1, 2)}, r"fill of shape \(2,\) does not match"),
        (np.zeros((4, 4)), {"segments": np.zeros((4, 5), int)}, r"width of its image, \(4, 4\)"),
        (np.zeros((4, 4)), {"segments": np.ones((4, 4), int)}, "has the label 1"),
        (np.zeros((4, 4)), {"segments": np.eye(4)}, "integer labels; got dtype float64"),
        (
            np.zeros((2, 2)),
            {"segments": np.array([[0, 1], [np.nan, 2]])},
            "1 of its pixels are NaN",
        ),
        (np.zeros((2, 2)), {"segments": np.array([[0, 1], [-1, 2]])}, r"negative: 1 pixels.*to -1"),
        (np.zeros((4, 4)), {"segments": [np.eye(4, dtype=int)] * 2}, "got 2 for 1"),
    ],
)
def test_images_that_cannot_be_explained(X, settings, message):
    """Bad input is refused at the door, with what was expected and the cure."""
    with pytest.raises(InvalidInputError, match=message):
        fitted(**settings).check(X)


def test_a_frame_is_no_image():
    """A DataFrame is refused: its columns would be lost."""
    pandas = pytest.importorskip("pandas")
    with pytest.raises(InvalidInputError, match="got DataFrame"):
        fitted().check(pandas.DataFrame(np.zeros((4, 4))))


def test_a_single_region_is_refused():
    """A single region is an error with a cure; a single pixel has no cure."""
    with pytest.raises(InvalidInputError, match=r"raise n_segments \(now 25\), choose method"):
        bind(np.zeros((9, 9)), method="felzenszwalb")
    with pytest.raises(InvalidInputError, match="a single pixel cannot be divided"):
        bind(np.zeros((1, 1)))


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (2, 2), (1, 300, 3)])
def test_thin_images_can_be_parted(shape):
    """A photo one pixel wide has regions too: the grid parts it into as many as were asked."""
    image = np.random.default_rng(0).random(shape)
    assert [b.n_features for b in bind(image, method="grid", n_segments=4)] == [4]


@pytest.mark.parametrize("method", ["slic", "quickshift", "felzenszwalb"])
@pytest.mark.parametrize("shape", [(1, 400), (300, 1, 3)])
def test_every_method_reads_thin_images(method, shape):
    """An image one pixel wide with two colors is parted, not crashed on."""
    image = np.zeros(shape)
    image[shape[0] // 2 :, shape[1] // 2 :] = 1
    assert all(b.n_features >= 2 for b in bind(image, method=method, n_segments=4))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "watershed"}, "method must be one of 'slic'"),
        ({"n_segments": 1}, "n_segments must be an integer of at least 2"),
        ({"compactness": 0}, "compactness must be a number above 0"),
        ({"fill": "grey"}, "fill must be one of"),
        ({"channel_axis": 0}, r"np.moveaxis\(image, channel_axis, -1\)"),
        ({"channel_axis": "last"}, "channel_axis must be 'auto', -1"),
        ({"segments": "slic"}, "segments must be an array of labels"),
    ],
)
def test_invalid_settings_are_refused(settings, message):
    """Settings are checked at fit, before any image is seen."""
    with pytest.raises(InvalidParameterError, match=message):
        fitted(**settings)


@pytest.mark.parametrize("features", [Features(names=["a"]), Features(groups={"a": [0]})])
def test_names_and_groups_of_columns_are_refused(features):
    """They name columns, and an image has none."""
    with pytest.raises(InvalidParameterError, match="must be None for images"):
        Superpixels().fit(None, features, np.random.default_rng(0))


def test_the_value_function_names_fill_and_regions():
    """A reader must know both: they decide what the scores mean."""
    assert (
        fitted(fill="mean").value_function
        == "absent regions filled with their mean color (SLIC superpixels)"
    )
    assert "a given label map" in fitted(segments=np.eye(3, dtype=int)).value_function


def test_importing_superpixels_does_not_import_segmentation():
    """skimage.segmentation is slow to import, so it waits until an image comes."""
    code = (
        "import sys, perturbx.maskers.superpixels, perturbx.maskers.windows\n"
        "assert not any(m.startswith('skimage') for m in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
