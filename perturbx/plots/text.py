"""A text whose pieces are colored by their scores."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx.plots import _style
from perturbx.plots._fonts import families
from perturbx.plots._lines import Measure, Placed, lines_of
from perturbx.result import Explanation
from perturbx.result.reading import one_output
from perturbx.result.stretches import Colored, colored
from perturbx.result.text import percent, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH = 560.0
"""The width of the text in a figure of our own, in points."""

_SIZES, _LINE = (11.0, 10.0, 9.0, 8.0, 7.0, 6.0, 5.0), 1.75
"""The sizes of letters, and the distance of lines in units of it."""

_FINE = 10
"""Widths are measured at so many times the resolution of points, where hinting moves little."""

_OPACITY = 0.6
"""The opacity of the largest score, under which letters are still easy to read."""

_HEAD, _FOOT, _MARGIN = 30.0, 52.0, 14.0


def text(
    explanation: Explanation,
    *,
    output: int | str | None = None,
    level: float = 0.95,
    max_display: int = 1000,
    ax: Axes | None = None,
    show: bool = True,
) -> Axes:
    """Draw one text with the background of each piece colored by its score.

    Red pieces increase the output, blue ones decrease it, and color fades out towards zero. A
    dotted line marks scores above a tenth of the largest whose interval contains 0. Text between
    pieces, and pieces that are pinned, have no color. Items of a list stand on lines of their own.

    Parameters
    ----------
    explanation : Explanation
        One text (``explanation[0]``), explained with `Tokens` or `Segments`.
    output : int, str or None
        The output to draw, if several were explained.
    level : float
        The level of the intervals.
    max_display : int
        The most pieces to draw, about; of more, those around the largest scores.
    ax : matplotlib Axes or None
        Where to draw, in letters small enough to fit; None for a new figure as tall as the text.
    show : bool
        Call ``plt.show()``; False to continue drawing.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InvalidParameterError
        If there is more than one text, or if the features are not pieces of a text or a list.

    Examples
    --------
    >>> import perturbx as px
    >>> px.plots.text(explanation)  # doctest: +SKIP
    """
    shown = colored(_style.explanation_of(explanation), output, level, max_display)
    page = Page.fitting(shown, None if ax is None else _style.axes_in(ax)[0])
    for number, line in enumerate(page.lines):
        _draw_line(page, line, _HEAD + page.step * (number + 0.72))
    _draw_words(page, explanation, output, shown, level)
    ax = page.ax
    return _style.finished(ax, show)  # type: ignore[no-any-return]


@dataclass(frozen=True, eq=False)
class Page:
    """Axes in points from the upper left, and the lines that fill them.

    Parameters
    ----------
    ax : matplotlib Axes
    lines : list of lines
    fonts : list of str
        The families that have the letters.
    size : float
        That of the letters.
    """

    ax: Any
    lines: list[list[Placed]]
    fonts: list[str]
    size: float

    @classmethod
    def fitting(cls, shown: Colored, ax: Any) -> Page:
        """The caller's axes with letters that fit, or a new figure as tall as the text."""
        fonts = families("".join(stretch.text for stretch in shown.stretches))
        inches = (
            None
            if ax is None
            else ax.get_window_extent().transformed(ax.figure.dpi_scale_trans.inverted())
        )
        width = _WIDTH if inches is None else 72 * inches.width
        for size in _SIZES if inches is not None else _SIZES[:1]:
            lines = lines_of(shown.stretches, width - 2 * _MARGIN, _measure(fonts, size))
            height = _HEAD + _LINE * size * len(lines) + _FOOT
            if inches is None or height <= 72 * inches.height:
                break
        if ax is None:
            figure = _style.pyplot().figure(figsize=(width / 72, height / 72))
            ax = figure.add_axes((0, 0, 1, 1))
        ax.set_axis_off()
        ax.set(xlim=(0, width), ylim=(height if inches is None else 72 * inches.height, 0))
        return cls(ax, lines, fonts, size)

    @property
    def step(self) -> float:
        """The distance of lines."""
        return _LINE * self.size


def _measure(fonts: list[str], size: float) -> Measure:
    """The width of texts in points, by the fonts that draw them."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties

    canvas: Any = FigureCanvasAgg(Figure(dpi=72 * _FINE))
    renderer = canvas.get_renderer()
    font = FontProperties(family=fonts, size=size)

    @cache
    def measure(text: str) -> float:
        if text.isspace():  # of a blank alone there is nothing to measure
            return len(text) * (measure("x x") - measure("xx"))
        return float(renderer.get_text_width_height_descent(text, font, False)[0]) / _FINE

    return measure


def _ink() -> Any:
    """Dark letters, or those of a dark style."""
    color = _style.pyplot().rcParams["text.color"]
    return _style.INK if color == "black" else color


def _draw_line(page: Page, line: list[Placed], baseline: float) -> None:
    from matplotlib.patches import Rectangle

    ax, step = page.ax, page.step
    for placed in line:
        atom, x = placed.atom, _MARGIN + placed.x
        stretch = atom.of
        color = _style.RED if stretch.strength > 0 else _style.BLUE
        if stretch.strength:
            box = (x, baseline - 0.62 * step), atom.width, 0.84 * step
            alpha = _OPACITY * abs(stretch.strength)
            ax.add_patch(Rectangle(*box, color=color, alpha=alpha, linewidth=0))
        if stretch.is_doubtful:
            below = [baseline + 0.2 * step] * 2
            ax.plot([x, x + atom.width], below, color=color, linewidth=1.2, linestyle=":")
        if not atom.is_blank:
            style: dict[str, Any] = {"fontfamily": page.fonts, "fontsize": page.size}
            ax.text(x, baseline, atom.text, color=_ink(), va="baseline", parse_math=False, **style)


def _draw_words(
    page: Page, explanation: Explanation, output: int | str | None, shown: Colored, level: float
) -> None:
    """The output and its prediction above the text; below it the colors and what they mean."""
    ax, limits = page.ax, (page.ax.get_xlim(), page.ax.get_ylim())
    one = explanation[0] if "instance" in explanation.axes else explanation
    one = one_output(one, output)
    name = _style.output_label(str(one.output_names[0])) if len(one.output_names) == 1 else ""
    (prediction,) = _style.numbers([float(one.predictions)], signed=False)
    head = f"{shorten(name, 60)}  {prediction}".strip()
    ax.text(_MARGIN, 18, head, fontsize=_style.TEXT, weight="bold", color=_ink(), parse_math=False)
    top, left, right = limits[1][0] - 36.0, _MARGIN, _MARGIN + 150.0
    ramp = np.linspace(-1, 1, 101)
    colors = np.array([_rgb(_style.BLUE if t < 0 else _style.RED) for t in ramp])
    layer = np.concatenate([colors, _OPACITY * np.abs(ramp)[:, None]], axis=1)[None]
    bounds = (left, right, top + 9, top)
    ax.imshow(layer, extent=bounds, aspect="auto", interpolation="nearest")
    ax.set(xlim=limits[0], ylim=limits[1])
    small: dict[str, Any] = {"fontsize": _style.SMALL, "color": _ink(), "alpha": 0.75}
    ends = _style.numbers([-shown.end, 0.0, shown.end])
    sides = ("left", "center", "right")
    for at, end, side in zip((left, (left + right) / 2, right), ends, sides, strict=True):
        ax.text(at, top + 20, end, ha=side, parse_math=False, **small)
    said = f"{one.method_name} score"
    said += f"; dotted: the {percent(level)} interval contains 0" * shown.has_doubts
    ax.text(right + 12, top + 8, said, parse_math=False, **small)


def _rgb(color: str) -> tuple[float, ...]:
    return tuple(int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
