"""Effect curves with their intervals, and where the rows lie."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import check_integer, check_number, invalid, position_of
from perturbx.errors import InvalidParameterError
from perturbx.plots import _style
from perturbx.result import EffectCurve, EffectCurves
from perturbx.result.effects import shown
from perturbx.result.text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = len(_style.OUTPUT_COLORS)
_MOST_LABELS = 24
"""Of more categories those of the most rows are drawn."""

_N_BARS = 40
_MOST_MARKS = 15
"""Lines of at most so many points have a mark at each."""

_COLUMNS = 4


def effects(
    curves: EffectCurves,
    *,
    output: int | str | None = None,
    level: float = 0.95,
    rows: int = 50,
    max_display: int = 12,
    ax: Any = None,
    show: bool = True,
) -> Any:
    """Draw effect curves, each in its own panel, all on one scale.

    Numbers have a line with a band, categories points with whiskers, those of the most rows if
    there are more than 24. Bands and whiskers are intervals of each point by itself. Gray bars at
    the bottom show where the rows lie: where there are few, the curve says little. Thin lines are
    the curves of single rows, where they are known (``method="pdp"``); the most extreme of them
    may be cut off.

    Colors of text and lines follow the background, so the plot may be drawn in a dark style, as
    in ``with plt.style.context("dark_background")``.

    Parameters
    ----------
    curves : EffectCurves
        As ``px.Effects(model).fit(X).explain()`` returns.
    output : int, str or None
        The output to draw; None for all of them, if there are at most six.
    level : float
        The level of the intervals.
    rows : int
        The most curves of single rows, evenly spaced among all; they are drawn for one output.
    max_display : int
        If there are more curves, those that vary most are drawn.
    ax : matplotlib Axes, several of them, or None
        Where to draw, one for each curve; None for a new figure.
    show : bool
        Call ``plt.show()``; False to continue drawing.

    Returns
    -------
    array of matplotlib Axes, one for each curve

    Raises
    ------
    InvalidParameterError
        If there are more than six outputs and none is chosen, or another number of axes.

    Examples
    --------
    >>> import perturbx as px
    >>> px.plots.effects(px.Effects(model).fit(X).explain())  # doctest: +SKIP
    """
    if not isinstance(curves, EffectCurves):
        expected = "EffectCurves, as px.Effects(model).fit(X).explain() returns"
        raise invalid("curves", expected, curves)
    check_number("level", level, above=0, below=1)
    check_integer("rows", rows, minimum=0)
    check_integer("max_display", max_display, minimum=1)
    outputs = _outputs(curves, output)
    drawn = _largest(curves, outputs, max_display)
    axes = _axes(drawn, ax)
    rows = rows if len(outputs) == 1 else 0
    for panel, curve in zip(axes, drawn, strict=True):
        _draw_rows(panel, curve, outputs[0], rows)
        draw = _draw_line if curve.is_number else _draw_points
        for place, j in enumerate(outputs):
            draw(panel, curve, place, j, len(outputs), level)
        _draw_counts(panel, curve)
        _bare(panel, curve)
    _scale(axes, drawn, outputs, level, rows)
    _words(curves, axes, outputs, level, ax is None)
    return _style.finished(np.array(axes), show)


def _outputs(curves: EffectCurves, output: int | str | None) -> list[int]:
    """The positions of the outputs to draw."""
    names = curves.output_names
    if output is not None:
        return [position_of(output, names, len(names), "output", InvalidParameterError)]
    if len(names) > _MOST:
        raise InvalidParameterError(
            f"effects draws at most {_MOST} outputs in one panel, and there are {len(names)}: "
            f"choose one, as in output={names[0]!r}."
        )
    return list(range(len(names)))


def _by_output(curve: EffectCurve, values: Floats) -> Floats:
    """(K, k), also of a curve without an axis of outputs."""
    return values.reshape(len(curve.grid), -1)


def _largest(curves: EffectCurves, outputs: list[int], most: int) -> list[EffectCurve]:
    """The curves that vary most, in the order of the user."""
    sizes = [float(np.ravel(curve.size)[outputs].max()) for curve in curves]
    kept = np.sort(np.argsort(-np.array(sizes), kind="stable")[:most])
    return [curves[int(i)] for i in kept]


def _axes(drawn: list[EffectCurve], ax: Any) -> list[Any]:
    """The caller's axes, or those of a new figure, at most four in a row."""
    n = len(drawn)
    if ax is not None:
        return _style.axes_in(ax, n, f"effects draws one panel for each curve, here {n},")
    columns = n if n < _COLUMNS else _COLUMNS if n != 5 else 3
    n_rows = -(-n // columns)
    labels = [any(not c.is_number for c in drawn[i : i + columns]) for i in range(0, n, columns)]
    heights = [(3.4 if n_rows == 1 else 2.3) + 0.7 * has for has in labels]
    width = {1: 6.2, 2: 9.0}.get(columns, 3.05 * columns)
    figure, grid = _style.pyplot().subplots(
        n_rows,
        columns,
        figsize=(width, sum(heights) + 0.5),
        height_ratios=heights,
        layout="constrained",
        squeeze=False,
    )
    figure.get_layout_engine().set(w_pad=0.05, h_pad=0.06)
    panels = list(grid.ravel())
    for unused in panels[n:]:
        unused.remove()
    return panels[:n]


def _of_rows(curve: EffectCurve, j: int, most: int) -> Floats:
    """(m, K): the curves of some rows; none for categories."""
    if curve.individual is None or not most or not curve.is_number:
        return np.empty((0, len(curve.grid)))
    m = len(curve.individual)
    chosen = np.unique(np.linspace(0, m - 1, min(most, m)).astype(int))
    return np.asarray(curve.individual.reshape(m, len(curve.grid), -1)[chosen, :, j])


def _draw_rows(ax: Axes, curve: EffectCurve, j: int, most: int) -> None:
    """Thin lines: the curves of some rows."""
    lines = _of_rows(curve, j, most)
    if len(lines):
        gray = _style.tones(ax)[1]
        ax.plot(curve.positions, lines.T, color=gray, linewidth=0.5, alpha=0.35, zorder=1)


def _draw_line(ax: Axes, curve: EffectCurve, place: int, j: int, n: int, level: float) -> None:
    color = _style.OUTPUT_COLORS[place]
    low, high = (_by_output(curve, ends)[:, j] for ends in curve.interval(level))
    marks = "o" if len(curve.grid) <= _MOST_MARKS else ""
    ax.fill_between(
        curve.positions, low, high, color=color, alpha=0.22, linewidth=0, zorder=2 + place
    )
    ax.plot(
        curve.positions,
        _by_output(curve, curve.values)[:, j],
        color=color,
        linewidth=1.6,
        marker=marks,
        markersize=3.0,
        zorder=2 + n + place,
        label=_style.safe(_style.output_label(curve.output_names[j])),
    )


def _draw_points(ax: Axes, curve: EffectCurve, place: int, j: int, n: int, level: float) -> None:
    """A point with its whisker for each category, outputs side by side."""
    kept = _kept(curve)
    low, high = (_by_output(curve, ends)[kept, j] for ends in curve.interval(level))
    values = _by_output(curve, curve.values)[kept, j]
    x = np.arange(len(kept)) + (place - (n - 1) / 2) * 0.7 / n
    ax.errorbar(
        x,
        values,
        yerr=[values - low, high - values],
        fmt="o",
        markersize=4.0 if n == 1 else 3.0,
        color=_style.OUTPUT_COLORS[place],
        elinewidth=1.2,
        capsize=2.0,
        zorder=2 + place,
        label=_style.safe(_style.output_label(curve.output_names[j])),
    )


def _kept(curve: EffectCurve) -> Any:
    """The categories that are drawn, in the order of the curve."""
    return np.sort(np.argsort(-curve.counts, kind="stable")[:_MOST_LABELS])


def _draw_counts(ax: Axes, curve: EffectCurve) -> None:
    """Where the rows lie, as gray bars at the bottom."""
    if curve.is_number:
        few = len(curve.grid) <= _MOST_MARKS and np.isin(curve.data, curve.positions).all()
        span = float(np.ptp(curve.positions)) or 1.0
        if few:
            x, heights, width = curve.positions, curve.counts, span / 40
        else:
            heights, ends = np.histogram(curve.data, _N_BARS)
            x, width = (ends[1:] + ends[:-1]) / 2, span / _N_BARS
    else:
        heights = curve.counts[_kept(curve)]
        x, width = np.arange(float(len(heights))), 0.6
    _style.rug(ax, x, heights, width)


def _bare(ax: Axes, curve: EffectCurve) -> None:
    """No box, gray numbers, the name of the feature below."""
    from matplotlib.ticker import MaxNLocator

    _style.framed(ax)
    ax.yaxis.set_major_locator(MaxNLocator(5))
    if curve.is_number:
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=_is_whole(curve.positions)))
        ax.ticklabel_format(axis="x", style="sci", scilimits=(-4, 5), useMathText=True)
    else:
        names = [_style.safe(shown(curve.grid[i])) for i in _kept(curve)]
        slanted = max(map(len, names)) * len(names) > 30
        turned: dict[str, Any] = {"rotation": 90} if slanted else {}
        ax.set_xticks(range(len(names)), names, fontsize=_style.SMALL - 1, **turned)
        ax.set_xlim(-0.6, len(names) - 0.4)
    label = fill(_style.shorten(curve.feature, 56), 30)
    ax.set_xlabel(_style.safe(label), fontsize=_style.TEXT, color=_style.tones(ax)[0])


def _is_whole(positions: Floats) -> bool:
    return bool((positions == np.round(positions)).all())


def _scale(
    axes: list[Any], drawn: list[EffectCurve], outputs: list[int], level: float, rows: int
) -> None:
    """One scale for all panels: the intervals, most of the thin lines, and the bars below them."""
    ends = [np.zeros(1)]
    for curve in drawn:
        for part in (curve.values, *curve.interval(level)):
            ends.append(_by_output(curve, part)[:, outputs].ravel())
        if len(lines := _of_rows(curve, outputs[0], rows)):
            ends.append(np.quantile(lines, [0.05, 0.95], axis=0).ravel())
    known = np.concatenate(ends)
    low, high = float(np.nanmin(known)), float(np.nanmax(known))
    span = (high - low) or 1.0
    for ax in axes:
        ax.set_ylim(low - (0.05 + 1.3 * _style.RUG) * span, high + 0.05 * span)


def _words(
    curves: EffectCurves, axes: list[Any], outputs: list[int], level: float, is_new: bool
) -> None:
    """What the vertical axis is, which color is which output, and how to read the bands."""
    ink, gray, _ = _style.tones(axes[0])
    names = [_style.output_label(curves.output_names[j]) for j in outputs]
    said = f"effect on {names[0]}" if len(names) == 1 else "effect on the output"
    for ax in axes:
        if not is_new or ax.get_subplotspec().is_first_col():
            label = _style.safe(_style.shorten(said, 40))
            ax.set_ylabel(label, fontsize=_style.TEXT, color=ink)
    if len(names) > 1:
        axes[0].legend(frameon=False, fontsize=_style.SMALL, labelcolor=ink)
    if is_new:
        left_out = len(curves) - len(axes)
        more = f"; {left_out} more curves vary less" * (left_out > 0)
        text = (
            f"{curves.method} over {curves.n_instances:,} rows, gray bars: where they lie; "
            f"{percent(level)} interval of each point{more}"
        )
        width = int(axes[0].figure.get_figwidth() * 15)
        axes[0].figure.supxlabel(_style.safe(fill(text, width)), fontsize=_style.SMALL, color=gray)
