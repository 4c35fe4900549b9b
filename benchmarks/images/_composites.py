"""Photos with a known object that was cut out of a photo and pasted twice, one copy weaker.

An explanation of such a picture should share the score between the copies, as either would be
enough. The weaker copy's fair share is known: the two copies are a game of two players, and four
model rows give its Shapley values (`share_of_weaker`).

Outlines are polygons in fractions of the photo's width and height. Two of the photos come with
scikit-image; the others are files in a folder, named by the beginning of their names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

Array = np.ndarray
SIDE = 224

_FEATHER = 0.8
"""Standard deviation in pixels by which edges are softened, to hide the cut."""

LEAST_SHARE, LEAST_MASS = 0.45, 0.70
"""What a map should give: the weaker copy's share, and the positive score on both copies."""


@dataclass(frozen=True)
class Object:
    """An object to cut out: a photo (of scikit-image, or how a file begins), class and outline."""

    name: str
    photo: str
    label: int
    outline: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Placing:
    """Centers and heights of the copies in fractions of the side; the weaker one is mirrored."""

    stronger: tuple[float, float, float]
    weaker: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Composite:
    """The picture with both copies, with one, and with neither.

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

    def resized(self, side: int) -> Composite:
        """The same pictures with another side."""
        none, strong, weak, both = (
            _bytes(_resized(game.astype(float), (side, side))) for game in self.games
        )
        where = np.stack(
            [_resized(place.astype(float), (side, side)) > 0.5 for place in self.where]
        )
        return replace(
            self,
            image=both,
            stronger_alone=strong,
            weaker_alone=weak,
            background=none,
            where=where > 0.5,
        )


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
"""Objects that the network recognizes with certainty, with their ImageNet classes."""

PLACINGS = {
    "falling": Placing((0.27, 0.3, 0.5), (0.73, 0.7, 0.48)),
    "rising": Placing((0.73, 0.3, 0.5), (0.27, 0.72, 0.48)),
    "level": Placing((0.26, 0.5, 0.5), (0.75, 0.5, 0.48)),
    "corners": Placing((0.7, 0.3, 0.56), (0.26, 0.74, 0.5)),
}
"""Ways of placing copies without overlap."""

SCENES = (
    ("cat", "falling", "plain"),
    ("cat", "corners", "brick"),
    ("cat", "level", "gravel"),
    ("espresso", "corners", "gravel"),
    ("cheeseburger", "rising", "grass"),
    ("cheeseburger", "level", "brick"),
    ("meerkat", "level", "gravel"),
    ("meerkat", "level", "plain"),
    ("bolete", "level", "gravel"),
)
"""Objects, placings and backgrounds in which EfficientNet-Lite0 sees the class in each copy.

The smaller copy is slightly less convincing than the larger: its fair share is 0.44 to 0.5.
"""


def composites(folder: str | Path | None = None) -> Iterator[Composite]:
    """Every scene; without a folder of photos only those with scikit-image's photos."""
    things = {thing.name: thing for thing in OBJECTS}
    for name, way, background in SCENES:
        photo = _photo(things[name].photo, folder)
        if photo is not None:
            yield composite(things[name], photo, way, background)


def composite(thing: Object, photo: Array, way: str, background: str) -> Composite:
    """Two copies of one object over a background."""
    place, below = PLACINGS[way], _background(background)
    cut, alpha = _cut(photo, thing.outline)
    first = _placed(cut, alpha, place.stronger, mirrored=False)
    second = _placed(cut, alpha, place.weaker, mirrored=True)
    stronger, weaker = _pasted(below, *first), _pasted(below, *second)
    return Composite(
        name=f"{thing.name} {way}, {background}",
        label=thing.label,
        image=_pasted(stronger, *second),
        stronger_alone=stronger,
        weaker_alone=weaker,
        background=below,
        where=np.stack([first[1] > 0.5, second[1] > 0.5]),
    )


def share_of_weaker(predict: Callable[[Array], Array], picture: Composite) -> float:
    """The weaker copy's Shapley value over that of both: what a fair map would give it."""
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


def _background(name: str) -> Array:
    """One of scikit-image's textures at low contrast, or a plain wall; both sand-colored."""
    if name == "plain":
        shade = np.linspace(0.78, 0.51, SIDE)[:, None] + np.zeros((SIDE, SIDE))
    else:
        from skimage import data

        gray = _resized(np.asarray(getattr(data, name)()).astype(float), (SIDE, SIDE)) / 255
        shade = 0.5 + 0.6 * (gray - gray.mean())
    return _bytes(255 * shade[..., None] * np.array([1.05, 1.0, 0.88]))


def _cut(photo: Array, outline: tuple[tuple[float, float], ...]) -> tuple[Array, Array]:
    """The outline's box from a photo, and where the object is in it."""
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
    # The edge fades inside the object: outside there is nothing to fade.
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
