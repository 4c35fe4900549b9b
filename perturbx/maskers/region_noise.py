"""Gaussian noise on the brightness of regions of an image, or on the level of segments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints, Noise
from perturbx._validation import check_number, invalid
from perturbx.designs import Design, NoiseDraws
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.features import LabelMap, Pieces
from perturbx.maskers._base import BoundMasker, Features, FittedMasker, Instances, Masker
from perturbx.maskers.bound_series import BoundSeries
from perturbx.maskers.superpixels import Superpixels


@dataclass(frozen=True)
class RegionNoise(Masker):
    """Gaussian noise moves all values of a region of an image, or of a segment of a series.

    Features are those of another masker, whose fill is not used. Feature j moves by z_j * scale *
    range, with z_j standard normal: `range` is that of the image's values, or in a series that of
    each channel, max - min. So noise is measured as in SmoothGrad (Smilkov et al., 2017), but one
    number moves a whole region: a slope is the sum of the gradient over the region, per range.
    Values of integer images are rounded, and clipped to the range of their type. A constant image
    does not move.

    Parameters
    ----------
    regions : Masker
        Whose regions do not overlap: `Superpixels`, `SuperpixelTrees` or `SeriesSegments`.
    scale : float
        The standard deviation of the noise, as a fraction of the range.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> series = np.array([0.0, 1, 4, 2])
    >>> masker = px.RegionNoise(px.SeriesSegments(2), scale=0.1)
    >>> px.SmoothGrad(lambda X: X[:, 0] + X[:, 3], masker=masker).explain(series).values.round(6)
    array([4., 4.])
    """

    of_images = True

    regions: Masker = field(default_factory=Superpixels)
    scale: float = 0.15

    @property
    def needs_fit(self) -> bool:  # type: ignore[override]
        return isinstance(self.regions, Masker) and self.regions.needs_fit

    def fit(self, X: Any, features: Features, rng: np.random.Generator) -> FittedRegionNoise:
        scale = check_number("scale", self.scale, above=0)
        if not (isinstance(self.regions, Masker) and self.regions.of_images):
            raise invalid("regions", "a masker, as in px.Superpixels(n_segments=25)", self.regions)
        return FittedRegionNoise(self.regions.fit(X, features, rng), scale)


@dataclass(frozen=True, eq=False)
class FittedRegionNoise(FittedMasker):
    """The fitted masker whose regions move, and the size of the noise."""

    accepts: ClassVar[type[Design]] = NoiseDraws

    inner: FittedMasker
    scale: float

    @property
    def value_function(self) -> str:  # type: ignore[override]
        return (
            f"Gaussian noise of {self.scale:.3g} times the range of the values on each region, "
            "per range"
        )

    def check(self, X: Any) -> NoisyRegions:
        return NoisyRegions(self, self.inner.check(X))


@dataclass(frozen=True, eq=False)
class NoisyRegions(Instances):
    """Checked images or series."""

    masker: FittedRegionNoise
    inner: Instances

    chunk = 1

    @property
    def single(self) -> bool:  # type: ignore[override]
        return self.inner.single

    @property
    def whole(self) -> NDArray[Any] | None:  # type: ignore[override]
        return self.inner.whole

    def __len__(self) -> int:
        return len(self.inner)

    def take(self, start: int, stop: int) -> Any:
        return self.inner.take(start, stop)

    def bind(self, start: int, stop: int) -> list[BoundMasker]:
        return [_bound(one, self.masker.scale) for one in self.inner.bind(start, stop)]


def _bound(inner: BoundMasker, scale: float) -> BoundMasker:
    regions, image = inner.regions, np.asarray(inner.data)
    if not isinstance(regions, (LabelMap, Pieces)):
        raise InvalidParameterError(
            "RegionNoise needs regions that do not overlap: pass px.Superpixels(), or "
            "px.SeriesSegments() for series."
        )
    if image.dtype.kind == "b":
        raise InvalidInputError(
            "bool values cannot move by noise: convert them, as in image.astype(np.float32)."
        )
    segments = regions.segments
    labels = segments if segments.ndim == image.ndim else segments[..., None]
    by_channel = isinstance(inner, BoundSeries)
    axes = 0 if by_channel else None
    numbers = image.astype(np.float64)
    return BoundRegionNoise(
        image=image,
        labels=np.ascontiguousarray(np.broadcast_to(labels, image.shape)),
        reach=np.asarray(numbers.max(axis=axes) - numbers.min(axis=axes)),
        scale=scale,
        names=inner.feature_names,
        regions=regions,
        channels_first=isinstance(inner, BoundSeries) and inner.channels_first,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class BoundRegionNoise(BoundMasker):
    """One image or series.

    Parameters
    ----------
    image : array
        With channels last.
    labels : int array like `image`
        The feature of each value.
    reach : () or (C,) array
        The range of the values, of each channel of a series.
    scale : float
    names : tuple of str
    regions : LabelMap or Pieces
    channels_first : bool
        Whether model rows are (C, T).
    """

    accepts: ClassVar[type[Design]] = NoiseDraws

    image: NDArray[Any]
    labels: Ints
    reach: Floats
    scale: float
    names: tuple[str, ...]
    regions: LabelMap | Pieces
    channels_first: bool

    @property
    def n_features(self) -> int:
        return len(self.names)

    @property
    def feature_names(self) -> tuple[str, ...]:
        return self.names

    @property
    def data(self) -> NDArray[Any]:
        return self.image

    @property
    def row_bytes(self) -> int:
        return self.image.nbytes

    @property
    def active(self) -> NDArray[np.bool_]:
        moves = np.broadcast_to(self.reach > 0, self.image.shape)
        return np.bincount(self.labels.ravel(), moves.ravel(), self.n_features) > 0

    def scratch(self, n_rows: int) -> NDArray[Any]:
        return np.empty((n_rows, *self.image.shape), dtype=self.image.dtype)

    def batch(self, z: Coalitions | Noise, rows: slice | Ints, scratch: NDArray[Any]) -> Any:
        out, unit = scratch[: len(z)], self.scale * self.reach
        for row, noise in zip(out, np.asarray(z, dtype=np.float64), strict=True):
            moves = noise[self.labels] * unit
            moved = self.image + moves
            if self.image.dtype.kind in "iu":
                limits = np.iinfo(self.image.dtype)
                moved = np.clip(np.rint(moved), limits.min, limits.max)
            row[...] = self.image
            np.copyto(row, moved, where=moves != 0, casting="unsafe")
        return np.ascontiguousarray(out.swapaxes(-1, -2)) if self.channels_first else out

    def interpretable(self, z: Coalitions | Noise) -> Coalitions | Noise:
        """How far each region moved, in ranges of the values."""
        return np.asarray(z * self.scale)
