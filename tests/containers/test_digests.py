"""Digests: equal for rows of the same content, different for all others."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from perturbx.containers import digests_of, rows_at
from perturbx.errors import InvalidInputError
from scipy import sparse

FRAME = pd.DataFrame(
    {
        "number": [1.5, np.nan, 1.5],
        "whole": np.array([1, 2, 1], dtype=np.int8),
        "text": ["a", None, "a"],
        "category": pd.Categorical(["x", "y", "x"]),
        "day": pd.to_datetime(["2020-01-01", "2021-01-01", "2020-01-01"]),
        "nullable": pd.array([1, None, 1], dtype="Int64"),
        "mixed": [Decimal("1.0"), datetime.date(2020, 1, 1), Decimal("1.0")],
    }
)

BATCHES = {
    "array": np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]]),
    "images": np.stack([np.zeros((4, 4, 3)), np.ones((4, 4, 3)), np.zeros((4, 4, 3))]),
    "texts": ["one", "two", "one"],
    "objects": np.array([["a", 1], ["b", 2], ["a", 1]], dtype=object),
    "strings": np.array([["a"], ["b"], ["a"]]),
    "lists": [["a", "b"], ["a"], ["a", "b"]],
    "arrays of several shapes": [np.zeros((2, 3)), np.zeros((3, 2)), np.zeros((2, 3))],
    "sparse": sparse.csr_array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]),
    "pandas": FRAME,
    "series": FRAME["text"],
    "polars": pl.DataFrame({"a": [1.0, None, 1.0], "b": ["x", "y", "x"], "c": [1, 2, 1]}),
    "polars decimals": pl.DataFrame({"a": [Decimal("1.50"), Decimal("2.25"), Decimal("1.50")]}),
    "polars series": pl.Series("texts", ["one", "two", "one"]),
}


@pytest.mark.parametrize("name", sorted(BATCHES))
def test_rows_of_the_same_content_have_the_same_digest(name: str) -> None:
    """Also in a batch of other rows; rows that differ differ."""
    batch = BATCHES[name]
    first, second, third = map(bytes, digests_of(batch))
    assert first == third != second
    reordered = digests_of(rows_at(batch, np.array([2, 1])))
    assert list(map(bytes, reordered)) == [first, second]
    assert bytes(digests_of(batch, "another scope")[0]) != first


@pytest.mark.parametrize("name", sorted(BATCHES))
def test_rows_come_back_in_their_container(name: str) -> None:
    """Of the same class; a frame's rows are numbered from 0."""
    part = rows_at(BATCHES[name], np.array([2, 1]))
    assert type(part) is type(BATCHES[name])
    assert (part.shape[0] if hasattr(part, "shape") else len(part)) == 2
    if isinstance(part, pd.DataFrame):
        assert list(part.index) == [0, 1]
        assert (part.dtypes == FRAME.dtypes).all()


def test_tensors_have_digests() -> None:
    """As arrays have, and others than those."""
    torch = pytest.importorskip("torch")
    batch = torch.tensor([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]], dtype=torch.float64)
    first, second, third = map(bytes, digests_of(batch))
    assert first == third != second
    assert bytes(digests_of(batch.numpy())[0]) != first
    assert rows_at(batch, np.array([1])).tolist() == [[3.0, 4.0]]


CELLS: list[Any] = [
    *(0, 0.0, -0.0, False, None, "", b"", "0", "None", [], (), {}, np.nan, 1, 1.0, True, 1 + 0j),
    *(np.int64(1), np.int32(1), np.float64(1.0), np.float32(1.0), np.True_, np.str_("0")),
    *(Decimal(1), pd.NA, pd.NaT, pd.Timestamp(0), datetime.date(1970, 1, 1), ["a", "b"], ["ab"]),
    *([["a"], "b"], [["a", "b"]], {"a": 1}, {"a": 1.0}, {1: "a"}, np.arange(3), np.arange(3.0)),
    *(np.zeros(2000), np.eye(2000, 1).ravel(), np.zeros((1000, 2)), pd.Interval(0, 1)),
]


def test_cells_of_other_types_or_content_differ() -> None:
    """1, 1.0, True and "1" are four contents; long arrays are read to their ends."""
    found = {bytes(digests_of([[cell]])[0]) for cell in CELLS}
    assert len(found) == len(CELLS)


def test_columns_are_part_of_the_content() -> None:
    """The same numbers under another name, or in another type, are other rows."""
    frames = [
        pd.DataFrame({"a": [1.0]}),
        pd.DataFrame({"b": [1.0]}),
        pd.DataFrame({"a": [1]}),
        pd.DataFrame({"a": np.array([1.0], dtype=np.float32)}),
        pd.DataFrame({"a": pd.Categorical([1.0])}),
        pd.DataFrame({"a": pd.Categorical([1.0], categories=[0.0, 1.0])}),
        pd.DataFrame({"a": ["1.0"]}),
        pl.DataFrame({"a": [1.0]}),
    ]
    assert len({bytes(digests_of(frame)[0]) for frame in frames}) == len(frames)


@given(st.lists(st.lists(st.text(max_size=3), max_size=3), min_size=2, max_size=6))
def test_no_two_rows_of_texts_are_confused(rows: list[list[str]]) -> None:
    """Digests are equal exactly where rows are."""
    digests = list(map(bytes, digests_of(rows)))
    for i, one in enumerate(rows):
        for j, other in enumerate(rows):
            assert (digests[i] == digests[j]) == (one == other)


def test_cells_without_content_are_refused(tmp_path: Any) -> None:
    """The error says what to do."""
    with (tmp_path / "file").open("w") as file, pytest.raises(InvalidInputError, match="archive"):
        digests_of([[file]])
