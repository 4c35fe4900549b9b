"""The contract of a layout: what a container of rows is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from struct import pack
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from perturbx._validation import shown
from perturbx.errors import InvalidInputError, InvalidParameterError

_PLAIN = (str, int, bool, bytes, type(None))
"""Types whose equal values cannot be told apart."""

_NUMBERS = (int, float, Decimal, Fraction, np.integer, np.floating)
_NO_NUMBERS = (bool, np.timedelta64)
"""Types of numbers that a mean makes sense of, and their subclasses of which it makes none."""

_MISSING = ("NAType", "NaTType")
"""The types of ``pd.NA`` and ``pd.NaT``, known by name, so that pandas need not be imported."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Rows as unsigned integers, which mask by AND and XOR without a rounding.

    Parameters
    ----------
    bits : (n, d) unsigned array
        The bit patterns of numbers, or codes into the column's table.
    tables : tuple
        For each column the distinct values that its codes point to; None where the bits are
        the number itself. Empty for containers of one numeric type.
    """

    bits: NDArray[Any]
    tables: tuple[Any, ...] = ()


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


class Layout(ABC):
    """How the rows of one container are taken apart and put together again, dtypes intact.

    It is learned from the X of ``fit``; every later X must have the same layout.
    """

    column_major: ClassVar[bool] = False
    """True if a batch is built fastest from bits whose columns are contiguous."""

    holds_objects: bool = False
    """True if all cells are objects of any type, as a list of such is then too."""

    names: tuple[str, ...]
    """The columns' names, as strings."""

    @property
    def labels(self) -> tuple[Any, ...]:
        """The columns' own labels, of any type where the container has such."""
        return self.names

    @property
    @abstractmethod
    def bits_dtype(self) -> np.dtype[Any]:
        """The unsigned type of the bits of `encode`."""

    @abstractmethod
    def check(self, X: Any, name: str = "X") -> None:
        """Raise `InvalidInputError` unless X has this layout.

        Errors call it `name`: "X", or rows that must be like X.
        """

    @abstractmethod
    def take(self, X: Any, index: NDArray[np.intp]) -> Any:
        """A copy of some rows, in the container's own type."""

    @abstractmethod
    def encode(self, *parts: Any) -> tuple[Cells, ...]:
        """Each part's rows as bits; the parts share their tables."""

    @abstractmethod
    def decode(self, bits: NDArray[Any], tables: tuple[Any, ...]) -> Any:
        """Bits (n, d) as a container; it may share memory with `bits`, never with user data."""

    def width(self, column: int, tables: tuple[Any, ...]) -> np.dtype[Any]:
        """The narrowest unsigned type that holds the bits of one column."""
        return self.bits_dtype

    def decode_columns(self, columns: Sequence[NDArray[Any]], tables: tuple[Any, ...]) -> Any:
        """As `decode`, from the columns one by one, each of its own `width`."""
        return self.decode(np.column_stack(columns), tables)

    @abstractmethod
    def values(self, X: Any) -> NDArray[Any]:
        """(n, d) values to show or to learn from: float64 if all are numbers, else objects."""

    @abstractmethod
    def is_category(self, column: int) -> bool:
        """True for strings, categories, objects and bools: values without a distance."""

    @abstractmethod
    def number_type(self, column: int, tables: tuple[Any, ...]) -> np.dtype[Any] | None:
        """The NumPy type of a column whose bits are numbers, None where they are codes."""

    @abstractmethod
    def numbers(self, X: Any, column: int) -> NDArray[Any] | None:
        """A column's numbers, the missing left out; None if it holds anything else, or none."""

    @abstractmethod
    def put(self, row: Any, numbers: Mapping[int, Any]) -> Any:
        """One row of `decode` with numbers put into some columns, each in its column's type."""

    def count(self, X: Any) -> int:
        """How many rows X has."""
        return int(X.shape[0])

    def _check_columns(self, n_columns: int, name: str) -> None:
        if n_columns != len(self.names):
            raise InvalidInputError(
                f"{name} has {n_columns} columns, but {model(name, 'has')} {len(self.names)}: "
                "pass the same columns in the same order."
            )


def model(name: str, verb: str = "is") -> str:
    """What `name` must be like, in an error: what X was at fit, or what X is."""
    return "fit saw" if name == "X" else f"X {verb}"


def other_container(X: Any, name: str, expected: str, cure: str = "") -> InvalidInputError:
    """The error for rows in another container than X is, or was at fit."""
    library = type(X).__module__.partition(".")[0]
    return InvalidInputError(
        f"{name} is a {library}.{type(X).__name__}, but {model(name)} a {expected}: pass the same "
        f"kind of container, since it is what predict_fn receives{cure}."
    )


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
        hash(value)
        if value == value:
            return kind, value, repr(value)
    except Exception:  # lists, arrays and pd.NA have no hash, or no truth
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


class Labels:
    """How a user may call columns or features: by label, by name, or by position.

    A label wins. An integer is a position only where no label is an integer and no name prints
    like it.
    """

    def __init__(self, labels: Sequence[Any], names: Sequence[str]) -> None:
        self.labels = tuple(labels)
        self._by_label = {(_is_bool(label), label): j for j, label in enumerate(labels)}
        self._by_name = {name: j for j, name in enumerate(names)}
        self._has_integers = any(isinstance(label, (int, np.integer)) for label in labels)

    def position(self, label: Any, unknown: str) -> int:
        """Which one a user means.

        Raises
        ------
        InvalidParameterError
            If there is none; `unknown` begins the message, which goes on with the label.
        """
        try:
            found = self._by_label.get((_is_bool(label), label))
        except TypeError:  # a label that has no hash
            found = None
        if found is None and isinstance(label, str):
            found = self._by_name.get(label)
        if found is not None:
            return found
        cure = ""
        is_integer = isinstance(label, (int, np.integer)) and not _is_bool(label)
        if is_integer and 0 <= label < len(self.labels):
            if not self._has_integers and self._by_name.get(str(label), label) == label:
                return int(label)
            cure = f" Position {label} is that of {self.labels[int(label)]!r}: write it so."
        known = list(self.labels[:10])
        raise InvalidParameterError(f"{unknown} {shown(label)}; there are {known}.{cure}")


def _is_bool(label: Any) -> bool:
    return isinstance(label, (bool, np.bool_))
