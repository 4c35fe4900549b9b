"""Coalitions for Shapley values: complementary pairs, without replacement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import binom

from perturbx._typing import Coalitions, Floats, Ints
from perturbx.designs import Design, Pairs
from perturbx.samplers._base import Sampler


@dataclass(frozen=True)
class ShapleyCoalitions(Sampler):
    """Pairs {S, complement of S}, without replacement, every coalition size equally likely.

    Sizes are drawn in proportion to the leverage scores of the Kernel SHAP regression (Musco &
    Witter, "Provably accurate Shapley value estimation via leverage score sampling", ICLR 2025,
    Algorithm 1), which are the same for every size; where a size has fewer coalitions than that,
    all of them are taken. Pairing removes the even part of a game, on which Shapley values do
    not depend (Covert & Lee, AISTATS 2021, section 4.2). The weights are those of the Shapley
    kernel (Lundberg & Lee, NeurIPS 2017, Theorem 2), stratified by size, and have mean 1.

    When ``n`` allows all 2**d - 2 coalitions, the design is complete. One feature has no coalition
    except the empty and the full one: its design is empty and complete.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.samplers import ShapleyCoalitions
    >>> design = ShapleyCoalitions().draw(10, 40, np.random.default_rng(0))
    >>> design.z.shape, bool((design.z[0::2] == ~design.z[1::2]).all())
    ((40, 10), True)
    >>> ShapleyCoalitions().draw(3, 100, np.random.default_rng(0)).complete
    True
    """

    draws = Pairs
    continues = True

    def most(self, n_features: int) -> float:
        return 2.0 ** min(n_features, 1000) - 2

    def minimum(self, n_features: int) -> int:
        """As many pairs as features: with fewer, the regression is underdetermined."""
        return 2 * min(n_features, _n_pairs(n_features))

    def default(self, n_features: int) -> int:
        return 2 * min(n_features + 1024, _n_pairs(n_features))

    def distinct(self, n_features: int, n: int) -> int:
        """Every size equally often: where one has fewer pairs, those are asked again."""
        strata = _Strata.of(n_features)
        per_size = n / 2 / max(float(np.where(strata.is_half, 0.5, 1.0).sum()), 1.0)
        quota = strata.quota(int(2 * per_size))
        if (quota < strata.count).all():
            return n
        return min(max(2 * int(quota.sum()), self.minimum(n_features)), n)

    def draw(
        self, n_features: int, n: int, rng: np.random.Generator, drawn: Design | None = None
    ) -> Pairs:
        known = self.own(drawn, Pairs)
        before = np.zeros((0, n_features), dtype=bool) if known is None else np.asarray(known.first)
        n_pairs = min(n // 2, _n_pairs(n_features))
        for _ in range(_MOST_REDRAWS):
            first = _continue(before, n_pairs, rng)
            if _is_determined(first):
                break
        weights = weights_by_size(first)
        # The member that comes first is chosen at random, so that it is not always the smaller.
        fresh = first[len(before) :]
        np.logical_xor(fresh, rng.random((len(fresh), 1)) < 0.5, out=fresh)
        first[: len(before)] = before
        return Pairs(
            first,
            weights,
            random=known is None or known.random,
            complete=len(first) == _n_pairs(n_features),
        )


_MOST_REDRAWS = 200


def _n_pairs(d: int) -> int:
    """The number of pairs, without that of the empty and the full coalition."""
    return int(2 ** (d - 1)) - 1


@dataclass(frozen=True, eq=False)
class _Strata:
    """The pairs of d features by the size of their smaller member, 1 to d // 2."""

    size: Ints
    count: Ints
    is_half: NDArray[np.bool_]

    @classmethod
    def of(cls, d: int) -> _Strata:
        size = np.arange(1, d // 2 + 1)
        is_half = 2 * size == d
        # Past 2**53 no number of pairs that fits into memory comes near.
        count = np.minimum(np.rint(binom(d, size)), 2.0**53).astype(np.intp)
        return cls(size, np.where(is_half, count // 2, count), is_half)

    def quota(self, half_steps: int) -> Ints:
        """Pairs of each size at `half_steps` / 2 pairs per size, rounded to the nearest.

        Where both members have the same size, half as many pairs hold as many coalitions.
        """
        step = np.where(self.is_half, (half_steps + 2) // 4, (half_steps + 1) // 2)
        return np.minimum(step, self.count)

    def allocate(self, n_pairs: int, taken: Ints, rng: np.random.Generator) -> Ints:
        """Pairs of each size, `n_pairs` in all and never fewer than `taken` (no more in all).

        This is Webster's rule: the pairs of a size never become fewer as `n_pairs` grows, so a
        design that is continued has the same sizes as one that is drawn at once. Ties are broken
        at random.
        """
        low, high = 0, 4 * n_pairs + 4
        while high - low > 1:
            middle = (low + high) // 2
            fits = np.maximum(self.quota(middle), taken).sum() <= n_pairs
            low, high = (middle, high) if fits else (low, middle)
        quota = np.maximum(self.quota(low), taken)
        tied = np.flatnonzero(self.quota(low + 1) > quota)
        short = max(n_pairs - int(quota.sum()), 0)
        quota[rng.permutation(tied)[:short]] += 1
        return quota


def _continue(before: Coalitions, n_pairs: int, rng: np.random.Generator) -> Coalitions:
    """The smaller members of `n_pairs` different pairs, those of `before` first."""
    n_known, d = before.shape
    strata = _Strata.of(d)
    members = np.empty((max(n_pairs, n_known), d), dtype=bool)
    members[:n_known] = _smaller(before)
    size = smaller_sizes(members[:n_known])
    taken = np.bincount(size, minlength=d // 2 + 1)[1:]
    wanted = strata.allocate(n_pairs, taken, rng) - taken
    start = n_known
    for i in np.flatnonzero(wanted):
        fraction = (taken[i] + wanted[i]) / strata.count[i]
        known = members[:n_known][size == strata.size[i]]
        fresh = members[start : start + wanted[i]]
        _draw_size(fresh, int(strata.size[i]), fraction > 0.25, known, rng)
        start += len(fresh)
    return members[:start]


def _draw_size(
    fresh: Coalitions, size: int, listed: bool, known: Coalitions, rng: np.random.Generator
) -> None:
    """Fill `fresh` with coalitions of one size, uniformly, that are not among those known."""
    (k, d), seen, filled = fresh.shape, set(_keys(known)), 0
    while filled < k:
        if listed:
            members = np.array(list(combinations(range(d), size)), dtype=np.intp)
            every = np.zeros((len(members), d), dtype=bool)
            np.put_along_axis(every, members, True, axis=1)
            candidates = rng.permutation(_smaller(every))
        else:
            candidates = np.tile(np.arange(d) < size, (k - filled, 1))
            candidates = _smaller(rng.permuted(candidates, axis=1))
        new: list[int] = []
        for place, key in enumerate(_keys(candidates)):
            if key not in seen and filled + len(new) < k:
                seen.add(key)
                new.append(place)
        fresh[filled : filled + len(new)] = candidates[new]
        filled += len(new)


def _smaller(z: Coalitions) -> Coalitions:
    """The smaller member of each pair; of two of one size, that with the last feature."""
    twice = 2 * z.sum(axis=1)
    d = z.shape[1]
    flip = (twice > d) | ((twice == d) & ~z[:, -1])
    return np.asarray(z ^ flip[:, None])


def _keys(z: Coalitions) -> Iterator[bytes]:
    return (row.tobytes() for row in np.packbits(z, axis=1))


def smaller_sizes(members: Coalitions) -> Ints:
    """(c,): the size of the smaller member of each pair."""
    size = members.sum(axis=1)
    return np.asarray(np.minimum(size, members.shape[1] - size))


def pairs_by_size(d: int, n_pairs: int, rng: np.random.Generator) -> Ints:
    """(d // 2 + 1,): how many of `n_pairs` pairs `ShapleyCoalitions` draws of each size."""
    none = np.zeros(d // 2, dtype=int)
    return np.append(0, _Strata.of(d).allocate(min(n_pairs, _n_pairs(d)), none, rng))


def weights_by_size(members: Coalitions, expected: Ints | None = None) -> Floats:
    """The Shapley kernel's mass of each size, shared by the pairs drawn of it; mean 1.

    Where `expected` (d // 2 + 1,) pairs of a size are more, its pairs weigh as they would.
    """
    if not len(members):
        return np.ones(0)
    d, size = members.shape[1], smaller_sizes(members)
    drawn = np.bincount(size)[size]
    mass = np.where(2 * size == d, 0.5, 1.0) / (size * (d - size))
    weights = mass / drawn
    return np.asarray(weights / weights.mean())


def _is_determined(members: Coalitions) -> bool:
    """False if a regression of a known sum on d pairs or more is underdetermined.

    That happens by chance when pairs and features are few. Drawing again introduces no bias: the
    check treats all features alike, so coalitions of one size stay equally likely.
    """
    n_pairs, d = members.shape
    if d > 64 or not d <= n_pairs <= 4 * d:
        return True
    centered = members - members.mean(axis=1, keepdims=True)
    return bool(np.linalg.matrix_rank(centered) == d - 1)
