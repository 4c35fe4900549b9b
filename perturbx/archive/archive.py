"""An archive of answers: which rows a model was asked about, and what it said."""

from __future__ import annotations

import json
import math
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Ints
from perturbx._validation import invalid
from perturbx.archive.database import (
    UNREADABLE,
    Damaged,
    Database,
    bounded,
    connect,
    database,
    has_our_tables,
    set_aside,
)
from perturbx.errors import ArchiveError

Digests: TypeAlias = NDArray[np.uint8]
"""(n, 16): what rows hold, as one number each."""

Found = TypeVar("Found")

_BLOCK_BYTES = 2**20
"""The size of a block of answers. A block is read as a whole."""

_AT_ONCE = 500
"""Rows that are looked up in one statement."""

_ATTEMPTS = 3

_NUMBERS = re.compile(rb"[<>|][biuf][1248]|[<>]f16")
"""The types of answers."""

_KEY_BYTES = 16

_UNKNOWN = b"{}"
"""The facts of a model that has not answered yet."""


@dataclass(frozen=True)
class ModelFacts:
    """What an archive knows of a model besides its answers.

    Parameters
    ----------
    columns : tuple
        The labels of the answer's columns, if it was a frame.
    resolution : float
        The relative rounding error of an answer.
    varies : bool
        True if the model gave two answers to one row.
    """

    columns: tuple[Any, ...]
    resolution: float
    varies: bool = False


@dataclass(frozen=True)
class Archive:
    """A file that keeps every answer of a model as it arrives.

    Answers are found by the content of the row and the model's name, whatever method, link,
    budget or tolerance asks. So a run that was killed goes on where it ended, another analysis of
    the same rows costs nothing, and the same analysis gives the same bits years later. The file
    is an SQLite database, which several threads and processes may share; it holds digests of the
    rows, not the rows themselves. On a network file system SQLite's locks may fail: keep it on a
    local disk there.

    Parameters
    ----------
    path : path
        The file, which is made if there is none.
    model : str, optional
        The version of the model, such as "credit 2026-11": answers of another version are not
        read. Without it, a few rows that are in the archive are asked again at the start, and
        changed answers are refused.

    Raises
    ------
    ArchiveError
        At the first use: if the file cannot be written, or is not an archive.

    Examples
    --------
    >>> import tempfile, perturbx as px
    >>> calls = []
    >>> def model(X):
    ...     calls.append(len(X))
    ...     return X @ [1.0, 2.0]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     archive = px.Archive(f"{folder}/answers.sqlite", model="v1")
    ...     explainer = px.Occlusion(model, masker=px.Baseline([0.0, 0.0]), archive=archive)
    ...     first, n = explainer.explain([[1.0, 1.0]]), len(calls)
    ...     again = explainer.explain([[1.0, 1.0]])
    >>> again.values.tolist(), len(calls) - n
    ([[1.0, 2.0]], 0)
    """

    path: str | os.PathLike[str]
    model: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.path, (str, os.PathLike)) or not os.fspath(self.path):
            raise invalid("path", "a text or a path", self.path)
        if self.model is not None and not (isinstance(self.model, str) and self.model.strip()):
            raise invalid("model", "a text that names the version of the model", self.model)

    @classmethod
    def at(cls, archive: Any) -> Archive:
        """What the user passed as `archive=`."""
        if isinstance(archive, Archive):
            return archive
        if isinstance(archive, (str, os.PathLike)):
            return cls(archive)
        raise invalid("archive", "a path, or px.Archive(path, model=...)", archive)

    def read(self, digests: Digests) -> tuple[Ints, NDArray[Any] | None]:
        """Which of the rows are known, and their answers.

        Returns
        -------
        known : (k,) int array
            Positions in `digests`, in ascending order.
        answers : (k, ...) array or None
            None if none is known.
        """

        def look(db: Database) -> tuple[Ints, NDArray[Any] | None]:
            with db.reading() as connection:
                return _read(connection, digests)

        return self._safely(look)

    def write(self, scope: str, digests: Digests, answers: NDArray[Any]) -> None:
        """Keep the answers (n,) or (n, k) of n rows; they are on disk when this returns."""
        self._safely(lambda db: _write(db, scope, digests, answers))

    def facts(self, scope: str) -> ModelFacts | None:
        """What is known of the model; None if it has not been asked."""

        def look(db: Database) -> ModelFacts | None:
            with db.reading() as connection:
                row = connection.execute(
                    f"SELECT {bounded('facts')} FROM models WHERE {bounded('tag')} = ?",
                    (scope.encode(),),
                ).fetchone()
            return None if row is None else _facts(row[0])

        return self._safely(look)

    def learn(self, scope: str, facts: ModelFacts) -> None:
        """Keep what is known of the model."""
        text = json.dumps({**vars(facts), "columns": list(map(str, facts.columns))}).encode()

        def keep(db: Database) -> None:
            with db.writing() as connection:
                connection.execute(
                    "UPDATE models SET facts = ? WHERE id = ?", (text, _model(connection, scope))
                )

        self._safely(keep)

    def _safely(self, use: Callable[[Database], Found]) -> Found:
        """The result of `use`, after a damaged file was replaced by what is left of it."""
        path = Path(self.path).absolute()
        for _ in range(_ATTEMPTS):
            try:
                return use(database(path))
            except Damaged:
                salvage(set_aside(path), path)
        raise ArchiveError(
            f"The archive {str(path)!r} is damaged again and again: pass another path, and look at "
            "the disk."
        )


ArchiveLike: TypeAlias = Archive | str | os.PathLike[str]
"""What may be passed as `archive=`."""


def salvage(damaged: Path, path: Path) -> int:
    """Copy whatever can still be read of a damaged file; returns how many answers."""
    n = 0
    for tag, facts, keys, answers in _readable(damaged):
        _write(database(path), tag, keys, answers)
        with database(path).writing() as connection:
            known = (facts, _model(connection, tag))
            connection.execute("UPDATE models SET facts = ? WHERE id = ?", known)
        n += len(keys)
    return n


def unpacked(row: Any) -> tuple[Digests, NDArray[Any]]:
    """The keys and the answers of a stored block, from its `BLOCK_COLUMNS`.

    Raises
    ------
    Damaged
        If it is not what was written.
    """
    n, dtype, k, keys, content, checksum = row
    are_bytes = all(type(part) is bytes for part in (keys, content, checksum))
    are_counts = all(type(count) is int and count > 0 for count in (n, 1 if k is None else k))
    if not (are_bytes and are_counts and type(dtype) is bytes and _NUMBERS.fullmatch(dtype)):
        raise Damaged("a block holds something else than answers")
    dtype = dtype.decode()
    if checksum != _checksum(n, dtype, k, keys, content):
        raise Damaged("a block does not match its checksum")
    shape, kind = (n,) if k is None else (n, k), np.dtype(dtype)
    if len(keys) != n * _KEY_BYTES or len(content) != math.prod(shape) * kind.itemsize:
        raise Damaged("a block is longer or shorter than it says")
    answers = np.frombuffer(content, dtype=kind).reshape(shape)
    return np.frombuffer(keys, dtype=np.uint8).reshape(n, _KEY_BYTES), answers


def _read(connection: sqlite3.Connection, keys: Digests) -> tuple[Ints, NDArray[Any] | None]:
    prints, which = np.unique(_fingerprints(keys), return_inverse=True)
    known: list[Ints] = []
    parts: list[NDArray[Any]] = []
    place = _places(connection, prints)[which.ravel()]
    left = np.flatnonzero(place >= 0)
    left = left[np.argsort(place[left], kind="stable")]
    while len(left):
        first, block_keys, answers = _block(connection, int(place[left[0]]))
        stop = np.searchsorted(place[left], first + len(block_keys))
        here, left = left[:stop], left[stop:]
        there = block_keys[place[here] - first]
        if (_fingerprints(keys[here]) != _fingerprints(there)).any():
            raise Damaged("a row has the number of another")
        if parts and answers.shape[1:] != parts[0].shape[1:]:
            continue  # of another number of outputs, which are asked again, and refused
        same = (keys[here] == there).all(axis=1)
        known.append(here[same])
        parts.append(answers[place[here[same]] - first])
    found = np.concatenate([*known, np.zeros(0, dtype=np.intp)])
    if not len(found):
        return found, None
    order = np.argsort(found)
    return found[order], np.concatenate(parts)[order]


def check_found(connection: sqlite3.Connection, keys: Digests) -> None:
    """Raise `Damaged` if rows that are stored would not be found."""
    if (_places(connection, np.unique(_fingerprints(keys))) < 0).any():
        raise Damaged("a row has no number")
    _read(connection, keys)


def _places(connection: sqlite3.Connection, prints: Ints) -> Ints:
    """The place of each fingerprint, or -1 where it is not known."""
    found = np.full(len(prints), -1, dtype=np.int64)
    for start in range(0, len(prints), _AT_ONCE):
        some = prints[start : start + _AT_ONCE].tolist()
        text = f"({','.join('?' * len(some))})"
        rows = connection.execute(
            f"SELECT fingerprint, {bounded('place')} FROM rows WHERE fingerprint IN {text}", some
        ).fetchall()
        if rows:
            these, places = zip(*rows, strict=True)
            if not all(type(place) is int for place in places):
                raise Damaged("a row has no number")
            found[np.searchsorted(prints, these)] = places
    return found


BLOCK_COLUMNS = ", ".join(
    map(bounded, ("n", "dtype", "n_outputs", "digests", "answers", "checksum"))
)
"""What `unpacked` reads."""


def _block(connection: sqlite3.Connection, place: int) -> tuple[int, Digests, NDArray[Any]]:
    """The number of its first row, the keys and the answers of the block that holds a row."""
    row = connection.execute(
        f"SELECT first, {BLOCK_COLUMNS} FROM blocks WHERE first <= ? ORDER BY first DESC LIMIT 1",
        (place,),
    ).fetchone()
    if row is None:
        raise Damaged("a row has no block")
    keys, answers = unpacked(row[1:])
    if place >= row[0] + len(keys):
        raise Damaged("a row has no block")
    return row[0], keys, answers


def _write(db: Database, scope: str, keys: Digests, answers: NDArray[Any]) -> None:
    answers = np.ascontiguousarray(answers)
    k = None if answers.ndim == 1 else answers.shape[1]
    step = max(1, _BLOCK_BYTES // (answers.itemsize * math.prod(answers.shape[1:]) + keys.shape[1]))
    prints = _fingerprints(keys).tolist()
    with db.writing() as connection:
        model = _model(connection, scope)
        last = connection.execute(
            f"SELECT first + {bounded('n')} FROM blocks ORDER BY first DESC LIMIT 1"
        ).fetchone()
        free = 0 if last is None else last[0]
        if type(free) is not int:
            raise Damaged("a block has no number of rows")
        for start in range(0, len(keys), step):
            some = slice(start, min(start + step, len(keys)))
            n, dtype = some.stop - start, answers.dtype.str
            content = keys[some].tobytes(), answers[some].tobytes()
            checksum = _checksum(n, dtype, k, *content)
            connection.execute(
                "INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (free + start, n, model, time.time(), dtype.encode(), k, *content, checksum),
            )
        connection.executemany(
            "INSERT OR IGNORE INTO rows VALUES (?, ?)",
            zip(prints, range(free, free + len(prints)), strict=True),
        )


def _model(connection: sqlite3.Connection, scope: str) -> int:
    """The number of a model, which gets one if it is new."""
    tag = scope.encode()
    row = connection.execute(f"SELECT id FROM models WHERE {bounded('tag')} = ?", (tag,)).fetchone()
    if row is not None:
        return int(row[0])
    new = connection.execute(
        "INSERT INTO models(tag, facts, created) VALUES (?, ?, ?)", (tag, _UNKNOWN, time.time())
    )
    return int(new.lastrowid or 0)


def _fingerprints(keys: Digests) -> Ints:
    """Half of each key, as an integer that SQLite can index."""
    return np.asarray(np.ascontiguousarray(keys[:, :8]).view(np.int64)[:, 0])


def _facts(text: Any) -> ModelFacts | None:
    """What is stored of a model; None if that is nothing yet."""
    if text == _UNKNOWN:
        return None
    try:
        known = json.loads(text)
        facts = ModelFacts(**{**known, "columns": tuple(known["columns"])})
        if not 0 < facts.resolution < 1:
            raise ValueError("a number out of its range")
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise Damaged(f"facts that cannot be read ({error})") from error
    return facts


def _checksum(n: int, dtype: str, k: int | None, *content: bytes) -> bytes:
    whole = blake2b(f"{n} {dtype} {k}".encode(), digest_size=16)
    for part in content:
        whole.update(part)
    return whole.digest()


def _readable(path: Path) -> Iterator[tuple[str, bytes, Digests, NDArray[Any]]]:
    """(tag, facts, keys, answers) of every block of a damaged file that is as it was written."""
    connection = connect(path)
    try:
        with suppress(*UNREADABLE):
            if not has_our_tables(connection):
                return
        models = _rows(connection, "models", f"id, {bounded('tag')}, {bounded('facts')}")
        tags = {}
        for number, tag, facts in models:
            with suppress(Damaged, AttributeError, ValueError):
                tags[number] = tag.decode(), facts if _facts(facts) else _UNKNOWN
        for model, *block in _rows(connection, "blocks", f"{bounded('model')}, {BLOCK_COLUMNS}"):
            with suppress(Damaged, ValueError, TypeError):
                yield *tags.get(model, ("unknown", _UNKNOWN)), *unpacked(block)
    finally:
        connection.close()


def _rows(connection: sqlite3.Connection, table: str, columns: str) -> Iterator[Any]:
    """The rows of a table one by one: up to the first that cannot be read, then from the end."""
    name = "id" if table == "models" else "first"
    ends = [-1, 2**62]
    for side, (sign, order) in enumerate([(">", "ASC"), ("<", "DESC")]):
        while True:
            try:
                row = connection.execute(
                    f"SELECT {name}, {columns} FROM {table} "
                    f"WHERE {name} {sign} ? ORDER BY {name} {order} LIMIT 1",
                    (ends[side],),
                ).fetchone()
            except UNREADABLE:
                break
            if row is None or not ends[0] < row[0] < ends[1]:
                return
            ends[side] = row[0]
            yield row[1:]
