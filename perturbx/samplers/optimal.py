"""Pairs of coalitions chosen by what they would tell, not at random alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints
from perturbx.designs import Design, Pairs
from perturbx.samplers._base import Sampler
from perturbx.samplers.shapley import (
    ShapleyCoalitions,
    pairs_by_size,
    smaller_sizes,
    weights_by_size,
)

_CANDIDATES = 4
_SPARE_CANDIDATES = 200
_MOST_WORK = 2e10
"""Pairs squared times candidates: a few seconds."""
_MOST_CELLS = 2**21
"""Pairs times candidates, or candidates times features: 16 megabytes each."""
_MOST_CHOSEN = 1500
"""Each pair chosen takes time in proportion to those before it; further ones are random."""

_FULL_SHARE = 20
"""With so many pairs per feature, each size has as many pairs as at random; with fewer pairs, at
least a share of them in proportion. Where a game has more than interactions of three features, no
size must be left out.

10 instead of 20 multiplies the squared error of seven smooth games (trees, a support vector
machine, a network, products, unanimity) by 1.24 at 10d coalitions (1.08 to 1.42) and by 1.46 at 20d
(0.99 to 2.12), and that of games of thresholds, parities and ANDs by 1.02 (0.66 to 1.68) and 0.60
(0.22 to 1.34). With 20, none of these has more error at 20d than 1.1 times the regression's.

A share that also grows with the pairs over all interactions of three, n / (d + C(d, 3)), changes
designs of 8 to 11 features. An additive game with noise of each coalition (9 features, 20d, 12
seeds) then has .94 times the regression's error instead of 1.48, but a support vector machine (10
features) 1.27 (0.87 to 1.84) and 1.36 (0.94 to 1.97) times what it had, at 20d and 10d.
"""

_LINEAR = 100.0
"""Prior variance of the linear part, over that of the interactions: nearly free."""
_NOISE = 1e-3
"""Variance of what no interaction of three explains, for a pair of mean weight."""

_TIE = 1e-9
"""A relative difference that may come from rounding, which is not the same on all processors."""


@dataclass(frozen=True)
class OptimalPairs(Sampler):
    """Pairs {S, complement of S} that leave least room for the Shapley values to differ.

    Pairs drawn at random confound the scores with interactions: what d pairs say of the linear part
    depends on how the parities of three features happen to fall on them, and those are what a
    game has next. Here candidates are drawn as `ShapleyCoalitions` draws, several for each pair,
    and picked one by one: each time the pair that most lowers the summed variance of the Shapley
    values, under a prior in which all interactions of three features are as likely and the linear
    part is nearly free. This is a greedy Bayesian A-optimal design (Chaloner & Verdinelli,
    Statistical Science 10, 1995), known before any answer is. Read by `GaussianProcess`,
    pairs drawn at random have twice the squared error and more (benchmarks/tables).

    Weights, ``cluster`` and ``complete`` are those of `ShapleyCoalitions`. Pairs are no random
    sample any more, which the design says (``random=False``): `GaussianProcess` then computes other
    errors, and a solver whose errors come from sampling alone does not suit them. Once there are
    as many pairs as features and interactions of three, or 1,500, further ones are drawn at random.
    The more pairs, the nearer the numbers of pairs of each size come to those of
    `ShapleyCoalitions`, since many pairs also meet interactions of more features.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.samplers import OptimalPairs
    >>> design = OptimalPairs().draw(10, 40, np.random.default_rng(0))
    >>> design.z.shape, bool((design.z[0::2] == ~design.z[1::2]).all())
    ((40, 10), True)
    >>> OptimalPairs().draw(3, 100, np.random.default_rng(0)).complete
    True
    """

    draws: ClassVar[type[Design]] = Pairs
    continues = True

    def most(self, n_features: int) -> float:
        return 2.0 ** min(n_features, 1000) - 2

    def minimum(self, n_features: int) -> int:
        return ShapleyCoalitions().minimum(n_features)

    def default(self, n_features: int) -> int:
        return ShapleyCoalitions().default(n_features)

    def draw(
        self,
        n_features: int,
        n: int,
        rng: np.random.Generator,
        drawn: Design | None = None,
    ) -> Pairs:
        at_random, d = ShapleyCoalitions(), n_features
        before = self.own(drawn, Pairs)
        n_known = 0 if before is None else len(before.first)
        n_pairs = max(n // 2, n_known)
        n_every = 2 ** (min(d, 60) - 1) - 1
        if d < 3 or n_pairs >= n_every:
            return at_random.draw(d, n, rng, before)
        # With as many pairs as unknowns the prior has nothing left to ask for.
        n_chosen = min(n_pairs, d + d * (d - 1) * (d - 2) // 6, _MOST_CHOSEN)
        asks = before is None or n_chosen > n_known
        design = _choose(d, n_chosen, rng, before) if before is None or asks else before
        return design if n_pairs <= len(design.first) else at_random.draw(d, n, rng, design)


def _choose(d: int, n: int, rng: np.random.Generator, drawn: Pairs | None) -> Pairs:
    """`n` pairs, those of `drawn` first, each of the others the best of many candidates."""
    n_known = 0 if drawn is None else len(drawn.first)
    pool = ShapleyCoalitions().draw(d, 2 * (n_known + _pool_size(n, d)), rng, drawn)
    members = np.asarray(pool.first)
    size, candidates = smaller_sizes(members), np.arange(len(members)) >= n_known
    choice = _Choice.among(members, pool.pair_weights, n)
    for place in range(n_known):
        choice.ask(place)
    known = np.bincount(size[:n_known], minlength=d // 2 + 1)
    owed = np.maximum(_least_by_size(d, n, rng) - known, 0)
    chosen = list(range(n_known))
    while len(chosen) < n:
        is_bound = len(chosen) + owed.sum() >= n
        best = choice.ask_best(candidates & (owed[size] > 0) if is_bound else candidates)
        candidates[best] = False
        owed[size[best]] = max(owed[size[best]] - 1, 0)
        chosen.append(best)
    first = members[chosen]
    return Pairs(first, weights_by_size(first), random=False)


def _least_by_size(d: int, n_pairs: int, rng: np.random.Generator) -> Ints:
    """How many pairs of each size there must be, of `n_pairs` in all."""
    share = min(n_pairs / (_FULL_SHARE * d), 1.0)
    return np.asarray(np.floor(share * pairs_by_size(d, n_pairs, rng)), dtype=int)


def _pool_size(n_pairs: int, d: int) -> int:
    """How many candidates: several for each pair, as far as time and memory go."""
    wished = _CANDIDATES * n_pairs + _SPARE_CANDIDATES
    affordable = min(_MOST_WORK / max(n_pairs, 1) ** 2, _MOST_CELLS / max(n_pairs, d))
    return int(max(min(wished, affordable), 1.2 * n_pairs))


@dataclass(eq=False)
class _Choice:
    """What the pairs asked so far leave unknown, of all pairs and of the Shapley values.

    A Gaussian process with prior covariance k(x, y) = linear x'y / d + e_3(x y) / C(d, 3), of which
    e_3, the sum over all products of three entries, is a polynomial in the inner product alone.

    Parameters
    ----------
    signs : (p, d) array
        The candidates, in {-1, 1}.
    noise : (p,) array
        The variance with which each would be answered.
    variance : (p,) array
        Of each pair's answer, given those asked.
    received : (p, d) array
        The covariance of each answer with the Shapley values, given those asked.
    factor : (n + 1, p) array
        Rows of the pivoted Cholesky factor of the prior covariance, one for each pair asked.
    scratch : (p, d) array
        What is subtracted from `received`.
    n_asked : int
        How many rows of `factor` are known.
    """

    signs: Floats
    noise: Floats
    variance: Floats
    received: Floats
    factor: Floats
    scratch: Floats
    n_asked: int = 0

    @classmethod
    def among(cls, members: Coalitions, weights: Floats, n: int) -> _Choice:
        """Nothing asked yet but the pair of the full and the empty coalition; n to come."""
        p, d = members.shape
        signs = np.where(members, 1.0, -1.0)
        prior = _LINEAR + 1.0
        own = cls(
            signs=signs,
            noise=_NOISE / (weights / weights.mean()),
            variance=np.full(p, prior),
            received=_received(signs),
            factor=np.empty((n + 1, p)),
            scratch=np.empty((p, d)),
        )
        ones = np.ones((1, d))
        own._condition(_covariance(signs @ ones[0], d), _received(ones)[0], prior)
        return own

    def ask_best(self, candidates: NDArray[np.bool_]) -> int:
        """Ask the candidate that lowers the variance of the Shapley values most; which it was.

        The first of those that do so alike, so that a seed fixes the pairs on every processor.
        """
        told = np.einsum("pd,pd->p", self.received, self.received)
        gain = np.where(candidates, told / (self.variance + self.noise), 0.0)
        best = int(np.argmax(candidates & (gain >= (1 - _TIE) * gain.max())))
        self.ask(best)
        return best

    def ask(self, place: int) -> None:
        """Condition everything on the answer to one pair."""
        prior = _covariance(self.signs @ self.signs[place], self.signs.shape[1])
        known = self.factor[: self.n_asked]
        rest = prior - known[:, place] @ known
        total = float(self.variance[place] + self.noise[place])
        self._condition(rest, self.received[place].copy(), total)

    def _condition(self, column: Floats, received: Floats, total: float) -> None:
        step = column / np.sqrt(total)
        self.factor[self.n_asked] = step
        self.n_asked += 1
        np.multiply(step[:, None], received / np.sqrt(total), out=self.scratch)
        self.received -= self.scratch
        self.variance = np.maximum(self.variance - step**2, 0.0)


def _covariance(inner: Floats, d: int) -> Floats:
    """Of two pairs, by their inner product: e_3 by Newton's identities, the squares being 1."""
    s, triples = inner, d * (d - 1) * (d - 2) / 6
    return np.asarray(_LINEAR * s / d + (s * s * s - 3 * s * d + 2 * s) / 6 / triples)


def _received(signs: Floats) -> Floats:
    """(p, d): the Shapley values of the function k(., x), for each row x of `signs`.

    A parity of three features gives each of them 2 / 3 of its coefficient, a linear term 2.
    """
    d = signs.shape[1]
    triples = d * (d - 1) * (d - 2) / 6
    others = signs.sum(axis=1, keepdims=True) - signs
    with_two_others = signs * (others**2 - (d - 1)) / 2
    return np.asarray(2 * _LINEAR / d * signs + 2 / 3 / triples * with_two_others)
