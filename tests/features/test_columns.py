"""Columns and groups of columns: how they are named, and what they become."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from perturbx.errors import InvalidParameterError
from perturbx.features import Columns, Labels

ABC = ("a", "b", "c")


@pytest.mark.parametrize(
    ("labels", "label", "position"),
    [
        (("a", "b"), "b", 1),
        (("a", "b"), 1, 1),
        ((1, 0), 1, 0),
        ((1, 0), "1", 0),
        ((("x", 1), ("x", 2)), ("x", 2), 1),
        ((True, "b"), True, 0),
    ],
)
def test_a_label_takes_precedence_over_a_name_and_a_position(
    labels: tuple[Any, ...], label: Any, position: int
) -> None:
    """Integers are positions only if no label is an integer."""
    assert Labels(labels, [str(one) for one in labels]).position(label, "no") == position


@pytest.mark.parametrize("label", [2, -1, "c", 0.5, ["a"], True, None])
def test_an_unknown_label_is_refused(label: Any) -> None:
    with pytest.raises(InvalidParameterError, match=r"X has no column .*; there are \['a', 'b'\]"):
        Labels(("a", "b"), ("a", "b")).position(label, "X has no column")


def test_groups_become_features_in_their_order() -> None:
    """A coalition of features is one of columns, and a group shows the values of its columns."""
    columns = Columns.grouped(ABC, ABC, {"late": ["c"], "early": ["b", 0]})
    assert columns.names == ("late", "early")
    assert columns.feature_of.tolist() == [1, 1, 0]
    np.testing.assert_array_equal(columns.of(np.array([[True, False]])), [[False, False, True]])
    assert columns.shown(np.array([[1.5, 2.0, 3.0]])).tolist() == [[3.0, "1.5, 2"]]


def test_columns_without_groups_pass_through() -> None:
    columns, z = Columns.grouped(ABC[:2], ABC[:2], None), np.eye(2, dtype=bool)
    assert columns.of(z) is z
    assert columns.shown(z) is z
