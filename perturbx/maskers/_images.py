"""Images, series and volumes at the door: which axes are what, and what cannot be explained."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._validation import invalid
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.maskers._base import Features, FittedMasker, Removal

Image: TypeAlias = NDArray[Any]
"""One image (or series, or volume): its spatial axes, then perhaps a channel axis."""

ChannelAxis: TypeAlias = Literal["auto", -1] | None
"""-1: the last axis holds channels. None: there are none. "auto": by the shape."""

MOST_COLOURS = 4
"""A last axis of at most this many entries is read as colours by "auto"."""


@dataclass(frozen=True, eq=False)
class ImageBatch:
    """Checked images: views of the user's arrays, never handed to a model."""

    arrays: tuple[Image, ...]
    channels: bool
    single: bool

    def __len__(self) -> int:
        return len(self.arrays)

    def spatial(self, index: int) -> tuple[int, ...]:
        """The shape of one image without its channels."""
        shape = self.arrays[index].shape
        return shape[:-1] if self.channels else shape


class FittedImages(FittedMasker):
    """What the image maskers share: each image has features of its own."""

    @abstractmethod
    def read(self, X: Any) -> ImageBatch:
        """X as checked images, or an error."""

    @abstractmethod
    def remove(self, X: ImageBatch, index: int) -> Removal:
        """The removal of one image."""

    def check(self, X: Any) -> tuple[ImageBatch, bool]:
        batch = self.read(X)
        return batch, batch.single

    def count(self, X: ImageBatch) -> int:
        return len(X)

    def take(self, X: ImageBatch, start: int, stop: int) -> Image:
        shapes = sorted({image.shape for image in X.arrays[start:stop]})
        if len(shapes) > 1:
            raise InvalidInputError(
                f"images of different shapes cannot share a batch: got {shapes[0]} and {shapes[1]}."
            )
        return np.array(X.arrays[start:stop], dtype=X.arrays[start].dtype)

    def bind(self, X: ImageBatch, start: int, stop: int) -> list[Removal]:
        return [self.remove(X, index) for index in range(start, stop)]

    @property
    def chunk(self) -> int:
        return 1


def read_images(X: Any, channel_axis: ChannelAxis, n_axes: int) -> ImageBatch:
    """X as one image or several, each with `n_axes` spatial axes.

    Raises
    ------
    InvalidInputError
        If X is no array or list of arrays, its axes cannot be told or are not the expected
        ones, it is empty, or it holds NaN, infinity or objects.
    """
    if isinstance(X, (list, tuple)):
        arrays = tuple(_array(image, f"image {i}") for i, image in enumerate(X))
        if not arrays:
            raise InvalidInputError("X is an empty list: pass at least one image.")
        channels = _agreed_channels(arrays, channel_axis, n_axes)
        batch = ImageBatch(arrays, channels, single=False)
    else:
        image = _array(X, "X")
        channels, single = _axes(image.shape, channel_axis, n_axes)
        batch = ImageBatch((image,) if single else tuple(image), channels, single)
    for index, image in enumerate(batch.arrays):
        _check_values(image, "X" if batch.single else f"image {index}")
    return batch


def check_channel_axis(channel_axis: Any) -> None:
    """Refuse a channel axis that cannot be read."""
    if channel_axis is None or (isinstance(channel_axis, str) and channel_axis == "auto"):
        return
    if isinstance(channel_axis, int) and not isinstance(channel_axis, bool) and channel_axis == -1:
        return
    raise invalid(
        "channel_axis",
        "'auto', -1 (channels last) or None (no channels)",
        channel_axis,
        "Channels elsewhere: pass np.moveaxis(image, channel_axis, -1), and move them back inside "
        "predict_fn.",
    )


def check_features(features: Features) -> None:
    """Refuse what names columns: an image's features are its regions."""
    for name, value in (("feature_names", features.names), ("groups", features.groups)):
        if value is not None:
            raise InvalidParameterError(
                f"{name} must be None: it is about columns, and the features of an image are its "
                "regions. To merge or choose regions pass Superpixels(segments=label_map)."
            )


def _array(X: Any, name: str) -> Image:
    """X itself as a plain array; nothing is converted, so that the model gets what came in."""
    if not isinstance(X, np.ndarray):
        raise InvalidInputError(
            f"{name} must be a NumPy array, and several images a list of arrays; "
            f"got {type(X).__name__}. Read or convert it first, as in np.asarray(image)."
        )
    if isinstance(X, np.ma.MaskedArray):
        raise InvalidInputError(f"{name} is a masked array: pass {name}.filled(value).")
    if X.dtype.kind not in "buif" or X.dtype.itemsize not in (1, 2, 4, 8):
        raise InvalidInputError(
            f"{name} must hold bool, integers or floats of at most 64 bits; got dtype {X.dtype}. "
            "Convert it, as in np.asarray(image, dtype=np.float32)."
        )
    if X.size == 0:
        raise InvalidInputError(f"{name} is empty: its shape is {X.shape}.")
    return np.asarray(X)


def _check_values(image: Image, name: str) -> None:
    if image.dtype.kind == "f" and not (finite := np.isfinite(image)).all():
        first = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise InvalidInputError(
            f"{name} must be finite: {int((~finite).sum())} of its {image.size} values are NaN or "
            f"infinite, the first at {first}. Replace them, as in np.nan_to_num(image)."
        )


def _axes(shape: tuple[int, ...], channel_axis: ChannelAxis, n_axes: int) -> tuple[bool, bool]:
    """Whether there are channels, and whether it is a single image."""
    extra = len(shape) - n_axes
    if channel_axis == "auto":
        if extra == 0:
            return False, True
        if extra in (1, 2):
            _refuse_channels_first(shape, shape[extra - 1 :])
        if extra == 1 and shape[-1] > MOST_COLOURS:
            raise InvalidInputError(
                f"an array of shape {shape} may be one image with {shape[-1]} channels or a batch "
                f"of {shape[0]} without: pass channel_axis=-1 (channels) or None (a batch). If "
                "channels come first, pass np.moveaxis(image, 0, -1) and channel_axis=-1."
            )
        if extra in (1, 2):
            return True, extra == 1
    elif extra - (channel_axis == -1) in (0, 1):
        channels = channel_axis == -1
        return channels, extra == int(channels)
    raise _wrong_ndim(shape, channel_axis, n_axes, several=True)


def _agreed_channels(images: Sequence[Image], channel_axis: ChannelAxis, n_axes: int) -> bool:
    """Whether the images of a list have channels; an error if they differ in more than size."""
    answers = []
    for image in images:
        if image.ndim not in (n_axes, n_axes + 1):
            raise _wrong_ndim(image.shape, channel_axis, n_axes, several=False)
        channels, single = _axes(image.shape, channel_axis, n_axes)
        if not single:
            raise _wrong_ndim(image.shape, channel_axis, n_axes, several=False)
        answers.append((channels, image.shape[-1] if channels else 1, image.dtype))
    for index, answer in enumerate(answers):
        if answer != answers[0]:
            raise InvalidInputError(
                "images of one list must have the same channels and dtype: image 0 has "
                f"{answers[0][1]} of {answers[0][2]}, image {index} has {answer[1]} of "
                f"{answer[2]}. Convert them, or explain them one by one."
            )
    return answers[0][0]


def _refuse_channels_first(shape: tuple[int, ...], image_shape: tuple[int, ...]) -> None:
    if image_shape[0] in (1, 3, 4) and image_shape[-1] > MOST_COLOURS:
        axis = len(shape) - len(image_shape)
        plural = "s" * (shape[0] > 1)
        batch = f" For a batch of {shape[0]} image{plural} without channels pass channel_axis=None."
        raise InvalidInputError(
            f"an array of shape {shape} looks like channels first: channels must come last. Pass "
            f"np.moveaxis({'images' if axis else 'image'}, {axis}, -1), and move them back inside "
            "predict_fn."
            f"{batch * (axis == 0)}"
        )


def _wrong_ndim(
    shape: tuple[int, ...], channel_axis: ChannelAxis, n_axes: int, *, several: bool
) -> InvalidInputError:
    channels = {"auto": (0, 1), -1: (1,), None: (0,)}[channel_axis]
    plain = [n_axes + c for c in channels]
    batches = [n + 1 for n in plain if channel_axis != "auto" or n > n_axes] * several
    text = f"{' or '.join(map(str, plain))} dimensions"
    text += f" (a batch of them {' or '.join(map(str, batches))})" if batches else ""
    return InvalidInputError(
        f"an image with {n_axes} spatial axes and channel_axis={channel_axis!r} must have {text}; "
        f"got shape {shape}."
    )
