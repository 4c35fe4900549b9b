"""Rules under which a decision stays: how often they are right, and how many rows they cover."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import check_integer, invalid
from perturbx.plots import _style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _MOST_LINES = 46, 6
"""Rules are broken between conditions; of longer ones conditions in the middle are left out."""

_LINE = 0.165
"""The height of a line of text in inches."""


class DrawnRule(Protocol):
    """A rule with its precision and coverage, as `perturbx.Anchors` returns."""

    text: str
    precision: float
    precision_interval: tuple[float, float]
    coverage: float
    coverage_interval: tuple[float, float]
    threshold: float
    confidence: float
    reached: bool
    n_training: int


DrawnRules: TypeAlias = DrawnRule | Sequence[DrawnRule]

_ATTRIBUTES = ("text", "precision", "precision_interval", "coverage", "coverage_interval")


def rules(result: DrawnRules, *, max_display: int = 10, ax: Any = None, show: bool = True) -> Any:
    """Draw rules with their precision and coverage, each with its interval.

    The precision is the share of rows drawn under the rule that get the same decision, and the
    dotted line the threshold. Marks are filled where the whole interval lies above the threshold,
    and hollow where the rule was not shown to reach it. The coverage is the share of rows for
    which the rule holds.

    Parameters
    ----------
    result : Anchor, or a list of them
        As `perturbx.Anchors` returns; of one anchor its alternatives are drawn as well.
    max_display : int
        The most rules to draw, in the order of the result.
    ax : two matplotlib Axes, or None
        Where to draw precision and coverage; None for a new figure.
    show : bool
        Call ``plt.show()``; False to continue drawing.

    Returns
    -------
    array of two matplotlib Axes

    Raises
    ------
    InvalidParameterError
        If `result` has no rules; `tree` draws trees of rules.

    Examples
    --------
    >>> px.plots.rules(px.Anchors(model).fit(X).explain(X[:5]))  # doctest: +SKIP
    """
    check_integer("max_display", max_display, minimum=1)
    every = _rules(result)
    drawn = every[:max_display]
    texts = [_folded(rule.text) for rule in drawn]
    heights = np.array([1 + text.count("\n") for text in texts]) * _LINE + 0.16
    axes = _axes(ax, float(heights.sum()))
    centers = np.cumsum(heights) - heights / 2
    parts = (
        [(rule.precision, *rule.precision_interval) for rule in drawn],
        [(rule.coverage, *rule.coverage_interval) for rule in drawn],
    )
    colors = (_style.OUTPUT_COLORS[0], _style.OUTPUT_COLORS[2])
    reached = np.array([bool(rule.reached) for rule in drawn])
    for panel, part, color in zip(axes, parts, colors, strict=True):
        filled = reached if panel is axes[0] else np.ones(len(drawn), dtype=bool)
        limits = {rule.threshold for rule in drawn} if panel is axes[0] else set()
        _draw(panel, np.array(part, dtype=np.float64), centers, color, filled, limits)
        panel.set_ylim(float(heights.sum()), 0.0)
    _words(axes, drawn, texts, centers, heights, len(every) - len(drawn))
    return _style.finished(np.array(axes), show)


def _rules(result: Any) -> list[DrawnRule]:
    """The rules of a list, or one with its alternatives."""
    if all(hasattr(result, name) for name in _ATTRIBUTES):
        return [result, *getattr(result, "alternatives", ())]
    several = list(result) if isinstance(result, Sequence) and not isinstance(result, str) else []
    if not several or not all(hasattr(one, n) for one in several for n in _ATTRIBUTES):
        raise invalid(
            "result",
            "anchors, as px.Anchors(model).fit(X).explain(x) returns",
            result,
            cure="Use plots.tree for a tree of rules.",
        )
    return several


def _folded(text: str) -> str:
    """A rule on a few lines, each with whole conditions as far as they fit."""
    *conditions, last = text.split(" and ")
    lines = [""]
    for part in [*(f"{condition} and" for condition in conditions), last]:
        short = _style.shorten(part, _WIDTH)
        if lines[-1] and len(lines[-1]) + 1 + len(short) > _WIDTH:
            lines.append(short)
        else:
            lines[-1] = f"{lines[-1]} {short}".strip()
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 2], "…", lines[-1]]
    return "\n".join(lines)


def _axes(ax: Any, height: float) -> list[Any]:
    if ax is not None:
        return _style.axes_in(ax, 2, "rules draws precision and coverage")
    axes = _style.pyplot().subplots(
        1, 2, sharey=True, figsize=(9.4, height + 1.3), layout="constrained"
    )[1]
    axes[0].figure.get_layout_engine().set(wspace=0.04)
    return list(axes)


def _draw(
    ax: Axes, part: Floats, rows: Floats, color: str, filled: Any, thresholds: set[float]
) -> None:
    """(n, 3) shares with the ends of their intervals: a mark, a whisker and numbers for each."""
    gray = _style.tones(ax)[1]
    values, low, high = part.T
    known = np.isfinite(low) & np.isfinite(high)
    ax.hlines(rows[known], low[known], high[known], color=color, linewidth=1.6, zorder=2)
    faces = [color if one else ax.get_facecolor() for one in filled]
    ax.scatter(values, rows, c=faces, s=30, edgecolors=color, linewidths=1.3, zorder=3)
    texts = [
        f"{value:.3f}" + f" [{a:.3f}, {b:.3f}]" * bool(is_known)
        for value, a, b, is_known in zip(values, low, high, known, strict=True)
    ]
    for threshold in thresholds:
        ax.axvline(threshold, color=gray, linewidth=1.0, linestyle=":", zorder=1)
    ends = np.concatenate([values, low[known], high[known], list(thresholds)])
    low_end, span = float(ends.min()), float(np.ptp(ends)) or 0.05
    bottom = 0.0 if low_end < 0.5 else max(low_end - 0.15 * span, 0.0)
    ax.set_xlim(bottom, min(float(ends.max()) + 0.15 * span, 1.0 + 0.03 * span))
    place: Any = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
    for row, text in zip(rows, texts, strict=True):
        look: Any = {"fontsize": _style.SMALL, "color": gray, "va": "center"}
        ax.annotate(text, (1.0, row), (8, 0), **place, **look)


def _words(
    axes: list[Any],
    drawn: list[DrawnRule],
    texts: list[str],
    centers: Floats,
    heights: Floats,
    n_rest: int,
) -> None:
    ink, _, line = _style.tones(axes[0])
    for panel, label in zip(axes, ("precision", "coverage"), strict=True):
        _style.clean(panel, label)
        panel.tick_params(axis="y", length=0)
        panel.set_yticks(centers)
        for edge in np.cumsum(heights)[:-1]:
            panel.axhline(edge, color=line, linewidth=0.5, linestyle=(0, (1, 4)), zorder=0)
    style: dict[str, Any] = {"fontsize": _style.SMALL, "color": ink, "linespacing": 1.1}
    axes[0].set_yticklabels([_style.safe(text) for text in texts], **style)
    confidence = " or ".join(f"{100 * c:g}%" for c in sorted({r.confidence for r in drawn}))
    said = f"whiskers: {confidence} interval; dotted: threshold; hollow: not shown to reach it"
    _style.aside(axes[0], said)
    rows = sorted({rule.n_training for rule in drawn})
    of = f"of {rows[-1]:,} training rows" if rows[-1] else "of random subsets of the pieces"
    _style.aside(axes[1], of + f"; {n_rest:,} more rules" * (n_rest > 0))
