"""The SQLite file of an archive: opened once per process, checked, and set aside if damaged."""

from __future__ import annotations

import atexit
import os
import sqlite3
import stat
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from perturbx.errors import ArchiveError, DamagedArchiveWarning

_VERSION = 1
_APPLICATION = 0x70627861
"""Marks the file as ours, in the field that SQLite reserves for this."""

_PATIENCE = 60.0
"""Seconds to wait for another process that writes."""

_MOST_OPEN = 8

_LOG_PAGES = 256
"""The log beside the file is moved into it whenever it has so many pages, of 4 KiB each."""

_SCHEMA = """
CREATE TABLE models(
    id INTEGER PRIMARY KEY, tag BLOB NOT NULL, facts BLOB NOT NULL, created NUMERIC NOT NULL);
CREATE TABLE blocks(
    first INTEGER PRIMARY KEY, n INTEGER NOT NULL, model INTEGER NOT NULL, written NUMERIC NOT NULL,
    dtype BLOB NOT NULL, n_outputs INTEGER, digests BLOB NOT NULL, answers BLOB NOT NULL,
    checksum BLOB NOT NULL);
CREATE TABLE rows(fingerprint INTEGER PRIMARY KEY, place INTEGER NOT NULL);
"""
"""Answers are stored in blocks, as they came; `rows` finds a row by half of its digest.

Rows are numbered through all blocks, and a block is named by the number of its first row. Text is
stored as bytes, whose number SQLite tells without reading them. It would read REAL columns.
"""

_TABLES = {" ".join(statement.split()) for statement in _SCHEMA.split(";")} - {""}

_LONGEST = 2**25
"""The most bytes of one value; a block of answers has one MB, or a single row."""

_ENDINGS = ("", "-wal", "-shm", "-journal")

UNREADABLE = sqlite3.DatabaseError, UnicodeDecodeError
"""What SQLite raises on a damaged file; its messages may hold bytes of it."""

_MAGIC = b"SQLite format 3\0"


class Database:
    """A connection for all threads of this process, which take turns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.RLock()
        _create(path)
        self._connection = connect(path)
        self._check()
        self._connection.execute("PRAGMA synchronous = NORMAL")  # a killed process loses nothing
        self._connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        self._connection.execute(f"PRAGMA journal_size_limit = {_LOG_PAGES * 4096}")
        self.inode = path.stat().st_ino

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Several statements that see the same state."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Several statements of which all take effect, or none; other writers wait."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def alone(self) -> Iterator[sqlite3.Connection]:
        """Statements that cannot be part of a transaction, such as VACUUM."""
        with self.lock, _explained(self.path):
            yield self._connection

    def close(self) -> None:
        with self.lock, suppress(sqlite3.Error):
            self._connection.close()

    def is_replaced(self) -> bool:
        """Whether the file at this path is no longer the one that is open."""
        try:
            return self.path.stat().st_ino != self.inode
        except FileNotFoundError:
            return True

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self.lock, _explained(self.path):
            self._connection.execute(begin)
            try:
                yield self._connection
            except BaseException:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _check(self) -> None:
        """Make the tables of a new file; refuse one that is not an archive."""
        with self.alone() as connection:
            if self._is_empty(connection):
                connection.execute("PRAGMA journal_mode = WAL")
                with self.writing():
                    if self._is_empty(connection):  # else another process was faster
                        for statement in _SCHEMA.split(";"):
                            connection.execute(statement)
                        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                        connection.execute(f"PRAGMA user_version = {_VERSION}")
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            is_ours = has_our_tables(connection)
        if application != _APPLICATION:
            self.close()
            raise _of_another_program(self.path)
        if version != _VERSION:
            self.close()
            raise ArchiveError(
                f"The archive {str(self.path)!r} has format {version}, and this perturbx reads "
                f"format {_VERSION}: use the perturbx that wrote it, or another path."
            )
        if not is_ours:
            self.close()
            raise ArchiveError(
                f"The archive {str(self.path)!r} holds tables, views or triggers that perturbx did "
                "not make, which could run when it is read: pass another path."
            )

    @staticmethod
    def _is_empty(connection: sqlite3.Connection) -> bool:
        return not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()


class Damaged(Exception):  # noqa: N818 - a state of the file, which callers repair
    """The file, or a part of it, is no longer what was written."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection to a file that anyone may have written: it runs nothing that the file says."""
    connection = sqlite3.connect(
        path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
    )
    if sys.version_info >= (3, 11):
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
    for guard in ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0"):
        connection.execute(f"PRAGMA {guard}")
    return connection


def bounded(column: str) -> str:
    """SQL for the number or the bytes in a column; NULL for a text, or for too many bytes.

    What is refused is never read, whatever its size.
    """
    is_short = f"typeof({column}) <> 'blob' OR length({column}) <= {_LONGEST}"
    return f"CASE WHEN typeof({column}) <> 'text' AND ({is_short}) THEN {column} END"


def has_our_tables(connection: sqlite3.Connection) -> bool:
    """Whether the file has the tables of an archive, and nothing else that a query could start."""
    found = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {" ".join(str(sql).split()) for (sql,) in found} == _TABLES


def database(path: Path) -> Database:
    """The database at `path`, opened by this process once; made if there is none."""
    with _opening:
        key = os.getpid(), str(path)
        known = _open.pop(key, None)
        if known is not None and known.is_replaced():
            known.close()
            known = None
        if known is None:
            known = Database(path)
            while len(_open) >= _MOST_OPEN:
                oldest = next(iter(_open))
                if oldest[0] == os.getpid():
                    _open[oldest].close()
                else:  # closing what the parent process opened would release its locks
                    _inherited.append(_open[oldest])
                del _open[oldest]
        _open[key] = known
        return known


def set_aside(path: Path) -> Path:
    """Rename a damaged file, so that a new one takes its place; returns the new name."""
    with _opening:
        known = _open.pop((os.getpid(), str(path)), None)
        if known is not None:
            known.close()
        n = 1
        while (aside := path.with_name(f"{path.name}.damaged-{n}")).exists():
            n += 1
        for ending in _ENDINGS:
            with suppress(FileNotFoundError):
                os.replace(f"{path}{ending}", f"{aside}{ending}")
    warnings.warn(
        f"The archive {str(path)!r} was damaged: it is now {aside.name!r}, and what could still be "
        "read of it was copied. Answers that were lost are asked again.",
        DamagedArchiveWarning,
        stacklevel=2,
    )
    return aside


_open: dict[tuple[int, str], Database] = {}
_inherited: list[Database] = []
_opening = threading.RLock()


def _create(path: Path) -> None:
    """Make an empty file for the user's eyes alone; refuse what cannot be an archive."""
    if path.is_dir():
        raise ArchiveError(
            f"archive must be a file: {str(path)!r} is a folder. Pass a path in it, such as "
            f"{str(path / 'answers.sqlite')!r}."
        )
    for ending in _ENDINGS:
        part = Path(f"{path}{ending}")
        if part.is_symlink():
            raise ArchiveError(
                f"archive must be a file, not a link: {str(part)!r} points to "
                f"{os.path.realpath(part)!r}. "
                + ("Remove it." if ending else "Pass that path, if it is the one that you mean.")
            )
        if part.exists() and not stat.S_ISREG(part.stat().st_mode):
            raise ArchiveError(f"archive must be a file: {str(part)!r} is a pipe or a device.")
    try:
        if not path.exists():
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        elif not os.access(path, os.W_OK):
            raise PermissionError(13, "Permission denied")
        elif path.stat().st_size:
            with path.open("rb") as file:
                is_database = file.read(len(_MAGIC)) == _MAGIC
            if not is_database:
                raise _of_another_program(path)
    except ArchiveError:
        raise
    except OSError as error:
        raise ArchiveError(
            f"archive must be a file that can be written: {str(path)!r} cannot ({error.strerror}). "
            "Pass a path in a folder that exists and is yours."
        ) from error


def _of_another_program(path: Path) -> ArchiveError:
    return ArchiveError(
        f"archive must be a file that perturbx wrote, or a new one: {str(path)!r} is a file of "
        "another program. Pass another path."
    )


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Errors of SQLite as ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        said = str(error)
        if "malformed" in said or "decode" in said:  # texts that are no longer UTF-8
            raise Damaged(said) from error
        cure = "run the same call again, and it goes on from there"
        if "full" in said:
            cure = f"free some space, and {cure}"
        elif "locked" in said:
            cure = f"another process has been writing to it for {_PATIENCE:.0f} seconds: {cure}"
        elif "readonly" in said:
            cure = "make it writable, or copy it to a path where you may write"
        raise ArchiveError(
            f"The archive {str(path)!r} cannot be used ({said}). Everything that was written to "
            f"it is still there: {cure}."
        ) from error
    except UNREADABLE as error:
        raise Damaged(str(error)) from error


@atexit.register
def _close_all() -> None:
    for (pid, _), known in _open.items():
        if pid == os.getpid():
            known.close()
