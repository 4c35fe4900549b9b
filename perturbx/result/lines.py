"""An explanation as lines of JSON, one for each instance, for logs and monitoring."""

from __future__ import annotations

import datetime
import json
import math
import numbers
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import check_flag, check_integer, invalid
from perturbx.errors import InvalidParameterError
from perturbx.features import Spans
from perturbx.result import storage

if TYPE_CHECKING:
    from perturbx.result.explanation import Explanation

_BLOCK = 2**20
"""So many bytes are written at once, and always whole lines."""

_DEEPEST = 20
"""Lists and dicts in data are written up to this depth, and as text below."""


def write_lines(
    explanation: Explanation, path: str | os.PathLike[str] | IO[str], append: bool, start: int
) -> None:
    """Write a line for each instance to a file, or to what has a `write`."""
    check_flag("append", append)
    found = lines(explanation, check_integer("start", start, minimum=0))
    if hasattr(path, "write"):
        for line in found:
            path.write(line)
    elif not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise invalid("path", "a text, a path, or an open text file", path)
    elif append:
        _append(path, found)
    else:
        storage.replace_file(path, _blocks(found))


def lines(explanation: Explanation, start: int = 0) -> Iterator[str]:
    """The lines, each with its end; `start` is the number of the first instance."""
    told = explanation.provenance
    shared = {
        "time": told.get("date"),
        "instance": start,
        "method": explanation.method_name,
        "model": told.get("model"),
    }
    for i, own in enumerate(_each(explanation)):
        line = {**shared, "instance": start + i, **own}
        text = json.dumps(line, allow_nan=False, ensure_ascii=False)
        yield text.encode("utf-8", "replace").decode() + "\n"  # half characters are no JSON


def _each(explanation: Explanation) -> Iterator[dict[str, Any]]:
    """What each instance has of its own, in keys that are the same for each."""
    e = explanation
    if "instance" not in e.axes:
        yield _own(e, e, e.n_rows, e.n_calls, e.converged, e.notes)
        return
    each = e.per_instance
    if each is None or e.regions is not None:
        for one in e:
            yield _own(one, one, one.n_rows, one.n_calls, one.converged, one.notes)
        return
    shared = [note for note in e.notes if note not in each.notes]
    for i in range(len(e)):  # slices of a table take longer than its lines
        converged = None if each.converged is None else bool(each.converged[i])
        notes = [*shared, *(r.texts[i] for r in each.remarks if r.texts[i])]
        yield _own(e, _Row(e, i), int(each.n_rows[i]), int(each.n_calls[i]), converged, notes)


class _Row:
    """The arrays of one instance of a table."""

    def __init__(self, e: Explanation, i: int) -> None:
        self.predictions, self.base_values = e.predictions[i], e.base_values[i]
        self.values, self.standard_errors = e.values[i], e.standard_errors[i]
        self.data = None if e.data is None else e.data[i]
        self.output_names = e.output_names[i] if np.ndim(e.output_names) == 2 else e.output_names


def _own(
    of: Explanation,
    one: Explanation | _Row,
    n_rows: int,
    n_calls: int,
    converged: bool | None,
    notes: Sequence[str],
) -> dict[str, Any]:
    def by_feature(values: Floats) -> Any:
        return _of_features(of, values)

    def by_output(values: Floats, read: Callable[[Floats], Any]) -> Any:
        """What is read of each output by its name; of a single one without an axis as it is."""
        if "output" not in of.axes:
            return read(values)
        names = np.ravel(np.asarray(one.output_names, dtype=object))
        return {str(name): read(values[..., t]) for t, name in enumerate(names)}

    return {
        "prediction": by_output(one.predictions, _plain),
        "base_value": by_output(one.base_values, _plain),
        "scores": by_output(one.values, by_feature),
        "standard_errors": by_output(one.standard_errors, by_feature),
        "data": _data(of, one.data),
        "n_rows": n_rows,
        "n_calls": n_calls,
        "converged": converged,
        "notes": list(notes),
    }


def _of_features(of: Explanation, values: Floats) -> dict[str, float | None]:
    found = np.asarray(values, dtype=np.float64)
    known = np.ravel(np.isfinite(found)).tolist()
    each = zip(of.feature_names, np.ravel(found).tolist(), known, strict=True)
    return {name: value if is_known else None for name, value, is_known in each}


def _data(of: Explanation, data: Any) -> Any:
    """Columns by name, a text or a list as it is; nothing of images, which logs cannot hold."""
    if isinstance(of.regions, Spans):
        return _plain(data)
    if data is None or of.regions is not None:
        return None
    cells = np.asarray(data).tolist() if not isinstance(data, list) else data
    if np.ndim(data) == 0:
        cells = [cells]
    if len(cells) != len(of.feature_names):
        return _plain(cells)
    return dict(zip(of.feature_names, map(_plain, cells), strict=True))


def _plain(value: Any, depth: int = 0) -> Any:
    """A cell as JSON: null for what is missing or infinite, text for what JSON lacks."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        is_time = value.dtype.kind in "mM"  # whose nanoseconds Python has not
        return _plain((value.astype(str) if is_time else value).tolist(), depth)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, numbers.Integral):
        return int(value)
    if depth < _DEEPEST and isinstance(value, Mapping):
        return {str(name): _plain(of, depth + 1) for name, of in value.items()}
    if depth < _DEEPEST and isinstance(value, (list, tuple)):
        return [_plain(of, depth + 1) for of in value]
    if isinstance(value, (datetime.date, datetime.time)):
        return None if type(value).__name__ == "NaTType" else value.isoformat()
    return None if type(value).__name__ in ("NAType", "NaTType") else str(value)


def _blocks(found: Iterable[str]) -> Iterator[bytes]:
    """Whole lines, in blocks that are written at once."""
    block = bytearray()
    for line in found:
        block += line.encode()
        if len(block) >= _BLOCK:
            yield bytes(block)
            block.clear()
    yield bytes(block)


def _append(path: str | os.PathLike[str], found: Iterable[str]) -> None:
    """Add lines to a file, which is made for its owner alone if there is none.

    Each block is one write at the end, so that several processes may append. A line that a killed
    process left half written is ended first.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
    flags |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(Path(path), flags, 0o600)
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno or 0), os.fspath(path)) from error
    with open(descriptor, "r+b", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InvalidParameterError(
                f"path must be a file: {os.fspath(path)!r} is a pipe or a device. Pass the open "
                "text file instead, as in to_jsonl(sys.stdout)."
            )
        size = os.fstat(descriptor).st_size
        if size:
            file.seek(size - 1)
            if file.read(1) != b"\n":
                file.write(b"\n")
        for block in _blocks(found):
            left = memoryview(block)
            while left:
                left = left[file.write(left) :]
