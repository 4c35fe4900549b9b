"""Small pictures for the notebook view, which needs no matplotlib."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from perturbx.result import heatmaps
from perturbx.result.photo import RGB, photo, under_color
from perturbx.result.reading import one_output
from perturbx.result.series import is_series
from perturbx.result.views import View, views

if TYPE_CHECKING:
    from perturbx.result.explanation import Explanation

_SIDE, _MOST = 256, 4


@dataclass(frozen=True)
class Thumbnail:
    """A heat map over its image as PNG, at most 256 pixels per side, with title and caption."""

    title: str
    caption: str
    png: bytes
    coarse: bool
    """True if it has few pixels, which should be shown with sharp edges."""


def thumbnails(explanation: Explanation) -> list[Thumbnail]:
    """Up to four: outputs of one image on one scale, or images each on its own scale.

    None for series, which have `series_pictures`.
    """
    if "instance" in explanation.axes:
        first = 0 if "output" in explanation.axes else None
        n = len(explanation)
        shown = [one_output(explanation[i], first) for i in range(min(n, _MOST))]
        found = [small for one in shown for small in _of_one([one])]
        return [
            replace(small, caption=f"image {i} of 0–{n - 1} {small.caption}".strip())
            for i, small in enumerate(found)
        ]
    if "output" not in explanation.axes:
        return _of_one([explanation])
    return _of_one([explanation[..., j] for j in range(min(explanation.shape[-1], _MOST))])


def _of_one(shown: list[Explanation]) -> list[Thumbnail]:
    if len(getattr(shown[0].regions, "shape", ())) not in (2, 3) or is_series(shown[0].regions):
        return []
    panels = views(shown, side=_SIDE)
    coarse = max(panels[0].heat.shape) < _SIDE // 4
    return [Thumbnail(view.title, view.caption, _png(_blended(view)), coarse) for view in panels]


def _blended(view: View, alpha: float = 0.85) -> RGB:
    """The colors of the scores on the gray image."""
    heat = np.nan_to_num(view.heat)
    below = under_color(photo(view.image, view.shape, view.step), 0.0)
    table = heatmaps.colors(alpha)
    half = len(table) // 2
    colors = table[np.rint(half * (1 + np.clip(heat / view.end, -1, 1))).astype(np.intp)]
    opacity = colors[..., 3:]
    return np.asarray(
        np.rint(255 * opacity * colors[..., :3] + (1 - opacity) * below), dtype=np.uint8
    )


def _png(pixels: RGB) -> bytes:
    """The bytes of a PNG file (ISO/IEC 15948), with unfiltered rows."""
    height, width, _ = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
