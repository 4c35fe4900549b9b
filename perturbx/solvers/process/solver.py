"""Shapley values by a Gaussian process over the odd interactions of a game."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx._validation import check_integer, check_kind
from perturbx._workers import spread
from perturbx.designs import Design, Pairs
from perturbx.solvers._answers import Answers, Noise, Scores
from perturbx.solvers._base import Solver
from perturbx.solvers._exact import exact_shapley
from perturbx.solvers.kernel_shap import KernelShapRegression
from perturbx.solvers.process.adapted_fit import ADAPTS, posterior
from perturbx.solvers.process.correction import corrected, split
from perturbx.solvers.process.gaussian_process import JACKKNIFE, Posterior
from perturbx.solvers.process.interaction_rates import learn_rates
from perturbx.solvers.process.learned_prior import LearnedPrior, misfits
from perturbx.solvers.process.leave_one_out import SPARE, Decomposition, plain_scores
from perturbx.solvers.process.mask_trees import Boosting, boost
from perturbx.solvers.process.mirrors import Mirrors
from perturbx.solvers.process.odd_pairs import OddPairs, Signs, read_pairs
from perturbx.solvers.process.parity import parity_terms
from perturbx.solvers.process.recipes import (
    Folds,
    Learned,
    Recipe,
    odd_judge,
    plain_recipes,
    share_of_jackknife,
    tree_recipes,
)
from perturbx.solvers.process.shared_fit import solve_shared, widening

_FEWEST_PAIRS = 6
_MOST_CELLS = 500_000
"""Pairs times features beyond which no trees are grown."""


_MANY_OUTPUTS = 8
"""From so many outputs on, those of an instance share a prior."""


@dataclass(frozen=True)
class GaussianProcess(Solver):
    """Kernel SHAP's regression with a prior on what it leaves out: interactions of odd order.

    With x in {-1, 1}^d and g(x) = (v(S) - v(complement of S)) / 2 the pairs say g = x'b + h(x),
    and the Shapley values are 2b plus those of h, the odd interactions of three features or more.
    Leverage SHAP (Musco & Witter, ICLR 2025) takes h for noise. Here h is a Gaussian process
    that blends all odd interactions (a product kernel, with a rate for each feature) with those
    that boosted trees find in the answers; the exact Shapley values of its posterior mean are
    the scores. Which blend, and how strong, is chosen by honest leave-one-out among candidates
    with plain regression at one end. They add up to v(all) - v(none) at any budget, an additive
    game is recovered, and a complete design is read exactly.

    From three pairs a feature on, terms of trees are raised to what the target itself shows, if the
    prior leaves less than half of the regression's squared residuals (see `AdaptedFit`).

    Where the game jumps at the full or the empty coalition, further than the pairs allow for, all
    features share the jump alike, and it tells nothing else.

    Standard errors are the posterior's, scaled by leave-one-out residuals and blended with a
    jackknife, with n_pairs - d degrees of freedom. At chosen pairs the jackknife counts more the
    less the prior explains, and the noise of unseen pairs is added. Errors grow with how much
    larger residuals are in pairs that the prior did not learn from: in full below 2.5 d + 4 chosen
    pairs, by the root at pairs drawn at random, where they also shrink with the share of all pairs
    that was seen. With d to d + 2 pairs the plain regression answers, because none can be spared
    to judge a prior, and standard errors are NaN, as they are with fewer pairs than features. No
    estimator can detect an interaction that none of the sampled coalitions exposes.

    Parameters
    ----------
    n_folds : int
        Into how many parts the pairs are split to judge the candidates.
    most_judged : int
        How many pairs are used to judge a candidate, at most.
    most_pairs : int
        How many pairs the process is fitted to, at most: the cost is cubic. Of further pairs
        the regression reads what the fit leaves of them, and corrects it.
    boosting : Boosting
        How the trees grow.
    prior : LearnedPrior, optional
        By default each target learns its own, or, from eight outputs on, each instance one for
        all of its outputs. Otherwise what other targets of the same model have taught: then a
        target costs little more than a regression. One that does not fit learns its own, unless
        a fifth of the teachers did not fit either, or its instance has many outputs.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.designs import Evaluations
    >>> from perturbx.samplers import ShapleyCoalitions
    >>> from perturbx.solvers.process.solver import GaussianProcess
    >>> design = ShapleyCoalitions().draw(8, 60, np.random.default_rng(0))
    >>> answers = Evaluations(
    ...     design,
    ...     outputs=design.z[:, :3].all(axis=1).astype(float).reshape(60, 1, 1),
    ...     full=np.array([[1.0]]),
    ...     empty=np.array([[0.0]]),
    ... )
    >>> abs(GaussianProcess().solve(answers).values.ravel().round(2))
    array([0.33, 0.33, 0.33, 0.  , 0.  , 0.  , 0.  , 0.  ])
    """

    n_folds: int = 2
    most_judged: int = 300
    most_pairs: int = 2500
    boosting: Boosting = field(default_factory=Boosting)
    prior: LearnedPrior | None = None

    reads: ClassVar[tuple[type[Design], ...]] = (Pairs,)
    additive = True

    def __post_init__(self) -> None:
        check_integer("n_folds", self.n_folds, minimum=2)
        check_integer("most_judged", self.most_judged, minimum=2)
        check_integer("most_pairs", self.most_pairs, minimum=0)
        check_kind("boosting", self.boosting, Boosting, "a Boosting")
        if self.prior is not None:
            check_kind("prior", self.prior, LearnedPrior, "a LearnedPrior or None")

    def working(self, n_features: int, n: int) -> float:
        return 3 * min(n // 2, self.most_pairs) ** 2 / max(n, 1)

    def linear(self) -> Solver:
        return KernelShapRegression()

    def exact(self, answers: Answers[Design]) -> Scores:
        return exact_shapley(answers)

    def estimate(self, answers: Answers[Pairs]) -> Scores:
        mirrors = Mirrors.among(answers)
        return mirrors.restored(self._estimate(mirrors.reduced(answers)))

    def _estimate(self, answers: Answers[Pairs]) -> Scores:
        design = answers.design
        n, d = min(len(design.first), self.most_pairs), design.n_features
        if self.prior is not None and d >= 3 and n:
            return self._under(self.prior, answers)
        if answers.shape[1] >= _MANY_OUTPUTS and d >= 3 and n >= _FEWEST_PAIRS:
            return self._each_instance(answers)
        return self._each_target(answers)[0]

    def _under(self, prior: LearnedPrior, answers: Answers[Pairs]) -> Scores:
        """Each target by a shared prior, or by its own where it does not fit that one.

        Which prior answers does not depend on the other targets. So one that does not fit learns
        its own however many others do not either, unless its instance has many outputs.
        """
        few_outputs = answers.shape[1] < _MANY_OUTPUTS
        shared = solve_shared(prior, answers, self.most_pairs, learns_rates=few_outputs)
        strange = np.flatnonzero(shared.misfits)
        if not few_outputs or not len(strange):
            return shared.scores
        own, left = self._each_target(answers.only(strange))
        better = left < shared.left[strange]
        if not better.any():
            return shared.scores
        own_prior, scores = strange[better], shared.scores
        assert scores.errors is not None  # both estimate them
        assert own.errors is not None
        wider = widening(own.degrees_of_freedom, scores.degrees_of_freedom)
        values, errors = scores.values.copy(), scores.errors.copy()
        values[:, own_prior] = own.values[:, better]
        errors[:, own_prior] = own.errors[:, better] * wider
        noise = scores.noise
        if noise is not None and own.noise is not None:
            noise = noise.replaced(own_prior, own.noise.of(better))
        return replace(
            scores,
            values=values,
            errors=errors,
            noise=noise,
            estimator=f"{scores.estimator}; {len(own_prior)} of {len(shared.left)} scores from "
            "a prior of their own",
        )

    def _each_instance(self, answers: Answers[Pairs]) -> Scores:
        """The outputs of an instance teach each other, and nothing to other instances."""
        n, k = answers.shape

        def scores_of(i: int) -> Scores:
            part = replace(answers.only(np.arange(i * k, (i + 1) * k)), shape=(1, k))
            teachers = "the outputs of the instance"
            prior = LearnedPrior.learn(part, self.boosting, teachers, is_reused=False)
            if prior is None:
                return self._each_target(part)[0]
            return solve_shared(prior, part, self.most_pairs).scores

        found = spread(scores_of, range(n))
        errors = [scores.errors for scores in found if scores.errors is not None]
        return Scores(
            np.concatenate([scores.values for scores in found], axis=1),
            np.concatenate(errors, axis=1),
            degrees_of_freedom=min(scores.degrees_of_freedom for scores in found),
            estimator=found[0].estimator,
            noise=Noise.joined([scores.noise for scores in found]),
        )

    def _each_target(self, answers: Answers[Pairs]) -> tuple[Scores, Floats]:
        """Each learns a prior of its own; with their leave-one-out scores (t,), inf if unknown."""
        design = answers.design
        inside, outside = split(len(design.first), self.most_pairs)
        n, d = len(inside), design.n_features
        most = max(self.most_judged, min(3 * d, 2 * self.most_judged))
        folds = Folds.of(n, self.n_folds, most)
        blind = n >= 1.3 * d + 4 and folds.n_rows < d + SPARE
        lacking = len(outside) > 0 and n < d + SPARE
        unknown = np.full(len(answers.full), np.inf)
        if d < 3 or n < _FEWEST_PAIRS or blind or lacking:
            return KernelShapRegression().estimate(answers), unknown
        if d <= n < d + SPARE:
            # So few pairs to spare cannot tell a prior that shrinks all scores to their mean from
            # one that does not, nor how far off the regression is.
            return KernelShapRegression(errors=False).estimate(answers), unknown
        pairs, scales, odd = read_pairs(answers, inside)
        elsewhere, of_others = Signs(design, outside), odd[outside]
        plain = KernelShapRegression().estimate(answers)
        starts = _as_posteriors(plain, scales, elsewhere)
        cache: dict[tuple[Recipe, int], Decomposition] = {}

        def solved(t: int) -> Posterior:
            target, start = pairs[t], starts[t]
            if _is_additive(target, start, of_others[:, t]):
                return start
            return self._solve_target(target, start, folds, cache, design.random, elsewhere)

        found = spread(solved, range(len(pairs)))
        values = np.stack([f.values for f in found], axis=1) * scales
        errors = np.stack([f.standard_errors for f in found], axis=1) * scales
        estimator = f"Gaussian process on {n:,} pairs of coalitions"
        if len(outside):
            rest = (of_others - np.stack([f.elsewhere for f in found], axis=1)) * scales
            values, errors = corrected(values, errors, answers, outside, rest)
            estimator += f", corrected by a regression on {len(outside):,} others"
        if n < d:
            errors[:] = np.nan
        gain = answers.full - answers.empty
        values += (gain - values.sum(axis=0)) / d
        noise = plain.noise if len(outside) else _noise(found, plain.noise, scales, design, n)
        degrees = float(max(n - d, 2))
        scores = Scores(
            values, errors, degrees_of_freedom=degrees, estimator=estimator, noise=noise
        )
        return scores, np.array([f.score for f in found])

    def _solve_target(
        self,
        pairs: OddPairs,
        start: Posterior,
        folds: Folds,
        cache: dict[tuple[Recipe, int], Decomposition],
        random: bool,
        elsewhere: Signs,
    ) -> Posterior:
        n, d = pairs.shape
        learned = self._learn(pairs, [*folds.training, folds.order])
        judge = odd_judge(pairs, folds, learned[:-1], cache)
        found = []
        # Free slopes need pairs to spare, or nothing can be left out; with plenty of pairs a
        # prior on them only costs time.
        can_be_free = folds.n_rows >= d + SPARE
        can_be_tied = n < 2.5 * d + 4
        for tied in [False] * can_be_free + [True] * can_be_tied:
            base = judge.best(plain_recipes(d, tied=tied))
            found.append(base)
            if len(learned[-1].terms_with_linear):
                found.append(judge.best(tree_recipes(base[1])))
        score, recipe, signal = min(found, key=lambda entry: entry[0])
        x, y, noise = pairs.with_end(exactness=1e4)
        plain = float(plain_scores(x, noise, y[:, None])[0])
        if not can_be_free and plain <= score:
            return start
        of_all = learned[-1]
        if recipe.source == "rates":
            of_all = replace(of_all, rates=learn_rates(pairs.subset(folds.order)))
        covariance, free = recipe.covariance(of_all), recipe.free(d)
        bends = n >= ADAPTS * d and not misfits(np.array(score), np.array(plain))
        share = share_of_jackknife(n, d, np.array(score), np.array(plain))
        fit = posterior(
            pairs,
            covariance,
            signal,
            free,
            share=JACKKNIFE if random else float(share),
            elsewhere=elsewhere,
            bends=bends,
            is_random=random,
        )
        unseen, optimism = 1.0, 1.0
        if random:
            # Residuals of pairs that taught the prior are too small; those of pairs that half of
            # the others taught too large, for all of them teach more. Between lies the root.
            unseen -= n / (2.0 ** min(d - 1, 60) - 1)
            optimism = judge.optimism(recipe, signal, of_all) ** 0.5
        elif can_be_tied:
            # So few pairs fit a structure that is not there, and leave nothing.
            optimism = judge.optimism(recipe, signal, of_all, most=np.inf)
        errors = fit.standard_errors * np.sqrt(unseen * optimism)
        return replace(fit, standard_errors=errors, score=score)

    def _learn(self, pairs: OddPairs, parts: list[Ints]) -> list[Learned]:
        """What each part of the pairs teaches by itself; of the last one, all but the rates.

        They take as long as those of the others, and few recipes that are chosen read them.
        """
        n, d = pairs.shape
        z, values = pairs.coalitions()
        rows = np.zeros((n, len(parts)), dtype=bool)
        for fold, part in enumerate(parts):
            rows[part, fold] = True
        targets = np.repeat(values[:, None], len(parts), axis=1)
        both = np.concatenate([rows, rows])
        targets = targets - (targets * both).sum(axis=0) / both.sum(axis=0)
        settings = self.boosting if n * d <= _MOST_CELLS else replace(self.boosting, n_trees=0)
        forests = boost(z, targets, both, settings)
        most = min(2 * n + 200, 4000)
        rates = [learn_rates(pairs.subset(part)) for part in parts[:-1]]
        rates.append(np.full(d, np.nan))
        return [
            Learned(
                np.abs(pairs.subset(part).slopes()),
                own,
                parity_terms(leaves, d, most),
                parity_terms(leaves, d, most, least=1),
            )
            for part, own, leaves in zip(parts, rates, forests, strict=True)
        ]


def _as_posteriors(plain: Scores, scales: Floats, elsewhere: Signs) -> list[Posterior]:
    """The plain regression's answer to each target, in units of the target's scale."""
    assert plain.errors is not None  # the regression estimates them
    safe = np.where(scales > 0, scales, 1.0)[:, None]
    values = np.ascontiguousarray(plain.values.T) / safe
    errors = np.ascontiguousarray(plain.errors.T) / safe
    means = np.empty((len(values), len(elsewhere)))
    for rows in elsewhere.slices():
        means[:, rows] = values / 2 @ elsewhere[rows].T
    return [Posterior(*found) for found in zip(values, errors, means, strict=True)]


def _noise(
    found: list[Posterior], plain: Noise | None, scales: Floats, design: Pairs, n: int
) -> Noise | None:
    """What random answers add; `plain` is that of the regression, which answers for some targets.

    The errors at pairs drawn at random shrink with the share of all pairs that was seen. The noise
    of the answers does not.
    """
    if plain is None:
        return None
    total, unseen = plain.total.copy(), plain.unseen.copy()
    seen = n / (2.0 ** min(design.n_features - 1, 60) - 1) if design.random else 0.0
    for t, one in enumerate(found):
        if one.noise is not None:
            of_all, of_ends = one.noise * scales[t] ** 2
            total[:, t], unseen[:, t] = of_all, seen * (of_all - of_ends) + of_ends
    return Noise(total, unseen)


def _is_additive(pairs: OddPairs, plain: Posterior, others: Floats) -> bool:
    """True if the plain regression leaves nothing to explain, though it could have.

    `others` (k,) are the odd parts of the pairs that are not fitted.
    """
    n, d = pairs.shape
    residual = pairs.odd - pairs.signs @ (plain.values / 2)
    of_others = np.abs(others - plain.elsewhere).max(initial=0.0)
    return n >= d and max(float(np.abs(residual).max()), float(of_others)) <= 1e-10
