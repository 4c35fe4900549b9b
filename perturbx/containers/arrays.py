"""NumPy arrays, SciPy sparse matrices and torch tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx.containers._base import Cells, Layout, model
from perturbx.containers.cells import distinct, loses, numbers, present
from perturbx.errors import InvalidInputError


@dataclass(frozen=True, eq=False)
class ArrayLayout(Layout):
    """A NumPy array of numbers or bools; its bits are its own, as unsigned integers."""

    names: tuple[str, ...]
    dtype: np.dtype[Any]

    def check(self, X: Any, name: str = "X") -> None:
        self._check_like(X, name, np.ndarray, "NumPy array")
        if X.dtype != self.dtype:
            raise self._other_dtype(X, name)

    def take(self, X: Any, index: NDArray[np.intp]) -> Any:
        return np.ascontiguousarray(X[index])

    def encode(self, *parts: Any) -> tuple[Cells, ...]:
        kind, tables = f"u{self.dtype.itemsize}", (self.dtype,) * len(self.names)
        return tuple(Cells(np.ascontiguousarray(part).view(kind), tables) for part in parts)

    def decode(self, bits: NDArray[Any], tables: tuple[Any, ...]) -> Any:
        return bits.view(self.dtype)

    def values(self, X: Any) -> NDArray[Any]:
        return np.array(X, dtype=np.float64)

    def is_category(self, column: int) -> bool:
        return self.dtype.kind == "b"

    def numbers(self, X: Any, column: int) -> NDArray[Any] | None:
        return present(X[:, column])

    def _other_dtype(
        self, values: NDArray[Any], name: str, convert: str = "{}.astype('{}')"
    ) -> InvalidInputError:
        """The error for another type than that of X, with the cure that keeps the numbers."""
        said = f"{name} is of dtype {values.dtype}, but {model(name)} {self.dtype}"
        if loses(values, self.dtype):
            how = "call fit with" if name == "X" else "pass"
            return InvalidInputError(
                f"{said}, which cannot hold all of its values: {how} "
                f"{convert.format('X', values.dtype)} instead, so that predict_fn receives "
                f"{values.dtype}."
            )
        cure = convert.format("X" if name == "X" else "rows", self.dtype)
        is_real = values.dtype.kind in "biuf"
        return InvalidInputError(
            f"{said}: pass {cure if is_real else 'real numbers of that type'}."
        )


@dataclass(frozen=True, eq=False)
class ObjectArrayLayout(ArrayLayout):
    """A NumPy array of strings or mixed objects; its bits are codes into the distinct values."""

    @property
    def holds_objects(self) -> bool:  # type: ignore[override]
        return self.dtype.kind == "O"

    def check(self, X: Any, name: str = "X") -> None:
        self._check_like(X, name, np.ndarray, "NumPy array")
        if X.dtype.kind != self.dtype.kind:
            raise InvalidInputError(
                f"{name} is of dtype {X.dtype}, but {model(name)} {self.dtype}: pass both as "
                "objects, as in X.astype(object)."
            )

    def encode(self, *parts: Any) -> tuple[Cells, ...]:
        joined = np.concatenate(parts)
        codes, first = distinct(joined.ravel().tolist())
        tables = (joined.ravel()[first],) * len(self.names)
        bits = codes.reshape(joined.shape).astype(np.uint64)
        ends = np.cumsum([len(part) for part in parts])[:-1]
        return tuple(Cells(piece, tables) for piece in np.split(bits, ends))

    def decode(self, bits: NDArray[Any], tables: tuple[Any, ...]) -> Any:
        return tables[0][bits]

    def values(self, X: Any) -> NDArray[Any]:
        return np.array(X, dtype=object)

    def is_category(self, column: int) -> bool:
        return True

    def numbers(self, X: Any, column: int) -> NDArray[Any] | None:
        return numbers(X[:, column].tolist())


@dataclass(frozen=True, eq=False)
class SparseLayout(ArrayLayout):
    """A SciPy sparse matrix or array of any format; masked in small dense tiles."""

    format: str = "csr"
    is_array: bool = True

    def check(self, X: Any, name: str = "X") -> None:
        from scipy import sparse

        self._check_like(X, name, (sparse.sparray, sparse.spmatrix), "SciPy sparse matrix")
        if X.dtype != self.dtype:
            raise self._other_dtype(X.data, name)

    def take(self, X: Any, index: NDArray[np.intp]) -> Any:
        return self._of(X.tocsr()[index])

    def encode(self, *parts: Any) -> tuple[Cells, ...]:
        return super().encode(*(part.toarray() for part in parts))

    def decode(self, bits: NDArray[Any], tables: tuple[Any, ...]) -> Any:
        return self._of(_compressed(bits, self.dtype))

    def values(self, X: Any) -> NDArray[Any]:
        return super().values(X.toarray())

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
    """Dense rows, compressed; SciPy's own conversion takes ten times as long.

    Only cells without any bit set count as zero, so that -0.0 is kept.
    """
    from scipy import sparse

    dense, is_set = bits.view(dtype), bits != 0
    places = np.flatnonzero(is_set)
    ends = np.concatenate([[0], np.cumsum(np.count_nonzero(is_set, axis=1))])
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

        self._check_like(X, name, torch.Tensor, "torch tensor")
        if str(X.dtype) != f"torch.{self.dtype}":
            raise self._other_dtype(to_numpy(X, name), name, "{}.to(torch.{})")

    def take(self, X: Any, index: NDArray[np.intp]) -> Any:
        return X.detach()[index.tolist()].clone()

    def encode(self, *parts: Any) -> tuple[Cells, ...]:
        return super().encode(*(to_numpy(part, "X") for part in parts))

    def decode(self, bits: NDArray[Any], tables: tuple[Any, ...]) -> Any:
        import torch

        return torch.from_numpy(bits.view(self.dtype)).to(self.device)

    def values(self, X: Any) -> NDArray[Any]:
        return super().values(to_numpy(X, "X"))

    def numbers(self, X: Any, column: int) -> NDArray[Any] | None:
        return super().numbers(to_numpy(X, "X"), column)


def to_numpy(tensor: Any, name: str) -> NDArray[Any]:
    """The tensor as an array, or an error that calls it `name`."""
    try:
        return np.asarray(tensor.detach().cpu().numpy())
    except TypeError as error:  # bfloat16, float8
        kind = str(tensor.dtype).removeprefix("torch.")
        raise InvalidInputError(
            f"{name} is a tensor of {kind}, unknown to NumPy: pass {name}.float()."
        ) from error
