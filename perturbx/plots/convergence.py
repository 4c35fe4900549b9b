"""Scores with their intervals against the model rows that they cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import check_integer, check_number, invalid
from perturbx.errors import InvalidParameterError
from perturbx.plots import _style
from perturbx.plots._instances import check_known
from perturbx.result import Explanation, one_output
from perturbx.result.text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAME = 26
_STRIP = 1.1
"""The height of the strip of errors, in inches."""

_EXACT = 1e-6
"""Errors below this many percent are those of rounding."""

_WIDE = 8.0
"""Costs that differ by more than this factor have a logarithmic axis."""


def convergence(
    explanations: Sequence[Explanation],
    *,
    max_display: int = 6,
    output: int | str | None = None,
    level: float = 0.95,
    ax: Axes | None = None,
    show: bool = True,
) -> Any:
    """Draw how the scores of one instance settle as more model rows are spent.

    Each line is a feature, with the interval of its score as a band; marks are hollow where the
    interval contains 0. Bands that shrink and stay within each other show that a larger budget
    only makes the answer more precise; the wide bands of small budgets may be cut off. Below is
    the largest standard error, in percent of the range of the scores, on a logarithmic axis: four
    times the rows make it about half.

    Parameters
    ----------
    explanations : list of Explanation
        Two or more of one instance, at different budgets, in any order.
    max_display : int
        The most features to draw, at most six: those with the largest scores at the end.
    output : int, str or None
        The output to draw, if several were explained.
    level : float
        The level of the intervals.
    ax : matplotlib Axes or None
        Where to draw the scores, without the errors below; None for a new figure.
    show : bool
        Call ``plt.show()``; False to continue drawing.

    Returns
    -------
    array of matplotlib Axes
        Of the scores, and, in a new figure and where errors are known, of the errors.

    Raises
    ------
    InvalidParameterError
        If there are fewer than two explanations, if they are not of one instance with the same
        features, if all cost the same, or if several outputs were explained and none is chosen.

    Examples
    --------
    >>> explainers = [px.KernelShap(model, budget=b).fit(X) for b in (500, 2_000, 8_000)]
    ... # doctest: +SKIP
    >>> px.plots.convergence([e.explain(X[0]) for e in explainers])  # doctest: +SKIP
    """
    check_number("level", level, above=0, below=1)
    check_integer("max_display", max_display, minimum=1)
    runs = _runs(explanations, output)
    rows = np.array([run.n_rows for run in runs], dtype=np.float64)
    values = np.stack([run.values for run in runs])
    low, high = (np.stack(ends) for ends in zip(*(r.interval(level) for r in runs), strict=True))
    order = np.argsort(-np.abs(np.nan_to_num(values[-1])), kind="stable")
    top = order[: min(max_display, len(_style.OUTPUT_COLORS))]
    errors = _relative_errors(runs)
    errors = np.where(errors > _EXACT, errors, 0.0)
    axes = _axes(ax, bool((errors > 0).any()))
    for place, feature in enumerate(top):
        _draw(axes[0], rows, values[:, feature], low[:, feature], high[:, feature], place)
    _limits(axes[0], values[:, top], low[:, top], high[:, top])
    if len(axes) > 1:
        axes[1].set_yscale("log")
    for panel in axes:
        _frame(panel, rows)
    names = [_style.shorten(runs[0].feature_names[i], _NAME) for i in top]
    _label_ends(axes[0], names, values[-1, top])
    if len(axes) > 1:
        _draw_errors(axes[1], rows, errors)
    _words(axes, runs, len(order) - len(top), level, bool(errors.any()))
    return _style.finished(np.array(axes), show)


def _runs(explanations: Any, output: int | str | None) -> list[Explanation]:
    """One instance and one output of each, by cost, or an error with the remedy."""
    if not isinstance(explanations, (list, tuple)) or not all(
        isinstance(one, Explanation) for one in explanations
    ):
        expected = "a list of Explanations of one instance, at growing budgets"
        raise invalid("explanations", expected, explanations)
    runs = []
    for one in explanations:
        single = one[0] if "instance" in one.axes and len(one) == 1 else one
        if "instance" in single.axes or "feature" not in single.axes:
            raise InvalidParameterError(
                "convergence draws all features of one instance: use "
                f"convergence([one[i] for one in explanations]); got axes {one.axes} of shape "
                f"{one.shape}."
            )
        runs.append(one_output(single, output))
        check_known(runs[-1].values, "convergence")
    if len({run.n_rows for run in runs}) < 2:
        raise InvalidParameterError(
            "convergence needs two or more explanations at different costs: explain with "
            "budget=500, budget=2_000 and so on."
        )
    if len({run.feature_names for run in runs}) > 1:
        raise InvalidParameterError(
            "convergence draws explanations of one instance, and these have different features."
        )
    return sorted(runs, key=lambda run: run.n_rows)


def _relative_errors(runs: list[Explanation]) -> Floats:
    """The largest standard error of each, in percent of the range of the last scores."""
    reach = float(np.ptp(np.append(np.nan_to_num(runs[-1].values), 0.0))) or 1.0
    largest = [np.nanmax(np.nan_to_num(run.standard_errors, nan=-1.0)) for run in runs]
    return 100 * np.maximum(largest, 0.0) / reach


def _axes(ax: Any, has_errors: bool) -> list[Any]:
    if ax is not None:
        return _style.axes_in(ax, 1, "convergence draws one panel")
    n = 1 + has_errors
    figure, grid = _style.pyplot().subplots(
        n,
        1,
        sharex=True,
        figsize=(7.6, 4.0 + _STRIP * has_errors),
        height_ratios=(3.0, _STRIP)[:n],
        layout="constrained",
        squeeze=False,
    )
    figure.get_layout_engine().set(hspace=0.04)
    return list(grid[:, 0])


def _draw(ax: Axes, rows: Floats, values: Floats, low: Floats, high: Floats, place: int) -> None:
    color, behind = _style.OUTPUT_COLORS[place], ax.get_facecolor()
    known = np.isfinite(low) & np.isfinite(high)
    ax.fill_between(
        rows, low, high, where=known.tolist(), color=color, alpha=0.16, linewidth=0, zorder=1
    )
    ax.plot(rows, values, color=color, linewidth=1.4, zorder=2)
    unsure = known & (low <= 0) & (high >= 0) & (high > low)
    faces = [behind if hollow else color for hollow in unsure]
    ax.scatter(rows, values, c=faces, s=22, edgecolors=color, linewidths=1.2, zorder=3)


def _limits(ax: Axes, values: Floats, low: Floats, high: Floats) -> None:
    """All scores, and the intervals of the later half of the runs; earlier ones may be cut off."""
    later = len(values) // 2
    ends = np.concatenate([part.ravel() for part in (values, low[later:], high[later:])])
    ends = np.append(ends[np.isfinite(ends)], 0.0)
    margin = 0.06 * (float(np.ptp(ends)) or 1.0)
    ax.set_ylim(float(ends.min()) - margin, float(ends.max()) + margin)


def _frame(ax: Axes, rows: Floats) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if rows[-1] > _WIDE * rows[0] > 0:
        ax.set_xscale("log")
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.set_xlim(rows[0] / 1.12, rows[-1] * 1.04)
    _style.framed(ax)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda rows, _: f"{rows:,.0f}"))


def _label_ends(ax: Axes, names: list[str], ends: Floats) -> None:
    """Names right of the last marks, moved apart where they would overlap."""
    known = np.nan_to_num(ends)
    low, high = ax.get_ylim()
    points = 0.8 * ax.bbox.height * 72 / ax.figure.dpi
    step = 1.25 * _style.SMALL
    order = np.argsort(known, kind="stable")
    wanted = (known[order] - low) / (high - low) * points
    placed = _apart(wanted, step)
    for i, y in zip(order, placed, strict=True):
        ax.annotate(
            _style.safe(names[i]),
            (1.0, low + y / points * (high - low)),
            (7, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=_style.SMALL,
            color=_style.readable(_style.OUTPUT_COLORS[int(i)], ax),
        )


def _apart(wanted: Floats, step: float) -> Floats:
    """Ascending places at least `step` apart, each group of neighbors about its own middle."""
    groups: list[list[float]] = []
    for place in wanted:
        groups.append([place])
        while len(groups) > 1:
            before, last = groups[-2:]
            end = float(np.mean(before)) + step * (len(before) - 1) / 2
            start = float(np.mean(last)) - step * (len(last) - 1) / 2
            if start - end >= step:
                break
            groups[-2:] = [before + last]
    middles = [float(np.mean(group)) for group in groups]
    return np.concatenate(
        [
            middle + step * (np.arange(len(group)) - (len(group) - 1) / 2)
            for middle, group in zip(middles, groups, strict=True)
        ]
    )


def _draw_errors(ax: Axes, rows: Floats, errors: Floats) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ink, gray, _ = _style.tones(ax)
    known = errors > 0
    ax.plot(rows[known], errors[known], "o-", color=ink, linewidth=1.2, markersize=3.5)
    ax.axhline(1.0, color=gray, linewidth=0.8, linestyle=":")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:.3g}%"))
    ax.yaxis.set_minor_formatter(NullFormatter())
    label = "largest\nstandard error"
    ax.set_ylabel(label, fontsize=_style.SMALL, color=ink)


def _words(
    axes: list[Any], runs: list[Explanation], n_rest: int, level: float, has_bands: bool
) -> None:
    ink, _, _ = _style.tones(axes[0])
    caption = _style.safe(_style.shorten(_style.scores_of(runs[-1]), 46))
    axes[0].set_ylabel(caption, fontsize=_style.TEXT, color=ink)
    axes[-1].set_xlabel("model rows", fontsize=_style.TEXT, color=ink)
    said = [f"bands: {percent(level)} interval; hollow: it contains 0"] * has_bands
    said += ["dotted: 1% of the range of the scores"] * (len(axes) > 1)
    said += [f"{n_rest:,} more features"] * (n_rest > 0)
    if said:
        _style.aside(axes[-1], "; ".join(said))
