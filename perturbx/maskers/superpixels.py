"""Superpixels: connected regions of similar color."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Segments
from perturbx.features import LabelMap
from perturbx.maskers._concepts import Concepts, check_concepts, concept_map, concepts_of
from perturbx.maskers._filled import FilledMasker
from perturbx.maskers._segmentation import (
    check_divided,
    check_labels,
    check_segmentation,
    label_map_of,
    relabel,
    segment,
    small_labels,
)
from perturbx.maskers.axes import ChannelAxis
from perturbx.maskers.bound_images import BoundLabels, bound_labels
from perturbx.maskers.bound_soft import (
    BoundSoftLabels,
    Edges,
    bound_soft_labels,
    check_edges,
    describe_edges,
    edge_width,
)
from perturbx.maskers.fills import Fill, describe_fill, render_fill
from perturbx.maskers.images import ImageBatch

_KINDS = {
    "slic": "SLIC superpixels",
    "quickshift": "quickshift superpixels",
    "felzenszwalb": "Felzenszwalb superpixels",
    "grid": "a grid of boxes",
}


@dataclass(frozen=True)
class Superpixels(FilledMasker):
    """Features are regions of an image; an absent region shows the fill.

    Regions are found on a copy of at most 256 pixels per side and enlarged, so a large photo takes
    no longer than a small one. Images are (H, W) or (H, W, C) arrays of integers, floats or bool,
    with any number of channels. A batch is an array with a leading axis, or a list of images of
    any sizes. `predict_fn` gets batches of the same dtype with a leading axis.

    Parameters
    ----------
    method : {"slic", "quickshift", "felzenszwalb", "grid"}
        How regions are found: SLIC (Achanta et al., TPAMI 2012), quickshift (Vedaldi & Soatto,
        ECCV 2008), Felzenszwalb & Huttenlocher (IJCV 2004), or boxes. One channel is lightness,
        three are converted to Lab colors, and so are the first three of four (the fourth is
        alpha). Other images are reduced to the first three principal components of their channels.
    n_segments : int
        The approximate number of regions (slic, grid), or the largest number: the regions of
        quickshift and felzenszwalb are merged, smallest first, with their most similar neighbors.
        On photos, 20 to 30 regions gave the most faithful maps at 1000 model rows. More regions
        need about 10 rows each to improve on that.
    compactness : float
        slic only: the weight of position relative to color; larger values give squarer regions.
    fill : "blur", "light blur", "mean", "gray", "noise", a color, or an array
        What an absent region shows: a blurred copy of the image (standard deviation 5% of the
        longest side, or 1.25%), the region's own mean color, mid-gray (127 for 8-bit images,
        otherwise the midpoint of the image's range), the image's pixels shuffled, one color (a
        number, or one per channel), or an image of the same shape. Fills are rounded to the
        image's dtype.
    edges : "hard", "soft" or float
        How regions end. With soft edges a region fades at its border, since a sharp cut is itself
        something that a model may see (Pihlgren & Främling, 2025): each region is blurred, by 2%
        of the longest side or by a standard deviation in pixels, so that regions still add up to
        the image. A row then costs 0.8 instead of 0.07 ms at
        224 x 224 pixels.
    segments : (H, W) int array, or a list of one per image, or None
        Your own label map instead of `method`. Each distinct label is a region; labels are
        integers from 0, with or without gaps, and are renumbered 0..K-1 in their order.
    concepts : dict of str to mask or region numbers, or a list of one per image, or None
        Your own names for parts of the image, which become its features, as in
        ``{"sky": sky, "dog": [7, 8]}``: bool masks (H, W), or the numbers of regions, those of
        `segments` or of the regions that are found without concepts. What no concept covers is
        one more feature, "the rest". Concepts must not overlap. The question is that of TCAV (Kim
        et al., ICML 2018), asked by removing a concept from one image.
    channel_axis : "auto", -1 or None
        -1 if the last axis holds channels, None if there are none. With "auto", an array of two
        dimensions is one gray image; with three dimensions and a last axis of at most 4, one
        color image; with four dimensions and such an axis, a batch of color images. Other arrays
        need -1 or None: more than 4 channels, and batches without channels.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.maskers.superpixels import Superpixels
    >>> from perturbx.maskers import Features
    >>> image = np.zeros((4, 6), dtype=np.uint8)
    >>> image[:, 3:] = 9
    >>> masker = Superpixels(segments=image, fill=5).fit(None, Features(), np.random.default_rng(0))
    >>> instances = masker.check(image)
    >>> (bound,) = instances.bind(0, 1)
    >>> z = np.array([[True, False], [False, True]])
    >>> bound.batch(z, slice(0, 1), bound.scratch(2))[:, 0]
    array([[0, 0, 0, 5, 5, 5],
           [5, 5, 5, 9, 9, 9]], dtype=uint8)
    """

    method: Literal["slic", "quickshift", "felzenszwalb", "grid"] = "slic"
    n_segments: int = 25
    compactness: float = 15.0
    fill: Fill = "blur"
    edges: Edges = "hard"
    segments: NDArray[Any] | Sequence[NDArray[Any]] | None = None
    channel_axis: ChannelAxis = "auto"
    concepts: Concepts | Sequence[Concepts] | None = None

    @property
    def value_function(self) -> str:
        kind = _KINDS[self.method] if self.segments is None else "a given label map"
        kind = kind if self.concepts is None else "named concepts"
        shown = describe_fill(self.fill, "their mean color")
        return f"absent regions filled with {shown}{describe_edges(self.edges)} ({kind})"

    def check_settings(self) -> None:
        check_edges(self.edges)
        check_segmentation(self.method, self.n_segments, self.compactness, self.segments)
        if self.concepts is not None:
            check_concepts(self.concepts, self.segments)

    def check_image(self, X: ImageBatch, index: int) -> None:
        if self.segments is not None:
            check_labels(label_map_of(self.segments, len(X), index), X.spatial(index))
        if self.concepts is not None:
            self._labels(X, index)  # refuses concepts that do not fit the image

    def bound(self, X: ImageBatch, index: int, seed: int) -> BoundLabels | BoundSoftLabels:
        image, (segments, names) = X.arrays[index], self._labels(X, index)
        fill = render_fill(self.fill, image, X.channels, segments, seed)
        given = image, fill, LabelMap(small_labels(segments)), segments
        width = edge_width(self.edges, segments.shape)
        if width:
            return bound_soft_labels(*given, "region", width, names)
        return bound_labels(*given, "region", names)

    def _labels(self, X: ImageBatch, index: int) -> tuple[Segments, tuple[str, ...]]:
        """The label map of one image, and the names of concepts."""
        if self.concepts is None:
            return self._regions(X, index), ()
        chosen = concepts_of(self.concepts, len(X), index)
        if self.segments is None:
            return concept_map(chosen, X.spatial(index), lambda: self._regions(X, index))
        given = np.asarray(label_map_of(self.segments, len(X), index))
        return concept_map(chosen, X.spatial(index), lambda: given)

    def _regions(self, X: ImageBatch, index: int) -> Segments:
        if self.segments is not None:
            return relabel(label_map_of(self.segments, len(X), index))
        image = X.arrays[index]
        segments = segment(image, X.channels, self.method, self.n_segments, self.compactness)
        check_divided(segments, self.method, self.n_segments, image.shape)
        return segments
