"""Interactions of two features by a Gaussian process over the even part of a game.

With x in {-1, 1}^d and e(x) = (v(S) + v(complement of S)) / 2 the pairs say e = c + h(x) + noise:
c is free, and h holds the interactions of two, four, ... features, of which the indices of pairs
are made. The prior on h is chosen as that of `GaussianProcess`, by honest leave-one-out, with a
ridge over the pairs of features at one end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx.solvers.process.even_covariance import EvenCovariance
from perturbx.solvers.process.even_kernel import FAITH_SHAP, SHAPLEY, EvenKernel, PairIndex
from perturbx.solvers.process.gaussian_process import PINNED, SURPRISE, inverse_of
from perturbx.solvers.process.interaction_rates import MOST_FEATURES, learn_rates
from perturbx.solvers.process.leave_one_out import Decomposition
from perturbx.solvers.process.mask_trees import Boosting, boost
from perturbx.solvers.process.odd_kernel import bounded
from perturbx.solvers.process.odd_pairs import OddPairs, squares_of_all, unseen_shares
from perturbx.solvers.process.parity import ParityTerms, parity_terms
from perturbx.solvers.process.recipes import Folds, Judge

MOST_JUDGED = 300
_MOST_CELLS = 500_000
"""Pairs times features beyond which no trees are grown."""

_MOST_NUMBERS = 2**21
"""Pairs of coalitions times pairs of features that are held at once: 16 megabytes."""

_POOLED = 0.3
"""The share of the variance that is averaged over the pairs of features."""

_JACKKNIFE = 1 / 3
"""The jackknife's share in the blend of variances."""

_ENOUGH_PAIRS = 4
"""Per feature: with fewer, leave-one-out misses half of the error of smooth games."""


@dataclass(frozen=True, eq=False)
class Learned:
    """What some pairs taught: |slopes| and interaction rates (d,), and terms found by trees."""

    slopes: Floats
    rates: Floats
    terms: ParityTerms


@dataclass(frozen=True)
class EvenRecipe:
    """How to make an `EvenCovariance` from what was learned.

    `source` says where the rates of the product kernel come from, times `strength`; slopes are
    raised to `exponent`. `share` goes to the terms of trees, each by its coefficient to the power
    2 `power`.
    """

    source: Literal["uniform", "slopes", "rates"]
    strength: float
    exponent: float = 0.0
    equal: float = 0.0
    share: float = 0.0
    power: float = 1.0

    def covariance(self, learned: Learned) -> EvenCovariance:
        rates = np.ones(len(learned.rates))
        if self.source == "slopes":
            relative = learned.slopes / max(float(learned.slopes.max()), 1e-300)
            rates = (relative + 0.02) ** self.exponent
        elif self.source == "rates":
            rates = learned.rates
        kernel = EvenKernel(bounded(self.strength * rates))
        if self.share == 0 or not len(learned.terms):
            return EvenCovariance(kernel, self.equal)
        spread = np.abs(learned.terms.coefficients) ** self.power
        spread *= np.sqrt(self.share) / np.linalg.norm(spread)
        return EvenCovariance(kernel, self.equal, ParityTerms(learned.terms.members, spread))

    @property
    def is_shared(self) -> bool:
        """True if the prior is the same for every target and fold."""
        return self.source == "uniform" and self.share == 0


def _recipes(d: int) -> Iterator[EvenRecipe]:
    """Priors without trees; the first is a ridge over the pairs of features."""
    yield EvenRecipe("uniform", 0.1, equal=1.0)
    yield from (EvenRecipe("uniform", strength) for strength in (0.05, 0.15, 0.3))
    for strength in (0.05, 0.3):
        yield from (EvenRecipe("slopes", strength, exponent) for exponent in (0.6, 1.3))
    if d <= MOST_FEATURES:
        yield from (EvenRecipe("rates", strength) for strength in (0.6, 1.0, 1.6))


def _with_trees(base: EvenRecipe) -> Iterator[EvenRecipe]:
    for share in (0.3, 0.7, 0.95):
        yield from (replace(base, share=share, power=power) for power in (0.5, 1.0))


@dataclass(frozen=True, eq=False)
class EvenPosterior:
    """Values and variances (2, pairs of features) of both indices.

    `of_totals` (d,) are the variances of the sums over j of Faith-Shap's pairs i, j.
    """

    shapley: Floats
    faith_shap: Floats
    of_totals: Floats


@dataclass(frozen=True, eq=False)
class EvenProcess:
    """The even part of n pairs and one target, the pair of the full and the empty coalition last.

    Parameters
    ----------
    pairs : OddPairs
    cache : dict
        Decompositions of priors that all targets share.
    boosting : Boosting
        How the trees grow.
    n_folds : int
        Into how many parts the pairs are split to judge the candidates.
    """

    pairs: OddPairs
    cache: dict[tuple[EvenRecipe, int], Decomposition] = field(default_factory=dict)
    boosting: Boosting = field(default_factory=Boosting)
    n_folds: int = 2

    def posterior(self) -> EvenPosterior:
        """Under the prior that predicts best, learned once more from all pairs."""
        learned = self._learned
        judge = Judge(self._folds, learned[:-1], self._values, self._decomposed, self.cache)
        base = judge.best(_recipes(self.pairs.shape[1]))
        found = [base]
        if len(learned[-1].terms):
            found.append(judge.best(_with_trees(base[1])))
        _, recipe, signal = min(found, key=lambda entry: entry[0])
        n, d = self.pairs.shape
        known = n >= _ENOUGH_PAIRS * d
        optimism = judge.optimism(recipe, signal, learned[-1], most=np.inf) if known else np.nan
        x, y, noise = self._x, self._y, self._noise(1e6)
        fit = _Fit.of(x, y, noise, recipe.covariance(learned[-1]), signal)
        if self.pairs.doubt is not None:
            fit = replace(fit, doubt=float(self.pairs.doubt[-1]))
        return fit.without_jump().posterior(optimism)

    @property
    def range(self) -> float:
        """How far the even part is from its value at the end, at most."""
        return float(np.abs(self._y).max())

    @cached_property
    def _x(self) -> Floats:
        return np.vstack([self.pairs.signs, np.ones((1, self.pairs.shape[1]))])

    @cached_property
    def _y(self) -> Floats:
        return np.append(self.pairs.even, self.pairs.even_end) - self.pairs.even_end

    def _noise(self, exactness: float) -> Floats:
        weights = self.pairs.weights
        return np.asarray(1 / np.append(weights, exactness * weights.max()))

    @cached_property
    def _folds(self) -> Folds:
        return Folds.of(self.pairs.shape[0], self.n_folds, MOST_JUDGED)

    @cached_property
    def _learned(self) -> list[Learned]:
        """What the pairs outside of each fold teach, and at the end all."""
        n, d = self.pairs.shape
        parts = [*self._folds.training, self._folds.order]
        z, values = self.pairs.coalitions()
        rows = np.zeros((n, len(parts)), dtype=bool)
        for column, part in enumerate(parts):
            rows[part, column] = True
        both = np.concatenate([rows, rows])
        targets = values[:, None] - (values @ both) / both.sum(axis=0)
        settings = self.boosting if n * d <= _MOST_CELLS else replace(self.boosting, n_trees=0)
        forests = boost(z, targets, both, settings)
        most = min(2 * n + 200, 4000)
        return [
            Learned(
                np.abs(part.slopes()), learn_rates(part), parity_terms(leaves, d, most, least=2)
            )
            for part, leaves in zip(map(self.pairs.subset, parts), forests, strict=True)
        ]

    def _values(self, recipe: EvenRecipe, rows: Ints) -> Floats:
        return np.asarray(self._y[np.append(rows, -1)])

    def _decomposed(self, recipe: EvenRecipe, learned: Learned, rows: Ints) -> Decomposition:
        rows = np.append(rows, len(self._y) - 1)
        matrix = recipe.covariance(learned).matrix(self._x[rows])
        return Decomposition.of(matrix, np.ones((len(rows), 1)), self._noise(1e4)[rows])


@dataclass(frozen=True, eq=False)
class _Fit:
    """The posterior of one target, factorized: Q = A^-1 - A^-1 1 (1' A^-1 1)^-1 1' A^-1.

    `doubt` is the variance of the end, where answers are random: residuals show that of the pairs.
    """

    x: Floats
    y: Floats
    noise: Floats
    covariance: EvenCovariance
    signal: float
    q: Floats
    jump: float = 0.0
    doubt: float = 0.0

    @classmethod
    def of(
        cls, x: Floats, y: Floats, noise: Floats, covariance: EvenCovariance, signal: float
    ) -> _Fit:
        inverse = inverse_of(signal * covariance.matrix(x), noise)
        solved = inverse.sum(axis=1)
        inverse -= np.outer(solved, solved) / solved.sum()
        return cls(x, y, noise, covariance, signal, inverse)

    def without_jump(self) -> _Fit:
        """With the end as the pairs predict it, where the game jumps there; see `Fit`."""
        spread = float(self.q[-1, -1])
        jump = float(self.q[-1] @ self.y) / spread
        smooth = self.y.copy()
        smooth[-1] -= jump
        freed = replace(self, y=smooth, jump=jump)
        is_jump = jump**2 * spread > SURPRISE**2 * freed._residuals[0]
        return freed if is_jump else self

    def posterior(self, optimism: float) -> EvenPosterior:
        i, j = np.triu_indices(self.x.shape[1], 1)
        step = max(1, _MOST_NUMBERS // len(self.x))
        blocks = [slice(start, start + step) for start in range(0, len(i), step)]

        def of(which: PairIndex) -> Floats:
            prior = self.covariance.index_variance(which)[i, j]
            of_all = squares_of_all(lambda x: which.direct(x, i, j), self.x.shape[1])
            parts = [
                self._of(
                    self.covariance.index(which, self.x, i[b], j[b]),
                    which.direct(self.x, i[b], j[b]),
                    prior[b],
                    of_all,
                )
                for b in blocks
            ]
            return self._blended(np.concatenate(parts, axis=1), optimism)

        totals = self._of(
            self.covariance.totals(self.x),
            FAITH_SHAP.direct_totals(self.x),
            self.covariance.total_variance(),
            squares_of_all(FAITH_SHAP.direct_totals, self.x.shape[1]),
        )
        return EvenPosterior(of(SHAPLEY), of(FAITH_SHAP), self._blended(totals, optimism)[1])

    def _of(self, received: Floats, direct: Floats, prior: Floats, of_all: float) -> Floats:
        """(5, p): values of p linear functions, and variances: the posterior's, the jackknife's,
        that of the noise of unseen pairs, and that of the end.

        `received` (n + 1, p) are their values at covariance(., x_n), `prior` (p,) their variances,
        and `direct` (n + 1, p) what the noise of each pair adds: it is a part of the game. `of_all`
        are the squares of that, over all pairs.
        """
        own = self.noise[:, None] * direct
        received = self.signal * received + own
        through = self.q @ received
        variance = self.signal * prior + np.einsum("np,np->p", own, direct)
        variance -= np.einsum("np,np->p", received, through)
        common, left_out = self._residuals
        jackknife = (through[:-1] ** 2).T @ left_out**2
        values = through.T @ self.y + self.jump * direct[-1]
        # All pairs are less the end, and the columns of Q sum to 0.
        of_end = through[-1] ** 2 * self.doubt
        unseen = unseen_shares(direct[:-1], of_all) / (1 / self.noise[:-1]).mean() * common
        return np.stack([values, np.maximum(variance, 0.0) * common, jackknife, unseen, of_end])

    @cached_property
    def _residuals(self) -> tuple[float, Floats]:
        """The one unknown variance, and what leaving out each pair (n,) leaves."""
        diagonal, projected = np.diag(self.q)[:-1], (self.q @ self.y)[:-1]
        seen = diagonal * self.noise[:-1] > PINNED
        if not seen.any():
            return np.nan, np.full(len(seen), np.nan)
        safe = np.where(seen, diagonal, 1.0)
        common = float((projected[seen] ** 2 / safe[seen]).mean())
        return common, np.where(seen, projected / safe, 0.0)

    @staticmethod
    def _blended(found: Floats, optimism: float) -> Floats:
        values, own, jackknife, unseen, of_end = found
        variance = optimism * (own ** (1 - _JACKKNIFE) * jackknife**_JACKKNIFE + unseen) + of_end
        return np.stack([values, (1 - _POOLED) * variance + _POOLED * variance.mean()])
