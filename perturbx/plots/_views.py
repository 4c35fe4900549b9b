"""What an overlay shows of an explanation: a panel for each output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._summary import shorten
from perturbx._typing import Floats
from perturbx._validation import invalid, real_numbers
from perturbx.errors import InvalidParameterError
from perturbx.explanation import Explanation, one_output, without_rounding
from perturbx.plots import _heat, _style
from perturbx.plots._photo import step_of
from perturbx.regions import LabelMap, Regions

_MOST_PANELS = 12
_TITLE = 28


@dataclass(frozen=True, eq=False)
class View:
    """One panel: what it shows of one output, in two dimensions, or in one for a series.

    Of a large image every `step`-th row and column, but for `image`, which is whole. `end` is the
    score of full color, and `beyond` the ends of the scale that scores go beyond.
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


def picture(given: Any, image: Any = None) -> Explanation:
    """A single image, series or volume, or an error that says what to do."""
    if isinstance(given, Explanation) and image is not None:
        raise invalid("image", "left out, as an explanation has its own", image)
    explanation = given if isinstance(given, Explanation) else _of_a_map(given, image)
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


def _of_a_map(scores: Any, image: Any) -> Explanation:
    """A map of scores from elsewhere as an explanation in which each position is a region."""
    expected = "an Explanation, or a map of scores with its picture, overlay(scores, image=photo)"
    if image is None:
        raise invalid("explanation", expected, scores)
    try:
        heat, pixels = real_numbers(scores), np.asarray(image)
    except (TypeError, ValueError) as error:
        raise invalid("explanation", expected, scores) from error
    if heat.ndim not in (1, 2) or heat.shape not in (pixels.shape, pixels.shape[: heat.ndim]):
        raise InvalidParameterError(
            "scores and image must have the same height and width: got shapes "
            f"{heat.shape} and {pixels.shape}. Sum scores over channels first, and put the "
            "channels of the image last."
        )
    if not np.isfinite(heat).all() or pixels.dtype.kind not in "biuf":
        raise invalid("explanation", "a map of finite scores, over an image of numbers", scores)
    return Explanation(
        values=heat.ravel(),
        standard_errors=np.full(heat.size, np.nan),
        base_values=np.zeros(()),
        predictions=np.zeros(()),
        data=pixels,
        feature_names=("",) * heat.size,
        output_names=("",),
        axes=("feature",),
        method="",
        value_function="",
        n_rows=0,
        n_calls=0,
        regions=LabelMap(np.arange(heat.size).reshape(heat.shape)),
    )


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
    shown: list[Explanation],
    top: int | float | None = None,
    level: float | None = None,
    side: int = 1200,
    own_scales: bool = False,
) -> list[View]:
    """What each panel shows, all on one scale or each on its own."""
    factor, _ = _heat.unit(shown[0])
    shown = [without_rounding(one) for one in shown]
    regions: Any = shown[0].regions
    step = step_of(regions.shape, side)
    thin: Any = (..., *[slice(None, None, step)] * min(2, len(regions.shape)))
    scores = [one.values if level is None else _heat.known_signs(one, level) for one in shown]
    # Copies, so that the full maps of a large photo are not kept.
    heats = [factor * regions.heatmap(s)[thin] for s in scores]
    on_one = [[heat] for heat in heats] if own_scales else [heats] * len(heats)
    at, where = _slice(heats, positive=top is not None)
    labels = regions.segments[thin][at] if isinstance(regions, LabelMap) else None
    predictions = _style.numbers([float(one.predictions) for one in shown], signed=False)
    found = []
    for one, s, heat, prediction, together in zip(
        shown, scores, heats, predictions, on_one, strict=True
    ):
        end = _heat.scale(together)
        kept = None
        if top is not None:
            kept = _heat.highest(regions, s, heat, top)
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
    """The output and what the model says of it; nothing of scores from elsewhere."""
    if not one.method:
        return ""
    named = len(one.output_names) == 1
    name = shorten(_style.output_label(str(one.output_names[0])), _TITLE) if named else ""
    return f"{name}  {prediction}".strip()


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
