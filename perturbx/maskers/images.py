"""Reads images, series and volumes without converting them, and refuses what is not valid."""

from __future__ import annotations

import numbers
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx.containers.foreign import array_of, flat_cells, is_pillow, is_torch, shape_of
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.maskers._base import BoundMasker, Features, FittedMasker, Instances
from perturbx.maskers.axes import Axes, ChannelAxis, spatial_axes

Image: TypeAlias = NDArray[Any]
"""One image, series or volume: its spatial axes, then possibly a channel axis."""


@dataclass(frozen=True, eq=False)
class ImageBatch:
    """Checked images, read-only: the model never sees them, and an explanation keeps them.

    They are the user's own where nobody can write into these, and copies otherwise.

    Parameters
    ----------
    arrays : tuple of array
        One for each image.
    channels : bool
        Whether their last axis holds channels.
    single : bool
        Whether the user passed one image, without an axis of images.
    whole : array or None
        The array (n, ...) that the images are views of, if there is one.
    """

    arrays: tuple[Image, ...]
    channels: bool
    single: bool
    whole: Image | None = None

    def __len__(self) -> int:
        return len(self.arrays)

    def spatial(self, index: int) -> tuple[int, ...]:
        """The shape of one image without its channels."""
        shape = self.arrays[index].shape
        return shape[:-1] if self.channels else shape


class FittedImages(FittedMasker):
    """A fitted masker of images: each image has its own features."""

    @abstractmethod
    def read(self, X: Any) -> ImageBatch:
        """Check X, and return its images."""

    @abstractmethod
    def bound(self, X: ImageBatch, index: int) -> BoundMasker:
        """The masker bound to one image."""

    def check(self, X: Any) -> Images:
        return Images(self, self.read(X))


@dataclass(frozen=True, eq=False)
class Images(Instances):
    """Checked images, which are explained one at a time, since their sizes may differ."""

    masker: FittedImages
    read: ImageBatch
    chunk = 1

    @property
    def single(self) -> bool:  # type: ignore[override]
        return self.read.single

    @property
    def whole(self) -> Image | None:  # type: ignore[override]
        return self.read.whole

    def __len__(self) -> int:
        return len(self.read)

    def take(self, start: int, stop: int) -> Image:
        arrays = self.read.arrays[start:stop]
        shapes = sorted({image.shape for image in arrays})
        if len(shapes) > 1:
            raise InvalidInputError(
                "instances of different shapes cannot share a batch: got "
                f"{shapes[0]} and {shapes[1]}."
            )
        return np.array(arrays, dtype=arrays[0].dtype)

    def bind(self, start: int, stop: int) -> list[BoundMasker]:
        return [self.masker.bound(self.read, index) for index in range(start, stop)]


def read_images(X: Any, channel_axis: ChannelAxis, n_axes: int | None, masker: str) -> ImageBatch:
    """X as one image or several, with `n_axes` spatial axes; None infers them from X.

    Errors refer to the class `masker`, or "" (see `Axes`).

    Raises
    ------
    InvalidInputError
        If X is not an array or a list of arrays, if its axes are ambiguous or unexpected, if it
        is empty, or if it holds NaN, infinity or objects.
    """
    several = isinstance(X, (list, tuple))
    if several and not len(X):
        raise InvalidInputError("X is an empty list: pass at least one image.")
    named = [(image, f"image {i}") for i, image in enumerate(X)] if several else [(X, "X")]
    if n_axes is None:
        n_axes = spatial_axes(len(shape_of(named[0][0]) or ()), channel_axis)
    axes = Axes(channel_axis, n_axes, masker, may_be_batch=not several)
    for image, name in named:
        if not isinstance(image, np.ndarray):
            raise InvalidInputError(
                f"{name} must be a NumPy array, and several images a list of arrays; "
                f"got {type(image).__name__}. {_conversion(image, X, axes)}"
            )
        _check_array(image, name)
    if several:
        batch = _of_list([np.asarray(image) for image in X], _agreed_channels(X, axes))
    else:
        channels, single = axes.of(X.shape)
        batch = _of_array(np.asarray(X)[None] if single else np.asarray(X), channels, single)
    for index, image in enumerate(batch.arrays):
        _check_values(image, "X" if batch.single else f"image {index}")
    return batch


def _of_array(X: NDArray[Any], channels: bool, single: bool) -> ImageBatch:
    """The images in X (n, ...), which is copied unless nobody can write into it."""
    whole = X if _is_fixed(X) else X.copy()
    images = whole.view()
    images.flags.writeable = False
    return ImageBatch(tuple(images), channels, single, whole)


def _of_list(images: Sequence[Image], channels: bool) -> ImageBatch:
    if not all(map(_is_fixed, images)) and len({image.shape for image in images}) == 1:
        return _of_array(np.stack(images), channels, single=False)
    kept = []
    for image in images:
        (one,) = _of_array(image[None], channels, single=True).arrays
        kept.append(one)
    return ImageBatch(tuple(kept), channels, single=False)


def _is_fixed(array: NDArray[Any]) -> bool:
    """Whether nobody can write into an array, nor into what it is a view of."""
    base: Any = array
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return False
        base = base.base
    with suppress(TypeError):
        return base is None or memoryview(base).readonly  # such as the map of a file
    return False


def check_features(features: Features) -> None:
    """Refuse names and groups of columns: the features of an image are its regions."""
    for name, value in (("feature_names", features.names), ("groups", features.groups)):
        if value is not None:
            raise InvalidParameterError(
                f"{name} must be None for images: it refers to columns, and the features of an "
                "image are its regions. To merge or choose regions pass "
                "masker=px.Superpixels(segments=label_map)."
            )


def _check_array(X: NDArray[Any], name: str) -> None:
    """Refuse arrays that would have to be converted: the model gets the user's own dtype."""
    if isinstance(X, np.ma.MaskedArray):
        raise InvalidInputError(f"{name} is a masked array: pass {name}.filled(value).")
    if X.dtype.kind not in "buif" or X.dtype.itemsize not in (1, 2, 4, 8):
        cure = "Convert it, as in np.asarray(image, dtype=np.float32)."
        if X.ndim == 1 and X.dtype.kind in "OUS":
            cure = "Pass several images as a list of arrays, as in list(X)."
        raise InvalidInputError(
            f"{name} must hold bool, integers or floats of at most 64 bits; got dtype {X.dtype}. "
            f"{cure}"
        )
    if X.size == 0:
        raise InvalidInputError(f"{name} is empty: its shape is {X.shape}.")


def _conversion(image: Any, X: Any, axes: Axes) -> str:
    """How to convert an image in X that is not an array, and the errors in its axes."""
    if isinstance(image, (list, tuple, numbers.Number)) and shape_of(X):  # lists all the way down
        image, axes = X, replace(axes, may_be_batch=True)
    elif axes.may_be_batch and flat_cells(image):
        return "Pass a list of its images, as in list(X)."
    shape = shape_of(image)
    if axes.may_be_batch:
        several = len(shape or ()) > axes.n_axes + 1
        said = f"Pass {'images' if several else 'image'} = {array_of(image, 'X')}."
    else:
        alike = len({(type(x), getattr(x, "mode", None)) for x in X}) == 1
        said = f"Pass images = [{array_of(image, 'x', alike=alike)} for x in X]."
    if is_torch(image):
        said += " predict_fn gets arrays: convert them in it, as in torch.from_numpy(batch)."
    elif is_pillow(image):
        said += " predict_fn gets arrays: convert them in it with PIL.Image.fromarray."
    try:
        if shape is not None:
            axes.of(shape)
    except InvalidInputError as error:
        return f"{said} Also, {error}"
    return said


def _check_values(image: Image, name: str) -> None:
    if image.dtype.kind == "f" and not (finite := np.isfinite(image)).all():
        first = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise InvalidInputError(
            f"{name} must be finite: {int((~finite).sum())} of its {image.size} values are NaN or "
            f"infinite, the first at {first}. Replace them, as in np.nan_to_num(image)."
        )


def _agreed_channels(images: Sequence[Image], axes: Axes) -> bool:
    """Whether the images of a list have channels; images may only differ in size."""
    answers = []
    for image in images:
        channels, _ = axes.of(image.shape)
        answers.append((channels, image.shape[-1] if channels else 1, image.dtype))
    for index, answer in enumerate(answers):
        if answer != answers[0]:
            raise InvalidInputError(
                "images of one list must have the same channels and dtype: image 0 has "
                f"{answers[0][1]} of {answers[0][2]}, image {index} has {answer[1]} of "
                f"{answer[2]}. Convert them, or explain them one by one."
            )
    return answers[0][0]
