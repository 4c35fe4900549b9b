"""What goes in is what comes out: every container, every kind of column."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from perturbx.containers import layout_of
from scipy import sparse

NUMBERS = ["float64", "float32", "float16", "int64", "int8", "uint16", "bool", ">f8"]


def _round_trip(X: Any) -> Any:
    layout = layout_of(X)
    (cells,) = layout.encode(X)
    return layout.decode(cells.bits, cells.tables)


@given(data=st.data(), dtype=st.sampled_from(NUMBERS))
@settings(deadline=None, max_examples=60)
def test_arrays_survive_to_the_last_bit(data: st.DataObject, dtype: str) -> None:
    """Any numbers of any type, NaN payloads and negative zeros with them."""
    X = data.draw(hnp.arrays(dtype, (3, 2)))
    back = _round_trip(X)
    assert back.dtype == X.dtype
    assert back.tobytes() == X.tobytes()


@given(hnp.arrays(object, (3, 2), elements=st.one_of(st.text(), st.none(), st.integers())))
@settings(deadline=None, max_examples=40)
def test_object_arrays_survive(X: np.ndarray) -> None:
    """Text, None and numbers of any size keep value and type."""
    back = _round_trip(X)
    assert back.dtype == object
    assert [(type(a), a) for a in back.flat] == [(type(a), a) for a in X.flat]


def test_missing_and_equal_objects_stay_apart() -> None:
    """1, 1.0 and True are three values; NaN and None survive."""
    X = np.array([[1, 1.0, True], [float("nan"), None, "1"]], dtype=object)
    back = _round_trip(X)
    assert [type(a) for a in back.flat] == [int, float, bool, float, type(None), str]


def test_text_arrays_survive() -> None:
    """NumPy's own strings."""
    X = np.array([["a", "bcd"], ["", "ä"]])
    assert np.array_equal(_round_trip(X), X)


def test_pandas_columns_survive(mixed_frame: Any) -> None:
    """Types, categories and their order, missing cells, and a default index."""
    import pandas as pd

    pd.testing.assert_frame_equal(_round_trip(mixed_frame), mixed_frame.reset_index(drop=True))


@pytest.mark.parametrize("dtype", ["float64", "float32", "int8", "bool"])
def test_pandas_of_one_type_survives(dtype: str) -> None:
    """The fast path, with column names that are no strings."""
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(np.arange(6).reshape(3, 2) % 2, columns=[7, "b"]).astype(dtype)
    pd.testing.assert_frame_equal(_round_trip(X), X)


def test_polars_columns_survive() -> None:
    """Numbers, text, categories, enums, dates, lists of missing cells."""
    pl = pytest.importorskip("polars")
    from datetime import date

    X = pl.DataFrame(
        {
            "i": pl.Series([1, -2, 3], dtype=pl.Int8),
            "f": pl.Series([1.5, float("nan"), -0.0], dtype=pl.Float32),
            "u": pl.Series([2**63 + 1, 0, 5], dtype=pl.UInt64),
            "holes": pl.Series([1, None, 2**60 + 1], dtype=pl.Int64),
            "text": ["a", None, ""],
            "flag": [True, None, False],
            "plain_flag": [True, False, False],
            "kind": pl.Series(["x", "y", "x"], dtype=pl.Categorical),
            "level": pl.Series(["lo", "hi", None], dtype=pl.Enum(["lo", "hi"])),
            "day": [date(2024, 1, 1), None, date(2025, 1, 1)],
        }
    )
    back = _round_trip(X)
    assert back.schema == X.schema
    assert back.equals(X)


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int32])
def test_sparse_survives(make: Any, dtype: Any) -> None:
    """Format, type and class: matrix stays matrix, array stays array."""
    X = make(np.array([[0, 1, 0], [0, 0, 0], [2, 0, 3]], dtype=dtype))
    back = _round_trip(X)
    assert back.has_canonical_format
    assert back.nnz == X.nnz
    assert back.indices.dtype == X.indices.dtype
    assert (type(back), back.format, back.dtype) == (type(X), X.format, X.dtype)
    assert np.array_equal(back.toarray(), X.toarray())


@pytest.mark.parametrize("name", ["float32", "float64", "int64", "uint8", "bool", "float16"])
def test_torch_survives(name: str) -> None:
    """Tensors of every type that NumPy knows."""
    torch = pytest.importorskip("torch")
    X = torch.tensor([[0, 1, 2], [3, 4, 5]]).to(getattr(torch, name))
    back = _round_trip(X)
    assert back.dtype == X.dtype
    assert torch.equal(back, X)


@pytest.mark.parametrize("kind", ["array", "object", "pandas", "polars", "csr", "torch"])
def test_nothing_is_a_view_of_what_came_in(kind: str) -> None:
    """Neither taken rows nor decoded ones share memory with the user's data."""
    X = _container(kind, np.arange(12.0).reshape(4, 3))
    layout = layout_of(X)
    (cells,) = layout.encode(X)
    before = _plain(X)
    for made in (layout.take(X, np.arange(4)), layout.decode(cells.bits.copy(), cells.tables)):
        _scribble(made)
        assert np.array_equal(_plain(X), before)


def _container(kind: str, values: np.ndarray) -> Any:
    if kind == "array":
        return values
    if kind == "object":
        return values.astype(object)
    if kind == "csr":
        return sparse.csr_array(values)
    if kind == "torch":
        return pytest.importorskip("torch").from_numpy(values)
    names = [f"c{j}" for j in range(values.shape[1])]
    library = pytest.importorskip(kind)
    return library.DataFrame(dict(zip(names, values.T, strict=True)))


def _plain(X: Any) -> np.ndarray:
    if sparse.issparse(X):
        return X.toarray()
    return np.array(X.numpy() if hasattr(X, "detach") else X)


def _scribble(X: Any) -> None:
    if sparse.issparse(X):
        X.data[:] = -1
    elif hasattr(X, "iloc"):
        X.iloc[:, :] = -1.0
    elif hasattr(X, "columns"):
        X[0, 0] = -1.0
    else:
        X[...] = -1
