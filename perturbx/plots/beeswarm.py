"""A dot for each score of each instance, colored by the feature's value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx.plots import _rows, _style
from perturbx.plots._instances import doubtful, feature_order, instances_of
from perturbx.result import Explanation
from perturbx.result.columns import column_of
from perturbx.result.text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DOT = 4.2
"""The diameter of a dot in points."""

_SWARM = 0.42
"""The most that dots leave the middle of their row."""


def beeswarm(
    explanation: Explanation,
    *,
    max_display: int = 10,
    order: Sequence[str | int] | None = None,
    output: int | str | None = None,
    level: float = 0.95,
    ax: Axes | None = None,
    show: bool = True,
) -> Axes:
    """Draw the scores of all instances, a row of dots for each feature.

    A dot is one instance. Its place is the score, and its color the value of the feature, from
    blue (low) to red (high); categories and missing values are gray. Dots are hollow where the
    interval of the score contains 0, so that its sign is not known.

    Parameters
    ----------
    explanation : Explanation
        Two or more instances with the same features.
    max_display : int
        The most rows to draw. If there are more features, the last row is the sum of the others,
        whose errors are not known.
    order : list of features, optional
        By name or position, from the top; None for those of the largest mean |score|.
    output : int, str or None
        The output to draw, if several were explained.
    level : float
        The level of the intervals.
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
        If there are fewer than two instances, if they have different features, if several outputs
        were explained and none is chosen, or if `order` names an unknown feature.

    Examples
    --------
    >>> px.plots.beeswarm(explainer.explain(X_test))  # doctest: +SKIP
    """
    several = instances_of(explanation, output, "beeswarm")
    every = feature_order(several, order)
    shown = _style.rows_of(max_display, len(every))
    top, rest = every[:shown], every[shown:]
    names = [several.feature_names[i] for i in top] + [f"{len(rest):,} other features"] * bool(rest)
    unsure = doubtful(several, level)
    height = 0.42 if len(names) <= 30 else 0.25
    axes: Axes = _style.axes_of(ax, 7.6, 1.25 + height * len(names))
    _limits(axes, np.column_stack([several.values[:, top], several.values[:, rest].sum(axis=1)]))
    nothing = np.full(len(several), np.nan)
    columns = [column_of(several, feature) for feature in top]
    tints = [nothing if column is None else column.scaled() for column in columns]
    for row, (feature, tint) in enumerate(zip(top, tints, strict=True)):
        dots = several.values[:, feature], tint, unsure[:, feature]
        _swarm(axes, row, *dots, points=72 * height)
    if rest:
        sums = several.values[:, rest].sum(axis=1)
        _swarm(axes, len(top), sums, nothing, np.zeros(len(sums), bool), points=72 * height)
    _rows.label_rows(axes, names, None)
    said = [f"hollow: the {percent(level)} interval contains 0"] * bool(unsure[:, top].any())
    if any(column is not None for column in columns):
        plain = ["categories and missing values"] * bool(np.isnan(tints).any())
        said += [f"gray: {' and '.join([*plain, 'sums'][: len(plain) + bool(rest)])}"] * bool(
            plain or rest
        )
    _words(axes, several, said, any(column is not None for column in columns))
    return _style.finished(axes, show)  # type: ignore[no-any-return]


def _limits(ax: Axes, scores: Floats) -> None:
    """All scores and 0, and lines that lead from dots to names."""
    line = _style.tones(ax)[2]
    known = scores[np.isfinite(scores)]
    _style.room(ax, float(known.min(initial=0.0)), float(known.max(initial=0.0)), 8, 8)
    ax.axvline(0, color=line, linewidth=1, zorder=0)
    for row in range(scores.shape[1]):
        ax.axhline(row, color=line, linewidth=0.5, linestyle=(0, (1, 4)), zorder=0)


def _swarm(
    ax: Axes, row: int, scores: Floats, tint: Floats, unsure: NDArray[np.bool_], points: float
) -> None:
    """The dots of one feature; gray where the value has no place between low and high."""
    gray = np.array([_to_rgba(_style.tones(ax)[1])])
    colors = np.where(np.isnan(tint)[:, None], gray, _style.low_to_high()(np.nan_to_num(tint)))
    heights = row + _spread(ax, scores, points)
    style: dict[str, Any] = {"s": _DOT**2, "linewidths": 0.0, "zorder": 3, "clip_on": False}
    ax.scatter(scores[~unsure], heights[~unsure], c=colors[~unsure], **style)
    hollow = {"s": (_DOT - 1) ** 2, "linewidths": 0.7, "facecolors": "none", "zorder": 2}
    ax.scatter(scores[unsure], heights[unsure], **{**style, **hollow, "edgecolors": colors[unsure]})


def _spread(ax: Axes, scores: Floats, points: float) -> Floats:
    """How far each dot leaves the middle of its row, so that dots lie side by side."""
    low, high = ax.get_xlim()
    width = 0.7 * ax.bbox.width * 72 / ax.figure.dpi
    bins = np.round(np.nan_to_num((scores - low) / (high - low)) * width / (0.8 * _DOT))
    layers = np.zeros(len(scores))
    for bin_ in np.unique(bins):
        members = np.flatnonzero(bins == bin_)
        place = np.arange(len(members))
        layers[members] = np.where(place % 2, 1, -1) * ((place + 1) // 2)
    most = np.abs(layers).max(initial=0.0)
    return np.asarray(layers * min(0.9 * _DOT / points, _SWARM / max(most, 1.0)))


def _to_rgba(color: str) -> tuple[float, float, float, float]:
    from matplotlib.colors import to_rgba

    return to_rgba(color)


def _words(ax: Axes, several: Explanation, said: list[str], has_values: bool) -> None:
    """What is drawn, a bar for the colors, and what hollow and gray dots are."""
    from matplotlib.cm import ScalarMappable

    _style.clean(ax, f"{_style.scores_of(several)}, {len(several):,} instances")
    if has_values:
        bar = _style.color_bar(ScalarMappable(cmap=_style.low_to_high()), ax, "feature value")
        bar.set_ticks([0, 1], labels=["low", "high"])
    if said:
        _style.aside(ax, "; ".join(said))
