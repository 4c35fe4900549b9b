"""The notebook view of an explanation: facts, figures and the table of `summary`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perturbx.features import Spans
from perturbx.result.bars import bars
from perturbx.result.facts import facts, prediction
from perturbx.result.ranks import told_apart
from perturbx.result.stretches import Colored, colored
from perturbx.result.summary import half_widths, head, tabulate
from perturbx.result.templates import render
from perturbx.result.text import numbers, output_label

if TYPE_CHECKING:
    from perturbx.result.explanation import Explanation

_MOST_TEXTS, _MOST_OUTPUTS, _MOST_PIECES = 4, 3, 400


def notebook(explanation: Explanation) -> str | None:
    """A small table without scripts; every name is escaped. None without jinja2.

    Notebooks then show the text.
    """
    table = tabulate(explanation)
    values: dict[str, Any] = {
        "first": head(explanation)[0],
        "facts": [*prediction(explanation), *facts(explanation)],
        "notes": explanation.notes,
        "words": _words(explanation),
        "texts": _texts(explanation),
        "table": table,
        "title": table.title.partition(" ±")[0],
        "bars": bars(table.scores, table.lower, table.upper, table.is_mean),
        **_pictures(explanation),
    }
    try:
        return render("notebook.html", **values)
    except ImportError:
        return None


def _words(explanation: Explanation) -> list[str]:
    """What cannot be told apart, for one instance and output."""
    one = explanation
    if one.axes[:1] == ("instance",) and len(one) == 1:
        one = one[0]
    if one.axes != ("feature",):
        return []
    return told_apart(one.feature_names, one.values, half_widths(one), 0.95)


def _pictures(explanation: Explanation) -> dict[str, list[Any]]:
    """Heat maps over their images, or under their series; none for tables."""
    if explanation.regions is None or "feature" not in explanation.axes:
        return {"figures": [], "photos": []}
    from perturbx.result.series_pictures import series_pictures
    from perturbx.result.thumbnails import thumbnails

    return {"figures": series_pictures(explanation), "photos": thumbnails(explanation)}


def _texts(explanation: Explanation) -> list[tuple[str, Colored]]:
    """A head and the colored pieces of each of the first texts and outputs."""
    spans = explanation.regions
    first = spans[0] if isinstance(spans, tuple) and spans else spans
    if not isinstance(first, Spans) or "feature" not in explanation.axes:
        return []
    several = "instance" in explanation.axes
    each = [explanation[i] for i in range(min(len(explanation), _MOST_TEXTS))] if several else []
    return [
        (label(one), colored(one, None, 0.95, _MOST_PIECES))
        for text in each or [explanation]
        for one in _of_outputs(text)
    ]


def _of_outputs(one: Explanation) -> list[Explanation]:
    if "output" not in one.axes:
        return [one]
    return [one[..., j] for j in range(min(one.shape[-1], _MOST_OUTPUTS))]


def label(one: Explanation) -> str:
    """The output and its prediction."""
    name = output_label(str(one.output_names[0])) if len(one.output_names) == 1 else ""
    return f"{name} {numbers([float(one.predictions)], signed=False)[0]}".strip()
