"""The contract of a layout: what a container of rows is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from perturbx.errors import InvalidInputError


@dataclass(frozen=True, eq=False)
class Cells:
    """Rows as unsigned integers, which are masked by AND and XOR without rounding.

    Parameters
    ----------
    bits : (n, d) unsigned array
        The bit patterns of numbers, or codes into the column's table.
    tables : tuple
        For each column its NumPy type, where the bits are those of a number; otherwise the
        distinct values that its codes point to.
    """

    bits: NDArray[Any]
    tables: tuple[Any, ...]


class Layout(ABC):
    """How rows of one container are taken apart and put together again, with their types.

    It is learned from the X of ``fit``; every later X must have the same layout.
    """

    column_major: ClassVar[bool] = False
    """True if a batch is built fastest from bits whose columns are contiguous."""

    holds_objects: bool = False
    """True if cells may be objects of any type; lists of rows then become such arrays too."""

    names: tuple[str, ...]
    """The columns' names, as strings."""

    @property
    def labels(self) -> tuple[Any, ...]:
        """The columns' own labels, of any type where the container has such."""
        return self.names

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

    def decode_columns(self, columns: Sequence[NDArray[Any]], tables: tuple[Any, ...]) -> Any:
        """As `decode`, from the columns one by one, each of its own `width`."""
        return self.decode(np.column_stack(columns), tables)

    def width(self, column: int, tables: tuple[Any, ...]) -> np.dtype[Any]:
        """The narrowest unsigned type that holds the bits of one column."""
        number = self.number_type(column, tables)
        return np.min_scalar_type(len(tables[column])) if number is None else bits_of(number)

    def number_type(self, column: int, tables: tuple[Any, ...]) -> np.dtype[Any] | None:
        """The NumPy type of a column whose bits are numbers, None where they are codes."""
        table = tables[column]
        return table if isinstance(table, np.dtype) else None

    @abstractmethod
    def values(self, X: Any) -> NDArray[Any]:
        """(n, d) values to show or to learn from: float64 if all are numbers, else objects."""

    @abstractmethod
    def is_category(self, column: int) -> bool:
        """True for strings, categories, objects and bools: values without a distance."""

    @abstractmethod
    def numbers(self, X: Any, column: int) -> NDArray[Any] | None:
        """A column's numbers without the missing ones; None if it holds anything else, or none."""

    def put(self, row: Any, numbers: Mapping[int, Any]) -> Any:
        """One row of `decode` with numbers put into some columns, each in its column's type."""
        for column, number in numbers.items():
            row[0, column] = number
        return row

    def _check_like(self, X: Any, name: str, kind: Any, expected: str) -> None:
        """Refuse another container, or another number of columns."""
        if not isinstance(X, kind):
            raise other_container(X, name, expected)
        if X.shape[1] != len(self.names):
            raise InvalidInputError(
                f"{name} has {X.shape[1]} columns, but {model(name, 'has')} {len(self.names)}: "
                "pass the same columns in the same order."
            )


def other_container(X: Any, name: str, expected: str, cure: str = "") -> InvalidInputError:
    """The error for rows in another container than X is, or was at fit."""
    library = type(X).__module__.partition(".")[0]
    return InvalidInputError(
        f"{name} is a {library}.{type(X).__name__}, but {model(name)} a {expected}: pass the same "
        f"kind of container, since predict_fn receives it{cure}."
    )


def bits_of(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The unsigned type of the same size."""
    return np.dtype(f"u{dtype.itemsize}")


def model(name: str, verb: str = "is") -> str:
    """What `name` must be like, in an error: the X of fit, or X."""
    return "fit saw" if name == "X" else f"X {verb}"
