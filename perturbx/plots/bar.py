"""Bars of the most important features, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx._typing import Floats
from perturbx.errors import InvalidParameterError
from perturbx.features import Regions, SeriesMap, Spans
from perturbx.features.places import aligned
from perturbx.plots import _rows, _style
from perturbx.result import Explanation, one_output, without_rounding

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class _Bars:
    """(rows, outputs) arrays to draw; the ends of intervals are NaN where unknown."""

    names: list[str]
    data: list[Any] | None
    scores: Floats
    lower: Floats
    upper: Floats
    has_rest: bool


def bar(
    explanation: Explanation,
    *,
    max_display: int = 10,
    output: int | str | None = None,
    ax: Axes | None = None,
    show: bool = True,
) -> Axes:
    """Draw the largest scores of one instance, or the mean |score| over several instances.

    Whiskers are 95% intervals. For one instance they cover the error of sampling perturbations;
    for several they are those of `Explanation.importance`. Several outputs are drawn side by
    side. Next to the names are values of the data, or pieces of the image.

    Parameters
    ----------
    explanation : Explanation
        One instance (``explanation[0]``) or several.
    max_display : int
        The most rows to draw. If there are more features, the last row is the sum of the others.
        For one instance it has no interval, since the errors of its scores are correlated; for
        several their intervals add up, which is the most that the error can be. The row is left
        out for images whose scores do not add up.
    output : int, str or None
        The output to draw; None for all of them, if there are at most six.
    ax : matplotlib Axes or None
        Where to draw; None for a new figure.
    show : bool
        Call ``plt.show()``; False to continue drawing.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InvalidParameterError
        If there is no feature axis, if there are more than six outputs and none is chosen, or for
        several images or texts, whose features have nothing in common.
    """
    explanation = without_rounding(_drawable(_style.explanation_of(explanation), output))
    several = "instance" in explanation.axes
    bars = _means(explanation, max_display) if several else _scores(explanation, max_display)
    n, k = bars.scores.shape
    ax = _style.axes_of(ax, 7.2, 1.1 + n * _rows.height(bars.data, max(0.33, 0.09 + 0.15 * k)))
    ax.axvline(0, color=_style.tones(ax)[2], linewidth=1, zorder=0)
    for j in range(k):
        _draw(ax, bars, j, explanation)
    _rows.label_rows(ax, bars.names, bars.data)
    if k == 1:
        ends = bars.lower[:, 0], bars.upper[:, 0]
        _style.limits_beside_bars(ax, bars.scores[:, 0], *ends, signed=not several)
    else:
        lower = np.fmin(np.fmin(bars.lower, bars.scores), 0).min()
        upper = np.fmax(np.fmax(bars.upper, bars.scores), 0).max()
        _style.room(ax, lower, upper, 8.0 * bool((bars.scores < 0).any()), 8)
    _style.clean(ax, _caption(explanation, max_display))
    if (bars.upper > bars.lower).any():
        of = "the mean over instances" if several else "each score, from sampling perturbations"
        _style.aside(ax, f"whiskers: 95% interval of {of}")
    if k > 1:
        ax.legend(frameon=False, fontsize=_style.SMALL, labelcolor=_style.tones(ax)[0])
    return _style.finished(ax, show)  # type: ignore[no-any-return]


def _drawable(explanation: Explanation, output: int | str | None) -> Explanation:
    if "feature" not in explanation.axes or not np.size(explanation.values):
        raise InvalidParameterError(
            f"bar compares features, but this explanation has axes {explanation.axes} of shape "
            f"{explanation.shape}: pass one in which no single feature was picked."
        )
    many = "output" in explanation.axes and explanation.shape[-1] > len(_style.OUTPUT_COLORS)
    if output is not None or many or explanation.shape[-1] == 1:
        explanation = one_output(explanation, output)
    if "instance" in explanation.axes and len(explanation) == 1:
        return explanation[0]
    if isinstance(explanation.regions, tuple) and not _share_segments(explanation.regions):
        raise InvalidParameterError(
            "Regions of different images, and pieces of different texts, have nothing in common to "
            "take a mean of: use bar(explanation[i]), overlay of one image, or text of one text."
        )
    return explanation


def _share_segments(regions: tuple[Regions | Spans, ...]) -> bool:
    """Whether these are series of the same segments, or texts of the same pieces."""
    return all(isinstance(one, (SeriesMap, Spans)) for one in regions) and aligned(regions)


def _scores(explanation: Explanation, max_display: int) -> _Bars:
    """The scores of one instance, with the sum of those that get no row."""
    d = len(explanation.feature_names)
    scores, lower, upper = (
        np.reshape(a, (d, -1)) for a in (explanation.values, *explanation.interval())
    )
    top, rest = _split(np.abs(scores), max_display)
    if _sums_say_nothing(explanation):
        top, rest = [*top, *rest][:max_display], []
    unknown = np.full((1, scores.shape[1]), np.nan)
    total = scores[rest].sum(axis=0, keepdims=True)
    data = _rows.cells(explanation, top)
    if data is not None and rest:
        data.append(_rows.NO_VALUE)
    return _Bars(
        _names(explanation, top, rest),
        data,
        np.concatenate([scores[top], total][: 1 + bool(len(rest))]),
        np.concatenate([lower[top], unknown][: 1 + bool(len(rest))]),
        np.concatenate([upper[top], unknown][: 1 + bool(len(rest))]),
        len(rest) > 0,
    )


def _sums_say_nothing(explanation: Explanation) -> bool:
    """True for images whose scores do not add up, such as those of overlapping windows."""
    return explanation.regions is not None and explanation.residual is None


def _means(explanation: Explanation, max_display: int) -> _Bars:
    """Importance over instances; the last row is the sum of the others, and of their errors."""
    found = explanation.importance()
    values, _, upper = (
        ends.reshape(len(found.feature_names), -1) for ends in (found.values, *found.interval())
    )
    top, rest = _split(values, max_display)
    scores, half = (
        np.concatenate([part[top], part[rest].sum(axis=0, keepdims=True)][: 1 + bool(rest)])
        for part in (values, upper - values)
    )
    names = _names(explanation, top, rest)
    return _Bars(names, None, scores, np.maximum(scores - half, 0), scores + half, len(rest) > 0)


def _split(sizes: Floats, max_display: int) -> tuple[list[int], list[int]]:
    """The features that get their own row, largest first, and the others."""
    order = np.argsort(-np.nan_to_num(sizes).max(axis=1), kind="stable").tolist()
    shown = _style.rows_of(max_display, len(order))
    return order[:shown], order[shown:]


def _names(explanation: Explanation, top: list[int], rest: list[int]) -> list[str]:
    names = [explanation.feature_names[i] for i in top]
    return [*names, f"{len(rest):,} other features"] if rest else names


def _draw(ax: Axes, bars: _Bars, j: int, explanation: Explanation) -> None:
    """Draw the bars of one output, with whiskers."""
    n, k = bars.scores.shape
    scores, height = bars.scores[:, j], 0.62 if k == 1 else 0.8 / k
    rows = np.arange(n) + (j - (k - 1) / 2) * height
    colors: Any = _style.OUTPUT_COLORS[j % len(_style.OUTPUT_COLORS)]
    label = None
    if k > 1:
        names = explanation.output_names
        label = (
            f"output {j + 1}"
            if np.ndim(names) == 2
            else _style.safe(_style.output_label(str(names[j])))
        )
    else:
        signed = [_style.BLUE if score < 0 else _style.RED for score in scores]
        colors = _style.NEUTRAL if "instance" in explanation.axes else signed
    drawn = ax.barh(rows, scores, height=height * 0.94, color=colors, label=label, zorder=2)
    if bars.has_rest:
        drawn[-1].set_alpha(0.45)
    _style.whiskers(ax, scores, rows, bars.lower[:, j], bars.upper[:, j])


def _caption(explanation: Explanation, max_display: int) -> str:
    names = explanation.output_names
    known = "output" not in explanation.axes and np.ndim(names) == 1 and len(names) == 1
    output = f" for {_style.output_label(str(names[0]))}" if known else ""
    if "instance" in explanation.axes:
        return f"mean |{explanation.method_name} score|{output}, {len(explanation):,} instances"
    d = len(explanation.feature_names)
    some = _sums_say_nothing(explanation) and max_display < d
    part = f", the {max_display} largest of {d:,}" * some
    return f"{explanation.method_name} score{output}{part}"
