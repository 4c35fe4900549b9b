"""A lattice of points with smooth masks between them, for RISE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

from perturbx._validation import check_integer, invalid
from perturbx.designs import GradedDesign
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
    """Features are the points of a lattice; the image fades into the fill around absent points.

    This is the masking used by RISE (Petsiuk, Das & Saenko, BMVC 2018): ``x * M + fill * (1 - M)``,
    rounded to the image's dtype, where M is bilinear between points. The lattice is `steps` times
    finer than the random grids that are drawn on it, so grids can be shifted by fractions of a cell
    and the lattice still represents every mask M exactly. In series and volumes, M is linear and
    trilinear.

    Parameters
    ----------
    cells : int or tuple
        The number of cells of a random grid along each spatial axis. The length of a tuple is the
        number of spatial axes; otherwise a 1-D array is a series, and other arrays are images.
    steps : int
        Lattice points per cell: a random grid is shifted by 0 to ``steps - 1`` points. Short axes
        have fewer.
    fill : "mean", "blur", "light blur", "gray", "noise", a color, or an array
        What absent places show: black by default, as published, or a fill as in `Windows`, where
        "mean" is the mean color of the whole image.
    channel_axis : "auto", -1 or None
        As in `Windows`.

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

    accepts = GradedDesign

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
    """The lattice of one instance, with at most one point per position.

    Raises
    ------
    InvalidInputError
        If an axis has no more positions than cells.
    """
    n_cells = tuple(np.broadcast_to(cells, len(extent)).tolist())
    for side, n in zip(extent, n_cells, strict=True):
        if side <= n:
            raise InvalidInputError(
                f"an image of {extent} is too small for {n_cells} cells: each axis needs more "
                "positions than cells. Pass fewer cells. The length of a tuple is the number of "
                "spatial axes: (k,) for series, (k, k, k) for volumes."
            )
    each = tuple(min(steps, (side - 1) // n) for side, n in zip(extent, n_cells, strict=True))
    nodes = tuple(n * step + 1 for n, step in zip(n_cells, each, strict=True))
    return Lattice(nodes, extent, each)


def _several(cells: Any) -> TypeGuard[Sequence[int]]:
    return isinstance(cells, (tuple, list)) or (isinstance(cells, np.ndarray) and cells.ndim > 0)
