"""A text or a list as stretches that are colored by their scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx._validation import check_integer, check_number
from perturbx.errors import InvalidParameterError
from perturbx.features import Spans, visible
from perturbx.result.reading import one_output, without_rounding
from perturbx.result.text import numbers

if TYPE_CHECKING:
    from perturbx.result.explanation import Explanation

_SEEN = 0.1
"""The share of the largest score from which color is seen, and doubts are marked."""

_CONTEXT = 12
"""The number of pieces that are shown to each side of an important one, where not all are."""


@dataclass(frozen=True)
class Stretch:
    """Consecutive characters of one piece, or of no piece.

    Parameters
    ----------
    text : str
        Without control characters, except line ends.
    name, label : str
        The name and the score of the piece; empty for text between pieces.
    strength : float
        The score as a share of the largest one, from -1 to 1.
    is_doubtful : bool
        Whether the score is of a size that is seen, and its interval contains 0.
    """

    text: str
    name: str = ""
    label: str = ""
    strength: float = 0.0
    is_doubtful: bool = False


@dataclass(frozen=True)
class Colored:
    """One text with the scores of its pieces for one output.

    Parameters
    ----------
    stretches : tuple of Stretch
    end : float
        The score of full color.
    """

    stretches: tuple[Stretch, ...]
    end: float

    @property
    def has_doubts(self) -> bool:
        """Whether any stretch is doubtful."""
        return any(stretch.is_doubtful for stretch in self.stretches)


def colored(explanation: Explanation, output: int | str | None, level: float, most: int) -> Colored:
    """One text, or one list; of many pieces those around the largest scores.

    Raises
    ------
    InvalidParameterError
        If there are several texts, if the features are no pieces, or if pieces were picked.
    """
    check_number("level", level, above=0, below=1)
    check_integer("max_display", most, minimum=1)
    one = _single(explanation)
    one = without_rounding(one_output(one, output))
    spans = one.regions
    assert isinstance(spans, Spans)  # as _single has seen
    sizes = np.abs(np.nan_to_num(one.values))
    end = float(sizes.max(initial=0.0)) or 1.0
    shown = _shown(sizes, most)
    lower, upper = one.interval(level)
    doubtful = ~((lower > 0) | (upper < 0)) & (sizes >= _SEEN * end)
    labels = numbers(one.values.tolist())
    stretches: list[Stretch] = []
    place, missing = 0, 0
    for j in range(len(spans)):
        if not shown[j]:
            missing += 1
            continue
        start, stop = int(spans.starts[j]), int(spans.stops[j])
        if missing:
            stretches.append(Stretch(f" … {missing:,} {spans.word}s … "))
        else:
            stretches += _between(one.data, place, start)
        missing, place = 0, stop
        text = _readable(one.data, start, stop)
        strength = float(one.values[j] / end)
        stretches.append(Stretch(text, spans.names[j], labels[j], strength, bool(doubtful[j])))
    last = [Stretch(f" … {missing:,} {spans.word}s")] if missing else []
    stretches += last or _between(one.data, place, len(one.data))
    return Colored(tuple(stretches), end)


def _single(explanation: Explanation) -> Explanation:
    if "instance" in explanation.axes and len(explanation) == 1:
        explanation = explanation[0]
    if "instance" in explanation.axes:
        raise InvalidParameterError(
            f"text draws one instance, not {len(explanation)}: use text(explanation[i])."
        )
    if not isinstance(explanation.regions, Spans):
        raise InvalidParameterError(
            "text needs the pieces of a text or a list, as px.Tokens() makes them: use plots.bar "
            "for columns, and plots.overlay for images."
        )
    if "feature" not in explanation.axes:
        raise InvalidParameterError(
            "text draws all pieces, and one was picked: pass the whole explanation."
        )
    return explanation


def _shown(sizes: Floats, most: int) -> NDArray[np.bool_]:
    """All pieces, or about `most` of them: the largest, each with those around it."""
    shown = np.ones(len(sizes), dtype=bool)
    if len(sizes) <= most:
        return shown
    shown[:] = False
    around = min(_CONTEXT, most // 2)
    for j in np.argsort(-sizes, kind="stable")[:most]:
        if shown.sum() >= most or (shown.any() and not sizes[j]):
            break
        shown[max(0, j - around) : j + around + 1] = True
    return shown


def _between(data: object, start: int, stop: int) -> list[Stretch]:
    """What lies between pieces; items of a list stand on lines of their own."""
    text = _readable(data, start, stop)
    if isinstance(data, list):
        ends = "\n" * (0 < start < len(data)), "\n" * bool(text and stop < len(data))
        text = text.join(ends)
    return [Stretch(text)] if text else []


def _readable(data: object, start: int, stop: int) -> str:
    if isinstance(data, str):
        return visible(data[start:stop])
    assert isinstance(data, list)
    return "\n".join(
        visible(item if isinstance(item, str) else _said(item)) for item in data[start:stop]
    )


def _said(item: object) -> str:
    """A message by its role and content, anything else as it prints."""
    if isinstance(item, dict) and isinstance(item.get("content"), str) and "role" in item:
        return f"{item['role']}: {item['content']}"
    return str(item)
