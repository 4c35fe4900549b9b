"""Peers that explain pictures, and two methods by hand: (door, view, seed) to a map.

They run with their defaults; where there is none, with the choice of their documentation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.images._network import Door, normalized
from benchmarks.images._views import View

Array = np.ndarray

N_SEGMENTS = 50
"""The number of segments for every method that takes some, ours and peers alike."""

FULL = 1000
"""The rows of every method that lets them be chosen."""


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


def slic(image: Array, n: int = N_SEGMENTS) -> Array:
    """SLIC with scikit-image's own settings, for peers that need segments."""
    from skimage.segmentation import slic

    labels = slic(image, n_segments=n, start_label=0)
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape)


# ---------------------------------------------------------------- shap


def shap_partition(fill: str, budget: int, door: Door, view: View, seed: int) -> Array:
    import shap

    masker = shap.maskers.Image(fill, view.image.shape)
    explainer = shap.PartitionExplainer(lambda X: door.images(X)[:, None], masker)
    values = explainer(view.image[None], max_evals=budget, batch_size=50, silent=True).values
    return np.asarray(values)[0].reshape(*view.image.shape).sum(axis=-1)


def shap_kernel(door: Door, view: View, seed: int) -> Array:
    """As in shap's example for images: segments filled with the picture's mean color."""
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


def shap_bpt(method: str, fill: str, budget: int, door: Door, view: View, seed: int) -> Array:
    """Owen values on a binary partition tree of the picture, or on halves along the axes ("AA").

    The package asks for the masking. The empty and the full picture count.
    """
    from shap_bpt import Explainer

    absent = empty(fill, view.image)

    def masked(shown: Array) -> Array:
        return door.images(np.where(np.asarray(shown)[..., None], view.image, absent))[:, None]

    explainer = Explainer(masked, view.image, num_explained_classes=1)
    return np.asarray(explainer.explain_instance(budget - 2, method=method))[0]


def empty(fill: str, image: Array) -> Array:
    """A gray picture, or the picture with a blur: its deviation is 5% or 1.25% of the side."""
    from scipy.ndimage import gaussian_filter

    if fill == "gray":
        return np.full_like(image, 127)
    deviation = {"blur": 0.05, "light blur": 0.0125}[fill] * max(image.shape[:2])
    smooth = gaussian_filter(image.astype(np.float32), (deviation, deviation, 0))
    return np.rint(smooth).astype(np.uint8)


# ---------------------------------------------------------------- captum


def _tensor(view: View) -> Any:
    import torch

    return torch.from_numpy(normalized(view.image[None]))


def _forward(door: Door) -> Callable[[Any], Any]:
    import torch

    return lambda rows: torch.from_numpy(door.pixels(rows.numpy()))


def captum_occlusion(window: int, stride: int, door: Door, view: View, seed: int) -> Array:
    """Window and stride for a side of 224; captum's baseline, 0, is the network's gray."""
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
    """RISE as its authors published it (Petsiuk, Das & Saenko, BMVC 2018, eq. 6), N = 1000.

    All masks are kept; 7 x 7 grids, half of the cells present, enlarged by one cell and shifted;
    the absent part of a picture is 0, the network's gray.
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
    pixels = normalized(view.image[None])
    answers = [door.pixels(pixels * masks[i : i + 8, None]) for i in range(0, FULL, 8)]
    scores = np.concatenate(answers) @ masks.reshape(FULL, -1)
    return scores.reshape(side, side) / (FULL * p)


def greedy_order(n: int, budget: int, door: Door, view: View, seed: int) -> Array:
    """The order in which n regions raise the output most, each next to those before it.

    A greedy choice of regions as in LiMA (Chen et al., 2025), with the output itself as the
    score. It knows its own curve, and it is an order, not a share: its scores do not add up.
    """
    segments = slic(view.image, n)
    left, absent = list(range(int(segments.max()) + 1)), empty("blur", view.image)
    place, shown, rows = np.zeros(len(left)), np.zeros(len(left), dtype=bool), 0
    reached = np.zeros(len(left))
    while left and rows + len(left) <= budget:
        tried = shown | np.eye(len(shown), dtype=bool)[left]
        reached[left] = door.images(np.where(tried[:, segments][..., None], view.image, absent))
        rows += len(left)
        best = max(left, key=lambda region: reached[region])
        place[best], shown[best] = len(left), True
        left.remove(best)
    for at, region in enumerate(sorted(left, key=lambda region: reached[region]), start=1):
        place[region] = at
    return place[segments]


def center_blob(door: Door, view: View, seed: int) -> Array:
    """No model at all: photographers put things in the middle."""
    side = len(view.image)
    away = (np.arange(side) - (side - 1) / 2) / (side / 4)
    bell = np.exp(-(away**2) / 2)
    return np.outer(bell, bell)
