"""The scores of a feature against its values, colored by its strongest partner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx._validation import position_of
from perturbx.errors import InvalidParameterError
from perturbx.plots import _style
from perturbx.plots._dependence import axis_depth, curve_of, draw_axis, draw_curve
from perturbx.plots._instances import check_known, doubtful, instances_of
from perturbx.plots._partner import partner_of
from perturbx.result import EffectCurve, EffectCurves, Explanation
from perturbx.result.columns import column_of
from perturbx.result.text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_WHISKERS = 1000
"""With more instances the whiskers would hide the dots."""

_DOT = 4.2

_EXACT = 1e-6
"""Intervals shorter than this fraction of the range of the scores are not drawn."""


def scatter(
    explanation: Explanation,
    feature: str | int,
    *,
    color: str | int | None = "auto",
    effects: EffectCurves | EffectCurve | None = None,
    output: int | str | None = None,
    level: float = 0.95,
    ax: Axes | None = None,
    show: bool = True,
) -> Axes:
    """Draw the scores of one feature against its values: a dot for each instance.

    Whiskers are the intervals of the scores. Dots whose interval contains 0 are hollow, since
    their sign is not known. Gray bars at the bottom show where the rows lie. The color is the
    value of another feature, by default of the one that most changes the score of rows with like
    values, if one can be told from chance: where the model adds its features up, there is none.

    Parameters
    ----------
    explanation : Explanation
        Two or more rows of a table.
    feature : str or int
        The feature to draw, by name or position.
    color : "auto", str, int or None
        The feature that colors the dots; "auto" for the strongest partner, None for no colors.
    effects : EffectCurves or EffectCurve, optional
        Effects of the same model, such as ``px.Effects(model).fit(X).explain()``: the curve of
        the feature is drawn with its band, so that both answers can be compared.
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
        If there are fewer than two instances, if there are no rows of a table, if several outputs
        were explained and none is chosen, or if a feature or curve does not exist.

    Notes
    -----
    Accumulated local effects and Shapley values answer different questions. Where features are
    correlated they may differ, however small their errors are.

    Examples
    --------
    >>> px.plots.scatter(explanation, "age")  # doctest: +SKIP
    >>> px.plots.scatter(explanation, "age", effects=effects, color="income")  # doctest: +SKIP
    """
    if "feature" not in _style.explanation_of(explanation).axes:
        name = explanation.feature_names[0]
        raise InvalidParameterError(
            f"scatter looks for partners among all features, and only {name!r} was picked: use "
            f"scatter(explanation, {name!r})."
        )
    several = instances_of(explanation, output, "scatter")
    names = several.feature_names
    at = position_of(feature, names, len(names), "feature", InvalidParameterError)
    column = column_of(several, at)
    if column is None:
        raise InvalidParameterError(
            "scatter needs the values of a table's columns, and these features have none: use "
            "plots.beeswarm."
        )
    check_known(several.values[:, at], "scatter")
    unsure = doubtful(several, level)[:, at]
    curve = None if effects is None else curve_of(effects, names[at], several)
    partner = partner_of(several, at, color)
    axes: Axes = _style.axes_of(ax, 6.8, 4.3)
    x = draw_axis(axes, column, curve)
    scores, (low, high) = several.values[:, at], (e[:, at] for e in several.interval(level))
    said = _draw(axes, x, scores, (low, high), unsure, partner.colors(axes, len(several)), level)
    if curve is not None:
        said += draw_curve(axes, curve, str(np.ravel(several.output_names)[0]), level)
    said += [partner.said] if partner.said else []
    label = _style.safe(_style.shorten(names[at], 60))
    axes.set_xlabel(label, fontsize=_style.TEXT, color=_style.tones(axes)[0])
    caption = _style.safe(_style.shorten(_style.scores_of(several), 46))
    axes.set_ylabel(caption, fontsize=_style.TEXT, color=_style.tones(axes)[0])
    partner.legend(axes)
    if said:
        _style.aside(axes, _style.safe("; ".join(said)), below=axis_depth(axes))
    return _style.finished(axes, show)  # type: ignore[no-any-return]


def _draw(
    ax: Axes,
    x: Floats,
    scores: Floats,
    ends: tuple[Floats, Floats],
    unsure: NDArray[np.bool_],
    colors: Floats,
    level: float,
) -> list[str]:
    """Dots and whiskers, and how to read them."""
    low, high = ends
    known = np.isfinite(x) & np.isfinite(scores)
    wide = known & (high - low > _EXACT * np.ptp(scores[known])) & np.isfinite(high - low)
    has_whiskers = bool(wide.any()) and len(x) <= _MOST_WHISKERS
    if has_whiskers:
        gray = _style.tones(ax)[1]
        ax.vlines(x[wide], low[wide], high[wide], color=gray, linewidth=0.7, alpha=0.45, zorder=1)
    sure, unsure = known & ~unsure, known & unsure
    style: dict[str, Any] = {"s": _DOT**2, "linewidths": 0.0, "zorder": 3}
    ax.scatter(x[sure], scores[sure], c=colors[sure], **style)
    hollow = {"s": (_DOT - 1) ** 2, "linewidths": 0.8, "facecolors": "none"}
    ax.scatter(x[unsure], scores[unsure], **{**style, **hollow, "edgecolors": colors[unsure]})
    ax.margins(y=0.06)
    bottom, top = ax.get_ylim()
    ax.set_ylim(bottom - _style.RUG * (top - bottom), top)
    it = "it" if has_whiskers else f"the {percent(level)} interval"
    return [f"whiskers: {percent(level)} interval of each score"] * has_whiskers + [
        f"hollow: {it} contains 0"
    ] * bool(unsure.any())
