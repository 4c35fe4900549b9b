"""Superpixels: regions of an image that go together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Segments
from perturbx._validation import check_choice, check_integer, check_number, invalid
from perturbx.errors import InvalidInputError
from perturbx.features import LabelMap
from perturbx.maskers._filled import FilledMasker
from perturbx.maskers._segmentation import METHODS, check_labels, relabel, segment
from perturbx.maskers.axes import ChannelAxis
from perturbx.maskers.bound_images import BoundLabels, bound_labels
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

    The regions are found on a copy of at most 256 pixels a side and enlarged, so a large photo
    costs no more than a small one. Images are (H, W) or (H, W, C), of any number of channels and
    of integers, floats or bool; a batch is an array with a leading axis, or a list of images,
    which may differ in size. `predict_fn` gets batches of the same dtype with a leading axis.

    Parameters
    ----------
    method : {"slic", "quickshift", "felzenszwalb", "grid"}
        How regions are found: SLIC (Achanta et al., TPAMI 2012), quickshift (Vedaldi & Soatto,
        ECCV 2008), Felzenszwalb & Huttenlocher (IJCV 2004), or boxes. With one channel they see
        lightness, with three Lab colors, with four those of the first three (the fourth is
        alpha), else the three principal components of the channels.
    n_segments : int
        About how many regions (slic, grid), or at most how many: what quickshift and
        felzenszwalb find is merged, the smallest region first, into the most similar neighbor.
        On photos 20 to 30 made the most faithful maps at 1000 rows; more of them need more rows,
        10 for each region to be worth it.
    compactness : float
        slic only: how much nearness counts against color; larger is squarer.
    fill : "blur", "light blur", "mean", "gray", "noise", a color, or an array
        What an absent region shows: a blurred copy of the image (standard deviation 5% of the
        longest side, or 1.25%), the region's own mean color, mid-gray (127 of 8 bits, else
        halfway between the image's extremes), the image's pixels shuffled, one color (a number,
        or one a channel), or an image of the same shape. It is rounded to the image's dtype.
    segments : (H, W) int array, or a list of one for each image, or None
        Your own label map in place of `method`. Any integers from 0, with gaps or without; they
        become 0..K-1 in the order of their values, and each of them is a region.
    channel_axis : "auto", -1 or None
        -1 if the last axis holds channels, None if there are none. "auto": two dimensions are
        one gray image, three with a last axis of at most 4 one color image, four with such an
        axis a batch of them. Anything else is refused: more than 4 channels, channels first, and
        batches without channels.

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
    segments: NDArray[Any] | Sequence[NDArray[Any]] | None = None
    channel_axis: ChannelAxis = "auto"

    @property
    def value_function(self) -> str:
        kind = _KINDS[self.method] if self.segments is None else "a given label map"
        shown = describe_fill(self.fill, "their mean color")
        return f"absent regions filled with {shown} ({kind})"

    def check_settings(self) -> None:
        check_choice("method", self.method, METHODS)
        check_integer("n_segments", self.n_segments, minimum=2)
        check_number("compactness", self.compactness, above=0)
        if self.segments is not None and not isinstance(self.segments, (np.ndarray, list, tuple)):
            raise invalid("segments", "an array of labels, a list of them, or None", self.segments)

    def check_image(self, X: ImageBatch, index: int) -> None:
        if self.segments is not None:
            check_labels(_map_of(self.segments, X, index), X.spatial(index))

    def bound(self, X: ImageBatch, index: int, seed: int) -> BoundLabels:
        image, segments = X.arrays[index], self._segments(X, index)
        fill = render_fill(self.fill, image, X.channels, segments, seed)
        return bound_labels(image, fill, LabelMap(segments), segments, "region")

    def _segments(self, X: ImageBatch, index: int) -> Segments:
        if self.segments is not None:
            return relabel(_map_of(self.segments, X, index))
        image = X.arrays[index]
        labels = segment(image, X.channels, self.method, self.n_segments, self.compactness)
        if labels.max() == 0:
            cure = f'raise n_segments (now {self.n_segments}), choose method="grid", or pass'
            raise InvalidInputError(
                f"{self.method} found a single region in an image of shape {image.shape}: {cure} "
                "segments=label_map."
                if labels.size > 1
                else "an image of a single pixel has no regions to tell apart."
            )
        return labels


def _map_of(segments: NDArray[Any] | Sequence[NDArray[Any]], X: ImageBatch, index: int) -> Any:
    """The user's label map of one image: one for all, or one each."""
    if isinstance(segments, np.ndarray) and segments.ndim < 3:
        return segments
    if len(segments) != len(X):
        raise InvalidInputError(
            f"segments must hold one label map for each image: got {len(segments)} for {len(X)}. "
            "One map for all is passed as an array (height, width), without a list. For a volume "
            "pass masker=px.Windows(shape=(k, k, k))."
        )
    return segments[index]
