"""Shapley values of many targets under one learned prior: few factorizations serve them all."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from scipy.special import stdtrit

from perturbx._typing import Floats
from perturbx.designs import Pairs
from perturbx.errors import RejectPerturbations
from perturbx.solvers._answers import Answers, Scores
from perturbx.solvers.kernel_shap import KernelShapRegression
from perturbx.solvers.process.adapted_fit import AdaptedFit
from perturbx.solvers.process.gaussian_process import Fit
from perturbx.solvers.process.learned_prior import LearnedPrior, additive
from perturbx.solvers.process.odd_pairs import read_pairs
from perturbx.solvers.process.recipes import SPARE, Recipe, share_of_jackknife

_STANDS_BY = 0.5
"""What stands by answers where its score is below this times that of the teachers' choice:
scores of few pairs are uncertain, and what the teachers agreed on is less so."""

_MOST_JUDGED = 500
"""How many pairs judge the candidates of a target, at most."""

_FEWEST_PAIRS = 4
"""With fewer pairs, residuals do not tell how far off the prior is."""

_ADAPTS = 3
"""From so many pairs a feature on, a target's own answers bend the prior."""

_Candidate: TypeAlias = tuple[Recipe, float]


def solve_shared(prior: LearnedPrior, answers: Answers[Pairs]) -> Scores:
    """Scores of every target, each by the candidate that its own pairs confirm.

    The teachers' choice answers, unless leave-one-out says that another candidate or the plain
    regression predicts the pairs of a target much better. A target's scores do not depend on
    the others.
    """
    design = answers.design
    pairs, scales = read_pairs(answers)
    n, d = pairs[0].shape
    if prior.n_features != d:
        raise RejectPerturbations(
            f"the prior was learned for {prior.n_features} features: got {d}. Learn one from "
            "answers about the same features, or narrow it with restricted(active)."
        )
    x, _, noise = pairs[0].with_end()
    y = np.stack([np.append(target.odd, target.half_gain) for target in pairs], axis=1)
    plain = KernelShapRegression().estimate(answers)
    assert plain.errors is not None  # the regression estimates them
    candidates = prior.choice(n).recipes
    judged = np.append(np.arange(min(n, _MOST_JUDGED)), n)
    judges = [_fit(prior, candidate, x[judged], noise[judged]) for candidate in candidates]
    own = np.stack([fit.score(y[judged]) for fit in judges])
    of_plain = plain_scores(x, noise, y)
    weighed = np.vstack([own, of_plain])
    weighed[1:] /= _STANDS_BY
    exact = additive(x, y)
    chosen = np.where(exact, len(candidates), weighed.argmin(axis=0))
    degrees = _degrees(candidates[0], n, d)
    values = plain.values.copy()
    errors = plain.errors * _widening(plain.degrees_of_freedom, degrees)
    for place, candidate in enumerate(candidates):
        mine = np.flatnonzero(chosen == place)
        if not len(mine):
            continue
        fit = judges[place] if len(judged) == n + 1 else _fit(prior, candidate, x, noise)
        share = share_of_jackknife(n, d, own[place, mine], of_plain[mine])
        adapted = n >= _ADAPTS * d and len(candidate[0].terms(prior.learned))
        solver = _adapted(prior, candidate, fit, x) if adapted else fit
        found = solver.posterior(y[:, mine], share)
        values[:, mine] = scales[mine] * found.values
        errors[:, mine] = scales[mine] * found.standard_errors
        errors[:, mine] *= _widening(_degrees(candidate, n, d), degrees)
    if design.random:
        errors *= np.sqrt(1 - n / (2.0 ** min(d - 1, 60) - 1))
    if n < _FEWEST_PAIRS:
        errors[:] = np.nan
    gain = answers.full - answers.empty
    values += (gain - values.sum(axis=0)) / d
    elsewhere = ", except where it does not fit" if (chosen[~exact] > 0).any() else ""
    return Scores(
        values,
        errors,
        degrees_of_freedom=degrees,
        estimator=f"Gaussian process on {n:,} pairs of coalitions, its prior learned from "
        f"{prior.teachers}{elsewhere}",
    )


def _degrees(candidate: _Candidate, n: int, d: int) -> float:
    """Of freedom, of the residuals that scale the errors."""
    return float(max(n - 1 if candidate[0].linear > 0 else n - d, 2))


def _widening(own: float, common: float) -> float:
    """What makes errors of `own` degrees of freedom right for intervals of `common` ones, at 95%.

    A solution has one number of degrees for all its targets.
    """
    return float(stdtrit(own, 0.975) / stdtrit(common, 0.975))


def _fit(prior: LearnedPrior, candidate: _Candidate, x: Floats, noise: Floats) -> Fit:
    recipe, signal = candidate
    return Fit.of(x, noise, recipe.covariance(prior.learned), signal, recipe.free(x.shape[1]))


def _adapted(prior: LearnedPrior, candidate: _Candidate, fit: Fit, x: Floats) -> AdaptedFit:
    recipe, signal = candidate
    covariance, terms = recipe.covariance(prior.learned), recipe.terms(prior.learned)
    n_free = recipe.free(x.shape[1]).directions.shape[1]
    return AdaptedFit(fit, covariance, signal, terms, x, n_free)


def plain_scores(x: Floats, noise: Floats, y: Floats) -> Floats:
    """(t,): the leave-one-out scores of the plain regression, infinite without pairs to spare."""
    n, d = len(x) - 1, x.shape[1]
    if n < d + SPARE:
        return np.full(y.shape[1], np.inf)
    weighted = x / noise[:, None]
    normal = weighted.T @ x
    normal.flat[:: d + 1] += 1e-12 * np.trace(normal) / d
    inverse = np.linalg.inv(normal)
    spare = 1 - ((weighted @ inverse) * x).sum(axis=1)[:n, None]
    residual = (y - x @ (inverse @ (weighted.T @ y)))[:n] / np.maximum(spare, 1e-7)
    return np.asarray(np.average(residual**2, axis=0, weights=1 / noise[:n]))
