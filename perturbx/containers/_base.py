"""The contract of a layout: what a container of rows is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from perturbx.errors import InvalidInputError


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


class Layout(ABC):
    """How the rows of one container are taken apart and put together again, dtypes intact.

    It is learned from the X of ``fit``; every later X must have the same layout.
    """

    column_major: ClassVar[bool] = False
    """True if a batch is built fastest from bits whose columns are contiguous."""

    names: tuple[str, ...]
    """The columns' names, as strings."""

    @property
    @abstractmethod
    def bits_dtype(self) -> np.dtype[Any]:
        """The unsigned type of the bits of `encode`."""

    @abstractmethod
    def check(self, X: Any) -> None:
        """Raise `InvalidInputError` unless X has this layout."""

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

    def count(self, X: Any) -> int:
        """How many rows X has."""
        return int(X.shape[0])

    def _check_columns(self, n_columns: int) -> None:
        if n_columns != len(self.names):
            raise InvalidInputError(
                f"X has {n_columns} columns, but fit saw {len(self.names)}: "
                "pass the same columns in the same order."
            )


def distinct(values: list[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(codes, first): a code for each value, and where each code first stood.

    Values count as one only if their types agree too (1, 1.0 and True stay apart), and a
    missing value equals the missing values of its type.
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
    if isinstance(value, str):
        return value
    same = value == value
    if same is not True and not (isinstance(same, np.bool_) and same):
        return type(value), "missing" if np.ndim(same) == 0 else id(value)
    try:
        hash(value)
    except TypeError:
        return type(value), id(value)
    return type(value), value
