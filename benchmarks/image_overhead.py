"""What does the loop around an image model cost, when the model costs nothing?

A model that looks at one pixel is asked for a photo of 224 x 224 and one of 512 x 512 by each
method of perturbx and by its peers, about 1000 times, on one thread and in a process each. CPU
time outside the model is compared a model row, and so is how much memory is taken at the most.

    python benchmarks/image_overhead.py [--quick] [--check] [--repeats 3] [--only PATTERN]

``--check`` exits with 1 where perturbx misses what it promises.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np

from _measure import Contestant, Reach, Result, race, serve

Array = np.ndarray
SIDES = (224, 512)
LIMIT_MB = 50


@dataclass
class Null:
    """The model: two numbers of one pixel, and how many rows it has seen."""

    rows: int = 0

    def __call__(self, batch: Any) -> Any:
        """Channels last: NumPy."""
        self.rows += len(batch)
        return batch[:, 40, 40, :2] / 255

    def torch(self, batch: Any) -> Any:
        """Channels first: torch."""
        self.rows += len(batch)
        return batch[:, :2, 40, 40] / 255


@dataclass(frozen=True)
class Size:
    """The side of the photo, and how many evaluations are paid for."""

    side: int
    budget: int


def photo(side: int) -> Array:
    """scikit-image's cat, squashed or enlarged."""
    from skimage import data
    from skimage.transform import resize

    shape = (side, side)
    return np.asarray(resize(data.chelsea(), shape, preserve_range=True).round().astype(np.uint8))


def counted(model: Null, work: Callable[[], Any]) -> Callable[[], int]:
    """Work that returns how many rows it asked the model for."""

    def turn() -> int:
        before = model.rows
        work()
        return model.rows - before

    return turn


# ---------------------------------------------------------------- perturbx


def ours(method: str, size: Size, **settings: Any) -> Contestant:
    """A method with its defaults: its own regions, fill and solver."""
    import perturbx as px

    if not hasattr(px, method):
        raise ImportError(f"px.{method}", name=f"px.{method}")
    image, model = photo(size.side), Null()
    explainer = getattr(px, method)(model, budget=size.budget, random_state=0, **settings)
    small = getattr(px, method)(model, budget=300, random_state=0, **settings)
    return Contestant(
        counted(model, lambda: explainer.explain(image)), lambda: small.explain(photo(64))
    )


# ---------------------------------------------------------------- peers


def segments_of(image: Array, n_segments: int = 50) -> Array:
    from skimage.segmentation import slic

    return np.asarray(slic(image, n_segments=n_segments, compactness=15, sigma=1, start_label=0))


def lime(segmentation: Callable[[Array], Array] | None, size: Size) -> Contestant:
    from lime.lime_image import LimeImageExplainer

    image, model = photo(size.side), Null()

    def explain(image: Array, samples: int = size.budget) -> None:
        LimeImageExplainer(random_state=0).explain_instance(
            image,
            model,
            labels=(0, 1),
            top_labels=None,
            hide_color=0,
            num_samples=samples,
            segmentation_fn=segmentation,
        )

    return Contestant(
        counted(model, lambda: explain(image)), lambda: explain(photo(64), 20), version("lime")
    )


def shap_partition(size: Size) -> Contestant:
    import shap

    image, model = photo(size.side), Null()

    def explain(image: Array, evaluations: int = size.budget) -> None:
        masker = shap.maskers.Image("blur(32,32)", image.shape)
        explainer = shap.Explainer(model, masker, output_names=["a", "b"])
        explainer(image[None], max_evals=evaluations, batch_size=50, silent=True)

    explain(photo(64), 20)  # without OpenCV it says so here
    return Contestant(counted(model, lambda: explain(image)), version=version("shap"))


def captum(method: str, size: Size) -> Contestant:
    import captum.attr
    import torch

    torch.set_num_threads(1)
    image, model = photo(size.side), Null()

    def explain(image: Array, budget: int = size.budget) -> None:
        pixels = torch.from_numpy(np.moveaxis(image, -1, 0)[None].astype(np.float32))
        attribute = partial(
            getattr(captum.attr, method)(model.torch).attribute,
            pixels,
            baselines=0,
            target=0,
            perturbations_per_eval=16,
        )
        if method == "Occlusion":
            window = max(1, round(0.2 * len(image)))
            stride = max(1, round(window / 3))
            attribute(sliding_window_shapes=(3, window, window), strides=(3, stride, stride))
            return
        many = 200 if method == "FeatureAblation" else 50
        mask = torch.from_numpy(segments_of(image, many))[None, None]
        sampled = {} if method == "FeatureAblation" else {"n_samples": budget}
        attribute(feature_mask=mask, **sampled)

    return Contestant(
        counted(model, lambda: explain(image)),
        lambda: explain(photo(64), 20),
        version("captum"),
    )


def slic_segments(image: Array) -> Array:
    return segments_of(image)


CONTENDERS: dict[str, Callable[[Size], Contestant]] = {
    "lime (quickshift)": partial(lime, None),
    "lime (SLIC)": partial(lime, slic_segments),
    "captum Lime": partial(captum, "Lime"),
    "captum KernelShap": partial(captum, "KernelShap"),
    "captum Occlusion": partial(captum, "Occlusion"),
    "captum FeatureAblation": partial(captum, "FeatureAblation"),
    "shap Partition (blur)": shap_partition,
    "perturbx Occlusion": partial(ours, "Occlusion"),
    "perturbx Lime": partial(ours, "Lime"),
    "perturbx KernelShap": partial(ours, "KernelShap", estimator="regression"),
    "perturbx KernelShap, process": partial(ours, "KernelShap", estimator="process"),
    "perturbx Rise, mean": partial(ours, "Rise", estimator="mean"),
    "perturbx Rise, covariance": partial(ours, "Rise", estimator="covariance"),
    "perturbx Rise, ridge": partial(ours, "Rise", estimator="ridge"),
    "perturbx OwenShap": partial(ours, "OwenShap"),
}

PROMISED = {"lime (SLIC)": 1 / 4, "captum KernelShap": 1 / 4, "shap Partition (blur)": 1 / 5}
"""The part of a peer's time that is not exceeded."""

UNJUDGED = {"perturbx KernelShap, process"}
"""Gets more out of the same answers, and takes its time for that: see `overhead.py`."""


def milliseconds(result: Result) -> float:
    """CPU time an evaluation, in the best turn."""
    return result.nanoseconds / 1e6


def line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


def row(name: str, sides: list[Result]) -> str:
    """A contender: time at each size, memory at the last."""
    last = sides[-1]
    full = f"{name} ({last.version})" if last.version else name
    if last.skipped:
        return line((full, last.skipped, *[""] * (len(sides) + 1)))
    times = [f"{milliseconds(result):.3f}" for result in sides]
    return line((full, str(last.rows), *times, f"{last.megabytes:.0f}"))


def reaches(side: int, results: dict[str, Result]) -> list[Reach]:
    """What perturbx promises at one size."""
    there = {name: result for name, result in results.items() if not result.skipped}
    found = []
    for name, result in there.items():
        if not name.startswith("perturbx") or name in UNJUDGED:
            continue
        for peer, part in PROMISED.items():
            if peer in there:
                share = milliseconds(result) / milliseconds(there[peer])
                found.append(Reach(f"{side}: {name} over {peer}", share, most=part))
        if side == max(SIDES):
            found.append(Reach(f"{side}: {name}, MB", result.megabytes, most=LIMIT_MB))
    return found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a fifth of the evaluations")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a reach is missed")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each contender")
    parser.add_argument("--only", default="", help="contenders that match")
    parser.add_argument("--contender", nargs=2, metavar=("SIDE", "NAME"), help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    chosen = arguments()
    budget = 200 if chosen.quick else 1000
    if chosen.contender:
        side, name = chosen.contender
        serve(lambda: CONTENDERS[name](Size(int(side), budget)))
        return 0
    flags = ["--quick"] if chosen.quick else []
    repeats = 1 if chosen.quick else chosen.repeats
    wanted = [name for name in CONTENDERS if re.search(chosen.only, name)]
    results: dict[int, dict[str, Result]] = {side: {} for side in SIDES}
    print(f"\n## A model that costs nothing, about {budget} evaluations\n")
    print(line(("contender", "rows", *(f"ms a row at {s}" for s in SIDES), f"MB at {SIDES[-1]}")))
    print(line(("---", *["---:"] * (len(SIDES) + 2))))
    for name in wanted:
        for side in SIDES:
            # One at a time: side by side they would need the memory of all.
            start = [sys.executable, __file__, *flags, "--contender", str(side), name]
            results[side].update(race({name: start}, repeats))
        print(row(name, [results[side][name] for side in SIDES]), flush=True)
    found = [reach for side in SIDES for reach in reaches(side, results[side])]
    print("", *found, sep="\n", flush=True)
    return 1 if chosen.check and any(not reach.holds for reach in found) else 0


if __name__ == "__main__":
    sys.exit(main())
