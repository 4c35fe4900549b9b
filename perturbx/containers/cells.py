"""Single cells: which are equal, which are numbers, and which are missing."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from struct import pack
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PLAIN = (str, int, bool, bytes, type(None))
"""Types whose equal values cannot be told apart."""

_NUMBERS = (int, float, Decimal, Fraction, np.integer, np.floating)
_NO_NUMBERS = (bool, np.timedelta64)
"""Types of numbers that a mean makes sense of, and their subclasses of which it makes none."""

_MISSING = ("NAType", "NaTType")
"""The types of ``pd.NA`` and ``pd.NaT``, known by name, so that pandas need not be imported."""


def loses(values: Any, dtype: Any) -> bool:
    """Whether some numbers would be others at a NumPy type, as 1.5 would as an integer."""
    try:
        whole = np.asarray(values)
        kinds = whole.dtype.kind + np.dtype(dtype).kind
        if not set(kinds) <= set("biuf"):
            return False
        with np.errstate(invalid="ignore", over="ignore"):
            cast = whole.astype(dtype)
        return bool((cast != whole).any()) and (kinds != "ff" or not np.isfinite(cast).all())
    except (TypeError, ValueError):
        return False


def distinct(values: list[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(codes, first): a code for each value, and where each code first stood.

    Values share a code only if a model cannot tell them apart: 1, 1.0 and True, 0.0 and -0.0,
    None and NaN, Decimal("1.0") and Decimal("1.00") stay apart.
    """
    codes: dict[Any, int] = {}
    first: list[int] = []
    found = np.empty(len(values), dtype=np.intp)
    for position, value in enumerate(values):
        code = codes.setdefault(_identity(value), len(first))
        if code == len(first):
            first.append(position)
        found[position] = code
    return found, np.asarray(first, dtype=np.intp)


def _identity(value: Any) -> Any:
    """A key that is the same for values that look the same in every way, and for no others."""
    kind = type(value)
    if kind in _PLAIN:
        return kind, value
    if kind is float:
        return kind, pack("d", value)
    if isinstance(value, np.generic):
        return kind, value.dtype.str, value.tobytes()
    try:
        if kind is list:
            return kind, tuple(map(_identity, value))
        if kind is dict:
            return kind, tuple((_identity(name), _identity(of)) for name, of in value.items())
        if kind is np.ndarray and value.dtype.kind != "O":
            return kind, value.dtype.str, value.shape, value.tobytes()
        hash(value)
        if value == value:
            return kind, value, repr(value)
    except Exception:  # arrays of objects and pd.NA have no hash, or no truth
        pass
    return kind, id(value)


def numbers(cells: list[Any]) -> NDArray[Any] | None:
    """The numbers among a column's cells, as objects; None if it holds anything else, or none."""
    known = []
    for cell in cells:
        if is_missing(cell):
            continue
        if not isinstance(cell, _NUMBERS) or isinstance(cell, _NO_NUMBERS):
            return None
        known.append(cell)
    try:
        np.asarray(known, dtype=np.float64)
    except OverflowError:  # integers that no float64 can hold
        return None
    return np.array(known, dtype=object) if known else None


def present(column: NDArray[Any]) -> NDArray[Any] | None:
    """The numbers of an array, NaN left out; None if it holds bools, or nothing but NaN."""
    if column.dtype.kind == "f":
        column = column[~np.isnan(column)]
    return column if column.dtype.kind in "iuf" and len(column) else None


def is_missing(cell: Any) -> bool:
    """True for None, NaN, ``pd.NA`` and ``pd.NaT``."""
    if isinstance(cell, (float, np.floating, Decimal)):
        return bool(cell.is_nan()) if isinstance(cell, Decimal) else bool(cell != cell)
    return cell is None or type(cell).__name__ in _MISSING
