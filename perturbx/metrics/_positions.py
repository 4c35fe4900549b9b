"""Removal of an image's pixels (a series' steps, a volume's voxels) for a metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perturbx._typing import Segments
from perturbx.features import LabelMap
from perturbx.maskers import BoundMasker
from perturbx.maskers.axes import ChannelAxis
from perturbx.maskers.bound_images import BoundImage, bound_labels
from perturbx.maskers.fills import Fill, check_fill, describe_fill, draw_seed, render_fill
from perturbx.maskers.images import FittedImages, ImageBatch, read_images
from perturbx.metrics._scores import boxes


@dataclass(frozen=True, eq=False)
class FittedPositions(FittedImages):
    """Positions go in groups: all at once, in boxes, or as a metric ranks them.

    Parameters
    ----------
    n_axes : int
        How many spatial axes an instance has.
    channel_axis : -1 or None
    fill : Fill
        What an absent position shows; "mean" is the mean color of the whole image.
    in_boxes : bool
        Whether `bound` parts the image into boxes; else everything is one feature.
    """

    n_axes: int
    channel_axis: ChannelAxis
    fill: Fill
    seed: int
    in_boxes: bool
    value_function: str

    def read(self, X: object) -> ImageBatch:
        return read_images(X, self.channel_axis, self.n_axes, "")

    def bound(self, X: ImageBatch, index: int) -> BoundMasker:
        spatial = X.spatial(index)
        whole = np.zeros(spatial, dtype=np.intp)
        labels = boxes(spatial) if self.in_boxes else whole
        fill = render_fill(self.fill, X.arrays[index], X.channels, None, self.seed)
        return bound_labels(X.arrays[index], fill, LabelMap(labels), labels, "group")


def regrouped(bound: BoundMasker, groups: Segments) -> BoundMasker:
    """The same image and fill, its positions in the groups 0..K-1."""
    if not isinstance(bound, BoundImage):
        raise TypeError("Only the positions of an image are grouped.")
    labels = groups.reshape(bound.regions.shape)
    return bound_labels(bound.image, bound.fill, LabelMap(labels), labels, "group")


def positions(
    spatial: Sequence[int], channels: bool, fill: Fill, in_boxes: bool, rng: np.random.Generator
) -> FittedPositions:
    """A masker of positions, for instances with as many spatial axes as `spatial` is long."""
    check_fill(fill)
    word = {1: "steps", 2: "pixels"}.get(len(spatial), "voxels")
    shown = describe_fill(fill, "the image's mean color")
    return FittedPositions(
        n_axes=len(spatial),
        channel_axis=-1 if channels else None,
        fill=fill,
        seed=draw_seed(fill, rng),
        in_boxes=in_boxes,
        value_function=f"absent {word}{' (in boxes)' * in_boxes} filled with {shown}",
    )
