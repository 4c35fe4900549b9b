"""The fill of absent regions: their mean, a blur, gray, a color, noise, or another image."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints, Segments
from perturbx._validation import invalid, is_masked
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.maskers.images import Image

Fill: TypeAlias = str | float | Sequence[float] | NDArray[Any]
"""A name of `NAMED`, a color (one number, or one per channel), or an array like the image."""

NAMED = ("mean", "blur", "noise", "light blur", "gray")

BLUR_SHARE, LIGHT_SHARE = 0.05, 0.0125
"""The standard deviations of the blurs, as fractions of the longest side."""

_BLURS = {"blur": BLUR_SHARE, "light blur": LIGHT_SHARE}

_ROUNDED = 16
"""Rounding changes a blur of equal values by at most this many units in the last place."""

COPY_SIDE = 256
"""Blurs and segmentations are computed on a copy whose sides have at most this many pixels."""


def check_fill(fill: Any) -> None:
    """Refuse a fill that is invalid for every image."""
    if isinstance(fill, str):
        if fill not in NAMED:
            raise invalid("fill", _expected(), fill)
        return
    if isinstance(fill, (bool, bytes)) or not isinstance(
        fill, (numbers.Real, np.ndarray, list, tuple)
    ):
        raise invalid("fill", _expected(), fill)
    try:
        values = np.asarray(fill)
    except ValueError:  # ragged
        raise invalid("fill", _expected(), fill) from None
    if values.dtype.kind not in "buif" or values.size == 0 or is_masked(fill):
        raise invalid("fill", _expected(), fill)
    if not np.isfinite(values).all():
        raise invalid("fill", "finite", fill)


def describe_fill(fill: Fill, own_mean: str) -> str:
    """The fill in words, to complete "absent regions filled with …"."""
    if isinstance(fill, str):
        return {
            "mean": own_mean,
            "blur": "a blurred copy of the image",
            "light blur": "a lightly blurred copy of the image",
            "gray": "mid-gray",
            "noise": "noise (the image's own pixels, shuffled)",
        }[fill]
    values = np.asarray(fill)
    return f"the color {values.tolist()}" if values.ndim < 2 else "another image"


def draw_seed(fill: Fill, rng: np.random.Generator) -> int:
    """One seed for all images if the fill is noise; otherwise 0, without drawing."""
    return int(rng.integers(2**63)) if isinstance(fill, str) and fill == "noise" else 0


def given_fill(fill: Fill, image: Image, channels: bool) -> Image:
    """The user's color or array, in the shape and dtype of the image."""
    values = np.asarray(fill)
    one_color = values.ndim == 0 or (channels and values.shape == image.shape[-1:])
    if not one_color and values.shape != image.shape:
        raise InvalidInputError(
            f"fill of shape {values.shape} does not match an image of shape {image.shape}: pass "
            f"one number, {f'{image.shape[-1]} (one per channel), ' * channels}or an array of the "
            "image's shape."
        )
    return np.broadcast_to(as_dtype(values, image.dtype), image.shape)


def render_fill(
    fill: Fill, image: Image, channels: bool, segments: Segments | None, seed: int
) -> Image:
    """The fill of one image; "mean" is the mean of each region in `segments`, or of the image."""
    if not isinstance(fill, str):
        return given_fill(fill, image, channels)
    pixels = image.reshape(-1, image.shape[-1] if channels else 1)
    if fill == "noise":
        shuffled: Image = np.random.default_rng(seed).permutation(pixels)
        return shuffled.reshape(image.shape)
    if fill == "gray":
        return np.full_like(image, _middle(image))
    if fill in _BLURS:
        blurred = _blurred(image, image.ndim - channels, _BLURS[fill])
        return _settled(as_dtype(blurred, image.dtype), image)
    labels = np.zeros(len(pixels), dtype=np.intp) if segments is None else segments.ravel()
    count = np.bincount(labels)
    first = pixels[np.unique(labels, return_index=True)[1]].astype(np.float64)
    # Averaging differences to one value makes the mean of equal values exact.
    away = pixels - first[labels]
    means = np.stack([np.bincount(labels, channel) / count for channel in away.T], axis=-1)
    filled: Image = as_dtype(first + means, image.dtype)[labels]
    return filled.reshape(image.shape)


def _settled(fill: Image, image: Image) -> Image:
    """The fill, set to the image's own value where they differ by rounding alone."""
    if image.dtype.kind != "f":
        return fill
    reach = _ROUNDED * np.finfo(image.dtype).eps * np.maximum(np.abs(fill), np.abs(image))
    settled = np.where(np.abs(fill - image) <= reach, image, fill)
    return settled.astype(image.dtype, copy=False)


def _middle(image: Image) -> Any:
    """127 for 8-bit images, otherwise the midpoint of the image's range."""
    if image.dtype == np.uint8:
        return 127
    low, high = float(image.min()), float(image.max())
    return as_dtype(low + (high - low) / 2, image.dtype)


def as_dtype(values: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Numbers converted to a dtype: rounded for integers, refused if they do not fit."""
    values = np.asarray(values)
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            cast = values.astype(dtype)
        fits = bool(np.isfinite(cast).all())
    elif dtype.kind == "b":
        cast, fits = values >= 0.5, bool(((values >= 0) & (values <= 1)).all())
    else:
        whole = np.rint(values) if values.dtype.kind == "f" else values
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        # float(2**63 - 1) is 2**63: a float must stay below the first integer that does not fit
        below = whole < float(high + 1) if values.dtype.kind == "f" else whole <= high
        fits = bool((whole >= low).all() and np.all(below))
        cast = whole.astype(dtype) if fits else whole
    if not fits:
        raise InvalidParameterError(
            f"fill must be in the range of the image's dtype {dtype}; got values from "
            f"{np.min(values)} to {np.max(values)}."
        )
    return np.asarray(cast)


def small_copy(image: Image, n_axes: int) -> Floats:
    """The image in float64, reduced to block means by one factor for all spatial axes."""
    copy = np.asarray(image)
    for axis, edges in enumerate(copy_edges(image.shape[:n_axes])):
        side = copy.shape[axis]
        if len(edges) < side:
            size = np.diff(edges, append=side).reshape([-1] + [1] * (copy.ndim - axis - 1))
            copy = np.add.reduceat(copy, edges, axis=axis, dtype=np.float64) / size
    return copy.astype(np.float64, copy=False)


def copy_edges(sides: Sequence[int]) -> list[Ints]:
    """For each axis, the start of each block that becomes one position of the small copy."""
    shrink = max(1.0, max(sides) / COPY_SIDE)
    counts = [max(1, round(side / shrink)) for side in sides]
    return [np.arange(n) * side // n for n, side in zip(counts, sides, strict=True)]


def _blurred(image: Image, n_axes: int, share: float) -> Floats:
    """A Gaussian blur, computed on the small copy and interpolated back."""
    from scipy.ndimage import gaussian_filter

    sides = image.shape[:n_axes]
    copy = small_copy(image, n_axes)
    sigma = share * max(copy.shape[:n_axes])
    spread = [sigma] * n_axes + [0.0] * (image.ndim - n_axes)
    copy = np.asarray(gaussian_filter(copy, spread, mode="nearest"), dtype=np.float64)
    for axis, (side, edges) in enumerate(zip(sides, copy_edges(sides), strict=True)):
        if len(edges) < side:
            copy = _stretched(copy, axis, edges, side)
    return copy


def _stretched(copy: Floats, axis: int, edges: Ints, side: int) -> Floats:
    """Linear interpolation along one axis, from the centers of blocks to all positions."""
    centers = (edges + np.append(edges[1:], side) - 1) / 2
    place = np.interp(np.arange(side), centers, np.arange(len(edges)))
    low = place.astype(np.intp)
    high = np.minimum(low + 1, len(edges) - 1)
    share = (place - low).reshape([-1] + [1] * (copy.ndim - axis - 1))
    return np.asarray(copy.take(low, axis) * (1 - share) + copy.take(high, axis) * share)


def _expected() -> str:
    names = ", ".join(map(repr, NAMED))
    return f"one of {names}, a color (a number, or one per channel) or an array like the image"
