"""How the model's output changes while features go, or come, in the order of their scores."""

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
"""A name that many points away from all lines is far enough."""

_MOST = len(_style.OUTPUT_COLORS)


def curves(
    results: Curves,
    *,
    output: int | str | None = None,
    ax: Axes | Any = None,
    show: bool = True,
) -> Axes | Any:
    """Draw deletion and insertion curves, each with its number, against their references.

    A line is what the model says, in the mean over the instances, at each share of the features
    (or of the image) that was removed or inserted, those with the largest scores first; the
    number beside its name is the metric's, for deletion and insertion the area under the curve.
    References, which never saw the model, are gray and dashed. Where a panel has one method alone
    its area is shaded, or for several instances the 95% interval of the mean over them (t
    distribution).

    Parameters
    ----------
    results : a result, a list of them, or a dict
        What `perturbx.metrics.deletion` and `insertion` return, or anything with their
        attributes: `metric`, `values`, `axes`, `output_names`, `better`, `value_function`,
        `shares`, `curves` (the shares along its last axis), `references` and `reference_curves`.
        A dict compares methods by name, ``{"Lime": result, ...}``, at most six; its values may be
        lists as well. Each metric has a panel of its own.
    output : int, str or None
        The output to draw, where several were judged.
    ax : matplotlib Axes, several of them, or None
        Where to draw, one for each metric; None for a new figure.
    show : bool
        Call ``plt.show()``; False to go on drawing.

    Returns
    -------
    matplotlib Axes, or an array of them for several metrics

    Raises
    ------
    InvalidParameterError
        If a result has no curve, if there are several outputs and none is named, if a metric has
        more than six methods, or if there is another number of axes than of metrics.

    Examples
    --------
    >>> import perturbx as px
    >>> px.plots.curves([deleted, inserted])  # doctest: +SKIP
    >>> px.plots.curves({"KernelShap": deleted, "Lime": other})  # doctest: +SKIP
    """
    panels = panels_of(results, output)
    for panel in panels:
        _check(panel)
    axes = _axes(len(panels), ax)
    for one, panel in zip(axes, panels, strict=True):
        _draw(one, panel)
    axes[0].figure.draw_without_rendering()  # from here on sizes are known
    for one, panel in zip(axes, panels, strict=True):
        _legend(one, panel.lines)
    return _style.finished(axes[0] if len(axes) == 1 else np.array(axes), show)


def _check(panel: Panel) -> None:
    methods = sum(not line.is_reference for line in panel.lines)
    if methods > _MOST:
        raise InvalidParameterError(
            f"curves draws at most {_MOST} methods in one picture, and got {methods} results of "
            f"{panel.metric!r}: draw some of them."
        )


def _axes(n: int, ax: Any) -> list[Any]:
    """The caller's axes, or those of a new figure, side by side."""
    if ax is None:
        figure = _style.pyplot().figure(figsize=(5.6 * n, 3.7), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
        return list(figure.subplots(1, n, squeeze=False).ravel())
    axes = _style.axes_in(ax)
    if len(axes) != n:
        raise InvalidParameterError(
            f"curves draws one panel for each metric, here {n}, and got {len(axes)} axes: pass {n}."
        )
    return axes


def _draw(ax: Axes, panel: Panel) -> None:
    methods = [line for line in panel.lines if not line.is_reference]
    references = [line for line in panel.lines if line.is_reference]
    numbers = iter(_style.numbers([line.number for line in panel.lines], signed=False))
    for line, color in zip(methods, _style.OUTPUT_COLORS, strict=False):
        _plot(ax, line, next(numbers), color=color, linewidth=2.0, zorder=3)
    for line, dashes in zip(references, cycle(_DASHES), strict=False):
        _plot(ax, line, next(numbers), color=_style.GRAY, linewidth=1.2, linestyle=dashes)
    if len(methods) == 1:
        _shade(ax, methods[0])
    _limits(ax, [line.mean for line in panel.lines])
    _words(ax, panel)


def _plot(ax: Axes, line: Line, number: str, **style: Any) -> None:
    ax.plot(line.shares, line.mean, label=_style.safe(f"{line.label}  {number}"), **style)


def _shade(ax: Axes, line: Line) -> None:
    """The area, or the interval of the mean over instances."""
    lower, upper = np.zeros(len(line.shares)), line.mean
    each = line.each[~np.isnan(line.each).any(axis=1)]
    if len(each) > 1:
        from scipy.special import stdtrit

        n = len(each)
        half = stdtrit(n - 1, 0.975) * each.std(axis=0, ddof=1) / np.sqrt(n)
        lower, upper = upper - half, upper + half
    color = _style.OUTPUT_COLORS[0]
    ax.fill_between(line.shares, lower, upper, color=color, alpha=0.14, linewidth=0)


def _limits(ax: Axes, means: list[Floats]) -> None:
    """Limits that hold the lines and zero, from where areas are read; intervals may reach out."""
    low = min(0.0, *(float(np.nanmin(mean, initial=0.0)) for mean in means))
    high = max(0.0, *(float(np.nanmax(mean, initial=0.0)) for mean in means))
    span = (high - low) or 1.0
    ax.set(xlim=(0, 1), ylim=(low - 0.015 * span, high + 0.06 * span))


def _words(ax: Axes, panel: Panel) -> None:
    """What is drawn, and how features were removed, as the numbers mean nothing without."""
    way, number = _WAYS.get(panel.metric, ("changed", ""))
    _style.clean(ax, f"share {way}, highest scores first")
    ax.spines["left"].set(visible=True, color=_style.LINE)
    ax.tick_params(axis="y", colors=_style.GRAY, labelsize=_style.SMALL, length=3)
    ax.tick_params(axis="y", color=_style.LINE)
    name = f" for {_style.output_label(panel.output)}" * bool(panel.output)
    label = _style.safe(f"model output{name}")
    ax.set_ylabel(label, fontsize=_style.TEXT, color=_style.INK)
    metric = panel.metric.replace("_", " ").capitalize()
    style: dict[str, Any] = {"loc": "left", "fontsize": _style.TEXT + 1, "color": _style.INK}
    ax.set_title(_style.safe(metric), weight="bold", pad=7, **style)
    instances = max(len(line.each) for line in panel.lines)
    many = f"mean over {instances:,} instances, " * (instances > 1)
    style = {"fontsize": _style.SMALL, "color": _style.GRAY}
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
    """Names and numbers where no line runs, or over as little of the lines as can be."""
    size = _style.SMALL + 0.5
    legend = ax.legend(
        loc="lower left",
        borderaxespad=0,
        fontsize=size,
        labelcolor=_style.INK,
        facecolor="white",
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
    """The lower left corner of the box where it is clear of the path, all in points."""
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
