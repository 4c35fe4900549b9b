"""Partial orders of features: what a user may pass, and what follows from it."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from perturbx.errors import InvalidParameterError
from perturbx.features import FeatureOrder, Labels

NAMES = ("age", "sex", "income", "spending")
LABELS = Labels(NAMES, NAMES)


@pytest.mark.parametrize(
    "order",
    [
        [["age", "sex"], ["income"], ["spending"]],
        (("age", "sex"), "income", "spending"),
        [[0, 1], 2, [3]],
        [["age", 1], ["income"], 3],
        [np.array([0, 1]), ["income"], ["spending"]],
    ],
)
def test_levels_by_name_or_position(order: Any) -> None:
    """All earlier levels are causes; a level of one feature needs no brackets."""
    found = FeatureOrder.read(order, LABELS)
    assert found.components == ((0, 1), (2,), (3,))
    expected = [[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert_array_equal(found.before, np.array(expected, dtype=bool))
    assert_array_equal(found.before, found.causes)
    assert found.describe(NAMES) == "age, sex → income → spending"


def test_a_mapping_names_direct_causes() -> None:
    """What comes before is what follows from them; other features are free."""
    found = FeatureOrder.read({"spending": ["income"], 2: "age"}, LABELS)
    assert set(map(tuple, np.argwhere(found.causes))) == {(2, 3), (0, 2)}
    assert set(map(tuple, np.argwhere(found.before))) == {(2, 3), (0, 2), (0, 3)}
    places = {j: place for place, (j,) in enumerate(found.components)}
    assert places[0] < places[2] < places[3]
    assert found.describe(NAMES) == "age → income; income → spending"


def test_labels_of_any_type_and_orders_that_say_nothing() -> None:
    """Integer labels are no positions; one level, or no causes at all, leaves any order."""
    labels = Labels((7, 5), ("7", "5"))
    assert FeatureOrder.read([[5], [7]], labels).components == ((1,), (0,))
    for free in ([[5, 7]], {5: []}):
        order = FeatureOrder.read(free, labels)
        assert not order.before.any()
        assert order.describe(("7", "5")) == ""


def test_a_chain_is_closed_and_pickles() -> None:
    """Twenty causes in a row: the first comes before the last."""
    names = tuple(f"x{j}" for j in range(20))
    order = FeatureOrder.read({j + 1: [j] for j in range(19)}, Labels(names, names))
    assert_array_equal(order.before, np.triu(np.ones((20, 20), dtype=bool), 1))
    some = order.restricted(np.arange(20) % 2 == 0)
    assert (order.n_features, some.n_features, some.positions[-1]) == (20, 10, 18)
    assert_array_equal(pickle.loads(pickle.dumps(some)).before, order.before)


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ([["age", "sex"], ["income"]], r"leaves out 1 features, \['spending'\] first"),
        ([["age", "sex", "income"], ["spending", "age"]], "'age' is in level 0 and again in le"),
        ([["age", "age", "sex", "income", "spending"]], "'age' is in level 0 and again in le"),
        ([["age", "sex", "wage"], ["income", "spending"]], "no feature 'wage'; there are"),
        ([[0, 1, 2, 4], [3]], "no feature 4; there are"),
        ([["age", "sex", "income", "spending"], []], "level 1 holds no feature"),
        ([["age", "sex", "income", "spending"], None], "level 1 must be a list of features"),
        ({"income": ["age"], "age": ["income"]}, "cyclic: .*'age' → |cyclic: .*'income' → "),
        ({"age": ["sex"], "sex": ["income"], "income": ["age"]}, "cyclic: .* → .* → .* → "),
        ({"income": ["income"]}, "cyclic: 'income' → 'income'"),
        ({"income": ["age"], 2: ["sex"]}, "'income' is named twice, the second time as 2"),
        ({"income": ["age", 0]}, "'age' is twice among the causes of 'income'"),
        ({"wage": ["age"]}, "no feature 'wage'"),
        ({"income": ["wage"]}, "no feature 'wage'"),
        ({"income": 1.5}, "the causes of 'income' must be a list of features; got 1.5"),
        ({}, "order must be a list of levels"),
        ([], "order must be a list of levels"),
        ("age", "order must be a list of levels"),
        (3, "order must be a list of levels"),
        ({"age", "sex"}, "order must be a list of levels"),
    ],
)
def test_refusals(order: Any, said: str) -> None:
    """Each names what is wrong, and where."""
    with pytest.raises(InvalidParameterError, match=said):
        FeatureOrder.read(order, LABELS)
