"""Windows: boxes that slide over a series, an image or a volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from perturbx._typing import Segments
from perturbx._validation import LARGEST, invalid
from perturbx.errors import InvalidInputError
from perturbx.features import WindowGrid
from perturbx.maskers._base import BoundMasker
from perturbx.maskers._filled import FilledMasker
from perturbx.maskers.axes import ChannelAxis
from perturbx.maskers.bound_images import bound_labels, bound_windows
from perturbx.maskers.bound_soft import (
    Edges,
    bound_soft_labels,
    bound_soft_windows,
    check_edges,
    describe_edges,
    edge_width,
)
from perturbx.maskers.fills import Fill, describe_fill, render_fill
from perturbx.maskers.images import ImageBatch

Sides: TypeAlias = int | Sequence[int] | None
"""A length for every spatial axis, one for each, or None for the default."""

_SHARE = 0.2
_STEPS = 3


@dataclass(frozen=True)
class Windows(FilledMasker):
    """Features are windows over any number of axes; an absent window shows the fill.

    This is the masking used by occlusion maps (Zeiler & Fergus, ECCV 2014). Windows may overlap: a
    position is absent if any absent window covers it. Together they cover the whole instance: the
    last window along each axis is shifted to its end.

    Parameters
    ----------
    shape : int, tuple or None
        The window's length along each spatial axis. None: 20% of each side. The length of a tuple
        is the number of spatial axes; otherwise a 1-D array is a series, and other arrays are
        images.
    stride : int, tuple or None
        The step along each spatial axis, at most the window's length. None: a third of it.
    fill : "mean", "blur", "light blur", "gray", "noise", a color, or an array
        What an absent window shows: its mean color (or that of the whole image, if windows overlap
        or are single positions), a blurred copy of the image (standard deviation 5% of the longest
        side, or 1.25%), mid-gray (127 for 8-bit images, otherwise the midpoint of the image's
        range), the image's positions shuffled, one color (a number, or one per channel), or an
        array of the image's shape. Fills are rounded to the image's dtype.
    edges : "hard", "soft" or float
        As in `Superpixels`.
    channel_axis : "auto", -1 or None
        -1 if the last axis holds channels, None if there are none. "auto" looks at the axes beyond
        the spatial ones: none is one instance without channels; one axis, of length at most 4,
        holds its channels; two are a batch with such channels. Other arrays need -1 or None: more
        than 4 channels, and batches without channels.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.maskers.windows import Windows
    >>> from perturbx.maskers import Features
    >>> masker = Windows(shape=3, stride=2, fill=0).fit(None, Features(), np.random.default_rng(0))
    >>> instances = masker.check(np.arange(1, 7))
    >>> (bound,) = instances.bind(0, 1)
    >>> z = ~np.eye(bound.n_features, dtype=bool)
    >>> bound.batch(z, slice(0, 1), bound.scratch(3))
    array([[0, 0, 0, 4, 5, 6],
           [1, 2, 0, 0, 0, 6],
           [1, 2, 3, 0, 0, 0]])
    """

    shape: Sides = None
    stride: Sides = None
    fill: Fill = "mean"
    edges: Edges = "hard"
    channel_axis: ChannelAxis = "auto"

    @property
    def n_axes(self) -> int | None:  # type: ignore[override]
        for sides in (self.shape, self.stride):
            if sides is not None and not isinstance(sides, (int, np.integer)):
                return len(sides)
        return None

    @property
    def value_function(self) -> str:
        own = "their mean color (of the whole input where windows overlap)"
        shown = describe_fill(self.fill, own)
        return f"absent windows filled with {shown}{describe_edges(self.edges)}"

    def check_settings(self) -> None:
        check_edges(self.edges)
        shape, stride = _sides("shape", self.shape), _sides("stride", self.stride)
        if len({len(s) for s in (shape, stride) if isinstance(s, tuple)}) > 1:
            raise invalid("stride", f"as long as shape, {self.shape}", self.stride)
        if shape is not None and stride is not None and np.any(np.greater(stride, shape)):
            raise invalid(
                "stride",
                f"at most the window's shape, {self.shape}",
                self.stride,
                "A larger one leaves gaps that nothing removes.",
            )

    def check_image(self, X: ImageBatch, index: int) -> None:
        window_grid(X.spatial(index), self.shape, self.stride)

    def bound(self, X: ImageBatch, index: int, seed: int) -> BoundMasker:
        image, grid = X.arrays[index], window_grid(X.spatial(index), self.shape, self.stride)
        segments = disjoint_labels(grid)
        alone = segments if np.prod(grid.size) > 1 else None
        fill = render_fill(self.fill, image, X.channels, alone, seed)
        width = edge_width(self.edges, grid.extent)
        if width and segments is not None:
            return bound_soft_labels(image, fill, grid, segments, "window", width)
        if width:
            return bound_soft_windows(image, fill, grid, "window", width)
        if segments is not None:
            return bound_labels(image, fill, grid, segments, "window")
        return bound_windows(image, fill, grid, "window")


def window_grid(extent: tuple[int, ...], shape: Sides, stride: Sides) -> WindowGrid:
    """The windows of one instance, in the order of its axes.

    Raises
    ------
    InvalidInputError
        If a window is larger than the instance, or its stride leaves gaps.
    """
    size = _spread(shape, [max(1, round(_SHARE * side)) for side in extent])
    step = _spread(stride, [max(1, round(length / _STEPS)) for length in size])
    if any(length > side for length, side in zip(size, extent, strict=True)):
        raise InvalidInputError(
            f"a window of shape {size} is larger than its image of {extent}: pass a smaller shape. "
            "The length of a tuple is the number of spatial axes: (k,) for series, (k, k, k) for "
            "volumes."
        )
    if any(s > length for s, length in zip(step, size, strict=True)):
        raise InvalidInputError(
            f"a stride of {step} leaves gaps between windows of {size}: pass a stride of at most "
            "the window's shape, so that every position can be removed."
        )
    starts = [
        np.unique(np.append(np.arange(0, side - length, s), side - length))
        for side, length, s in zip(extent, size, step, strict=True)
    ]
    corners = np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, len(extent))
    return WindowGrid(corners.astype(np.intp, copy=False), size, extent)


def disjoint_labels(grid: WindowGrid) -> Segments | None:
    """The window that covers each position, or None if windows overlap."""
    if len(grid) * int(np.prod(grid.size)) != int(np.prod(grid.extent)):
        return None
    labels = np.empty(grid.extent, dtype=np.intp)
    for window in range(len(grid)):
        labels[grid.box(window)] = window
    return labels


def _sides(name: str, value: Any) -> Sides:
    """A length or a tuple of them, each a positive integer."""
    if value is None:
        return None
    several = isinstance(value, (tuple, list)) or (isinstance(value, np.ndarray) and value.ndim > 0)
    lengths = tuple(value) if several else (value,)
    for length in lengths:
        integral = isinstance(length, (int, np.integer)) and not isinstance(length, bool)
        if not integral or not 1 <= length <= LARGEST:
            raise invalid(name, "None, a positive integer, or one for each spatial axis", value)
    if not lengths:
        raise invalid(name, "None, a positive integer, or one for each spatial axis", value)
    return lengths if several else int(value)


def _spread(given: Sides, default: Sequence[int]) -> tuple[int, ...]:
    """The user's lengths, one for each axis, or the default lengths."""
    if given is None:
        return tuple(default)
    if isinstance(given, (int, np.integer)):
        return (int(given),) * len(default)
    return tuple(int(length) for length in given)
