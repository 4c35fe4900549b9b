"""Any user's X as a table of rows, and the layout of its container; anything else is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass, replace
from typing import Any

import numpy as np

from perturbx._validation import distinct_names, is_masked
from perturbx.containers._base import Layout
from perturbx.containers.arrays import (
    ArrayLayout,
    ObjectArrayLayout,
    SparseLayout,
    TorchLayout,
    to_numpy,
)
from perturbx.containers.foreign import (
    TEXT_CURE,
    flat_cells,
    holds_texts,
    is_of,
    is_torch,
    table_cure,
    tensor_cure,
)
from perturbx.containers.frames import FrameLayout
from perturbx.containers.pandas_frames import PandasLayout
from perturbx.containers.polars_frames import PolarsLayout
from perturbx.errors import InvalidInputError

_TRIED = 50
"""The number of rows of a frame that are encoded and decoded to see that nothing changes."""

_LIBRARIES: dict[str, type[FrameLayout]] = {"pandas": PandasLayout, "polars": PolarsLayout}

_ACCEPTED = "a 2-D NumPy array, a pandas or polars DataFrame, a SciPy sparse matrix, a torch tensor"

_CURES = {
    "M": ", or pd.DataFrame(X), which holds dates",
    "m": ", or pd.DataFrame(X), which holds time differences",
    "V": ", or pd.DataFrame(X), which gives each field a column",
    "T": ", as X.astype(object) does",
    "c": ", as np.hstack([X.real, X.imag]) does",
    "f": ", as X.astype(float) does",
}
"""What to do with an array of a kind that is refused."""


def rows_of(X: Any, name: str = "X", objects: bool = False) -> tuple[Any, bool]:
    """X as a table of rows, and whether the user passed a single row without its axis.

    Lists become arrays, of objects if `objects` is true; every other container stays what it is.

    Raises
    ------
    InvalidInputError
        If X is no table, is empty, or holds what no column can (complex numbers, masks).
    """
    if type(X) is not np.ndarray or X.dtype.kind not in "biufc":
        X = _container_of(X, name, objects)
    single = len(X.shape) == 1
    if single:
        X = X.reshape(1, -1)
    if len(X.shape) != 2:
        raise InvalidInputError(
            f"{name} must have two dimensions, rows and columns; got shape {tuple(X.shape)}. "
            "For images pass masker=Superpixels(...) or masker=Windows(...), for series "
            "masker=SeriesSegments(...)."
        )
    if 0 in X.shape:
        raise InvalidInputError(f"{name} is empty: its shape is {tuple(X.shape)}.")
    return X, single


def training_rows(X: Any, name: str = "X") -> Any:
    """X as the table that a masker learns from (see `rows_of`).

    Raises
    ------
    InvalidInputError
        If X is no table, or flat and all texts, which cannot be a single row of training data.
    """
    if holds_texts(X) and not isinstance(X, (str, bytes)):
        raise InvalidInputError(
            f"{name} is a flat {type(X).__name__} of strings, which would be a single row with one "
            f"string for each column. If it is that, pass np.array([{name}], dtype=object). "
            f"{TEXT_CURE}"
        )
    return rows_of(X, name)[0]


def layout_of(X: Any, names: Sequence[str] | None = None) -> Layout:
    """The layout of a table of rows (see `rows_of`)."""
    for library, layout in _LIBRARIES.items():
        if is_of(X, library, "DataFrame"):
            return _frame_layout(layout, X, names)
    names = _array_names(int(X.shape[1]), names)
    if is_torch(X):
        dtype = to_numpy(X[:0], "X").dtype
        if X.is_complex():
            raise _no_column(np.dtype(complex))
        return TorchLayout(names, dtype, str(X.device))
    if _is_sparse(X):
        if X.dtype.kind not in "biuf":
            raise _no_column(X.dtype)
        return SparseLayout(names, X.dtype, X.format, is_of(X, "scipy.sparse", "sparray"))
    if not isinstance(X, np.ndarray):
        raise _no_table(X, "X")
    if type(X) not in (np.ndarray, np.memmap):
        raise InvalidInputError(
            f"X is a {type(X).__name__}, but predict_fn would receive plain arrays: pass "
            "np.asarray(X), and convert it inside predict_fn."
        )
    if X.dtype.kind in "biuf" and X.dtype.itemsize <= 8:
        return ArrayLayout(names, X.dtype)
    if X.dtype.kind in "OUS":
        return ObjectArrayLayout(names, X.dtype)
    raise _no_column(X.dtype)


def _container_of(X: Any, name: str, objects: bool) -> Any:
    """X in one of our containers; an error for records, masks, series and everything else."""
    is_list = isinstance(X, (list, tuple))
    kinds = set(map(type, X if is_list else flat_cells(X)))
    if any(issubclass(kind, Mapping) or is_dataclass(kind) for kind in kinds):
        rows = name if is_list else f"list({name})"
        raise InvalidInputError(
            f"{name} is a {type(X).__name__} of records, such as dicts, which have no order of "
            f"columns: pass pd.DataFrame({rows}), in the columns and types that the model was "
            "trained with."
        )
    if isinstance(X, np.ma.MaskedArray) or is_masked(X):
        cure = f"[row.filled(...) for row in {name}]" if is_list else f"{name}.filled(...)"
        what = "a list of masked arrays" if is_list else "a masked array"
        raise InvalidInputError(f"{name} is {what}: pass {cure}.")
    if is_list:
        return _array_of(X, name, objects)
    if any(is_of(X, library, "Series") for library in _LIBRARIES):
        raise InvalidInputError(
            f"{name} is a Series, which has lost its columns' types: pass a frame of one row, "
            "as in frame.iloc[[0]] (pandas) or frame[0] (polars)."
            f"{f' {TEXT_CURE}' * holds_texts(X)}"
        )
    is_array = isinstance(X, (np.ndarray, np.generic)) and not isinstance(X, (str, bytes))
    is_frame = any(is_of(X, library, "DataFrame") for library in _LIBRARIES)
    if not (is_array or is_frame or is_torch(X) or _is_sparse(X)):
        raise _no_table(X, name)
    if is_torch(X) and (cure := tensor_cure(X, name)):
        raise InvalidInputError(cure)
    return X


def _array_of(X: Sequence[Any], name: str, objects: bool) -> Any:
    """A list as an array; numbers next to strings stay numbers."""
    try:
        array = np.asarray(X, dtype=object if objects else None)
    except ValueError as error:
        cure = f" {TEXT_CURE}" * all(map(holds_texts, X))
        raise InvalidInputError(f"{name} must hold rows of one length: {error}{cure}") from error
    if array.dtype.kind in "US":
        return np.asarray(X, dtype=object)
    if array.dtype.kind == "f" and (np.abs(array) >= 2**53).any():
        for cell, number in zip(np.asarray(X, dtype=object).flat, array.flat, strict=True):
            if isinstance(cell, int) and cell != float(number):
                raise InvalidInputError(
                    f"{name} holds the integer {cell}, which a float64 rounds to {number:.0f}: "
                    f"pass np.array({name}, dtype=object), or floats."
                )
    return array


def _is_sparse(X: Any) -> bool:
    return any(is_of(X, "scipy.sparse", kind) for kind in ("sparray", "spmatrix"))


def _no_table(X: Any, name: str) -> InvalidInputError:
    said = f"{name} must be {_ACCEPTED}; got {type(X).__name__}."
    return InvalidInputError(f"{said} {table_cure(X)}".rstrip())


def _no_column(dtype: Any) -> InvalidInputError:
    return InvalidInputError(
        f"X is of dtype {dtype}, which no column can have: pass numbers, bools or strings"
        f"{_CURES.get(dtype.kind, '')}."
    )


def _frame_layout(kind: type[FrameLayout], X: Any, names: Sequence[str] | None) -> FrameLayout:
    """The layout of a frame, once a sample of its rows is known to come back unchanged."""
    columns = tuple(X.columns)
    if len(set(columns)) < len(columns):
        twice = next(c for c in columns if columns.count(c) > 1)
        raise InvalidInputError(f"Two columns of X are named {twice!r}: give each its own name.")
    printed = distinct_names("columns of X", columns, InvalidInputError)
    if names is not None and tuple(names) != printed:
        raise InvalidInputError(
            "feature_names differ from the names of X's columns: leave feature_names out."
        )
    layout = kind.of(X, printed)
    layout = replace(layout, common=layout.common_type(X))
    n = X.shape[0]
    sample = layout.take(X, np.unique(np.linspace(0, n - 1, min(n, _TRIED)).astype(np.intp)))
    try:
        (cells,) = layout.encode(sample)
        changed = layout.difference(sample, layout.decode(cells.bits, cells.tables))
    except Exception as error:
        raise InvalidInputError(
            f"X cannot be taken apart and put together again ({type(error).__name__}: {error}): "
            "pass a plain frame, with columns of numbers, text, categories or dates."
        ) from error
    if changed:
        raise InvalidInputError(
            f"{changed}, so that predict_fn would not receive what you passed: convert it before "
            "fit, and back inside predict_fn."
        )
    return layout


def _array_names(n_columns: int, names: Sequence[str] | None) -> tuple[str, ...]:
    if names is None:
        return tuple(f"x{j}" for j in range(n_columns))
    if len(names) != n_columns or len(set(names)) < len(names):
        raise InvalidInputError(
            f"feature_names must be {n_columns} distinct names, one for each column of X; "
            f"got {len(names)}, {len(set(names))} of them distinct."
        )
    return distinct_names("feature_names", names, InvalidInputError)
