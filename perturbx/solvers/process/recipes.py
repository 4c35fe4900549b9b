"""The priors that are tried, and how one is chosen: honestly, by leave-one-out.

A prior is made of things that are learned from pairs (slopes, rates, trees). To judge it, these
are learned anew without a fold of the pairs, and only residuals of that fold count; the chosen
recipe is then followed once more with all pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, Literal, Protocol, TypeVar

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


_R = TypeVar("_R", bound="Candidate")
_L = TypeVar("_L")


class Candidate(Protocol):
    """What a `Judge` must know of a recipe."""

    @property
    def is_shared(self) -> bool:
        """True if the prior is the same for every target and fold."""


@dataclass(frozen=True, eq=False)
class Judge(Generic[_R, _L]):
    """Scores recipes on one target: mean weighted squares of honest leave-one-out residuals.

    Parameters
    ----------
    folds : Folds
    learned : list
        What was learned without each fold.
    values : function
        The target's values at some pairs, and after these what else a recipe conditions on.
    decomposed : function
        The prior that a recipe makes of what was learned, at the same pairs.
    cache : dict
        Decompositions of priors that all targets share.
    """

    folds: Folds
    learned: list[_L]
    values: Callable[[_R, Ints], Floats]
    decomposed: Callable[[_R, _L, Ints], Decomposition]
    cache: dict[tuple[_R, int], Decomposition]

    def best(self, recipes: Iterator[_R]) -> tuple[float, _R, float]:
        """The lowest score, its recipe and its signal."""
        found = []
        for recipe in recipes:
            scores = self.scores(recipe)
            i = int(scores.argmin())
            found.append((float(scores[i]), recipe, float(SIGNALS[i])))
        return min(found, key=lambda entry: entry[0])

    def scores(self, recipe: _R) -> Floats:
        """One score for each signal."""
        total, n_judged = np.zeros(len(SIGNALS)), 0
        for fold, (rows, judged) in enumerate(zip(self.folds.rows, self.folds.judged, strict=True)):
            decomposition = self.cache.get((recipe, fold))
            if decomposition is None:
                decomposition = self.decomposed(recipe, self.learned[fold], rows)
            if recipe.is_shared:
                self.cache[recipe, fold] = decomposition
            y = self.values(recipe, rows)
            counted = np.append(judged, np.zeros(len(y) - len(judged), dtype=bool))
            total += decomposition.scores(y[:, None], counted)[:, 0] * judged.sum()
            n_judged += judged.sum()
        return np.asarray(total / n_judged)

    def optimism(
        self, recipe: _R, signal: float, learned: _L, most: float = _MOST_OPTIMISM
    ) -> float:
        """How many times larger squared residuals are where the prior did not learn from the pair.

        Of the same pairs, by leave-one-out both; from 1 to `most`.
        """
        if recipe.is_shared:
            return 1.0
        seen = replace(self, learned=[learned] * len(self.learned))
        at = int(np.flatnonzero(signal == SIGNALS)[0])
        honest, in_sample = (judge.scores(recipe)[at] for judge in (self, seen))
        if not np.isfinite(honest):
            return min(most, _MOST_OPTIMISM)
        return float(np.clip(honest / max(in_sample, 1e-300), 1.0, most))


def odd_judge(
    pairs: OddPairs,
    folds: Folds,
    learned: list[Learned],
    cache: dict[tuple[Recipe, int], Decomposition],
) -> Judge[Recipe, Learned]:
    """Of the odd part of a game.

    Recipes that leave the slopes free do not see the pair of the full and the empty coalition:
    where the game jumps there, none would fit.
    """

    def values(recipe: Recipe, rows: Ints) -> Floats:
        odd = pairs.odd[rows]
        return odd if recipe.linear == 0 else np.append(odd, pairs.half_gain)

    def decomposed(recipe: Recipe, learned: Learned, rows: Ints) -> Decomposition:
        part = pairs.subset(rows)
        x, noise = part.signs, 1 / part.weights
        if recipe.linear > 0:
            x, _, noise = part.with_end(exactness=1e4)
        basis = x @ recipe.free(part.shape[1]).directions
        return Decomposition.of(recipe.covariance(learned).matrix(x), basis, noise)

    return Judge(folds, learned, values, decomposed, cache)
