"""Tables from CSV and Parquet files, as texts first: types need the model and all files."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perturbx._validation import needed
from perturbx.errors import InvalidInputError

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = ",;\t|"

_OTHER_FORMATS = (".xlsx", ".xls", ".ods", ".json", ".jsonl", ".feather", ".orc", ".db", ".sqlite")
_PICKLES = (".pkl", ".pickle", ".joblib", ".npy", ".npz", ".h5", ".hdf5")


@dataclass(frozen=True)
class Table:
    """A table that was read.

    Parameters
    ----------
    frame : pandas.DataFrame
        From CSV all cells are texts, or missing.
    name : str
        The file's name.
    """

    frame: pd.DataFrame
    name: str

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self.frame.columns)


def read_table(
    path: Path, separator: str | None = None, decimal: str = ".", encoding: str | None = None
) -> Table:
    """The table in a CSV or Parquet file.

    Raises
    ------
    InvalidInputError
        If the file is not such a table; the message names the line.
    ImportError
        Without pandas, or without pyarrow for Parquet.
    """
    pandas = needed("pandas", "reading tables", '"perturbx[cli]"')
    if path.suffix.lower() in (*_OTHER_FORMATS, *_PICKLES):
        raise InvalidInputError(
            f"{path.name}: tables are read from CSV and Parquet files, not {path.suffix}. Save it "
            "as CSV, as in frame.to_csv('rows.csv', index=False)."
        )
    content = path.read_bytes()
    if content.startswith(b"PAR1"):
        frame = _parquet(path)
    else:
        text = _decoded(content, path.name, encoding)
        separator = separator or _separator(text)
        columns = _check_lines(text, path.name, separator)
        frame = pandas.read_csv(
            io.StringIO(text),
            sep=separator,
            header=0,
            names=columns,
            dtype=str,
            index_col=False,
        )
        frame = _with_points(frame, path.name, separator, decimal)
    if frame.empty:
        raise InvalidInputError(f"{path.name} has no rows.")
    return Table(frame, path.name)


def _parquet(path: Path) -> pd.DataFrame:
    needed("pyarrow", "reading Parquet", '"perturbx[parquet]"')
    import pandas as pd

    try:
        frame = pd.read_parquet(path)
    except Exception as error:  # pyarrow has its own exceptions for damaged files
        raise InvalidInputError(f"{path.name} cannot be read as Parquet: {error}") from error
    frame.columns = frame.columns.map(str)
    return frame.reset_index(drop=True)


def _decoded(content: bytes, name: str, encoding: str | None) -> str:
    """The text of a file; a byte order mark is no part of the first name."""
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = content.decode(encoding or ("utf-16" if wide else "utf-8-sig"))
    except (UnicodeError, LookupError) as error:
        said = f"it is not {encoding or 'UTF-8'}" if isinstance(error, UnicodeError) else error
        where = f" (byte {error.start:,})" if isinstance(error, UnicodeDecodeError) else ""
        raise InvalidInputError(
            f"{name} cannot be read: {said}{where}. Pass its encoding, such as --encoding latin-1 "
            "or --encoding cp1252."
        ) from error
    if "\0" in text:
        raise InvalidInputError(f"{name} is not a text file: it has NUL characters.")
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise InvalidInputError(f"{name} is empty.")
    return text


def _separator(text: str) -> str:
    """What separates the names of the first line; the comma if nothing does."""
    first = next(line for line in text.splitlines() if line.strip())

    def fields(separator: str) -> int:
        return len(next(csv.reader([first], delimiter=separator)))

    return max(_SEPARATORS, key=fields)


def _check_lines(text: str, name: str, separator: str) -> list[str]:
    """The names of the columns; an error for rows with more or fewer fields."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header: list[str] | None = None
    try:
        for fields in reader:
            if header is None:
                header = fields or None
            elif fields and len(fields) != len(header):
                raise InvalidInputError(
                    f"{name}, line {reader.line_num}: {len(fields)} fields, where the first line "
                    f"has {len(header)} names. Fields are separated by {separator!r}, and those "
                    'that contain it need "quotes"; --separator names another.'
                )
    except csv.Error as error:
        raise InvalidInputError(f"{name}, line {reader.line_num}: {error}.") from error
    assert header is not None
    columns = [column or f"column {i}" for i, column in enumerate(header, 1)]
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise InvalidInputError(
            f"{name}: the first line must have the names of the columns, each once; "
            f"{', '.join(map(repr, twice[:3]))} occurs more than once."
        )
    return columns


def _with_points(frame: pd.DataFrame, name: str, separator: str, decimal: str) -> pd.DataFrame:
    """The cells with decimal points; decimal commas are refused unless they were announced."""
    number = r"\s*[+-]?\d+,\d+\s*"
    for column in frame if separator != "," or decimal != "." else ():
        cells = frame[column].dropna()
        if not len(cells) or not cells.str.contains(",", regex=False).any():
            continue
        if decimal == ",":
            as_points = frame[column].str.replace(decimal, ".", regex=False)
            whole = cells.str.fullmatch(rf"{number}|\s*[+-]?\d+\s*").all()
            frame[column] = as_points if whole else frame[column]
        elif cells.str.fullmatch(rf"{number}|\s*[+-]?\d+\s*").all():
            raise InvalidInputError(
                f"{name}: column {column!r} has decimal commas, as in {cells.iloc[0]!r}. Pass "
                '--decimal ",".'
            )
    return frame


def unnamed(columns: Sequence[str]) -> list[str]:
    """The columns that had no name in the file."""
    return [column for i, column in enumerate(columns, 1) if column == f"column {i}"]
