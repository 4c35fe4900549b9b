"""Orders that are consistent with a partial order: all of them, equally often."""

from __future__ import annotations

from collections import Counter
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.designs import ConsistentChains, DownSets, Evaluations
from perturbx.errors import InvalidParameterError, RejectPerturbations
from perturbx.features import FeatureOrder, Labels
from perturbx.samplers import BackgroundPermutations, Permutations, _linear_extensions
from perturbx.samplers._down_sets import down_sets
from perturbx.solvers import BackgroundContributions, KernelShapRegression, MarginalContributions
from perturbx.testing import check_solver
from scipy.stats import chi2

FORKS = {2: [0, 1], 3: [1]}
"""Four features whose order can be taken apart no further."""


def ordered(order: Any, d: int) -> FeatureOrder:
    names = tuple(f"x{j}" for j in range(d))
    return FeatureOrder.read(order, Labels(names, names))


def random_order(d: int, seed: int, density: float = 0.3) -> FeatureOrder:
    """A random graph of causes."""
    rng = np.random.default_rng(seed)
    at = rng.permutation(d)
    edges = np.argwhere(np.triu(rng.random((d, d)) < density, 1))
    causes: dict[int, list[int]] = {0: []}
    for cause, effect in at[edges]:
        causes.setdefault(int(effect), []).append(int(cause))
    return ordered(causes, d)


def consistent(before: np.ndarray) -> list[tuple[int, ...]]:
    """All consistent orders, by trying every permutation."""
    d = len(before)
    every = np.array(list(permutations(range(d))))
    place = every.argsort(axis=1)
    cause, effect = np.nonzero(before)
    return [tuple(row) for row in every[(place[:, cause] < place[:, effect]).all(axis=1)].tolist()]


def asymmetric(game: Any, order: FeatureOrder) -> np.ndarray:
    """Frye et al. (2020): what a feature adds, averaged over the consistent orders of all."""
    kept = order.positions
    orders = consistent(order.before)
    total = np.zeros(len(kept))
    for one in orders:
        mine = [int(np.flatnonzero(kept == j)[0]) for j in one if j in kept]
        z = np.zeros((len(kept) + 1, len(kept)), dtype=bool)
        for place, feature in enumerate(mine):
            z[place + 1 :, feature] = True
        total += np.diff(game(z))[np.argsort(mine)]
    return total / len(orders)


def random_game(d: int, seed: int) -> Any:
    table = np.random.default_rng(seed).normal(size=2**d)
    return lambda z: table[z @ (2 ** np.arange(d))]


@given(d=st.integers(2, 6), seed=st.integers(0, 999), density=st.sampled_from([0.1, 0.3, 0.7]))
@settings(deadline=None, max_examples=30)
def test_every_coalition_gives_the_mean_over_consistent_orders(
    d: int, seed: int, density: float
) -> None:
    """Of a game without structure, for any graph, also where some features receive no score."""
    order = random_order(d, seed, density)
    explained = np.random.default_rng(seed).random(d) < 0.8
    explained[:2] = True
    for scored in (order, order.restricted(explained)):
        n = scored.n_features
        game = random_game(n, seed)
        design = Permutations(scored).draw(n, 2**n, np.random.default_rng(0))
        assert isinstance(design, DownSets)
        assert len(np.unique(design.z, axis=0)) == len(design) == Permutations(scored).most(n)
        evaluations = Evaluations.of_game(design, game)
        solution = MarginalContributions().solve(evaluations)
        assert_allclose(solution.values[0, :, 0], asymmetric(game, scored), atol=1e-12)
        assert (solution.standard_errors == evaluations.floor).all()


@given(d=st.integers(2, 30), seed=st.integers(0, 999), density=st.sampled_from([0.02, 0.1, 0.5]))
@settings(deadline=None, max_examples=25)
def test_both_readings_are_consistent(d: int, seed: int, density: float) -> None:
    """Causes join before their effects, and each chain adds one feature after the other."""
    order, rng = random_order(d, seed, density), np.random.default_rng(seed)
    length = 2 * (d - 1)
    first = BackgroundPermutations(3, order).draw(d, 2 * length, rng)
    more = BackgroundPermutations(3, order).draw(d, 5 * length + 1, rng, first)
    assert_array_equal(more.z[: len(first)], first.z)
    cause, effect = np.nonzero(order.before)
    for place in (more.place, more.again):
        assert_array_equal(np.sort(place, axis=1), np.tile(np.arange(d), (len(place), 1)))
        assert (place[:, cause] < place[:, effect]).all()
    joined = more.z.reshape(-1, 2, d - 1, d)
    assert_array_equal(joined.sum(axis=-1), np.broadcast_to(np.arange(1, d), joined.shape[:3]))
    assert (joined[:, :, :, effect] <= joined[:, :, :, cause]).all()


ORDERS: dict[str, Any] = {
    "levels": [[0, 1, 2], [3, 4]],
    "a tree": {1: [0], 2: [0], 3: [1], 4: [1]},
    "forks": FORKS,
    "two parts": {2: [0, 1], 3: [1], 5: [4]},
}


@pytest.mark.parametrize("counted", [True, False], ids=["counted", "mixed"])
@pytest.mark.parametrize("name", ORDERS)
def test_orders_are_uniform(name: str, counted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every consistent order is drawn equally often, in both readings; nothing else is drawn."""
    order = ordered(ORDERS[name], 6 if name == "two parts" else 5 if name != "forks" else 4)
    if not counted:
        monkeypatch.setattr(_linear_extensions, "MOST_DOWN_SETS", 0)
    every = consistent(order.before)
    n = 300 * len(every)
    for place in _linear_extensions.two_readings(order.before, n, np.random.default_rng(1)):
        seen = Counter(map(tuple, place.argsort(axis=1).tolist()))
        assert set(seen) == set(every)
        far = sum((count - 300) ** 2 for count in seen.values()) / 300
        assert far < chi2.ppf(0.9999, len(every) - 1)


def test_levels_are_reversed_each_by_itself() -> None:
    """So that a chain tells the Shapley values of products of pairs without any error."""
    order = ordered([[0, 1, 2], [3, 4], [5]], 6)
    first, second = _linear_extensions.two_readings(order.before, 5, np.random.default_rng(0))
    assert_array_equal(first + second, np.tile([2, 2, 2, 7, 7, 10], (5, 1)))
    free = ordered([[0, 1, 2, 3]], 4)
    first, second = _linear_extensions.two_readings(free.before, 5, np.random.default_rng(0))
    assert_array_equal(second, 3 - first)


def test_a_feature_without_a_score_still_takes_its_place() -> None:
    """x0 joins before x3 in three orders of four, where x3 waits for x1 and x2 as well."""
    order = ordered({3: [1, 2]}, 4).restricted([True, False, False, True])
    design = Permutations(order).draw(2, 2, np.random.default_rng(0))
    assert isinstance(design, DownSets)
    first = design.probability[(design.lower == 0)]
    assert_allclose(np.sort(first), [0.25, 0.75])
    drawn = BackgroundPermutations(4000, order).draw(2, 8000, np.random.default_rng(0))
    assert abs((drawn.place[:, 0] == 0).mean() - 0.75) < 0.03


def test_a_total_order_has_one_coalition_of_each_size() -> None:
    """Seventy features in a row, more than a machine word has bits."""
    order = ordered([[j] for j in range(70)], 70)
    sampler = Permutations(order)
    assert sampler.most(70) == sampler.minimum(70) == sampler.default(70) == 69
    design = sampler.draw(70, 69, np.random.default_rng(0))
    assert_array_equal(design.z.sum(axis=1), np.arange(1, 70))
    chains = BackgroundPermutations(3, order).draw(70, 10**4, np.random.default_rng(0))
    assert len(chains.row) == 3  # another chain of a row would be the same


def test_probabilities_of_many_orders_do_not_overflow() -> None:
    """Two hundred features in two rows: 10**59 orders, and a step is taken by one in two."""
    order = ordered(
        {**{j + 1: [j] for j in range(99)}, **{j + 1: [j] for j in range(100, 199)}}, 200
    )
    lattice = down_sets(order.before, 2**16)
    assert lattice is not None
    assert len(lattice.sets) == 101**2
    assert_allclose(lattice.probability[:2], 0.5)
    assert_allclose(np.bincount(lattice.joins, lattice.probability), 1.0)


def test_settled_features_have_no_error_and_others_do() -> None:
    """The single feature of a level, and both of a level of two, are known from one chain."""
    order = ordered([[0], [1, 2], [3, 4, 5, 6, 7, 8]], 9)
    design = Permutations(order).draw(9, 48, np.random.default_rng(0))
    assert isinstance(design, ConsistentChains)
    assert_array_equal(design.settled, np.arange(9) < 3)
    game = random_game(9, 0)
    solution = MarginalContributions().solve(Evaluations.of_game(design, game))
    errors = solution.standard_errors[0, :, 0]
    assert (errors[:3] < 1e-11).all()
    assert (errors[3:] > 0.01).all()
    some = order.restricted(np.arange(9) < 3)
    exact = asymmetric(lambda z: game(np.pad(z, ((0, 0), (0, 6)))), ordered([[0], [1, 2]], 3))
    assert some.n_features == 3
    assert_allclose(solution.values[0, :3, 0], exact, atol=1e-12)


@pytest.mark.parametrize("order", [[[0, 1], [2, 3, 4, 5]], {2: [0, 1], 3: [1], 5: [4]}])
@pytest.mark.slow
def test_standard_errors_are_honest(order: Any) -> None:
    """Of 200 draws of 12 chains, 95% intervals hold the truth in 91 to 99%."""
    given_order = ordered(order, 6)
    game = random_game(6, 3)
    truth = asymmetric(game, given_order)
    every = Permutations(given_order).most(6)
    hits = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        small = Permutations(given_order).draw(6, 10, rng)  # nothing is enumerated
        design = Permutations(given_order).draw(6, 120, rng, small)
        assert len(design) == 120 > every
        solution = MarginalContributions().solve(Evaluations.of_game(design, game))
        values, errors = solution.values[0, :, 0], solution.standard_errors[0, :, 0]
        varies = errors > 1e-9
        reach = 2.16 * errors  # of t with 13 degrees of freedom
        hits.append((np.abs(values - truth) <= reach)[varies].mean())
        assert_allclose(values[~varies], truth[~varies], atol=1e-9)
    assert 0.91 <= np.mean(hits) <= 0.99


def test_solvers_keep_their_contract_on_consistent_orders() -> None:
    """Of chains and of every coalition, with and without background rows."""
    every = {d: ordered([list(range(d // 2)), list(range(d // 2, d))], d) for d in (6,)}
    check_solver(MarginalContributions(), _OfAnySize(every[6]))
    check_solver(BackgroundContributions(), _OfAnySize(every[6], 3))


class _OfAnySize:
    """Samplers of one order of six features, and of any order of others."""

    def __init__(self, order: FeatureOrder, n_background: int | None = None) -> None:
        self.order, self.n_background = order, n_background

    def _sampler(self, d: int) -> Any:
        order = self.order if d == 6 else None
        if self.n_background is None:
            return Permutations(order)
        return BackgroundPermutations(self.n_background, order)

    def minimum(self, d: int) -> int:
        return self._sampler(d).minimum(d)

    def draw(self, d: int, n: int, rng: Any) -> Any:
        return self._sampler(d).draw(d, n, rng)


def test_refusals() -> None:
    """Orders of other features, designs of others, and orders that take too long to draw."""
    order = ordered([[0], [1, 2]], 3)
    with pytest.raises(
        InvalidParameterError, match=r"of the 4 features .* got a FeatureOrder of 3"
    ):
        Permutations(order).draw(4, 10, np.random.default_rng(0))
    with pytest.raises(InvalidParameterError, match="a FeatureOrder or None"):
        Permutations([[0], [1]])
    with pytest.raises(InvalidParameterError, match="a FeatureOrder or None"):
        BackgroundPermutations(2, order="x0")
    plain = Permutations().draw(3, 4, np.random.default_rng(0))
    with pytest.raises(RejectPerturbations, match="can only continue ConsistentChains"):
        Permutations(order).draw(3, 4, np.random.default_rng(0), plain)
    every = Permutations(order).draw(3, 9, np.random.default_rng(0))
    answers = Evaluations.of_game(every, random_game(3, 0))
    with pytest.raises(RejectPerturbations, match="All 8 coalitions are needed: got DownSets of 5"):
        KernelShapRegression().solve(answers)
    tangled = random_order(400, 0, 0.01)
    with pytest.raises(InvalidParameterError, match="take too long to draw: pass a list of levels"):
        Permutations(tangled).check(400, 1)
