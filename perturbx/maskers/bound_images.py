"""How regions of one image are removed, in many copies at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Ints, Noise, Segments
from perturbx.containers import blend
from perturbx.features import Regions, WindowGrid
from perturbx.maskers._base import BoundMasker
from perturbx.maskers.images import Image


@dataclass(frozen=True, eq=False, kw_only=True)
class BoundImage(BoundMasker):
    """An image, its fill (of the same shape and dtype) and its regions.

    `word` names a feature by its number, unless features have names of their own.
    """

    image: Image
    fill: Image
    regions: Regions
    word: str
    names: tuple[str, ...] = ()

    @property
    def n_features(self) -> int:
        return len(self.regions)

    @property
    def feature_names(self) -> tuple[str, ...]:
        return self.names or tuple(f"{self.word} {i}" for i in range(len(self.regions)))

    @property
    def data(self) -> Image:
        return self.image

    @property
    def row_bytes(self) -> int:
        return self.image.nbytes

    @property
    def changed(self) -> NDArray[np.bool_]:
        """The positions and channels in which the fill differs from the image."""
        return np.asarray(self.image != self.fill)


@dataclass(frozen=True, eq=False, kw_only=True)
class BoundLabels(BoundImage):
    """Regions that do not overlap: one gather, one AND and one XOR per row, bit by bit.

    Rows are computed in words of up to eight bytes. There are few kinds of word, since most words
    lie in one region. A row is therefore gathered in two steps: first the bits of each kind of
    word (`kinds`), then the kind of each word (`words`).

    Parameters
    ----------
    kinds : (U, e) int array
        The labels of the e elements in each of the U kinds of word.
    words : (W,) int array
        The kind of each word of the image.
    """

    kinds: Ints
    words: Ints

    @property
    def active(self) -> NDArray[np.bool_]:
        labels = self.kinds[self.words].reshape(-1)
        return np.bincount(labels, self.changed.reshape(-1), self.n_features) > 0

    def scratch(self, n_rows: int) -> NDArray[Any]:
        return np.empty((n_rows, len(self.words)), dtype=self._word_type)

    def batch(self, z: Coalitions | Noise, rows: slice | Ints, scratch: NDArray[Any]) -> Image:
        out = scratch[: len(z)]
        self.write(z, out)
        return self.pixels(out)

    def filled(self, fill: Image) -> BoundLabels:
        """The same regions with another fill."""
        return replace(self, fill=own(fill))

    def pixels(self, words: NDArray[Any]) -> Image:
        """Rows of words as images."""
        return words.view(self.image.dtype).reshape(len(words), *self.image.shape)

    def write(self, z: Coalitions | Noise, out: Iterable[NDArray[Any]]) -> None:
        """Write the words of each coalition into a row of `out`."""
        element = np.dtype(f"u{self.image.itemsize}")
        ones, none = element.type(np.iinfo(element).max), element.type(0)
        image, fill = (a.reshape(-1).view(self._word_type) for a in (self.image, self.fill))
        difference = image ^ fill
        for row, coalition in zip(out, z, strict=True):
            bits = np.where(coalition, ones, none)
            present = bits[self.kinds].view(self._word_type)[:, 0]
            # "clip" lets take write straight into the row; "raise" would go through a copy
            np.take(present, self.words, out=row, mode="clip")
            blend(row, difference, fill, row)

    @property
    def _word_type(self) -> np.dtype[Any]:
        return np.dtype(f"u{self.kinds.shape[1] * self.image.itemsize}")


@dataclass(frozen=True, eq=False, kw_only=True)
class BoundWindows(BoundImage):
    """Overlapping windows: a position is absent if any absent window covers it."""

    regions: WindowGrid

    @property
    def active(self) -> NDArray[np.bool_]:
        changed = self.changed
        return np.array([changed[self.regions.box(i)].any() for i in range(self.n_features)])

    def scratch(self, n_rows: int) -> Image:
        return np.empty((n_rows, *self.image.shape), dtype=self.image.dtype)

    def batch(self, z: Coalitions | Noise, rows: slice | Ints, scratch: Image) -> Image:
        out = scratch[: len(z)]
        out[...] = self.image
        for row, coalition in zip(out, z, strict=True):
            for window in np.flatnonzero(~coalition.astype(bool, copy=False)):
                box = self.regions.box(int(window))
                row[box] = self.fill[box]
        return out


def bound_labels(
    image: Image,
    fill: Image,
    regions: Regions,
    segments: Segments,
    word: str,
    names: tuple[str, ...] = (),
) -> BoundLabels:
    """One image whose regions `segments` labels 0..K-1."""
    image, fill = own(image), own(fill)
    kinds, words = _words(segments, image)
    return BoundLabels(
        image=image,
        fill=fill,
        regions=regions,
        word=word,
        names=names,
        kinds=kinds,
        words=words,
    )


def bound_windows(image: Image, fill: Image, regions: WindowGrid, word: str) -> BoundWindows:
    """One image with overlapping windows."""
    return BoundWindows(image=own(image), fill=own(fill), regions=regions, word=word)


def own(image: Image) -> Image:
    """The image if it is contiguous and read-only, or a copy that is and may be kept and shared."""
    if image.flags.c_contiguous and not image.flags.writeable:
        return image
    copy = np.array(image, order="C")
    copy.flags.writeable = False
    return copy


def _words(segments: Segments, image: Image) -> tuple[Ints, Ints]:
    """The kinds of word (their elements' labels), and the kind of each word of the image."""
    label_type = np.min_scalar_type(int(segments.max()))
    labels = np.repeat(segments.ravel().astype(label_type), image.size // segments.size)
    n_elements = 8 // max(image.itemsize, label_type.itemsize)
    while image.size % n_elements:
        n_elements //= 2
    packed = labels.view(f"u{n_elements * label_type.itemsize}")
    kinds, words = np.unique(packed, return_inverse=True)
    labels_of_kind = kinds.view(label_type).reshape(len(kinds), n_elements)
    return labels_of_kind.astype(np.intp), words.reshape(-1).astype(np.intp, copy=False)
