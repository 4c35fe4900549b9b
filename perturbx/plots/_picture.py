"""The input of `overlay`: an explanation of one image, or a map of scores and its image."""

from __future__ import annotations

from typing import Any

import numpy as np

from perturbx._validation import invalid, real_numbers
from perturbx.errors import InvalidParameterError
from perturbx.features import LabelMap, Regions
from perturbx.result import Explanation
from perturbx.result.series import is_series


def picture(given: Any, image: Any = None) -> Explanation:
    """The explanation of a single image or volume, or an error with the remedy."""
    if isinstance(given, Explanation) and image is not None:
        raise invalid("image", "left out, since an explanation has its own", image)
    explanation = given if isinstance(given, Explanation) else _of_a_map(given, image)
    if "instance" in explanation.axes and len(explanation) == 1:
        explanation = explanation[0]
    if "instance" in explanation.axes:
        raise InvalidParameterError(
            f"overlay draws one instance, not {len(explanation)}: use overlay(explanation[i])."
        )
    if not isinstance(explanation.regions, Regions):
        raise InvalidParameterError(
            "overlay needs an image or a volume: these features are columns, or pieces of a text. "
            "Use plots.bar, or plots.text for a text."
        )
    if is_series(explanation.regions):
        raise InvalidParameterError("overlay draws images and volumes: use plots.series.")
    if len(explanation.regions.shape) > 3:
        raise InvalidParameterError(
            f"overlay draws images and volumes, not shape {explanation.regions.shape}: "
            "draw a part of explanation.heatmap()."
        )
    return explanation


def _of_a_map(scores: Any, image: Any) -> Explanation:
    """A map of scores as an explanation in which each position is a region."""
    expected = "an Explanation, or a map of scores with its image, overlay(scores, image=photo)"
    if image is None:
        raise invalid("explanation", expected, scores)
    try:
        heat, pixels = real_numbers(scores), np.asarray(image)
    except (TypeError, ValueError) as error:
        raise invalid("explanation", expected, scores) from error
    if heat.ndim != 2 or heat.shape != pixels.shape[:2]:
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
