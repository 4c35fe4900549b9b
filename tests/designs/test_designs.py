"""The facts of each structure: z, weights, clusters."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from perturbx.designs import (
    BackgroundChains,
    Chains,
    CustomCoalitions,
    Design,
    Independent,
    LeaveOneOut,
    NoiseDraws,
    Pairs,
    SoftMasks,
)

Z = np.array([[True, False, False], [False, True, True], [True, True, False]])
PLACE = np.array([[2, 0, 1], [0, 1, 2]])
DESIGNS = [
    Pairs(Z, np.array([1.0, 2.0, 3.0])),
    Chains(PLACE),
    BackgroundChains(PLACE, np.array([4, 1])),
    LeaveOneOut(3),
    Independent(Z, 0.5),
    CustomCoalitions(Z, np.ones(3), np.arange(3)),
    NoiseDraws(np.eye(3), np.ones(3), np.arange(3)),
    SoftMasks(np.eye(3), 0.3),
]


@pytest.mark.parametrize("design", DESIGNS, ids=lambda d: type(d).__name__)
def test_tiles_are_parts_of_z(design: Design) -> None:
    """Any part of z by itself, and a column, weight and cluster for each."""
    m = len(design)
    assert design.z.shape == (m, design.n_features) == (m, 3)
    for rows in (slice(0, 0), slice(1, 3), slice(2, None), slice(None, None, 2)):
        assert_array_equal(design.tile(rows), design.z[rows])
    assert design.weights.shape == design.cluster.shape == (m,)
    assert (np.diff(design.cluster) >= 0).all()
    assert_array_equal(pickle.loads(pickle.dumps(design)).z, design.z)


def test_pairs_are_complementary() -> None:
    """Each coalition, then its complement; one weight and one cluster for both."""
    design = DESIGNS[0]
    assert_array_equal(design.z[0::2], Z)
    assert_array_equal(design.z[1::2], ~Z)
    assert design.weights.tolist() == [1, 1, 2, 2, 3, 3]
    assert design.cluster.tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("end", [True, False])
def test_the_pair_of_the_ends_is_refused(end: bool) -> None:
    """Its outputs are always known."""
    with pytest.raises(ValueError, match="the pair of the empty and the full coalition"):
        Pairs(np.array([[True, False], [end, end]]), np.ones(2))


def test_chains_join_features_in_their_order_and_its_reverse() -> None:
    """Written out: the order 1, 2, 0 and then 0, 2, 1."""
    expected = [[0, 1, 0], [0, 1, 1], [1, 0, 0], [1, 0, 1]]
    assert_array_equal(Chains(PLACE[:1]).z, np.array(expected, dtype=bool))
    assert Chains(PLACE).cluster.tolist() == [0] * 4 + [1] * 4
    assert BackgroundChains(PLACE, np.array([4, 1])).background_row.tolist() == [4] * 4 + [1] * 4


@pytest.mark.parametrize("d", [1, 2, 3, 5, 300])
def test_any_tile_of_chains_has_the_coalitions_of_its_rows(d: int) -> None:
    """The first features of each order, then of its reverse, wherever a tile begins and ends."""
    rng = np.random.default_rng(d)
    orders = rng.permuted(np.tile(np.arange(d), (3, 1)), axis=1)
    expected = np.zeros((3, 2, d - 1, d), dtype=bool)
    for order, halves in zip(orders, expected, strict=True):
        for walk, half in zip((order, order[::-1]), halves, strict=True):
            for size, coalition in enumerate(half, start=1):
                coalition[walk[:size]] = True
    expected = expected.reshape(-1, d)
    design, m = Chains(orders.argsort(axis=1).astype(np.min_scalar_type(d))), len(expected)
    for start, stop in [(0, m), (0, 0), *rng.integers(0, m + 1, (40, 2)).tolist()]:
        for step in (1, 3, -1):
            rows = slice(start, stop, step)
            assert_array_equal(design.tile(rows), expected[rows])


@pytest.mark.parametrize(("d", "t"), [(2, 1), (5, 1), (5, 3)])
def test_contributions_of_chains_are_differences_along_each_order(d: int, t: int) -> None:
    """To the last bit, for one beginning of all chains and for one each."""
    rng = np.random.default_rng(0)
    orders = rng.permuted(np.tile(np.arange(d), (4, 1)), axis=1)
    design = Chains(orders.argsort(axis=1))
    outputs, full = rng.normal(size=(len(design), t)), rng.normal(size=t)
    for empty in (rng.normal(size=t), rng.normal(size=(4, t))):
        found = design.contributions(outputs, empty, full)
        for c, answers in enumerate(outputs.reshape(4, 2, d - 1, t)):
            first = np.broadcast_to(empty, (4, t))[c]
            for half, walk in enumerate((orders[c], orders[c][::-1])):
                along = np.concatenate([[first], answers[half], [full]])
                assert_array_equal(found[c, half, walk], np.diff(along, axis=0))


def test_chains_are_stored_as_small_integers() -> None:
    """A chain of 2,000 features takes 4 kB, not the 8 MB of its coalitions."""
    design = Chains(np.arange(2000, dtype=np.uint16)[None])
    assert len(design) == 3998
    assert design.tile(slice(1999, 2000)).sum() == 1
    assert len(pickle.dumps(design)) < 5000


@pytest.mark.parametrize(
    ("make", "kind", "said"),
    [
        (lambda: Independent(Z * 1.0, 0.5), TypeError, "needs an array of bool: got float64"),
        (lambda: NoiseDraws(Z, np.ones(3), np.arange(3)), TypeError, "array of float64: got bool"),
        (lambda: CustomCoalitions(Z, np.ones(2), np.arange(3)), ValueError, r"\(3, 3\), \(2,\)"),
        (lambda: SoftMasks(np.ones(3), 0.5), ValueError, r"array \(m, d\)"),
    ],
)
def test_arrays_that_do_not_fit(make: object, kind: type[Exception], said: str) -> None:
    """Refused when the design is made."""
    with pytest.raises(kind, match=said):
        make()  # type: ignore[operator]
