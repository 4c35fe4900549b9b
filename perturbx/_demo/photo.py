"""A photo of the user's, what a real network sees in it, and which parts decided that."""

from __future__ import annotations

import time
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx import interop
from perturbx.errors import InvalidInputError
from perturbx.explainers import KernelShap
from perturbx.explanation import Explanation
from perturbx.maskers import Superpixels

Photo = NDArray[np.uint8]
"""(H, W, 3): red, green and blue, channels last."""

_LONGEST = 384
"""A network that sees 224 pixels a side loses nothing by this; masking costs by the pixel."""

_BUDGET, _SEGMENTS = 600, 50
_WIDTH = 88


def read_photo(path: Path) -> Photo:
    """A photo as the eye sees it: turned as its camera says, transparent parts white.

    Raises
    ------
    InvalidInputError
        If it is no image.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as file:
            image: Any = ImageOps.exif_transpose(file)
            if image.mode.startswith(("I", "F")):
                image = Image.fromarray(_eight_bits(np.asarray(image)))
            image = image.convert("RGBA")
            image.thumbnail((_LONGEST, _LONGEST))
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            return np.array(image.convert("RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        why = "its format is not known" if isinstance(error, UnidentifiedImageError) else error
        raise InvalidInputError(f"{str(path)!r} cannot be read as an image: {why}.") from error


def demo_photo(photo: Photo, out: Path, seed: int = 0) -> None:
    """Explain the two classes that a real network finds likeliest, and draw it if possible.

    Parameters
    ----------
    photo : (H, W, 3) uint8 array
    out : Path
        Where the picture goes; its suffix says in which format.
    seed : int
        Fixes every number.

    Raises
    ------
    ImportError
        Without the extra ``vision``; nothing has been computed then.
    """
    start = time.perf_counter()
    network = interop.efficientnet_lite0()
    explanation = explain_photo(network, photo, seed)
    print(photo_report(explanation), flush=True)
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        closing = 'For the picture as well: pip install "perturbx[plots]"'
    else:
        draw_photo(explanation, out)
        closing = f"The same as a picture: {out}"
    print(f"\n{closing}\n({time.perf_counter() - start:.0f} seconds)")


def explain_photo(network: Any, photo: Photo, seed: int) -> Explanation:
    """Shapley values of superpixels, blurred where absent, for the two likeliest classes."""
    explainer = KernelShap(
        network,
        masker=Superpixels(n_segments=_SEGMENTS, fill="blur"),
        outputs="top2",
        budget=_BUDGET,
        random_state=seed,
    )
    return explainer.explain(photo)


def photo_report(explanation: Explanation) -> str:
    """What the network says, and where that comes from."""
    first, second = (str(name) for name in explanation.output_names)
    likely, less = np.asarray(explanation.predictions)
    opening = (
        f"EfficientNet-Lite0 takes this photo for {first} with {likely:.1%}, and for "
        f"{second} with {less:.1%}."
    )
    lines = [_sentence(explanation[..., j]) for j in range(2)]
    cost = (
        f"The scores are Shapley values of {explanation.values.shape[0]} regions, blurred where "
        f"absent; the network was asked about {explanation.n_rows} versions of the photo."
    )
    return "\n\n".join(fill(text, _WIDTH) for text in (opening, *lines, cost))


def _sentence(one: Explanation) -> str:
    """Which few regions carry a class, where they lie, and what speaks against it."""
    name = str(one.output_names[0])
    full, empty = float(one.predictions), float(one.base_values)
    order = np.argsort(-one.values)
    gains = one.values[order]
    few = int(np.argmax(np.cumsum(gains) >= 0.8 * gains[gains > 0].sum())) + 1
    against = int(order[-1])
    regions = "region" if few == 1 else f"{few} regions"
    text = (
        f"Why {name}? With everything blurred it gets {empty:.1%}, with everything there "
        f"{full:.1%}. The {regions} that speak{'s' * (few == 1)} most for it "
        f"add{'s' * (few == 1)} {100 * gains[:few].sum():+.1f} points, most of all the "
        f"{_place(one, int(order[0]))} ({100 * gains[0]:+.1f} ± "
        f"{100 * float(one.standard_errors[order[0]]):.1f})"
    )
    if one.values[against] < 0:
        text += (
            f"; the {_place(one, against)} speaks most against it "
            f"({100 * one.values[against]:+.1f})"
        )
    return text + "."


def _place(one: Explanation, feature: int) -> str:
    """Where a region lies, such as "upper left" or "centre"."""
    regions: Any = one.regions
    rows, columns = np.nonzero(regions.cover(feature))
    height, width = regions.shape
    vertical = ("upper", "", "lower")[min(2, int(3 * rows.mean() / height))]
    horizontal = ("left", "", "right")[min(2, int(3 * columns.mean() / width))]
    place = f"{vertical} {horizontal}".strip() or "centre"
    return {"upper": "upper middle", "lower": "lower middle"}.get(place, place)


def draw_photo(explanation: Explanation, out: Path) -> None:
    """The photo, and beside it what speaks for and against each class."""
    # A Figure of its own needs no screen, and leaves the user's pyplot alone.
    from matplotlib.figure import Figure

    from perturbx import plots

    height, width = np.shape(explanation.data)[:2]
    panel = 4.2 * max(width / height, 0.6)
    figure: Any = Figure(
        figsize=(3 * panel + 0.9, 4.9), dpi=110, layout="constrained", facecolor="white"
    )
    image, *maps = figure.subplots(1, 3)
    image.imshow(np.asarray(explanation.data))
    image.set_axis_off()
    image.set_title("the photo", fontsize=9.5, color="#262626", pad=5)
    plots.overlay(explanation, ax=maps, show=False)
    first = explanation.output_names[0]
    title = f"Which parts make it {first}? Red speaks for the class above, blue against it"
    figure.suptitle(title.replace("$", r"\$"), fontsize=12, color="#262626")
    figure.savefig(out)


def _eight_bits(values: NDArray[Any]) -> Photo:
    """Greys of 16 or more bits, or floats, as 0..255: their own darkest to their brightest."""
    values = np.nan_to_num(values.astype(np.float64))
    low, high = values.min(), values.max()
    return np.asarray(255 * (values - low) / ((high - low) or 1), dtype=np.uint8)
