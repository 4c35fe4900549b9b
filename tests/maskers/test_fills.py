"""Fills of absent regions, compared with closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.maskers.fills import (
    BLUR_SHARE,
    as_dtype,
    check_fill,
    describe_fill,
    draw_seed,
    render_fill,
    small_copy,
)
from scipy.ndimage import gaussian_filter

DTYPES = ["bool", "uint8", "int16", "uint16", "int64", "float16", "float32", "float64", ">f4"]


def picture(shape, dtype="uint8", seed=0):
    values = np.random.default_rng(seed).random(shape)
    return (values * (1 if np.dtype(dtype).kind in "bf" else 200)).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "fill", ["mean", "blur", "light blur", "gray", "noise", 1, np.ones((8, 6, 3))]
)
def test_every_fill_has_the_shape_and_dtype_of_its_image(fill, dtype):
    """A fill has the shape and dtype of its image."""
    image = picture((8, 6, 3), dtype)
    shown = render_fill(fill, image, True, None, 0)
    assert (shown.shape, shown.dtype) == (image.shape, image.dtype)


def test_mean_is_the_mean_of_each_region_and_channel():
    """By brute force over regions and channels, rounded to whole numbers."""
    image, segments = picture((9, 7, 3)), np.arange(63).reshape(9, 7) % 4
    shown = render_fill("mean", image, True, segments, 0)
    for region in range(4):
        expected = np.rint(image[segments == region].mean(axis=0))
        assert (shown[segments == region] == expected).all()


def test_mean_without_regions_is_that_of_the_image():
    """With no regions given, one mean for each channel of the whole image."""
    image = picture((9, 7, 2), "float64")
    shown = render_fill("mean", image, True, None, 0)
    np.testing.assert_allclose(shown, np.broadcast_to(image.mean((0, 1)), image.shape), rtol=1e-14)


def test_blur_of_a_small_image_is_the_gaussian_filter():
    """Up to 256 pixels a side the blur is exact, and channels are not mixed."""
    image = picture((40, 60, 3), "float64")
    expected = gaussian_filter(image, (60 * BLUR_SHARE, 60 * BLUR_SHARE, 0), mode="nearest")
    np.testing.assert_allclose(render_fill("blur", image, True, None, 0), expected, rtol=1e-12)


def test_blur_of_a_large_image_is_close_to_the_gaussian_filter():
    """Blurring the small copy and interpolating differs by less than 2% of the range."""
    image = np.zeros((400, 700))
    image[100:300, 200:500] = 1.0
    exact = gaussian_filter(image, 700 * BLUR_SHARE, mode="nearest")
    assert np.abs(render_fill("blur", image, False, None, 0) - exact).max() < 0.02


def test_blur_leaves_a_constant_image():
    """A blur leaves equal pixels unchanged, however large the image."""
    image = np.full((300, 517, 3), 77, dtype=np.uint8)
    assert (render_fill("blur", image, True, None, 0) == 77).all()


def test_small_copy_holds_block_means():
    """512 pixels become 256 means of two; the mean of the image is kept."""
    series = np.arange(512)
    np.testing.assert_array_equal(small_copy(series, 1), np.arange(256) * 2 + 0.5)


def test_small_copy_keeps_the_proportions():
    """Both sides shrink by one factor, and neither vanishes."""
    assert small_copy(np.ones((512, 1024, 3)), 2).shape == (128, 256, 3)
    assert small_copy(np.ones((1, 5000)), 2).shape == (1, 256)


def test_noise_has_the_mean_and_scale_of_each_channel():
    """Noise is the image's own pixels in another order, so every moment agrees exactly."""
    image = picture((16, 16, 3)) // [1, 2, 4]
    noise = render_fill("noise", image, True, None, 5)
    assert (noise != image).any()
    np.testing.assert_array_equal(
        np.unique(noise.reshape(-1, 3), axis=0, return_counts=True)[1],
        np.unique(image.reshape(-1, 3), axis=0, return_counts=True)[1],
    )
    np.testing.assert_allclose(noise.mean((0, 1)), image.mean((0, 1)))
    np.testing.assert_allclose(noise.std((0, 1)), image.std((0, 1)))


def test_noise_depends_on_its_seed_alone():
    """The same seed gives the same noise; another gives another."""
    image = picture((16, 16))
    first, again, other = (render_fill("noise", image, False, None, s) for s in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_only_noise_draws_from_the_generator():
    """Every other fill leaves the generator as it was."""
    rng = np.random.default_rng(0)
    state = rng.bit_generator.state
    for fill in ("mean", "blur", 3, (1, 2, 3), np.ones((4, 4))):
        draw_seed(fill, rng)
    assert rng.bit_generator.state == state
    draw_seed("noise", rng)
    assert rng.bit_generator.state != state


def test_a_color_fills_every_pixel():
    """A number fills all channels, a tuple one each."""
    image = picture((4, 5, 3))
    assert (render_fill(127, image, True, None, 0) == 127).all()
    assert (render_fill((1, 2, 3), image, True, None, 0) == [1, 2, 3]).all()


def test_an_array_of_the_images_shape_is_an_image():
    """Even where a series is as long as it could have channels."""
    series = np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(render_fill([7, 8, 9], series, False, None, 0), [7, 8, 9])


def test_numbers_are_rounded_for_integers():
    """127.6 is 128 in a uint8 image, and 127.6 in a float image."""
    assert as_dtype(127.6, np.dtype("uint8")) == 128
    assert as_dtype(127.6, np.dtype("float64")) == 127.6


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(256, "uint8"), (-1, "uint16"), (2.0**63, "int64"), (1e5, "float16"), (2, "bool")],
)
def test_numbers_that_do_not_fit_are_refused(value, dtype):
    """A color outside the image's dtype would wrap around silently."""
    with pytest.raises(InvalidParameterError, match=f"range of the image's dtype {dtype}"):
        as_dtype(value, np.dtype(dtype))


@pytest.mark.parametrize("fill", ["grey", None, True, b"mean", object(), [], [[1], [1, 2]], ["a"]])
def test_unknown_fills_are_refused(fill):
    """The message lists the fills that exist."""
    with pytest.raises(InvalidParameterError, match=r"fill must be one of 'mean', 'blur', 'noise'"):
        check_fill(fill)


def test_a_fill_with_nan_is_refused():
    """NaN is no color."""
    with pytest.raises(InvalidParameterError, match="fill must be finite"):
        check_fill((0.0, np.nan, 1.0))


@pytest.mark.parametrize(
    ("fill", "shape", "channels"),
    [((1, 2), (4, 5, 3), True), ((1, 2, 3), (4, 5), False), (np.ones((5, 4)), (4, 5), False)],
)
def test_a_fill_of_the_wrong_shape_is_refused(fill, shape, channels):
    """A color has one number a channel; an image has the image's shape."""
    with pytest.raises(InvalidInputError, match="does not match an image of shape"):
        render_fill(fill, picture(shape), channels, None, 0)


def test_fills_are_named_in_words():
    """The value function names the fill."""
    assert describe_fill("mean", "their mean") == "their mean"
    assert describe_fill((1, 2), "") == "the color [1, 2]"
    assert describe_fill(0.5, "") == "the color 0.5"
    assert describe_fill(np.ones((2, 2)), "") == "another image"
