"""Photos with a known object: cut out of a photo and pasted twice, one copy the weaker.

Whoever explains such a picture should share the score between the copies, as each of them would
do without the other. How much of it belongs to the weaker copy is no matter of taste: the two
copies are a game of two players, and four model rows give its Shapley values (`share_of_weaker`).

Outlines are polygons in parts of the photo's width and height. Two of the photos come with
scikit-image; the others are files of a folder, named by the beginning of their names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Array = np.ndarray
SIDE = 224

_FEATHER = 0.8
"""Standard deviation in pixels by which edges are softened, so that no cut is seen."""


@dataclass(frozen=True)
class Object:
    """What is cut out: a photo (of scikit-image, or a file's beginning), a class, an outline."""

    name: str
    photo: str
    label: int
    outline: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Placing:
    """Where the copies go: centres and heights in parts of the side, the weaker one mirrored."""

    stronger: tuple[float, float, float]
    weaker: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Composite:
    """The picture with both copies, and what it is with one or none.

    `where` (2, H, W) says which pixels the stronger and the weaker copy cover.
    """

    name: str
    label: int
    image: Array
    stronger_alone: Array
    weaker_alone: Array
    background: Array
    where: Array

    @property
    def games(self) -> Array:
        """(4, H, W, 3): nothing, the stronger copy, the weaker copy, both."""
        return np.stack([self.background, self.stronger_alone, self.weaker_alone, self.image])


OBJECTS = (
    Object(
        "cat",
        "chelsea",
        285,
        (
            (0.12, 0.0), (0.09, 0.25), (0.07, 0.5), (0.2, 0.72), (0.33, 0.9), (0.55, 0.99),
            (0.68, 0.95), (0.75, 0.75), (0.82, 0.5), (0.8, 0.22), (0.83, 0.0),
        ),
    ),
    Object(
        "espresso",
        "coffee",
        967,
        (
            (0.3, 0.12), (0.38, 0.05), (0.5, 0.03), (0.62, 0.09), (0.68, 0.17), (0.76, 0.32),
            (0.8, 0.5), (0.78, 0.7), (0.72, 0.85), (0.62, 0.95), (0.5, 0.98), (0.36, 0.93),
            (0.24, 0.82), (0.16, 0.65), (0.13, 0.45), (0.18, 0.3), (0.28, 0.2),
        ),
    ),
    Object(
        "cheeseburger",
        "sim_n07697313",
        933,
        (
            (0.05, 0.24), (0.1, 0.17), (0.3, 0.12), (0.5, 0.1), (0.72, 0.12), (0.88, 0.17),
            (0.94, 0.25), (0.93, 0.35), (0.96, 0.45), (0.96, 0.6), (0.94, 0.72), (0.92, 0.82),
            (0.78, 0.88), (0.5, 0.9), (0.25, 0.87), (0.08, 0.8), (0.07, 0.68), (0.04, 0.58),
            (0.05, 0.45), (0.04, 0.36),
        ),
    ),
    Object(
        "meerkat",
        "sim_n02138441",
        299,
        (
            (0.37, 0.32), (0.39, 0.24), (0.47, 0.21), (0.57, 0.22), (0.66, 0.27), (0.68, 0.36),
            (0.66, 0.45), (0.67, 0.54), (0.74, 0.7), (0.76, 0.85), (0.77, 1.0), (0.3, 1.0),
            (0.29, 0.8), (0.32, 0.62), (0.38, 0.5), (0.37, 0.4),
        ),
    ),
    Object(
        "hog",
        "sim_n02395694",
        341,
        (
            (0.51, 0.0), (0.47, 0.12), (0.44, 0.3), (0.42, 0.5), (0.37, 0.69), (0.43, 0.71),
            (0.5, 0.63), (0.56, 0.74), (0.66, 0.85), (0.74, 0.85), (0.74, 0.72), (0.78, 0.68),
            (0.86, 0.68), (0.8, 0.6), (0.72, 0.58), (0.7, 0.35), (0.75, 0.12), (0.71, 0.0),
        ),
    ),
    Object(
        "bolete",
        "sim_n13052670",
        997,
        (
            (0.29, 0.18), (0.4, 0.11), (0.5, 0.08), (0.7, 0.1), (0.84, 0.13), (0.9, 0.19),
            (0.88, 0.27), (0.76, 0.29), (0.73, 0.38), (0.75, 0.55), (0.67, 0.6), (0.5, 0.57),
            (0.46, 0.45), (0.5, 0.31), (0.36, 0.31),
        ),
    ),
)  # fmt: skip
"""Objects of which a network is sure, with their ImageNet classes."""

PLACINGS = {
    "beside": Placing((0.27, 0.42, 0.5), (0.74, 0.62, 0.44)),
    "across": Placing((0.7, 0.3, 0.5), (0.27, 0.74, 0.42)),
}
"""Two ways of placing copies without overlap."""

BACKGROUNDS = {"beside": "gravel", "across": "grass"}
"""scikit-image's textures, in which a network sees nothing in particular."""


def composites(folder: str | Path | None = None) -> Iterator[Composite]:
    """Every object, both ways; without a folder of photos those of scikit-image alone."""
    for thing in OBJECTS:
        photo = _photo(thing.photo, folder)
        if photo is not None:
            for way in PLACINGS:
                yield composite(thing, way, photo)


def composite(thing: Object, way: str, photo: Array) -> Composite:
    """Two copies of one object over a texture."""
    place, background = PLACINGS[way], _texture(BACKGROUNDS[way])
    cut, alpha = _cut(photo, thing.outline)
    first = _placed(cut, alpha, place.stronger, mirrored=False)
    second = _placed(cut, alpha, place.weaker, mirrored=True)
    stronger, weaker = _pasted(background, *first), _pasted(background, *second)
    return Composite(
        name=f"{thing.name} {way}",
        label=thing.label,
        image=_pasted(stronger, *second),
        stronger_alone=stronger,
        weaker_alone=weaker,
        background=background,
        where=np.stack([first[1] > 0.5, second[1] > 0.5]),
    )


def share_of_weaker(predict: Callable[[Array], Array], picture: Composite) -> float:
    """The weaker copy's Shapley value as a part of both: what a fair map would give it."""
    none, strong, weak, both = np.asarray(predict(picture.games))[:, picture.label].astype(float)
    return float(((weak - none) + (both - strong)) / 2 / (both - none))


def _photo(name: str, folder: str | Path | None) -> Array | None:
    if name in ("chelsea", "coffee"):
        from skimage import data

        return np.asarray(getattr(data, name)())
    found = sorted(Path(folder).glob(f"{name}*")) if folder else []
    if not found:
        return None
    from skimage.io import imread

    return np.asarray(imread(found[0]))[..., :3]


def _texture(name: str) -> Array:
    """A grey texture in the colour of sand, of little contrast."""
    from skimage import data

    grey = _resized(np.asarray(getattr(data, name)()).astype(float), (SIDE, SIDE)) / 255
    shade = 0.5 + 0.6 * (grey - grey.mean())
    return _bytes(255 * shade[..., None] * np.array([1.05, 1.0, 0.88]))


def _cut(photo: Array, outline: tuple[tuple[float, float], ...]) -> tuple[Array, Array]:
    """The outline's box out of a photo, and where in it the object is."""
    from skimage.draw import polygon2mask

    height, width = photo.shape[:2]
    corners = np.array([(y * height, x * width) for x, y in outline])
    inside = polygon2mask((height, width), corners).astype(float)
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return photo[box].astype(float), inside[box]


def _placed(
    cut: Array, alpha: Array, place: tuple[float, float, float], *, mirrored: bool
) -> tuple[Array, Array]:
    """A copy on an empty canvas, and its opacity there."""
    x, y, size = place
    height = round(size * SIDE)
    width = round(height * cut.shape[1] / cut.shape[0])
    if width > height:  # the longer side has the wanted length
        width, height = height, round(height * cut.shape[0] / cut.shape[1])
    if mirrored:
        cut, alpha = cut[:, ::-1], alpha[:, ::-1]
    small, opacity = _resized(cut, (height, width)), _resized(alpha, (height, width))
    canvas, where = np.zeros((SIDE, SIDE, 3)), np.zeros((SIDE, SIDE))
    top = int(np.clip(round(y * SIDE - height / 2), 0, SIDE - height))
    left = int(np.clip(round(x * SIDE - width / 2), 0, SIDE - width))
    box = slice(top, top + height), slice(left, left + width)
    canvas[box], where[box] = small, opacity
    return canvas, _soft(where)


def _pasted(background: Array, canvas: Array, alpha: Array) -> Array:
    # The edge fades within the object, where there is something to fade.
    opacity = np.clip(2 * alpha - 1, 0, 1)[..., None]
    return _bytes(background * (1 - opacity) + canvas * opacity)


def _soft(where: Array) -> Array:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(where, _FEATHER))


def _resized(image: Array, shape: tuple[int, int]) -> Array:
    from skimage.transform import resize

    return np.asarray(resize(image, shape, order=1, anti_aliasing=True, preserve_range=True))


def _bytes(image: Array) -> Array:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
