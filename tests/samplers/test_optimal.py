"""Pairs that are chosen by what they would tell."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.designs import Design, Evaluations
from perturbx.samplers import OptimalPairs, ShapleyCoalitions, optimal
from perturbx.samplers.optimal import _LINEAR, _NOISE, _Choice, _covariance, _received
from perturbx.samplers.shapley import weights_by_size
from perturbx.solvers import GaussianProcess

SAMPLER = OptimalPairs()


def draw(d: int, n: int, seed: int = 0, drawn: Design | None = None) -> Design:
    return SAMPLER.draw(d, n, np.random.default_rng(seed), drawn)


def triples(d: int) -> np.ndarray:
    """(T, 3): every three features."""
    return np.array(list(combinations(range(d), 3)))


def loadings(signs: np.ndarray) -> np.ndarray:
    """(n, d + T): linear terms and parities of three, each times its prior standard deviation."""
    d = signs.shape[1]
    parities = signs[:, triples(d)].prod(axis=2)
    return np.hstack(
        [signs * np.sqrt(_LINEAR / d), parities / np.sqrt(len(triples(d)))],
    )


def shapley_loadings(d: int) -> np.ndarray:
    """(d, d + T): what a coefficient gives to each feature, 2 / |T| to the members of T."""
    of_triples = np.zeros((d, len(triples(d))))
    for column, members in enumerate(triples(d)):
        of_triples[members, column] = 2 / 3
    return np.hstack(
        [2 * np.eye(d) * np.sqrt(_LINEAR / d), of_triples / np.sqrt(len(triples(d)))],
    )


def room_left(members: np.ndarray, noise: np.ndarray) -> float:
    """The summed variance of the Shapley values once the pairs are answered, by definition."""
    d = members.shape[1]
    signs = np.vstack([np.where(members, 1.0, -1.0), np.ones(d)])
    a, phi = loadings(signs), shapley_loadings(d)
    known = np.linalg.solve(a @ a.T + np.diag(np.append(noise, 0.0)), a @ phi.T)
    return float(np.trace(phi @ phi.T - (a @ phi.T).T @ known))


@pytest.mark.parametrize("d", [3, 5, 8])
def test_the_prior_is_all_triples_alike(d: int) -> None:
    """The polynomial in the inner product is the sum over all parities of three features."""
    signs = np.where(np.random.default_rng(d).random((20, d)) < 0.5, 1.0, -1.0)
    assert_allclose(_covariance(signs @ signs.T, d), loadings(signs) @ loadings(signs).T, atol=1e-9)
    received = _received(signs)
    assert_allclose(received, loadings(signs) @ shapley_loadings(d).T, atol=1e-9)


@pytest.mark.parametrize(("d", "n"), [(9, 60), (10, 40), (30, 80)])
def test_a_seed_fixes_the_pairs_on_every_processor(
    d: int, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Candidates that are as good as each other stay so if sums are rounded another way."""
    expected = draw(d, n, seed=1).z

    def rounded(signs: np.ndarray) -> np.ndarray:
        noise = np.random.default_rng(0).uniform(-1, 1, signs.shape)
        return _received(signs) * (1 + 1e-14 * noise)

    monkeypatch.setattr(optimal, "_received", rounded)
    assert_array_equal(draw(d, n, seed=1).z, expected)


def test_each_pair_is_the_best_of_the_candidates() -> None:
    """Picked one by one, each leaves the least variance that any candidate would: brute force."""
    d, n_pairs = 7, 9
    members = ShapleyCoalitions().draw(d, 60, np.random.default_rng(0)).first
    weights = weights_by_size(members)
    noise = _NOISE / (weights / weights.mean())
    choice, candidates = _Choice.among(members, weights, n_pairs), np.ones(len(members), dtype=bool)
    asked: list[int] = []
    for _ in range(n_pairs):
        left = [
            np.inf if i in asked else room_left(members[[*asked, i]], noise[[*asked, i]])
            for i in range(len(members))
        ]
        best = choice.ask_best(candidates)
        assert left[best] <= min(left) * (1 + 1e-9)
        asked.append(best)


@given(d=st.integers(2, 14), n=st.integers(0, 300), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_every_design_is_distinct_pairs(d: int, n: int, seed: int) -> None:
    """Never more than n rows, only complementary neighbors, none twice, none empty or full."""
    n = max(n, SAMPLER.minimum(d))
    design = draw(d, n, seed)
    assert len(design) == min(n // 2 * 2, 2**d - 2)
    assert_array_equal(design.z[1::2], ~design.z[0::2])
    assert len(np.unique(design.z, axis=0)) == len(design)
    size = np.minimum(design.z.sum(axis=1), (~design.z).sum(axis=1))
    for s in np.unique(size):  # of a size all weigh the same
        assert_allclose(design.weights[size == s], design.weights[size == s][0])
    assert design.z.any(axis=1).all()
    assert not design.z.all(axis=1).any()
    assert design.complete == (len(design) == 2**d - 2)


@pytest.mark.parametrize("d", [6, 12, 40])
def test_less_room_is_left_than_by_lot(d: int) -> None:
    """At 5 d evaluations, in every one of five draws; continued designs too."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        n = min(5 * d, 2**d // 3)
        by_lot = ShapleyCoalitions().draw(d, n, rng)
        continued = draw(d, n, seed, draw(d, n // 2 + 2, seed))
        room = [
            room_left(design.first, _NOISE / design.pair_weights)
            for design in (draw(d, n, seed), continued, by_lot)
        ]
        assert max(room[:2]) < room[2]


def test_the_process_comes_nearer() -> None:
    """A game of cubic interactions, 8 d evaluations: half the error of pairs drawn by lot."""
    d, samplers = 12, {"optimal": SAMPLER, "by lot": ShapleyCoalitions()}
    errors: dict[str, list[float]] = {name: [] for name in samplers}
    for seed in range(6):
        rng = np.random.default_rng(seed)
        slopes, cubic = rng.normal(size=d), rng.normal(size=len(triples(d))) / 8
        phi = 2 * slopes
        for coefficient, members in zip(cubic, triples(d), strict=True):
            phi[members] += 2 / 3 * coefficient
        for name, sampler in samplers.items():
            design = sampler.draw(d, 8 * d, np.random.default_rng(seed))
            ends = np.vstack([design.z, np.ones((1, d), bool), np.zeros((1, d), bool)])
            signs = np.where(ends, 1.0, -1.0)
            v = signs @ slopes + signs[:, triples(d)].prod(axis=2) @ cubic
            answers = Evaluations(design, v[:-2].reshape(-1, 1, 1), v[[[-2]]], v[[[-1]]])
            found = GaussianProcess().solve(answers).values.ravel()
            errors[name].append(((found - phi) ** 2).sum() / (phi**2).sum())
    assert np.median(errors["optimal"]) < 0.5 * np.median(errors["by lot"])


def test_what_the_prior_cannot_tell_apart_is_drawn_by_lot() -> None:
    """Nine features have 93 unknowns: 93 pairs are chosen, and others follow from every size."""
    d, unknowns = 9, 9 + 84
    design, chosen = draw(d, 2 * 150), draw(d, 2 * unknowns)
    assert_array_equal(chosen.z, design.z[: 2 * unknowns])
    size = np.minimum(design.z[0::2].sum(axis=1), (~design.z[0::2]).sum(axis=1))
    assert (np.bincount(size)[1:] >= [9, 20, 30, 30]).all()


def test_of_many_pairs_only_the_first_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number of chosen pairs, random ones follow."""
    monkeypatch.setattr(optimal, "_MOST_CHOSEN", 40)
    chosen, more = draw(12, 2 * 40), draw(12, 2 * 200)
    assert_array_equal(more.z[:80], chosen.z)
    assert len(np.unique(more.z, axis=0)) == 400


@pytest.mark.parametrize(("pairs_a_feature", "share"), [(10, 0.5), (20, 1.0), (60, 1.0)])
def test_no_size_is_left_out_of_many_pairs(pairs_a_feature: int, share: float) -> None:
    """The more pairs a feature, the nearer each size comes to the pairs that it has at random."""
    d = 14
    counts = []
    for sampler in (SAMPLER, ShapleyCoalitions()):
        first = sampler.draw(d, 2 * pairs_a_feature * d, np.random.default_rng(3)).z[0::2]
        counts.append(np.bincount(np.minimum(first.sum(axis=1), (~first).sum(axis=1)))[1:])
    ours, at_random = counts
    assert ours.sum() == at_random.sum() == pairs_a_feature * d
    assert (ours >= np.floor(share * at_random) - 1).all()
