"""Photos from files and folders, and how they become the input of an ONNX network."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.interop import ImagePreprocess

Photo = NDArray[np.uint8]
"""(H, W, 3): red, green and blue, channels last."""

_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "HEIF")
"""Formats of photos that Pillow decodes without other programs, by Pillow's names."""

_SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"),
    *(".tif", ".tiff", ".ppm", ".jp2", ".avif", ".heic"),
)

_TABLES = (".csv", ".tsv", ".parquet")

LONGEST = 384
"""The longest side: enough for a network of 224 pixels per side, and cheaper to mask."""

_USUAL_SIZE = 224


def read_photo(path: Path, longest: int = LONGEST) -> Photo:
    """The photo as a person sees it: upright, with transparent parts in white.

    Raises
    ------
    InvalidInputError
        If it is not an image.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    Image.init()
    # Otherwise Pillow goes by the content alone, and starts Ghostscript for PostScript.
    formats = [name for name in _FORMATS if name in Image.OPEN]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged metadata, which is not shown
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=formats) as file:
                return _as_seen(ImageOps.exif_transpose(file), longest)
    except UnidentifiedImageError as error:
        raise InvalidInputError(
            f"{str(path)!r} cannot be read as an image: its format is not known. Save it as one "
            f"of {', '.join(formats)}."
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InvalidInputError(
            f"{str(path)!r} cannot be read as an image: it has more than "
            f"{Image.MAX_IMAGE_PIXELS or 0:,} pixels. Make it smaller first."
        ) from error
    except Exception as error:  # a decoder may raise anything about a damaged file
        why = str(error) or type(error).__name__
        raise InvalidInputError(f"{str(path)!r} cannot be read as an image: {why}.") from error


def _as_seen(image: Any, longest: int) -> Photo:
    """At most `longest` pixels per side, on white."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        image = Image.fromarray(_eight_bits(np.asarray(image)))
    image = image.convert("RGBA")
    image.thumbnail((longest, longest))
    image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.array(image.convert("RGB"))


def _eight_bits(values: NDArray[Any]) -> Photo:
    """Grays of 16 or more bits, or floats, stretched to 0..255."""
    values = np.nan_to_num(values.astype(np.float64))
    low, high = values.min(), values.max()
    return np.asarray(255 * (values - low) / ((high - low) or 1), dtype=np.uint8)


def photo_files(paths: Iterable[Path]) -> list[Path]:
    """The files, and the photos in the folders, by name.

    Raises
    ------
    InvalidParameterError
        If a path does not exist, or a folder has no photos.
    """
    found: list[Path] = []
    for path in paths:
        if path.suffix.lower() in _TABLES:
            raise InvalidParameterError(f"{path} is not a photo; tables are read by --data {path}.")
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in _SUFFIXES)
            if not inside:
                raise InvalidParameterError(f"there is no photo in the folder {str(path)!r}.")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise InvalidParameterError(f"there is no file or folder {str(path)!r}.")
    return found


@dataclass(frozen=True)
class PhotoInput:
    """Photos as a network takes them.

    Parameters
    ----------
    preprocess : ImagePreprocess
    sides : (height, width)
    channels_last : bool
        Whether the network takes (n, height, width, channels).
    whole : bool
        Whether it takes whole numbers, 0 to 255.
    """

    preprocess: ImagePreprocess
    sides: tuple[int, int]
    channels_last: bool = False
    whole: bool = False

    def __call__(self, images: Any) -> NDArray[Any]:
        pixels = self.preprocess(images)
        if self.channels_last:
            pixels = np.moveaxis(pixels, 1, -1)
        return np.rint(pixels).astype(np.uint8) if self.whole else pixels


def preprocess_for(
    shape: Sequence[Any] | None, whole: bool, chosen: argparse.Namespace
) -> PhotoInput:
    """From photos to an input of a shape: its size and where its channels are.

    A network that takes `whole` numbers gets brightness from 0 to 255.

    Raises
    ------
    InvalidParameterError
        If the network takes no photos, or another size.
    """
    if shape is None or len(shape) != 4:
        raise InvalidParameterError(
            f"{chosen.model.name} takes no photos, which are of shape (n, 3, height, width). "
            'Tables are explained by --data, texts by "perturbx text".'
        )
    last = shape[-1] in (1, 3) and shape[1] not in (1, 3)
    channels = shape[-1] if last else shape[1]
    channels = channels if isinstance(channels, int) else 3
    declared = tuple(shape[1:3] if last else shape[2:])
    size = _size(declared, chosen)
    settings = {"mean": chosen.mean, "std": chosen.std}
    given = {name: value for name, value in settings.items() if value is not None}
    if whole and given:
        raise InvalidParameterError(
            f"{chosen.model.name} takes brightness from 0 to 255: leave out --mean and --std."
        )
    if whole:
        given = {"mean": 0.0, "std": 1 / 255}
    elif channels == 1 and not given:
        given = {"mean": 0.0, "std": 1.0}
    preprocess = ImagePreprocess(size, crop=chosen.crop, channels=channels, **given)
    return PhotoInput(preprocess, size, last, whole)


def _size(declared: tuple[Any, ...], chosen: argparse.Namespace) -> tuple[int, int]:
    if not all(isinstance(side, int) for side in declared):
        side = chosen.size or _USUAL_SIZE
        return side, side
    if chosen.size is not None and {chosen.size} != set(declared):
        raise InvalidParameterError(
            f"--size {chosen.size}: {chosen.model.name} takes {declared[0]} x {declared[1]} pixels."
        )
    return declared[0], declared[1]
