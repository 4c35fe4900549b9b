"""Curves of a time series over the scores of its segments, channel by channel."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import check_integer, check_number
from perturbx.errors import InvalidParameterError
from perturbx.features import SeriesMap
from perturbx.plots import _style
from perturbx.result import Explanation, heatmaps, one_output, without_rounding
from perturbx.result.series import Track, is_series, largest_tracks, tracks_of
from perturbx.result.text import percent, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ALPHA = 0.7
"""The opacity of the largest score, behind a curve."""

_MOST_EDGES, _MOST_WHISKERS = 60, 120
"""More segments than this are drawn without lines between them, and without whiskers."""

_EXACT = 1e-6
"""Intervals shorter than this fraction of the largest score are not drawn."""


def series(
    explanation: Explanation,
    *,
    output: int | str | None = None,
    level: float = 0.95,
    max_channels: int = 12,
    ax: Any = None,
    show: bool = True,
) -> Any:
    """Draw a time series over the scores of its segments, each channel on its own scale.

    Behind the curve, red segments increase the output and blue ones decrease it. Below it are the
    scores as numbers, with their intervals as whiskers where they are known; all channels share
    that scale. If segments cover all channels, the scores are drawn once, at the bottom.

    Colors of text and curves follow the background, so the plot may be drawn in a dark style, as
    in ``with plt.style.context("dark_background")``.

    Parameters
    ----------
    explanation : Explanation
        One series (``explanation[0]``), of `SeriesSegments`, `Windows` or `SmoothGrid`.
    output : int, str or None
        The output to draw, if several were explained.
    level : float
        The level of the intervals.
    max_channels : int
        If there are more channels, those with the largest scores are drawn.
    ax : matplotlib Axes, several of them, or None
        Where to draw, one for each channel, without the scores below; None for a new figure.
    show : bool
        Call ``plt.show()``; False to continue drawing.

    Returns
    -------
    array of matplotlib Axes, one for each channel

    Raises
    ------
    InvalidParameterError
        If there is more than one instance, or if it is no series.

    Examples
    --------
    >>> import perturbx as px
    >>> px.plots.series(explanation[0])  # doctest: +SKIP
    """
    check_number("level", level, above=0, below=1)
    check_integer("max_channels", max_channels, minimum=1)
    one = _one_series(_style.explanation_of(explanation), output)
    every = tracks_of(one)
    tracks = largest_tracks(every, max_channels)
    together = every[0].features is None or not _separate(one)
    axes, strips = _axes(len(tracks), 1 if together else len(tracks), ax)
    end = heatmaps.scale([track.scores for track in every])
    for panel, track in zip(axes, tracks, strict=True):
        _draw_curve(panel, track, end)
    reach = one.interval(level)
    for strip, track in zip(strips, tracks, strict=False):
        _draw_scores(strip, track, reach)
    _label(one, axes, strips, len(every), level)
    return _style.finished(np.array(axes), show)


def _one_series(explanation: Explanation, output: int | str | None) -> Explanation:
    if "instance" in explanation.axes and len(explanation) == 1:
        explanation = explanation[0]
    if "instance" in explanation.axes:
        raise InvalidParameterError(
            f"series draws one instance, not {len(explanation)}: use series(explanation[i])."
        )
    if not is_series(explanation.regions):
        raise InvalidParameterError(
            "series needs a time series, as px.SeriesSegments explains it. Use plots.overlay for "
            "images, and plots.bar for tables or single segments."
        )
    return without_rounding(one_output(explanation, output))


def _separate(one: Explanation) -> bool:
    """Whether each channel has scores of its own."""
    return isinstance(one.regions, SeriesMap) and one.regions.by_channel


def _axes(n: int, n_strips: int, ax: Any) -> tuple[list[Any], list[Any]]:
    """The panels of the curves, and those of the scores below them."""
    if ax is not None:
        return _style.axes_in(ax, n, f"series draws {n} channels", ", or max_channels="), []
    curve = float(np.clip(3.6 / n, 0.6, 1.9))
    strip = float(np.clip(1.8 / n_strips, 0.34, 0.8))
    if n_strips == n:
        heights, is_strip = [curve, strip] * n, [False, True] * n
    else:
        heights, is_strip = [curve] * n + [strip], [False] * n + [True]
    figure, grid = _style.pyplot().subplots(
        len(heights),
        1,
        sharex=True,
        figsize=(8.0, sum(heights) + 0.9),
        height_ratios=heights,
        layout="constrained",
        squeeze=False,
    )
    figure.get_layout_engine().set(h_pad=0.015, hspace=0.0)
    panels = list(grid[:, 0])
    strips = [panel for panel, below in zip(panels, is_strip, strict=True) if below]
    for first, other in pairwise(strips):
        other.sharey(first)
    return [panel for panel, below in zip(panels, is_strip, strict=True) if not below], strips


def _draw_curve(ax: Axes, track: Track, end: float) -> None:
    from matplotlib.colors import ListedColormap
    from matplotlib.ticker import MaxNLocator

    ink, _, line = _style.tones(ax)
    n_steps = len(track.curve)
    ax.pcolormesh(
        track.edges - 0.5,
        [0.0, 1.0],
        np.ma.masked_invalid(track.scores)[None],
        transform=ax.get_xaxis_transform(),
        cmap=ListedColormap(heatmaps.colors(_ALPHA)),
        vmin=-end,
        vmax=end,
        linewidth=0,
        zorder=0,
    )
    if track.features is not None and len(track.features) <= _MOST_EDGES:
        for edge in track.edges[1:-1]:
            ax.axvline(edge - 0.5, color=line, linewidth=0.5, zorder=1)
    ax.plot(track.curve, color=ink, linewidth=1.1 if n_steps < 2000 else 0.6, zorder=2)
    ax.set_xlim(-0.5, n_steps - 0.5)
    ax.margins(y=0.12)
    ax.yaxis.set_major_locator(MaxNLocator(3, min_n_ticks=2))
    ax.set_ylabel(
        _style.safe(_style.shorten(track.name, 22)),
        rotation=0,
        ha="right",
        va="center",
        fontsize=_style.TEXT,
        color=ink,
    )
    _bare(ax)


def _draw_scores(ax: Axes, track: Track, reach: tuple[Floats, Floats]) -> None:
    """The scores as areas, with whiskers in the middle of their segments."""
    from matplotlib.ticker import MaxNLocator

    ink, gray, _ = _style.tones(ax)
    for sign, color in ((1, _style.RED), (-1, _style.BLUE)):
        part = np.where(sign * track.scores > 0, track.scores, 0.0)
        ax.stairs(part, track.edges - 0.5, fill=True, color=color, linewidth=0, zorder=2)
    ax.axhline(0, color=gray, linewidth=0.6, zorder=3)
    if track.features is not None and len(track.features) <= _MOST_WHISKERS:
        low, high = (ends[track.features] for ends in reach)
        wide = high - low > _EXACT * np.nanmax(np.abs(reach), initial=0.0)
        low, high = np.where(wide, low, np.nan), np.where(wide, high, np.nan)
        middle = (track.edges[:-1] + track.edges[1:] - 1) / 2
        known = np.isfinite(low) & np.isfinite(high)
        if known.any():
            ax.vlines(middle[known], low[known], high[known], color=ink, linewidth=1.0, zorder=4)
    ax.margins(y=0.12)
    ax.yaxis.set_major_locator(MaxNLocator(3, min_n_ticks=2))
    _bare(ax)


def _bare(ax: Axes) -> None:
    """No box; ticks and spines in gray."""
    _, gray, line = _style.tones(ax)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(line)
    ax.tick_params(colors=gray, labelsize=_style.SMALL, color=line)
    ax.ticklabel_format(axis="y", style="sci", scilimits=(-3, 4), useMathText=True)
    ax.yaxis.get_offset_text().set(color=gray, fontsize=_style.SMALL)


def _label(
    one: Explanation, axes: list[Any], strips: list[Any], n_channels: int, level: float
) -> None:
    """The output and its prediction above, what is drawn on the axes, and the steps below."""
    ink, gray, _ = _style.tones(axes[0])
    name = str(one.output_names[0]) if len(one.output_names) == 1 else ""
    (prediction,) = _style.numbers([float(one.predictions)], signed=False)
    title = titled(_style.output_label(name), float(one.predictions), prediction)
    axes[0].set_title(_style.safe(title), fontsize=_style.TEXT, color=ink, pad=5)
    style: dict[str, Any] = {"fontsize": _style.SMALL, "color": gray}
    for strip in strips:
        strip.set_ylabel("score", rotation=0, ha="right", va="center", **style)
    for upper in [*axes, *strips][:-1]:
        upper.tick_params(bottom=False)
    last = (strips or axes)[-1]
    last.tick_params(bottom=True)
    left_out = n_channels - len(axes)
    more = f", {left_out} more channel{'s'[: left_out != 1]}" * (left_out > 0)
    last.set_xlabel(f"step{more}", fontsize=_style.TEXT, color=ink)
    if any(strip.collections for strip in strips):
        said = f"whiskers: {percent(level)} interval of each score, from sampling perturbations"
        _style.aside(last, said)
