"""Shapley values of many targets under one learned prior: few factorizations serve them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from perturbx._typing import Floats, Ints
from perturbx._workers import spread
from perturbx.designs import Pairs
from perturbx.errors import RejectPerturbations
from perturbx.solvers._answers import Answers, Noise, Scores
from perturbx.solvers.kernel_shap import KernelShapRegression
from perturbx.solvers.process.adapted_fit import ADAPTS, AdaptedFit
from perturbx.solvers.process.correction import corrected, split
from perturbx.solvers.process.gaussian_process import Fit, Posterior, Reading
from perturbx.solvers.process.interaction_rates import MOST_FEATURES, learn_rates
from perturbx.solvers.process.learned_prior import LearnedPrior, additive, misfits
from perturbx.solvers.process.leave_one_out import SPARE, plain_scores
from perturbx.solvers.process.odd_pairs import OddPairs, Signs, read_pairs
from perturbx.solvers.process.recipes import Recipe, share_of_jackknife

_STANDS_BY = 0.5
"""What stands by answers where its score is below this times that of the teachers' choice:
scores of few pairs are uncertain, and what the teachers agreed on is less so."""

_MOST_JUDGED = 500
"""How many pairs judge the candidates of a target, at most."""

_FEWEST_PAIRS = 4
"""With fewer pairs, residuals do not tell how far off the prior is."""

_MOST_STRANGERS = 0.2
"""If more of the teachers do not fit, games differ so much that no prior is worth its time."""

_MOST_OWN = 128
"""With more pairs, rates of a target's own would take longer than 50 ms to learn. On games that
did not choose them they divide the squared error by 1.2 (1.05 to 1.37, 13 cells of 6 games)."""

_MOST_OPTIMISM = 1.5
"""By how much errors under the shared rates may raise those under a target's own, at most."""

_Candidate: TypeAlias = tuple[Recipe, float]


@dataclass(frozen=True, eq=False)
class SharedScores:
    """Scores of t targets under a shared prior, and how well it fits them.

    Parameters
    ----------
    scores : Scores
    left : (t,) array
        The leave-one-out score of what answers.
    misfits : (t,) array
        Targets that may fit a prior of their own better, although most of the teachers do fit.
    """

    scores: Scores
    left: Floats
    misfits: NDArray[np.bool_]


def solve_shared(
    prior: LearnedPrior, answers: Answers[Pairs], most_pairs: int, *, learns_rates: bool = False
) -> SharedScores:
    """Scores of every target, each by the candidate that its own pairs confirm.

    The teachers' choice answers, unless leave-one-out says that another candidate or the plain
    regression predicts the pairs of a target much better. A target's scores do not depend on
    the others. At most `most_pairs` are fitted, and the others correct the fit. If it
    `learns_rates`, each target of few pairs puts rates of its own into the prior.
    """
    given = _Given.of(prior, answers, most_pairs)
    n, d = given.shape
    design, outside = answers.design, given.outside
    plain = KernelShapRegression().estimate(answers)
    assert plain.errors is not None  # the regression estimates them
    choice = prior.choice(n)
    candidates = choice.recipes
    judgement = _Judgement.of(prior, candidates, given.x, given.noise, given.y, design.random)
    own, of_plain, chosen = judgement.own, judgement.of_plain, judgement.chosen
    degrees = _degrees(candidates[0], n, d)
    values = plain.values.copy()
    errors = plain.errors * widening(plain.degrees_of_freedom, degrees)
    of_noise = plain.noise
    # Noise of the answers would teach rates too.
    learns_rates &= of_noise is None and d <= MOST_FEATURES and d + SPARE <= n <= _MOST_OWN
    unseen = 1 - n / (2.0 ** min(d - 1, 60) - 1) if design.random else 1.0
    for place, bends in product(range(len(candidates)), (True, False)):
        terms = candidates[place][0].terms(prior.learned)
        # A prior that explains little would bend to what it does not know.
        bending = ~misfits(own[place], of_plain) & (n >= ADAPTS * d) & (len(terms) > 0)
        mine = np.flatnonzero((chosen == place) & (bending == bends))
        if not len(mine):
            continue
        fit = judgement.full(place)
        share = share_of_jackknife(n, d, own[place, mine], of_plain[mine])
        solver = AdaptedFit(fit, terms) if bends else fit
        found = solver.posterior(judgement.reading(place, mine), share, given.others)
        if learns_rates:
            judged = own[place, mine], share, bends
            found = _with_own_rates(found, prior, candidates[place], given, mine, *judged)
        scores = given.corrected(mine, found, answers)
        values[:, mine] = scores[0]
        errors[:, mine] = scores[1] * widening(_degrees(candidates[place], n, d), degrees)
        if of_noise is not None and not len(outside):
            total, ends = given.scales[mine] ** 2 * fit.added_by(given.doubts[:, mine])
            of_noise = of_noise.replaced(mine, Noise(total, (1 - unseen) * (total - ends) + ends))
    if design.random:
        errors *= np.sqrt(unseen)
    if n < _FEWEST_PAIRS:
        errors[:] = np.nan
    values += (answers.full - answers.empty - values.sum(axis=0)) / d
    said = _said(prior, n, len(outside), bool((chosen[~judgement.exact] > 0).any()))
    left = np.take_along_axis(np.vstack([own, of_plain]), chosen[None], axis=0)[0]
    known = choice.strangers <= _MOST_STRANGERS
    return SharedScores(
        Scores(values, errors, degrees_of_freedom=degrees, estimator=said, noise=of_noise),
        left,
        misfits(own[0], of_plain) & ~judgement.exact & known,
    )


def _with_own_rates(
    shared: Posterior,
    prior: LearnedPrior,
    candidate: _Candidate,
    given: _Given,
    targets: Ints,
    scores: Floats,
    share: Floats,
    bends: bool,
) -> Posterior:
    """The posterior of some targets, each with the rates that its own pairs teach.

    Terms and strengths stay those of the teachers. So do the rates of a target that they predict
    as well as its own: `scores` are those of leave-one-out under the shared rates.
    """
    values, errors = shared.values.copy(), shared.standard_errors.copy()
    elsewhere = shared.elsewhere.copy()

    def solved(i: int) -> Posterior | None:
        t = targets[i]
        own = replace(prior, learned=replace(prior.learned, rates=learn_rates(given.fitted[t])))
        fit = _fit(own, candidate, given.x, given.noise, given.is_random)
        reading = fit.read(given.y[:, [t]])
        if fit.score(reading)[0] >= scores[i]:
            return None
        solver = AdaptedFit(fit, candidate[0].terms(own.learned)) if bends else fit
        return solver.posterior(reading, share[[i]], given.others)

    for i, found in enumerate(spread(solved, range(len(targets)))):
        if found is None:
            continue
        values[:, i], elsewhere[:, i] = found.values[:, 0], found.elsewhere[:, 0]
        own_errors = found.standard_errors[:, 0]
        # Residuals of pairs that taught the rates are too small; see `AdaptedFit`.
        errors[:, i] = np.clip(errors[:, i], own_errors, _MOST_OPTIMISM * own_errors)
    return replace(shared, values=values, standard_errors=errors, elsewhere=elsewhere)


def _said(prior: LearnedPrior, n: int, n_others: int, is_varied: bool) -> str:
    """How the scores were estimated, in words."""
    correction = f", corrected by a regression on {n_others:,} others" if n_others else ""
    elsewhere = ", except where it does not fit" if is_varied else ""
    return (
        f"Gaussian process on {n:,} pairs of coalitions{correction}, its prior learned from "
        f"{prior.teachers}{elsewhere}"
    )


@dataclass(frozen=True, eq=False)
class _Given:
    """The pairs of t targets: those that are fitted, and those that correct the fit.

    Parameters
    ----------
    fitted : list of t OddPairs
        The pairs of each target that are fitted.
    scales : (t,) array
        The unit of each target.
    outside : (k,) int array
        The pairs that are not fitted.
    others : Signs
        Of the pairs that are not fitted.
    of_others : (k, t) array
        Their odd parts, in units of the targets.
    x, noise : (n + 1, d) and (n + 1,) arrays
        The fitted pairs and the end, and how far each may be off.
    y, doubts : (n + 1, t) array
        Their answers, and the variances of these.
    is_random : bool
        Whether the pairs were drawn at random.
    """

    fitted: list[OddPairs]
    scales: Floats
    outside: Ints
    others: Signs
    of_others: Floats
    x: Floats
    noise: Floats
    y: Floats
    doubts: Floats
    is_random: bool

    @classmethod
    def of(cls, prior: LearnedPrior, answers: Answers[Pairs], most_pairs: int) -> _Given:
        inside, outside = split(len(answers.design.first), most_pairs)
        pairs, scales, odd = read_pairs(answers, inside)
        n, d = pairs[0].shape
        if prior.n_features != d:
            raise RejectPerturbations(
                f"the prior was learned for {prior.n_features} features: got {d}. Learn one from "
                "answers about the same features, or narrow it with restricted(active)."
            )
        x, _, noise = pairs[0].with_end()
        y = np.stack([np.append(target.odd, target.half_gain) for target in pairs], axis=1)
        doubts = [np.zeros(n + 1) if p.doubt is None else p.doubt for p in pairs]
        doubt = np.stack(doubts, axis=1)
        others = Signs(answers.design, outside), odd[outside]
        is_random = answers.design.random
        return cls(pairs, scales, outside, *others, x, noise, y, doubt, is_random)

    @property
    def shape(self) -> tuple[int, int]:
        """Of the fitted pairs: n, d."""
        return len(self.x) - 1, self.x.shape[1]

    def corrected(
        self, mine: Ints, found: Posterior, answers: Answers[Pairs]
    ) -> tuple[Floats, Floats]:
        """Values and errors of some targets, corrected by the pairs that were not fitted."""
        scales = self.scales[mine]
        values, errors = scales * found.values, scales * found.standard_errors
        if not len(self.outside):
            return values, errors
        left = scales * (self.of_others[:, mine] - found.elsewhere)
        return corrected(values, errors, answers, self.outside, left)


@dataclass(frozen=True, eq=False)
class _Judgement:
    """Which candidate answers for each of t targets, by leave-one-out.

    `own` (candidates, t) and `of_plain` (t,) are the scores; `chosen` (t,) the candidates, and
    one more is the plain regression; `exact` (t,) is True for additive games.
    """

    fits: list[Fit]
    readings: list[Reading]
    y: Floats
    own: Floats
    of_plain: Floats
    chosen: Ints
    exact: NDArray[np.bool_]
    full: Callable[[int], Fit]

    @classmethod
    def of(
        cls,
        prior: LearnedPrior,
        candidates: tuple[_Candidate, ...],
        x: Floats,
        noise: Floats,
        y: Floats,
        is_random: bool,
    ) -> _Judgement:
        n = len(x) - 1
        judged = np.append(np.arange(min(n, _MOST_JUDGED)), n)
        fits = [
            _fit(prior, candidate, x[judged], noise[judged], is_random) for candidate in candidates
        ]
        readings = [fit.read(y[judged]) for fit in fits]
        own = np.stack([fit.score(reading) for fit, reading in zip(fits, readings, strict=True)])
        of_plain = plain_scores(x, noise, y)
        weighed = np.vstack([own, of_plain])
        weighed[1:] /= _STANDS_BY
        exact = additive(x, y)
        chosen = np.where(exact, len(candidates), weighed.argmin(axis=0))

        @cache
        def full(place: int) -> Fit:
            known = len(judged) == n + 1
            return fits[place] if known else _fit(prior, candidates[place], x, noise, is_random)

        return cls(fits, readings, y, own, of_plain, chosen, exact, full)

    def reading(self, place: int, targets: Ints) -> Reading:
        """Of some targets, at all pairs."""
        fit = self.full(place)
        if fit is self.fits[place]:
            return self.readings[place].of(targets)
        return fit.read(self.y[:, targets])


def _degrees(candidate: _Candidate, n: int, d: int) -> float:
    """Of freedom, of the residuals that scale the errors."""
    return float(max(n - 1, 2) if candidate[0].linear > 0 else max(n - d, 1))


def widening(own: float, common: float) -> float:
    """What makes errors of `own` degrees of freedom right for intervals of `common` ones, at 95%.

    A solution has one number of degrees for all its targets.
    """
    return float(stdtrit(own, 0.975) / stdtrit(common, 0.975))


def _fit(
    prior: LearnedPrior, candidate: _Candidate, x: Floats, noise: Floats, is_random: bool
) -> Fit:
    recipe, signal = candidate
    covariance, free = recipe.covariance(prior.learned), recipe.free(x.shape[1])
    return Fit.of(x, noise, covariance, signal, free, is_random=is_random)
