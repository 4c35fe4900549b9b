"""The range of brightness of a photo: what its dtype tells, and what its values say otherwise."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx.errors import InvalidInputError, PerturbxWarning

_WHITE = {"b": {1: 1.0}, "u": {1: 255.0, 2: 65535.0}, "f": {2: 1.0, 4: 1.0, 8: 1.0}}
"""Full brightness, by kind and width of the dtype."""

_SLACK = 1e-3
"""How far floats may leave 0..1: filters and means may overshoot."""

_DARK = 15
"""A photo whose brightest pixel is below full brightness by this factor has another white: 12 bits
in 16, or 4 bits in 8."""


def warn_if_dark(batch: Sequence[NDArray[Any]], whites: Sequence[float | None]) -> None:
    """Warn of a batch that would look black to the network, unless `white` was given.

    It is a warning about the whole batch, since masked photos may well be dark.
    """
    known = [(image, white) for image, white in zip(batch, whites, strict=True) if white]
    highest = [float(image.max()) for image, _ in known]
    if not any(highest) or any(
        high * _DARK >= white for high, (_, white) in zip(highest, known, strict=True)
    ):
        return
    (image, white), high = known[0], max(highest)
    likely = next((w for w in (1, 15, 255, 4095) if high <= w < white), high)
    warnings.warn(
        f"photos of {image.dtype} with values up to {high:g} look black to the network, since full "
        f"brightness is {white:g}: set it, as in ImagePreprocess(white={likely:g}), or "
        f"white={white:g} if the photos are that dark.",
        PerturbxWarning,
        stacklevel=3,
    )


def white_of(image: NDArray[Any]) -> float:
    """Full brightness for this dtype, or an error if the values contradict it."""
    white = _WHITE.get(image.dtype.kind, {}).get(image.dtype.itemsize)
    if white is None:
        raise InvalidInputError(
            f"the full brightness of a photo of {image.dtype} is unknown: convert it, as in "
            "image.astype(np.uint8), or set it, as in ImagePreprocess(white=255)."
        )
    if image.dtype.kind != "f":
        return white
    low, high = float(image.min()), float(image.max())
    if low >= -_SLACK and high <= 1 + _SLACK:
        return white
    if np.isnan(low) or np.isnan(high):
        cure = "Replace missing values, as in np.nan_to_num(image)"
    elif low < -_SLACK:
        cure = (
            "Negative ones look normalized: pass the original photo, since this preprocess "
            "normalizes it; or pass white= to use the values unchanged"
        )
    else:
        cure = "Pass image.astype(np.uint8), image / 255, or ImagePreprocess(white=255)"
    raise InvalidInputError(
        f"photos of floats must be in 0..1; got values from {low:.4g} to {high:.4g}. {cure}."
    )
