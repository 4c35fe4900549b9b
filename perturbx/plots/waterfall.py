"""A waterfall of scores, from the base value to the prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import check_number
from perturbx.plots import _rows, _style
from perturbx.plots._instances import additive
from perturbx.result import Explanation

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def waterfall(
    explanation: Explanation,
    *,
    max_display: int = 10,
    output: int | str | None = None,
    level: float = 0.95,
    ax: Axes | None = None,
    show: bool = True,
) -> Axes:
    """Draw how the scores of one instance add up from the base value to the prediction.

    Read it from the bottom up: each bar starts where the previous one ended. Red bars go to the
    right, blue ones to the left. The whisker at the end of a bar is the interval of its score.
    Next to the names are values of the data, or pieces of the image.

    Parameters
    ----------
    explanation : Explanation
        One instance of a method whose scores add up (``explanation[0]``).
    max_display : int
        The most rows to draw. If there are more features, the last row is the sum of the others;
        it has no interval, since the errors of its scores are correlated.
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
        If the scores do not add up to the prediction, or if there is more than one instance.
    """
    check_number("level", level, above=0, below=1)
    one = additive(explanation, output, "waterfall")
    scores = one.values
    order = np.argsort(-np.abs(scores), kind="stable").tolist()
    shown = _style.rows_of(max_display, len(order))
    top, rest = order[:shown], order[shown:]
    steps = np.array([*scores[top], scores[rest].sum()][: shown + bool(rest)])
    low, high = (
        np.array([*reach[top], np.nan][: len(steps)]) - steps for reach in one.interval(level)
    )
    base = float(one.base_values)
    ends = base + np.cumsum(steps[::-1])[::-1]
    data = _rows.cells(one, top)
    data = None if data is None else [*data, _rows.NO_VALUE][: len(steps)]
    ax = _style.axes_of(ax, 7.6, 1.55 + _rows.height(data, 0.34) * len(steps))
    drawn = ax.barh(
        range(len(steps)),
        steps,
        left=ends - steps,
        height=0.62,
        color=[_style.BLUE if step < 0 else _style.RED for step in steps],
        zorder=2,
    )
    if rest:
        drawn[-1].set_alpha(0.45)
    _style.whiskers(ax, ends, np.arange(len(steps)), ends + low, ends + high)
    rows = [one.feature_names[i] for i in top] + [f"{len(rest):,} other features"] * bool(rest)
    _rows.label_rows(ax, rows, data)
    _guides(ax, base, ends, float(one.predictions))
    _annotate(ax, steps, ends, np.fmin(low, 0), np.fmax(high, 0))
    name = str(one.output_names[0]) if len(one.output_names) == 1 else ""
    output_name = f" for {_style.output_label(name)}" if name not in ("", "output") else ""
    _style.clean(ax, f"model output{output_name}, {one.method_name}")
    _style.aside(ax, "read upwards, from the base value to the prediction")
    return _style.finished(ax, show)  # type: ignore[no-any-return]


def _guides(ax: Axes, base: float, ends: Floats, prediction: float) -> None:
    """The base value, the connections between bars, and the prediction."""
    n, (ink, gray, _) = len(ends), _style.tones(ax)
    for row, end in enumerate(ends[1:]):
        ax.plot([end, end], [row + 0.31, row + 0.69], color=gray, linewidth=0.8, zorder=1)
    ax.set_ylim(n + 0.25, -1.25)
    ax.plot([base, base], [n - 0.69, n - 0.3], color=gray, linewidth=0.8, zorder=1)
    ax.plot([prediction, prediction], [-0.31, -0.7], color=gray, linewidth=0.8, zorder=1)
    start, arrival = _style.numbers([base, prediction], signed=False)
    style: dict[str, Any] = {"ha": "center", "fontsize": _style.TEXT, "color": ink}
    ax.text(base, n - 0.25, f"base value {start}", va="top", **style)
    ax.text(prediction, -0.75, f"prediction {arrival}", va="bottom", weight="bold", **style)


def _annotate(ax: Axes, steps: Floats, ends: Floats, low: Floats, high: Floats) -> None:
    """Limits that contain everything, and the scores as text."""
    texts = _style.numbers(steps)
    space = _style.width_of(texts, _style.SMALL) + 10
    starts = ends - steps
    _style.room(
        ax,
        min((ends + low).min(), starts.min()),
        max((ends + high).max(), starts.max()),
        space if (steps < 0).any() else 8,
        space if (steps >= 0).any() else 8,
    )
    _style.beside_bars(ax, texts, steps, ends + low, ends + high)
