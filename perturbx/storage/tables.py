"""Rows in any container as JSON and arrays, and back in the same container and types."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from perturbx._validation import needed, shown
from perturbx.errors import InvalidParameterError
from perturbx.result.encoding import NUMERIC, plain_dtype

Encode = Callable[[Any], Any]
"""Arrays, cells and names as JSON; or JSON as those."""

_NUMBERS = NUMERIC.replace("S", "").replace("U", "")


def container_of(value: Any) -> str | None:
    """Which of `ENCODERS` and `DECODERS` is for this value; None if it is no table or series."""
    library = type(value).__module__.partition(".")[0]
    if library in ("pandas", "polars"):
        kind = type(value).__name__
        if library == "pandas" and hasattr(value, "identical"):
            return "pandas.Index"
        return f"{library}.{kind}" if kind in ("DataFrame", "Series") else None
    if library == "torch" and hasattr(value, "detach"):
        return "torch"
    return "sparse" if hasattr(value, "tocsr") and library == "scipy" else None


def _frame_parts(frame: Any, encode: Encode) -> dict[str, Any]:
    if type(frame).__module__.partition(".")[0] == "polars":
        return {"columns": [_polars_parts(column, encode) for column in frame.get_columns()]}
    columns = [frame.iloc[:, j] for j in range(frame.shape[1])]
    return {
        "n": len(frame),
        "columns": [_column_parts(column, encode) for column in columns],
        "names": _index_parts(frame.columns, encode),
        "attrs": encode(dict(frame.attrs)),
    }


def _frame(parts: dict[str, Any], decode: Encode) -> Any:
    pd = needed("pandas", "this file", "pandas")
    columns = {j: _column(column, decode) for j, column in enumerate(parts["columns"])}
    if any(len(column) != parts["n"] for column in columns.values()):
        raise ValueError("columns of several lengths")  # pandas would fill them up
    frame = pd.DataFrame(columns, index=pd.RangeIndex(parts["n"]), copy=False)
    frame.columns = _index(parts["names"], decode)
    frame.attrs = decode(parts["attrs"])
    return frame


def _series_parts(series: Any, encode: Encode) -> dict[str, Any]:
    return {**_column_parts(series, encode), "name": encode(series.name)}


def _series(parts: dict[str, Any], decode: Encode) -> Any:
    found = _column(parts, decode)
    found.name = decode(parts["name"])
    return found


def _column_parts(column: Any, encode: Encode) -> dict[str, Any]:
    """A column of pandas: its values, or its type and its cells."""
    dtype = column.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in _NUMBERS:
        return {"values": encode(column.to_numpy())}
    kind = type(dtype).__name__
    if kind == "CategoricalDtype":
        return {
            "codes": encode(np.asarray(column.cat.codes)),
            "categories": _column_parts(dtype.categories.to_series(), encode),
            "ordered": bool(dtype.ordered),
        }
    cells = np.empty(len(column), dtype=object)
    cells[:] = column.to_list()
    name: Any = str(dtype)
    if kind == "StringDtype":
        name = [str(dtype.storage), "NA" if type(dtype.na_value).__name__ == "NAType" else "nan"]
    return {"cells": encode(cells), "dtype": name}


def _column(parts: dict[str, Any], decode: Encode) -> Any:
    pd = needed("pandas", "this file", "pandas")
    if "values" in parts:
        return pd.Series(decode(parts["values"]), copy=False)
    if "codes" in parts:
        categories = pd.Index(_column(parts["categories"], decode))
        dtype = pd.CategoricalDtype(categories, parts["ordered"])
        return pd.Series(pd.Categorical.from_codes(decode(parts["codes"]), dtype=dtype))
    return pd.Series(decode(parts["cells"]).tolist(), dtype=_named_dtype(parts["dtype"]))


def _named_dtype(name: Any) -> Any:
    pd = needed("pandas", "this file", "pandas")
    if isinstance(name, list):
        storage, missing = name
        if storage == "pyarrow":
            needed("pyarrow", "this file", "pyarrow")
        own = {"NA": {}, "nan": {"na_value": np.nan}}[missing]  # older pandas has NA alone
        return pd.StringDtype(storage, **own)
    dtype = pd.api.types.pandas_dtype(name)
    subtype = getattr(dtype, "subtype", None)
    if name != "object" and (isinstance(dtype, np.dtype) or getattr(subtype, "kind", "f") in "SUV"):
        raise ValueError("a type that is wider than its cells")
    return dtype


def _index_parts(index: Any, encode: Encode) -> dict[str, Any]:
    names = encode(tuple(index.names))
    if type(index).__name__ == "RangeIndex":
        return {"range": [index.start, index.stop, index.step], "names": names}
    if type(index).__name__ == "MultiIndex":
        return {"tuples": encode(index.to_list()), "names": names}
    return {"labels": _column_parts(index.to_series(), encode), "names": names}


def _index(parts: dict[str, Any], decode: Encode) -> Any:
    pd = needed("pandas", "this file", "pandas")
    names = decode(parts["names"])
    if "range" in parts:
        return pd.RangeIndex(*parts["range"], name=names[0])
    if "tuples" in parts:
        return pd.MultiIndex.from_tuples(decode(parts["tuples"]), names=names)
    return pd.Index(_column(parts["labels"], decode), name=names[0])


def _polars_parts(series: Any, encode: Encode) -> dict[str, Any]:
    parts = {"name": series.name, "dtype": polars_type_parts(series.dtype, encode)}
    is_plain = series.dtype.is_numeric() and not series.null_count()
    values = series.to_numpy() if is_plain and "Decimal" not in str(series.dtype) else None
    if values is not None and values.dtype.kind in _NUMBERS:
        return {**parts, "values": encode(values)}
    cells = np.empty(len(series), dtype=object)
    cells[:] = series.to_list()
    return {**parts, "values": encode(cells)}


def _polars_series(parts: dict[str, Any], decode: Encode) -> Any:
    pl = needed("polars", "this file", "polars")
    values = decode(parts["values"])
    values = values.tolist() if values.dtype == object else values
    return pl.Series(parts["name"], values, dtype=polars_type(parts["dtype"], decode))


def _polars_frame(parts: dict[str, Any], decode: Encode) -> Any:
    pl = needed("polars", "this file", "polars")
    return pl.DataFrame([_polars_series(column, decode) for column in parts["columns"]])


_POLARS = {
    **{f"{sign}Int{size}": () for sign in ("", "U") for size in (8, 16, 32, 64, 128)},
    **dict.fromkeys(("Float16", "Float32", "Float64", "Boolean", "String", "Date", "Time"), ()),
    **dict.fromkeys(("Null", "Binary", "Categorical"), ()),
    "Datetime": ("time_unit", "time_zone"),
    "Duration": ("time_unit",),
    "Decimal": ("precision", "scale"),
    "Enum": ("categories",),
    "List": ("inner",),
}
"""The types of polars that come back, with the settings of each."""


def polars_type_parts(dtype: Any, encode: Encode) -> list[Any]:
    """A type of polars: its name, and its settings."""
    name = str(dtype.base_type())
    settings = []
    for setting in _POLARS.get(name, ()):
        value = getattr(dtype, setting)
        if setting == "inner":
            settings.append(polars_type_parts(value, encode))
        else:
            settings.append(encode(list(value) if setting == "categories" else value))
    return [name, *settings]


def polars_type(parts: list[Any], decode: Encode) -> Any:
    """The type of `polars_type_parts`."""
    pl = needed("polars", "this file", "polars")
    name, *settings = parts
    known = _POLARS[name]
    given = [
        polars_type(value, decode) if setting == "inner" else decode(value)
        for setting, value in zip(known, settings, strict=True)
    ]
    kind = getattr(pl, name)
    return kind(*given)


_FORMATS = ("csr", "csc", "coo", "lil", "dok")
"""Others may take more memory than their numbers."""

_MOST_EMPTY = 2**20, 50
"""A sparse matrix of a file has so many columns, or so many times its numbers, at most."""


def _sparse_parts(X: Any, encode: Encode) -> dict[str, Any]:
    csr = X.tocsr()
    csr.sort_indices()
    return {
        "format": X.format,
        "is_array": type(X).__name__.endswith("_array"),
        "shape": list(map(int, X.shape)),
        "parts": [encode(part) for part in (csr.data, csr.indices, csr.indptr)],
    }


def _sparse(parts: dict[str, Any], decode: Encode) -> Any:
    from scipy import sparse

    kind: Any = sparse.csr_array if parts["is_array"] else sparse.csr_matrix
    data, indices, ends = map(decode, parts["parts"])
    n, d = parts["shape"]
    if not (len(ends) == n + 1 and indices.dtype.kind == ends.dtype.kind == "i"):
        raise ValueError("a sparse matrix whose parts do not fit together")
    if parts["format"] not in _FORMATS or d > max(_MOST_EMPTY[0], _MOST_EMPTY[1] * len(data)):
        raise ValueError("a sparse matrix that may fill the memory")
    found = kind((data, indices, ends), shape=(n, d))
    found.check_format(full_check=True)  # compiled code would follow its indices anywhere
    return found.asformat(parts["format"])


def _torch_parts(X: Any, encode: Encode) -> dict[str, Any]:
    return {"values": encode(X.detach().cpu().numpy()), "device": str(X.device)}


def _torch(parts: dict[str, Any], decode: Encode) -> Any:
    torch = needed("torch", "this file", "torch")
    tensor = torch.from_numpy(decode(parts["values"]).copy())
    try:
        return tensor.to(parts["device"])
    except (RuntimeError, AssertionError) as error:
        raise InvalidParameterError(
            f"The file holds tensors on {shown(parts['device'])}, which torch does not find here "
            f"({error}): load it where there is one, or save it from the CPU."
        ) from error


ENCODERS: dict[str, Callable[[Any, Encode], dict[str, Any]]] = {
    "pandas.DataFrame": _frame_parts,
    "pandas.Series": _series_parts,
    "pandas.Index": _index_parts,
    "polars.DataFrame": _frame_parts,
    "polars.Series": _polars_parts,
    "sparse": _sparse_parts,
    "torch": _torch_parts,
}
"""What a table is made of, by its container."""

DECODERS: dict[str, Callable[[dict[str, Any], Encode], Any]] = {
    "pandas.DataFrame": _frame,
    "pandas.Series": _series,
    "pandas.Index": _index,
    "polars.DataFrame": _polars_frame,
    "polars.Series": _polars_series,
    "sparse": _sparse,
    "torch": _torch,
}


def dtype_parts(dtype: Any, encode: Encode) -> Any:
    """A type of a column of NumPy, pandas or polars; None if it is none of them."""
    if isinstance(dtype, np.dtype):
        return {"numpy": "O" if dtype.kind == "O" else dtype.str}
    library = getattr(type(dtype), "__module__", "").partition(".")[0]
    if isinstance(dtype, type):  # polars has types without settings as classes
        library = dtype.__module__.partition(".")[0]
    if library == "polars" and hasattr(dtype, "base_type"):
        return {"polars": polars_type_parts(dtype, encode)}
    if library == "pandas" and hasattr(dtype, "construct_array_type"):
        pd = import_module("pandas")
        return {"pandas": _column_parts(pd.Series([], dtype=dtype), encode)}
    return None


def dtype_of(parts: dict[str, Any], decode: Encode) -> Any:
    """The type of `dtype_parts`."""
    if "numpy" in parts:
        return np.dtype(object) if parts["numpy"] == "O" else plain_dtype(parts["numpy"])
    if "polars" in parts:
        return polars_type(parts["polars"], decode)
    return _column(parts["pandas"], decode).dtype
