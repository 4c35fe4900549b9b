"""The user's photo: what a real network sees in it, and which parts of the photo decide."""

from __future__ import annotations

import time
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from perturbx import interop
from perturbx._demo.report import WIDTH, finish, points
from perturbx._typing import Floats
from perturbx.explainers import OwenShap
from perturbx.features.places import NINTHS, ninth
from perturbx.result import Explanation
from perturbx.result.text import safe

_BUDGET = 1_000

_WORTH_A_LOOK = 0.02
"""A second class with a lower probability is not explained."""


def demo_photo(photo: NDArray[np.uint8], out: Path, seed: int = 0) -> None:
    """Explain the two most likely classes by a real network, and draw the maps if possible.

    Parameters
    ----------
    photo : (H, W, 3) uint8 array
    out : Path
        The file of the picture; its suffix sets the format.
    seed : int
        Fixes every number.

    Raises
    ------
    ImportError
        Without the extra ``vision``, before anything is computed.
    """
    start = time.perf_counter()
    network = interop.efficientnet_lite0()
    # With few small photos at a time, threads would mostly wait for each other.
    with threadpool_limits(1):
        explanation, emptied = explain_photo(network, photo, seed)
    print(photo_report(explanation, emptied) + "\n", flush=True)
    finish(lambda: draw_photo(explanation, out), out, start)


def explain_photo(network: Any, photo: NDArray[np.uint8], seed: int) -> tuple[Explanation, Floats]:
    """Owen values of superpixels for the two most likely classes, and (2, 1000) empty outputs.

    The latter are the network's outputs for the whole photo lightly blurred, and all gray.
    """
    explainer = OwenShap(network, outputs="top2", budget=_BUDGET, random_state=seed).fit(photo)
    explanation = explainer.explain(photo)
    (bound,) = explainer.masker_.check(photo).bind(0, 1)
    nothing = np.zeros((1, bound.n_features), dtype=bool)
    emptied = network(bound.batch(nothing, slice(0, 2), bound.scratch(2)))
    return explanation, np.asarray(emptied)


def photo_report(explanation: Explanation, emptied: Floats) -> str:
    """The network's prediction, and the parts of the photo behind it.

    `emptied` are its outputs for the whole photo lightly blurred, and all gray.
    """
    first, second = (str(name) for name in explanation.output_names)
    likely, less = np.asarray(explanation.predictions)
    opening = (
        f"EfficientNet-Lite0 takes this photo for {first} with {likely:.1%} probability, and for "
        f"{second} with {less:.1%}."
    )
    names = list(interop.imagenet_classes())
    lines = [
        _sentence(one, emptied[:, names.index(str(one.output_names[0]))])
        for one in (explanation[..., j] for j in range(_n_shown(explanation)))
    ]
    cost = (
        f"The scores are Owen values of {explanation.values.shape[0]} pieces of the photo. A "
        "removed piece is lightly blurred in half of the versions and gray in the other half; the "
        f"network was asked about {explanation.n_rows} versions."
    )
    return "\n\n".join(fill(text, WIDTH) for text in (opening, *lines, cost))


def _n_shown(explanation: Explanation) -> int:
    """One class if the network all but rules out the second, otherwise two."""
    return 1 + int(np.asarray(explanation.predictions)[1] >= _WORTH_A_LOOK)


def _sentence(one: Explanation, emptied: Floats) -> str:
    """The parts of the photo that matter most for a class."""
    totals = _by_place(one)
    likely, *others = sorted(totals, key=lambda place: -totals[place])
    text = (
        f"Why {one.output_names[0]}? It gets {float(one.predictions):.1%} for the photo as it is, "
        f"{emptied[0]:.1%} if all of it is lightly blurred and {emptied[1]:.1%} if all of it is "
        f"gray. The scores lead from the mean of these two, {float(one.base_values):.1%}, to "
        f"{float(one.predictions):.1%}. The most important part is the {likely} of the photo "
        f"({points(totals[likely])} points), then the {others[0]} ({points(totals[others[0]])})"
    )
    if totals[others[-1]] < 0:
        text += f"; the {others[-1]} is evidence against it ({points(totals[others[-1]])})"
    return f"{text}."


def _by_place(one: Explanation) -> dict[str, float]:
    """The sum of the scores in each ninth of the photo, by the middle of each region."""
    regions: Any = one.regions
    totals = dict.fromkeys(NINTHS, 0.0)
    for feature, score in enumerate(one.values):
        totals[ninth(regions.cover(feature))] += float(score)
    return totals


def draw_photo(explanation: Explanation, out: Path) -> None:
    """Draw the photo, and next to it the evidence for and against each class."""
    # This Figure needs no screen, and leaves the user's pyplot alone.
    from matplotlib.figure import Figure

    from perturbx import plots

    height, width = np.shape(explanation.data)[:2]
    panel, n_maps = 4.2 * max(width / height, 0.6), _n_shown(explanation)
    size = ((n_maps + 1) * panel + 0.9, 4.9)
    figure: Any = Figure(figsize=size, dpi=110, layout="constrained", facecolor="white")
    image, *maps = figure.subplots(1, n_maps + 1)
    image.imshow(np.asarray(explanation.data))
    image.set_axis_off()
    image.set_title("the photo", fontsize=9.5, color="#262626", pad=5)
    plots.overlay(explanation[..., :n_maps], ax=maps, show=False)
    first = explanation.output_names[0]
    title = f"Which parts make it {first}? Red is evidence for the class above, blue against it"
    figure.suptitle(safe(title), fontsize=12, color="#262626")
    figure.savefig(out)
