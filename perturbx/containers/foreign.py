"""Texts, pictures, files and other libraries' tables: what to type to make them arrays."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from os import PathLike
from pathlib import PurePath
from typing import Any

import numpy as np

from perturbx.containers.cells import is_missing

_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")

_BRIGHTNESS = ("L", "RGB", "F", "I")
"""Modes of Pillow whose pixels are brightness; of others NumPy gets indices, ink or bits."""

TEXT_CURE = "To explain texts by their words, pass masker=px.Tokens()."

_LAZY = {
    "LazyFrame": "X.collect()",
    "DataFrame": "X.compute()",  # those of pandas and polars are tables
    "Series": "X.compute()",
    "Array": "X.compute()",
    "DataArray": "X.to_numpy()",
    "Dataset": "X.to_dataframe()",
    "Table": "X.to_pandas()",
    "RecordBatch": "X.to_pandas()",
}
"""Tables of other libraries (polars, dask, xarray, pyarrow), and how to convert them."""


def is_of(X: Any, library: str, kind: str) -> bool:
    """True for an instance of that class; the library is not imported for it."""
    module = sys.modules.get(library)
    return module is not None and isinstance(X, getattr(module, kind))


def is_torch(X: Any) -> bool:
    """True for tensors."""
    return is_of(X, "torch", "Tensor")


def is_pillow(X: Any) -> bool:
    """True for Pillow's images."""
    return is_of(X, "PIL.Image", "Image")


def is_dense_data(X: Any) -> bool:
    """True for the result of ``shap.kmeans``."""
    kind = type(X)
    return kind.__name__ == "DenseData" and kind.__module__.partition(".")[0] == "shap"


def looks_like_images(X: Any) -> bool:
    """True for arrays of three or more axes, pictures and their files, and lists of them."""
    is_list = isinstance(X, (list, tuple))
    cells = X if is_list else flat_cells(X)
    if len(cells) and all(_is_picture(x) or _n_axes(x) >= 2 for x in cells):
        return True
    return _is_picture(X) or (not is_list and _n_axes(X) > 2)


def holds_texts(X: Any) -> bool:
    """True for a text, and for a flat sequence, array or series of texts, some perhaps missing."""
    if isinstance(X, (str, bytes)):
        return True
    cells = X if isinstance(X, (list, tuple, set, frozenset)) else flat_cells(X)
    known = [cell for cell in cells if not is_missing(cell)]
    return len(known) > 0 and all(isinstance(cell, (str, bytes)) for cell in known)


def flat_cells(X: Any) -> list[Any]:
    """The cells of an array or series of objects or texts with at most one axis, else nothing."""
    dtype = getattr(X, "dtype", None)
    is_numeric = isinstance(dtype, np.dtype) and dtype.kind in "biufc"
    if is_numeric or is_torch(X) or _n_axes(X) > 1:
        return []
    to_list = getattr(X, "tolist", getattr(X, "to_list", None))
    cells = [] if to_list is None else to_list()
    return cells if isinstance(cells, list) else [cells]


def rows_and_weights(rows: Any, weights: Any, X: Any) -> tuple[Any, Any]:
    """Background rows and their weights; the result of ``shap.kmeans`` holds both.

    Its rows are put back into the container that they came from, if X is a pandas DataFrame.
    """
    if not is_dense_data(rows):
        return rows, weights
    weights = rows.weights if weights is None else weights
    if is_of(X, "pandas", "DataFrame"):
        names = list(map(str, X.columns))
        if names == list(map(str, rows.group_names)):
            frame = sys.modules["pandas"].DataFrame(rows.data, columns=X.columns)
            return frame.astype(X.dtypes), weights
    return rows.data, weights


def tensor_cure(X: Any, name: str) -> str:
    """How to convert a tensor that is no plain array, or "" if it is one."""
    import torch

    if X.is_quantized:
        return f"{name} is a quantized tensor: pass {name}.dequantize()."
    if X.is_nested:
        padded = f"torch.nested.to_padded_tensor({name}, 0.0)"
        return f"{name} is a nested tensor, not a plain one: pass {padded}."
    if X.layout != torch.strided:
        return f"{name} is a tensor of layout {X.layout}, not a plain one: pass {name}.to_dense()."
    if X.is_meta:
        return f"{name} is a tensor on the meta device, without values: pass one that has some."
    return ""


def table_cure(X: Any) -> str:
    """How to make a table of X, or "" if that is not known."""
    if holds_texts(X):
        return TEXT_CURE
    if isinstance(X, Mapping):
        return (
            "For a dict of columns, pass pd.DataFrame(X). For the output of a tokenizer, pass the "
            "text itself, and masker=px.Tokens(tokenizer=tokenizer)."
        )
    if is_dense_data(X):
        return "Rows with weights are a background: pass masker=px.Background(X)."
    if type(X).__name__ in _LAZY:
        return f"Pass {_LAZY[type(X).__name__]}."
    if isinstance(X, PathLike):
        return "perturbx opens no files: read it first, as in pd.read_csv(X)."
    return f"Pass {array_of(X, 'X')}." if is_pillow(X) or hasattr(X, "__array__") else ""


def array_of(X: Any, name: str, *, alike: bool = True) -> str:
    """What to type to make X, which is called `name`, an array.

    `alike` says that others in the same list have its mode, so that none must be converted.
    """
    if is_torch(X):
        is_half = X.dtype.is_floating_point and "bfloat16" in str(X.dtype)
        return f"{name}.detach(){'.float()' * is_half}.cpu().numpy()"
    if is_pillow(X):
        is_plain = alike and (X.mode in _BRIGHTNESS or X.mode.startswith("I;"))
        convert = "" if is_plain else '.convert("RGB")'
        return f"np.asarray({name}{convert})"
    if isinstance(X, (str, PathLike)):
        return f'np.asarray(PIL.Image.open({name}).convert("RGB"))'
    return f"np.asarray({name})"


def shape_of(X: Any) -> tuple[int, ...] | None:
    """The shape that the array of `array_of` has, or None for a file, which is not read."""
    if isinstance(X, (str, PathLike)):
        return None
    if is_pillow(X):
        is_gray = X.mode != "RGB" and array_of(X, "") == "np.asarray()"
        return (X.height, X.width) if is_gray else (X.height, X.width, 3)
    try:
        return tuple(X.shape if hasattr(X, "shape") else np.shape(X))
    except (TypeError, ValueError, RuntimeError):  # lists and nested tensors of several lengths
        return None


def _is_picture(X: Any) -> bool:
    """True for Pillow's images, for paths, and for names of picture files."""
    if isinstance(X, str):
        return PurePath(X).suffix.lower() in _PICTURES
    return isinstance(X, PathLike) or is_pillow(X)


def _n_axes(X: Any) -> int:
    return len(shape_of(X) or ())
