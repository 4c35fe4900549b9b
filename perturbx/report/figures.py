"""Photos, texts and series of a page, one picture for each row and output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from perturbx.errors import InvalidParameterError
from perturbx.features import Regions, Spans
from perturbx.report.contents import n_outputs, n_rows
from perturbx.result import Explanation
from perturbx.result.notebook import label
from perturbx.result.series import is_series
from perturbx.result.series_pictures import figure, scale_of
from perturbx.result.stretches import colored
from perturbx.result.thumbnails import layers

_SIDE, _MOST, _PIECES = 384, 200, 2000


@dataclass(frozen=True, eq=False)
class Figure:
    """One picture: a photo with its heat maps, a text in colors, or the SVG of a series."""

    row: int
    output: int
    kind: str
    content: Any
    head: str = ""


def figures_of(e: Explanation) -> list[Figure]:
    """All pictures; none for tables."""
    regions: Any = e.regions[0] if isinstance(e.regions, tuple) else e.regions
    if not isinstance(regions, (Regions, Spans)):
        return []
    n, k = n_rows(e), n_outputs(e)
    if n * k > _MOST:
        fewer = "explanation[:10]" if n > 1 else "explanation[..., :10]"
        raise InvalidParameterError(
            f"A page has at most {_MOST} pictures, and {n:,} rows with {k:,} outputs would need "
            f"{n * k:,}: pass some of them, as in {fewer}."
        )
    rows = list(e) if "instance" in e.axes else [e]
    return [shown for i, row in enumerate(rows) for shown in _of_row(row, i)]


def _of_row(row: Explanation, i: int) -> list[Figure]:
    """The outputs of one row, on one scale."""
    each = [row[..., j] for j in range(n_outputs(row))] if "output" in row.axes else [row]
    if isinstance(row.regions, Spans):
        return [
            Figure(i, j, "text", colored(one, None, 0.95, _PIECES), label(one))
            for j, one in enumerate(each)
        ]
    if is_series(row.regions):
        end = scale_of(each)
        return [Figure(i, j, "series", figure(one, "", end)) for j, one in enumerate(each)]
    return [Figure(i, j, "photo", layer) for j, layer in enumerate(layers(each, _SIDE))]
