"""How much time and memory does perturbx add around an image model that costs nothing?

Each method of perturbx and of its peers explains photos of 224 x 224 and of 512 x 512 pixels with
about 1000 evaluations of a model that reads one pixel, on one thread, in its own process. The CPU
time per model row and the peak memory are compared.

    python -m benchmarks.scale.image_overhead [--quick] [--check] [--repeats 3] [--only PATTERN]
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np

from benchmarks.command import process, racing_arguments, status
from benchmarks.measure import Contestant, Result, counted, race, serve
from benchmarks.report import Target, head, line

Array = np.ndarray
SIDES = (224, 512)
LIMIT_MB = 50


@dataclass
class Null:
    """The model: two numbers of one pixel, with a count of its rows."""

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
    """The side of the photo, and the number of evaluations."""

    side: int
    budget: int


def photo(side: int) -> Array:
    """scikit-image's cat, squashed or enlarged."""
    from skimage import data
    from skimage.transform import resize

    shape = (side, side)
    return np.asarray(resize(data.chelsea(), shape, preserve_range=True).round().astype(np.uint8))


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

    explain(photo(64), 20)  # fails here without OpenCV
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
"""Fractions of a peer's time that perturbx must not exceed."""

UNJUDGED = {"perturbx KernelShap, process"}
"""Gets more out of the same answers, but takes longer: see `overhead.py`."""


def milliseconds(result: Result) -> float:
    """CPU time per evaluation, in the best turn."""
    return result.nanoseconds / 1e6


def cells(sides: list[Result]) -> tuple[str, ...]:
    """A contender's line of the table: time at each size, memory at the last."""
    last = sides[-1]
    if last.skipped:
        return (last.label, last.skipped, *[""] * (len(sides) + 1))
    times = [f"{milliseconds(result):.3f}" for result in sides]
    return (last.label, str(last.rows), *times, f"{last.megabytes:.0f}")


def targets(side: int, results: dict[str, Result]) -> list[Target]:
    """The targets of perturbx at one size."""
    there = {name: result for name, result in results.items() if not result.skipped}
    found = []
    for name, result in there.items():
        if not name.startswith("perturbx") or name in UNJUDGED:
            continue
        for peer, part in PROMISED.items():
            if peer in there:
                share = milliseconds(result) / milliseconds(there[peer])
                found.append(Target(f"{side}: {name} over {peer}", share, most=part))
        if side == max(SIDES):
            found.append(Target(f"{side}: {name}, MB", result.megabytes, most=LIMIT_MB))
    return found


def main() -> int:
    chosen = racing_arguments(
        quick="a fifth of the evaluations, one turn",
        repeats=3,
        only="contenders that match",
        contender=("SIDE", "NAME"),
    )
    budget = 200 if chosen.quick else 1000
    if chosen.contender:
        side, name = chosen.contender
        serve(lambda: CONTENDERS[name](Size(int(side), budget)))
        return 0
    flags = ("--quick",) if chosen.quick else ()
    repeats = 1 if chosen.quick else chosen.repeats
    wanted = [name for name in CONTENDERS if re.search(chosen.only, name)]
    results: dict[int, dict[str, Result]] = {side: {} for side in SIDES}
    print(f"\n## A model that costs nothing, about {budget} evaluations\n")
    times = [f"ms / row at {side}" for side in SIDES]
    print(head(("contender", "rows", *times, f"MB at {SIDES[-1]}")))
    for name in wanted:
        for side in SIDES:
            # One at a time: side by side they would need the memory of all.
            start = process(*flags, "--contender", str(side), name)
            results[side].update(race({name: start}, repeats))
        print(line(cells([results[side][name] for side in SIDES])), flush=True)
    found = [target for side in SIDES for target in targets(side, results[side])]
    print("", *found, sep="\n", flush=True)
    return status(chosen.check, found)


if __name__ == "__main__":
    sys.exit(main())
