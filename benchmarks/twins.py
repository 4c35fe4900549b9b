"""Who sees both of two copies? An object is pasted twice, and each copy alone would do.

A method that hides one place at a time finds that neither copy is needed; one that shows places at
random finds that each suffices. For each method: how much of the positive score of both copies
the weaker one gets (what is fair comes from the four pictures with none, one and both of them),
and how much of all positive score lies on the copies.

    python benchmarks/twins.py --network efficientnet_lite0.onnx [--data FOLDER] [--quick]
                               [--picture docs/twins.png] [--budget 1000] [--only PATTERN]

The network takes normalized pixels, (x - 127) / 128, channels first, and answers with ImageNet's
1000 probabilities. ``--quick`` explains one scene at 200 rows; without a network nothing is done.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import perturbx as px

from _composites import Composite, composites, share_of_weaker

Array = np.ndarray


def network(path: str) -> Callable[[Array], Array]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options)
    name = session.get_inputs()[0].name

    def predict(batch: Array) -> Array:
        pixels = (batch.astype(np.float32) - 127) / 128
        return np.asarray(session.run(None, {name: np.moveaxis(pixels, -1, 1)})[0])

    return predict


def methods(budget: int) -> dict[str, Callable[[Any, int], Any]]:
    """Explainers of one output, by name."""

    def of(kind: str, **settings: Any) -> Callable[[Any, int], Any]:
        return lambda predict, label: getattr(px, kind)(
            predict, outputs=label, budget=budget, random_state=0, **settings
        )

    found = {
        "Occlusion": of("Occlusion"),
        "Lime": of("Lime"),
        "KernelShap": of("KernelShap"),
        "Rise, mean": of("Rise", estimator="mean"),
        "Rise, covariance": of("Rise", estimator="covariance"),
        "Rise, ridge": of("Rise", estimator="ridge"),
    }
    if hasattr(px, "OwenShap"):
        found["OwenShap"] = of("OwenShap")
    return found


def shares(heat: Array, picture: Composite) -> tuple[float, float]:
    """The weaker copy's part of what both get, and what both get of everything positive."""
    positive = np.clip(heat, 0, None)
    strong, weak = (positive[where].sum() for where in picture.where)
    return float(weak / (strong + weak)), float((strong + weak) / positive.sum())


def draw(path: str, picture: Composite, heats: dict[str, Array], fair: float) -> None:
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
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--network", default="", help="an ONNX file")
    parser.add_argument("--data", default=None, help="a folder of photos for more scenes")
    parser.add_argument("--budget", type=int, default=1000, help="model rows for each map")
    parser.add_argument("--quick", action="store_true", help="one scene, 200 rows")
    parser.add_argument("--picture", default="", help="draw the first scene to this file")
    parser.add_argument("--only", default="", help="scenes that match")
    return parser.parse_args()


def main() -> int:
    chosen = arguments()
    if not chosen.network:
        print("no --network given: nothing to explain")
        return 0
    predict = network(chosen.network)
    pictures = [p for p in composites(chosen.data) if re.search(chosen.only, p.name)]
    pictures = pictures[: 1 if chosen.quick else None]
    recipes = methods(200 if chosen.quick else chosen.budget)
    print("| scene | fair |", " | ".join(recipes), "|")
    print("| --- | ---: |", " | ".join(["---:"] * len(recipes)), "|")
    rows = []
    for picture in pictures:
        fair = share_of_weaker(predict, picture)
        heats = {
            name: make(predict, picture.label).explain(picture.image).heatmap()
            for name, make in recipes.items()
        }
        rows.append([shares(heat, picture) for heat in heats.values()])
        cells = [f"{weaker:.2f} ({mass:.2f})" for weaker, mass in rows[-1]]
        print(f"| {picture.name} | {fair:.2f} |", " | ".join(cells), "|", flush=True)
        if chosen.picture and len(rows) == 1:
            draw(chosen.picture, picture, heats, fair)
    cells = [f"{weaker:.2f} ({mass:.2f})" for weaker, mass in np.mean(rows, axis=0)]
    print("| mean | |", " | ".join(cells), "|")
    return 0


if __name__ == "__main__":
    sys.exit(main())
