"""The pictures: photos of which the network is sure, and composites with known objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.images._composites import composites, share_of_weaker
from benchmarks.images._network import SIDE, class_names, normalized

Array = np.ndarray
Ask = Callable[[Array], Array]

SURE = 0.5
"""The network must give its top class at least this."""

OWN = ("astronaut", "camera", "chelsea", "coffee", "rocket")
"""scikit-image's photos that come with the package."""

MISTAKEN = {
    "rocket": "a rocket, not a drilling platform",
    "sim_n04260364_2410": "an ultrasound scan, not a lampshade",
    "sim_n04583212_9954": "a Ferris wheel, not a radio telescope",
    "sim_n12828791_5672": "a petunia, not a cabbage",
}
"""Photos in which the network is sure of a class that is not there, found by eye."""

_MARGIN = 224 / 256
"""The middle to which photos are cropped, as is common in tests on ImageNet."""


@dataclass(frozen=True, eq=False)
class View:
    """A square picture with a class to explain.

    Composites have their objects (k, H, W), and pairs of copies the `fair` share of the weaker
    one: its Shapley value over that of both, from four model rows.
    """

    photo: str
    kind: str
    image: Array
    label: int
    probability: float
    objects: Array | None = None
    fair: float = np.nan

    @property
    def name(self) -> str:
        return f"{self.photo} {self.kind}"

    @property
    def is_photo(self) -> bool:
        return self.objects is None


def views(ask: Ask, folder: Path | None, side: int = SIDE) -> tuple[list[View], list[str]]:
    """Photos of which the network is sure, squashed and cropped, with a line about each."""
    names = class_names(folder)
    found, said = [], []
    for photo, picture in sorted(_photos(folder).items()):
        for kind, box in (("squashed", None), ("cropped", _middle(picture.size))):
            image = np.asarray(picture.resize((side, side), 3, box=box))
            answers = ask(normalized(image[None]))[0]
            label, p = int(answers.argmax()), float(answers.max())
            if p < SURE or photo in MISTAKEN:
                continue
            found.append(View(photo, kind, image, label, p))
            said.append(f"{photo} {kind}: {names.get(label, f'class {label}')} {p:.2f}")
    said += [f"left out: {photo}, {why}" for photo, why in MISTAKEN.items()]
    return found, said


def composite_views(ask: Ask, folder: Path | None, side: int = SIDE) -> Iterator[View]:
    """Pictures with two copies; and once per object, the stronger copy alone."""

    def predict(images: Array) -> Array:
        return ask(normalized(images))

    seen: set[int] = set()
    for drawn in composites(folder):
        picture = drawn if side == SIDE else drawn.resized(side)
        label, fair = picture.label, share_of_weaker(predict, picture)
        p = float(predict(picture.image[None])[0, label])
        yield View(picture.name, "twice", picture.image, label, p, picture.where, fair)
        if label not in seen:
            seen.add(label)
            alone = picture.stronger_alone
            p = float(predict(alone[None])[0, label])
            yield View(picture.name, "alone", alone, label, p, picture.where[:1])


def halves(photos: list[str]) -> tuple[list[str], list[str]]:
    """Photos to choose by and photos to report: even and odd places in the order of names."""
    ordered = sorted(set(photos))
    return ordered[::2], ordered[1::2]


def sample(side: int) -> View:
    """A photo of any size, to warm methods up without the network."""
    from PIL import Image
    from skimage.data import chelsea

    return View("chelsea", "", np.asarray(Image.fromarray(chelsea()).resize((side, side))), 0, 1.0)


def _photos(folder: Path | None) -> dict:
    from PIL import Image
    from skimage import data

    found = {name: Image.fromarray(getattr(data, name)()).convert("RGB") for name in OWN}
    for path in sorted(folder.glob("*")) if folder else ():
        if path.suffix.lower() in (".jpg", ".jpeg", ".png"):
            found[path.stem] = Image.open(path).convert("RGB")
    return found


def _middle(size: tuple[int, int]) -> tuple[float, float, float, float]:
    width, height = size
    side = min(size) * _MARGIN
    return (width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2
