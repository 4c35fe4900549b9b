"""Regions of one image whose edges are soft: at an edge the image fades into the fill."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, gaussian_filter
from scipy.sparse import csr_array

from perturbx._typing import Coalitions, Ints, Noise, Segments
from perturbx._validation import check_number, invalid
from perturbx.features import Regions, WindowGrid
from perturbx.maskers.bound_images import BoundImage, own
from perturbx.maskers.images import Image

Edges: TypeAlias = str | float
"""How regions end: "hard", "soft", or the width of soft edges in positions."""

_SHARE = 0.02
"""The width of "soft" edges, as a fraction of the longest side."""

_REACH = 3.0
"""An edge fades within so many widths."""

_NOTHING = 1e-3
"""A smaller share of a position is left to the other regions."""


def check_edges(edges: Edges) -> None:
    """Refuse what is no width.

    Raises
    ------
    InvalidParameterError
    """
    if isinstance(edges, str):
        if edges not in ("hard", "soft"):
            raise invalid("edges", '"hard", "soft", or a width in pixels', edges)
    else:
        check_number("edges", edges, above=0)


def edge_width(edges: Edges, extent: tuple[int, ...]) -> float:
    """The standard deviation of the blur of each region, in positions; 0 for hard edges."""
    if isinstance(edges, str):
        return _SHARE * max(extent) if edges == "soft" else 0.0
    return float(edges)


def describe_edges(edges: Edges) -> str:
    """What a description of the value function adds."""
    if edges == "hard":
        return ""
    return ", with soft edges" if edges == "soft" else f", with edges {edges:g} pixels soft"


@dataclass(frozen=True, eq=False, kw_only=True)
class BoundSoft(BoundImage):
    """``fill + presence * (image - fill)``, rounded to the image's dtype.

    Presence is 0 or 1 inside of regions, and blurred at their edges. With everything present a row
    is the image, and with everything absent the fill, bit by bit.

    Parameters
    ----------
    width : float
        The standard deviation of the blur, in positions.
    """

    width: float

    def scratch(self, n_rows: int) -> NDArray[Any]:
        return np.empty((n_rows, self.image.size), dtype=self.image.dtype)

    def batch(self, z: Coalitions | Noise, rows: slice | Ints, scratch: NDArray[Any]) -> Image:
        out = scratch[: len(z)]
        self.write(z, out)
        return self.pixels(out)

    def pixels(self, rows: NDArray[Any]) -> Image:
        """Flat rows as images."""
        return rows.reshape(len(rows), *self.image.shape)

    def write(self, z: Coalitions | Noise, out: Iterable[NDArray[Any]]) -> None:
        """Write the image of each coalition into a flat row of `out`."""
        image, fill = self.image.reshape(-1), self.fill.reshape(-1)
        change = image.astype(self._float) - fill.astype(self._float)
        n_channels = self.image.size // int(np.prod(self.regions.shape))
        for row, coalition in zip(out, z, strict=True):
            presence = np.repeat(self.presence(coalition.astype(bool, copy=False)), n_channels)
            shown = fill + presence * change
            if row.dtype.kind != "f":
                np.rint(shown, out=shown)
            np.copyto(row, shown, casting="unsafe")
            np.copyto(row, image, where=presence == 1)
            np.copyto(row, fill, where=presence == 0)

    def presence(self, coalition: NDArray[np.bool_]) -> NDArray[Any]:
        """(positions,): how much of the image is shown, from 0 to 1."""
        raise NotImplementedError

    @property
    def _float(self) -> np.dtype[Any]:
        small = self.image.dtype in (np.bool_, np.uint8, np.int8, np.float16, np.float32)
        return np.dtype(np.float32 if small else np.float64)


@dataclass(frozen=True, eq=False, kw_only=True)
class BoundSoftLabels(BoundSoft):
    """Regions that do not overlap: blurred, they still add up to 1 at each position.

    Parameters
    ----------
    shares : (positions, d) sparse array
        How much of each position belongs to each region.
    """

    shares: Any

    @property
    def active(self) -> NDArray[np.bool_]:
        moves = self.changed.reshape(self.shares.shape[0], -1).any(axis=1)
        return np.asarray(self.shares.T @ moves.astype(self._float) > 0)

    def filled(self, fill: Image) -> BoundSoftLabels:
        """The same regions with another fill."""
        return replace(self, fill=own(fill))

    def presence(self, coalition: NDArray[np.bool_]) -> NDArray[Any]:
        if coalition.all() or not coalition.any():
            return np.full(self.shares.shape[0], float(coalition.all()), dtype=self._float)
        return _ends(np.asarray(self.shares @ coalition.astype(self._float)))


@dataclass(frozen=True, eq=False, kw_only=True)
class BoundSoftWindows(BoundSoft):
    """Overlapping windows: what no absent window covers, blurred."""

    regions: WindowGrid

    @property
    def active(self) -> NDArray[np.bool_]:
        n_axes, reach = len(self.regions.extent), int(_REACH * self.width) + 1
        changed: NDArray[np.bool_] = self.changed
        if self.image.ndim > n_axes:
            changed = np.asarray(changed.any(axis=-1))
        found = []
        for i in range(self.n_features):
            box = self.regions.box(i)
            wide = tuple(slice(max(0, s.start - reach), s.stop + reach) for s in box)
            found.append(bool(changed[wide].any()))
        return np.array(found)

    def presence(self, coalition: NDArray[np.bool_]) -> NDArray[Any]:
        shown = np.ones(self.regions.extent, dtype=self._float)
        for window in np.flatnonzero(~coalition):
            shown[self.regions.box(int(window))] = 0
        return _ends(_blurred(shown, self.width).ravel())


def bound_soft_labels(
    image: Image,
    fill: Image,
    regions: Regions,
    segments: Segments,
    word: str,
    width: float,
    names: tuple[str, ...] = (),
) -> BoundSoftLabels:
    """One image whose regions `segments` labels 0..K-1."""
    return BoundSoftLabels(
        image=own(image),
        fill=own(fill),
        regions=regions,
        word=word,
        names=names,
        width=width,
        shares=soft_shares(segments, width).astype(np.float32 if image.itemsize < 4 else float),
    )


def bound_soft_windows(
    image: Image, fill: Image, regions: WindowGrid, word: str, width: float
) -> BoundSoftWindows:
    """One image with overlapping windows."""
    return BoundSoftWindows(
        image=own(image), fill=own(fill), regions=regions, word=word, width=width
    )


def soft_shares(segments: Segments, width: float) -> csr_array:
    """(positions, d): the blurred indicator of each region; they add up to 1 everywhere."""
    reach = int(_REACH * width + 0.5) + 1
    places, columns, shares = [], [], []
    number = np.arange(segments.size).reshape(segments.shape)
    for label, box in enumerate(find_objects(segments + 1)):
        wide = tuple(slice(max(0, s.start - reach), s.stop + reach) for s in box)
        share = _blurred((segments[wide] == label).astype(np.float64), width)
        there = share > _NOTHING
        places.append(number[wide][there])
        columns.append(np.full(int(there.sum()), label))
        shares.append(share[there])
    index = np.concatenate(places), np.concatenate(columns)
    whole = csr_array((np.concatenate(shares), index), shape=(segments.size, len(places)))
    totals = np.repeat(np.asarray(whole.sum(axis=1)), np.diff(whole.indptr))
    return csr_array((whole.data / totals, whole.indices, whole.indptr), shape=whole.shape)


def _blurred(mask: NDArray[Any], width: float) -> NDArray[Any]:
    return np.asarray(gaussian_filter(mask, width, mode="nearest", truncate=_REACH))


def _ends(presence: NDArray[Any]) -> NDArray[Any]:
    """Presence without the rounding of sums that are 0 or 1."""
    presence[presence < 1e-5] = 0
    presence[presence > 1 - 1e-5] = 1
    return presence
