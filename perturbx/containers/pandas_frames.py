"""pandas DataFrames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from perturbx.containers.frames import FrameLayout, at_scale
from perturbx.errors import InvalidInputError


@dataclass(frozen=True, eq=False)
class PandasLayout(FrameLayout):
    """A pandas DataFrame; predict_fn gets its columns, types and attributes, index-free.

    Parameters
    ----------
    head : DataFrame
        The X of fit without its rows: its class, its attributes and the index of its columns.
    """

    library: ClassVar[str] = "pandas"
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
        return cls(names, tuple(X.columns), tuple(X.dtypes), None, head)

    def difference(self, X: Any, back: Any) -> str:
        if type(back) is not type(X):
            return f"X is a {type(X).__name__} and comes back as a {type(back).__name__}"
        if not back.columns.identical(X.columns) or back.attrs.keys() != X.attrs.keys():
            return "the names or the attrs of X are lost"
        return super().difference(X, back)

    def plain(self, column: Any) -> np.dtype[Any] | None:
        dtype = column.dtype
        is_plain = isinstance(dtype, np.dtype) and dtype.kind in "biuf" and dtype.itemsize <= 8
        return dtype if is_plain else None

    def take(self, X: Any, index: NDArray[np.intp]) -> Any:
        return self._dressed(X.iloc[index].reset_index(drop=True))

    def column(self, X: Any, position: int) -> Any:
        return self._bare(X).iloc[:, position]

    def columns_of(self, X: Any) -> list[Any]:
        return [column for _, column in self._bare(X).items()]

    def table(self, column: Any, first: NDArray[np.intp]) -> Any:
        is_object = self.is_object(column.dtype)
        return column.to_numpy()[first] if is_object else column.array.take(first)

    def pick(self, table: Any, positions: NDArray[np.intp]) -> Any:
        return table.take(positions)

    def put(self, row: Any, numbers: Mapping[int, Any]) -> Any:
        for column, number in numbers.items():
            dtype = self.dtypes[column]
            scale = getattr(getattr(dtype, "pyarrow_dtype", None), "scale", None)
            row.isetitem(column, self.module.Series([at_scale(number, scale)], dtype=dtype))
        return row

    def build(self, columns: list[Any]) -> Any:
        as_they_are = [
            self.module.Series(column, dtype=object, copy=False)
            if self.is_object(column.dtype)
            else column
            for column in columns
        ]  # pandas would make text, dates and NaN of objects that look like them
        return self._dressed(self.module.DataFrame(dict(enumerate(as_they_are)), copy=False))

    def build_common(self, values: NDArray[Any]) -> Any:
        return self._dressed(self.module.DataFrame(values, copy=False))

    def is_category(self, column: int) -> bool:
        dtype = self.dtypes[column]
        if isinstance(dtype, np.dtype):
            return dtype.kind not in "iuf"
        is_number = getattr(dtype, "_is_numeric", False)
        return not is_number or bool(getattr(dtype, "_is_boolean", False))

    @staticmethod
    def is_object(dtype: Any) -> bool:
        return isinstance(dtype, np.dtype) and dtype.kind == "O"

    def _is_numeric(self) -> bool:
        return all(isinstance(t, np.dtype) and t.kind in "biuf" for t in self.dtypes)

    def _bare(self, X: Any) -> Any:
        """X without class and attributes, which pandas would compare wherever it joins columns."""
        return self.module.DataFrame(X, copy=False)

    def _dressed(self, frame: Any) -> Any:
        """A frame in the class, with the attributes and the names of the X of fit.

        It gets a view of the names: renaming its columns leaves the user's as they are.
        """
        frame.columns = self.head.columns.view()
        if type(frame) is not type(self.head):
            frame = self.head._constructor(frame)
        return frame.__finalize__(self.head)
