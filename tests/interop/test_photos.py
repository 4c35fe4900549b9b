import pickle

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidInputError, InvalidParameterError, PerturbxWarning
from perturbx.interop._resample import resample
from skimage import data

Photos = px.interop.ImagePreprocess
PLAIN = {"mean": 0.0, "std": 1.0}


def photo(shape=(30, 45, 3), seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("how", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((224, 224), (0, 0, 300, 451)),
        ((500, 600), (0, 0, 300, 451)),
        ((300, 100), (0, 0, 300, 451)),
        ((100, 130), (10.5, 20.25, 200.0, 260.0)),
        ((1, 1), (0, 0, 300, 451)),
    ],
)
def test_resizing_is_pillows(how, size, box):
    """Shrinking, enlarging and boxes between pixels match Pillow's resizing of floats."""
    image = pytest.importorskip("PIL.Image")
    cat = data.chelsea()
    (top, left, height, width), (tall, wide) = box, size
    pillow = [
        np.asarray(
            image.fromarray(channel.astype(np.float32)).resize(
                (wide, tall),
                getattr(image.Resampling, how.upper()),
                box=(left, top, left + width, top + height),
            )
        )
        for channel in np.moveaxis(cat, -1, 0)
    ]
    np.testing.assert_allclose(resample(cat, size, box, how), pillow, atol=2e-4)


@pytest.mark.parametrize("size", [16, (9, 70), 224])
def test_one_color_stays_what_it_is(size):
    """Weights add up to 1, at the edges too."""
    image = np.full((1, 30, 45, 3), 255, dtype=np.uint8)
    found = Photos(size, **PLAIN)(image)
    np.testing.assert_allclose(found, 1, atol=1e-6)
    assert found.shape[2:] == ((size, size) if isinstance(size, int) else size)


def test_a_size_that_fits_changes_no_pixel():
    """(x - mean) / std of brightness in 0..1, channels first, and nothing else."""
    image = photo((2, 8, 9, 3))
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
    expected = np.moveaxis((image / 255 - mean) / std, -1, 1)
    for size in ((8, 9), None):
        found = Photos(size, mean=mean, std=std)(image)
        assert found.dtype == np.float32
        assert found.flags.c_contiguous
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_crop_takes_the_middle():
    """The largest central box with the shape of size, or a fraction of it, not resized first."""
    image = photo((8, 14, 3))
    whole = Photos(8, crop=1.0, **PLAIN)(image[None])
    np.testing.assert_allclose(whole[0] * 255, np.moveaxis(image[:, 3:11], -1, 0), atol=1e-3)
    half = Photos(4, crop=0.5, **PLAIN)(image[None])
    np.testing.assert_allclose(half[0] * 255, np.moveaxis(image[2:6, 5:9], -1, 0), atol=1e-3)
    wide = Photos((4, 14), crop=1, **PLAIN)(image[None])
    np.testing.assert_allclose(wide[0] * 255, np.moveaxis(image[2:6], -1, 0), atol=1e-3)


def test_what_is_cropped_away_cannot_matter():
    """Pixels outside the box, plus the reach of the filter, do not change the input."""
    image, other = photo((64, 96, 3)), photo((64, 96, 3), seed=1)
    other[:, 14:82] = image[:, 14:82]
    preprocess = Photos(32, crop=1.0)
    np.testing.assert_array_equal(preprocess(image[None]), preprocess(other[None]))


def test_brightness_follows_the_type():
    """8 and 16 bits, floats and bool of the same photo are the same input."""
    image = photo()
    expected = Photos(16)(image[None])
    for same in (image.astype(np.uint16) * 257, image / 255, (image / 255).astype(np.float32)):
        np.testing.assert_allclose(Photos(16)(same[None]), expected, atol=1e-5)
    half = (image / 255).astype(np.float16)
    np.testing.assert_allclose(Photos(16)(half[None]), expected, atol=5e-3)
    bits = image > 127
    np.testing.assert_array_equal(Photos(16)(bits[None]), Photos(16)(bits[None] * 1.0))


def test_white_says_what_full_brightness_is():
    """`white` sets the range: 12 bits in 16, integers of 64 bits, and floats up to 255."""
    image = photo()
    expected = Photos(16)(image[None])
    for white, same in (
        (255, image.astype(np.int64)),
        (255, image.astype(float)),
        (4080, image.astype(np.uint16) * 16),
    ):
        np.testing.assert_allclose(Photos(16, white=white)(same[None]), expected, atol=1e-5)
    negative = np.linspace(-2, 2, 27).reshape(1, 3, 3, 3)
    np.testing.assert_allclose(
        Photos(None, white=1, **PLAIN)(negative), np.moveaxis(negative, -1, 1), atol=1e-6
    )


@pytest.mark.parametrize(
    ("dtype", "high", "white"),
    [
        ("uint16", 255, 255),
        ("uint16", 300, 4095),
        ("uint16", 4095, 4095),
        ("uint8", 1, 1),
        ("uint8", 15, 15),
        ("uint8", 16, 16),
        ("float32", 1 / 255, 0.00392157),
    ],
)
def test_photos_that_would_be_black_are_warned_of(dtype, high, white):
    """With few bits in a wide type, a warning names the white that gives the right brightness."""
    image = np.linspace(0, high, 192).reshape(1, 8, 8, 3).astype(dtype)
    with pytest.warns(PerturbxWarning, match=rf"look black.*ImagePreprocess\(white={white}\)"):
        Photos(8)(image)
    found = Photos(8, white=white, **PLAIN)(image)
    np.testing.assert_allclose(found, np.moveaxis(image / white, -1, 1), atol=1e-6)


@pytest.mark.parametrize(
    "image",
    [
        np.full((1, 8, 8), 4400, np.uint16),
        np.full((1, 8, 8), 17, np.uint8),
        np.full((1, 8, 8), 0.07),
        np.zeros((1, 8, 8), np.uint16),
        np.concatenate([np.full((1, 8, 8), 9, np.uint16), np.full((1, 8, 8), 65535, np.uint16)]),
        np.eye(8)[None] > 0,
    ],
    ids=["dim", "dim bytes", "dim floats", "black", "beside a bright one", "bits"],
)
def test_dark_photos_and_black_fills_are_no_reason_to_warn(image):
    """Dim photos, black fills and mixed batches raise no warning (warnings are errors here)."""
    assert np.isfinite(Photos(8)(image)).all()


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "CMYK", "YCbCr"])
def test_pillow_images_that_hold_no_brightness(mode):
    """Palette indices and ink are refused, and the suggested conversion gives the right colors."""
    image = pytest.importorskip("PIL.Image")
    red = image.new("RGB", (8, 8), (255, 0, 0))
    with pytest.raises(InvalidInputError, match=r'np\.asarray\(image\.convert\("RGB"\)\)'):
        Photos(8, **PLAIN)([red.convert(mode)])
    np.testing.assert_array_equal(Photos(8, **PLAIN)([red])[0, :, 0, 0], [1, 0, 0])
    with pytest.raises(InvalidInputError, match=r"Pass \[np\.asarray\(image\)\]"):
        Photos(8)(red)


def test_tensors_of_any_kind_are_photos():
    """Tensors with a gradient, in half precision, alone or in a list count as arrays."""
    torch = pytest.importorskip("torch")
    image = np.random.default_rng(0).random((2, 8, 8, 3)).astype(np.float32)
    expected = Photos(8)(image)
    tensor = torch.from_numpy(image).requires_grad_()
    np.testing.assert_array_equal(Photos(8)(tensor), expected)
    np.testing.assert_array_equal(Photos(8)(list(tensor)), expected)
    np.testing.assert_allclose(Photos(8)(tensor.bfloat16()), expected, atol=0.02)


def test_a_given_white_is_not_doubted():
    """With `white` set, a dark photo raises no warning."""
    image = np.full((1, 8, 8, 3), 200, np.uint16)
    found = Photos(8, white=65535, **PLAIN)(image)
    np.testing.assert_allclose(found, 200 / 65535, rtol=1e-5)


def test_cubics_stay_within_black_and_white():
    """The overshoot of bicubic filters at an edge is cut off."""
    edge = np.zeros((1, 9, 9, 3), dtype=np.uint8)
    edge[:, :, 4:] = 255
    found = Photos(64, filter="bicubic", **PLAIN)(edge)
    assert found.min() == 0
    assert found.max() == 1


def test_gray_photos_are_repeated():
    """(n, H, W) and (n, H, W, 1) are three equal channels; a network of one gets one."""
    gray = photo((2, 30, 45))
    expected = Photos(16)(np.repeat(gray[..., None], 3, axis=-1))
    np.testing.assert_allclose(Photos(16)(gray), expected, atol=1e-6)
    np.testing.assert_allclose(Photos(16)(gray[..., None]), expected, atol=1e-6)
    assert Photos(16, channels=1, mean=0.5, std=0.5)(gray).shape == (2, 1, 16, 16)


def test_photos_of_different_sizes_share_a_batch():
    """Each image of a list is as it would be alone, also gray ones among colored ones."""
    images = [photo((30, 45, 3)), photo((64, 20, 3)), photo((16, 16))]
    found = Photos(16)(images)
    with pytest.raises(InvalidInputError, match=r"images of different sizes.*pass a size"):
        Photos(None)(images[:2])
    for one, image in zip(found[:2], images, strict=False):
        np.testing.assert_array_equal(one, Photos(16)(image[None])[0])
    assert found.shape == (3, 3, 16, 16)


def test_it_pickles_and_compares():
    """Settings survive pickling and define equality."""
    preprocess = Photos(96, crop=0.875)
    assert pickle.loads(pickle.dumps(preprocess)) == preprocess


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (photo((30, 45, 3)), r"looks like a single one: pass image\[None\]"),
        (photo((30, 45)), r"looks like a single one: pass image\[None\]"),
        (photo((1, 30, 45, 4)), r"takes 3 channels; got .*\(30, 45, 4\).*pass image\[..., :3\]"),
        ([photo((30, 45, 4))], r"transparency: pass image\[..., :3\]"),
        (photo((2, 3, 30, 45)), r"channels come last.*np.moveaxis\(image, 0, -1\)"),
        (photo((2, 30, 45, 7)), r"takes 3 channels; got an image of shape \(30, 45, 7\)"),
        (np.zeros((1, 30, 0, 3)), "not empty"),
        (np.full((1, 4, 4, 3), np.nan), r"np.nan_to_num\(image\)"),
        (np.full((1, 4, 4, 3), -1.0), "from -1 to -1. Negative ones look normalized"),
        (np.full((1, 4, 4, 3), 200.0), r"from 200 to 200. Pass image.astype\(np.uint8\), image /"),
        (np.zeros((1, 4, 4, 3), int), r"full brightness of a photo of int64.*white=255"),
        ([["a"]], "a photo must be an array of numbers"),
        ("cat.jpg", r"photos must be a NumPy array \(n, H, W, C\) or a list of arrays; got str"),
    ],
)
def test_photos_that_cannot_be_read(images, said):
    """The error says what to pass instead."""
    with pytest.raises(InvalidInputError, match=said):
        Photos(16)(images)


def test_colors_for_a_network_of_grays():
    """They are refused with the way to make them gray."""
    with pytest.raises(InvalidInputError, match=r"takes 1 channels.*image.mean\(axis=-1\)"):
        Photos(16, channels=1, mean=0.5, std=0.5)(photo()[None])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"size": 0}, "size must be an integer of at least 1"),
        ({"size": (224,)}, r"size must be None, an integer, or \(height, width\)"),
        ({"size": "large"}, "size must be an integer"),
        ({"crop": 1.5}, "crop must be a number above 0 and below 1"),
        ({"crop": 0}, "crop must be a number above 0"),
        ({"size": None, "crop": 0.5}, "crop must be None where size is None"),
        ({"std": 0}, "std must be a positive number, or 3 of them"),
        ({"mean": (0.1, 0.2)}, "mean must be a number, or 3 of them, one per channel"),
        ({"mean": "gray"}, "mean must be a number"),
        ({"channels": 1}, "mean must be a number, or 1 of them"),
        ({"filter": "nearest"}, "filter must be one of 'bilinear', 'bicubic'"),
        ({"white": 0}, "white must be a number above 0"),
    ],
)
def test_settings_that_cannot_be(settings, said):
    """Wrong settings are refused by name at once."""
    with pytest.raises(InvalidParameterError, match=said):
        Photos(**settings)
