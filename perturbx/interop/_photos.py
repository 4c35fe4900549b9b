"""Photos as the input of a vision network: resized, scaled, normalized, channels first."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._validation import check_choice, check_integer, check_number, invalid
from perturbx.containers.foreign import array_of, is_pillow, is_torch
from perturbx.errors import InvalidInputError
from perturbx.interop._brightness import warn_if_dark, white_of
from perturbx.interop._resample import FILTERS, Box, Filter, resample

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class ImagePreprocess:
    """Photos of any size, channels last, to (n, C, height, width) float32 for a network.

    It takes a batch (n, H, W, C), a gray batch (n, H, W), or a list of images of different sizes.
    The dtype sets the range of brightness: 0..255 for uint8, 0..65535 for uint16, 0..1 for floats
    and bool. Gray photos are repeated for networks with three channels.

    Parameters
    ----------
    size : int, (height, width) or None
        The size of the network's input; None keeps the size of the images.
    crop : float or None
        None squashes the whole image to `size`. A number in (0, 1] keeps a central box with the
        aspect ratio of `size`, that fraction of the largest such box; torchvision's Resize(256),
        CenterCrop(224) is 0.875. Parts that are cut off score 0.
    mean, std : float, or one per channel
        Brightness in 0..1 becomes (brightness - mean) / std; by default as in most networks
        trained on ImageNet.
    channels : int
        The number of channels of the network's input.
    filter : "bilinear" or "bicubic"
        How images are resized; both smooth when an image shrinks.
    white : float or None
        The value of full brightness, if the dtype does not tell: 4095 for 12 bits, 255 for floats
        up to 255. Values are then not checked. Without it, photos that are nearly black for their
        dtype, such as 8 or 12 bits in uint16, cause a warning.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> preprocess = px.interop.ImagePreprocess(size=4, mean=0.5, std=0.5)
    >>> pixels = preprocess(np.full((2, 9, 12, 3), 255, dtype=np.uint8))
    >>> pixels.shape, float(pixels.min()), float(pixels.max())
    ((2, 3, 4, 4), 1.0, 1.0)
    """

    size: int | tuple[int, int] | None = 224
    crop: float | None = None
    mean: float | Sequence[float] = IMAGENET_MEAN
    std: float | Sequence[float] = IMAGENET_STD
    channels: int = 3
    filter: Filter = "bilinear"
    white: float | None = None

    def __post_init__(self) -> None:
        sides = self.size if isinstance(self.size, (tuple, list)) else (self.size,) * 2
        if self.size is not None:
            if len(sides) != 2:
                raise invalid("size", "None, an integer, or (height, width)", self.size)
            for side in sides:
                check_integer("size", side, minimum=1)
        if self.crop is not None and not (isinstance(self.crop, numbers.Real) and self.crop == 1):
            check_number("crop", self.crop, above=0, below=1)
        if self.crop is not None and self.size is None:
            raise invalid("crop", "None where size is None", self.crop)
        check_integer("channels", self.channels, minimum=1)
        check_choice("filter", self.filter, FILTERS)
        if self.white is not None:
            check_number("white", self.white, above=0)
        for name in ("mean", "std"):
            _check_numbers(name, getattr(self, name), self.channels, positive=name == "std")

    def __call__(self, images: Any) -> NDArray[np.float32]:
        """Images to the network's input.

        Raises
        ------
        InvalidInputError
            If they are not a batch of photos, have the wrong number of channels, or an ambiguous
            range of brightness.

        Warns
        -----
        PerturbxWarning
            If a whole batch is so dark for its dtype that white must have another value, as with
            8 or 12 bits in uint16; set `white`.
        """
        batch = [self._three_axes(image) for image in _images(images)]
        whites = [white_of(image) if self.white is None else None for image in batch]
        warn_if_dark(batch, whites)
        out: NDArray[np.float32] | None = None
        for index, (image, white) in enumerate(zip(batch, whites, strict=True)):
            pixels = self._resized(image) / np.float32(self.white if white is None else white)
            if white is not None:
                pixels = np.clip(pixels, 0, 1)  # bicubic filters overshoot at edges
            if out is None:
                out = np.empty((len(batch), *pixels.shape), dtype=np.float32)
            elif pixels.shape[1:] != out.shape[2:]:
                raise InvalidInputError(
                    "images of different sizes cannot share a batch if size=None: pass a size."
                )
            out[index] = pixels
        assert out is not None
        if out.shape[1] < self.channels:
            out = np.repeat(out, self.channels, axis=1)
        mean, std = (np.asarray(v, np.float32).reshape(-1, 1, 1) for v in (self.mean, self.std))
        out -= mean
        out /= std
        return out

    def _resized(self, image: NDArray[Any]) -> Any:
        """(C, h, w) float32 at the network's size, in the image's range of brightness."""
        height, width, _ = image.shape
        if self.size is None:
            return np.asarray(image, dtype=np.float32).transpose(2, 0, 1)
        sides = (self.size, self.size) if isinstance(self.size, numbers.Integral) else self.size
        tall, wide = int(sides[0]), int(sides[1])  # type: ignore[index]
        box: Box = (0, 0, height, width)
        if self.crop is not None:
            factor = self.crop * min(height / tall, width / wide)
            h, w = factor * tall, factor * wide
            box = ((height - h) / 2, (width - w) / 2, h, w)
        return resample(image, (tall, wide), box, self.filter)

    def _three_axes(self, image: NDArray[Any]) -> NDArray[Any]:
        """One image as (H, W, C), with one channel or the network's number."""
        if image.ndim == 2:
            image = image[..., None]
        got = image.shape[-1] if image.ndim == 3 else 0
        if got in (1, self.channels):
            return image
        shape = image.shape
        if image.ndim == 3 and shape[0] in (1, self.channels):
            cure = "channels come last here: pass np.moveaxis(image, 0, -1), of a batch (1, -1)"
        elif got == self.channels + 1 and got in (2, 4):
            cure = f"the last is transparency: pass image[..., :{self.channels}]"
        elif got == 3 and self.channels == 1:
            cure = "make it gray, as in image.mean(axis=-1)"
        else:
            cure = "pass the network's number as channels="
        raise InvalidInputError(
            f"the network takes {self.channels} channels; got an image of shape {shape}: {cure}."
        )


def _images(images: Any) -> Sequence[NDArray[Any]]:
    """The images of a batch as arrays of two or three axes."""
    if is_torch(images):
        images = _pixels(images)
    if isinstance(images, (list, tuple)):
        found = [_pixels(image) for image in images]
    elif isinstance(images, np.ndarray):
        if images.ndim == 2 or (images.ndim == 3 and images.shape[-1] in (1, 3, 4)):
            raise InvalidInputError(
                f"photos come in batches; an array of shape {images.shape} looks like a single "
                "one: pass image[None]."
            )
        found = list(images)
    else:
        raise InvalidInputError(
            f"photos must be a NumPy array (n, H, W, C) or a list of arrays; got "
            f"{type(images).__name__}. Pass [{array_of(images, 'image')}]."
        )
    for image in found:
        if image.ndim not in (2, 3) or image.size == 0 or image.dtype.kind not in "buif":
            raise InvalidInputError(
                "a photo must be an array of numbers, (H, W) or (H, W, C), and not empty; got "
                f"shape {image.shape} of {image.dtype}."
            )
    return found


def _pixels(image: Any) -> NDArray[Any]:
    """One photo, or a tensor of several, as an array of brightness."""
    if is_torch(image):
        image = image.detach().cpu()
        image = image.float() if image.is_floating_point() else image
    elif is_pillow(image) and (typed := array_of(image, "image")) != "np.asarray(image)":
        raise InvalidInputError(
            f"a Pillow image of mode {image.mode!r} does not store plain brightness: pass {typed}."
        )
    return np.asarray(image)


def _check_numbers(name: str, value: Any, channels: int, *, positive: bool) -> None:
    try:
        values = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        values = np.full(1, np.nan)
    fits = values.shape in ((), (channels,)) and bool(np.isfinite(values).all())
    if not fits or (positive and (values <= 0).any()):
        kind = "a positive number" if positive else "a number"
        cure = "Pass mean and std in 0..1, one per channel." if channels != 3 else ""
        raise invalid(name, f"{kind}, or {channels} of them, one per channel", value, cure)
