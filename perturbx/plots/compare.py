"""The scores of several methods, side by side, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import check_choice, check_integer, check_number, invalid
from perturbx.errors import InvalidParameterError
from perturbx.plots import _rows, _style
from perturbx.plots._instances import check_known
from perturbx.result import Explanation, one_output, without_rounding
from perturbx.result.text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Scale: TypeAlias = Literal["shared", "own"]

Explanations: TypeAlias = Mapping[str, Explanation] | Sequence[Explanation]
"""By the name of a method, or in a list."""

_EXACT = 1e-6
"""Intervals shorter than this fraction of the largest score are not mentioned."""

_MARKS = "osDv^P"
_MOST = len(_style.OUTPUT_COLORS)


def compare(
    explanations: Explanations,
    *,
    max_display: int = 10,
    output: int | str | None = None,
    scale: Scale = "shared",
    level: float = 0.95,
    ax: Axes | None = None,
    show: bool = True,
) -> Axes:
    """Draw the scores of several methods side by side: a mark and its whisker for each.

    Whiskers are the intervals of the scores. Marks whose interval contains 0 are hollow, since
    their sign is not known. Of several instances the mean |score| is drawn, with the interval of
    `Explanation.importance`.

    Different methods answer different questions, so that they may differ although both are right;
    intervals tell how much of a difference is the error of sampling.

    Parameters
    ----------
    explanations : dict of str to Explanation, or list of Explanation
        Two to six, of the same instance or instances, ``{"Lime": explanation, ...}``. In a list
        they have the names of their methods.
    max_display : int
        The most features to draw: those with the largest share in the scores of any method.
    output : int, str or None
        The output to draw, if several were explained.
    scale : "shared" or "own"
        One scale for all scores, or scores relative to the largest one of each method, which
        compares shares of the output with slopes.
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
        If there are fewer than two explanations or more than six, if their features or instances
        differ, if several outputs were explained and none is chosen, or if shares and slopes are
        to share a scale.

    Examples
    --------
    >>> px.plots.compare({"Kernel SHAP": shares[0], "LIME": slopes[0]}, scale="own")
    ... # doctest: +SKIP
    """
    check_choice("scale", scale, get_args(Scale))
    check_number("level", level, above=0, below=1)
    check_integer("max_display", max_display, minimum=1)
    named = {name: one_output(e, output) for name, e in _named(explanations).items()}
    features = _checked(named, scale)
    parts = np.stack([_scores(e, features, level) for e in named.values()])
    for part in parts:
        check_known(part[0], "compare")
    largest = np.nanmax(np.abs(parts[:, 0]), axis=1, initial=0.0)[:, None, None]
    shares = np.abs(parts[:, 0]) / np.where(largest == 0, 1.0, largest)[:, 0]
    top = np.argsort(-np.nan_to_num(shares).max(axis=0), kind="stable")[:max_display]
    drawn = (parts / np.where(largest == 0, 1.0, largest) if scale == "own" else parts)[:, :, top]
    step = 0.17 if len(named) < 4 else 0.13
    axes: Axes = _style.axes_of(ax, 7.8, 1.3 + len(top) * (0.12 + step * len(named)))
    for place, (name, part) in enumerate(zip(named, drawn, strict=True)):
        _draw(axes, place, len(named), name, part)
    one = next(iter(named.values()))
    data = None if "instance" in one.axes else _rows.cells(one, _positions(one, features, top))
    _rows.label_rows(axes, [features[i] for i in top], data)
    said = [f"whiskers: {percent(level)} interval; hollow: it contains 0"]
    said = said[
        : bool((drawn[:, 2] - drawn[:, 1] > _EXACT * np.nanmax(np.abs(drawn), initial=0.0)).any())
    ]
    said += [f"{len(features) - len(top):,} more features"] * (len(top) < len(features))
    if said:
        _style.aside(axes, "; ".join(said))
    _words(axes, named, scale)
    return _style.finished(axes, show)  # type: ignore[no-any-return]


def _named(explanations: Any) -> dict[str, Explanation]:
    """By name; those of a list have the names of their methods, numbered where they are alike."""
    expected = 'Explanations in a dict by name, as in {"Lime": explanation, ...}, or in a list'
    is_mapping = isinstance(explanations, Mapping)
    if not is_mapping and not isinstance(explanations, (list, tuple)):
        raise invalid("explanations", expected, explanations)
    several = list(explanations.values() if is_mapping else explanations)
    if not all(isinstance(one, Explanation) for one in several):
        raise invalid("explanations", expected, explanations)
    if not 2 <= len(several) <= _MOST:
        raise InvalidParameterError(
            f"compare draws two to {_MOST} explanations, and got {len(several)}."
        )
    if is_mapping:
        return dict(zip(map(str, explanations), several, strict=True))
    methods = [one.method_name for one in several]
    numbers = [f" {methods[:i].count(m) + 1}" for i, m in enumerate(methods)]
    names = [m + n * (methods.count(m) > 1) for m, n in zip(methods, numbers, strict=True)]
    return dict(zip(names, several, strict=True))


def _checked(named: dict[str, Explanation], scale: Scale) -> tuple[str, ...]:
    """The features of all explanations, which must be about the same."""
    (first, one), *others = named.items()
    for name, other in others:
        if set(other.feature_names) != set(one.feature_names):
            raise InvalidParameterError(
                f"compare draws explanations of the same features, and those of {first!r} and "
                f"{name!r} differ: explain the same rows with the same groups."
            )
        if other.axes != one.axes or other.shape[:-1] != one.shape[:-1]:
            raise InvalidParameterError(
                f"compare draws explanations of the same instances: {first!r} has shape "
                f"{one.shape}, and {name!r} has shape {other.shape}."
            )
        if other.score_kind != one.score_kind and scale == "shared":
            raise InvalidParameterError(
                f"{first!r} has {one.score_kind} and {name!r} has {other.score_kind}, which have "
                'no scale in common: pass scale="own".'
            )
    if "feature" not in one.axes:
        raise InvalidParameterError(
            "compare draws all features, and a single one was picked: pass whole explanations."
        )
    return one.feature_names


def _positions(one: Explanation, features: Sequence[str], top: Any) -> list[int]:
    return [one.feature_names.index(features[i]) for i in top]


def _scores(explanation: Explanation, features: tuple[str, ...], level: float) -> Floats:
    """(3, d): the scores and the ends of their intervals, in the order of `features`."""
    one = without_rounding(explanation)
    if "instance" in one.axes and len(one) == 1:
        one = one[0]
    found: Any = one.importance() if "instance" in one.axes else one
    place = _positions(one, features, range(len(features)))
    return np.stack([found.values, *found.interval(level)])[:, place]


def _draw(ax: Axes, place: int, n: int, name: str, part: Floats) -> None:
    """The marks of one method, below those of the method before."""
    scores, low, high = part
    rows = np.arange(len(scores)) + (place - (n - 1) / 2) * 0.76 / n
    color, behind = _style.OUTPUT_COLORS[place], ax.get_facecolor()
    known = np.isfinite(low) & np.isfinite(high)
    ax.hlines(rows[known], low[known], high[known], color=color, linewidth=1.3, zorder=2)
    unsure = known & (low <= 0) & (high >= 0) & (high > low)
    faces = [behind if hollow else color for hollow in unsure]
    style: Any = {"marker": _MARKS[place], "s": 26, "linewidths": 1.2, "edgecolors": color}
    ax.scatter(scores, rows, c=faces, zorder=3, label=_style.safe(name), **style)


def _words(ax: Axes, named: dict[str, Explanation], scale: Scale) -> None:
    from matplotlib.lines import Line2D

    ink, _, line = _style.tones(ax)
    ax.axvline(0, color=line, linewidth=1, zorder=0)
    for row in range(1, len(ax.get_yticks())):
        ax.axhline(row - 0.5, color=line, linewidth=0.5, linestyle=(0, (1, 4)), zorder=0)
    one = next(iter(named.values()))
    of = _style.scores_of(one).removeprefix(f"{one.method_name} ")
    sizes = f"mean |score|{of.removeprefix('score')}, {len(one):,} instances"
    what = sizes if "instance" in one.axes and len(one) > 1 else of
    _style.clean(ax, f"{what}{', relative to the largest of each method' * (scale == 'own')}")
    handles = [
        Line2D([], [], color=color, marker=mark, markersize=5, linewidth=1.3, label=_style.safe(n))
        for n, color, mark in zip(named, _style.OUTPUT_COLORS, _MARKS, strict=False)
    ]
    place: Any = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "ncols": 3, "frameon": False}
    ax.legend(handles=handles, fontsize=_style.SMALL, labelcolor=ink, borderaxespad=0.1, **place)
