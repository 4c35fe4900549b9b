"""The axis of a feature's values, and an effect curve along it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import invalid
from perturbx.errors import InvalidParameterError
from perturbx.plots import _style
from perturbx.result import EffectCurve, EffectCurves, Explanation
from perturbx.result.columns import MISSING, Column
from perturbx.result.effects import shown
from perturbx.result.text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_LABELS = 24
"""Of more categories those of the most rows are drawn."""

_N_BARS = 40
_GAP = 0.08
"""Missing values stand so far left of the numbers, relative to their range."""

_JITTER = 0.3


def curve_of(effects: Any, feature: str, several: Explanation) -> EffectCurve:
    """The curve of the feature and of the output that is drawn, or an error with the remedy."""
    if isinstance(effects, EffectCurves):
        if feature not in effects.feature_names:
            raise InvalidParameterError(
                f"effects has no curve of {feature!r}: it has {', '.join(effects.feature_names)}."
            )
        effects = effects[feature]
    if not isinstance(effects, EffectCurve):
        expected = "EffectCurves, as px.Effects(model).fit(X).explain() returns, or one of them"
        raise invalid("effects", expected, effects)
    if effects.feature != feature:
        raise InvalidParameterError(
            f"effects is the curve of {effects.feature!r}, and scatter draws {feature!r}."
        )
    names, own = effects.output_names, several.output_names
    if len(names) > 1 and (np.ndim(own) == 2 or own[0] not in names):
        raise InvalidParameterError(
            f"effects has the outputs {', '.join(names)}, and none of them is the one that is "
            f"drawn, {own[0]!r}: pass px.Effects(model, outputs=...) of that output."
        )
    return effects


def draw_axis(ax: Axes, column: Column, curve: EffectCurve | None) -> Floats:
    """Where each row lies; gray bars at the bottom show how many."""
    _style.framed(ax)
    if not column.is_number:
        return _categories(ax, column, curve)
    from matplotlib.ticker import MaxNLocator

    known = column.numbers[np.isfinite(column.numbers)]
    low, high = float(known.min()), float(known.max())
    span = (high - low) or 1.0
    is_whole = bool((known == np.round(known)).all())
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=is_whole))
    ax.ticklabel_format(axis="x", style="sci", scilimits=(-4, 5), useMathText=True)
    heights, ends = np.histogram(known, _N_BARS)
    _style.rug(ax, (ends[1:] + ends[:-1]) / 2, heights, span / _N_BARS)
    ax.set_xlim(low - 0.02 * span, high + 0.02 * span)
    missing = np.isnan(column.numbers)
    if not missing.any():
        return column.numbers
    gray = _style.tones(ax)[1]
    ax.set_xlim(low - 2 * _GAP * span, high + 0.02 * span)
    ax.annotate(
        MISSING,
        (low - _GAP * span, 0),
        (0, 3),
        xycoords=ax.get_xaxis_transform(),
        textcoords="offset points",
        ha="center",
        fontsize=_style.SMALL,
        color=gray,
    )
    jitter = 0.5 * _GAP * span * _spread(int(missing.sum()))
    x = column.numbers.copy()
    x[missing] = low - _GAP * span + jitter
    return x


def _spread(n: int) -> Floats:
    """N places in -0.5..0.5 of which no two neighbors are near each other."""
    return np.asarray(np.arange(1, n + 1) * 0.6180339887 % 1.0 - 0.5)


def _categories(ax: Axes, column: Column, curve: EffectCurve | None) -> Floats:
    levels = column.levels
    if curve is not None:
        of_curve = [shown(cell) for cell in curve.grid]
        levels = [*of_curve, *(level for level in levels if level not in of_curve)]
    counts = np.array([(column.labels == level).sum() for level in levels])
    kept = np.sort(np.argsort(-counts, kind="stable")[:_MOST_LABELS])
    levels = [levels[i] for i in kept]
    texts = [_style.safe(level) for level in levels]
    turned: dict[str, Any] = {"rotation": 90} if max(map(len, texts)) * len(texts) > 60 else {}
    ax.set_xticks(range(len(texts)), texts, fontsize=_style.SMALL, **turned)
    ax.set_xlim(-0.6, len(texts) - 0.4)
    _style.rug(ax, np.arange(float(len(texts))), counts[kept], 0.6)
    x = np.full(len(column.labels), np.nan)
    for place, level in enumerate(levels):
        members = np.flatnonzero(column.labels == level)
        x[members] = place + 2 * _JITTER * _spread(len(members))
    return x


def draw_curve(ax: Axes, curve: EffectCurve, output: str, level: float) -> list[str]:
    """The curve with its band, or a diamond with its whisker for each category."""
    ink = _style.tones(ax)[0]
    j = curve.output_names.index(output) if len(curve.output_names) > 1 else 0
    values, low, high = (
        part.reshape(len(curve.grid), -1)[:, j] for part in (curve.values, *curve.interval(level))
    )
    if curve.is_number:
        ax.fill_between(curve.positions, low, high, color=ink, alpha=0.18, linewidth=0, zorder=4)
        ax.plot(curve.positions, values, color=ink, linewidth=1.6, zorder=5)
        return [f"line: effect curve with its {percent(level)} band"]
    names = [label.get_text() for label in ax.get_xticklabels()]
    kept = [i for i, cell in enumerate(curve.grid) if _style.safe(shown(cell)) in names]
    x = [names.index(_style.safe(shown(curve.grid[i]))) for i in kept]
    reach = [values[kept] - low[kept], high[kept] - values[kept]]
    style: dict[str, Any] = {"markersize": 5, "elinewidth": 1.3, "capsize": 2.5, "zorder": 5}
    ax.errorbar(x, values[kept], yerr=reach, fmt="D", color=ink, **style)
    return [f"diamonds: effect with its {percent(level)} interval"]


def axis_depth(ax: Axes) -> float:
    """How far below the axes its own labels reach, in points."""
    labels = [label for label in ax.get_xticklabels() if label.get_rotation()]
    longest = _style.width_of([label.get_text() for label in labels], _style.SMALL)
    return 38.0 + max(longest - _style.SMALL, 0.0)
