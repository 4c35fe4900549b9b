"""Texts, pictures and files: what is no table or array yet, and what to type to make it one."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from os import PathLike
from pathlib import PurePath
from typing import Any

import numpy as np

_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")

_AS_THEY_ARE = ("L", "RGB", "F", "I")
"""Modes of Pillow whose pixels are brightness; of others NumPy gets indices, ink or bits."""

TEXT_CURE = (
    "There is no masker for texts yet. To explain a text by its words, pass them as one row of an "
    "object array: words = np.array([text.split()], dtype=object), masker=px.Baseline("
    'np.full(words.shape, "", dtype=object)), explain(words), and let predict_fn join each row, '
    'as in [" ".join(filter(None, row)) for row in batch].'
)


def is_torch(X: Any) -> bool:
    """True for tensors; torch is not imported for it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(X, torch.Tensor)


def is_pillow(X: Any) -> bool:
    """True for Pillow's images; Pillow is not imported for it."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(X, pillow.Image)


def looks_like_images(X: Any) -> bool:
    """True for what has more than rows and columns, for pictures and their files, and lists."""
    cells = X if isinstance(X, (list, tuple)) else flat_cells(X)
    if len(cells) and all(_is_picture(x) or _n_axes(x) >= 2 for x in cells):
        return True
    return _is_picture(X) or (not isinstance(X, (list, tuple)) and _n_axes(X) > 2)


def holds_texts(X: Any) -> bool:
    """True for a text, and for a flat sequence, array or series of texts, some perhaps missing."""
    if isinstance(X, (str, bytes)):
        return True
    cells = X if isinstance(X, (list, tuple, set, frozenset)) else flat_cells(X)
    found = False
    for cell in cells:
        if isinstance(cell, (str, bytes)):
            found = True
        elif not _is_missing(cell):
            return False
    return found


def flat_cells(X: Any) -> list[Any]:
    """The cells of an array or series of objects or texts with one axis or none, else nothing."""
    dtype = getattr(X, "dtype", None)
    is_numeric = isinstance(dtype, np.dtype) and dtype.kind in "biufc"
    if is_numeric or is_torch(X) or _n_axes(X) > 1:
        return []
    to_list = getattr(X, "tolist", getattr(X, "to_list", None))
    cells = [] if to_list is None else to_list()
    return cells if isinstance(cells, list) else [cells]


def rows_and_weights(rows: Any, weights: Any, X: Any) -> tuple[Any, Any]:
    """Background rows and their weights; what ``shap.kmeans`` returned holds both.

    Its rows are put back into the container that they came from, where X is a pandas DataFrame.
    """
    if not is_dense_data(rows):
        return rows, weights
    weights = rows.weights if weights is None else weights
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(X, pandas.DataFrame):
        names = list(map(str, X.columns))
        if names == list(map(str, rows.group_names)):
            return pandas.DataFrame(rows.data, columns=X.columns).astype(X.dtypes), weights
    return rows.data, weights


def is_dense_data(X: Any) -> bool:
    """True for what ``shap.kmeans`` returns; shap is not imported for it."""
    kind = type(X)
    return kind.__name__ == "DenseData" and kind.__module__.partition(".")[0] == "shap"


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
"""Tables of other libraries (polars, dask, xarray, pyarrow), by what makes them one of ours."""


def tensor_cure(X: Any, name: str) -> str:
    """What to do with a tensor that is no plain array, or "" if it is one."""
    import torch

    if X.is_quantized:
        return f"{name} is a quantized tensor: pass {name}.dequantize()."
    if X.layout != torch.strided or X.is_nested:
        padded, dense = f"torch.nested.to_padded_tensor({name}, 0.0)", f"{name}.to_dense()"
        what = "a nested tensor" if X.is_nested else f"a tensor of layout {X.layout}"
        return f"{name} is {what}, not a plain one: pass {padded if X.is_nested else dense}."
    if X.is_meta:
        return f"{name} is a tensor on the meta device, without values: pass one that has some."
    return ""


def table_cure(X: Any) -> str:
    """What to type where a table is expected and X is none, or "" if that is not known."""
    if holds_texts(X):
        return TEXT_CURE
    if isinstance(X, Mapping):
        return (
            "Columns by name: pass pd.DataFrame(X). What a tokenizer made of a text: pass its words"
            " instead, as one row of an object array."
        )
    if is_dense_data(X):
        return "Rows with weights are a background: pass masker=px.Background(X)."
    if type(X).__name__ in _LAZY:
        return f"Pass {_LAZY[type(X).__name__]}."
    if isinstance(X, PathLike):
        return "perturbx opens no files: read it first, as in pd.read_csv(X)."
    return f"Pass {array_of(X, 'X')}." if is_pillow(X) or hasattr(X, "__array__") else ""


def array_of(X: Any, name: str, *, alike: bool = True) -> str:
    """What to type to make X, which is called `name`, an array; not `alike`: and others with it."""
    if is_torch(X):
        known = X.dtype.is_floating_point and "bfloat16" in str(X.dtype)
        return f"{name}.detach(){'.float()' * known}.cpu().numpy()"
    if is_pillow(X):
        plain = alike and (X.mode in _AS_THEY_ARE or X.mode.startswith("I;"))
        convert = "" if plain else '.convert("RGB")'
        return f"np.asarray({name}{convert})"
    if isinstance(X, (str, PathLike)):
        return f'np.asarray(PIL.Image.open({name}).convert("RGB"))'
    return f"np.asarray({name})"


def shape_of(X: Any) -> tuple[int, ...] | None:
    """The shape that the array of `array_of` has, or None where a file would have to be read."""
    if isinstance(X, (str, PathLike)):
        return None
    if is_pillow(X):
        is_gray = X.mode != "RGB" and array_of(X, "") == "np.asarray()"
        return (X.height, X.width) if is_gray else (X.height, X.width, 3)
    try:
        return tuple(X.shape if hasattr(X, "shape") else np.shape(X))
    except (TypeError, ValueError, RuntimeError):  # lists and nested tensors of several lengths
        return None


def _is_missing(cell: Any) -> bool:
    is_nan = isinstance(cell, float) and cell != cell
    return cell is None or is_nan or type(cell).__name__ == "NAType"


def _is_picture(X: Any) -> bool:
    """True for Pillow's images, for paths, and for texts that end as the name of a picture."""
    if isinstance(X, str):
        return PurePath(X).suffix.lower() in _PICTURES
    return isinstance(X, PathLike) or is_pillow(X)


def _n_axes(X: Any) -> int:
    return len(shape_of(X) or ())
