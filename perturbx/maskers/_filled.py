"""What the maskers of images with one fill share: their checks, and the seed of their noise."""

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
    """Removes parts of images, series or volumes; what is absent shows the fill."""

    of_images = True

    accepts: ClassVar[type[Design]] = CoalitionDesign
    """The designs that it can apply."""

    n_axes: int | None = 2
    """How many spatial axes an instance has; None to tell it by the dimensions of X."""

    fill: Fill
    channel_axis: ChannelAxis

    @abstractmethod
    def check_settings(self) -> None:
        """Refuse settings, except those of the fill and the channels, that cannot be."""

    @abstractmethod
    def check_image(self, X: ImageBatch, index: int) -> None:
        """Refuse an image that the settings do not suit."""

    @abstractmethod
    def bound(self, X: ImageBatch, index: int, seed: int) -> BoundMasker:
        """The masker bound to one image; `seed` is that of a noisy fill."""

    @property
    @abstractmethod
    def value_function(self) -> str:
        """How features are removed, in words that finish "the model's output with …"."""

    def fit(self, X: Any, features: Features, rng: np.random.Generator) -> FittedFill:
        """Check the settings; nothing is learned from X, which may be None.

        Raises
        ------
        InvalidParameterError
            If a setting, or `features`, is not what it can be.
        """
        self.check_settings()
        check_fill(self.fill)
        check_channel_axis(self.channel_axis)
        check_features(features)
        return FittedFill(self, draw_seed(self.fill, rng))


@dataclass(frozen=True, eq=False)
class FittedFill(FittedImages):
    """A checked masker, with the seed of its noise."""

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
