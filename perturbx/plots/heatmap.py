"""A map of all scores, features by instances, similar instances side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx._validation import check_choice, check_integer
from perturbx.plots import _rows, _style
from perturbx.plots._cells import draw_cells
from perturbx.plots._instances import doubtful, feature_order, instances_of
from perturbx.result import Explanation
from perturbx.result.similar import similar_order
from perturbx.result.text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

InstanceOrder: TypeAlias = Literal["similar", "prediction", "given"]

_ABOVE = 0.75
"""The height of the line of predictions, in inches."""


def heatmap(
    explanation: Explanation,
    *,
    max_display: int = 10,
    order: Sequence[str | int] | None = None,
    instance_order: InstanceOrder = "similar",
    rows: int = 1000,
    output: int | str | None = None,
    level: float = 0.95,
    ax: Axes | None = None,
    show: bool = True,
) -> Axes:
    """Draw all scores as a map: features from the top down, instances from left to right.

    Red scores increase the output, blue ones decrease it. Cells are gray where the interval of
    the score contains 0, so that its sign is not known. The line above is the prediction; dotted
    is the base value.

    Parameters
    ----------
    explanation : Explanation
        Two or more instances with the same features.
    max_display : int
        The most features to draw. If there are more, the last row is the sum of the others, whose
        errors are not known.
    order : list of features, optional
        By name or position, from the top; None for those of the largest mean |score|.
    instance_order : "similar", "prediction" or "given"
        Instances with similar scores side by side, by their prediction, or as they are.
    rows : int
        The most instances that are drawn, evenly spaced among all.
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
    >>> px.plots.heatmap(explainer.explain(X_test))  # doctest: +SKIP
    """
    check_choice("instance_order", instance_order, get_args(InstanceOrder))
    check_integer("rows", rows, minimum=2)
    every = instances_of(explanation, output, "heatmap")
    features = feature_order(every, order)
    some = np.unique(np.linspace(0, len(every) - 1, min(rows, len(every))).astype(int))
    several = every[some.tolist()]
    places = _places(several, instance_order)
    shown = _style.rows_of(max_display, len(features))
    top, rest = features[:shown], features[shown:]
    unsure = doubtful(several, level)[places][:, top]
    names = [several.feature_names[i] for i in top] + [f"{len(rest):,} other features"] * bool(rest)
    scores = several.values[places]
    cells = np.column_stack([scores[:, top], scores[:, rest].sum(axis=1)])[:, : len(names)]
    height = 0.3 if len(names) <= 30 else 0.2
    axes: Axes = _style.axes_of(ax, 7.8, 1.3 + _ABOVE + height * len(names))
    hidden = np.pad(unsure, [(0, 0), (0, bool(rest))])
    drawn, beyond = draw_cells(axes, cells.T, hidden.T)
    _rows.label_rows(axes, names, None)
    axes.set_ylim(len(names) - 0.5, -0.5)
    _predictions(axes, several, places, _ABOVE / height)
    _words(axes, every, several, instance_order, unsure, np.isnan(cells), level)
    _style.color_bar(drawn, axes, _style.scores_of(several), beyond)
    return _style.finished(axes, show)  # type: ignore[no-any-return]


def _places(several: Explanation, how: InstanceOrder) -> NDArray[np.intp]:
    if how == "similar":
        return similar_order(several.values, several.predictions)
    if how == "prediction":
        return np.argsort(several.predictions, kind="stable")
    return np.arange(len(several))


def _predictions(ax: Axes, several: Explanation, places: NDArray[np.intp], space: float) -> None:
    """The line above the map, `space` rows high, with its lowest and highest value."""
    ink, gray, _ = _style.tones(ax)
    steps, base = several.predictions[places], several.base_values[places]
    ends = np.array([np.nanmin([steps, base]), np.nanmax([steps, base])])
    bottom, top = -0.5 - 0.15 * space, -0.5 - 0.9 * space

    def height(values: Floats) -> Floats:
        shares = (values - ends[0]) / ((ends[1] - ends[0]) or 1.0)
        return np.asarray(bottom + (top - bottom) * shares)

    x = np.arange(len(steps))
    width = 0.9 if len(steps) > 100 else 1.4
    ax.plot(x, height(base), color=gray, linewidth=0.9, linestyle=":")
    ax.step(x, height(steps), where="mid", color=ink, linewidth=width)
    texts = _style.numbers(ends, signed=False)
    place: Any = {"xycoords": ax.get_yaxis_transform(), "textcoords": "offset points"}
    look: Any = {"ha": "right", "va": "center"}
    for text, y in zip(texts, (bottom, top), strict=True):
        ax.annotate(text, (0, y), (-6, 0), fontsize=_style.SMALL, color=gray, **place, **look)
    left = -14 - _style.width_of(texts, _style.SMALL)
    middle = 0, (bottom + top) / 2
    ax.annotate("prediction", middle, (left, 0), fontsize=_style.TEXT, color=ink, **place, **look)
    ax.set(xlim=(-0.5, len(steps) - 0.5), ylim=(ax.get_ylim()[0], -0.5 - space))


def _words(
    ax: Axes,
    every: Explanation,
    several: Explanation,
    how: InstanceOrder,
    unsure: NDArray[np.bool_],
    unknown: NDArray[np.bool_],
    level: float,
) -> None:
    n = f"{len(several):,}" if len(several) == len(every) else f"{len(several):,} of {len(every):,}"
    ways = {"similar": ", similar ones side by side", "prediction": ", by prediction", "given": ""}
    _style.clean(ax, f"{n} instances{ways[how]}")
    ax.spines["bottom"].set_visible(False)
    ax.tick_params(axis="x", bottom=False, labelbottom=how == "given")
    said = [f"gray: the {percent(level)} interval contains 0"] * bool(unsure.any())
    said += ["empty: no score"] * bool(unknown.any())
    if said:
        _style.aside(ax, "; ".join(said), below=38.0 if how == "given" else 24.0)
