"""An archive that anybody may have made runs nothing, fills no memory, and follows no link."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import warnings
from hashlib import blake2b
from pathlib import Path

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import ArchiveError, DamagedArchiveWarning

X = np.random.default_rng(0).normal(size=(30, 4))


def model(X: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(X[:, 0]) * X[:, 2] + X[:, 3])


def explained(path: Path | None) -> np.ndarray:
    archive = None if path is None else px.Archive(path, model="v1")
    explainer = px.KernelShap(model, random_state=0, archive=archive).fit(X[:9])
    return explainer.explain(X[9:11]).values


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An archive with some answers, all of them in the file itself."""
    found = tmp_path / "answers.sqlite"
    explained(found)
    with sqlite3.connect(found) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    copied = tmp_path / "copy.sqlite"
    copied.write_bytes(found.read_bytes())
    return copied


def change(path: Path, *statements: str, values: tuple[object, ...] = ()) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement, values if "?" in statement else ())
    connection.close()


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n) SELECT i, i FROM n"

SCHEMAS = {
    "a trigger": ["CREATE TRIGGER t AFTER INSERT ON rows BEGIN DELETE FROM blocks; END"],
    "an endless view": ["DROP TABLE rows", f"CREATE VIEW rows(fingerprint, place) AS {ENDLESS}"],
    "a view of blocks": [
        "ALTER TABLE blocks RENAME TO others",
        "CREATE VIEW blocks AS SELECT * FROM others",
    ],
    "an index that computes": ["CREATE INDEX i ON rows(abs(place))"],
    "a column that computes": ["ALTER TABLE models ADD COLUMN x AS (zeroblob(1000000000))"],
    "a virtual table": ["CREATE VIRTUAL TABLE v USING fts5(text)"],
    "a table more": ["CREATE TABLE more(x)"],
    "a table less": ["DROP TABLE rows"],
}


@pytest.mark.parametrize("statements", SCHEMAS.values(), ids=SCHEMAS.keys())
def test_another_schema_is_refused(path: Path, statements: list[str]) -> None:
    """Before anything is read from it; the file stays as it is."""
    try:
        change(path, *statements)
    except sqlite3.OperationalError as error:
        if "no such module" not in str(error):
            raise
        pytest.skip("this SQLite has no such tables")
    before = path.read_bytes()
    for use in (explained, px.archive.info, px.archive.verify):
        with pytest.raises(ArchiveError, match="perturbx did not make"):
            use(path)
    assert path.read_bytes() == before


def checksum(n: int, dtype: str, k: int | None, *content: bytes) -> bytes:
    return blake2b(f"{n} {dtype} {k}".encode() + b"".join(content), digest_size=16).digest()


def _block(n: object, dtype: str, k: int | None, keys: bytes, answers: bytes) -> tuple[object, ...]:
    """What a block is replaced by, with the checksum that belongs to it."""
    known = checksum(n, dtype, k, keys, answers)  # type: ignore[arg-type]
    return n, dtype.encode(), k, keys, answers, known


BLOCKS = {
    "objects": _block(1, "|O", None, bytes(16), bytes(8)),
    "records": _block(1, "<f8,<f8", None, bytes(16), bytes(16)),
    "a type that does not end": _block(1, "(" * 500, None, bytes(16), bytes(8)),
    "more rows than bytes": _block(10**9, "<f8", None, bytes(16), bytes(8)),
    "more outputs than bytes": _block(1, "<f8", 10**12, bytes(16), bytes(8)),
    "no rows": _block(0, "<f8", None, b"", b""),
    "fewer than none": _block(-1, "<f8", None, bytes(16), bytes(8)),
    "a text for a number": _block("many", "<f8", None, bytes(16), bytes(8)),
}


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS.keys())
def test_blocks_that_lie_are_set_aside(path: Path, block: tuple[object, ...]) -> None:
    """Also with a sound checksum: the rows are asked again, and the scores are right."""
    change(
        path,
        "UPDATE blocks SET (n, dtype, n_outputs, digests, answers, checksum) = (?, ?, ?, ?, ?, ?)",
        values=block,
    )
    with pytest.warns(DamagedArchiveWarning):
        found = explained(path)
    np.testing.assert_array_equal(found, explained(None))


VALUES = {
    "places that are texts": "UPDATE rows SET place = 'x' || place",
    "places far out": "UPDATE rows SET place = place + 1000000",
    "deep facts": f"UPDATE models SET facts = CAST('{'[' * 100_000}' AS BLOB)",
    "facts of a list": "UPDATE models SET facts = CAST('[1, 2]' AS BLOB)",
    "long integers": f"UPDATE models SET facts = CAST('{'9' * 5000}' AS BLOB)",
    "facts that are no JSON": "UPDATE models SET facts = x'00ff'",
    "facts that are a text": "UPDATE models SET facts = CAST(facts AS TEXT)",
    "a type that is a text": "UPDATE blocks SET dtype = CAST(dtype AS TEXT)",
}


@pytest.mark.parametrize("statement", VALUES.values(), ids=VALUES.keys())
def test_values_that_lie_are_set_aside(path: Path, statement: str) -> None:
    """The same for what stands beside the answers."""
    change(path, statement)
    with pytest.warns(DamagedArchiveWarning):
        found = explained(path)
    np.testing.assert_array_equal(found, explained(None))


COLUMNS = {
    "models": ("tag", "facts", "created"),
    "blocks": ("n", "model", "written", "dtype", "n_outputs", "digests", "answers", "checksum"),
    "rows": ("place",),
}
HUGE = {"bytes": "zeroblob(34000000)", "text": "CAST(zeroblob(34000000) AS TEXT)"}


@pytest.mark.skipif(os.name == "nt", reason="POSIX alone")
@pytest.mark.parametrize("value", HUGE.values(), ids=HUGE.keys())
def test_a_huge_value_is_not_read(path: Path, value: str) -> None:
    """34 MB in one cell of any column: nothing of it comes into memory, SQLite's own included."""
    paths = []
    for table, columns in COLUMNS.items():
        for column in columns:
            paths.append(path.with_name(f"{column}.sqlite"))
            paths[-1].write_bytes(path.read_bytes())
            first = f"WHERE rowid = (SELECT MIN(rowid) FROM {table})"
            change(paths[-1], f"UPDATE {table} SET {column} = {value} {first}")
    command = [sys.executable, "-c", READ_THEM, *map(str, paths)]
    folder = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 2e7


READ_THEM = """
import resource, sys, warnings
from contextlib import suppress
import numpy as np, perturbx as px
from tests.archive.test_hostile_archives import explained
warnings.simplefilter("ignore")
sound, unit = explained(None), 1 if sys.platform == "darwin" else 1024
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    for look in (px.archive.info, lambda path: px.archive.prune(path, older_than=1)):
        with suppress(px.errors.ArchiveError):
            look(path)
    np.testing.assert_array_equal(explained(path), sound)
    px.archive.verify(path)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit)
"""


def test_dates_that_cannot_be(path: Path) -> None:
    """The overview says so."""
    change(path, "UPDATE blocks SET written = 1e300")
    with pytest.raises(ArchiveError, match="cannot be"):
        px.archive.info(path)


def test_damage_is_named_by_who_only_looks(path: Path) -> None:
    """The overview and the broom do not mend: they say what does."""
    content = bytearray(path.read_bytes())
    content[100:160] = bytes(60)
    path.write_bytes(content)
    for look in (px.archive.info, px.archive.prune):
        with pytest.raises(ArchiveError, match=r"px\.archive\.verify"):
            look(path)
    with pytest.warns(DamagedArchiveWarning):
        assert px.archive.verify(path).n_answers == 0


@pytest.mark.skipif(os.name == "nt", reason="POSIX alone")
@pytest.mark.parametrize("ending", ["", "-wal", "-shm", "-journal"])
def test_links_are_not_followed(tmp_path: Path, ending: str) -> None:
    """Neither the archive nor what SQLite keeps beside it; nothing is made where they point to."""
    target = tmp_path / "elsewhere"
    Path(f"{tmp_path / 'answers.sqlite'}{ending}").symlink_to(target)
    with pytest.raises(ArchiveError, match="not a link"):
        explained(tmp_path / "answers.sqlite")
    assert not target.exists()


@pytest.mark.skipif(os.name == "nt", reason="POSIX alone")
def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    """Reading it would wait for ever."""
    os.mkfifo(tmp_path / "answers.sqlite")
    with pytest.raises(ArchiveError, match="pipe"):
        explained(tmp_path / "answers.sqlite")


@pytest.mark.parametrize("at", [0.05, 0.3, 0.6, 0.9, 0.99])
def test_truncated_archives(path: Path, at: float) -> None:
    """What is left is used, or asked again: scores are right in both cases."""
    content = path.read_bytes()
    path.write_bytes(content[: int(at * len(content))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DamagedArchiveWarning)
        found = explained(path)
    np.testing.assert_array_equal(found, explained(None))


@pytest.mark.parametrize("where", ["INTEGER PRIMARY", "checksum BLOB", "fingerprint INT"])
def test_names_that_are_no_text_any_more(path: Path, where: str) -> None:
    """What SQLite says of them cannot be decoded either; the file is set aside."""
    content = path.read_bytes()
    at = content.index(where.encode()) + 5
    path.write_bytes(content[:at] + b"\xe7" + content[at + 1 :])
    with pytest.warns(DamagedArchiveWarning):
        np.testing.assert_array_equal(explained(path), explained(None))
    assert px.archive.verify(path).n_lost == 0


@pytest.mark.parametrize(
    "damage",
    ["UPDATE rows SET place = place + 1", "DELETE FROM rows", "DELETE FROM rows WHERE place > 9"],
)
def test_answers_that_are_not_found_are_numbered_anew(path: Path, damage: str) -> None:
    """They are as whole as ever, and none is asked again after `verify`."""
    asked = []

    def counting(rows: np.ndarray) -> np.ndarray:
        asked.append(len(rows))
        return model(rows)

    change(path, damage)
    n = px.archive.info(path).n_answers
    with pytest.warns(DamagedArchiveWarning):
        found = px.archive.verify(path)
    assert (found.n_answers, found.n_lost) == (n, 0)
    archive = px.Archive(path, model="v1")
    run = px.KernelShap(counting, random_state=0, archive=archive).fit(X[:9])
    np.testing.assert_array_equal(run.explain(X[9:11]).values, explained(None))
    assert not asked


def test_wrong_places_are_noticed_at_once(path: Path) -> None:
    """Without `verify`, so that answers are not asked and stored again by each run."""
    change(path, "UPDATE rows SET place = place + 1 WHERE place < 20")
    with pytest.warns(DamagedArchiveWarning):
        np.testing.assert_array_equal(explained(path), explained(None))
    assert px.archive.verify(path).n_lost == 0
