"""Faithfulness of a map, from curves of the model alone, and localization of known objects.

Written from the definitions, without the library, so that it does not judge itself.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Array = np.ndarray
Predict = Callable[[Array], Array]

SHARES = np.linspace(0, 1, 29) ** 1.5
"""The points of the curves, as fractions of the pixels: denser where the curves change most."""

PROTOCOLS = ("published", "blur", "mean")
"""The fills that replace pixels.

published: gray where pixels are deleted, a light blur (standard deviation 5, within 11 pixels)
where they are inserted (Petsiuk, Das & Saenko, BMVC 2018); blur: a heavy one (standard deviation
20), which no method uses; mean: the mean color of the picture. Deviations are those of a picture of
224 x 224, and proportional to the side.
"""


def fills(image: Array) -> dict[str, tuple[Array, Array]]:
    """By protocol, the empty picture for deletion and for insertion."""
    from scipy.ndimage import gaussian_filter

    def blurred(deviation: float, truncate: float) -> Array:
        scaled = deviation * max(image.shape[:2]) / 224
        smooth = gaussian_filter(image.astype(np.float32), (scaled, scaled, 0), truncate=truncate)
        return np.rint(smooth).astype(np.uint8)

    gray, light, heavy = np.full_like(image, 127), blurred(5, 1.0), blurred(20, 4.0)
    mean = np.broadcast_to(np.rint(image.mean(axis=(0, 1))).astype(np.uint8), image.shape)
    return {"published": (gray, light), "blur": (heavy, heavy), "mean": (mean, mean)}


def faithfulness(predict: Predict, image: Array, heatmap: Array) -> dict[str, float]:
    """Areas under the insertion and deletion curve, and their difference over f(x), by protocol.

    `difference` is the mean of the protocols' differences.
    """
    rank = _ranks(heatmap)
    present = float(predict(image[None])[0])
    figures = {}
    for protocol, (without, start) in fills(image).items():
        deleted = _area(predict, image, without, rank)
        inserted = _area(predict, start, image, rank)
        figures[f"insertion {protocol}"] = inserted
        figures[f"deletion {protocol}"] = deleted
        figures[f"difference {protocol}"] = (inserted - deleted) / present
    figures["difference"] = float(np.mean([figures[f"difference {p}"] for p in PROTOCOLS]))
    return figures


def localization(heatmap: Array, objects: Array) -> dict[str, float]:
    """Does the map stay on the objects, and does it share the score between them?

    hit: the fraction of the map's maximal pixels that lie in an object, with no tolerance; mass:
    the fraction of the positive score in the objects; weaker: the second object's share of that.
    """
    positive = np.clip(np.nan_to_num(heatmap, nan=0.0), 0, None)
    inside = objects.any(axis=0)
    top = heatmap == np.nanmax(heatmap)
    held = positive[inside].sum()
    figures = {
        "hit": float(inside[top].mean()),
        "mass": float(held / positive.sum()) if positive.any() else 0.0,
    }
    if len(objects) == 2:
        figures["weaker"] = float(positive[objects[1]].sum() / held) if held > 0 else 0.0
    return figures


def _ranks(heatmap: Array) -> Array:
    """0 for the pixel with the highest score; equal scores (of a region) in random order."""
    scores = np.nan_to_num(heatmap, nan=-np.inf).ravel()
    by_chance = np.random.default_rng(0).permutation(scores.size)
    order = np.lexsort((by_chance, -scores))
    rank = np.empty(scores.size, int)
    rank[order] = np.arange(scores.size)
    return rank.reshape(heatmap.shape)


def _area(predict: Predict, before: Array, after: Array, rank: Array) -> float:
    """The mean output while pixels change from one picture to the other, highest score first."""
    limits = np.rint(SHARES * rank.size)
    answers = []
    for start in range(0, len(limits), 8):
        turned = rank < limits[start : start + 8, None, None]
        answers.append(predict(np.where(turned[..., None], after, before)))
    heights = np.concatenate(answers)
    return float((np.diff(SHARES) * (heights[1:] + heights[:-1]) / 2).sum())
