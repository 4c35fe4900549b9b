"""pandas and polars DataFrames: what goes in is what comes out, column by column."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from perturbx.containers._base import (
    Cells,
    Layout,
    distinct,
    loses,
    model,
    numbers,
    other_container,
    present,
)
from perturbx.errors import InvalidInputError

_NUMBERS = "biuf"


@dataclass(frozen=True, eq=False)
class FrameLayout(Layout):
    """A frame with columns of types of their own.

    If every column is of one NumPy number type, the bits are theirs; otherwise they are 64 bits
    wide: numbers keep their patterns in the low bits, all else is a code into a table.
    """

    column_major: ClassVar[bool] = True

    remade: ClassVar[str]
    """What to type to make a frame like X of an array of rows."""

    names: tuple[str, ...]
    columns: tuple[Any, ...]
    dtypes: tuple[Any, ...]
    common: np.dtype[Any] | None

    @property
    def labels(self) -> tuple[Any, ...]:
        return self.columns

    @property
    def bits_dtype(self) -> np.dtype[Any]:
        return np.dtype(f"u{self.common.itemsize}" if self.common is not None else "u8")

    @classmethod
    @abstractmethod
    def of(cls, X: Any, names: tuple[str, ...]) -> FrameLayout:
        """The layout of a frame whose columns' names are known."""

    def difference(self, X: Any, back: Any) -> str:
        """What `decode` changed of X, in words, or ""."""
        pairs = zip(self.columns_of(X), self.columns_of(back), strict=True)
        for j, (label, (column, other)) in enumerate(zip(self.columns, pairs, strict=True)):
            for dtype in (column.dtype, other.dtype):
                if dtype != self.dtypes[j]:
                    return f"Column {label!r} of X, of dtype {self.dtypes[j]}, becomes {dtype}"
            if not self.is_same(column, other):
                return f"Column {label!r} of X, of dtype {column.dtype}, gets other values"
        return ""

    def is_same(self, column: Any, back: Any) -> bool:
        """Whether two columns of one type hold the same cells."""
        if not self.is_object(column.dtype):
            return bool(column.equals(back))
        codes, _ = distinct([*column.to_list(), *back.to_list()])
        return bool((codes[: len(column)] == codes[len(column) :]).all())

    def common_type(self, X: Any) -> np.dtype[Any] | None:
        """The one NumPy type of all columns, if they have one."""
        plain = set(map(self.plain, self.columns_of(X)))
        return plain.pop() if len(plain) == 1 else None

    @abstractmethod
    def frame_type(self) -> type:
        """The DataFrame class, imported when asked for."""

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
    def join(self, columns: Sequence[Any]) -> Any:
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

    @staticmethod
    def is_object(dtype: Any) -> bool:
        """True for the type of columns whose cells may be anything."""
        return False

    @abstractmethod
    def described(self, X: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """The names and the types of X's columns."""

    def check(self, X: Any, name: str = "X") -> None:
        if not isinstance(X, self.frame_type()):
            library = self.frame_type().__module__.partition(".")[0]
            cure = f", as in {self.remade}" * (name != "X" and isinstance(X, np.ndarray))
            raise other_container(X, name, f"{library} DataFrame", cure)
        columns, dtypes = self.described(X)
        if columns != self.columns:
            raise InvalidInputError(_other_columns(columns, self.columns, name))
        for j, (label, got, expected) in enumerate(zip(columns, dtypes, self.dtypes, strict=True)):
            if got is expected:  # most types are objects that all columns share
                continue
            said = f"Column {label!r} of {name}"
            like = model(name, "has")
            if str(got) != str(expected):
                said += f" is of dtype {got}, but {like} {expected}"
                if loses(self.column(X, j), _number_name(expected)):
                    raise InvalidInputError(
                        f"{said}, which cannot hold all of its values: "
                        f"{'call fit with' if name == 'X' else 'pass X with'} that column as {got}."
                    )
                raise InvalidInputError(f"{said}: convert it to that type.")
            if got != expected and not _categories(expected):
                raise InvalidInputError(
                    f"{said} is of dtype {got!r}, but {like} {expected!r}: give both one type."
                )
            if got != expected or _categories(got) != _categories(expected):
                raise InvalidInputError(
                    f"{said} has the categories {_categories(got)[:5]}, first ones shown, but "
                    f"{like} {_categories(expected)[:5]}: give it those, in their order, since "
                    "their codes follow from it."
                )

    def encode(self, *parts: Any) -> tuple[Cells, ...]:
        ends = np.cumsum([len(part) for part in parts])
        columns = list(zip(*map(self.columns_of, parts), strict=True))
        types = [set(map(self.plain, pieces)) for pieces in columns]
        tables: list[Any] = [known.pop() if len(known) == 1 else None for known in types]
        dtype = self.bits_dtype if all(tables) else np.dtype("u8")
        bits = np.empty((ends[-1], len(columns)), dtype=dtype)
        for j, (pieces, table) in enumerate(zip(columns, tables, strict=True)):
            if table is not None:
                values = np.concatenate([piece.to_numpy() for piece in pieces], dtype=table)
                bits[:, j] = values.view(f"u{table.itemsize}")
            else:
                column = self.join(pieces) if len(pieces) > 1 else pieces[0]
                bits[:, j], first = distinct(column.to_list())
                tables[j] = self.table(column, first)
        return tuple(Cells(piece, tuple(tables)) for piece in np.split(bits, ends[:-1]))

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

    def number_type(self, column: int, tables: tuple[Any, ...]) -> np.dtype[Any] | None:
        table = tables[column]
        return table if isinstance(table, np.dtype) else None

    def _is_numeric(self) -> bool:
        return all(isinstance(t, np.dtype) and t.kind in _NUMBERS for t in self.dtypes)


@dataclass(frozen=True, eq=False)
class PandasLayout(FrameLayout):
    """A pandas DataFrame; predict_fn gets its columns, types and attributes, index-free.

    Parameters
    ----------
    head : DataFrame
        The X of fit without its rows: its class, its attributes and the index of its columns.
    """

    remade: ClassVar[str] = "pd.DataFrame(np.atleast_2d(rows), columns=X.columns).astype(X.dtypes)"

    head: Any

    @classmethod
    def of(cls, X: Any, names: tuple[str, ...]) -> PandasLayout:
        head = X.iloc[[]]
        if type(head) is not type(X):
            raise InvalidInputError(
                f"X is a {type(X).__name__}, of which pandas takes rows as a "
                f"{type(head).__name__}: let its _constructor return {type(X).__name__}, or pass "
                "pd.DataFrame(X)."
            )
        layout = cls(names, tuple(X.columns), tuple(X.dtypes), None, head)
        return replace(layout, common=layout.common_type(X))

    def difference(self, X: Any, back: Any) -> str:
        if type(back) is not type(X):
            return f"X is a {type(X).__name__} and comes back as a {type(back).__name__}"
        if not back.columns.identical(X.columns) or back.attrs.keys() != X.attrs.keys():
            return "the names or the attrs of X are lost"
        return super().difference(X, back)

    def frame_type(self) -> type:
        import pandas as pd

        frame: type = pd.DataFrame
        return frame

    def described(self, X: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        return tuple(X.columns), tuple(X.dtypes)

    def plain(self, column: Any) -> np.dtype[Any] | None:
        dtype = column.dtype
        is_plain = isinstance(dtype, np.dtype) and dtype.kind in _NUMBERS and dtype.itemsize <= 8
        return dtype if is_plain else None

    def take(self, X: Any, index: NDArray[np.intp]) -> Any:
        return self._dressed(X.iloc[index].reset_index(drop=True))

    def column(self, X: Any, position: int) -> Any:
        return self._bare(X).iloc[:, position]

    def columns_of(self, X: Any) -> list[Any]:
        return [column for _, column in self._bare(X).items()]

    def _of_type(self, cell: Any, position: int) -> Any:
        import pandas as pd

        dtype = self.dtypes[position]
        scale = getattr(getattr(dtype, "pyarrow_dtype", None), "scale", None)
        return pd.Series([_at_scale(cell, scale)], dtype=dtype)

    def join(self, columns: Sequence[Any]) -> Any:
        import pandas as pd

        return pd.concat(columns, ignore_index=True)

    def table(self, column: Any, first: NDArray[np.intp]) -> Any:
        return (
            column.to_numpy()[first] if self.is_object(column.dtype) else column.array.take(first)
        )

    def pick(self, column: Any, positions: NDArray[np.intp]) -> Any:
        return column.take(positions)

    def put(self, row: Any, numbers: Mapping[int, Any]) -> Any:
        for column, number in numbers.items():
            row.isetitem(column, self._of_type(number, column))
        return row

    def build(self, columns: list[Any]) -> Any:
        import pandas as pd

        as_they_are = [
            pd.Series(column, dtype=object, copy=False) if self.is_object(column.dtype) else column
            for column in columns
        ]  # pandas would make text, dates and NaN of objects that look like them
        return self._dressed(self.frame_type()(dict(enumerate(as_they_are)), copy=False))

    def build_common(self, values: NDArray[Any]) -> Any:
        return self._dressed(self.frame_type()(values, copy=False))

    def is_category(self, column: int) -> bool:
        dtype = self.dtypes[column]
        if isinstance(dtype, np.dtype):
            return dtype.kind not in "iuf"
        return not bool(getattr(dtype, "_is_numeric", False)) or bool(
            getattr(dtype, "_is_boolean", False)
        )

    @staticmethod
    def is_object(dtype: Any) -> bool:
        return isinstance(dtype, np.dtype) and dtype.kind == "O"

    @staticmethod
    def _bare(X: Any) -> Any:
        """X without class and attributes, which pandas would compare wherever it joins columns."""
        import pandas as pd

        return pd.DataFrame(X, copy=False)

    def _dressed(self, frame: Any) -> Any:
        """A frame in the class, with the attributes and the names of the X of fit.

        It gets a view of the names, which it may rename without renaming the user's.
        """
        frame.columns = self.head.columns.view()
        if type(frame) is not type(self.head):
            frame = self.head._constructor(frame)
        return frame.__finalize__(self.head)


@dataclass(frozen=True, eq=False)
class PolarsLayout(FrameLayout):
    """A polars DataFrame."""

    remade: ClassVar[str] = (
        "pl.DataFrame(np.atleast_2d(rows).tolist(), schema=X.schema, orient='row')"
    )

    @classmethod
    def of(cls, X: Any, names: tuple[str, ...]) -> PolarsLayout:
        layout = cls(names, tuple(X.columns), tuple(X.dtypes), None)
        if type(X) is not layout.frame_type():
            raise InvalidInputError(
                f"X is a {type(X).__name__}, which cannot be put together again from its columns: "
                "pass pl.DataFrame(X)."
            )
        for label, dtype in zip(layout.columns, layout.dtypes, strict=True):
            if str(dtype) == "Object":  # some versions of polars never return from taking rows
                raise InvalidInputError(
                    f"Column {label!r} of X is of dtype Object, whose rows polars cannot take "
                    "safely: pass pd.DataFrame(X.to_dict(as_series=False)), which holds objects."
                )
        return replace(layout, common=layout.common_type(X))

    def frame_type(self) -> type:
        import polars as pl

        frame: type = pl.DataFrame
        return frame

    def described(self, X: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        return tuple(X.columns), tuple(X.dtypes)

    def plain(self, column: Any) -> np.dtype[Any] | None:
        known = str(column.dtype) in _POLARS_NUMBERS and column.null_count() == 0
        return column.to_numpy().dtype if known else None

    def take(self, X: Any, index: NDArray[np.intp]) -> Any:
        return X[index.tolist()]

    def column(self, X: Any, position: int) -> Any:
        return X.to_series(position)

    def columns_of(self, X: Any) -> list[Any]:
        columns: list[Any] = X.get_columns()
        return columns

    def _of_type(self, cell: Any, position: int) -> Any:
        import polars as pl

        dtype = self.dtypes[position]
        cell = _at_scale(cell, getattr(dtype, "scale", None))
        return pl.Series(self.columns[position], [cell], dtype=dtype)

    def join(self, columns: Sequence[Any]) -> Any:
        import polars as pl

        return pl.concat(columns)

    def pick(self, column: Any, positions: NDArray[np.intp]) -> Any:
        return column.gather(positions)

    def put(self, row: Any, numbers: Mapping[int, Any]) -> Any:
        return row.with_columns([self._of_type(n, column) for column, n in numbers.items()])

    def build(self, columns: list[Any]) -> Any:
        return self.frame_type()(dict(zip(self.columns, columns, strict=True)))

    def build_common(self, values: NDArray[Any]) -> Any:
        return self.build(list(values.T))

    def is_category(self, column: int) -> bool:
        return not self.dtypes[column].is_numeric()

    def _is_numeric(self) -> bool:
        return all(str(dtype) in _POLARS_NUMBERS and dtype.is_numeric() for dtype in self.dtypes)


_POLARS_NUMBERS = {
    *(f"{sign}Int{size}" for sign in ("", "U") for size in (8, 16, 32, 64)),
    *(f"Float{size}" for size in (16, 32, 64)),
    "Boolean",
}
"""The types whose values NumPy holds to the last bit."""


def _at_scale(cell: Any, scale: int | None) -> Any:
    """A number as a cell of a column of decimals, which holds `scale` digits after the point."""
    return cell if scale is None else round(Decimal(cell), scale)


def _number_name(dtype: Any) -> str:
    """What NumPy calls a number type of pandas, pyarrow or polars."""
    return str(dtype).partition("[")[0].lower()


def _categories(dtype: Any) -> list[Any]:
    """Categories in their order, which pandas ignores when it compares types."""
    known = getattr(dtype, "categories", None)
    return [] if known is None else list(known)


def _other_columns(got: tuple[Any, ...], expected: tuple[Any, ...], name: str) -> str:
    missing = [c for c in expected if c not in got]
    extra = [c for c in got if c not in expected]
    like = "fit" if name == "X" else "X"
    if not missing and not extra:
        order = "columns in the order of fit" if name == "X" else "X.columns"
        rows = "X" if name == "X" else "rows"
        return f"{name} has the columns of {like} in another order: pass {rows}[{order}]."
    said = [f"lacks {missing[:5]}"] if missing else []
    said += [f"has {extra[:5]} besides"] if extra else []
    than = "at fit" if name == "X" else "X"
    return f"{name} has other columns than {than}: it {' and '.join(said)}."
