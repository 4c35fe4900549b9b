"""Maps of scores in cells, gray where the sign is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx.plots import _style
from perturbx.result import heatmaps

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BULK = 0.98
"""The fraction of scores that are not stronger than the strongest color."""

_LIGHTER = 0.65
"""Weak colors need this power of their opacity to be seen on a dark background."""


def draw_cells(ax: Axes, cells: Floats, unsure: NDArray[np.bool_]) -> tuple[Any, str]:
    """Draw (rows, columns) of scores; returns what a color bar needs, and which ends are exceeded.

    Cells are gray where `unsure`, and empty where they are NaN.
    """
    from matplotlib.colors import ListedColormap

    sizes = np.abs(cells[np.isfinite(cells) & (cells != 0)])
    end = float(np.quantile(sizes, _BULK, method="higher")) if sizes.size else 1.0
    colors = heatmaps.colors(1.0)
    if _style.is_dark(ax):
        colors[:, 3] **= _LIGHTER
    place: Any = {"aspect": "auto", "interpolation": "nearest"}
    scores = np.ma.masked_invalid(np.where(unsure, np.nan, cells))
    drawn = ax.imshow(scores, cmap=ListedColormap(colors), vmin=-end, vmax=end, **place)
    gray = np.ma.masked_where(~unsure, np.ones(unsure.shape))
    ax.imshow(gray, cmap=ListedColormap([_style.tones(ax)[2]]), alpha=0.5, **place)
    for row in range(1, len(cells)):
        ax.axhline(row - 0.5, color=ax.get_facecolor(), linewidth=0.8)
    known = cells[np.isfinite(cells)]
    low, high = bool((known < -end).any()), bool((known > end).any())
    return drawn, "both" if low and high else "min" if low else "max" if high else "neither"
