"""Features that fade from the instance into what another masker shows in their place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from perturbx._validation import invalid
from perturbx.designs import Design, GradedDesign
from perturbx.errors import InvalidParameterError
from perturbx.features import LabelMap, Pieces
from perturbx.maskers._base import BoundMasker, Features, FittedMasker, Instances, Masker
from perturbx.maskers.bound_fade import BoundFadedRow, BoundFadedValues
from perturbx.maskers.bound_images import BoundLabels
from perturbx.maskers.bound_rows import BoundBackground
from perturbx.maskers.bound_series import BoundFilled


@dataclass(frozen=True, eq=False)
class Fade(Masker):
    """Features fade: a presence of 0.3 shows three tenths of the way from absent to present.

    A value is ``absent + presence * (present - absent)``, rounded in columns and images of
    integers, where `masker` says what is shown in the place of an absent feature. All present is
    the instance, and all absent what `masker` shows, bit by bit.

    Parameters
    ----------
    masker : Masker
        `Baseline` or `Background` for tables, of columns of numbers wherever they differ from the
        instance; `Superpixels` or `SuperpixelTrees` for images; `SeriesSegments` with any fill but
        "bridge" for series.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> from perturbx.maskers import Features
    >>> masker = px.Fade(px.Baseline([0.0, 10.0])).fit(None, Features(), np.random.default_rng(0))
    >>> (bound,) = masker.check([4.0, 20.0]).bind(0, 1)
    >>> bound.batch(np.array([[0.5, 0.1]]), slice(0, 1), bound.scratch(1))
    array([[ 2., 11.]])
    """

    masker: Masker

    @property
    def of_images(self) -> bool:  # type: ignore[override]
        return isinstance(self.masker, Masker) and self.masker.of_images

    @property
    def needs_fit(self) -> bool:  # type: ignore[override]
        return isinstance(self.masker, Masker) and self.masker.needs_fit

    def fit(self, X: Any, features: Features, rng: np.random.Generator) -> FittedFade:
        if not isinstance(self.masker, Masker) or isinstance(self.masker, Fade):
            raise invalid("masker", 'a masker, as in px.Baseline("mean")', self.masker)
        return FittedFade(self.masker.fit(X, features, rng))


@dataclass(frozen=True, eq=False)
class FittedFade(FittedMasker):
    """The fitted masker that says what absent features show."""

    accepts: ClassVar[type[Design]] = GradedDesign

    inner: FittedMasker

    @property
    def value_function(self) -> str:  # type: ignore[override]
        return f"features that fade: {self.inner.value_function}"

    @property
    def notes(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.inner.notes

    def check(self, X: Any) -> Fading:
        return Fading(self.inner.check(X))


@dataclass(frozen=True, eq=False)
class Fading(Instances):
    """Checked instances."""

    inner: Instances

    @property
    def chunk(self) -> int:  # type: ignore[override]
        return self.inner.chunk

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
        return [_bound(one) for one in self.inner.bind(start, stop)]


def _bound(inner: BoundMasker) -> BoundMasker:
    if isinstance(inner, BoundBackground):
        return BoundFadedRow.of(inner)
    if isinstance(inner, BoundFilled):
        image, fills, labels = inner.series, inner.fills, inner.labels
        return _values(inner, inner.rows(image), inner.rows(fills), inner.rows(labels))
    if isinstance(inner, BoundLabels) and isinstance(inner.regions, (LabelMap, Pieces)):
        segments = inner.regions.segments
        labels = segments if segments.ndim == inner.image.ndim else segments[..., None]
        labels = np.broadcast_to(labels, inner.image.shape)
        return _values(inner, inner.image, inner.fill[None], labels)
    raise InvalidParameterError(
        "Fade needs one value in the place of each absent one: pass it px.Baseline() or "
        "px.Background() for tables, px.Superpixels() with hard edges for images, or "
        'px.SeriesSegments(fill="mean") for series.'
    )


def _values(
    inner: BoundMasker, image: NDArray[Any], fills: NDArray[Any], labels: NDArray[Any]
) -> BoundFadedValues:
    arrays = (np.ascontiguousarray(array) for array in (image, fills, labels))
    return BoundFadedValues(inner, *arrays)
