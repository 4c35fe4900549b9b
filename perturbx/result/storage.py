"""Named fields to a file and back: .npz for arrays as they are, .json for other languages.

Nothing is pickled. A file is written as a whole or not at all, for its owner alone. A file that is
read may come from anyone: only the arrays that its fields name are unpacked, and no more than it
can really hold; links that lead out of its folder, pipes and devices are not read.
"""

from __future__ import annotations

import errno
import io
import json
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from perturbx._validation import invalid
from perturbx.errors import InvalidParameterError, PerturbxError
from perturbx.result.encoding import cannot_be_saved, decode, encode, plain_dtype

Found = TypeVar("Found")

_VERSION = 1

_TIMES, _AT_LEAST = 50, 2**23
"""A file may unpack to _TIMES its size, or to _AT_LEAST bytes; a malicious one could do more."""

_MOST_JSON = 2**28
"""A longer JSON text is neither written nor read: an .npz file takes a fraction of the memory."""

_OF_LIST, _OF_DICT, _MOST_EACH = 64, 240, 20
"""Bytes of an empty list and a small dict of Python, and of all of them per character at most."""

_BLOCK = 2**18
"""Characters of a text that are looked through at once."""

_NOT_FINITE = {name: {"float": name} for name in ("nan", "inf", "-inf")}
"""Each of them is one object, however often it is in a file."""

_BROKEN = (
    *(ValueError, LookupError, TypeError, AttributeError, EOFError, ArithmeticError),
    *(RuntimeError, zipfile.BadZipFile, zlib.error, struct.error, re.error),
)
"""Errors of NumPy, zipfile and json on files that are cut short, changed or of another kind."""

_HEADER = re.compile(
    rb"\{'descr': '([<>|][a-zA-Z]\d+(?:\[\w+\])?)', 'fortran_order': (?:True|False), "
    rb"'shape': \(([\d, ]*)\), \}\s*"
)
"""The header that NumPy writes for an array without objects or records."""


def write(path: str | os.PathLike[str], mapping: Mapping[str, Any]) -> None:
    """Write the fields to `path`, in the format of its ending."""
    arrays = arrays_for(path)
    try:
        content = {"fields": encode(dict(mapping), arrays)}
        write_content(path, content, arrays)
    except RecursionError as error:
        raise cannot_be_saved("cell that holds itself, or lists nested too deeply,") from error


def arrays_for(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]] | None:
    """An empty place for arrays, if a file of this ending has one beside the JSON."""
    return {} if _ending(path) == ".npz" else None


def write_content(
    path: str | os.PathLike[str],
    content: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]] | None,
) -> None:
    """Write JSON, and the arrays that it names, to `path`."""
    text = json.dumps({"perturbx": _VERSION, **content}, allow_nan=False)
    if len(text) > _MOST_JSON:
        raise InvalidParameterError(
            f"The JSON of {os.fspath(path)!r} would take {len(text) / 1e6:,.0f} MB, and at most "
            f"{_MOST_JSON / 1e6:,.0f} MB are read again: pass a path that ends in .npz, or save "
            "fewer instances, or a table of numbers, which needs no JSON."
        )
    replace_file(path, [text.encode() if arrays is None else _packed(text, arrays)])


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The fields in a file of `write`."""

    def made_of(content: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        if "explainer" in content:
            raise InvalidParameterError(
                f"{os.fspath(path)!r} holds an explainer: read it by "
                "px.load_explainer(path, predict_fn)."
            )
        return dict(decode(content["fields"], arrays))

    return read_content(path, made_of, not_saved_here)


def read_content(
    path: str | os.PathLike[str],
    made_of: Callable[[dict[str, Any], Mapping[str, NDArray[Any]]], Found],
    refusal: Callable[[str | os.PathLike[str]], InvalidParameterError],
) -> Found:
    """What is made of the JSON in a file of `write_content`, and of its arrays.

    `refusal` is the error for another file.
    """
    ending = _ending(path)
    with _opened(path) as file:
        try:
            arrays = _Archive(file) if ending == ".npz" else {}
            content = _parsed(str(arrays["fields"]) if arrays else _text(file, path))
            if content["perturbx"] > _VERSION:
                raise InvalidParameterError(
                    f"{os.fspath(path)!r} was saved by a newer perturbx: update perturbx to "
                    "read it."
                )
            return made_of(content, arrays)
        except PerturbxError:
            raise
        except _BROKEN as error:
            raise refusal(path) from error
        except OSError as error:
            if error.errno != errno.EINVAL:  # the archive points to a place before the file
                raise
            raise refusal(path) from error


def not_saved_here(path: str | os.PathLike[str]) -> InvalidParameterError:
    """The error for a file that `write` did not write, or that was damaged since."""
    return InvalidParameterError(
        f"path must be a file that Explanation.save wrote: {os.fspath(path)!r} is another file, "
        "or damaged."
    )


def _opened(path: str | os.PathLike[str]) -> IO[bytes]:
    """The file, open to be read; a link that leaves its folder, and what is no file, are not."""
    folder = os.path.realpath(Path(path).parent)
    if os.path.islink(path) and Path(folder) not in Path(os.path.realpath(path)).parents:
        raise InvalidParameterError(
            f"path must be a file, or a link to one in the same folder: {os.fspath(path)!r} points "
            f"to {os.path.realpath(path)!r}. Pass that path, if it is the one that you mean."
        )
    at_once = getattr(os, "O_NONBLOCK", 0)  # a pipe would be waited for
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | at_once))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise InvalidParameterError(f"path must be a file: {os.fspath(path)!r} is none.")
    return file


def _ending(path: str | os.PathLike[str]) -> str:
    if not isinstance(path, (str, os.PathLike)):
        raise invalid("path", "a text or a path", path)
    ending = Path(path).suffix.lower()
    if ending not in (".npz", ".json"):
        raise InvalidParameterError(f"path must end in .npz or .json: got {os.fspath(path)!r}.")
    return ending


def _text(file: IO[bytes], path: str | os.PathLike[str]) -> str:
    size = os.fstat(file.fileno()).st_size
    if size > _MOST_JSON:
        raise InvalidParameterError(
            f"path must be a JSON file of at most {_MOST_JSON / 1e6:,.0f} MB: {os.fspath(path)!r} "
            f"has {size / 1e6:,.0f} MB. Save it to a path that ends in .npz."
        )
    return file.read().decode()


def _parsed(text: str) -> Any:
    """What JSON says, unless its objects take far more memory than the text."""
    most = max(_MOST_EACH * len(text), _AT_LEAST)
    n_bytes = _OF_LIST * text.count("[") + _OF_DICT * text.count("{")
    if n_bytes > most:  # many may stand within strings
        n_lists, n_dicts = _opened_in(text)
        n_bytes = _OF_LIST * n_lists + _OF_DICT * n_dicts
    if len(text) > _MOST_JSON or n_bytes > most:
        raise ValueError("JSON that is made to fill the memory")
    return json.loads(text, parse_constant=_refuse, object_hook=_shared)


def _opened_in(text: str) -> tuple[int, int]:
    """How many lists and dicts a JSON text has; brackets within strings do not count."""
    n_lists, n_dicts, left, within = 0, 0, "", False
    for start in range(0, len(text), _BLOCK):
        block = (left + text[start : start + _BLOCK]).replace("\\\\", "")
        left = "\\" * block.endswith("\\")
        pieces = block.removesuffix("\\").replace('\\"', "").split('"')
        outside = "".join(pieces[within::2])
        n_lists, n_dicts = n_lists + outside.count("["), n_dicts + outside.count("{")
        within ^= len(pieces) % 2 == 0
    return n_lists, n_dicts


def _shared(node: dict[str, Any]) -> dict[str, Any]:
    """The one object of what is not finite, or `node`."""
    value = node.get("float") if len(node) == 1 else None
    return _NOT_FINITE.get(value, node) if type(value) is str else node


def _refuse(token: str) -> None:
    raise ValueError(f"{token} is not JSON")


def _packed(text: str, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """An .npz file; uncompressed if `read` would take it for one that is made to fill memory."""
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
    """The arrays of an .npz file, each checked and read when it is asked for."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file)
        self._left = _most_unpacked(os.fstat(file.fileno()).st_size)
        if len(set(self._zip.namelist())) < len(self._zip.namelist()):
            raise ValueError("two arrays have one name")

    def __iter__(self) -> Iterator[str]:
        return (name.removesuffix(".npy") for name in self._zip.namelist())

    def __len__(self) -> int:
        return len(self._zip.namelist())

    def __getitem__(self, name: str) -> NDArray[Any]:
        member = self._zip.getinfo(f"{name}.npy")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError("save does not use this compression")
        self._left -= member.file_size
        if self._left < 0:
            raise ValueError("it unpacks to more than a file of this size holds")
        with self._zip.open(member) as content:
            start = content.read(10)
            header = content.read(int.from_bytes(start[8:], "little"))
            found = _HEADER.fullmatch(header)
            if not start.startswith(b"\x93NUMPY\x01\x00") or found is None:
                raise ValueError("not an array")
            shape = [int(length) for length in re.findall(rb"\d+", found[2])]
            held = member.file_size - content.tell()
            if prod(shape) * plain_dtype(found[1].decode()).itemsize != held:
                raise ValueError("the shape does not fit the data")
            content.seek(0)
            return np.asarray(np.lib.format.read_array(content, allow_pickle=False))


def replace_file(path: str | os.PathLike[str], content: Iterable[bytes]) -> None:
    """Write `content` to a new file, which replaces the one at `path` once it is on the disk.

    A symbolic link stays a link, and the file that it points to is replaced. Mode and owner stay
    as they were. An `OSError` names `path`.
    """
    target = Path(os.path.realpath(path))
    try:
        old = target.stat() if target.exists() else None
        if old is not None and not stat.S_ISREG(old.st_mode):
            with open(target, "wb") as file:  # a pipe or a device cannot be replaced
                file.writelines(content)
            return
        if old is not None:
            os.close(os.open(target, os.O_WRONLY))  # a write-protected file is not replaced
        _write_beside(target, content, old)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), os.fspath(path)) from error


def _write_beside(target: Path, content: Iterable[bytes], old: os.stat_result | None) -> None:
    new = target.with_name(f".{os.urandom(8).hex()}.tmp")
    mode = 0o600 if old is None else stat.S_IMODE(old.st_mode)
    try:
        with open(new, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            for part in content:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        if old is not None:
            made = new.stat()
            if hasattr(os, "chown") and (made.st_uid, made.st_gid) != (old.st_uid, old.st_gid):
                with suppress(PermissionError):
                    os.chown(new, old.st_uid, old.st_gid)
            new.chmod(mode)
        os.replace(new, target)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise
