"""The labels of bars: feature names, with values or pieces of the image."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx._typing import Floats
from perturbx.features import Regions
from perturbx.plots import _style
from perturbx.plots._style import SMALL, TEXT
from perturbx.result import Explanation
from perturbx.result.photo import RGB, cut_out, photo, step_of
from perturbx.result.text import shorten, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINE_WIDTH = 30
_PIECE = 36.0
"""The side length of a piece of an image, in points."""

_CONTEXT = 1.9
"""The side of a piece, relative to the size of its region."""


class _NoValue:
    """Marks a row without a value; None is a missing value."""


NO_VALUE = _NoValue()


def cells(one: Explanation, features: list[int]) -> list[Any] | None:
    """Values or pieces of the image to show next to the names; None if there are none."""
    if one.data is None:
        return None
    if one.regions is None:
        return [one.data[i] for i in features]
    if not isinstance(one.regions, Regions):
        return None
    shape = one.regions.shape
    if one.regions.names is not None:  # they say where the regions lie
        return None
    if len(shape) == 1:
        return [_stretch(np.flatnonzero(one.regions.cover(i))) for i in features]
    if len(shape) > 2:
        return None
    step = step_of(shape)
    pixels = photo(one.data, shape, step)
    return [_piece(pixels, one.regions.cover(i)[::step, ::step]) for i in features]


def height(data: Sequence[Any] | None, least: float) -> float:
    """The height of a row in inches: enough for a line of text, or for a piece of an image."""
    has_pieces = any(isinstance(value, np.ndarray) for value in data or [])
    return max(least, (_PIECE + 5) / 72) if has_pieces else least


def _stretch(positions: Any) -> str:
    """The first and the last position of a part of a series."""
    ends = [str(int(end)) for end in positions[[0, -1]][: len(positions)]] if len(positions) else []
    return "–".join(dict.fromkeys(ends))


def _piece(pixels: Floats, covered: Any) -> RGB:
    """A square cut out of the photo around a region, faded outside it."""
    rows, columns = (np.flatnonzero(covered.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return np.full((1, 1, 3), 255, dtype=np.uint8)
    side = int(np.ceil(_CONTEXT * max(np.ptp(rows), np.ptp(columns)) + 1))
    cut = [
        slice(start, start + min(side, n))
        for start, n in (
            (int(np.clip((found[0] + found[-1] + 1 - side) // 2, 0, max(n - side, 0))), n)
            for found, n in zip((rows, columns), covered.shape, strict=True)
        )
    ]
    return cut_out(pixels[tuple(cut)], covered[tuple(cut)], fade=0.6)


def label_rows(ax: Axes, names: Sequence[str], data: Sequence[Any] | None) -> None:
    """Names next to the rows 0, 1, ... from the top, with `data` between name and axis."""
    n, (ink, gray, _) = len(names), _style.tones(ax)
    ax.set_ylim(n - 0.4, -0.6)
    pieces = {row: v for row, v in enumerate(data or []) if isinstance(v, np.ndarray)}
    texts = {row: _value(v) for row, v in enumerate(data or []) if row not in pieces}
    gap = max(_style.width_of(list(texts.values()), SMALL), _PIECE * bool(pieces))
    labels = [_style.safe(_folded(name)) for name in names]
    ax.set_yticks(range(n), labels, fontsize=TEXT, color=ink, linespacing=0.95)
    for label in ax.get_yticklabels():
        if "\n" in label.get_text():
            label.set_fontsize(SMALL)
    ax.tick_params(axis="y", length=0, pad=6 + (gap + 9 if gap else 0))
    for row, piece in pieces.items():
        _draw_piece(ax, row, piece)
    for row, text in texts.items():
        ax.annotate(
            _style.safe(text),
            (0, row),
            xycoords=ax.get_yaxis_transform(),
            xytext=(-6, 0),
            textcoords="offset points",
            ha="right",
            va="center_baseline",
            fontsize=SMALL,
            color=gray,
        )


def _draw_piece(ax: Axes, row: int, piece: RGB) -> None:
    """Draw a small image between name and axis."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    image = OffsetImage(piece, zoom=_PIECE / max(piece.shape[:2]))
    box = AnnotationBbox(
        image,
        (0, row),
        xybox=(-6, 0),
        xycoords=ax.get_yaxis_transform(),
        boxcoords="offset points",
        box_alignment=(1, 0.5),
        frameon=False,
        pad=0,
        annotation_clip=False,
    )
    ax.add_artist(box)


def _value(value: Any) -> str:
    """A value of the data as text; "" where a row has none."""
    if isinstance(value, _NoValue):
        return ""
    text = show(value)
    return text.replace("-", "\N{MINUS SIGN}") if isinstance(value, (int, float)) else text


def _folded(name: str) -> str:
    """A name on at most two lines."""
    return "\n".join(wrap(shorten(name, 2 * _LINE_WIDTH - 4), _LINE_WIDTH, max_lines=2))
