"""Small pictures for the notebook view, which needs no matplotlib."""

from __future__ import annotations

import io
from base64 import b64encode
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx.result import heatmaps
from perturbx.result.photo import photo
from perturbx.result.reading import one_output
from perturbx.result.series import is_series
from perturbx.result.views import View, views

if TYPE_CHECKING:
    from perturbx.result.explanation import Explanation

_SIDE, _MOST = 256, 4

_LEVEL = 0.95

_SMALL = 64
"""Images of fewer pixels per side are kept exactly."""


@dataclass(frozen=True)
class Thumbnail:
    """A heat map and its image, to be laid over each other, with title and caption.

    `photo` and `heat` are data URIs, the heat map with transparent pixels where scores are 0.
    `known` is the heat map of the scores whose sign is known; empty where no error is known.
    """

    title: str
    caption: str
    photo: str
    heat: str
    known: str
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
        found = [small for one in shown for small in layers([one])]
        return [
            replace(small, caption=f"image {i} of 0–{n - 1} {small.caption}".strip())
            for i, small in enumerate(found)
        ]
    if "output" not in explanation.axes:
        return layers([explanation])
    return layers([explanation[..., j] for j in range(min(explanation.shape[-1], _MOST))])


def layers(shown: list[Explanation], side: int = _SIDE) -> list[Thumbnail]:
    """The outputs of one image on one scale; none if these are no regions of an image."""
    if len(getattr(shown[0].regions, "shape", ())) not in (2, 3) or is_series(shown[0].regions):
        return []
    panels = views(shown, side=side)
    known = [""] * len(panels)
    if not any(np.isnan(one.standard_errors).all() for one in shown):
        sure = views(shown, level=_LEVEL, side=side)
        known = [_heat(view, full.end) for view, full in zip(sure, panels, strict=True)]
    return [
        Thumbnail(
            title=view.title,
            caption=view.caption,
            photo=_photo(view),
            heat=_heat(view, view.end),
            known=sure_of_it,
            coarse=max(view.heat.shape) < side // 4,
        )
        for view, sure_of_it in zip(panels, known, strict=True)
    ]


def _photo(view: View) -> str:
    """The image as JPEG, or as PNG where every pixel is seen."""
    from PIL import Image

    pixels = np.rint(255 * photo(view.image, view.shape, view.step)).astype(np.uint8)
    return _uri(Image.fromarray(pixels), "png" if max(pixels.shape) < _SMALL else "jpeg")


def _heat(view: View, end: float) -> str:
    """The colors of the scores, opaque for the largest."""
    from PIL import Image

    table = np.rint(255 * heatmaps.colors(1.0)).astype(np.uint8)[1:-1]
    table[[0, -1], -1] = 255
    half = len(table) // 2
    shares = np.clip(np.nan_to_num(view.heat) / end, -1, 1)
    image = Image.fromarray(np.rint(half * (1 + shares)).astype(np.uint8))
    image.putpalette(table[:, :3].tobytes())
    return _uri(image, "png", transparency=table[:, 3].tobytes())


def _uri(image: Any, kind: str, **options: Any) -> str:
    file = io.BytesIO()
    image.save(file, kind, optimize=True, quality=82, **options)
    return f"data:image/{kind};base64,{b64encode(file.getvalue()).decode()}"
