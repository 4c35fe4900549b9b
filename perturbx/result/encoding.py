"""Values as JSON and back, each with its type; nothing is pickled.

Types that JSON lacks have a tag: tuples, NaN and infinity, arrays, dates, decimals, missing
markers of pandas. A value that would come back as something else is refused.
"""

from __future__ import annotations

import base64
import datetime
import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeAlias
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from perturbx.errors import InvalidParameterError
from perturbx.features import LabelMap, Lattice, Pieces, SeriesMap, Spans, WindowGrid
from perturbx.result.interactions import Interactions
from perturbx.result.per_instance import PerInstance, Remark

Arrays: TypeAlias = Mapping[str, NDArray[Any]]
"""Arrays that a file holds next to the JSON, by name."""

NUMERIC = "biufcSUMm"
"""Kinds of dtype whose arrays are fully described by their bytes."""

_ONE_DTYPE = re.compile(r"[<>|=]?[a-zA-Z]\d{0,18}(\[\w+\])?")
"""A dtype by its name; NumPy parses others as Python."""

_LONGEST_INT = 2**12
"""The most bits of an integer; Python prints no larger ones."""

_WIDE, _SMALL = 50, 2**20
"""Text arrays of more bytes than _SMALL take at most _WIDE times what their texts need."""

_KNOWN: dict[str, type[Any]] = {
    "pieces": Pieces,
    "label_map": LabelMap,
    "lattice": Lattice,
    "series_map": SeriesMap,
    "window_grid": WindowGrid,
    "spans": Spans,
    "interactions": Interactions,
    "per_instance": PerInstance,
    "remark": Remark,
}


def encode(value: Any, arrays: dict[str, NDArray[Any]] | None) -> Any:
    """`value` as JSON; arrays go to `arrays` by name, or into the JSON if that is None."""
    kind = type(value)
    if value is None or kind in (bool, str):
        return value
    if kind is int and value.bit_length() <= _LONGEST_INT:
        return value if value.bit_length() < 64 else {"int": hex(value)}
    if kind is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if kind is dict and all(type(name) is str for name in value):
        return {"dict": {name: encode(v, arrays) for name, v in value.items()}}
    if kind is tuple or kind is list:
        return {kind.__name__: [encode(v, arrays) for v in value]}
    if isinstance(value, np.ndarray):
        return _encode_array(value, arrays)
    if isinstance(value, np.generic):
        return {"scalar": _encode_array(np.asarray(value), None)}
    for name, known in _KNOWN.items():
        if kind is known:
            held = {f.name: getattr(value, f.name) for f in fields(known)}
            return {"known": name, "fields": encode(held, arrays)}
    return _encode_cell(value)


def decode(value: Any, arrays: Arrays) -> Any:
    """The value that `encode` was given; some built-in exception for any other JSON."""
    if isinstance(value, list):
        raise ValueError("a list without its tag")
    if not isinstance(value, dict):
        return value
    tags = sorted(value)
    if len(tags) == 1:
        return _UNTAG[tags[0]](value[tags[0]], arrays)
    if tags == ["fields", "known"]:
        return _KNOWN[value["known"]](**decode(value["fields"], arrays))
    if tags == ["cell", "of"]:
        return _made(value["cell"], value["of"])
    return _decode_array(value)


_UNTAG: dict[str, Callable[[Any, Arrays], Any]] = {
    "int": lambda v, arrays: _decode_int(v),
    "float": lambda v, arrays: float(v),
    "dict": lambda v, arrays: {name: decode(part, arrays) for name, part in v.items()},
    "tuple": lambda v, arrays: tuple(decode(part, arrays) for part in v),
    "list": lambda v, arrays: [decode(part, arrays) for part in v],
    "array": lambda v, arrays: arrays[v],
    "scalar": lambda v, arrays: _decode_array(v)[()],
}


def _decode_int(digits: str) -> int:
    if len(digits) > _LONGEST_INT:
        raise ValueError("an integer too long to print")
    return int(digits, 16)


def _encode_array(array: NDArray[Any], arrays: dict[str, NDArray[Any]] | None) -> Any:
    if isinstance(array, np.ma.MaskedArray) or array.dtype.kind not in f"{NUMERIC}O":
        raise cannot_be_saved(f"{type(array).__name__} of dtype {array.dtype}")
    array = np.asarray(array)
    if array.dtype.kind == "O":
        # Not tolist, which would go into cells that are arrays.
        return {"objects": [encode(v, None) for v in array.flat], "shape": list(array.shape)}
    if arrays is not None:
        name = f"array_{len(arrays)}"
        arrays[name] = array
        return {"array": name}
    like = {"shape": list(array.shape), "dtype": array.dtype.str}
    kind = array.dtype.kind
    if kind in "Sc" or (kind == "f" and array.dtype.itemsize > 8):
        return {"bytes": base64.b64encode(array.tobytes()).decode(), **like}
    if kind in "mM":
        array = array.astype(np.int64) if kind == "m" else np.datetime_as_string(array)
    items = array.ravel().tolist()
    if kind == "U" and _is_too_wide(array.dtype, items):
        raise cannot_be_saved(f"JSON list of much shorter texts than {array.dtype}")
    if kind == "f" and not np.isfinite(array).all():
        items = [encode(item, None) for item in items]
    return {"values": items, **like}


def _is_too_wide(dtype: np.dtype[Any], texts: list[Any]) -> bool:
    """Whether short texts would take a lot of memory, as in a file made to exhaust it."""
    held = 4 * sum(map(len, texts))
    return dtype.itemsize * len(texts) > max(_WIDE * held, _SMALL)


def _decode_array(value: dict[str, Any]) -> NDArray[Any]:
    shape = value["shape"]
    if not all(type(length) is int and length >= 0 for length in shape):
        raise ValueError(f"a shape of {shape}")
    if "objects" in value:
        cells = np.empty(len(value["objects"]), dtype=object)
        for i, item in enumerate(value["objects"]):
            cells[i] = decode(item, {})  # one by one: NumPy would unpack tuples
        return cells.reshape(shape)
    dtype = plain_dtype(value["dtype"])
    if "bytes" in value:
        content = base64.b64decode(value["bytes"], validate=True)
        return np.frombuffer(content, dtype).reshape(shape).copy()
    items = [decode(item, {}) for item in value["values"]]
    if dtype.kind in "Sc" or (dtype.kind == "U" and _is_too_wide(dtype, items)):
        raise ValueError(f"{dtype} as a list")
    return np.array(items, dtype=dtype).reshape(shape)


def plain_dtype(name: Any) -> np.dtype[Any]:
    """The dtype of that name, if its arrays hold neither objects nor records."""
    is_one = isinstance(name, str) and _ONE_DTYPE.fullmatch(name)
    dtype = np.dtype(name) if is_one else np.dtype(object)
    if dtype.kind not in NUMERIC or dtype.itemsize <= 0:  # below 0 beyond what NumPy can count
        raise ValueError(f"dtype {name}")
    return dtype


# Cells of mixed data


def _encode_cell(cell: Any) -> Any:
    """A cell of a type in `_CELLS`, checked to come back as it is."""
    name = f"{type(cell).__module__.partition('.')[0]}.{type(cell).__qualname__}"
    if name in _CELLS:
        parts = [encode(part, None) for part in _CELLS[name][0](cell)]
        with suppress(ValueError, TypeError, LookupError, ArithmeticError):
            back = _made(name, parts)
            if type(back) is type(cell) and repr(back) == repr(cell):
                return {"cell": name, "of": parts}
    raise cannot_be_saved(name.removeprefix("builtins."))


def _made(name: str, parts: list[Any]) -> Any:
    """The cell of that type, made of its encoded parts; it must have a repr."""
    cell = _CELLS[name][1](*(decode(part, {}) for part in parts))
    repr(cell)
    return cell


def cannot_be_saved(what: str) -> InvalidParameterError:
    """The error for a value that would not come back as it is."""
    return InvalidParameterError(
        f"A {what} cannot be saved: it would not come back as it is. To save data as text: "
        "dataclasses.replace(explanation, data=explanation.data.astype(str)).save(path)."
    )


def _datetime_parts(when: datetime.datetime) -> tuple[Any, ...]:
    zone = when.tzinfo
    if zone is None or isinstance(zone, datetime.timezone):
        return when.isoformat(), None, when.fold
    return when.replace(tzinfo=None).isoformat(), str(zone), when.fold


def _datetime(text: str, zone: str | None, fold: int) -> datetime.datetime:
    from zoneinfo import ZoneInfo

    when = datetime.datetime.fromisoformat(text)
    return when.replace(tzinfo=when.tzinfo if zone is None else ZoneInfo(zone), fold=fold)


def _pandas() -> Any:
    try:
        import pandas as pd
    except ImportError as error:
        raise InvalidParameterError(
            "This explanation holds cells of pandas: to read it, pip install pandas."
        ) from error
    return pd


def _timestamp_parts(when: Any) -> tuple[Any, ...]:
    zone = None if when.tzinfo is None else str(when.tzinfo)
    return int(when.asm8.astype(np.int64)), when.unit, zone


def _timestamp(count: int, unit: str, zone: str | None) -> Any:
    when = _pandas().Timestamp(np.int64(count).view(f"M8[{unit}]"))
    if zone is None:
        return when
    if zone.startswith("dateutil"):
        raise ValueError("a time zone that names a file")
    return when.tz_localize("UTC").tz_convert(zone)


_CELLS: dict[str, tuple[Callable[[Any], tuple[Any, ...]], Callable[..., Any]]] = {
    "builtins.complex": (lambda v: (v.real, v.imag), complex),
    "builtins.bytes": (lambda v: (base64.b64encode(v).decode(),), base64.b64decode),
    "builtins.dict": (
        lambda v: (list(v), list(v.values())),
        lambda names, values: dict(zip(names, values, strict=True)),
    ),
    "datetime.date": (lambda v: (v.isoformat(),), datetime.date.fromisoformat),
    "datetime.time": (
        lambda v: (v.isoformat(), v.fold),
        lambda text, fold: datetime.time.fromisoformat(text).replace(fold=fold),
    ),
    "datetime.datetime": (_datetime_parts, _datetime),
    "datetime.timedelta": (lambda v: (v.days, v.seconds, v.microseconds), datetime.timedelta),
    "decimal.Decimal": (lambda v: (str(v),), Decimal),
    "fractions.Fraction": (lambda v: (v.numerator, v.denominator), Fraction),
    "uuid.UUID": (lambda v: (str(v),), UUID),
    "pandas.NAType": (lambda v: (), lambda: _pandas().NA),
    "pandas.NaTType": (lambda v: (), lambda: _pandas().NaT),
    "pandas.Timestamp": (_timestamp_parts, _timestamp),
    "pandas.Timedelta": (
        lambda v: (int(v.asm8.astype(np.int64)), v.unit),
        lambda count, unit: _pandas().Timedelta(np.int64(count).view(f"m8[{unit}]")),
    ),
    "pandas.Period": (
        lambda v: (v.ordinal, v.freqstr),
        lambda ordinal, freq: _pandas().Period(ordinal=ordinal, freq=freq),
    ),
    "pandas.Interval": (
        lambda v: (v.left, v.right, v.closed),
        lambda left, right, closed: _pandas().Interval(left, right, closed),
    ),
}
"""For each type: its parts, which are encoded in turn, and how to make it of them."""
