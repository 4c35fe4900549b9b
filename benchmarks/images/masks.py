"""Whose mask destroys the network's answer with the smallest area, for the same number of calls?

`MeaningfulPerturbation` against the top pixels of the maps of `Rise` and `OwenShap`. Each method
spends the budget on a photo. A map's pixels are then removed, highest score first, for areas of
1%, 2%, ..., which costs it nothing, and the first area counts at which at least 90% of the output
is destroyed. Every mask fades into the same blurred copy of the photo.

    python -m benchmarks.images.masks [--quick] [--check] [--data FOLDER] [--network FILE]
        [--budget 500] [--photos PATTERN] [--picture docs/masks.png]
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
import perturbx as px
from perturbx.maskers import Features
from scipy import stats

from benchmarks.command import parser, status
from benchmarks.images._network import Door, NetworkMissingError, network
from benchmarks.images._views import View, views
from benchmarks.peers import quiet
from benchmarks.report import Target, head, line

Array = np.ndarray

DROP = 0.9
AREAS = np.concatenate([np.arange(0.01, 0.3, 0.01), np.arange(0.3, 1.001, 0.05)])

CHOSEN_BY = (
    "camera",
    "sim_n01549053_4208",
    "sim_n01687978_7467",
    "sim_n02011805_6117",
    "sim_n02190166_6252",
    "sim_n03029197_6381",
    "sim_n03118969_4898",
    "sim_n03268918_3662",
)
"""Photos, then at 128 x 128, by which the settings of the search were chosen."""

SHIFT = 4
"""The paper moves images by up to so many pixels, as a mask must not depend on single ones."""


class Photo:
    """A photo, its blurred copy, and the share of the output that a mask leaves."""

    def __init__(self, door: Door, image: Array) -> None:
        self.predict, self.image = door.images, image
        masker = px.SmoothGrid(fill="blur")
        fitted = masker.fit(None, Features(), np.random.default_rng(0))
        (bound,) = fitted.check(image).bind(0, 1)
        nothing = np.zeros((1, bound.n_features))
        self.fill = bound.batch(nothing, slice(0, 1), bound.scratch(1))[0].copy()
        self.full, self.empty = self.predict(np.stack([image, self.fill]))

    def left(self, masks: Array) -> Array:
        """(m,): of masks (m, H, W), 1 where the image is removed."""
        each = masks[..., None]
        answers = self.predict(np.rint(self.fill * each + self.image * (1 - each)))
        return np.asarray((answers - self.empty) / (self.full - self.empty))

    def shifted(self, mask: Array) -> float:
        """What is left under a mask that is moved in four directions, on average."""
        moves = [(SHIFT, 0), (-SHIFT, 0), (0, SHIFT), (0, -SHIFT)]
        return float(self.left(np.stack([np.roll(mask, by, (0, 1)) for by in moves])).mean())


def top_pixels(photo: Photo, heat: Array) -> Array:
    """The first mask of highest scores, equal ones in random order, that destroys enough."""
    by_chance = np.random.default_rng(0).permutation(heat.size)
    rank = np.empty(heat.size, dtype=int)
    rank[np.lexsort((by_chance, -heat.ravel()))] = np.arange(heat.size)
    rank = rank.reshape(heat.shape)
    for start in range(0, len(AREAS), 8):
        areas = AREAS[start : start + 8] * heat.size
        masks = (rank < np.rint(areas)[:, None, None]).astype(float)
        enough = np.flatnonzero(photo.left(masks) <= 1 - DROP)
        if len(enough):
            return np.asarray(masks[enough[0]])
    return np.ones(heat.shape)


def masks(view: View, ask: object, budget: int) -> dict[str, tuple[float, float, float]]:
    """For each method the area of its mask, what is left under it, and under its shifted copies."""
    door = Door(ask, view.label)  # type: ignore[arg-type]
    photo, blurred = Photo(door, view.image), px.SmoothGrid(fill="blur")
    settings = {"budget": budget, "random_state": 0}
    explainers = {
        "Rise": px.Rise(door.images, **settings),
        "Rise, blurred": px.Rise(door.images, masker=blurred, **settings),
        "OwenShap": px.OwenShap(door.images, **settings),
    }
    found = {
        name: top_pixels(photo, explainer.explain(view.image).heatmap())
        for name, explainer in explainers.items()
    }
    ours = px.MeaningfulPerturbation(door.images, drop=DROP, **settings).explain(view.image)
    found["MeaningfulPerturbation"] = ours.heatmap()
    found["the same, hard edges"] = (ours.heatmap() > 0.5).astype(float)
    return {
        name: (float(mask.mean()), float(photo.left(mask[None])[0]), photo.shifted(mask))
        for name, mask in found.items()
    }


def ratio(ours: Array, theirs: Array) -> tuple[float, float, float]:
    """The geometric mean of the ratios over photos, with its 95% interval."""
    logs = np.log(ours / theirs)
    mean, n = logs.mean(), len(logs)
    half = stats.t.ppf(0.975, n - 1) * logs.std(ddof=1) / np.sqrt(n) if n > 1 else np.inf
    return tuple(np.exp([mean, mean - half, mean + half]).tolist())


def draw(path: Path, view: View, ask: object, budget: int) -> None:
    """A photo, the smallest mask that destroys its output, and the smallest that keeps it."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    door = Door(ask, view.label)  # type: ignore[arg-type]
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="compressed")
    axes[0].imshow(view.image)
    axes[0].set_title(f"{view.photo}, {view.probability:.2f}")
    for ax, aim in zip(axes[1:], ("destroy", "keep"), strict=True):
        explainer = px.MeaningfulPerturbation(door.images, aim=aim, budget=budget, random_state=0)
        mask = explainer.explain(view.image).heatmap()[..., None]
        ax.imshow(np.rint(view.image * mask + 255 * (1 - mask)).astype(np.uint8))
        ax.set_title(f"enough to {aim} 90%: {mask.mean():.1%}")
    for ax in axes:
        ax.set_axis_off()
    figure.savefig(path, dpi=80)


def main() -> int:
    chosen = arguments()
    chosen.out.mkdir(parents=True, exist_ok=True)
    try:
        ask = network(chosen.out, chosen.network)
    except NetworkMissingError as error:
        print(error, file=sys.stderr)
        return int(chosen.check)
    photos = [v for v in views(ask, chosen.data)[0] if v.kind == "squashed"]
    photos = [v for v in photos if v.photo not in CHOSEN_BY and re.search(chosen.photos, v.photo)]
    if chosen.picture:
        draw(chosen.picture, photos[0], ask, chosen.budget)
        return 0
    found: list[dict[str, tuple[float, float, float]]] = []
    for view in photos[: 2 if chosen.quick else None]:
        with quiet():
            one = masks(view, ask, 200 if chosen.quick else chosen.budget)
        if not found:
            print(head(["photo", *one]), flush=True)
        print(line([view.photo, *(f"{a:.1%}" for a, _, _ in one.values())]), flush=True)
        found.append(one)
    ours = np.array([one["MeaningfulPerturbation"] for one in found])
    targets = [Target("what is left under our masks, at most", ours[:, 1].max(), most=0.1001)]
    for name in found[0]:
        theirs = np.array([one[name] for one in found])
        mean, low, high = ratio(ours[:, 0], theirs[:, 0])
        print(
            f"{name}: our area is {mean:.2f} [{low:.2f}, {high:.2f}] of its area; it leaves "
            f"{theirs[:, 1].mean():.2f}, moved by {SHIFT} pixels {theirs[:, 2].mean():.2f}"
        )
        if name in ("Rise", "Rise, blurred", "OwenShap"):
            targets.append(Target(f"our area over that of {name}, upper end", high, most=1.0))
    print(*targets, sep="\n")
    return status(chosen.check, targets)


def arguments() -> argparse.Namespace:
    asked = parser(quick="two photos, 200 calls")
    add = asked.add_argument
    add("--data", type=Path, help="a folder of photos, in addition to scikit-image's")
    add("--out", type=Path, default=Path(tempfile.gettempdir()) / "perturbx-images")
    add("--network", type=Path, help="its ONNX file, if there is one already")
    add("--budget", type=int, default=500, help="calls of each method on a photo")
    add("--picture", type=Path, help="draw the masks of the first photo instead, and end")
    add("--photos", default="", help="photos whose names match")
    return asked.parse_args()


if __name__ == "__main__":
    sys.exit(main())
