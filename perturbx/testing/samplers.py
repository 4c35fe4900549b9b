"""The contract of samplers: their designs are what they say."""

from __future__ import annotations

import pickle
from itertools import combinations
from math import comb

import numpy as np

from perturbx._typing import Coalitions, Floats
from perturbx.designs import (
    BackgroundChains,
    Chains,
    Design,
    DownSets,
    Independent,
    Pairs,
    SoftMasks,
)
from perturbx.samplers import AdaptiveSampler, Sampler
from perturbx.testing._shared import answers, check_part, check_saved, require

_SIZES = (1, 2, 5, 9)
_ROUNDS = 5

_MANY = 10_000
"""Perturbations whose mean is compared with the probability of their design."""

_SURE = 5.0
"""Standard errors by which it is never off by chance."""

_PAIRED_FEATURES, _PAIRS, _DRAWS = 9, 30, 40
"""A design of pairs that is far from complete, and how many are drawn to see their spread."""


def check_sampler(sampler: Sampler) -> None:
    """Check the number of perturbations, their order, repetition, continuation and probability.

    Parameters
    ----------
    sampler : Sampler

    Raises
    ------
    AssertionError
        With the sentence of the contract that does not hold.
    """
    check_part(sampler)
    check_saved(sampler)
    for d in _SIZES:
        least, usual = sampler.minimum(d), sampler.default(d)
        require(0 <= least <= usual, f"0 <= minimum({d}) <= default({d}): {least}, {usual}")
        designs: list[Design] = []
        for n in (least, least + 1, 2 * least + 3):
            design = sampler.draw(d, n, np.random.default_rng(n))
            again = pickle.loads(pickle.dumps(sampler)).draw(d, n, np.random.default_rng(n))
            require(_same_design(design, again), "the same rng draws the same design")
            _check_design(design, d, n)
            declared = isinstance(design, sampler.draws) or design.complete
            require(declared, f"it draws what it declares: {sampler.draws.__name__}")
            designs.append(design)
        first = designs[0]
        more = sampler.draw(d, 3 * least + 4, np.random.default_rng(1), first)
        _check_continued(more, first, d, 3 * least + 4)
        if isinstance(sampler, AdaptiveSampler):
            _check_rounds(sampler, first, d)
        _check_probability(sampler, d)
    _check_random_pairs(sampler)


def _check_design(design: Design, d: int, n: int) -> None:
    require(len(design) <= n, f"never more perturbations than asked for: {len(design)} > {n}")
    require(design.n_features == d, "z has one column for each feature")
    weights = design.weights
    require(np.isfinite(weights).all() and (weights > 0).all(), "weights are finite and positive")
    require((np.diff(design.cluster) >= 0).all(), "cluster never decreases")
    require(len(design) > 0 or design.complete, "a design without perturbations is complete")
    if design.complete and not isinstance(design, DownSets):
        n_inner = max(2**d - 2, 0)
        require(len(np.unique(design.z, axis=0)) == n_inner, "a complete design holds them all")
    if isinstance(design, (Independent, SoftMasks)):
        require(np.ptp(weights) == 0, "perturbations that are drawn independently weigh the same")
    if isinstance(design, Pairs) and len(design):
        # each size stands for all coalitions of that size, those of no size for nothing
        size = design.first.sum(axis=1)
        sizes, at = np.unique(np.minimum(size, d - size), return_inverse=True)
        kernel = np.array([(1 if 2 * s == d else 2) / (s * (d - s)) for s in sizes])
        expected = kernel[at] / np.bincount(at)[at]
        relative = design.pair_weights / design.pair_weights.sum() / (expected / expected.sum())
        fair = np.allclose(relative, 1.0)
        require(fair, "weights of pairs add up to the Shapley kernel, in equal parts in each size")


def _check_probability(sampler: Sampler, d: int) -> None:
    """A design was drawn with the probability that it states, or that its class stands for."""
    design = sampler.draw(d, max(_MANY, sampler.minimum(d)), np.random.default_rng(4))
    if isinstance(design, (BackgroundChains, Chains)) and len(design):
        last = np.minimum(design.place, d - 1 - design.place)
        for place in range((d + 1) // 2):
            likely = "each feature is equally likely to join at any place of a chain"
            _require_mean(last == place, (1 if 2 * place == d - 1 else 2) / d, likely)
    if isinstance(design, BackgroundChains) and len(design):
        used = design.row[:, None] == np.arange(design.row.max() + 1)
        _require_mean(used, 1 / used.shape[1], "chains use each background row equally often")
    if not isinstance(design, (Independent, SoftMasks)):
        return
    z, m, p = np.asarray(design.z, dtype=np.float64), len(design), design.p
    require(0 < p < 1, f"the probability of a design lies between 0 and 1: {p}")
    _require_mean(z, p, f"features are present with the probability of the design, {p}")
    moved, most = z - z.mean(axis=0), _SURE * np.sqrt(p * (1 - p) / m)
    across = (moved[1:] * moved[:-1]).mean(axis=0)
    require(np.abs(across).max() <= most, "perturbations are drawn independently of each other")
    if isinstance(design, Independent):
        together = moved.T @ moved / m
        most_together = np.abs(together - np.diag(np.diag(together))).max()
        require(most_together <= most, "features are drawn independently of each other")


def _require_mean(drawn: Floats | Coalitions, p: float, sentence: str) -> None:
    """Require that each column of numbers from 0 to 1 has mean p, up to sampling error."""
    mean = drawn.mean(axis=0)
    far = np.abs(mean - p).max() > _SURE * np.sqrt(p * (1 - p) / len(drawn))
    require(not far, f"{sentence}: {mean.round(3)}")


def _check_random_pairs(sampler: Sampler) -> None:
    """Pairs that are said to be random spread as random pairs of the same sizes do."""
    d, n = _PAIRED_FEATURES, max(2 * _PAIRS, sampler.minimum(_PAIRED_FEATURES))
    excess = []
    for seed in range(_DRAWS):
        rng = np.random.default_rng(seed)
        design = sampler.draw(d, n, rng)
        if not isinstance(design, Pairs) or design.complete or not design.random:
            return
        size = design.first.sum(axis=1)
        first = np.asarray(design.first)
        smaller = np.where((2 * size > d)[:, None], ~first, first)
        sizes, counts = np.unique(smaller.sum(axis=1), return_counts=True)
        drawn = [_random_of_size(d, s, c, rng) for s, c in zip(sizes, counts, strict=True)]
        excess.append(_imbalance(smaller) - _imbalance(np.concatenate(drawn)))
    error = np.std(excess, ddof=1) / np.sqrt(_DRAWS)
    require(
        abs(np.mean(excess)) <= _SURE * error,
        "pairs of a random design are drawn at random: say random=False of chosen ones",
    )


def _random_of_size(d: int, size: int, count: int, rng: np.random.Generator) -> Coalitions:
    """Different pairs at random, by their smaller member."""
    members = np.array(list(combinations(range(d), size)))
    members = members[: comb(d, size) // 2] if 2 * size == d else members
    z = np.zeros((count, d), dtype=bool)
    np.put_along_axis(z, rng.permutation(members)[:count], True, axis=1)
    return z


def _imbalance(z: Coalitions) -> Floats:
    """How far features are from being present together equally often."""
    signs = np.where(z, 1.0, -1.0)
    return np.asarray((np.triu(signs.T @ signs, k=1) ** 2).sum())


def _check_continued(more: Design, first: Design, d: int, n: int) -> None:
    _check_design(more, d, n)
    require(len(more) >= len(first), "a continued design keeps what was drawn")
    for name in ("z", "cluster", "background_row"):
        kept, was = getattr(more, name), getattr(first, name)
        begins = was is None or np.array_equal(kept[: len(first)], was)
        require(begins, f"a continued design begins with the {name} that were drawn")


def _check_rounds(sampler: AdaptiveSampler, design: Design, d: int) -> None:
    """An adaptive sampler depends on the answers and rng alone, and comes to an end."""
    for _ in range(_ROUNDS):
        n = len(design) + 20
        answered = answers(design, 1)
        more = sampler.follow(answered, n, np.random.default_rng(3))
        again = pickle.loads(pickle.dumps(sampler)).follow(answered, n, np.random.default_rng(3))
        require(_same_design(more, again), "the same answers and rng continue in the same way")
        _check_continued(more, design, d, n)
        if len(more) == len(design):
            return
        design = more


def _same_design(a: Design, b: Design) -> bool:
    if a.complete != b.complete or (a.background_row is None) != (b.background_row is None):
        return False
    names = ("z", "weights", "cluster", "background_row")
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in names)
