"""polars DataFrames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from perturbx.containers.frames import FrameLayout, at_scale
from perturbx.errors import InvalidInputError

_NUMBERS = {
    *(f"{sign}Int{size}" for sign in ("", "U") for size in (8, 16, 32, 64)),
    *(f"Float{size}" for size in (16, 32, 64)),
    "Boolean",
}
"""The types whose values NumPy holds to the last bit."""


@dataclass(frozen=True, eq=False)
class PolarsLayout(FrameLayout):
    """A polars DataFrame."""

    library: ClassVar[str] = "polars"
    remade: ClassVar[str] = (
        "pl.DataFrame(np.atleast_2d(rows).tolist(), schema=X.schema, orient='row')"
    )

    @classmethod
    def of(cls, X: Any, names: tuple[str, ...]) -> PolarsLayout:
        layout = cls(names, tuple(X.columns), tuple(X.dtypes), None)
        if type(X) is not layout.module.DataFrame:
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
        return layout

    def plain(self, column: Any) -> np.dtype[Any] | None:
        is_plain = str(column.dtype) in _NUMBERS and column.null_count() == 0
        return column.to_numpy().dtype if is_plain else None

    def take(self, X: Any, index: NDArray[np.intp]) -> Any:
        return X[index.tolist()]

    def column(self, X: Any, position: int) -> Any:
        return X.to_series(position)

    def columns_of(self, X: Any) -> list[Any]:
        return list(X.get_columns())

    def table(self, column: Any, first: NDArray[np.intp]) -> Any:
        return column.gather(first)

    def pick(self, table: Any, positions: NDArray[np.intp]) -> Any:
        return table.gather(positions)

    def put(self, row: Any, numbers: Mapping[int, Any]) -> Any:
        cells = []
        for column, number in numbers.items():
            dtype = self.dtypes[column]
            cell = at_scale(number, getattr(dtype, "scale", None))
            cells.append(self.module.Series(self.columns[column], [cell], dtype=dtype))
        return row.with_columns(cells)

    def build(self, columns: list[Any]) -> Any:
        return self.module.DataFrame(dict(zip(self.columns, columns, strict=True)))

    def build_common(self, values: NDArray[Any]) -> Any:
        return self.build(list(values.T))

    def is_category(self, column: int) -> bool:
        return not self.dtypes[column].is_numeric()

    def _is_numeric(self) -> bool:
        return all(str(dtype) in _NUMBERS and dtype.is_numeric() for dtype in self.dtypes)
