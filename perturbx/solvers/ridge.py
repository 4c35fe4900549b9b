"""A linear model fitted to the answers near the instance: LIME."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import check_choice, check_integer, check_number, invalid
from perturbx.designs import CoalitionDesign, Design, NoiseDraws
from perturbx.errors import InvalidParameterError
from perturbx.solvers._answers import Answers, Noise, Scores
from perturbx.solvers._base import Solver
from perturbx.solvers._local_fit import local_fit
from perturbx.solvers._selection import SELECTIONS, SelectionName
from perturbx.solvers._weighted_rows import Distance, Kernel, Moments, blocks

_CLUSTERS_PER_DEGREE = 3
"""There is about a degree of freedom for three effective clusters, however many slopes are fitted:
slopes use up many clusters of little weight in place of few of full weight (measured on six games
with as few clusters as there may be)."""

_COSINE_WIDTH = 0.25

_MOST_ROWS = 2**18
"""A width is chosen by so many perturbations and up to twice as many, evenly spread."""


@dataclass(frozen=True)
class WeightedRidge(Solver):
    """Slopes of a ridge regression in which near perturbations count more.

    Ribeiro, Singh & Guestrin (KDD 2016, equation 2), with the kernel exp(-D**2 / width**2).
    (The lime package takes the square root of that kernel.) D is the Euclidean norm of noise, in
    units of each feature's scale; for coalitions it is the distance to the instance itself.

    For noise, `base` is the fit's value at the instance; for coalitions it is the fit's
    prediction with every feature absent. `fidelity` is the weighted R2, NaN where the output
    never changed. A feature that was never perturbed scores 0 and has no standard error.

    Standard errors are sandwich errors adjusted for leverage (HC2: MacKinnon & White, Journal of
    Econometrics 29, 1985), clustered by the ``cluster`` of the design, since the two members of
    an antithetic pair are not independent.

    Parameters
    ----------
    kernel_width : float or None
        None chooses: 0.25 for the cosine distance, as lime has it for images; otherwise the
        width at which `effective_fraction` of the perturbations are effective.
    effective_fraction : float, default 0.25
        The wanted (sum of weights)**2 / sum of squared weights, as a fraction of its value
        without a kernel. It is raised where fewer than 2 * (d + 2) would be left.
    alpha : float, default 1e-6
        Ridge penalty on the slopes of standardized features, as a fraction of the sum of weights;
        the intercept is not penalized. It means the same at every scale of features and output.
    distance : {"cosine", "removed"}
        For coalitions: 1 - sqrt(fraction present), or the fraction removed.
    n_select : int or None
        Keep so many features, separately for each output; the others score 0 and have no standard
        error. The errors of those kept do not include the choice. None keeps all.
    selection : {"highest_weights", "forward", "lasso_path"}
        How: the largest standardized slopes, one by one by R2, or first on the lasso path.

    Raises
    ------
    InvalidParameterError
        If no perturbation is near enough for the given kernel width.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.designs import Evaluations
    >>> from perturbx.samplers import GaussianNoise
    >>> from perturbx.solvers import WeightedRidge
    >>> design = GaussianNoise().draw(2, 200, np.random.default_rng(0))
    >>> answers = Evaluations.of_game(design, lambda z: z @ [3.0, -1.0] + 7)
    >>> solution = WeightedRidge().solve(answers)
    >>> solution.values.ravel().round(4), solution.base.round(4)
    (array([ 3., -1.]), array([[7.]]))
    >>> round(solution.effective_samples)
    50
    """

    reads = (NoiseDraws, CoalitionDesign)
    reads_blocks = True

    kernel_width: float | None = None
    effective_fraction: float = 0.25
    alpha: float = 1e-6
    distance: Literal["cosine", "removed"] = "cosine"
    n_select: int | None = None
    selection: SelectionName = "highest_weights"

    def __post_init__(self) -> None:
        counts_all = isinstance(self.kernel_width, float) and self.kernel_width == np.inf
        if self.kernel_width is not None and not counts_all:
            check_number("kernel_width", self.kernel_width, above=0)
        if check_number("effective_fraction", self.effective_fraction, above=0) > 1:
            expected = "a number above 0 and at most 1"
            raise invalid("effective_fraction", expected, self.effective_fraction)
        check_number("alpha", self.alpha, above=0)
        check_choice("distance", self.distance, ("cosine", "removed"))
        if self.n_select is not None:
            check_integer("n_select", self.n_select, minimum=1)
        check_choice("selection", self.selection, SELECTIONS)

    def estimate(self, answers: Answers[Design]) -> Scores:
        design, outputs, variances = answers.design, answers.outputs, answers.variances
        moments = Moments.of(design, outputs, self.proximity(design))
        if not moments.total > 0:
            raise self._too_narrow(moments)
        select = None
        if self.n_select is not None:
            select = partial(SELECTIONS[self.selection], n=self.n_select)
        doubt = None if variances is None else variances.outputs
        fit = local_fit(moments, self.alpha, select, answers.floor, doubt)
        n_clusters = moments.effective_clusters
        degrees = n_clusters - design.n_features - 1
        errors = fit.errors if degrees >= 1 - 1e-6 else np.full_like(fit.errors, np.nan)
        return Scores(
            fit.slopes,
            errors,
            base=fit.intercept,
            degrees_of_freedom=float(max(degrees, n_clusters / _CLUSTERS_PER_DEGREE - 1, 1.0)),
            fidelity=fit.r2,
            effective_samples=moments.effective_rows,
            estimator=f"weighted ridge on {len(outputs):,} perturbations",
            score_kind="shares" if isinstance(design, CoalitionDesign) else "slopes",
            noise=None if doubt is None else Noise(fit.noise, np.zeros_like(fit.noise)),
        )

    def proximity(self, design: Design) -> Kernel:
        """How the perturbations are weighted, next to the weights of the design."""
        distance: Distance = "norm"
        width = self.kernel_width
        if isinstance(design, CoalitionDesign):
            distance = self.distance
            width = _COSINE_WIDTH if width is None and distance == "cosine" else width
        if width is not None:
            return Kernel(distance, width)
        m, even = len(design.weights), Kernel(distance, np.inf)
        read = blocks(design, even, max(1, m // _MOST_ROWS))
        parts = [(block.squared, block.weights) for block in read]
        squared, weights = map(np.concatenate, zip(*parts, strict=True))
        fraction = max(self.effective_fraction, 2 * (design.n_features + 2) / m)
        return Kernel(distance, *_width_of_fraction(squared, weights, fraction))

    def _too_narrow(self, moments: Moments) -> InvalidParameterError:
        squared = (block.squared for block in blocks(moments.design, moments.kernel))
        nearest = np.sqrt(min(of_block.min() for of_block in squared if of_block is not None))
        return InvalidParameterError(
            f"The 'kernel_width' parameter of WeightedRidge is too small: at {self.kernel_width!r} "
            f"all {len(moments.outputs)} perturbations have weight 0, and the nearest has distance "
            f"{nearest:.3g}. Use a width of that size, or None to choose it by effective_fraction."
        )


def _width_of_fraction(squared: Floats, weights: Floats, fraction: float) -> tuple[float, float]:
    """The width at which `fraction` is effective, and the squared distance of the nearest.

    The effective sample size is that of Kish (Survey Sampling, 1965).
    """
    nearest = float(squared.min())
    beyond = squared - nearest  # the nearest counts in full at any width
    spread, alone = float(beyond.max()), weights[beyond == 0]
    everyone = weights.sum() ** 2 / (weights @ weights)
    # Where the nearest alone are that fraction (a few categories), the others must still count.
    fraction = max(fraction, 1.5 * alone.sum() ** 2 / (alone @ alone) / everyone)
    if fraction >= 1 or spread == 0:
        return np.inf, nearest
    # Effectiveness falls as 1 / width**2 grows: bisect its logarithm.
    low, high = np.log(1e-6 / spread), np.log(1e6 / spread)
    for _ in range(60):
        middle = (low + high) / 2
        near = weights * np.exp(-np.exp(middle) * beyond)
        enough = near.sum() ** 2 >= fraction * everyone * (near @ near)
        low, high = (middle, high) if enough else (low, middle)
    return float(np.exp(-low / 2)), nearest
