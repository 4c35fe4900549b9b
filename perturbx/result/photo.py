"""The image under a heat map: RGB, lightened so that colors are visible on it."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats

RGB: TypeAlias = NDArray[np.uint8]
"""(height, width, 3), 0 to 255."""

_LUMA = np.array([0.299, 0.587, 0.114])
_LIFT, _FADE = 0.5, 0.78
"""How far the darkest pixel moves from black to white: under color, and where faded out."""


def step_of(shape: tuple[int, ...], side: int = 1200) -> int:
    """The step between pixels that are drawn, so that no side has more than `side` of them."""
    return -(-max(shape[-2:]) // side) if len(shape) > 1 else 1


def photo(image: Any, shape: tuple[int, ...], step: int = 1) -> Floats:
    """(H, W, 3) between 0 and 1, whatever the image's channels, type and range.

    Bytes and floats between 0 and 1 keep their scale; anything else is stretched from its lowest
    to its highest value. A fourth channel is dropped; two, or more than four, are averaged. Every
    `step`-th pixel is read.
    """
    image = np.asarray(image)
    low, high = _range(image)
    drawn = image if image.shape[:2] == shape else np.moveaxis(image, 0, -1)
    pixels = np.asarray(drawn[::step, ::step], dtype=np.float64)
    pixels = np.nan_to_num((pixels - low) / ((high - low) or 1.0), posinf=1.0, neginf=0.0)
    if pixels.ndim == 3 and pixels.shape[-1] in (3, 4):
        return pixels[..., :3]
    gray = pixels if pixels.ndim == 2 else pixels.mean(axis=-1)
    return np.repeat(gray[..., None], 3, axis=-1)


def under_color(pixels: Floats, saturation: float) -> RGB:
    """The photo under a colored layer, lightened because color is invisible on black."""
    return _lightened(pixels, saturation, _LIFT)


def cut_out(pixels: Floats, kept: NDArray[np.bool_], fade: float = _FADE) -> RGB:
    """The photo, unchanged where it is kept and faded elsewhere."""
    return np.where(kept[..., None], _lightened(pixels, 1.0, 0.0), _lightened(pixels, 0.0, fade))


def _lightened(pixels: Floats, saturation: float, lift: float) -> RGB:
    gray = (pixels @ _LUMA)[..., None]
    light = lift + (1 - lift) * (gray + saturation * (pixels - gray))
    return np.asarray(np.rint(255 * light), dtype=np.uint8)


def _range(image: NDArray[Any]) -> tuple[float, float]:
    """The values of black and white."""
    if image.dtype == np.uint8:
        return 0.0, 255.0
    known = image[np.isfinite(image)] if image.dtype.kind == "f" else image
    if not known.size:
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)
