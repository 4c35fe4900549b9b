"""The feature that colors the dots of `scatter`, and the legend of its colors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import position_of
from perturbx.errors import InvalidParameterError
from perturbx.plots import _style
from perturbx.result import Explanation
from perturbx.result.columns import MISSING, Column, column_of
from perturbx.result.partners import interacting_partner, strongest_partner

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_LEVELS = 5
"""Categories with a color of their own; the rarer ones are gray."""


@dataclass(frozen=True, eq=False)
class Partner:
    """The values that color n dots.

    Parameters
    ----------
    name : str
    column : Column or None
        None for dots of one color.
    said : str
        Why there is a color, or none.
    """

    name: str
    column: Column | None
    said: str

    @property
    def _levels(self) -> list[str]:
        levels = [] if self.column is None else [n for n in self.column.levels if n != MISSING]
        return levels[: _MOST_LEVELS + (len(levels) == _MOST_LEVELS + 1)]

    def colors(self, ax: Axes, n: int) -> Floats:
        """(n, 4) RGBA; gray for missing values and rare categories."""
        from matplotlib.colors import to_rgba_array

        if self.column is None:
            return np.asarray(to_rgba_array([_style.BLUE] * n))
        gray = to_rgba_array(_style.tones(ax)[1])
        if self.column.is_number:
            tint = self.column.scaled()
            shades = _style.low_to_high()(np.nan_to_num(tint))
            return np.asarray(np.where(np.isnan(tint)[:, None], gray, shades))
        palette = dict(zip(self._levels, _style.OUTPUT_COLORS, strict=False))
        return np.concatenate(
            [to_rgba_array(palette[v]) if v in palette else gray for v in self.column.labels]
        )

    def legend(self, ax: Axes) -> None:
        """A bar of colors for numbers, or a name for each category."""
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize
        from matplotlib.lines import Line2D

        if self.column is None:
            return
        name = _style.shorten(self.name, 46)
        if self.column.is_number:
            scale = Normalize(*self.column.span)
            mappable = ScalarMappable(scale, _style.low_to_high())
            known = self.column.numbers[np.isfinite(self.column.numbers)]
            low, high = known.min() < scale.vmin, known.max() > scale.vmax
            beyond = "both" if low and high else "min" if low else "max" if high else "neither"
            _style.color_bar(mappable, ax, name, beyond)
            return
        ink, gray, _ = _style.tones(ax)
        colors = dict(zip(self._levels, _style.OUTPUT_COLORS, strict=False))
        others = [MISSING] * (MISSING in self.column.levels)
        others += ["others"] * (len(self.column.levels) > len(self._levels) + len(others))
        if others:
            colors[" and ".join(others)] = gray
        dot = {"marker": "o", "linestyle": "", "markersize": 4.5}
        handles = [
            Line2D([], [], color=color, label=_style.safe(level), **dot)  # type: ignore[arg-type]
            for level, color in colors.items()
        ]
        legend = ax.legend(
            handles=handles,
            title=_style.safe(name),
            loc="center left",
            bbox_to_anchor=(1.01, 0.5),
            frameon=False,
            fontsize=_style.SMALL,
            title_fontsize=_style.SMALL,
            labelcolor=ink,
            handletextpad=0.1,
        )
        legend.get_title().set_color(ink)


def partner_of(several: Explanation, feature: int, color: str | int | None) -> Partner:
    """The feature that the user chose, or the strongest partner."""
    names = several.feature_names
    if color is None:
        return Partner("", None, "")
    if color != "auto":
        at = position_of(color, names, len(names), "feature", InvalidParameterError)
        return Partner(names[at], column_of(several, at), "")
    if several.interactions is not None:
        found = interacting_partner(several.interactions, feature)
    else:
        columns = [column_of(several, j) for j in range(len(names))]
        known = [column for column in columns if column is not None]
        scores, errors = several.values[:, feature], several.standard_errors[:, feature]
        found = strongest_partner(scores, errors, known, feature)
    if found is None:
        return Partner("", None, "one color: no partner can be told from chance")
    return Partner(names[found], column_of(several, found), "color: the strongest partner")
