"""Every installed way of explaining a picture, with one interface: a door, a view and a seed.

A method sees the model only through a `Door`, which counts its rows, and returns a map (H, W).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.images import _peers as peers
from benchmarks.images._network import Door
from benchmarks.images._peers import FULL, N_SEGMENTS
from benchmarks.images._views import View
from benchmarks.peers import installed, quiet

Array = np.ndarray
Run = Callable[[Door, View, int], Array]

QUICK = 150


@dataclass(frozen=True)
class Method:
    """A name for tables, and a function from (door, view, seed) to a map.

    It needs `packages`. Methods that run `everywhere` are also judged on cropped photos and
    composites, the others on squashed photos alone.
    """

    name: str
    run: Run
    packages: tuple[str, ...] = ()
    everywhere: bool = True
    is_random: bool = True

    @property
    def is_ours(self) -> bool:
        return self.name.startswith("perturbx")

    def __call__(self, door: Door, view: View, seed: int) -> Array:
        np.random.seed(seed)  # noqa: NPY002  shap's Kernel explainer and captum take no seed
        random.seed(seed)
        if "torch" in self.packages:
            import torch

            torch.set_num_threads(1)
            torch.manual_seed(seed)
        if "cv2" in self.packages:
            import cv2

            cv2.setNumThreads(1)
        with quiet():
            return np.asarray(self.run(door, view, seed), dtype=np.float64)


# ---------------------------------------------------------------- perturbx


def ours(method: str, settings: dict[str, Any], door: Door, view: View, seed: int) -> Array:
    import perturbx as px

    settings = {name: value() if callable(value) else value for name, value in settings.items()}
    explainer = getattr(px, method)(door.images, random_state=seed, **settings)
    explanation = explainer.explain(view.image)
    one = explanation[0] if "instance" in explanation.axes else explanation
    return np.asarray(one.heatmap())


def superpixels() -> Any:
    import perturbx as px

    return px.Superpixels(n_segments=N_SEGMENTS)


def soft_superpixels() -> Any:
    import perturbx as px

    return px.Superpixels(n_segments=N_SEGMENTS, edges="soft")


def soft_trees() -> Any:
    import perturbx as px

    return px.SuperpixelTrees(edges="soft")


def few_superpixels() -> Any:
    """At least six rows per region, for a small budget."""
    import perturbx as px

    return px.Superpixels(n_segments=25)


def windows(shape: int, stride: int) -> Any:
    import perturbx as px

    return px.Windows(shape=shape, stride=stride)


# ---------------------------------------------------------------- the list


def _ours() -> list[Method]:
    def on(name: str, method: str, everywhere: bool = True, **settings: Any) -> Method:
        run = partial(ours, method, settings)
        is_random = method not in ("Occlusion", "OwenShap")
        return Method(f"perturbx {name}", run, (), everywhere, is_random)

    return [
        on("OwenShap", "OwenShap", budget=FULL),
        on("OwenShap 500", "OwenShap", False, budget=FULL // 2),
        on("OwenShap, soft edges", "OwenShap", False, masker=soft_trees, budget=FULL),
        on("OwenShap 150", "OwenShap", budget=QUICK),
        on("KernelShap", "KernelShap", masker=superpixels, budget=FULL),
        on("KernelShap, soft edges", "KernelShap", False, masker=soft_superpixels, budget=FULL),
        on("KernelShap 150", "KernelShap", False, masker=few_superpixels, budget=QUICK),
        on("Lime", "Lime", masker=superpixels, budget=FULL),
        on("Lime 150", "Lime", False, masker=few_superpixels, budget=QUICK),
        on("Rise mean", "Rise", estimator="mean", budget=FULL),
        on("Rise covariance", "Rise", estimator="covariance", budget=FULL),
        on("Rise ridge", "Rise", estimator="ridge", budget=FULL),
        on("Rise ridge 150", "Rise", False, estimator="ridge", budget=QUICK),
        on("Occlusion", "Occlusion"),
        on("Occlusion 150", "Occlusion", False, masker=partial(windows, 48, 16)),
        on("Occlusion, small stride", "Occlusion", False, masker=partial(windows, 45, 6)),
    ]


def _peers() -> list[Method]:
    captum, segments = ("captum", "torch"), peers.captum_segments
    shap, cv, bpt = ("shap",), ("shap", "cv2"), ("shap_bpt",)
    blur, inpaint = "blur(128,128)", "inpaint_telea"
    return [
        Method("shap Partition, blur", partial(peers.shap_partition, blur, FULL), cv, True, False),
        Method(
            "shap Partition, inpaint", partial(peers.shap_partition, inpaint, FULL), cv, True, False
        ),
        Method(
            "shap Partition, blur, 150",
            partial(peers.shap_partition, blur, QUICK),
            cv,
            False,
            False,
        ),
        Method("ShapBPT", partial(peers.shap_bpt, "BPT", "blur", FULL), bpt, True, False),
        Method(
            "ShapBPT, axis-aligned", partial(peers.shap_bpt, "AA", "blur", FULL), bpt, False, False
        ),
        Method("shap Kernel, SLIC", peers.shap_kernel, shap),
        Method("lime, quickshift", partial(peers.lime, None), ("lime",)),
        Method("lime, SLIC", partial(peers.lime, peers.slic), ("lime",)),
        Method("captum KernelShap, SLIC", partial(segments, "KernelShap", FULL), captum),
        Method("captum Lime, SLIC", partial(segments, "Lime", FULL), captum, False),
        Method("captum Occlusion", partial(peers.captum_occlusion, 48, 16), captum, True, False),
        Method(
            "captum Occlusion, small stride",
            partial(peers.captum_occlusion, 48, 6),
            captum,
            False,
            False,
        ),
        Method(
            "captum FeatureAblation, SLIC",
            partial(segments, "FeatureAblation", None),
            captum,
            True,
            False,
        ),
        Method("RISE as published", peers.rise_published),
        Method("center blob", peers.center_blob, (), True, False),
    ]


def methods() -> tuple[list[Method], list[str]]:
    """All installed methods, and a line for each package with its version."""
    return available([*_ours(), *_peers()])


def available(every: list[Method]) -> tuple[list[Method], list[str]]:
    """Those whose packages are installed, and a line for each package with its version."""
    needed = dict.fromkeys(package for method in every for package in method.packages)
    modules = {"cv2": "opencv-python-headless"}
    versions = {package: installed(modules.get(package, package)) for package in needed}
    missing = {package for package, found in versions.items() if found == "not installed"}
    if "cv2" in missing and installed("opencv-python") != "not installed":
        missing.discard("cv2")
    said = [f"{package} {found}" for package, found in versions.items()]
    return [m for m in every if not missing.intersection(m.packages)], said
