"""Superpixels of one image, found on a small copy and enlarged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from perturbx._typing import Floats, Segments
from perturbx._validation import is_masked
from perturbx.errors import InvalidInputError
from perturbx.maskers.fills import copy_edges, small_copy
from perturbx.maskers.images import Image

METHODS = ("slic", "quickshift", "felzenszwalb", "grid")

_LAB_RANGE = 100.0
"""L of Lab runs from 0 to 100; whatever takes its place is put on that scale."""


def segment(
    image: Image, channels: bool, method: str, n_segments: int, compactness: float
) -> Segments:
    """Labels 0..K-1 for each pixel of an (H, W) or (H, W, C) image, no region empty."""
    labels = segment_colors(small_colors(image, channels), method, n_segments, compactness)
    return relabel(enlarge(labels, image.shape[:2]))


def small_colors(image: Image, channels: bool) -> Floats:
    """The small copy of an (H, W) or (H, W, C) image in colors with distances as in Lab."""
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


def relabel(labels: Any) -> Segments:
    """Any integers as 0..K-1, in the order of their values."""
    labels = np.asarray(labels)
    _, inverse = np.unique(labels, return_inverse=True)
    return inverse.reshape(labels.shape).astype(np.intp, copy=False)


def check_labels(labels: Any, shape: Sequence[int], name: str = "segments") -> None:
    """Refuse a label map that does not part an image of this shape into regions."""
    if is_masked(labels):
        raise InvalidInputError(
            f"{name} is a masked array: pass {name}.filled(label), with a label of its own for "
            "what is masked."
        )
    labels = np.asarray(labels)
    if labels.dtype.kind not in "bui":
        n_missing = int(np.isnan(labels).sum()) if labels.dtype.kind == "f" else 0
        cure = "Convert it, as in label_map.astype(int)."
        if n_missing:
            cure = f"{n_missing} of its pixels are NaN: give them a label of their own."
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
            f"{labels.min()}. If they belong to no region, give them a label of their own, as in "
            "np.where(label_map < 0, label_map.max() + 1, label_map)."
        )
    if labels.min() == labels.max():
        raise InvalidInputError(
            f"{name} must part the image into at least two regions; every pixel has the label "
            f"{labels.flat[0]}."
        )


def lab_like(pixels: Floats) -> Floats:
    """Colors whose Euclidean distances are comparable to those of Lab, from (h, w, C) pixels.

    One channel is lightness. Three are RGB, and so are the first three of four (the fourth is
    alpha). Any other number: each channel at unit variance, then the leading three principal
    components.
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
    # the shorter side first: what it cannot take, the longer one can
    n_short = min(short, max(1, round((n_segments * short / long) ** 0.5)))
    n_long = min(long, max(1, round(n_segments / n_short)))
    n_rows, n_columns = (n_short, n_long) if height <= width else (n_long, n_short)
    row = np.arange(height) * n_rows // height
    column = np.arange(width) * n_columns // width
    return np.asarray(row[:, None] * n_columns + column)


def _slic(colors: Floats, n_segments: int, compactness: float) -> Segments:
    from skimage.segmentation import slic

    # slic divides colors by their range, and would so undo the scale that compactness is for
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

    # generator given: the default would be the same seed, but not in every release
    labels = quickshift(  # type: ignore[no-untyped-call]
        colors, ratio=0.2, kernel_size=4, max_dist=200, convert2lab=False, rng=0, channel_axis=-1
    )
    return np.asarray(labels, dtype=np.intp)


def _felzenszwalb(colors: Floats) -> Segments:
    from skimage.segmentation import felzenszwalb

    labels = felzenszwalb(colors / _LAB_RANGE, scale=100, sigma=0.8, min_size=20, channel_axis=-1)
    return np.asarray(labels, dtype=np.intp)


def _unit_range(values: Floats) -> Floats:
    """Values moved and scaled to 0..1, all channels alike; zeros if they are all equal."""
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)
