"""Named fields to a file and back: .npz for arrays as they are, .json for other languages.

Nothing is pickled. A file is written as a whole or not at all. A file that is read is somebody
else's: only what its fields name is unpacked, and only as much as it can truly hold.
"""

from __future__ import annotations

import errno
import io
import json
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from perturbx._validation import invalid
from perturbx.errors import InvalidParameterError
from perturbx.result.encoding import cannot_be_saved, decode, encode, plain_dtype
from perturbx.result.files import replace_file

_VERSION = 1

_TIMES, _AT_LEAST = 50, 2**23
"""A file unpacks to at most _TIMES its size, or to _AT_LEAST bytes: less than deflate can do."""

_BROKEN = (
    *(ValueError, LookupError, TypeError, AttributeError, EOFError, ArithmeticError),
    *(RuntimeError, zipfile.BadZipFile, zlib.error, struct.error),
)
"""What NumPy, zipfile and json raise on files that are cut short, changed or another's."""

_HEADER = re.compile(
    rb"\{'descr': '([<>|][a-zA-Z]\d+(?:\[\w+\])?)', 'fortran_order': (?:True|False), "
    rb"'shape': \(([\d, ]*)\), \}\s*"
)
"""What NumPy writes before an array without objects or records."""


def write(path: str | os.PathLike[str], mapping: Mapping[str, Any]) -> None:
    """Write the fields to `path`; its ending says how."""
    arrays: dict[str, NDArray[Any]] | None = {} if _ending(path) == ".npz" else None
    try:
        content = {"perturbx": _VERSION, "fields": encode(dict(mapping), arrays)}
        text = json.dumps(content, allow_nan=False)
    except RecursionError as error:
        raise cannot_be_saved("cell that holds itself, or lists many levels deep,") from error
    replace_file(path, text.encode() if arrays is None else _packed(text, arrays))


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The fields that `write` wrote."""
    ending = _ending(path)
    with Path(path).open("rb") as file:
        try:
            arrays = _Archive(file) if ending == ".npz" else {}
            text = str(arrays["fields"]) if arrays else file.read().decode()
            content = json.loads(text, parse_constant=_refuse)
            if content["perturbx"] > _VERSION:
                raise InvalidParameterError(
                    f"{os.fspath(path)!r} was saved by a newer perturbx: update perturbx to "
                    "read it."
                )
            return dict(decode(content["fields"], arrays))
        except InvalidParameterError:
            raise
        except _BROKEN as error:
            raise not_saved_here(path) from error
        except OSError as error:
            if error.errno != errno.EINVAL:  # a place before the file, where the archive points
                raise
            raise not_saved_here(path) from error


def not_saved_here(path: str | os.PathLike[str]) -> InvalidParameterError:
    """The error for a file that `write` did not write, or that was damaged since."""
    return InvalidParameterError(
        f"path must be a file that Explanation.save wrote: {os.fspath(path)!r} is another file, "
        "or damaged."
    )


def _ending(path: str | os.PathLike[str]) -> str:
    if not isinstance(path, (str, os.PathLike)):
        raise invalid("path", "a text or a path", path)
    ending = Path(path).suffix.lower()
    if ending not in (".npz", ".json"):
        raise InvalidParameterError(f"path must end in .npz or .json: got {os.fspath(path)!r}.")
    return ending


def _refuse(token: str) -> None:
    raise ValueError(f"{token} is no JSON")


def _packed(text: str, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """An .npz file; not compressed where it would look like one that is made to fill memory."""
    everything: dict[str, Any] = {**arrays, "fields": np.array(text)}
    unpacked = sum(array.nbytes + 2**10 for array in everything.values())
    for save in (np.savez_compressed, np.savez):
        file = io.BytesIO()
        save(file, **everything)
        if unpacked <= _most_unpacked(file.tell()):
            break
    return file.getvalue()


def _most_unpacked(size: int) -> int:
    return max(_TIMES * size, _AT_LEAST)


class _Archive(Mapping[str, NDArray[Any]]):
    """The arrays of an .npz file, each read when it is asked for, and checked before."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file)
        self._left = _most_unpacked(os.fstat(file.fileno()).st_size)
        if len(set(self._zip.namelist())) < len(self._zip.namelist()):
            raise ValueError("two arrays of one name")

    def __iter__(self) -> Iterator[str]:
        return (name.removesuffix(".npy") for name in self._zip.namelist())

    def __len__(self) -> int:
        return len(self._zip.namelist())

    def __getitem__(self, name: str) -> NDArray[Any]:
        member = self._zip.getinfo(f"{name}.npy")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError("a compression that save does not use")
        self._left -= member.file_size
        if self._left < 0:
            raise ValueError("more than a file of this size holds")
        with self._zip.open(member) as content:
            start = content.read(10)
            header = content.read(int.from_bytes(start[8:], "little"))
            found = _HEADER.fullmatch(header)
            if not start.startswith(b"\x93NUMPY\x01\x00") or found is None:
                raise ValueError("no array")
            shape = [int(length) for length in re.findall(rb"\d+", found[2])]
            held = member.file_size - content.tell()
            if prod(shape) * plain_dtype(found[1].decode()).itemsize != held:
                raise ValueError("a shape of another size than its data")
            content.seek(0)
            return np.asarray(np.lib.format.read_array(content, allow_pickle=False))
