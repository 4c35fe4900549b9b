"""The look that all plots share: colors, figures, axes, intervals and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import check_integer, invalid
from perturbx.errors import InvalidParameterError
from perturbx.result import Explanation
from perturbx.result.text import numbers as numbers
from perturbx.result.text import output_label as output_label
from perturbx.result.text import safe as safe
from perturbx.result.text import shorten as shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RED, BLUE, INK, GRAY, LINE = "#c8374a", "#2c76b8", "#262626", "#737373", "#c9c9c9"
OUTPUT_COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
"""Okabe & Ito (2008): distinguishable with every kind of color vision."""

NEUTRAL = "#5d6d7e"
"""For absolute values."""

LOW_TO_HIGH = (BLUE, "#8a6fa3", RED)
"""Values of a feature, low to high, on light and on dark."""

TEXT, SMALL = 9.5, 8.5

RUG = 0.075
"""The height of the histogram of the rows, relative to that of the panel."""


def pyplot() -> Any:
    """matplotlib.pyplot, or an error that says how to install it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            'perturbx.plots needs matplotlib: pip install "perturbx[plots]"'
        ) from error
    return plt


def axes_of(ax: Axes | None, width: float, height: float) -> Any:
    """The caller's axes, or those of a new figure with tight margins (inches)."""
    plt = pyplot()
    if ax is not None:
        return axes_in(ax)[0]
    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def axes_in(ax: Any, n: int = 1, drawn: str = "", cure: str = "") -> list[Any]:
    """The caller's axes, one for each of the `n` things that are `drawn`."""
    from matplotlib.axes import Axes

    try:
        axes = list(np.ravel(ax))
    except ValueError:  # ragged lists
        axes = [ax]
    if not axes or not all(isinstance(one, Axes) for one in axes):
        raise invalid("ax", "matplotlib Axes, or None for a new figure", ax)
    if drawn and len(axes) != n:
        raise InvalidParameterError(f"{drawn} and got {len(axes)} axes: pass {n} axes{cure}.")
    return axes


def tones(ax: Axes) -> tuple[str, str, str]:
    """Colors for text, for secondary text and for lines that are visible on these axes."""
    return ("#e8e8e8", "#a6a6a6", "#5a5a5a") if is_dark(ax) else (INK, GRAY, LINE)


def is_dark(ax: Axes) -> bool:
    """Whether the background of the axes is dark."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(ax.get_facecolor())
    return 0.299 * red + 0.587 * green + 0.114 * blue < 0.5


def readable(color: str, ax: Axes) -> Any:
    """The color of a line, with the contrast that text needs."""
    from matplotlib.colors import to_rgb

    ink = to_rgb(tones(ax)[0])
    return tuple(0.6 * part + 0.4 * end for part, end in zip(to_rgb(color), ink, strict=True))


def finished(axes: Any, show_it: bool) -> Any:
    """The axes, after `plt.show()` if it is wanted."""
    if show_it:
        pyplot().show()
    return axes


def explanation_of(value: Any) -> Explanation:
    """The value, or an error if it is not an explanation."""
    if not isinstance(value, Explanation):
        raise invalid("explanation", "an Explanation, as explainer.explain(X) returns", value)
    return value


def scores_of(explanation: Explanation) -> str:
    """The method, and the output if it has a name, as in "KernelShap score for risk"."""
    names = explanation.output_names
    name = str(names[0]) if np.ndim(names) == 1 and len(names) == 1 else ""
    of = f" for {output_label(name)}" if name not in ("", "output") else ""
    return f"{explanation.method_name} score{of}"


def rows_of(max_display: int, n_features: int) -> int:
    """How many features get their own row; the last row is for all others."""
    most = check_integer("max_display", max_display, minimum=1)
    return n_features if n_features <= most else most - 1


def width_of(texts: Sequence[str], size: float) -> float:
    """The width of the widest text, in points."""
    from matplotlib.textpath import TextPath

    extents = (TextPath((0, 0), safe(t), size=size).get_extents().width for t in texts if t)
    return float(max(extents, default=0.0))


def clean(ax: Axes, xlabel: str) -> None:
    """No box, gray numbers, and a label that says what is shown."""
    ink, gray, line = tones(ax)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(line)
    ax.tick_params(axis="x", colors=gray, labelsize=SMALL, length=3, color=line)
    ax.ticklabel_format(axis="x", style="sci", scilimits=(-4, 5), useMathText=True)
    ax.xaxis.get_offset_text().set_color(gray)
    ax.set_xlabel(safe(xlabel), fontsize=TEXT, color=ink, labelpad=6)


def framed(ax: Axes) -> None:
    """Lines at the left and at the bottom, gray numbers, and on a linear axis a line at 0."""
    _, gray, line = tones(ax)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(line)
    ax.tick_params(colors=gray, labelsize=SMALL, color=line, length=3)
    if ax.get_yscale() == "linear":
        ax.axhline(0, color=line, linewidth=0.8, zorder=0)
        ax.ticklabel_format(axis="y", style="sci", scilimits=(-3, 4), useMathText=True)
    for axis in (ax.xaxis, ax.yaxis):
        axis.get_offset_text().set(color=gray, fontsize=SMALL)


def rug(ax: Axes, x: Floats, heights: Any, width: float) -> None:
    """Where the rows lie, as gray bars at the bottom."""
    shares = RUG * np.asarray(heights) / max(np.max(heights), 1)
    place: dict[str, Any] = {"transform": ax.get_xaxis_transform(), "zorder": 0}
    ax.bar(x, shares, width=width, color=tones(ax)[2], linewidth=0, **place)


def aside(ax: Axes, text: str, below: float = 38.0) -> None:
    """Gray lines below the label of the x axis that say how to read the plot."""
    characters = int(ax.bbox.width * 72 / ax.figure.dpi / (0.52 * SMALL))
    ax.annotate(
        fill(text, max(characters, 30)),
        (0.5, 0),
        xytext=(0, -below),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=SMALL,
        color=tones(ax)[1],
    )


def room(ax: Axes, low: float, high: float, left: float, right: float) -> None:
    """Limits along x that contain low..high and, beyond them, texts of that many points."""
    span = (high - low) or abs(high) or 1.0
    # The names take a part of the axes' width that only the layout knows: at most 45%.
    points = 0.7 * ax.bbox.width * 72 / ax.figure.dpi
    shares = np.minimum(np.array([left, right]) / points, 0.3)
    whole = span / (1 - shares.sum())
    ax.set_xlim(low - shares[0] * whole, high + shares[1] * whole)


def whiskers(ax: Axes, ends: Floats, rows: Any, lower: Floats, upper: Floats) -> None:
    """Intervals as thin lines, where they are known."""
    known = np.isfinite(lower) & np.isfinite(upper)
    if known.any():
        reach = np.stack([ends - lower, upper - ends])[:, known]
        ax.errorbar(
            ends[known],
            np.asarray(rows)[known],
            xerr=np.maximum(reach, 0.0),
            fmt="none",
            ecolor=tones(ax)[0],
            elinewidth=1.1,
            capsize=2.2,
            capthick=1.1,
            zorder=3,
        )


def beside_bars(ax: Axes, texts: Sequence[str], scores: Floats, low: Floats, high: Floats) -> None:
    """The scores as text, beyond the whisker (`low` to `high`) in the direction of the bar."""
    for row, text in enumerate(texts):
        negative = scores[row] < 0
        ax.annotate(
            text,
            ((low if negative else high)[row], row),
            xytext=(-5 if negative else 5, 0),
            textcoords="offset points",
            ha="right" if negative else "left",
            va="center",
            fontsize=SMALL,
            color=tones(ax)[0],
        )


def limits_beside_bars(ax: Axes, scores: Floats, low: Floats, high: Floats, signed: bool) -> None:
    """Limits that contain all bars and whiskers, and the scores as text beyond them."""
    low, high = np.fmin(np.fmin(low, scores), 0), np.fmax(np.fmax(high, scores), 0)
    texts = numbers(scores, signed)
    space = width_of(texts, SMALL) + 10
    room(ax, low.min(), high.max(), space if (scores < 0).any() else 0, space)
    beside_bars(ax, texts, scores, low, high)


def low_to_high() -> Any:
    """The color map for values of a feature."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("low to high", LOW_TO_HIGH)


def color_bar(drawn: Any, axes: Any, label: str, beyond: str = "neither") -> Any:
    """A thin bar beside the axes for the colors of what was drawn on them."""
    main = np.ravel(np.asarray(axes, dtype=object))[0]
    ink, gray, _ = tones(main)
    bar = main.figure.colorbar(drawn, ax=axes, fraction=0.05, pad=0.02, aspect=34, extend=beyond)
    bar.outline.set_visible(False)
    # Half-transparent patches with edges would overlap and look like stripes.
    bar.solids.set(edgecolor="none", antialiased=False)
    bar.ax.tick_params(colors=gray, labelsize=SMALL, length=0)
    bar.formatter.set_powerlimits((-3, 4))
    bar.formatter.set_useMathText(True)
    bar.set_label(safe(label), fontsize=SMALL, color=ink)
    return bar


def half_interval(values: Floats) -> Floats:
    """Half the 95% interval of the mean over the first axis (t distribution)."""
    from scipy.special import stdtrit

    n = len(values)
    return np.asarray(stdtrit(n - 1, 0.975) * values.std(axis=0, ddof=1) / np.sqrt(n))
