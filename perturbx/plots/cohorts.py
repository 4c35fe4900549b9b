"""How the scores of two cohorts differ, with intervals and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import check_integer, check_list, check_number, invalid, position_of
from perturbx.errors import InvalidParameterError
from perturbx.plots import _rows, _style
from perturbx.result import CohortComparison
from perturbx.result.text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ALPHA = 0.05


def cohorts(
    comparison: CohortComparison,
    *,
    names: tuple[str, str] = ("a", "b"),
    max_display: int = 10,
    output: int | str | None = None,
    level: float = 0.95,
    ax: Any = None,
    show: bool = True,
) -> Any:
    """Draw the mean scores of two cohorts, and their differences with intervals.

    Left are the two means of each feature, right the difference with its interval, and its
    p-value, adjusted for all features and outputs together. Differences with an adjusted p of .05
    or more are hollow and gray: they cannot be told from chance. An interval is for one feature
    by itself, so it may exclude 0 where the adjusted test, which allows for all of them, passes
    no judgment.

    Parameters
    ----------
    comparison : CohortComparison
        As ``px.compare_cohorts(a, b)`` returns.
    names : (str, str)
        What to call the cohorts.
    max_display : int
        The most features to draw: those of the smallest p-values, the largest difference first
        where these are equal.
    output : int, str or None
        The output to draw, if several were compared.
    level : float
        The level of the intervals.
    ax : two matplotlib Axes, or None
        Where to draw the means and the differences; None for a new figure.
    show : bool
        Call ``plt.show()``; False to continue drawing.

    Returns
    -------
    array of two matplotlib Axes

    Raises
    ------
    InvalidParameterError
        If several outputs were compared and none is chosen, or if names or axes are not two.

    Examples
    --------
    >>> found = px.compare_cohorts(explanation[:100], explanation[100:])  # doctest: +SKIP
    >>> px.plots.cohorts(found, names=("last month", "today"))  # doctest: +SKIP
    """
    if not isinstance(comparison, CohortComparison):
        raise invalid(
            "comparison", "a CohortComparison, as px.compare_cohorts(a, b) returns", comparison
        )
    check_number("level", level, above=0, below=1)
    check_integer("max_display", max_display, minimum=1)
    if len(check_list("names", names, "two names")) != 2:
        raise invalid("names", "two names, one for each cohort", names)
    j = _output(comparison, output)
    parts = comparison.means_a, comparison.means_b, comparison.differences, comparison.p_values
    d = len(comparison.feature_names)
    first, second, differences, p = (part.reshape(d, -1)[:, j] for part in parts)
    low, high = (end.reshape(d, -1)[:, j] for end in comparison.interval(level))
    adjusted = comparison.adjusted_p_values.reshape(d, -1)[:, j]
    order = np.lexsort((-np.abs(differences), np.nan_to_num(p, nan=1.0)))[:max_display]
    means, changes = _axes(ax, len(order))
    labels = [comparison.feature_names[i] for i in order]
    _draw_means(means, first[order], second[order], names)
    _rows.label_rows(means, labels, None)
    ends = differences[order], low[order], high[order]
    _draw_differences(changes, *ends, adjusted[order], labels if ax is not None else None)
    _words(means, changes, comparison, names, j, d - len(order), level)
    return _style.finished(np.array([means, changes]), show)


def _output(comparison: CohortComparison, output: int | str | None) -> int:
    names = comparison.output_names
    if output is None and len(names) > 1:
        raise InvalidParameterError(
            f"cohorts draws one output, and {len(names)} were compared: choose one, as in "
            f"output={names[0]!r}."
        )
    return position_of(output or 0, names, len(names), "output", InvalidParameterError)


def _axes(ax: Any, n: int) -> list[Any]:
    if ax is not None:
        return _style.axes_in(ax, 2, "cohorts draws means and differences")
    figure, axes = _style.pyplot().subplots(
        1,
        2,
        sharey=True,
        figsize=(9.4, 1.45 + 0.34 * n),
        width_ratios=(1.0, 1.2),
        layout="constrained",
    )
    figure.get_layout_engine().set(wspace=0.04)
    return list(axes)


def _draw_means(ax: Axes, first: Floats, second: Floats, names: tuple[str, str]) -> None:
    """Two marks for each feature, joined by a line."""
    _, gray, line = _style.tones(ax)
    rows = np.arange(len(first))
    ax.axvline(0, color=line, linewidth=1, zorder=0)
    ax.hlines(rows, np.fmin(first, second), np.fmax(first, second), color=gray, linewidth=1.2)
    for values, name, color, mark in zip(
        (first, second), names, _style.OUTPUT_COLORS, "os", strict=False
    ):
        style: Any = {"color": color, "marker": mark, "s": 28, "zorder": 3}
        ax.scatter(values, rows, label=_style.safe(_style.shorten(str(name), 30)), **style)
    ax.margins(x=0.08)


def _draw_differences(
    ax: Axes, values: Floats, low: Floats, high: Floats, p: Floats, labels: list[str] | None
) -> None:
    """A mark and a whisker for each feature, and the adjusted p-value at the right end."""
    ink, gray, line = _style.tones(ax)
    if labels is not None:
        _rows.label_rows(ax, labels, None)
    rows, behind = np.arange(len(values)), ax.get_facecolor()
    sure = p < _ALPHA
    ax.axvline(0, color=line, linewidth=1, zorder=0)
    known = np.isfinite(low) & np.isfinite(high)
    colors = np.where(sure, ink, gray)
    ax.hlines(
        rows[known], low[known], high[known], colors=colors[known].tolist(), linewidth=1.3, zorder=2
    )
    faces = [ink if one else behind for one in sure]
    ax.scatter(values, rows, c=faces, s=28, edgecolors=colors.tolist(), linewidths=1.2, zorder=3)
    ends = np.concatenate([[0.0], values, low[known], high[known]])
    _style.room(ax, float(np.nanmin(ends)), float(np.nanmax(ends)), 8, 62)
    for row, one in enumerate(p):
        text = "" if np.isnan(one) else "p < .001" if one < 0.001 else f"p = {one:.2g}"
        ax.annotate(
            text.replace("0.", "."),
            (1.0, row),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="center",
            fontsize=_style.SMALL,
            color=ink if one < _ALPHA else gray,
        )


def _words(
    means: Axes,
    changes: Axes,
    found: CohortComparison,
    names: tuple[str, str],
    j: int,
    n_rest: int,
    level: float,
) -> None:
    from matplotlib.ticker import MaxNLocator

    what = {"scores": "mean score", "sizes": "mean |score|"}[found.of]
    name = found.output_names[j] if len(found.output_names) else ""
    of = f" for {_style.output_label(name)}" if name not in ("", "output") else ""
    _style.clean(means, f"{what}{of}")
    short = [_style.shorten(str(name), 24) for name in names]
    _style.clean(changes, f"difference, {short[0]} minus {short[1]}")
    means.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=2,
        frameon=False,
        borderaxespad=0.1,
        fontsize=_style.SMALL,
        labelcolor=_style.tones(means)[0],
    )
    for panel in (means, changes):
        panel.xaxis.set_major_locator(MaxNLocator(5))
    changes.tick_params(axis="y", length=0)
    _style.aside(means, f"{found.n_a:,} and {found.n_b:,} rows")
    said = [f"whiskers: {percent(level)} interval", "hollow: adjusted p of .05 or more"]
    said += [f"{n_rest:,} more features"] * (n_rest > 0)
    _style.aside(changes, "; ".join(said))
