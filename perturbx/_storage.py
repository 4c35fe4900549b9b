"""Named fields to a file and back: .npz for arrays as they are, .json for other languages.

Nothing is pickled. Arrays keep dtype and shape; what is no array goes through JSON with a tag
for what JSON lacks (tuples, NaN and infinity, object arrays, regions).
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from perturbx._per_instance import PerInstance, Remark
from perturbx.errors import InvalidParameterError
from perturbx.interactions import Interactions
from perturbx.regions import LabelMap, Lattice, Pieces, WindowGrid

_VERSION = 1
_KNOWN: dict[str, type[Any]] = {
    "pieces": Pieces,
    "label_map": LabelMap,
    "lattice": Lattice,
    "window_grid": WindowGrid,
    "interactions": Interactions,
    "per_instance": PerInstance,
    "remark": Remark,
}
_BROKEN = (
    *(ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError, RecursionError),
    *(NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error),
)
"""What NumPy, zipfile and json raise on files that are cut short, changed or another's."""

_Arrays: TypeAlias = dict[str, np.ndarray[Any, Any]]


def write(path: str | os.PathLike[str], mapping: Mapping[str, Any]) -> None:
    """Write the fields to `path`; its ending says how."""
    arrays: _Arrays | None = {} if _ending(path) == ".npz" else None
    text = json.dumps({"perturbx": _VERSION, "fields": _encode(dict(mapping), arrays)})
    if arrays is None:
        Path(path).write_text(text, encoding="utf-8")
    else:
        everything: dict[str, Any] = {**arrays, "fields": np.array(text)}
        with Path(path).open("wb") as file:
            np.savez_compressed(file, **everything)


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The fields that `write` wrote."""
    ending = _ending(path)
    try:
        if ending == ".npz":
            # Opened here, as np.load leaves a file open that it cannot read.
            with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as saved:
                arrays = {name: saved[name] for name in saved.files}
            text = str(arrays.pop("fields"))
        else:
            arrays, text = {}, Path(path).read_text(encoding="utf-8")
        content = json.loads(text)
        if content["perturbx"] > _VERSION:
            raise InvalidParameterError(
                f"{os.fspath(path)!r} was saved by a newer perturbx: update perturbx to read it."
            )
        return dict(_decode(content["fields"], arrays))
    except InvalidParameterError:
        raise
    except _BROKEN as error:
        raise not_saved_here(path) from error


def not_saved_here(path: str | os.PathLike[str]) -> InvalidParameterError:
    """The error for a file that `write` did not write, or that was damaged since."""
    return InvalidParameterError(
        f"path must be a file that Explanation.save wrote: {os.fspath(path)!r} is another file, "
        "or damaged."
    )


def _ending(path: str | os.PathLike[str]) -> str:
    ending = Path(path).suffix.lower()
    if ending not in (".npz", ".json"):
        raise InvalidParameterError(f"path must end in .npz or .json: got {os.fspath(path)!r}.")
    return ending


def _encode(value: Any, arrays: _Arrays | None) -> Any:
    """`value` as JSON; arrays go to `arrays` by name, or into the JSON where that is None."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else {"float": repr(value)}
    if isinstance(value, dict):
        return {"dict": {str(k): _encode(v, arrays) for k, v in value.items()}}
    if isinstance(value, (tuple, list)):
        return {"tuple": [_encode(v, arrays) for v in value]}
    if isinstance(value, np.ndarray):
        return _encode_array(value, arrays)
    for name, kind in _KNOWN.items():
        if isinstance(value, kind):
            held = {f.name: getattr(value, f.name) for f in fields(kind)}
            return {"known": name, "fields": _encode(held, arrays)}
    raise InvalidParameterError(
        f"A {type(value).__name__} cannot be saved: an explanation holds numbers, text, arrays "
        f"and {', '.join(kind.__name__ for kind in _KNOWN.values())}."
    )


def _encode_array(array: np.ndarray[Any, Any], arrays: _Arrays | None) -> Any:
    if array.dtype.kind not in "biufU":
        cells = array.ravel() if array.dtype.kind == "O" else array.ravel().astype(str)
        items = [_encode_cell(cell) for cell in cells.tolist()]
        return {"objects": items, "shape": list(array.shape)}
    if arrays is not None:
        name = f"array_{len(arrays)}"
        arrays[name] = array
        return {"array": name}
    items = array.ravel().tolist()
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        items = [_encode(item, None) for item in items]
    return {"values": items, "shape": list(array.shape), "dtype": array.dtype.str}


def _encode_cell(cell: Any) -> Any:
    """A cell of mixed data; a date, a decimal, whatever else stands there becomes text."""
    try:
        return _encode(cell, None)
    except InvalidParameterError:
        return str(cell)


def _decode(value: Any, arrays: _Arrays) -> Any:
    if not isinstance(value, dict):
        return value
    if "float" in value:
        return float(value["float"])
    if "dict" in value:
        return {k: _decode(v, arrays) for k, v in value["dict"].items()}
    if "tuple" in value:
        return tuple(_decode(v, arrays) for v in value["tuple"])
    if "array" in value:
        return arrays[value["array"]]
    if "known" in value:
        return _KNOWN[value["known"]](**_decode(value["fields"], arrays))
    return _decode_array(value)


def _decode_array(value: dict[str, Any]) -> np.ndarray[Any, Any]:
    shape = tuple(value["shape"])
    if "values" in value:
        items = [_decode(item, {}) for item in value["values"]]
        return np.array(items, dtype=value["dtype"]).reshape(shape)
    cells = np.empty(len(value["objects"]), dtype=object)
    for i, item in enumerate(value["objects"]):
        # One by one: NumPy would unpack cells that are tuples.
        cells[i] = _decode(item, {})
    return cells.reshape(shape)
