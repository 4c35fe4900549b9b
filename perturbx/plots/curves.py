"""Curves of the model's output while features are removed or inserted by their scores."""

from __future__ import annotations

from itertools import cycle
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx._typing import Floats
from perturbx.errors import InvalidParameterError
from perturbx.plots import _style
from perturbx.plots._curved import Curves, Line, Panel, panels_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_AREA = "area under the curve: "
_WAYS = {"deletion": ("removed", _AREA), "insertion": ("inserted", _AREA)}
_DASHES = ((0, (5, 2)), (0, (1, 1.6)), (0, (6, 2, 1, 2)))
_WIDTH = 68
_CLEAR = 12.0
"""A legend that many points away from all lines is far enough."""

_MOST = len(_style.OUTPUT_COLORS)


def curves(
    results: Curves,
    *,
    output: int | str | None = None,
    ax: Axes | Any = None,
    show: bool = True,
) -> Axes | Any:
    """Draw deletion and insertion curves with their numbers, next to their references.

    A line is the model's output, averaged over instances, against the fraction of the features
    (or of the image) that was removed or inserted, largest scores first. The number next to its
    name is the metric's value, for deletion and insertion the area under the curve. References,
    which never saw the model, are gray and dashed. If a panel has a single method, its area is
    shaded, or for several instances the 95% interval of the mean over them (t distribution).

    Parameters
    ----------
    results : a result, a list of them, or a dict
        Results of `perturbx.metrics.deletion` and `insertion`, or anything with their
        attributes: `metric`, `values`, `axes`, `output_names`, `better`, `value_function`,
        `shares`, `curves` (the shares along its last axis), `references` and `reference_curves`.
        A dict compares at most six methods by name, ``{"Lime": result, ...}``; its values may be
        lists as well. Each metric gets its own panel.
    output : int, str or None
        The output to draw, if the results have several.
    ax : matplotlib Axes, several of them, or None
        Where to draw, one per metric; None for a new figure.
    show : bool
        Call ``plt.show()``; False to continue drawing.

    Returns
    -------
    matplotlib Axes, or an array of them for several metrics

    Raises
    ------
    InvalidParameterError
        If a result has no curve, if there are several outputs and none is chosen, if a metric has
        more than six methods, or if the numbers of axes and metrics differ.

    Examples
    --------
    >>> import perturbx as px
    >>> px.plots.curves([deleted, inserted])  # doctest: +SKIP
    >>> px.plots.curves({"KernelShap": deleted, "Lime": other})  # doctest: +SKIP
    """
    panels = panels_of(results, output)
    for panel in panels:
        methods = sum(not line.is_reference for line in panel.lines)
        if methods > _MOST:
            raise InvalidParameterError(
                f"curves draws at most {_MOST} methods in one picture, and got {methods} results "
                f"of {panel.metric!r}: draw some of them."
            )
    axes = _axes(len(panels), ax)
    for one, panel in zip(axes, panels, strict=True):
        _draw(one, panel)
    axes[0].figure.draw_without_rendering()  # computes the sizes
    for one, panel in zip(axes, panels, strict=True):
        _legend(one, panel.lines)
    return _style.finished(axes[0] if len(axes) == 1 else np.array(axes), show)


def _axes(n: int, ax: Any) -> list[Any]:
    """The caller's axes, or those of a new figure, side by side."""
    if ax is not None:
        return _style.axes_in(ax, n, f"curves draws one panel per metric, here {n},")
    figure = _style.pyplot().figure(figsize=(5.6 * n, 3.7), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    return list(figure.subplots(1, n, squeeze=False).ravel())


def _draw(ax: Axes, panel: Panel) -> None:
    methods = [line for line in panel.lines if not line.is_reference]
    references = [line for line in panel.lines if line.is_reference]
    numbers = iter(_style.numbers([line.number for line in panel.lines], signed=False))
    for line, color in zip(methods, _style.OUTPUT_COLORS, strict=False):
        _plot(ax, line, next(numbers), color=color, linewidth=2.0, zorder=3)
    for line, dashes in zip(references, cycle(_DASHES), strict=False):
        _plot(ax, line, next(numbers), color=_style.tones(ax)[1], linewidth=1.2, linestyle=dashes)
    if len(methods) == 1:
        _shade(ax, methods[0])
    _limits(ax, [line.mean for line in panel.lines])
    _words(ax, panel)


def _plot(ax: Axes, line: Line, number: str, **style: Any) -> None:
    ax.plot(line.shares, line.mean, label=_style.safe(f"{line.label}  {number}"), **style)


def _shade(ax: Axes, line: Line) -> None:
    """Shade the area, or the interval of the mean over instances."""
    lower, upper = np.zeros(len(line.shares)), line.mean
    each = line.each[~np.isnan(line.each).any(axis=1)]
    if len(each) > 1:
        half = _style.half_interval(each)
        lower, upper = upper - half, upper + half
    color = _style.OUTPUT_COLORS[0]
    ax.fill_between(line.shares, lower, upper, color=color, alpha=0.14, linewidth=0)


def _limits(ax: Axes, means: list[Floats]) -> None:
    """Limits that contain the lines and zero, where areas start; intervals may be cut off."""
    low = min(0.0, *(float(np.nanmin(mean, initial=0.0)) for mean in means))
    high = max(0.0, *(float(np.nanmax(mean, initial=0.0)) for mean in means))
    span = (high - low) or 1.0
    ax.set(xlim=(0, 1), ylim=(low - 0.015 * span, high + 0.06 * span))


def _words(ax: Axes, panel: Panel) -> None:
    """Labels and titles, and how features were removed, without which numbers mean little."""
    way, number = _WAYS.get(panel.metric, ("changed", ""))
    _style.clean(ax, f"share {way}, highest scores first")
    ink, gray, rule = _style.tones(ax)
    ax.spines["left"].set(visible=True, color=rule)
    ax.tick_params(axis="y", colors=gray, labelsize=_style.SMALL, length=3)
    ax.tick_params(axis="y", color=rule)
    name = f" for {_style.output_label(panel.output)}" * bool(panel.output)
    label = _style.safe(f"model output{name}")
    ax.set_ylabel(label, fontsize=_style.TEXT, color=ink)
    metric = panel.metric.replace("_", " ").capitalize()
    style: dict[str, Any] = {"loc": "left", "fontsize": _style.TEXT + 1, "color": ink}
    ax.set_title(_style.safe(metric), weight="bold", pad=7, **style)
    instances = max(len(line.each) for line in panel.lines)
    many = f"mean over {instances:,} instances, " * (instances > 1)
    style = {"fontsize": _style.SMALL, "color": gray}
    ax.set_title(f"{many}{number}{panel.better} is better", loc="right", pad=7, **style)
    removal = "\nor ".join(fill(text, _WIDTH) for text in panel.value_functions)
    ax.annotate(
        _style.safe(removal),
        (0, 0),
        xytext=(0, -36),
        xycoords="axes fraction",
        textcoords="offset points",
        va="top",
        **style,
    )


def _legend(ax: Axes, lines: tuple[Line, ...]) -> None:
    """Names and numbers where there is no line, or where they cover as little as possible."""
    size = _style.SMALL + 0.5
    legend = ax.legend(
        loc="lower left",
        borderaxespad=0,
        fontsize=size,
        labelcolor=_style.tones(ax)[0],
        facecolor=ax.get_facecolor(),
        edgecolor="none",
        framealpha=0.8,
    )
    points = np.array(ax.bbox.size) * 72 / ax.figure.dpi
    box = np.array(legend.get_window_extent().size) * 72 / ax.figure.dpi
    x, (low, high) = np.linspace(0, 1, 401), ax.get_ylim()
    y = [(np.interp(x, line.shares, line.mean) - low) / (high - low) for line in lines]
    path = np.stack([np.tile(x, len(lines)), np.concatenate(y)], axis=1) * points
    legend.set_bbox_to_anchor(tuple(_clearest(path, box, points) / points), ax.transAxes)


def _clearest(path: Floats, box: Floats, axes: Floats) -> Floats:
    """The lower left corner of the box where it is farthest from the path, all in points."""
    best, corner = -np.inf, np.zeros(2)
    for left in np.linspace(max(axes[0] - box[0] - 4, 0), 4, 24):
        for low in np.linspace(max(axes[1] - box[1] - 4, 0), 4, 24):
            start = np.array([left, low])
            gaps = np.maximum(start - path, path - start - box)
            inside = float((gaps < 0).all(axis=1).mean())
            away = float(np.hypot(*np.maximum(gaps, 0).T).min())
            score = -inside if inside else min(away, _CLEAR)
            if score > best:
                best, corner = score, start
    return corner
