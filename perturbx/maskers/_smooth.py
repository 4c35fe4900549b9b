"""How smooth masks blend an image with its fill, without storing the masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Ints, Noise
from perturbx.designs import Design, GradedDesign
from perturbx.features import Lattice
from perturbx.maskers.bound_images import BoundImage, own
from perturbx.maskers.images import Image


@dataclass(frozen=True, eq=False, kw_only=True)
class BoundSmoothGrid(BoundImage):
    """``fill + presence * (image - fill)``, rounded to the image's dtype.

    Presence is interpolated linearly between the points of the lattice. A row with everything
    present equals the image, and a row with everything absent equals the fill, bit by bit.
    """

    accepts: ClassVar[type[Design]] = GradedDesign

    regions: Lattice

    @property
    def active(self) -> NDArray[np.bool_]:
        """All or none: random grids are defined on the whole lattice."""
        return np.full(self.n_features, bool(self.changed.any()))

    @property
    def feature_names(self) -> tuple[str, ...]:
        points = np.ndindex(self.regions.nodes)
        return tuple(f"{self.word} {', '.join(map(str, point))}" for point in points)

    def scratch(self, n_rows: int) -> Bench:
        return bench(self, n_rows)

    def batch(self, z: Coalitions | Noise, rows: slice | Ints, scratch: Bench) -> Image:
        out = scratch.rows[: len(z)]
        lowest, highest = z.min(axis=1), z.max(axis=1)
        for row, lines, low, high in zip(out, scratch.lines(z), lowest, highest, strict=True):
            if low == high and low in (0, 1):
                row[...] = self.image if low else self.fill
            else:
                scratch.fade(lines, row)
        return out


@dataclass(frozen=True, eq=False)
class Bench:
    """The buffers of a batch, and the constants from which its rows are computed.

    Parameters
    ----------
    rows : (n_rows, *image) array
    change, fill : (positions of the first axis, the rest) float arrays
        The image minus its fill, and the fill, or None if it is 0.
    part : array like `change`
        `change` times the fraction of the way from each position's lower point to the next one,
        along the first axis.
    between : tuple of (low, share) arrays
        For each axis the lower point of each position, and the fraction of the way to the next
        point. The last axis repeats its positions for each channel.
    shown, spare : arrays like `change`
        Buffers for one row.
    """

    rows: NDArray[Any]
    nodes: tuple[int, ...]
    change: NDArray[Any]
    part: NDArray[Any]
    fill: NDArray[Any] | None
    between: tuple[tuple[Ints, NDArray[Any]], ...]
    shown: NDArray[Any]
    spare: NDArray[Any]

    def lines(self, z: Coalitions | Noise) -> NDArray[Any]:
        """Presence along each line of the first axis: interpolated along all other axes."""
        points = z.astype(self.change.dtype).reshape(len(z), *self.nodes)
        if len(self.between) == 1:
            return np.repeat(points[:, :, None], self.change.shape[1], axis=2)
        for axis in range(len(self.between) - 1, 0, -1):
            low, share = self.between[axis]
            front = np.ascontiguousarray(np.moveaxis(points, axis + 1, 0))
            stretched = _steps(front).take(low, axis=0)
            stretched *= share.reshape([-1] + [1] * (front.ndim - 1))
            stretched += front.take(low, axis=0)
            points = np.moveaxis(stretched, 0, axis + 1)
        return points.reshape(len(z), len(points[0]), -1)

    def fade(self, lines: NDArray[Any], row: Image) -> None:
        """One model row: ``(line + share * step) * change + fill``, linear along the first axis."""
        low, _ = self.between[0]
        # "clip" lets take write straight into the buffer; "raise" would go through a copy
        np.take(_steps(lines), low, axis=0, out=self.shown, mode="clip")
        np.multiply(self.shown, self.part, out=self.shown)
        np.take(lines, low, axis=0, out=self.spare, mode="clip")
        np.multiply(self.spare, self.change, out=self.spare)
        np.add(self.shown, self.spare, out=self.shown)
        if self.fill is not None:
            np.add(self.shown, self.fill, out=self.shown)
        if row.dtype.kind != "f":
            np.rint(self.shown, out=self.shown)
        np.copyto(row.reshape(self.shown.shape), self.shown, casting="unsafe")


def _steps(points: NDArray[Any]) -> NDArray[Any]:
    """The differences from each point to the next; 0 for the last."""
    steps = np.zeros_like(points)
    np.subtract(points[1:], points[:-1], out=steps[:-1])
    return steps


def bench(bound: BoundSmoothGrid, n_rows: int) -> Bench:
    """The buffers and constants of one image, in the smallest sufficient float type."""
    image, fill, lattice = bound.image, bound.fill, bound.regions
    small = image.dtype in (np.bool_, np.uint8, np.int8, np.float16, np.float32)
    kind = np.dtype(np.float32 if small else np.float64)
    change = (image.astype(kind) - fill.astype(kind)).reshape(len(image), -1)
    channels = image.size // int(np.prod(lattice.shape))
    sides = zip(lattice.nodes, lattice.shape, strict=True)
    places = [np.linspace(0, n - 1, side) for n, side in sides]
    if len(places) > 1:
        places[-1] = np.repeat(places[-1], channels)
    lows = [place.astype(np.intp) for place in places]
    return Bench(
        rows=np.empty((n_rows, *image.shape), dtype=image.dtype),
        nodes=lattice.nodes,
        change=change,
        part=change * (places[0] - lows[0]).astype(kind)[:, None],
        fill=fill.astype(kind).reshape(change.shape) if fill.any() else None,
        between=tuple((low, (p - low).astype(kind)) for p, low in zip(places, lows, strict=True)),
        shown=np.empty_like(change),
        spare=np.empty_like(change),
    )


def bound_smooth_grid(image: Image, fill: Image, regions: Lattice, word: str) -> BoundSmoothGrid:
    """The smooth mask bound to one image."""
    return BoundSmoothGrid(image=own(image), fill=own(fill), regions=regions, word=word)
