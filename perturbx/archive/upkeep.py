"""What is in an archive, whether it is whole, and how to make it smaller."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from perturbx._validation import check_number, invalid
from perturbx.archive.archive import BLOCK_COLUMNS, Archive, check_found, salvage, unpacked
from perturbx.archive.database import Damaged, Database, bounded, database, set_aside
from perturbx.errors import ArchiveError, InvalidParameterError

_COUNTS = f"SELECT {bounded('model')}, {bounded('n')}, {bounded('written')} FROM blocks"

_NO_NUMBERS = (
    "SELECT 1 FROM blocks WHERE typeof(n) <> 'integer' OR typeof(model) <> 'integer' "
    "OR typeof(written) NOT IN ('integer', 'real') OR typeof(n_outputs) NOT IN ('integer', 'null')",
    "SELECT 1 FROM models WHERE typeof(created) NOT IN ('integer', 'real')",
)


@dataclass(frozen=True)
class ArchivedModel:
    """One version of a model in an archive.

    Parameters
    ----------
    name : str
        The version, or the name of predict_fn where there is none.
    n_answers : int
        The rows that it was asked about.
    first, last : datetime
        When the first and the last of them were answered.
    """

    name: str
    n_answers: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class ArchiveInfo:
    """What is in an archive.

    Parameters
    ----------
    path : str
    n_bytes : int
        Its size on disk.
    models : tuple of ArchivedModel
    """

    path: str
    n_bytes: int
    models: tuple[ArchivedModel, ...]

    @property
    def n_answers(self) -> int:
        """The rows whose answers are kept, of all models."""
        return sum(model.n_answers for model in self.models)

    def __repr__(self) -> str:
        lines = [f"{self.path}: {self.n_answers:,} answers, {self.n_bytes / 1e6:,.1f} MB"]
        for model in self.models:
            first, last = (when.strftime("%Y-%m-%d %H:%M") for when in (model.first, model.last))
            lines.append(f"  {model.name}: {model.n_answers:,} answers, {first} to {last} UTC")
        return "\n".join(lines)


@dataclass(frozen=True)
class Verified:
    """What `verify` found.

    Parameters
    ----------
    n_answers : int
        Answers that are as they were written.
    n_lost : int
        Answers that were not, and are gone; they are asked again when they are needed.
    """

    n_answers: int
    n_lost: int


def info(path: str | os.PathLike[str] | Archive) -> ArchiveInfo:
    """What is in an archive.

    Raises
    ------
    ArchiveError
        If there is no archive at `path`, or it is damaged.
    """
    place = _existing(path)
    blocks: dict[Any, list[tuple[Any, Any]]] = {}
    with _explained(place), database(place).reading() as connection:
        tags = connection.execute(f"SELECT id, {bounded('tag')} FROM models ORDER BY id").fetchall()
        for model, *block in connection.execute(_COUNTS):  # SUM would read what is too long
            blocks.setdefault(model, []).append(tuple(block))
    try:
        models = tuple(
            ArchivedModel(tag.decode(), sum(n), _when(min(written)), _when(max(written)))
            for number, tag in tags
            if number in blocks
            for n, written in [zip(*blocks[number], strict=True)]
        )
    except (AttributeError, ValueError, TypeError, OverflowError, OSError) as error:
        raise ArchiveError(
            f"The archive {str(place)!r} holds counts or dates that cannot be ({error}): "
            "px.archive.verify(path) sets aside what is damaged."
        ) from error
    return ArchiveInfo(os.fspath(Archive.at(path).path), _size(place), models)


def prune(
    path: str | os.PathLike[str] | Archive,
    *,
    model: str | None = None,
    older_than: timedelta | float | None = None,
) -> int:
    """Remove answers, and give their space back.

    Parameters
    ----------
    path : path or Archive
    model : str, optional
        The version of the model whose answers are removed; by default that of the `Archive`, else
        all versions.
    older_than : timedelta or float, optional
        Only answers of more than so many days ago.

    Returns
    -------
    int
        How many answers were removed.

    Raises
    ------
    ArchiveError
        If there is no archive at `path`, or it is damaged.
    InvalidParameterError
        If no such model is in the archive.
    """
    place, known = _existing(path), info(path)
    model = path.model if model is None and isinstance(path, Archive) else model
    names = [one.name for one in known.models]
    if model is not None and model not in names:
        raise invalid("model", f"one of {names}", model)
    age = timedelta(0)
    if isinstance(older_than, timedelta):
        age = older_than
    elif older_than is not None:
        age = timedelta(days=check_number("older_than", older_than, above=0))
    if age < timedelta(0):
        raise InvalidParameterError(f"older_than must be positive; got {older_than!r}.")
    before = (datetime.now(timezone.utc) - age).timestamp()
    with _explained(place):
        return _pruned(database(place), model, before)


def _pruned(db: Database, model: str | None, before: float) -> int:
    """Remove the answers of a model, or of all, that are older; returns how many."""
    tag, place = None if model is None else model.encode(), bounded("place")
    with db.writing() as connection:
        blocks = connection.execute(
            f"SELECT first, {bounded('n')} FROM blocks "
            f"JOIN models ON models.id = {bounded('model')} "
            f"WHERE {bounded('written')} <= ? AND (? IS NULL OR {bounded('tag')} = ?)",
            (before, tag, tag),
        ).fetchall()
        if not all(type(n) is int for _, n in blocks):
            raise Damaged("a block has no number of rows")
        connection.executemany("DELETE FROM blocks WHERE first = ?", [(f,) for f, _ in blocks])
        connection.execute("CREATE TEMP TABLE gone(first INTEGER, stop INTEGER)")
        connection.executemany("INSERT INTO gone VALUES (?, ?)", [(f, f + n) for f, n in blocks])
        connection.execute(
            "DELETE FROM rows WHERE EXISTS "
            f"(SELECT 1 FROM gone WHERE {place} >= gone.first AND {place} < gone.stop)"
        )
        connection.execute("DROP TABLE gone")
        connection.execute(
            f"DELETE FROM models WHERE id NOT IN (SELECT {bounded('model')} FROM blocks)"
        )
    with db.alone() as connection:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return int(sum(n for _, n in blocks))


def verify(path: str | os.PathLike[str] | Archive) -> Verified:
    """Read every answer and compare it with its checksum; what is damaged is set aside.

    Also checks that each answer is found by its row.

    Returns
    -------
    Verified

    Raises
    ------
    ArchiveError
        If there is no archive at `path`.

    Warns
    -----
    DamagedArchiveWarning
        If something was damaged: the file was renamed, and what is whole was copied.
    """
    place = _existing(path)
    total, damaged = 0, False
    try:
        with database(place).reading() as connection:
            total = sum(n for _, n, _ in connection.execute(_COUNTS) if type(n) is int)
            # The check of SQLite reads such values, whatever their size.
            if any(connection.execute(f"{wrong} LIMIT 1").fetchone() for wrong in _NO_NUMBERS):
                raise Damaged("a text or bytes where a number should be")
            for row in connection.execute(f"SELECT {BLOCK_COLUMNS} FROM blocks"):
                check_found(connection, unpacked(row)[0])
            damaged = connection.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok"
    except (Damaged, ValueError, TypeError):
        damaged = True
    if not damaged:
        return Verified(total, 0)
    n = salvage(set_aside(place), place)
    return Verified(n, max(total - n, 0))


@contextmanager
def _explained(place: Path) -> Iterator[None]:
    """A damaged file, which only `verify` mends, as an error of ours."""
    try:
        yield
    except Damaged as error:
        raise ArchiveError(
            f"The archive {str(place)!r} is damaged ({error}): px.archive.verify(path) keeps what "
            "can be read, and sets the rest aside."
        ) from error


def _existing(path: str | os.PathLike[str] | Archive) -> Path:
    place = Path(Archive.at(path).path).absolute()
    if not place.exists():
        raise ArchiveError(f"There is no archive at {str(place)!r}.")
    return place


def _size(path: Path) -> int:
    return sum(p.stat().st_size for p in (path, Path(f"{path}-wal")) if p.exists())


def _when(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
