"""The positions of the features of an image, series or volume: labels, windows or a lattice."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints, Segments
from perturbx.errors import InvalidInputError


class Regions(ABC):
    """The positions (pixels, time steps, voxels) that each feature covers."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The spatial shape of the instance, without channels."""

    @abstractmethod
    def __len__(self) -> int:
        """The number of features."""

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names that say where each feature lies; None where features are only numbered."""
        return None

    @abstractmethod
    def heatmap(self, scores: Floats) -> Floats:
        """Scores (d,) as a map over the positions; NaN where there is no feature.

        Raises
        ------
        InvalidInputError
            If there is not one score for each feature.
        """

    @abstractmethod
    def cover(self, feature: int) -> NDArray[np.bool_]:
        """The positions of one feature, as a bool array of `shape`."""


@dataclass(frozen=True, eq=False)
class _Labelled(Regions):
    """Regions that do not overlap: `segments` holds a label 0..K-1 for each position."""

    segments: Segments

    @property
    def shape(self) -> tuple[int, ...]:
        return self.segments.shape

    def __len__(self) -> int:
        return int(self.segments.max()) + 1

    def cover(self, feature: int) -> NDArray[np.bool_]:
        return np.asarray(self.segments == feature)


@dataclass(frozen=True, eq=False)
class LabelMap(_Labelled):
    """Regions that do not overlap; the map shows the score of a region at each of its positions."""

    def heatmap(self, scores: Floats) -> Floats:
        return np.asarray(_one_each(scores, self)[self.segments])


@dataclass(frozen=True, eq=False)
class Pieces(_Labelled):
    """Regions of very different sizes, whose scores are spread evenly over their positions.

    The map has the same sum as the scores: for equal scores, a piece twice as large is half as
    strong.
    """

    def heatmap(self, scores: Floats) -> Floats:
        sizes = np.bincount(self.segments.ravel(), minlength=len(self))
        return np.asarray((_one_each(scores, self) / sizes)[self.segments])


@dataclass(frozen=True, eq=False)
class WindowGrid(Regions):
    """Boxes of one size, possibly overlapping: `starts` (d, n_axes) are their first corners."""

    starts: Ints
    size: tuple[int, ...]
    extent: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.extent

    def __len__(self) -> int:
        return len(self.starts)

    def box(self, feature: int) -> tuple[slice, ...]:
        """The slices of one window."""
        return tuple(
            slice(int(a), min(int(a) + s, e))
            for a, s, e in zip(self.starts[feature], self.size, self.extent, strict=True)
        )

    def heatmap(self, scores: Floats) -> Floats:
        """The score of a position is the mean over the windows that cover it."""
        total, count = np.zeros(self.extent), np.zeros(self.extent)
        for feature, score in enumerate(_one_each(scores, self)):
            total[self.box(feature)] += score
            count[self.box(feature)] += 1
        return np.asarray(
            np.divide(total, count, out=np.full(self.extent, np.nan), where=count > 0)
        )

    def cover(self, feature: int) -> NDArray[np.bool_]:
        covered = np.zeros(self.extent, dtype=bool)
        covered[self.box(feature)] = True
        return covered


@dataclass(frozen=True, eq=False)
class Lattice(Regions):
    """Equidistant points, from the first to the last position of each axis.

    Between points, scores and presence are interpolated linearly along each axis (bilinear or
    trilinear interpolation).

    Parameters
    ----------
    nodes : tuple of int
        The number of points along each axis; a single point covers the whole axis.
    extent : tuple of int
        The spatial shape of the instance.
    steps : tuple of int
        The number of points per cell of the coarser random grids.
    """

    nodes: tuple[int, ...]
    extent: tuple[int, ...]
    steps: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.extent

    def __len__(self) -> int:
        return int(np.prod(self.nodes))

    def hats(self, axis: int) -> Floats:
        """(extent, nodes): the interpolation weight of each point of an axis at each position."""
        n = self.nodes[axis]
        place = np.linspace(0, n - 1, self.extent[axis])
        return np.asarray(np.maximum(0.0, 1 - np.abs(place[:, None] - np.arange(n))))

    def heatmap(self, scores: Floats) -> Floats:
        heat = _one_each(scores, self).reshape(self.nodes)
        for axis in range(len(self.nodes)):
            heat = np.moveaxis(np.tensordot(self.hats(axis), heat, (1, axis)), 0, axis)
        return heat

    def cover(self, feature: int) -> NDArray[np.bool_]:
        """The positions that are nearer to this point than to any other."""
        covered = np.ones(self.extent, dtype=bool)
        point = np.unravel_index(feature, self.nodes)
        for axis, (n, at) in enumerate(zip(self.nodes, point, strict=True)):
            nearest = np.rint(np.linspace(0, n - 1, self.extent[axis]))
            along = [1] * len(self.extent)
            along[axis] = -1
            covered &= (nearest == at).reshape(along)
        return covered


def _one_each(scores: Floats, regions: Regions) -> Floats:
    scores = np.asarray(scores, dtype=np.float64)
    if scores.shape != (len(regions),):
        raise InvalidInputError(
            f"A heat map of {len(regions)} regions needs {len(regions)} scores: "
            f"got shape {scores.shape}."
        )
    return scores
