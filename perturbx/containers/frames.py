"""pandas and polars DataFrames: what goes in is what comes out, column by column."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from perturbx.containers._base import Cells, Layout, distinct
from perturbx.errors import InvalidInputError

_NUMBERS = "biuf"


@dataclass(frozen=True, eq=False)
class FrameLayout(Layout):
    """A frame with columns of types of their own.

    If every column is of one NumPy number type, the bits are theirs; otherwise they are 64 bits
    wide: numbers keep their patterns in the low bits, all else is a code into a table.
    """

    column_major: ClassVar[bool] = True

    names: tuple[str, ...]
    columns: tuple[Any, ...]
    dtypes: tuple[Any, ...]
    common: np.dtype[Any] | None

    @property
    def bits_dtype(self) -> np.dtype[Any]:
        return np.dtype(f"u{self.common.itemsize}" if self.common is not None else "u8")

    @abstractmethod
    def frame_type(self) -> type:
        """The DataFrame class, imported when asked for."""

    @abstractmethod
    def plain(self, column: Any) -> np.dtype[Any] | None:
        """The NumPy type that holds this column exactly, or None."""

    @abstractmethod
    def join(self, columns: list[Any]) -> Any:
        """Pieces of one column, one after the other."""

    @abstractmethod
    def pick(self, column: Any, positions: NDArray[np.intp]) -> Any:
        """Values at some positions, as `build` takes them."""

    @abstractmethod
    def build(self, columns: list[Any]) -> Any:
        """A frame of these columns."""

    @abstractmethod
    def build_common(self, values: NDArray[Any]) -> Any:
        """A frame of one type from (n, d) values whose columns are contiguous."""

    @abstractmethod
    def described(self, X: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """The names and the types of X's columns."""

    def check(self, X: Any) -> None:
        if not isinstance(X, self.frame_type()):
            library = self.frame_type().__module__.partition(".")[0]
            raise InvalidInputError(
                f"X is a {type(X).__name__}, but fit saw a {library} DataFrame: pass the same kind "
                "of container, since it is what predict_fn receives."
            )
        columns, dtypes = self.described(X)
        if columns != self.columns:
            raise InvalidInputError(_other_columns(columns, self.columns))
        for name, got, expected in zip(columns, dtypes, self.dtypes, strict=True):
            if str(got) != str(expected):
                raise InvalidInputError(
                    f"Column {name!r} of X is of dtype {got}, but fit saw {expected}: convert it "
                    "to the type that it had."
                )
            if got != expected or _categories(got) != _categories(expected):
                raise InvalidInputError(
                    f"Column {name!r} of X has the categories {_categories(got)[:5]}, first ones "
                    f"shown, but fit saw {_categories(expected)[:5]}: give it those, in their "
                    "order, since their codes follow from it."
                )

    def encode(self, *parts: Any) -> tuple[Cells, ...]:
        ends = np.cumsum([len(part) for part in parts])[:-1]
        bits = np.empty((sum(map(len, parts)), len(self.columns)), dtype=self.bits_dtype)
        tables: list[Any] = []
        for j, name in enumerate(self.columns):
            column = self.join([part[name] for part in parts])
            dtype = self.plain(column)
            if dtype is not None:
                unsigned = np.dtype(f"u{dtype.itemsize}")
                bits[:, j] = np.ascontiguousarray(column.to_numpy()).view(unsigned)
                tables.append(dtype)
            else:
                codes, first = distinct(column.to_list())
                bits[:, j] = codes
                tables.append(self.table(column, first))
        return tuple(Cells(piece, tuple(tables)) for piece in np.split(bits, ends))

    def table(self, column: Any, first: NDArray[np.intp]) -> Any:
        """The distinct values of a column, for `pick`."""
        return self.pick(column, first)

    def width(self, column: int, tables: tuple[Any, ...]) -> np.dtype[Any]:
        table = tables[column]
        if isinstance(table, np.dtype):
            return np.dtype(f"u{table.itemsize}")
        return np.min_scalar_type(len(table))

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
        for j, name in enumerate(self.columns):
            out[:, j] = X[name].to_numpy() if kind is np.float64 else X[name].to_list()
        return out

    def number_type(self, column: int, tables: tuple[Any, ...]) -> np.dtype[Any] | None:
        table = tables[column]
        return table if isinstance(table, np.dtype) else None

    def _is_numeric(self) -> bool:
        return all(isinstance(t, np.dtype) and t.kind in _NUMBERS for t in self.dtypes)


@dataclass(frozen=True, eq=False)
class PandasLayout(FrameLayout):
    """A pandas DataFrame; predict_fn gets its columns, types and categories, index-free."""

    def frame_type(self) -> type:
        import pandas as pd

        frame: type = pd.DataFrame
        return frame

    def described(self, X: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        return tuple(X.columns), tuple(X.dtypes)

    def plain(self, column: Any) -> np.dtype[Any] | None:
        dtype = column.dtype
        return dtype if isinstance(dtype, np.dtype) and dtype.kind in _NUMBERS else None

    def take(self, X: Any, index: NDArray[np.intp]) -> Any:
        return X.iloc[index].reset_index(drop=True)

    def join(self, columns: list[Any]) -> Any:
        import pandas as pd

        return pd.concat(columns, ignore_index=True)

    def table(self, column: Any, first: NDArray[np.intp]) -> Any:
        return column.array.take(first)

    def pick(self, column: Any, positions: NDArray[np.intp]) -> Any:
        return column.take(positions)

    def build(self, columns: list[Any]) -> Any:
        frame = self.frame_type()(dict(enumerate(columns)), copy=False)
        frame.columns = self._index.view()
        return frame

    def build_common(self, values: NDArray[Any]) -> Any:
        return self.frame_type()(values, columns=self._index.view(), copy=False)

    def is_category(self, column: int) -> bool:
        dtype = self.dtypes[column]
        if isinstance(dtype, np.dtype):
            return dtype.kind not in "iuf"
        return not bool(getattr(dtype, "_is_numeric", False)) or bool(
            getattr(dtype, "_is_boolean", False)
        )

    @cached_property
    def _index(self) -> Any:
        """The columns' names; a frame gets a view, which it may name without naming this one."""
        import pandas as pd

        return pd.Index(self.columns)


@dataclass(frozen=True, eq=False)
class PolarsLayout(FrameLayout):
    """A polars DataFrame."""

    def frame_type(self) -> type:
        import polars as pl

        frame: type = pl.DataFrame
        return frame

    def described(self, X: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        return tuple(X.columns), tuple(X.dtypes)

    def plain(self, column: Any) -> np.dtype[Any] | None:
        if not (column.dtype.is_integer() or column.dtype.is_float() or column.dtype == bool):
            return None
        return column.to_numpy().dtype if column.null_count() == 0 else None

    def take(self, X: Any, index: NDArray[np.intp]) -> Any:
        return X[index.tolist()]

    def join(self, columns: list[Any]) -> Any:
        import polars as pl

        return pl.concat(columns)

    def pick(self, column: Any, positions: NDArray[np.intp]) -> Any:
        return column.gather(positions)

    def build(self, columns: list[Any]) -> Any:
        return self.frame_type()(dict(zip(self.columns, columns, strict=True)))

    def build_common(self, values: NDArray[Any]) -> Any:
        return self.build(list(values.T))

    def is_category(self, column: int) -> bool:
        return not self.dtypes[column].is_numeric()

    def _is_numeric(self) -> bool:
        return all(dtype.is_integer() or dtype.is_float() for dtype in self.dtypes)


def _categories(dtype: Any) -> list[Any]:
    """Categories in their order, which pandas ignores when it compares types."""
    known = getattr(dtype, "categories", None)
    return [] if known is None else list(known)


def _other_columns(got: tuple[Any, ...], expected: tuple[Any, ...]) -> str:
    missing = [c for c in expected if c not in got]
    extra = [c for c in got if c not in expected]
    if not missing and not extra:
        return "X has the columns of fit in another order: pass X[columns in the order of fit]."
    said = [f"lacks {missing[:5]}"] if missing else []
    said += [f"has {extra[:5]} besides"] if extra else []
    return f"X has other columns than at fit: it {' and '.join(said)}."
