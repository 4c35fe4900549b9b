"""The base of image maskers with one fill: their checks, and the seed of a noisy fill."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from perturbx.designs import CoalitionDesign, Design
from perturbx.maskers._base import BoundMasker, Features, Masker
from perturbx.maskers.axes import ChannelAxis, check_channel_axis
from perturbx.maskers.fills import Fill, check_fill, draw_seed, given_fill
from perturbx.maskers.images import FittedImages, ImageBatch, check_features, read_images


class FilledMasker(Masker):
    """Removes regions of images, series or volumes; an absent region shows the fill."""

    of_images = True

    accepts: ClassVar[type[Design]] = CoalitionDesign
    """The class of designs that its bound maskers accept."""

    n_axes: int | None = 2
    """The number of spatial axes of an instance; None infers it from the dimensions of X."""

    fill: Fill
    channel_axis: ChannelAxis

    @abstractmethod
    def check_settings(self) -> None:
        """Refuse invalid settings, other than the fill and the channel axis."""

    @abstractmethod
    def check_image(self, X: ImageBatch, index: int) -> None:
        """Refuse an image that does not fit the settings."""

    @abstractmethod
    def bound(self, X: ImageBatch, index: int, seed: int) -> BoundMasker:
        """The masker bound to one image; a noisy fill is drawn with `seed`."""

    @property
    @abstractmethod
    def value_function(self) -> str:
        """A phrase that completes "the model's output with …"."""

    def fit(self, X: Any, features: Features, rng: np.random.Generator) -> FittedFill:
        """Check the settings; nothing is learned from X, which may be None.

        Raises
        ------
        InvalidParameterError
            If a setting is invalid, or if `features` names columns.
        """
        self.check_settings()
        check_fill(self.fill)
        check_channel_axis(self.channel_axis)
        check_features(features)
        return FittedFill(self, draw_seed(self.fill, rng))


@dataclass(frozen=True, eq=False)
class FittedFill(FittedImages):
    """A checked masker, with the seed of its noisy fill."""

    masker: FilledMasker
    seed: int

    @property
    def accepts(self) -> type[Design]:  # type: ignore[override]
        return self.masker.accepts

    @property
    def value_function(self) -> str:  # type: ignore[override]
        return self.masker.value_function

    def read(self, X: Any) -> ImageBatch:
        masker = self.masker
        batch = read_images(X, masker.channel_axis, masker.n_axes, type(masker).__name__)
        for index, image in enumerate(batch.arrays):
            masker.check_image(batch, index)
            if not isinstance(masker.fill, str):
                given_fill(masker.fill, image, batch.channels)
        return batch

    def bound(self, X: ImageBatch, index: int) -> BoundMasker:
        return self.masker.bound(X, index, self.seed)
