"""Interactions of pairs of features: a matrix, and the largest with their intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx._validation import check_choice, check_integer, check_number
from perturbx.errors import InvalidParameterError
from perturbx.plots import _rows, _style
from perturbx.plots._cells import draw_cells
from perturbx.result import Explanation, one_output
from perturbx.result.importance import mean_sizes
from perturbx.result.text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Index: TypeAlias = Literal["shapley", "faith_shap"]

_MOST_PAIRS = 10
_LABEL = 2.4
"""The width of the longest labels, which are broken, in inches."""


@dataclass(frozen=True, eq=False)
class _Pairs:
    """(d, d) interactions and the ends of their intervals."""

    values: Floats
    low: Floats
    high: Floats

    @property
    def unsure(self) -> NDArray[np.bool_]:
        """Where the interval contains 0."""
        return np.asarray((self.low <= 0) & (self.high >= 0) & (self.high > self.low))


def interactions(
    explanation: Explanation,
    *,
    index: Index = "shapley",
    max_display: int = 10,
    output: int | str | None = None,
    level: float = 0.95,
    ax: Any = None,
    show: bool = True,
) -> Any:
    """Draw what pairs of features add together beyond what each adds alone.

    The matrix has all pairs of the features that interact most: red pairs add to the output, blue
    ones take from it, gray ones have an interval that contains 0. Beside it are the largest pairs
    with their intervals. Of several instances the mean |interaction| is drawn, corrected for the
    upward bias of noisy interactions; its intervals are those of the population.

    Parameters
    ----------
    explanation : Explanation
        One instance or several, of ``px.KernelShap(model, interactions=True)``.
    index : "shapley" or "faith_shap"
        The Shapley interaction index, or order-2 Faith-Shap; see ``explanation.interactions``.
    max_display : int
        The most features of the matrix; at most ten pairs are drawn beside it.
    output : int, str or None
        The output to draw, if several were explained.
    level : float
        The level of the intervals.
    ax : two matplotlib Axes, or None
        Where to draw the matrix and the pairs; None for a new figure.
    show : bool
        Call ``plt.show()``; False to continue drawing.

    Returns
    -------
    array of two matplotlib Axes

    Raises
    ------
    InvalidParameterError
        If there are no interactions or fewer than two features, or if several outputs were
        explained and none is chosen.

    Examples
    --------
    >>> explainer = px.KernelShap(model, interactions=True).fit(X)  # doctest: +SKIP
    >>> px.plots.interactions(explainer.explain(X[:50]))  # doctest: +SKIP
    """
    check_choice("index", index, get_args(Index))
    check_number("level", level, above=0, below=1)
    check_integer("max_display", max_display, minimum=2)
    one = _with_pairs(explanation, output)
    pairs = _pairs(one, index, level)
    sizes = np.nan_to_num(np.abs(pairs.values)) * ~np.eye(len(pairs.values), dtype=bool)
    top = np.argsort(-sizes.sum(axis=1), kind="stable")[:max_display]
    first, second = np.triu_indices(len(sizes), k=1)
    order = np.argsort(-sizes[first, second], kind="stable")[: min(_MOST_PAIRS, max_display)]
    matrix, bars = _axes(ax, [one.feature_names[i] for i in top], len(order))
    _draw_matrix(matrix, one, pairs, top, level)
    _draw_pairs(bars, one, pairs, first[order], second[order], level)
    return _style.finished(np.array([matrix, bars]), show)


def _with_pairs(explanation: Any, output: int | str | None) -> Explanation:
    one = _style.explanation_of(explanation)
    if "instance" in one.axes and len(one) == 1:
        one = one[0]
    if one.interactions is None:
        raise InvalidParameterError(
            "This explanation has no interactions, or some of its features were picked: explain "
            "with px.KernelShap(model, interactions=True)."
        )
    if len(one.feature_names) < 2 or not np.size(one.values):
        raise InvalidParameterError(
            f"interactions needs two or more features, and an instance; got shape {one.shape}."
        )
    return one_output(one, output)


def _pairs(one: Explanation, index: Index, level: float) -> _Pairs:
    """Of one instance the interactions; of several the mean sizes, as of `importance`."""
    from scipy.special import ndtri, stdtrit

    found: Any = one.interactions
    values, errors = getattr(found, index), getattr(found, f"{index}_errors")
    upper, freedom = (1 + level) / 2, found.degrees_of_freedom
    if "instance" in one.axes:
        n, d = len(values), values.shape[1]
        means, total, bias = mean_sizes(values.reshape(n, -1), errors.reshape(n, -1))
        half = bias + stdtrit(n - 1, upper) * total
        values, half = means.reshape(d, d), half.reshape(d, d)
        low = np.maximum(values - half, 0.0)
    else:
        half = (ndtri(upper) if np.isinf(freedom) else stdtrit(freedom, upper)) * errors
        low = values - half
    return _Pairs(values, low, values + half)


def _axes(ax: Any, names: list[str], n_pairs: int) -> list[Any]:
    """The caller's axes, or those of a new figure with room for the names."""
    if ax is not None:
        return _style.axes_in(ax, 2, "interactions draws a matrix and a list of pairs")
    side = max(2.2, 0.36 * len(names) + 0.6)
    longest = _style.width_of(names, _style.TEXT) / 72
    room = min(longest, _LABEL) + min(2 * longest, _LABEL)
    below = 1.1 + min(longest, _LABEL)
    figure, axes = _style.pyplot().subplots(
        1,
        2,
        figsize=(2 * side + 1.9 + room, max(side, 0.3 * n_pairs) + below),
        width_ratios=(side, side),
        layout="constrained",
    )
    figure.get_layout_engine().set(wspace=0.06)
    return list(axes)


def _draw_matrix(ax: Axes, one: Explanation, pairs: _Pairs, top: Any, level: float) -> None:
    cells = pairs.values[np.ix_(top, top)].copy()
    np.fill_diagonal(cells, np.nan)
    unsure = pairs.unsure[np.ix_(top, top)] & ~np.eye(len(top), dtype=bool)
    drawn, beyond = draw_cells(ax, cells, unsure)
    names = [one.feature_names[i] for i in top]
    _rows.label_rows(ax, names, None)
    ax.set(xlim=(-0.5, len(top) - 0.5), ylim=(len(top) - 0.5, -0.5))
    _style.clean(ax, "")
    ax.spines["bottom"].set_visible(False)
    for column in range(1, len(top)):
        ax.axvline(column - 0.5, color=ax.get_facecolor(), linewidth=0.8)
    texts = [_style.safe(_style.shorten(name, 30)) for name in names]
    turned: dict[str, Any] = {"rotation": 90} if max(map(len, texts)) > 5 else {}
    size: dict[str, Any] = {"fontsize": _style.SMALL, "color": _style.tones(ax)[0]}
    ax.set_xticks(range(len(top)), texts, **size, **turned)
    ax.tick_params(axis="x", length=0)
    _style.color_bar(drawn, ax, _caption(one), beyond)
    if "instance" in one.axes:
        drawn.colorbar.ax.set_ylim(0, drawn.norm.vmax)
    if unsure.any():
        _style.aside(
            ax,
            f"gray: the {percent(level)} interval contains 0",
            below=10.0 + _style.width_of(texts, _style.SMALL) if turned else 22.0,
        )


def _draw_pairs(
    ax: Axes, one: Explanation, pairs: _Pairs, first: Any, second: Any, level: float
) -> None:
    values, low, high = (part[first, second] for part in (pairs.values, pairs.low, pairs.high))
    names = [
        f"{one.feature_names[i]} × {one.feature_names[j]}"
        for i, j in zip(first, second, strict=True)
    ]
    signed = "instance" not in one.axes
    colors = [_style.BLUE if v < 0 else _style.RED if signed else _style.NEUTRAL for v in values]
    ax.axvline(0, color=_style.tones(ax)[2], linewidth=1, zorder=0)
    ax.barh(range(len(values)), values, height=0.62, color=colors, zorder=2)
    _style.whiskers(ax, values, np.arange(len(values)), low, high)
    _rows.label_rows(ax, names, None)
    _style.limits_beside_bars(ax, values, low, high, signed)
    _style.clean(ax, _caption(one))
    if (high > low).any():
        _style.aside(ax, f"whiskers: {percent(level)} interval")


def _caption(one: Explanation) -> str:
    of = _style.scores_of(one).removeprefix(f"{one.method_name} score")
    if "instance" in one.axes:
        return f"mean |interaction|{of}, {len(one):,} instances"
    return f"interaction{of}"
