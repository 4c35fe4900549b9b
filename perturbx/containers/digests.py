"""What the rows of a batch hold, as one number each, whatever the container."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Ints
from perturbx.containers.arrays import to_numpy
from perturbx.containers.foreign import is_of, is_torch
from perturbx.errors import InvalidInputError

SIZE = 16
"""Bytes of a digest: of 1e9 rows, two agree by chance with a probability of 1e-21."""

_FRAMES = ("pandas", "polars")


def digests_of(batch: Any, scope: str = "") -> NDArray[np.uint8]:
    """(n, SIZE): one digest for each row of a batch.

    Rows have the same digest if they have the same values of the same types in the same columns
    of the same kind of container, and the same scope. BLAKE2b (RFC 7693) makes other coincidences
    impossible in practice.

    Raises
    ------
    InvalidInputError
        If a cell holds an object whose content cannot be read, such as an open file.
    """
    head, content = _content(batch)
    start = blake2b(_joined(scope, head), digest_size=SIZE)
    found = bytearray()
    for row in content:
        one = start.copy()
        one.update(row)
        found += one.digest()
    return np.frombuffer(bytes(found), dtype=np.uint8).reshape(-1, SIZE)


def rows_at(batch: Any, index: Ints) -> Any:
    """Some rows of a batch, in its own container; a frame's rows are numbered from 0."""
    if isinstance(batch, (list, tuple)):
        return type(batch)([batch[i] for i in index])
    if any(is_of(batch, "pandas", kind) for kind in ("DataFrame", "Series")):
        return batch.iloc[index].reset_index(drop=True)
    if any(is_of(batch, "polars", kind) for kind in ("DataFrame", "Series")) or is_torch(batch):
        return batch[index.tolist()]
    if hasattr(batch, "tocsr"):
        return batch.tocsr()[index].asformat(batch.format)
    return batch[index]


def _content(batch: Any) -> tuple[bytes, Iterable[Any]]:
    """What all rows have in common, and the bytes of each."""
    kind = f"{type(batch).__module__}.{type(batch).__qualname__}"
    if is_torch(batch):
        head, rows = _content(to_numpy(batch, "a batch"))
        return b"torch" + head, rows
    if hasattr(batch, "tocsr"):
        csr = batch.tocsr()
        csr.sort_indices()
        return _joined(kind, str(csr.dtype), str(csr.shape[1])), _sparse_rows(csr)
    if any(is_of(batch, library, "DataFrame") for library in _FRAMES):
        heads, columns = zip(*map(_column, _columns(batch)), strict=True)
        return _joined(kind, *heads), np.hstack(columns)
    if any(is_of(batch, library, "Series") for library in _FRAMES):
        return _joined(kind, repr(batch.name)), map(_cell, batch.to_list())
    if isinstance(batch, np.ndarray) and batch.dtype.kind != "O":
        return _joined("array", batch.dtype.str, str(batch.shape[1:])), _bytes(batch)
    if isinstance(batch, np.ndarray):
        return _joined("objects", str(batch.shape[1:])), map(_cell, batch)
    return _joined(kind), map(_cell, batch)


def _columns(frame: Any) -> list[Any]:
    if is_of(frame, "polars", "DataFrame"):
        return list(frame.get_columns())
    return [frame.iloc[:, j] for j in range(frame.shape[1])]


def _column(column: Any) -> tuple[bytes, NDArray[np.uint8]]:
    """Name and type of a column of a frame, and the bytes of its cells (n, width)."""
    name, dtype = repr(column.name), column.dtype
    if is_of(column, "pandas", "Series") and str(dtype) == "category":
        categories = dtype.categories
        known = _cell([str(categories.dtype), dtype.ordered, categories.tolist()])
        return _joined(name, known), _bytes(column.cat.codes.to_numpy(dtype=np.int64))
    if is_of(column, "pandas", "Series") and isinstance(dtype, np.dtype) and dtype.kind in "biufmM":
        return _joined(name, dtype.str), _bytes(column.to_numpy())
    if is_of(column, "polars", "Series") and dtype.is_numeric() and not column.null_count():
        numbers = column.to_numpy()
        if numbers.dtype.kind in "iuf":  # decimals are objects
            return _joined(name, str(dtype)), _bytes(numbers)
    known_texts: dict[str, bytes] = {}
    cells = bytearray()
    for cell in column.to_list():
        digest = known_texts.get(cell) if type(cell) is str else None
        if digest is None:
            digest = blake2b(_cell(cell), digest_size=SIZE).digest()
            if type(cell) is str:
                known_texts[cell] = digest
        cells += digest
    return _joined(name, str(dtype)), np.frombuffer(bytes(cells), np.uint8).reshape(-1, SIZE)


def _bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    """(n, width) bytes of the rows of an array."""
    rows = np.ascontiguousarray(array).reshape(len(array), int(np.prod(array.shape[1:])))
    return rows.view(np.uint8)


def _sparse_rows(csr: Any) -> Iterable[bytes]:
    for start, stop in zip(csr.indptr[:-1], csr.indptr[1:], strict=True):
        yield csr.indices[start:stop].astype(np.int64).tobytes() + csr.data[start:stop].tobytes()


def _cell(value: Any) -> bytes:
    """The type and the content of a cell, or of a row of cells."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if type(value) is str:
        return _joined(kind, value.encode("utf-8", "surrogatepass"))
    if value is None or type(value) in (bool, int, float, complex):
        return _joined(kind, repr(value))
    if isinstance(value, bytes):
        return _joined(kind, value)
    if is_torch(value):
        return _joined("torch", _cell(to_numpy(value, "a cell")))
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind != "O":
        array = np.asarray(value)
        return _joined(kind, array.dtype.str, str(array.shape), array.tobytes())
    if isinstance(value, np.ndarray):
        return _joined(kind, str(value.shape), *map(_cell, value.flat))
    if isinstance(value, Mapping):
        return _joined(kind, _cell(list(value.keys())), _cell(list(value.values())))
    if isinstance(value, Sequence):
        return _joined(kind, *map(_cell, value))
    try:
        return _joined(kind, pickle.dumps(value, protocol=4))
    except Exception as error:  # whatever an object raises that cannot be pickled
        raise InvalidInputError(
            f"A cell of type {kind} cannot be archived, as its content cannot be read "
            f"({type(error).__name__}: {error}): pass values, or leave archive out."
        ) from error


def _joined(*parts: str | bytes) -> bytes:
    """The parts, each after its length, so that no two lists of parts look the same."""
    every = [part.encode() if isinstance(part, str) else part for part in parts]
    return b"".join(len(part).to_bytes(8, "little") + part for part in every)
