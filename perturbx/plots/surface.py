"""The effect of two features together, as a map in colors, with where the rows lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import check_integer, invalid, position_of
from perturbx.errors import InvalidParameterError
from perturbx.plots import _style
from perturbx.result import EffectSurface, heatmaps
from perturbx.result.effects import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def surface(
    found: EffectSurface,
    *,
    output: int | str | None = None,
    rows: int = 1000,
    ax: Axes | None = None,
    show: bool = True,
) -> Axes:
    """Draw how the output changes with two features together, beyond each of them alone.

    Red is a higher output than the two effects added up, blue a lower one. Dots are rows: where
    there are none, the color says nothing. Numbers are joined, categories have cells of their own.

    Parameters
    ----------
    found : EffectSurface
        As ``px.Effects(model).fit(X).interaction("age", "income")`` returns.
    output : int, str or None
        The output to draw, if there are several.
    rows : int
        The most rows that are drawn, evenly spaced among all.
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
        If there are several outputs and none is chosen.

    Examples
    --------
    >>> import perturbx as px
    >>> px.plots.surface(effects.interaction("age", "income"))  # doctest: +SKIP
    """
    if not isinstance(found, EffectSurface):
        raise invalid("found", "an EffectSurface, as px.Effects(...).interaction returns", found)
    check_integer("rows", rows, minimum=0)
    names = found.output_names
    if output is None and len(names) > 1:
        raise InvalidParameterError(
            f"surface draws one output, and there are {len(names)}: choose one, as in "
            f"output={names[0]!r}."
        )
    j = position_of(output or 0, names, len(names), "output", InvalidParameterError)
    values = found.values.reshape(*found.counts.shape, -1)[:, :, j]
    ax = _style.axes_of(ax, 5.6, 4.2)
    _draw(ax, found, values, _style.output_label(names[j]))
    _dots(ax, found, rows)
    _words(ax, found)
    return _style.finished(ax, show)  # type: ignore[no-any-return]


def _draw(ax: Axes, found: EffectSurface, values: Floats, name: str) -> None:
    from matplotlib.colors import ListedColormap, to_rgb

    ink, gray, line = _style.tones(ax)
    end = heatmaps.scale([values])
    joined = all(found.are_numbers)
    colors = heatmaps.colors(1.0)  # transparent ones would show the triangles of a smooth map
    over = np.array(to_rgb(ax.get_facecolor()))
    opaque = over + colors[:, 3:] * (colors[:, :3] - over)
    image = ax.pcolormesh(
        *found.positions,
        values.T,
        shading="gouraud" if joined else "nearest",
        cmap=ListedColormap(opaque),
        vmin=-end,
        vmax=end,
        rasterized=True,
        zorder=0,
    )
    bar = ax.figure.colorbar(image, ax=ax, pad=0.02)
    label = _style.safe(_style.shorten(f"effect on {name}, beyond each alone", 60))
    bar.set_label(label, fontsize=_style.SMALL, color=ink)
    bar.ax.tick_params(colors=gray, labelsize=_style.SMALL, color=line, length=3)
    bar.outline.set_visible(False)


def _dots(ax: Axes, found: EffectSurface, most: int) -> None:
    """Rows, those of categories spread at random within their cells."""
    n = len(found.data)
    chosen = np.unique(np.linspace(0, n - 1, min(most, n)).astype(int))
    x, y = found.data[chosen].T
    rng = np.random.default_rng(0)
    x, y = (
        part if is_number else part + rng.uniform(-0.35, 0.35, len(part))
        for part, is_number in zip((x, y), found.are_numbers, strict=True)
    )
    ink = _style.tones(ax)[0]
    ax.plot(x, y, ".", color=ink, markersize=2.6, alpha=0.45, markeredgewidth=0, zorder=1)


def _words(ax: Axes, found: EffectSurface) -> None:
    ink, gray, line = _style.tones(ax)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(line)
    ax.tick_params(colors=gray, labelsize=_style.SMALL, color=line, length=3)
    for which, is_number in enumerate(found.are_numbers):
        axis, feature, grid = (ax.xaxis, ax.yaxis)[which], found.features[which], found.grids[which]
        axis.set_label_text(
            _style.safe(_style.shorten(feature, 40)), fontsize=_style.TEXT, color=ink
        )
        if is_number:
            ends = found.positions[which][[0, -1]]
            (ax.set_xlim if which == 0 else ax.set_ylim)(*ends)
        else:
            axis.set_ticks(range(len(grid)), [_style.safe(shown(cell)) for cell in grid])
    if not found.are_numbers[0] and sum(len(shown(cell)) for cell in found.grids[0]) > 40:
        ax.tick_params(axis="x", rotation=90)
