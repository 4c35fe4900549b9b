"""The panels of an overlay: a heat map of each output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx.errors import InvalidParameterError
from perturbx.features import LabelMap
from perturbx.result import heatmaps
from perturbx.result.photo import step_of
from perturbx.result.reading import one_output, without_rounding
from perturbx.result.text import numbers, output_label, percent, shorten, titled

if TYPE_CHECKING:
    from perturbx.result.explanation import Explanation

_MOST_PANELS = 12
_TITLE = 28


@dataclass(frozen=True, eq=False)
class View:
    """One panel: the heat map of one output, in two dimensions, or in one for a series.

    Of a large image, arrays hold every `step`-th row and column, except `image`, which is whole.
    `end` is the score of full color, and `beyond` names the ends of the scale that are exceeded.
    """

    title: str
    caption: str
    image: Any
    shape: tuple[int, ...]
    step: int
    heat: Floats
    labels: NDArray[np.generic] | None
    kept: NDArray[np.bool_] | None
    end: float
    beyond: str


def outputs(explanation: Explanation, output: int | str | None) -> list[Explanation]:
    """One explanation for each output that is shown."""
    if output is not None or "output" not in explanation.axes:
        return [one_output(explanation, output)]
    k = explanation.shape[-1]
    if k > _MOST_PANELS:
        raise InvalidParameterError(
            f"overlay draws at most {_MOST_PANELS} outputs, and {k:,} were explained: name one "
            "with output=, or pick some, as in overlay(explanation[..., [0, 1, 2]])."
        )
    return [explanation[..., j] for j in range(k)]


def views(
    shown: list[Explanation],
    top: int | float | None = None,
    level: float | None = None,
    side: int = 1200,
    own_scales: bool = False,
) -> list[View]:
    """The panels, all on one scale or each on its own."""
    factor, _ = heatmaps.unit(shown[0])
    shown = [without_rounding(one) for one in shown]
    regions: Any = shown[0].regions
    step = step_of(regions.shape, side)
    thin: Any = (..., *[slice(None, None, step)] * min(2, len(regions.shape)))
    scores = [one.values if level is None else heatmaps.known_signs(one, level) for one in shown]
    # Copies, so that the full maps of a large photo are not kept.
    heats = [factor * regions.heatmap(s)[thin] for s in scores]
    on_one = [[heat] for heat in heats] if own_scales else [heats] * len(heats)
    at, where = _slice(heats, positive=top is not None)
    labels = regions.segments[thin][at] if isinstance(regions, LabelMap) else None
    predictions = numbers([float(one.predictions) for one in shown], signed=False)
    found = []
    for one, s, heat, prediction, together in zip(
        shown, scores, heats, predictions, on_one, strict=True
    ):
        end = heatmaps.scale(together)
        kept = None
        if top is not None:
            kept = heatmaps.highest(regions, s, heat, top)
            kept = (kept if kept.shape == heat.shape else kept[thin])[at]
        lines = [*([] if top is None else [_cut_out_in_words(top, s)]), *where]
        image = one.data[at] if isinstance(at, int) else one.data
        found.append(
            View(
                title=_title(one, prediction),
                caption=", ".join(lines),
                image=np.asarray(image),
                shape=regions.shape[-2:],
                step=step,
                heat=heat[at],
                labels=labels,
                kept=kept,
                end=end,
                beyond=_beyond(together, end),
            )
        )
    return found


def _title(one: Explanation, prediction: str) -> str:
    """The output and its prediction; empty for scores from elsewhere."""
    if not one.method:
        return ""
    named = len(one.output_names) == 1
    name = shorten(output_label(str(one.output_names[0])), _TITLE) if named else ""
    return titled(name, float(one.predictions), prediction)


def _beyond(heats: list[Floats], largest: float) -> str:
    """The ends of the scale that some scores exceed, in matplotlib's words."""
    low = any(np.nanmin(heat, initial=0.0) < -largest for heat in heats)
    high = any(np.nanmax(heat, initial=0.0) > largest for heat in heats)
    return "both" if low and high else "min" if low else "max" if high else "neither"


def _slice(heats: list[Floats], positive: bool) -> tuple[Any, list[str]]:
    """The slice of a volume with the largest score; the whole of anything flatter."""
    if heats[0].ndim < 3:
        return ..., []
    sizes = np.max([heat if positive else np.abs(heat) for heat in np.nan_to_num(heats)], axis=0)
    index = int(sizes.max(axis=(1, 2)).argmax())
    return index, [f"slice {index} of 0–{len(sizes) - 1}"]


def _cut_out_in_words(top: int | float, scores: Floats) -> str:
    if isinstance(top, (float, np.floating)):
        return f"the highest {percent(top)} of the area"
    shown = min(int(top), int((scores > 0).sum()))
    return f"the {shown} highest of {len(scores):,} regions" if shown else "no region above 0"
