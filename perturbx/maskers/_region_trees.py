"""Trees of the regions of an image, over the common refinement of their segmentations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Segments
from perturbx._validation import check_choice, check_number
from perturbx.errors import InvalidParameterError
from perturbx.features import FeatureTree
from perturbx.maskers._linkage import JOINS, join, read_linkage
from perturbx.maskers._segmentation import (
    check_divided,
    check_segmentation,
    enlarge,
    lab_like,
    relabel,
    segment_colors,
    small_colors,
)
from perturbx.maskers.images import Image

_SIDE = 224.0
"""Positions are scaled as if the longer side of the image had this many pixels."""


@dataclass(frozen=True, eq=False)
class RegionTree:
    """How an image becomes a tree of regions: a segmentation whose regions are joined in pairs.

    Regions are joined by hierarchical clustering of their means of (nearness * y, nearness * x,
    L, a, b). Positions are in pixels of an image of 224, and colors in Lab (`Superpixels` describes
    the colors of images without three channels).

    Parameters
    ----------
    n_segments : int
        The approximate number of regions, which are the leaves.
    compactness : float
        For SLIC: the weight of position relative to color when the regions are found.
    nearness : float
        The weight of position relative to color when regions are joined.
    method : {"slic", "quickshift", "felzenszwalb", "grid"}
        How the regions are found.
    linkage : str, or (K - 1, 2 or more) array
        "ward", "average", "complete", "single" or "weighted", as in `scipy.cluster.hierarchy`;
        or a linkage matrix of the K regions in `segments`.
    segments : (H, W) int array, a list of one per image, or None
        Your own label map instead of a segmentation.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> organs = np.repeat([[0, 1, 2, 2]], 4, axis=0)
    >>> tree = px.RegionTree(segments=organs, linkage=np.array([[0, 1], [2, 3]]))
    >>> explainer = px.OwenShap(lambda X: X[:, 0, 1] * 1.0, masker=px.SuperpixelTrees(tree, 0))
    >>> explainer.explain(np.full((4, 4), 8, dtype=np.uint8)).values
    array([0., 8., 0.])
    """

    n_segments: int = 250
    compactness: float = 15.0
    nearness: float = 0.5
    method: str = "slic"
    linkage: str | NDArray[Any] = "ward"
    segments: NDArray[Any] | Sequence[NDArray[Any]] | None = None

    def check(self) -> None:
        """Refuse settings that are invalid for every image."""
        check_segmentation(self.method, self.n_segments, self.compactness, self.segments)
        check_number("nearness", self.nearness, above=0)
        if isinstance(self.linkage, str):
            check_choice("linkage", self.linkage, JOINS)
        elif self.segments is None:
            raise InvalidParameterError(
                "linkage must be a name, such as 'ward', if the regions are found in the image: "
                "to join your own regions by a linkage matrix, pass segments=label_map."
            )


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees over the pieces of an image, which `segments` labels 0..K-1."""

    segments: Segments
    trees: tuple[FeatureTree, ...]


def grow(
    image: Image, channels: bool, specs: Sequence[RegionTree], given: Sequence[Segments | None]
) -> Forest:
    """The trees of one image; `given` are the user's label maps.

    Regions are found and joined on the small copy, unless the user passed a label map.
    """
    sides = image.shape[:2]
    small = all(labels is None for labels in given)
    colors = small_colors(image, channels)
    found: list[Segments] = []
    for spec, labels in zip(specs, given, strict=True):
        if labels is None:
            labels = segment_colors(colors, spec.method, spec.n_segments, spec.compactness)
            labels = labels if small else enlarge(labels, sides)
        found.append(relabel(labels))
        check_divided(found[-1], spec.method, spec.n_segments, image.shape)
    if not small:
        colors = lab_like(np.asarray(image, dtype=np.float64).reshape(*sides, -1))
    pieces = _refinement(found)
    size = np.bincount(pieces.ravel()).astype(np.float64)
    first = np.unique(pieces, return_index=True)[1]
    trees = tuple(
        FeatureTree(labels.ravel()[first], _children(spec, labels, colors), size)
        for spec, labels in zip(specs, found, strict=True)
    )
    return Forest(enlarge(pieces, sides) if small else pieces, trees)


def _refinement(found: Sequence[Segments]) -> Segments:
    """The common refinement of the segmentations, labeled 0..K-1."""
    pieces = found[0]
    for labels in found[1:]:
        if labels is not pieces:
            pieces = relabel(pieces * (int(labels.max()) + 1) + labels)
    return pieces


def _children(spec: RegionTree, labels: Segments, colors: Floats) -> tuple[tuple[int, ...], ...]:
    n = int(labels.max()) + 1
    if not isinstance(spec.linkage, str):
        return read_linkage(spec.linkage, n, "regions")
    places = np.indices(labels.shape) * (spec.nearness * _SIDE / max(labels.shape))
    channels = [*places, *np.moveaxis(colors, -1, 0)]
    flat, count = labels.ravel(), np.bincount(labels.ravel())
    means = np.stack([np.bincount(flat, c.ravel(), n) / count for c in channels], axis=1)
    return join(means, spec.linkage)
