"""Shapley values of games of many features, of which few carry the interactions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import check_integer, check_kind
from perturbx._workers import spread
from perturbx.designs import Design, Pairs
from perturbx.solvers._answers import Answers, Scores
from perturbx.solvers._base import Solver
from perturbx.solvers._exact import exact_shapley
from perturbx.solvers.kernel_shap import KernelShapRegression, OddFit
from perturbx.solvers.process.mask_trees import Boosting
from perturbx.solvers.process.mirrors import Mirrors
from perturbx.solvers.process.sparse_part import SparsePart

_POOLED = 0.25
"""The share of a group's mean in what each feature's spread over the folds is taken to be."""

_EXACT = 1e-10
"""An error of the plain regression that is smaller, over the largest answer, is rounding."""


@dataclass(frozen=True)
class SparseRegression(Solver):
    """Kernel SHAP's regression of what a sparse fit leaves over, for 500 to 10,000 features.

    Slopes, and parity terms of trees that are grown on the most promising features, are fitted to
    all pairs but those of one fold, for each fold, by a ridge of which the prior is chosen by what
    the folds leave over. Their Shapley values are exact. The regression
    of `KernelShapRegression` then reads the residuals of the pairs by the fits that have not
    seen them, which correct the values: a control variate that is fitted crosswise
    (Chernozhukov et al., Econometrics Journal 21, 2018). The correction is shrunk by how much it
    exceeds its own error, apart for the features that are in terms and for all others (James &
    Stein, 1961). Where few features carry the game, that is next to nothing, and so is the error.

    The plain regression answers where its error, as estimated, is smaller. The scores add up to
    v(all) - v(none), and an additive game is recovered. Time grows with the cube of the features,
    and memory with one matrix of their square; with fewer pairs than features there is no
    correction, and neither.

    Standard errors blend those of the correction with the jackknife over the folds; with fewer
    than d + 2 pairs they are NaN. An interaction that no sampled coalition exposes does not show.

    Parameters
    ----------
    n_folds : int
        Into how many parts the pairs are split.
    n_screened : int
        How many features the trees of a fold may use, and half as many again.
    boosting : Boosting
        How the trees grow.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.designs import Evaluations
    >>> from perturbx.samplers import ShapleyCoalitions
    >>> from perturbx.solvers import SparseRegression
    >>> design = ShapleyCoalitions().draw(100, 400, np.random.default_rng(0))
    >>> answers = Evaluations.of_game(design, lambda z: z[:, :3].all(axis=1).astype(float))
    >>> values = SparseRegression().solve(answers).values.ravel()
    >>> values[:3].round(2), bool(abs(values[3:]).max() < 0.02)  # the plain regression: 0.09
    (array([0.33, 0.33, 0.33]), True)
    """

    n_folds: int = 5
    n_screened: int = 128
    boosting: Boosting = field(
        default_factory=lambda: Boosting(n_trees=60, learning_rate=0.2, n_leaves=12, depth=5)
    )

    reads: ClassVar[tuple[type[Design], ...]] = (Pairs,)
    additive = True

    def __post_init__(self) -> None:
        check_integer("n_folds", self.n_folds, minimum=2)
        check_integer("n_screened", self.n_screened, minimum=2)
        check_kind("boosting", self.boosting, Boosting, "a Boosting")

    def linear(self) -> Solver:
        return KernelShapRegression(errors=False)

    def exact(self, answers: Answers[Design]) -> Scores:
        return exact_shapley(answers)

    def estimate(self, answers: Answers[Pairs]) -> Scores:
        mirrors = Mirrors.among(answers)
        return mirrors.restored(self._estimate(mirrors.reduced(answers)))

    def _estimate(self, answers: Answers[Pairs]) -> Scores:
        design = answers.design
        n, d = design.first.shape
        if n < 4 * self.n_folds or d < 3:
            return KernelShapRegression().estimate(answers)
        gain = answers.full - answers.empty
        even = design.even(answers.outputs)
        mean = 2 * design.first.mean(axis=1) - 1
        odd = design.odd(answers.outputs) - mean[:, None] * (gain / 2)
        targets = range(odd.shape[1])
        parts = spread(lambda t: self._part(design, odd[:, t], even[:, t]), targets)
        own = np.stack([part.values.mean(axis=0) for part in parts], axis=1) + gain / d
        estimator = f"sparse regression on {n:,} pairs of coalitions"
        if n < d + 2:
            return Scores(own, np.full_like(own, np.nan), estimator=estimator)
        left = odd - np.stack([part.predicted for part in parts], axis=1)
        nothing = np.zeros_like(gain)
        fit = OddFit.to(design, np.hstack([odd, left]), np.append(nothing, nothing))
        variance, noise = fit.variance(), fit.noise(answers)
        plain, rest = np.split(fit.values, 2, axis=1)
        of_plain, of_rest = np.split(variance, 2, axis=1)
        values, errors = np.empty_like(own), np.empty_like(own)
        for t, part in enumerate(parts):
            corrected, squares, risk = _corrected(part, rest[:, t], of_rest[:, t])
            exact = d * (_EXACT * np.abs(odd[:, t]).max()) ** 2
            better = max(risk, exact) < of_plain[:, t].sum()
            values[:, t] = corrected if better else plain[:, t]
            errors[:, t] = np.sqrt(squares if better else of_plain[:, t])
        values += gain / d
        values += (gain - values.sum(axis=0)) / d
        degrees = float(max(n - d + 1, 1))
        return Scores(values, errors, degrees_of_freedom=degrees, estimator=estimator, noise=noise)

    def _part(self, design: Pairs, odd: Floats, even: Floats) -> SparsePart:
        return SparsePart.of(
            design.first,
            design.pair_weights,
            odd,
            even,
            self.n_folds,
            self.n_screened,
            self.boosting,
        )


def _corrected(part: SparsePart, rest: Floats, variance: Floats) -> tuple[Floats, Floats, float]:
    """(d,) values, less the gain's equal shares, their variances, and the expected squared error.

    Variances allow for what the correction cannot resolve and still may be there.
    """
    k = len(part.values)
    values = part.values.mean(axis=0)
    jackknife = (k - 1) * part.values.var(axis=0)
    squares, risk = np.empty_like(values), float(jackknife.sum())
    for group in (part.carries, ~part.carries):
        if not group.any():
            continue
        signal, noise = (rest[group] ** 2).sum(), variance[group].sum()
        share = max(1 - noise / signal, 0.0) if signal > 0 else 0.0
        unsure = min(share + np.sqrt(2 / group.sum()), 1.0)
        values[group] += share * rest[group]
        risk += share * noise
        spread = (1 - _POOLED) * jackknife[group] + _POOLED * jackknife[group].mean()
        squares[group] = unsure * variance[group] + spread
    return values, squares, risk
