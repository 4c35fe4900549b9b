"""Rows with cells of other rows: the cells that were named, counted and in batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from perturbx.containers import layout_of
from perturbx.game import Cost, Swaps
from perturbx.predictor import connect


@pytest.mark.parametrize("batch_size", [None, 1, 4])
def test_named_cells_come_from_the_donors(batch_size: int | None) -> None:
    """All others stay, in the order of the rows, and no call is larger than a batch."""
    X = np.arange(15.0).reshape(5, 3)
    seen: list[Any] = []

    def model(batch: Any) -> Any:
        seen.append(batch.copy())
        return np.column_stack([batch.sum(axis=1), batch[:, 0]])

    layout = layout_of(X)
    (cells,) = layout.encode(X)
    predictor = connect(model, X, 5, None)
    swaps = Swaps(layout, cells, predictor, np.array([1]), batch_size)
    seen.clear()
    rows, donors, others = np.array([0, 0, 3, 4, 2]), np.array([1, 2, 3, 0, 4]), np.arange(5)
    answers, cost = swaps.ask(rows, [(donors, np.array([0])), (others, np.array([2]))], "rows")
    expected = X[rows]
    expected[:, 0], expected[:, 2] = X[donors, 0], X[others, 2]
    np.testing.assert_array_equal(np.concatenate(seen), expected)
    np.testing.assert_array_equal(answers, expected[:, :1])
    assert cost == Cost(5, len(seen))
    assert max(map(len, seen)) <= (batch_size or 5)
