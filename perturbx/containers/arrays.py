"""NumPy arrays, SciPy sparse matrices and torch tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True, eq=False)
class ArrayLayout(Layout):
    """A NumPy array of numbers or bools; its bits are its own, as unsigned integers."""

    names: tuple[str, ...]
    dtype: np.dtype[Any]

    @property
    def bits_dtype(self) -> np.dtype[Any]:
        return np.dtype(f"u{self.dtype.itemsize}")

    def check(self, X: Any, name: str = "X") -> None:
        if not isinstance(X, np.ndarray):
            raise other_container(X, name, "NumPy array")
        self._check_columns(X.shape[1], name)
        self._check_dtype(X, name)

    def take(self, X: Any, index: NDArray[np.intp]) -> Any:
        return np.ascontiguousarray(X[index])

    def encode(self, *parts: Any) -> tuple[Cells, ...]:
        return tuple(Cells(np.ascontiguousarray(part).view(self.bits_dtype)) for part in parts)

    def decode(self, bits: NDArray[Any], tables: tuple[Any, ...]) -> Any:
        return bits.view(self.dtype)

    def values(self, X: Any) -> NDArray[Any]:
        return np.array(X, dtype=np.float64)

    def is_category(self, column: int) -> bool:
        return self.dtype.kind == "b"

    def number_type(self, column: int, tables: tuple[Any, ...]) -> np.dtype[Any] | None:
        return self.dtype

    def numbers(self, X: Any, column: int) -> NDArray[Any] | None:
        return present(X[:, column])

    def put(self, row: Any, numbers: Mapping[int, Any]) -> Any:
        for column, number in numbers.items():
            row[0, column] = number
        return row

    def _check_dtype(
        self, values: NDArray[Any], name: str, convert: str = "{}.astype('{}')"
    ) -> None:
        """Refuse another type than that of X, with the cure that keeps the numbers."""
        if values.dtype == self.dtype:
            return
        said = f"{name} is of dtype {values.dtype}, but {model(name)} {self.dtype}"
        if loses(values, self.dtype):
            raise InvalidInputError(
                f"{said}, which cannot hold all of its values: "
                f"{'call fit with' if name == 'X' else 'pass'} {convert.format('X', values.dtype)} "
                f"instead, so that predict_fn receives {values.dtype}."
            )
        rows = "X" if name == "X" else "rows"
        is_real = values.dtype.kind in "biuf"
        cure = convert.format(rows, self.dtype) if is_real else "real numbers of that type"
        raise InvalidInputError(f"{said}: pass {cure}.")


@dataclass(frozen=True, eq=False)
class ObjectArrayLayout(Layout):
    """A NumPy array of strings or mixed objects; its bits are codes into the distinct values."""

    names: tuple[str, ...]
    dtype: np.dtype[Any]

    @property
    def holds_objects(self) -> bool:  # type: ignore[override]
        return self.dtype.kind == "O"

    @property
    def bits_dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint64)

    def check(self, X: Any, name: str = "X") -> None:
        if not isinstance(X, np.ndarray):
            raise other_container(X, name, "NumPy array")
        self._check_columns(X.shape[1], name)
        if X.dtype.kind != self.dtype.kind:
            raise InvalidInputError(
                f"{name} is of dtype {X.dtype}, but {model(name)} {self.dtype}: pass both as "
                "objects, as in X.astype(object)."
            )

    def take(self, X: Any, index: NDArray[np.intp]) -> Any:
        return X[index].copy()

    def encode(self, *parts: Any) -> tuple[Cells, ...]:
        joined = np.concatenate(parts)
        codes, first = distinct(joined.ravel().tolist())
        table = joined.ravel()[first]
        bits = codes.reshape(joined.shape).astype(np.uint64)
        ends = np.cumsum([len(part) for part in parts])[:-1]
        return tuple(Cells(piece, (table,)) for piece in np.split(bits, ends))

    def decode(self, bits: NDArray[Any], tables: tuple[Any, ...]) -> Any:
        return tables[0][bits]

    def values(self, X: Any) -> NDArray[Any]:
        return np.array(X, dtype=object)

    def is_category(self, column: int) -> bool:
        return True

    def number_type(self, column: int, tables: tuple[Any, ...]) -> np.dtype[Any] | None:
        return None

    def numbers(self, X: Any, column: int) -> NDArray[Any] | None:
        return numbers(X[:, column].tolist())

    def put(self, row: Any, numbers: Mapping[int, Any]) -> Any:
        for column, number in numbers.items():
            row[0, column] = number
        return row


@dataclass(frozen=True, eq=False)
class SparseLayout(ArrayLayout):
    """A SciPy sparse matrix or array of any format; masked in small dense tiles."""

    format: str = "csr"
    is_array: bool = True

    def check(self, X: Any, name: str = "X") -> None:
        from scipy import sparse

        if not sparse.issparse(X):
            raise other_container(X, name, "SciPy sparse matrix")
        matrix: Any = X
        self._check_columns(matrix.shape[1], name)
        same = matrix.dtype == self.dtype
        self._check_dtype(np.empty(0, self.dtype) if same else matrix.data, name)

    def take(self, X: Any, index: NDArray[np.intp]) -> Any:
        return self._of(X.tocsr()[index])

    def encode(self, *parts: Any) -> tuple[Cells, ...]:
        return super().encode(*(part.toarray() for part in parts))

    def decode(self, bits: NDArray[Any], tables: tuple[Any, ...]) -> Any:
        return self._of(_compressed(bits, self.dtype))

    def values(self, X: Any) -> NDArray[Any]:
        return np.asarray(X.toarray(), dtype=np.float64)

    def numbers(self, X: Any, column: int) -> NDArray[Any] | None:
        return super().numbers(X.tocsc()[:, [column]].toarray(), 0)

    def put(self, row: Any, numbers: Mapping[int, Any]) -> Any:
        return self._of(super().put(row.toarray(), numbers))

    def _of(self, values: Any) -> Any:
        """In the class and the format of the X of fit, whatever those of `values` are."""
        from scipy import sparse

        kind: Any = sparse.csr_array if self.is_array else sparse.csr_matrix
        return kind(values).asformat(self.format)


def _compressed(bits: NDArray[Any], dtype: np.dtype[Any]) -> Any:
    """Dense rows, compressed; scipy's own conversion takes ten times as long.

    A zero is what has no bits, so that -0.0 is kept.
    """
    from scipy import sparse

    present, dense = bits != 0, bits.view(dtype)
    places = np.flatnonzero(present)
    ends = np.concatenate([[0], np.cumsum(np.count_nonzero(present, axis=1))])
    small = max(len(places), dense.shape[1]) <= np.iinfo(np.int32).max
    kind = np.int32 if small else np.int64
    columns = (places % dense.shape[1]).astype(kind)
    entries = (dense.reshape(-1)[places], columns, ends.astype(kind))
    return sparse.csr_array(entries, shape=dense.shape)


@dataclass(frozen=True, eq=False)
class TorchLayout(ArrayLayout):
    """A torch tensor (n, d), on any device."""

    device: str = "cpu"

    def check(self, X: Any, name: str = "X") -> None:
        import torch

        if not isinstance(X, torch.Tensor):
            raise other_container(X, name, "torch tensor")
        self._check_columns(X.shape[1], name)
        same = _to_numpy(X[:0]).dtype == self.dtype
        self._check_dtype(_to_numpy(X[:0] if same else X), name, "{}.to(torch.{})")

    def take(self, X: Any, index: NDArray[np.intp]) -> Any:
        return X.detach()[index.tolist()].clone()

    def encode(self, *parts: Any) -> tuple[Cells, ...]:
        return super().encode(*map(_to_numpy, parts))

    def decode(self, bits: NDArray[Any], tables: tuple[Any, ...]) -> Any:
        import torch

        return torch.from_numpy(bits.view(self.dtype)).to(self.device)

    def values(self, X: Any) -> NDArray[Any]:
        return super().values(_to_numpy(X))

    def numbers(self, X: Any, column: int) -> NDArray[Any] | None:
        return super().numbers(_to_numpy(X), column)


def _to_numpy(tensor: Any) -> NDArray[Any]:
    return np.asarray(tensor.detach().cpu().numpy())
