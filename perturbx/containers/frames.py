"""What pandas and polars DataFrames have in common: columns, each with a type of its own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from perturbx.containers._base import Cells, Layout, bits_of, model, other_container
from perturbx.containers.cells import distinct, loses, numbers, present
from perturbx.errors import InvalidInputError


@dataclass(frozen=True, eq=False)
class FrameLayout(Layout):
    """A frame whose columns have types of their own.

    If all columns have one NumPy number type, the bits are theirs; otherwise they are 64 bits
    wide: numbers keep their patterns in the low bits, anything else is a code into a table.
    """

    column_major: ClassVar[bool] = True

    library: ClassVar[str]
    """The name of the library, imported when it is needed."""

    remade: ClassVar[str]
    """What to type to make a frame like X of an array of rows."""

    names: tuple[str, ...]
    columns: tuple[Any, ...]
    dtypes: tuple[Any, ...]
    common: np.dtype[Any] | None

    @classmethod
    @abstractmethod
    def of(cls, X: Any, names: tuple[str, ...]) -> FrameLayout:
        """The layout of a frame with these column names, its `common` type left open."""

    @abstractmethod
    def plain(self, column: Any) -> np.dtype[Any] | None:
        """The NumPy type that holds this column exactly, or None."""

    @abstractmethod
    def column(self, X: Any, position: int) -> Any:
        """One column of X."""

    @abstractmethod
    def columns_of(self, X: Any) -> list[Any]:
        """All columns of X, which is faster than one by one."""

    @abstractmethod
    def table(self, column: Any, first: NDArray[np.intp]) -> Any:
        """The distinct values of a column, for `pick`."""

    @abstractmethod
    def pick(self, table: Any, positions: NDArray[np.intp]) -> Any:
        """Values at some positions, as `build` takes them."""

    @abstractmethod
    def build(self, columns: list[Any]) -> Any:
        """A frame of these columns."""

    @abstractmethod
    def build_common(self, values: NDArray[Any]) -> Any:
        """A frame of one type from (n, d) values whose columns are contiguous."""

    @staticmethod
    def is_object(dtype: Any) -> bool:
        """True for the type of columns whose cells may be anything."""
        return False

    @property
    def labels(self) -> tuple[Any, ...]:
        return self.columns

    @property
    def module(self) -> Any:
        """The library itself."""
        return import_module(self.library)

    def common_type(self, X: Any) -> np.dtype[Any] | None:
        """The one NumPy type of all columns, if they have one."""
        types = set(map(self.plain, self.columns_of(X)))
        return types.pop() if len(types) == 1 else None

    def difference(self, X: Any, back: Any) -> str:
        """What `decode` changed in X, in words, or ""."""
        pairs = zip(self.columns_of(X), self.columns_of(back), strict=True)
        for label, dtype, (column, other) in zip(self.columns, self.dtypes, pairs, strict=True):
            for got in (column.dtype, other.dtype):
                if got != dtype:
                    return f"Column {label!r} of X, of dtype {dtype}, becomes {got}"
            if self.is_object(dtype):
                codes, _ = distinct([*column.to_list(), *other.to_list()])
                is_same = (codes[: len(column)] == codes[len(column) :]).all()
            else:
                is_same = column.equals(other)
            if not is_same:
                return f"Column {label!r} of X, of dtype {dtype}, gets other values"
        return ""

    def check(self, X: Any, name: str = "X") -> None:
        if not isinstance(X, self.module.DataFrame):
            cure = f", as in {self.remade}" * (name != "X" and isinstance(X, np.ndarray))
            raise other_container(X, name, f"{self.library} DataFrame", cure)
        columns = tuple(X.columns)
        if columns != self.columns:
            raise InvalidInputError(_other_columns(columns, self.columns, name))
        for j, (got, expected) in enumerate(zip(X.dtypes, self.dtypes, strict=True)):
            if got is not expected:  # most types are objects that all columns share
                self._check_type(X, j, got, name)

    def _check_type(self, X: Any, j: int, got: Any, name: str) -> None:
        """Refuse a column of another type, or with other categories."""
        expected = self.dtypes[j]
        said, like = f"Column {self.columns[j]!r} of {name}", model(name, "has")
        if str(got) != str(expected):
            said += f" is of dtype {got}, but {like} {expected}"
            # What NumPy calls a number type of pandas, pyarrow or polars.
            if not loses(self.column(X, j), str(expected).partition("[")[0].lower()):
                raise InvalidInputError(f"{said}: convert it to that type.")
            how = "call fit with" if name == "X" else "pass X with"
            raise InvalidInputError(
                f"{said}, which cannot hold all of its values: {how} that column as {got}."
            )
        if got != expected and not _categories(expected):
            raise InvalidInputError(
                f"{said} is of dtype {got!r}, but {like} {expected!r}: give both one type."
            )
        if got != expected or _categories(got) != _categories(expected):
            raise InvalidInputError(
                f"{said} has the categories {_categories(got)[:5]}, first ones shown, but {like} "
                f"{_categories(expected)[:5]}: use the same categories in the same order, since "
                "their codes depend on it."
            )

    def encode(self, *parts: Any) -> tuple[Cells, ...]:
        ends = np.cumsum([len(part) for part in parts])
        columns = list(zip(*map(self.columns_of, parts), strict=True))
        types = [set(map(self.plain, pieces)) for pieces in columns]
        tables: list[Any] = [known.pop() if len(known) == 1 else None for known in types]
        wide = np.dtype("u8")
        dtype = bits_of(self.common) if self.common is not None and all(tables) else wide
        bits = np.empty((ends[-1], len(columns)), dtype=dtype)
        for j, (pieces, table) in enumerate(zip(columns, tables, strict=True)):
            if table is not None:
                values = np.concatenate([piece.to_numpy() for piece in pieces], dtype=table)
                bits[:, j] = values.view(bits_of(table))
            else:
                column = self.module.concat(pieces) if len(pieces) > 1 else pieces[0]
                bits[:, j], first = distinct(column.to_list())
                tables[j] = self.table(column, first)
        return tuple(Cells(piece, tuple(tables)) for piece in np.split(bits, ends[:-1]))

    def decode(self, bits: NDArray[Any], tables: tuple[Any, ...]) -> Any:
        if self.common is not None and all(isinstance(t, np.dtype) for t in tables):
            return self.build_common(bits.T.view(self.common).T)
        widths = [self.width(j, tables) for j in range(len(tables))]
        columns = [bits[:, j].astype(width, copy=False) for j, width in enumerate(widths)]
        return self.decode_columns(columns, tables)

    def decode_columns(self, columns: Sequence[NDArray[Any]], tables: tuple[Any, ...]) -> Any:
        return self.build(
            [
                column.view(table)
                if isinstance(table, np.dtype)
                else self.pick(table, column.astype(np.intp))
                for column, table in zip(columns, tables, strict=True)
            ]
        )

    def values(self, X: Any) -> NDArray[Any]:
        kind = np.float64 if self._is_numeric() else object
        out = np.empty((len(X), len(self.columns)), dtype=kind)
        for j, column in enumerate(self.columns_of(X)):
            if kind is np.float64:
                out[:, j] = column.to_numpy()
            else:  # one by one: cells may be lists
                out[:, j] = np.fromiter(column.to_list(), dtype=object, count=len(out))
        return out

    def numbers(self, X: Any, column: int) -> NDArray[Any] | None:
        values = self.column(X, column)
        if self.plain(values) is not None:
            return present(values.to_numpy())
        by_type = self.is_category(column) and not self.is_object(values.dtype)
        return None if by_type else numbers(values.to_list())

    @abstractmethod
    def _is_numeric(self) -> bool:
        """Whether all columns are of types that NumPy holds as numbers."""


def at_scale(cell: Any, scale: int | None) -> Any:
    """A number as a cell of a column of decimals, which holds `scale` digits after the point."""
    return cell if scale is None else round(Decimal(cell), scale)


def _categories(dtype: Any) -> list[Any]:
    """Categories in their order, which pandas ignores when it compares types."""
    known = getattr(dtype, "categories", None)
    return [] if known is None else list(known)


def _other_columns(got: tuple[Any, ...], expected: tuple[Any, ...], name: str) -> str:
    """How columns differ from those of fit, or of X."""
    missing = [c for c in expected if c not in got]
    extra = [c for c in got if c not in expected]
    like, than = ("fit", "at fit") if name == "X" else ("X", "X")
    if not missing and not extra:
        cure = "X[columns in the order of fit]" if name == "X" else "rows[X.columns]"
        return f"{name} has the columns of {like} in another order: pass {cure}."
    said = [f"lacks {missing[:5]}"] if missing else []
    said += [f"has {extra[:5]} besides"] if extra else []
    return f"{name} has other columns than {than}: it {' and '.join(said)}."
