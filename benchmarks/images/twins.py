"""Which methods see both copies of an object that is pasted twice, when one would be enough?

A method that hides one place at a time finds that neither copy is needed; a method that shows
random places finds that each copy suffices. The table gives, for each method, the smaller copy's
share of the positive score on both copies, and in brackets the fraction of all positive score that
lies on the copies. The fair share comes from the four pictures with neither, one and both copies.

    python -m benchmarks.images.twins [--quick] [--check] [--data FOLDER] [--network FILE]
        [--picture docs/twins.png] [--budget 1000] [--only PATTERN]
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px

from benchmarks.command import parser, status
from benchmarks.images._composites import (
    LEAST_MASS,
    LEAST_SHARE,
    Composite,
    composites,
    share_of_weaker,
)
from benchmarks.images._network import NetworkMissingError, network, normalized
from benchmarks.report import Target, head, line

Array = np.ndarray


def methods(budget: int) -> dict[str, Callable[[Any, int], Any]]:
    """Explainers of one output, by name."""

    def of(kind: str, **settings: Any) -> Callable[[Any, int], Any]:
        return lambda predict, label: getattr(px, kind)(
            predict, outputs=label, budget=budget, random_state=0, **settings
        )

    return {
        "Occlusion": of("Occlusion"),
        "Lime": of("Lime"),
        "KernelShap": of("KernelShap"),
        "Rise, mean": of("Rise", estimator="mean"),
        "Rise, covariance": of("Rise", estimator="covariance"),
        "Rise, ridge": of("Rise", estimator="ridge"),
        "OwenShap": of("OwenShap"),
    }


def shares(heat: Array, picture: Composite) -> tuple[float, float]:
    """The smaller copy's share of the positive score on both, and the fraction on both of all."""
    positive = np.clip(heat, 0, None)
    strong, weak = (positive[where].sum() for where in picture.where)
    return float(weak / (strong + weak)), float((strong + weak) / positive.sum())


def cell(figures: tuple[float, float]) -> str:
    weaker, mass = figures
    return f"{weaker:.2f} ({mass:.2f})"


def draw(path: Path, picture: Composite, heats: dict[str, Array], fair: float) -> None:
    """The scene, and every method's map over it."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    columns = (len(heats) + 2) // 2
    figure, axes = plt.subplots(2, columns, figsize=(2.6 * columns, 6), layout="constrained")
    panels = list(axes.ravel())
    for panel in panels:
        panel.set_axis_off()
    panels[0].imshow(picture.image)
    panels[0].set_title(f"smaller copy's fair share {fair:.2f}", fontsize=9)
    gray = picture.image.mean(axis=-1)
    for panel, (name, heat) in zip(panels[1:], heats.items(), strict=False):
        weaker, on_objects = shares(heat, picture)
        reach = np.abs(heat).max()
        panel.imshow(gray, cmap="gray", vmin=-150, vmax=255)
        panel.imshow(
            heat, cmap="RdBu_r", vmin=-reach, vmax=reach, alpha=0.8 * (np.abs(heat) / reach) ** 0.7
        )
        title = f"{name}\nsmaller copy {weaker:.2f}, on copies {on_objects:.2f}"
        panel.set_title(title, fontsize=9)
    figure.savefig(path, dpi=110)


def arguments() -> argparse.Namespace:
    asked = parser(quick="one scene, 200 rows")
    asked.add_argument("--network", type=Path, help="its ONNX file, if there is one already")
    asked.add_argument("--data", type=Path, help="a folder of photos for more scenes")
    asked.add_argument("--budget", type=int, default=1000, help="model rows per map")
    asked.add_argument("--picture", type=Path, help="draw the first scene to this file")
    asked.add_argument("--only", default="", help="scenes that match")
    return asked.parse_args()


def main() -> int:
    chosen = arguments()
    try:
        ask = network(Path(tempfile.gettempdir()) / "perturbx-images", chosen.network)
    except NetworkMissingError as error:
        print(error, file=sys.stderr)
        return int(chosen.check)

    def predict(images: Array) -> Array:
        return ask(normalized(images))

    pictures = [p for p in composites(chosen.data) if re.search(chosen.only, p.name)]
    recipes = methods(200 if chosen.quick else chosen.budget)
    print(head(("scene", "fair", *recipes)))
    rows = []
    for picture in pictures[: 1 if chosen.quick else None]:
        fair = share_of_weaker(predict, picture)
        heats = {
            name: make(predict, picture.label).explain(picture.image).heatmap()
            for name, make in recipes.items()
        }
        rows.append([shares(heat, picture) for heat in heats.values()])
        print(line((picture.name, f"{fair:.2f}", *map(cell, rows[-1]))), flush=True)
        if chosen.picture and len(rows) == 1:
            draw(chosen.picture, picture, heats, fair)
    means = np.mean(rows, axis=0)
    print(line(("mean", "", *map(cell, means))))
    weaker, mass = means[list(recipes).index("OwenShap")]
    found = [
        Target("OwenShap: the smaller copy's share, mean over scenes", weaker, least=LEAST_SHARE),
        Target("OwenShap: positive score on the copies, mean over scenes", mass, least=LEAST_MASS),
    ]
    print("", *found, sep="\n")
    return status(chosen.check, found)


if __name__ == "__main__":
    sys.exit(main())
