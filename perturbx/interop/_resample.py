"""Resizing of images with separable filters that widen where an image shrinks, in floats."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats

Filter: TypeAlias = Literal["bilinear", "bicubic"]
"""The kernel that weighs old pixels around a new one."""

FILTERS = ("bilinear", "bicubic")

Box: TypeAlias = tuple[float, float, float, float]
"""The part of an image that is kept, in its pixels: top, left, height, width."""


def resample(image: NDArray[Any], size: tuple[int, int], box: Box, how: Filter) -> Any:
    """An (H, W, C) image as (C, h, w) float32."""
    height, width, channels = image.shape
    top, left, tall, wide = box
    pixels = np.asarray(image, dtype=np.float32)
    if (top, tall, size[0]) != (0, height, height):
        rows = _weights(height, top, tall, size[0], how)
        pixels = (rows @ pixels.reshape(height, -1)).reshape(size[0], width, channels)
    if (left, wide, size[1]) != (0, width, width):
        columns = _weights(width, left, wide, size[1], how)
        turned = np.ascontiguousarray(pixels.transpose(1, 2, 0)).reshape(width, -1)
        return (columns @ turned).reshape(size[1], channels, size[0]).transpose(1, 2, 0)
    return pixels.transpose(2, 0, 1)


@lru_cache(maxsize=64)
def _weights(n_old: int, start: float, length: float, n_new: int, how: Filter) -> Any:
    """(n_new, n_old) sparse: each new pixel as a mean of old ones.

    The kernel is stretched when the image shrinks, so that no detail is skipped (no aliasing). At
    an edge it is cut, and its weights still add up to 1.
    """
    from scipy import sparse

    step = length / n_new
    stretch = max(step, 1.0)
    centers = start + (np.arange(n_new) + 0.5) * step
    distance = np.abs(np.arange(n_old) + 0.5 - centers[:, None]) / stretch
    weights = _triangle(distance) if how == "bilinear" else _cubic(distance)
    weights /= weights.sum(axis=1, keepdims=True)
    return sparse.csr_array(weights.astype(np.float32))


def _triangle(t: Floats) -> Floats:
    return np.asarray(np.maximum(1 - t, 0))


def _cubic(t: Floats) -> Floats:
    """Keys (IEEE TASSP 29:6, 1981), equation 15, a = -1/2."""
    near = (1.5 * t - 2.5) * t**2 + 1
    far = ((-0.5 * t + 2.5) * t - 4) * t + 2
    return np.asarray(np.where(t < 1, near, np.where(t < 2, far, 0.0)))
