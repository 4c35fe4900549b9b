"""A lattice of points: between them an image is present in part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

from perturbx._validation import check_integer, invalid
from perturbx.designs import SoftMasks
from perturbx.errors import InvalidInputError
from perturbx.features import Lattice
from perturbx.maskers._base import BoundMasker
from perturbx.maskers._filled import FilledMasker
from perturbx.maskers._smooth import bound_smooth_grid
from perturbx.maskers.axes import ChannelAxis
from perturbx.maskers.fills import Fill, describe_fill, render_fill
from perturbx.maskers.images import ImageBatch


@dataclass(frozen=True)
class SmoothGrid(FilledMasker):
    """Features are the points of a lattice; what is absent fades into the fill.

    This is the removal of RISE (Petsiuk, Das & Saenko, BMVC 2018): ``x * M + fill * (1 - M)``
    with M bilinear between points, rounded to the image's dtype. The lattice is `steps` times
    finer than the random grids that are drawn on it, so that each grid can be shifted by parts
    of its cells, and every such M is exactly what the lattice interpolates. Series and volumes
    work alike (linear, trilinear).

    Parameters
    ----------
    cells : int or tuple
        How many cells of a random grid there are along each spatial axis. A tuple says how many
        spatial axes there are; else a 1-D array is a series, and anything else an image.
    steps : int
        Points of the lattice to a cell: a random grid is shifted by 0 to ``steps - 1`` of them.
        Short axes have fewer.
    fill : "mean", "blur", "noise", a color, or an array
        What is absent shows: black as published by default; the mean color of the image, a
        blurred copy of it (standard deviation 5% of the longest side), its positions shuffled,
        one color (a number, or one a channel), or an array of the image's shape.
    channel_axis : "auto", -1 or None
        -1 if the last axis holds channels, None if there are none. "auto": no axis beyond the
        spatial ones is a single instance, one of at most 4 entries is its channels, two are a
        batch with such channels. Anything else is refused: more than 4 channels, channels first,
        and batches without channels.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.maskers import Features, SmoothGrid
    >>> masker = SmoothGrid(cells=2, steps=1).fit(None, Features(), np.random.default_rng(0))
    >>> instances = masker.check(np.full(5, 8.0))
    >>> (bound,) = instances.bind(0, 1)
    >>> bound.batch(np.array([[1.0, 0.5, 0.0]]), slice(0, 1), bound.scratch(1))
    array([[8., 6., 4., 2., 0.]])
    """

    accepts = SoftMasks

    cells: int | Sequence[int] = 7
    steps: int = 3
    fill: Fill = 0
    channel_axis: ChannelAxis = "auto"

    @property
    def n_axes(self) -> int | None:  # type: ignore[override]
        return len(self.cells) if _several(self.cells) else None

    @property
    def value_function(self) -> str:
        return "places that fade into " + describe_fill(self.fill, "the image's mean color")

    def check_settings(self) -> None:
        for cells in self.cells if _several(self.cells) else (self.cells,):
            check_integer("cells", cells, minimum=1)
        if np.size(self.cells) == 0:
            raise invalid("cells", "an integer, or one for each spatial axis", self.cells)
        check_integer("steps", self.steps, minimum=1)

    def check_image(self, X: ImageBatch, index: int) -> None:
        lattice(X.spatial(index), self.cells, self.steps)

    def bound(self, X: ImageBatch, index: int, seed: int) -> BoundMasker:
        image, points = X.arrays[index], lattice(X.spatial(index), self.cells, self.steps)
        fill = render_fill(self.fill, image, X.channels, None, seed)
        return bound_smooth_grid(image, fill, points, "point")


def lattice(extent: tuple[int, ...], cells: int | Sequence[int], steps: int) -> Lattice:
    """The points of one instance; no more of them along an axis than it has positions.

    Raises
    ------
    InvalidInputError
        If an axis is shorter than two positions for a cell.
    """
    n_cells = tuple(np.broadcast_to(cells, len(extent)).tolist())
    for side, n in zip(extent, n_cells, strict=True):
        if side <= n:
            raise InvalidInputError(
                f"an image of {extent} is too small for {n_cells} cells: each axis needs more "
                "positions than cells. Pass fewer cells. A tuple says how many axes are spatial: "
                "(k,) for series, (k, k, k) for volumes."
            )
    each = tuple(min(steps, (side - 1) // n) for side, n in zip(extent, n_cells, strict=True))
    nodes = tuple(n * step + 1 for n, step in zip(n_cells, each, strict=True))
    return Lattice(nodes, extent, each)


def _several(cells: Any) -> TypeGuard[Sequence[int]]:
    return isinstance(cells, (tuple, list)) or (isinstance(cells, np.ndarray) and cells.ndim > 0)
