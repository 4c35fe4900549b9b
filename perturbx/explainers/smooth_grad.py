"""SmoothGrad: the gradient, averaged over noise, without asking for gradients."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from perturbx._validation import check_choice, check_number
from perturbx.containers import holds_texts, looks_like_images
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.explainers._base import BaseExplainer
from perturbx.explainers._plan import RecipeContext
from perturbx.maskers import FittedMasker, GaussianNoise, Masker, RegionNoise
from perturbx.samplers import GaussianNoise as GaussianDraws
from perturbx.samplers import Sampler
from perturbx.solvers import NoiseGradient, Solver

_OF_DEVIATION, _OF_RANGE = 0.25, 0.15
"""The default noise for columns and for images, the latter as Smilkov et al. have it."""


@dataclass(eq=False, repr=False)
class SmoothGrad(BaseExplainer):
    """The mean gradient of the model over Gaussian noise around each instance.

    SmoothGrad (Smilkov et al., 2017) averages gradients at noisy copies of an input. By Stein's
    identity the average is the gradient of the smoothed model, which outputs alone determine: a
    least-squares fit to the outputs at noisy copies, each with its mirror image, estimates it
    without bias beyond that of the fit. So any model has it, also one with jumps, such as a forest.

    The score of a column is the change of the output per standard deviation of the column, or per
    unit of it (`unit`). The score of a region of an image is the change if all its values rise
    together, per range (max - min) of the image's values. `base_values` are the smoothed output.

    Parameters
    ----------
    {common}
    noise : float, optional
        The standard deviation of the noise: of a column in standard deviations of the column
        (default 0.25), of an image in ranges of its values (default 0.15). Less noise is nearer to
        the gradient itself, and costs more rows for the same error where the model is not smooth.
    unit : "deviation" or "column"
        What a score of a column is per: a standard deviation of it, or one in its own unit.

    Notes
    -----
    All columns must hold numbers: categories have no gradient, and neither have integers that noise
    hardly moves. Binary columns of floats move like other numbers.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> explainer = px.SmoothGrad(
    ...     lambda X: X[:, 0] ** 2 + 5 * X[:, 1], unit="column", random_state=0
    ... ).fit(X)
    >>> explainer.explain([2.0, 1.0]).values.round(6)
    array([4., 5.])
    """

    noise: float | None = field(default=None, kw_only=True)
    unit: Literal["deviation", "column"] = field(default="deviation", kw_only=True)

    table_masker: ClassVar[type[Masker]] = GaussianNoise
    image_masker: ClassVar[type[Masker]] = RegionNoise
    series_masker: ClassVar[str] = "px.RegionNoise(px.SeriesSegments())"

    def recipe(self, context: RecipeContext) -> tuple[Sampler, Solver]:
        return GaussianDraws(), NoiseGradient()

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_choice("unit", self.unit, ("deviation", "column"))
        if self.noise is not None:
            check_number("noise", self.noise, above=0)
        if self.masker is not None and (self.noise is not None or self.unit != "deviation"):
            raise InvalidParameterError(
                "noise and unit are those of the default masker: with masker=, pass them to it, as "
                'in px.GaussianNoise(scale=0.1, unit="column") or px.RegionNoise(scale=0.1).'
            )

    def _masker_for(self, X: Any) -> Masker:
        if self.masker is not None:
            return self.masker
        if holds_texts(X):
            raise InvalidInputError(
                "texts have no gradient, as noise cannot move a word: use px.KernelShap, px.Lime "
                "or px.Occlusion."
            )
        if not looks_like_images(X):
            scale = _OF_DEVIATION if self.noise is None else self.noise
            return GaussianNoise(scale, unit=self.unit, categorical=())
        if self.unit != "deviation":
            raise InvalidParameterError(
                f"unit={self.unit!r} is for columns: scores of images are per range of the values. "
                "Divide them by np.ptp(image) for scores per unit."
            )
        return RegionNoise(scale=_OF_RANGE if self.noise is None else self.noise)

    def _learn(self, X: Any, like: Any) -> FittedMasker:
        fitted = super()._learn(X, like)
        names = fitted.without_gradient
        if names:
            shown = ", ".join(map(repr, names[:5])) + ", ..." * (len(names) > 5)
            raise InvalidInputError(
                f"columns [{shown}] have no gradient: they hold categories, or integers that the "
                "noise rounds away. Convert columns of integers to floats, raise the noise, or use "
                "px.Lime, which scores the effect of keeping a category."
            )
        return fitted

    def _settings_of_fit(self) -> dict[str, Any]:
        return {**super()._settings_of_fit(), "noise": self.noise, "unit": self.unit}
