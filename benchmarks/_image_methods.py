"""Every way of explaining a picture that installs, asked alike: a door, a view and a seed.

A method sees the model only through a `Door`, which counts its rows, and returns a map (H, W).
Peers run with their own defaults; where they leave a choice, the one of their documentation.
"""

from __future__ import annotations

import io
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from _image_network import Door, normalised
from _image_views import View

Array = np.ndarray
Run = Callable[[Door, View, int], Array]

QUICK, FULL = 150, 1000
N_SEGMENTS = 50


@dataclass(frozen=True)
class Method:
    """A name for tables, and the run: (door, view, seed) to a map.

    `packages` are what it needs. What runs `everywhere` is also judged on cropped photos and
    composites, the rest on squashed photos alone.
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
        np.random.seed(seed)  # noqa: NPY002  shap's Kernel explainer and captum know no other way
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


@contextmanager
def quiet() -> Iterator[None]:
    """What peers say while they work, warnings and progress bars, does not belong into a table."""
    nowhere = redirect_stderr(io.StringIO())
    with nowhere, warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


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


def few_superpixels() -> Any:
    """At least six rows for each region of a small budget."""
    import perturbx as px

    return px.Superpixels(n_segments=25)


def windows(shape: int, stride: int) -> Any:
    import perturbx as px

    return px.Windows(shape=shape, stride=stride)


# ---------------------------------------------------------------- lime


def lime(segmentation: Callable[[Array], Array] | None, door: Door, view: View, seed: int) -> Array:
    from lime.lime_image import LimeImageExplainer

    explanation = LimeImageExplainer(random_state=seed).explain_instance(
        view.image,
        lambda images: door.images(images)[:, None],
        labels=(0,),
        top_labels=None,
        num_features=10**6,
        num_samples=FULL,
        segmentation_fn=segmentation,
        random_seed=seed,
    )
    weights = dict(explanation.local_exp[0])
    return np.vectorize(weights.get, otypes=[float])(explanation.segments)


def slic(image: Array) -> Array:
    """SLIC with scikit-image's own settings, for peers that need segments."""
    from skimage.segmentation import slic

    labels = slic(image, n_segments=N_SEGMENTS, start_label=0)
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape)


# ---------------------------------------------------------------- shap


def shap_partition(fill: str, budget: int, door: Door, view: View, seed: int) -> Array:
    import shap

    masker = shap.maskers.Image(fill, view.image.shape)
    explainer = shap.PartitionExplainer(lambda X: door.images(X)[:, None], masker)
    values = explainer(view.image[None], max_evals=budget, batch_size=50, silent=True).values
    return np.asarray(values)[0].reshape(*view.image.shape).sum(axis=-1)


def shap_kernel(door: Door, view: View, seed: int) -> Array:
    """As in shap's example for images: segments filled with the picture's mean colour."""
    import shap

    segments = slic(view.image)
    d, fill = int(segments.max()) + 1, view.image.mean(axis=(0, 1))

    def masked(Z: Array) -> Array:
        parts = []
        for start in range(0, len(Z), 50):
            absent = np.asarray(Z[start : start + 50])[:, segments] == 0
            parts.append(door.images(np.where(absent[..., None], fill, view.image)))
        return np.concatenate(parts)

    explainer = shap.KernelExplainer(masked, np.zeros((1, d)))
    values = explainer.shap_values(np.ones((1, d)), nsamples=FULL - 2, l1_reg=False, silent=True)
    return np.asarray(values).reshape(d)[segments]


# ---------------------------------------------------------------- captum


def _tensor(view: View) -> Any:
    import torch

    return torch.from_numpy(normalised(view.image[None]))


def _forward(door: Door) -> Callable[[Any], Any]:
    import torch

    return lambda rows: torch.from_numpy(door.pixels(rows.numpy()))


def captum_occlusion(window: int, stride: int, door: Door, view: View, seed: int) -> Array:
    """Window and stride for a side of 224; captum's baseline, 0, is the network's grey."""
    from captum.attr import Occlusion

    scale = len(view.image) / 224
    found = Occlusion(_forward(door)).attribute(
        _tensor(view),
        sliding_window_shapes=(3, round(window * scale), round(window * scale)),
        strides=(3, round(stride * scale), round(stride * scale)),
        perturbations_per_eval=8,
    )
    return found[0].sum(dim=0).numpy()


def captum_segments(method: str, n: int | None, door: Door, view: View, seed: int) -> Array:
    """Methods of captum that take segments; `n` samples, where there is a choice."""
    import torch
    from captum import attr

    mask = torch.from_numpy(slic(view.image))[None, None]
    settings: dict[str, Any] = {} if n is None else {"n_samples": n}
    found = getattr(attr, method)(_forward(door)).attribute(
        _tensor(view), feature_mask=mask, perturbations_per_eval=8, **settings
    )
    return found[0, 0].numpy()


# ---------------------------------------------------------------- by hand


def rise_published(door: Door, view: View, seed: int) -> Array:
    """RISE as its authors wrote it down (Petsiuk, Das & Saenko, BMVC 2018, eq. 6), N = 1000.

    All masks are kept; 7 x 7 grids, half of the cells present, enlarged by one cell and shifted;
    the absent part of a picture is 0, the network's grey.
    """
    from skimage.transform import resize

    side, s, p = len(view.image), 7, 0.5
    rng = np.random.default_rng(seed)
    cell = -(-side // s)
    grids = (rng.random((FULL, s, s)) < p).astype(np.float32)
    masks = np.empty((FULL, side, side), dtype=np.float32)
    for i, grid in enumerate(grids):
        large = resize(grid, ((s + 1) * cell,) * 2, order=1, mode="reflect", anti_aliasing=False)
        y, x = rng.integers(0, cell, 2)
        masks[i] = large[y : y + side, x : x + side]
    pixels = normalised(view.image[None])
    answers = [door.pixels(pixels * masks[i : i + 8, None]) for i in range(0, FULL, 8)]
    scores = np.concatenate(answers) @ masks.reshape(FULL, -1)
    return scores.reshape(side, side) / (FULL * p)


def centre_blob(door: Door, view: View, seed: int) -> Array:
    """No model at all: photographers put things into the middle."""
    side = len(view.image)
    away = (np.arange(side) - (side - 1) / 2) / (side / 4)
    bell = np.exp(-(away**2) / 2)
    return np.outer(bell, bell)


# ---------------------------------------------------------------- the list


def _ours() -> list[Method]:
    """Those of them that this perturbx has."""
    import perturbx as px

    def on(name: str, method: str, everywhere: bool = True, **settings: Any) -> Method | None:
        if not hasattr(px, method):
            return None
        run = partial(ours, method, settings)
        is_random = method not in ("Occlusion", "OwenShap")
        return Method(f"perturbx {name}", run, (), everywhere, is_random)

    wanted = [
        on("OwenShap", "OwenShap", budget=FULL),
        on("OwenShap 500", "OwenShap", False, budget=FULL // 2),
        on("OwenShap 150", "OwenShap", budget=QUICK),
        on("KernelShap", "KernelShap", masker=superpixels, budget=FULL),
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
    return [method for method in wanted if method is not None]


def _peers() -> list[Method]:
    captum, segments = ("captum", "torch"), captum_segments
    shap, cv = ("shap",), ("shap", "cv2")
    blur, inpaint = "blur(128,128)", "inpaint_telea"
    return [
        Method("shap Partition, blur", partial(shap_partition, blur, FULL), cv, True, False),
        Method("shap Partition, inpaint", partial(shap_partition, inpaint, FULL), cv, True, False),
        Method("shap Partition, blur, 150", partial(shap_partition, blur, QUICK), cv, False, False),
        Method("shap Kernel, SLIC", shap_kernel, shap),
        Method("lime, quickshift", partial(lime, None), ("lime",)),
        Method("lime, SLIC", partial(lime, slic), ("lime",)),
        Method("captum KernelShap, SLIC", partial(segments, "KernelShap", FULL), captum),
        Method("captum Lime, SLIC", partial(segments, "Lime", FULL), captum, False),
        Method("captum Occlusion", partial(captum_occlusion, 48, 16), captum, True, False),
        Method(
            "captum Occlusion, small stride", partial(captum_occlusion, 48, 6), captum, False, False
        ),
        Method(
            "captum FeatureAblation, SLIC",
            partial(segments, "FeatureAblation", None),
            captum,
            True,
            False,
        ),
        Method("RISE as published", rise_published),
        Method("centre blob", centre_blob, (), True, False),
    ]


def methods() -> tuple[list[Method], list[str]]:
    """All that this interpreter has, and lines that say which versions, or what is missing."""
    from _peers import installed

    every = [*_ours(), *_peers()]
    needed = dict.fromkeys(package for method in every for package in method.packages)
    modules = {"cv2": "opencv-python-headless"}
    versions = {package: installed(modules.get(package, package)) for package in needed}
    missing = {package for package, found in versions.items() if found == "not installed"}
    if "cv2" in missing and installed("opencv-python") != "not installed":
        missing.discard("cv2")
    said = [f"{package} {found}" for package, found in versions.items()]
    return [m for m in every if not missing.intersection(m.packages)], said
