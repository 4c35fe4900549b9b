"""The priors that are tried, and how one is chosen: honestly, by leave-one-out.

A prior is made of things that are learned from pairs (slopes, rates, trees). To judge it, these
are learned anew without a fold of the pairs, and only residuals of that fold count; the chosen
recipe is then followed once more with all pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.solvers.process.covariance import Covariance
from perturbx.solvers.process.gaussian_process import Free
from perturbx.solvers.process.interaction_rates import MOST_FEATURES
from perturbx.solvers.process.leave_one_out import SIGNALS, Decomposition
from perturbx.solvers.process.odd_kernel import OddKernel, bounded
from perturbx.solvers.process.odd_pairs import OddPairs
from perturbx.solvers.process.parity import ParityTerms

_LEAST_SHARE, _MOST_SHARE = 0.2, 1.1
"""Of the jackknife at chosen pairs; see `share_of_jackknife`."""

_MOST_OPTIMISM = 4.0
"""Beyond that, half of the pairs fell short of a structure that all of them have found."""


@dataclass(frozen=True, eq=False)
class Learned:
    """What some pairs taught: |slopes| and interaction rates (d,), and terms found by trees."""

    slopes: Floats
    rates: Floats
    terms: ParityTerms
    terms_with_linear: ParityTerms


@dataclass(frozen=True)
class Recipe:
    """How to make a prior from what was learned.

    `source` says where the rates of the product kernel come from, times `strength`; slopes are
    raised to `exponent`. `linear` > 0 ties the linear part down too, for designs with few pairs.
    """

    source: Literal["uniform", "slopes", "rates"]
    strength: float
    exponent: float = 0.0
    linear: float = 0.0
    share: float = 0.0
    power: float = 1.0

    def covariance(self, learned: Learned) -> Covariance:
        d = len(learned.slopes)
        if self.source == "uniform":
            rates = np.full(d, self.strength)
        elif self.source == "rates":
            rates = self.strength * learned.rates
        else:
            relative = learned.slopes / max(float(learned.slopes.max()), 1e-300)
            rates = self.strength * (relative + 0.02) ** self.exponent
        terms = self.terms(learned)
        kernel = OddKernel(bounded(rates))
        if self.share == 0 or not len(terms):
            return Covariance(kernel, linear=self.linear)
        return Covariance(kernel, terms, self.share, self.power, self.linear)

    def terms(self, learned: Learned) -> ParityTerms:
        """With those of one feature, where the linear part is tied down too."""
        return learned.terms_with_linear if self.linear > 0 else learned.terms

    def free(self, d: int) -> Free:
        return Free.sum_only(d) if self.linear > 0 else Free.linear(d)

    @property
    def is_shared(self) -> bool:
        """True if the prior is the same for every target and fold."""
        return self.source == "uniform" and self.share == 0


def plain_recipes(d: int, *, tied: bool) -> Iterator[Recipe]:
    """Priors without trees; `tied`: with the linear part tied down."""
    if tied:
        strength = min(0.3, 1.5 / np.sqrt(d))
        yield from (Recipe("uniform", strength, linear=linear) for linear in (0.9, 0.6))
        return
    for strength in (0.05, 0.3):
        yield Recipe("uniform", strength)
        yield from (Recipe("slopes", strength, exponent) for exponent in (0.6, 1.3))
    if d <= MOST_FEATURES:
        yield from (Recipe("rates", strength) for strength in (0.6, 1.0, 1.6))


def tree_recipes(base: Recipe) -> Iterator[Recipe]:
    """`base` blended with the terms of trees."""
    for share in (0.3, 0.7, 0.95) if base.linear > 0 else (0.5, 0.95):
        yield from (replace(base, share=share, power=power) for power in (0.5, 1.0))


def share_of_jackknife(n: int, d: int, score: Floats, plain: Floats) -> Floats:
    """How much the jackknife counts in the errors at chosen pairs, from 0 to 1.

    Chosen pairs resolve interactions of three features, for which they are chosen, and confound
    the scores with those of five and more, of which the prior knows little. So the jackknife
    counts by the root of the fraction of the plain regression's squared residuals that the prior
    leaves, and the more so the nearer the pairs come to resolving all interactions of three.
    """
    compared = (plain > 0) & np.isfinite(score)
    unexplained = np.minimum(np.divide(score, plain, out=np.ones_like(plain), where=compared), 1.0)
    resolved = min(n / (d + d * (d - 1) * (d - 2) / 6), 1.0) ** 0.25
    return np.asarray(np.clip(_MOST_SHARE * unexplained**0.5 * resolved, _LEAST_SHARE, 1.0))


@dataclass(frozen=True, eq=False)
class Folds:
    """Pairs in a fixed random order, split into folds; see `Judge`."""

    order: Ints
    training: list[Ints]
    rows: list[Ints]
    judged: list[NDArray[np.bool_]]

    @property
    def n_rows(self) -> int:
        """How many pairs a candidate is fitted to when it is judged."""
        return len(self.rows[0])

    @classmethod
    def of(cls, n: int, n_folds: int, most: int) -> Folds:
        order = np.random.default_rng(0).permutation(n)
        training, rows, judged = [], [], []
        for fold in range(n_folds):
            inside, outside = order[fold::n_folds], np.delete(order, np.s_[fold::n_folds])
            training.append(outside)
            chosen = np.concatenate([inside, outside])[:most]
            rows.append(chosen)
            judged.append(np.arange(len(chosen)) < len(inside))
        return cls(order, training, rows, judged)


@dataclass(frozen=True, eq=False)
class Judge:
    """Scores recipes on one target: mean weighted squares of honest leave-one-out residuals.

    Recipes that leave the slopes free do not see the pair of the full and the empty coalition:
    where the game jumps there, none would fit.

    Parameters
    ----------
    pairs : OddPairs
        All pairs of the target.
    learned : list of Learned
        What was learned without each fold.
    rows, judged : lists of arrays
        For each fold the pairs that are conditioned on, and which of these are in the fold.
    cache : dict
        Decompositions of priors that all targets share.
    """

    pairs: OddPairs
    learned: list[Learned]
    rows: list[Ints]
    judged: list[NDArray[np.bool_]]
    cache: dict[tuple[Recipe, int], Decomposition]

    def best(self, recipes: Iterator[Recipe]) -> tuple[float, Recipe, float]:
        """The lowest score, its recipe and its signal."""
        found = []
        for recipe in recipes:
            scores = self.scores(recipe)
            i = int(scores.argmin())
            found.append((float(scores[i]), recipe, float(SIGNALS[i])))
        return min(found, key=lambda entry: entry[0])

    def scores(self, recipe: Recipe) -> Floats:
        """One score for each signal."""
        total = np.zeros(len(SIGNALS))
        for fold, (rows, judged) in enumerate(zip(self.rows, self.judged, strict=True)):
            part = self.pairs.subset(rows)
            y = part.odd if recipe.linear == 0 else np.append(part.odd, part.half_gain)
            counted = np.append(judged, np.zeros(len(y) - len(judged), dtype=bool))
            make = self._maker(recipe, part, self.learned[fold])
            if recipe.is_shared:
                decomposition = self.cache.get((recipe, fold)) or make()
                self.cache[recipe, fold] = decomposition
            else:
                decomposition = make()
            scores = decomposition.scores(y[:, None], counted)[:, 0]
            total += scores * judged.sum()
        return np.asarray(total / sum(judged.sum() for judged in self.judged))

    def optimism(self, recipe: Recipe, signal: float, learned: Learned) -> float:
        """How many times larger squared residuals are where the prior did not learn from the pair.

        Of the same pairs, by leave-one-out both; from 1 to `_MOST_OPTIMISM`.
        """
        if recipe.is_shared:
            return 1.0
        seen = replace(self, learned=[learned] * len(self.learned))
        at = int(np.flatnonzero(signal == SIGNALS)[0])
        honest, in_sample = (judge.scores(recipe)[at] for judge in (self, seen))
        return float(np.clip(honest / max(in_sample, 1e-300), 1.0, _MOST_OPTIMISM))

    @staticmethod
    def _maker(recipe: Recipe, part: OddPairs, learned: Learned) -> Callable[[], Decomposition]:
        def make() -> Decomposition:
            x, noise = part.signs, 1 / part.weights
            if recipe.linear > 0:
                x, _, noise = part.with_end(exactness=1e4)
            basis = x @ recipe.free(part.shape[1]).directions
            return Decomposition.of(recipe.covariance(learned).matrix(x), basis, noise)

        return make
