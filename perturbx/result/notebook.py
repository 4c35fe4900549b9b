"""The notebook view of an explanation: the table of `summary`, heat maps, colored texts."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from perturbx.result.summary import Table, head, tabulate

if TYPE_CHECKING:
    from perturbx.result.explanation import Explanation

_SIDE = 200
_RED, _BLUE, _NEUTRAL = "#ca3542", "#2f78b7", "#5d6d7e"
_CELL = "padding:2px 10px;text-align:left;white-space:nowrap;"
_NUMBER = "font-variant-numeric:tabular-nums;"


def notebook(explanation: Explanation) -> str:
    """A small HTML table without scripts and style sheets; every name is escaped."""
    table, (first, *lines) = tabulate(explanation), head(explanation)
    titles = [table.kind, *([table.heading] if table.data else [])]
    for name in table.columns:
        titles += ["", name if len(table.columns) > 1 else table.title]
    header = "".join(f'<th style="{_CELL}">{escape(title)}</th>' for title in titles)
    rows = "".join(f"<tr>{_row(table, i)}</tr>" for i in range(len(table.names)))
    notes = "<br>".join(map(escape, lines))
    rest = "".join(f"<div>… and {escape(text)}</div>" for text in table.rest)
    return (
        f'<div style="font-size:13px;line-height:1.4"><b>{escape(first)}</b>'
        f'<div style="opacity:.7;margin:2px 0 6px">{notes}</div>'
        f"{_pictures(explanation)}{_texts(explanation)}"
        f'<table style="border-collapse:collapse;margin:0"><thead><tr>{header}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
        f'<div style="opacity:.7;padding:2px 10px">{rest}</div></div>'
    )


def _pictures(explanation: Explanation) -> str:
    """Heat maps over their images, or under their series; empty for tables."""
    if explanation.regions is None or "feature" not in explanation.axes:
        return ""
    from perturbx.result.series_pictures import series_pictures
    from perturbx.result.thumbnails import thumbnails

    figures = series_pictures(explanation) or [
        f'<figure style="margin:0 10px 8px 0;width:{_SIDE}px">'
        f'<img style="width:100%;image-rendering:{"pixelated" if small.coarse else "auto"}" '
        f'alt="heat map of {escape(small.title)}" '
        f'src="data:image/png;base64,{b64encode(small.png).decode()}">'
        f"<figcaption>{escape(small.title)}"
        f'<span style="opacity:.7"> {escape(small.caption)}</span></figcaption></figure>'
        for small in thumbnails(explanation)
    ]
    return f'<div style="display:flex;flex-wrap:wrap">{"".join(figures)}</div>' * bool(figures)


def _texts(explanation: Explanation) -> str:
    """Texts with colored pieces; empty without texts."""
    from perturbx.result.colored_html import texts

    return texts(explanation)


def _row(table: Table, i: int) -> str:
    cells = [escape(table.names[i]), *([escape(table.data[i])] if table.data else [])]
    for j in range(len(table.columns)):
        cells += [_bar(table, i, j), f'<span style="{_NUMBER}">{escape(table.cells(j)[i])}</span>']
    return "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells)


def _bar(table: Table, i: int, j: int) -> str:
    """A bar of up to 60 pixels to each side of zero, or to the right if no score is negative."""
    known = table.scores[np.isfinite(table.scores)]
    largest, signed = float(np.abs(known).max(initial=0.0)), bool((known < 0).any())
    score = float(np.clip(np.nan_to_num(table.scores[i, j]), -largest, largest))
    width = round(60 * (abs(score) / largest)) if largest else 0
    left = (60 - width if score < 0 else 60) if signed else 0
    color = _NEUTRAL if table.title.startswith("mean") else _BLUE if score < 0 else _RED
    return (
        f'<div style="width:{120 if signed else 60}px;height:10px">'
        f'<div style="margin-left:{left}px;width:{width}px;height:10px;background:{color}">'
        "</div></div>"
    )
