"""Texts with colored pieces for the notebook view; every character of them is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from perturbx.features import Spans
from perturbx.result.stretches import Stretch, colored
from perturbx.result.text import numbers, output_label

if TYPE_CHECKING:
    from perturbx.result.explanation import Explanation

_MOST_TEXTS, _MOST_OUTPUTS, _MOST_PIECES = 4, 3, 400

_RED, _BLUE = "200,55,74", "44,118,184"
_OPACITY = 0.6

_TEXT = "white-space:pre-wrap;unicode-bidi:plaintext;max-width:60em;line-height:1.7;margin:0 0 8px"


def texts(explanation: Explanation) -> str:
    """A paragraph for each of the first texts and outputs; empty for anything else."""
    spans = explanation.regions
    first = spans[0] if isinstance(spans, tuple) and spans else spans
    if not isinstance(first, Spans) or "feature" not in explanation.axes:
        return ""
    several = "instance" in explanation.axes
    each = [explanation[i] for i in range(min(len(explanation), _MOST_TEXTS))] if several else []
    return "".join(map(_of_outputs, each or [explanation]))


def _of_outputs(one: Explanation) -> str:
    if "output" not in one.axes:
        return _paragraph(one)
    return "".join(_paragraph(one[..., j]) for j in range(min(one.shape[-1], _MOST_OUTPUTS)))


def _paragraph(one: Explanation) -> str:
    shown = colored(one, None, 0.95, _MOST_PIECES)
    name = output_label(str(one.output_names[0])) if len(one.output_names) == 1 else ""
    (prediction,) = numbers([float(one.predictions)], signed=False)
    head = f'<div style="opacity:.7">{escape(name)} {escape(prediction)}</div>'
    return f'{head}<div dir="auto" style="{_TEXT}">{"".join(map(_span, shown.stretches))}</div>'


def _span(stretch: Stretch) -> str:
    text = escape(stretch.text)
    if not stretch.strength:
        return text
    color = _RED if stretch.strength > 0 else _BLUE
    style = f"background:rgba({color},{_OPACITY * abs(stretch.strength):.3f})"
    if stretch.is_doubtful:
        style += f";text-decoration:underline dotted rgb({color})"
    title = escape(f"{stretch.name}: {stretch.label}")
    return f'<span style="{style}" title="{title}">{text}</span>'
