"""Superpixels of one image, found on a small copy and enlarged, or given by the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from perturbx._typing import Floats, Segments
from perturbx._validation import check_choice, check_integer, check_number, invalid, is_masked
from perturbx.errors import InvalidInputError
from perturbx.maskers.fills import copy_edges, small_copy
from perturbx.maskers.images import Image

METHODS = ("slic", "quickshift", "felzenszwalb", "grid")

_LAB_RANGE = 100.0
"""The range of L in Lab; other channels are scaled to it."""


def segment(
    image: Image, channels: bool, method: str, n_segments: int, compactness: float
) -> Segments:
    """Labels 0..K-1 for each pixel of an (H, W) or (H, W, C) image, no region empty."""
    labels = segment_colors(small_colors(image, channels), method, n_segments, compactness)
    return relabel(enlarge(labels, image.shape[:2]))


def small_colors(image: Image, channels: bool) -> Floats:
    """The small copy of an (H, W) or (H, W, C) image, in colors comparable to Lab."""
    copy = small_copy(image, 2)
    return lab_like(copy if channels else copy[..., None])


def segment_colors(colors: Floats, method: str, n_segments: int, compactness: float) -> Segments:
    """Labels for each pixel of a small copy."""
    if method == "grid":
        return _grid(colors.shape[:2], n_segments)
    if method == "slic":
        return _slic(colors, n_segments, compactness)
    found = _quickshift(colors) if method == "quickshift" else _felzenszwalb(colors)
    return merge_to(found, colors, n_segments)


def enlarge(labels: Segments, sides: Sequence[int]) -> Segments:
    """Labels of a small copy for every pixel of the image."""
    for axis, (edges, side) in enumerate(zip(copy_edges(sides), sides, strict=True)):
        labels = np.repeat(labels, np.diff(edges, append=side), axis=axis)
    return labels


def small_labels(segments: Segments) -> Segments:
    """The labels in 16 bits where they fit: an explanation keeps a map for each image."""
    return segments.astype(np.int16) if segments.max(initial=0) < 2**15 else segments


def relabel(labels: Any) -> Segments:
    """Integer labels renumbered to 0..K-1, in the order of their values."""
    labels = np.asarray(labels)
    _, inverse = np.unique(labels, return_inverse=True)
    return inverse.reshape(labels.shape).astype(np.intp, copy=False)


def check_segmentation(method: str, n_segments: int, compactness: float, segments: Any) -> None:
    """Refuse settings of a segmentation that are invalid for every image."""
    check_choice("method", method, METHODS)
    check_integer("n_segments", n_segments, minimum=2)
    check_number("compactness", compactness, above=0)
    if segments is not None and not isinstance(segments, (np.ndarray, list, tuple)):
        raise invalid("segments", "an array of labels, a list of them, or None", segments)


def label_map_of(segments: Any, n_images: int, index: int) -> Any:
    """The user's label map of one image, from one map for all images or one per image."""
    if isinstance(segments, np.ndarray) and segments.ndim < 3:
        return segments
    if len(segments) != n_images:
        raise InvalidInputError(
            f"segments must hold one label map for each image: got {len(segments)} for {n_images}. "
            "Pass one map for all images as an array (height, width), not in a list. For a volume "
            "pass masker=px.Windows(shape=(k, k, k))."
        )
    return segments[index]


def check_divided(labels: Segments, method: str, n_segments: int, shape: Sequence[int]) -> None:
    """Refuse a segmentation that found a single region in an image of this shape."""
    if labels.size == 1:
        raise InvalidInputError("an image of a single pixel cannot be divided into regions.")
    if labels.max() == 0:
        raise InvalidInputError(
            f"{method} found a single region in an image of shape {tuple(shape)}: raise "
            f'n_segments (now {n_segments}), choose method="grid", or pass segments=label_map.'
        )


def check_labels(labels: Any, shape: Sequence[int], name: str = "segments") -> None:
    """Refuse a label map that does not divide an image of this shape into regions."""
    if is_masked(labels):
        raise InvalidInputError(
            f"{name} is a masked array: pass {name}.filled(label), with a separate label for the "
            "masked pixels."
        )
    labels = np.asarray(labels)
    if labels.dtype.kind not in "bui":
        n_missing = int(np.isnan(labels).sum()) if labels.dtype.kind == "f" else 0
        cure = "Convert it, as in label_map.astype(int)."
        if n_missing:
            cure = f"{n_missing} of its pixels are NaN: give them a separate label."
        raise InvalidInputError(
            f"{name} must hold integer labels; got dtype {labels.dtype}. {cure}"
        )
    if labels.shape != tuple(shape):
        raise InvalidInputError(
            f"{name} must have the height and width of its image, {tuple(shape)}; got shape "
            f"{labels.shape}."
        )
    if labels.min() < 0:
        raise InvalidInputError(
            f"{name} must not be negative: {int((labels < 0).sum())} pixels have labels down to "
            f"{labels.min()}. If they belong to no region, give them a separate label, as in "
            "np.where(label_map < 0, label_map.max() + 1, label_map)."
        )
    if labels.min() == labels.max():
        raise InvalidInputError(
            f"{name} must divide the image into at least two regions; every pixel has the label "
            f"{labels.flat[0]}."
        )


def lab_like(pixels: Floats) -> Floats:
    """Colors whose Euclidean distances are comparable to those of Lab, from (h, w, C) pixels.

    One channel is lightness. Three channels are RGB, and four are RGB and alpha, which is ignored.
    Otherwise the colors are the first three principal components of the standardized channels.
    """
    n_channels = pixels.shape[-1]
    if n_channels == 1:
        return _unit_range(pixels) * _LAB_RANGE
    if n_channels in (3, 4):
        from skimage.color import rgb2lab

        return np.asarray(rgb2lab(_unit_range(pixels[..., :3])), dtype=np.float64)
    flat = pixels.reshape(-1, n_channels)
    spread = flat.std(axis=0)
    flat = (flat - flat.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    _, axes = np.linalg.eigh(flat.T @ flat)
    leading = (flat @ axes[:, ::-1][:, :3]).reshape(*pixels.shape[:2], -1)
    return _unit_range(leading) * _LAB_RANGE


def merge_to(labels: Segments, colors: Floats, n_segments: int) -> Segments:
    """Merge the smallest region into its most similar neighbor until `n_segments` are left."""
    labels = relabel(labels)
    n_regions = int(labels.max()) + 1
    size = np.bincount(labels.ravel()).astype(np.float64)
    flat = colors.reshape(-1, colors.shape[-1])
    total = np.stack([np.bincount(labels.ravel(), c) for c in flat.T], axis=-1)
    touching = np.zeros((n_regions, n_regions), dtype=bool)
    for one, other in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        touching[one, other] = touching[other, one] = True
    np.fill_diagonal(touching, False)
    into = np.arange(n_regions)
    for _ in range(n_regions - n_segments):
        small = int(np.argmin(size))
        near = np.flatnonzero(touching[small])
        distance = total[near] / size[near, None] - total[small] / size[small]
        target = int(near[np.argmin((distance**2).sum(axis=1))])
        into[into == small] = target
        size[target] += size[small]
        total[target] += total[small]
        touching[target] |= touching[small]
        touching[:, target] |= touching[:, small]
        touching[small], touching[:, small], touching[target, target] = False, False, False
        size[small] = np.inf
    return into[labels]


def _grid(sides: Sequence[int], n_segments: int) -> Segments:
    """Nearly square boxes, about `n_segments` of them."""
    height, width = sides
    short, long = sorted(sides)
    # the shorter side first, as the longer one can make up for its limit
    n_short = min(short, max(1, round((n_segments * short / long) ** 0.5)))
    n_long = min(long, max(1, round(n_segments / n_short)))
    n_rows, n_columns = (n_short, n_long) if height <= width else (n_long, n_short)
    row = np.arange(height) * n_rows // height
    column = np.arange(width) * n_columns // width
    return np.asarray(row[:, None] * n_columns + column)


def _slic(colors: Floats, n_segments: int, compactness: float) -> Segments:
    from skimage.segmentation import slic

    # slic divides colors by their range, which would change the meaning of compactness
    scale = float(np.ptp(colors)) or 1.0
    labels = slic(
        colors,
        n_segments=n_segments,
        compactness=compactness / scale,
        sigma=1,
        convert2lab=False,
        start_label=0,
        channel_axis=-1,
    )
    return np.asarray(labels, dtype=np.intp)


def _quickshift(colors: Floats) -> Segments:
    from skimage.segmentation import quickshift

    # pass rng: its default differs between releases
    labels = quickshift(  # type: ignore[no-untyped-call]
        colors, ratio=0.2, kernel_size=4, max_dist=200, convert2lab=False, rng=0, channel_axis=-1
    )
    return np.asarray(labels, dtype=np.intp)


def _felzenszwalb(colors: Floats) -> Segments:
    from skimage.segmentation import felzenszwalb

    labels = felzenszwalb(colors / _LAB_RANGE, scale=100, sigma=0.8, min_size=20, channel_axis=-1)
    return np.asarray(labels, dtype=np.intp)


def _unit_range(values: Floats) -> Floats:
    """Values shifted and scaled to 0..1, all channels alike; zeros if all are equal."""
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)
