"""The scores of one instance on one line, pushing the output from both sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx.plots import _style
from perturbx.plots._instances import additive, doubtful
from perturbx.result import Explanation
from perturbx.result.text import percent
from perturbx.result.text import show as shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TIP = 5.0
"""The length of an arrow's tip, in points."""

_BOTTOM, _TOP = 0.08, 0.92
"""The edges of the arrows, relative to the height of the axes."""

_LEVELS = 4
"""Names that would overlap stand on so many lines below each other."""

_LINE = 13.0
_NAME = 26
_PALE = 0.38


@dataclass(frozen=True)
class _Force:
    """One arrow: its score, its name with the value, and whether its sign is not known."""

    score: float
    name: str
    is_pale: bool


def force(
    explanation: Explanation,
    *,
    max_display: int = 10,
    output: int | str | None = None,
    level: float = 0.95,
    ax: Axes | None = None,
    show: bool = True,
) -> Axes:
    """Draw the scores of one instance on one line, as arrows that push the output.

    Red arrows push it up, from the left; blue ones push it down, from the right. They meet at the
    prediction, the largest in the middle. If they stood alone, each side would lead away from the
    base value. Pale arrows have an interval that contains 0, so that their direction is not known.

    Parameters
    ----------
    explanation : Explanation
        One instance of a method whose scores add up (``explanation[0]``).
    max_display : int
        The most features with an arrow of their own; the others are summed on each side. Names
        that find no place are left out.
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

    Examples
    --------
    >>> px.plots.force(explanation[0])  # doctest: +SKIP
    """
    one = additive(explanation, output, "force")
    forces = _forces(one, _style.rows_of(max_display, len(one.values)), level)
    axes: Axes = _style.axes_of(ax, 9.0, 2.1)
    base, prediction = float(one.base_values), float(one.predictions)
    _limits(axes, base, prediction, forces)
    places = []
    for sign, color in ((1, _style.RED), (-1, _style.BLUE)):
        tip = prediction
        for each in forces:
            if sign * each.score > 0:
                _arrow(axes, tip - each.score, tip, color, each.is_pale)
                places.append(tip - each.score / 2)
                tip -= each.score
    ordered = [each for sign in (1, -1) for each in forces if sign * each.score > 0]
    depth = _names(axes, ordered, places)
    _ends(axes, base, prediction)
    said = _style.scores_of(one)
    pale = f"; pale: a sum, or the {percent(level)} interval contains 0"
    _style.aside(axes, _style.safe(said + pale * any(f.is_pale for f in forces)), below=depth)
    return _style.finished(axes, show)  # type: ignore[no-any-return]


def _limits(ax: Axes, base: float, prediction: float, forces: list[_Force]) -> None:
    """All arrows and the base value, with numbers above."""
    scores = np.array([each.score for each in forces])
    low = min(base, prediction - scores[scores > 0].sum())
    high = max(base, prediction - scores[scores < 0].sum())
    span = (high - low) or abs(base) or 1.0
    ax.set(xlim=(low - 0.05 * span, high + 0.05 * span), ylim=(0.0, 1.0), yticks=[])
    _style.clean(ax, "")
    ax.xaxis.tick_top()
    ax.spines["bottom"].set_visible(False)
    ax.tick_params(axis="x", length=0, pad=1)


def _forces(one: Explanation, most: int, level: float) -> list[_Force]:
    """The largest scores, and for each direction the sum of the others, largest first."""
    scores, unsure = one.values, doubtful(one, level)
    order = np.argsort(-np.abs(scores), kind="stable").tolist()
    has_cells = one.data is not None and one.regions is None
    forces = []
    for i in order[:most]:
        name = _style.shorten(one.feature_names[i], _NAME)
        value = f" = {shown(one.data[i])}" if has_cells else ""
        forces.append(_Force(float(scores[i]), name + value, bool(unsure[i])))
    for sign in (1, -1):
        rest = [i for i in order[most:] if sign * scores[i] > 0]
        if rest:
            name = f"{len(rest):,} others" if len(rest) > 1 else "1 other"
            forces.append(_Force(float(scores[rest].sum()), name, True))
    return forces


def _arrow(ax: Axes, start: float, stop: float, color: str, is_pale: bool) -> None:
    """A bar that ends in a tip, and begins with a notch for the tip before it."""
    from matplotlib.patches import Polygon

    low, high = ax.get_xlim()
    length = _TIP / _width(ax) * (high - low)
    tip = min(length, abs(stop - start)) * np.sign(stop - start)
    middle = (_BOTTOM + _TOP) / 2
    corners = [
        *((start, _BOTTOM), (stop - tip, _BOTTOM), (stop, middle)),
        *((stop - tip, _TOP), (start, _TOP), (start + tip, middle)),
    ]
    look: Any = {"facecolor": color, "edgecolor": ax.get_facecolor(), "linewidth": 0.8}
    ax.add_patch(Polygon(corners, closed=True, alpha=_PALE if is_pale else 1.0, zorder=2, **look))


def _width(ax: Axes) -> float:
    """The width of the axes in points, about; the layout knows it only when it draws."""
    return float(0.94 * ax.bbox.width * 72 / ax.figure.dpi)


def _names(ax: Axes, forces: list[_Force], places: list[float]) -> float:
    """Scores in the arrows and names below, as far as there is room; how deep these reach."""
    (ink, _, line), behind = _style.tones(ax), ax.figure.get_facecolor()
    low, high = ax.get_xlim()
    scale = _width(ax) / (high - low)
    taken: list[list[tuple[float, float]]] = [[] for _ in range(_LEVELS)]
    deepest = 0
    numbers = _style.numbers([each.score for each in forces])
    for i in np.argsort([-abs(each.score) for each in forces], kind="stable"):
        each, x = forces[i], places[i]
        look: Any = {"ha": "center", "fontsize": _style.SMALL}
        if _style.width_of([numbers[i]], _style.SMALL) + 2 * _TIP < abs(each.score) * scale:
            tone = ink if each.is_pale else "white"
            middle = (_BOTTOM + _TOP) / 2
            ax.text(x, middle, numbers[i], va="center_baseline", color=tone, zorder=3, **look)
        half = _style.width_of([each.name], _style.SMALL) / 2 + 5
        center = float(np.clip((x - low) * scale, half, max(scale * (high - low) - half, half)))
        level = _free(taken, center - half, center + half)
        if level is not None:
            deepest = max(deepest, level)
            ax.annotate(
                _style.safe(each.name),
                (x, _BOTTOM),
                (low + center / scale, -4.0 - _LINE * level),
                textcoords=("data", "offset points"),
                arrowprops={"arrowstyle": "-", "color": line, "linewidth": 0.6, "shrinkA": 0},
                va="top",
                color=ink,
                bbox={"facecolor": behind, "edgecolor": "none", "pad": 0.6},
                **look,
            )
    return 10.0 + _LINE * (deepest + 1)


def _free(taken: list[list[tuple[float, float]]], left: float, right: float) -> int | None:
    """The first line on which nothing stands between two places, where it is then noted."""
    for level, others in enumerate(taken):
        if all(right <= start or stop <= left for start, stop in others):
            others.append((left, right))
            return level
    return None


def _ends(ax: Axes, base: float, prediction: float) -> None:
    """The prediction, where the arrows meet, and the base value, from which they lead."""
    ink, gray, _ = _style.tones(ax)
    start, arrival = _style.numbers([base, prediction], signed=False)
    ax.plot([prediction] * 2, [0, 1], color=ink, linewidth=1.2, zorder=4)
    ax.plot([base] * 2, [0, 1], color=gray, linewidth=1.0, linestyle=":", zorder=4)
    low, high = ax.get_xlim()
    gap = abs(base - prediction) / (high - low) * _width(ax)
    side = "center" if gap > 110 else "left" if base >= prediction else "right"
    other = {"center": "center", "left": "right", "right": "left"}[side]
    place: Any = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    style: Any = {**place, "va": "bottom", "fontsize": _style.TEXT}
    shift = {"center": 0, "left": 4, "right": -4}
    ax.annotate(
        f"prediction {arrival}",
        (prediction, 1),
        (shift[other], 15),
        ha=other,
        color=ink,
        weight="bold",
        **style,
    )
    ax.annotate(f"base value {start}", (base, 1), (shift[side], 15), ha=side, color=gray, **style)
