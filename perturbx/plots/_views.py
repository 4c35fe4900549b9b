"""What an overlay shows of an explanation: a panel for each output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx.errors import InvalidParameterError
from perturbx.explanation import Explanation, one_output
from perturbx.plots import _heat, _style
from perturbx.regions import LabelMap, Regions

_MOST_PANELS = 12


@dataclass(frozen=True, eq=False)
class View:
    """One panel: what it shows of one output, in two dimensions, or in one for a series."""

    title: str
    caption: str
    image: Any
    heat: Floats
    labels: NDArray[np.generic] | None
    kept: NDArray[np.bool_] | None


def picture(explanation: Explanation) -> Explanation:
    """A single image, series or volume, or an error that says what to do."""
    if "instance" in explanation.axes and len(explanation) == 1:
        explanation = explanation[0]
    if "instance" in explanation.axes:
        raise InvalidParameterError(
            f"overlay draws one instance, not {len(explanation)}: use overlay(explanation[i])."
        )
    if not isinstance(explanation.regions, Regions):
        raise InvalidParameterError(
            "overlay needs an image or a series: these features are columns. Use plots.bar."
        )
    if len(explanation.regions.shape) > 3:
        raise InvalidParameterError(
            f"overlay draws series, images and volumes, and this has {explanation.regions.shape}: "
            "draw a part of explanation.heatmap()."
        )
    return explanation


def outputs(explanation: Explanation, output: int | str | None) -> list[Explanation]:
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
    shown: list[Explanation], top: int | float | None = None, level: float | None = None
) -> tuple[list[View], float, str]:
    """What each panel shows, the end of the scale, and the ends that scores go beyond."""
    scores = [one.values if level is None else _heat.known_signs(one, level) for one in shown]
    regions: Any = shown[0].regions
    heats = [regions.heatmap(s) for s in scores]
    largest = _heat.scale(heats)
    kept = [None if top is None else _heat.highest(regions, s, top) for s in scores]
    predictions = _style.numbers([float(one.predictions) for one in shown], signed=False)
    at, where = _slice(heats, positive=top is not None)
    labels = regions.segments[at] if isinstance(regions, LabelMap) else None
    found = []
    for one, s, heat, part, prediction in zip(shown, scores, heats, kept, predictions, strict=True):
        named = len(one.output_names) == 1
        name = _style.output_label(str(one.output_names[0])) if named else ""
        lines = [*([] if top is None else [_cut_out_in_words(top, s)]), *where]
        image, part = np.asarray(one.data)[at], None if part is None else part[at]
        found.append(
            View(f"{name}  {prediction}".strip(), ", ".join(lines), image, heat[at], labels, part)
        )
    return found, largest, _beyond(heats, largest)


def _beyond(heats: list[Floats], largest: float) -> str:
    """The ends of the scale that some score goes beyond, in matplotlib's words."""
    low = any(np.nanmin(heat, initial=0.0) < -largest for heat in heats)
    high = any(np.nanmax(heat, initial=0.0) > largest for heat in heats)
    return "both" if low and high else "min" if low else "max" if high else "neither"


def _slice(heats: list[Floats], positive: bool) -> tuple[Any, list[str]]:
    """The slice of a volume with the largest score; everything of anything flatter."""
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


def percent(share: float) -> str:
    return f"{100 * share:.3g}%"
