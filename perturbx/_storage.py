"""Named fields to a file and back: .npz for arrays as they are, .json for other languages.

Nothing is pickled. Arrays keep dtype and shape; what is no array goes through JSON with a tag
for what JSON lacks (tuples, NaN, object arrays, regions).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from perturbx.errors import InvalidParameterError
from perturbx.regions import LabelMap, WindowGrid

_VERSION = 1
_REGIONS = {"label_map": LabelMap, "window_grid": WindowGrid}


def write(path: str | os.PathLike[str], mapping: Mapping[str, Any]) -> None:
    """Write the fields to `path`; its ending says how."""
    arrays: dict[str, np.ndarray[Any, Any]] | None = {} if _ending(path) == ".npz" else None
    text = json.dumps({"perturbx": _VERSION, "fields": _encode(dict(mapping), arrays)})
    if arrays is None:
        Path(path).write_text(text, encoding="utf-8")
    else:
        with Path(path).open("wb") as file:
            np.savez_compressed(file, **arrays, fields=np.array(text))


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The fields that `write` wrote."""
    if _ending(path) == ".npz":
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        text = str(arrays.pop("fields", ""))
    else:
        arrays, text = {}, Path(path).read_text(encoding="utf-8")
    content = json.loads(text) if text else {}
    if not isinstance(content, dict) or content.get("perturbx") != _VERSION:
        raise InvalidParameterError(f"{os.fspath(path)!r} does not hold a saved explanation.")
    return dict(_decode(content["fields"], arrays))


def _ending(path: str | os.PathLike[str]) -> str:
    ending = Path(path).suffix.lower()
    if ending not in (".npz", ".json"):
        raise InvalidParameterError(f"path must end in .npz or .json, got {os.fspath(path)!r}.")
    return ending


def _encode(value: Any, arrays: dict[str, np.ndarray[Any, Any]] | None) -> Any:
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
    for name, kind in _REGIONS.items():
        if isinstance(value, kind):
            return {"regions": name, "fields": _encode(vars(value), arrays)}
    return str(value)


def _encode_array(array: np.ndarray[Any, Any], arrays: dict[str, Any] | None) -> Any:
    if array.dtype.kind in "OMm":
        items = [_encode(v, None) for v in array.ravel().tolist()]
        return {"objects": items, "shape": list(array.shape)}
    if arrays is not None:
        name = f"array_{len(arrays)}"
        arrays[name] = array
        return {"array": name}
    plain = array.ravel().tolist()
    items = [_encode(v, None) for v in plain] if array.dtype.kind == "f" else plain
    return {"values": items, "shape": list(array.shape), "dtype": array.dtype.str}


def _decode(value: Any, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
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
    if "regions" in value:
        return _REGIONS[value["regions"]](**_decode(value["fields"], arrays))
    items = [_decode(v, arrays) for v in value.get("objects", value.get("values", []))]
    if "objects" in value:
        array = np.empty(len(items), dtype=object)
        array[:] = items
        return array.reshape(value["shape"])
    return np.array(items, dtype=value["dtype"]).reshape(value["shape"])
