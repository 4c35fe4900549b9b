"""Which columns a model gets, in which order and types: those of the data and of the background."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from perturbx._validation import did_you_mean, shown
from perturbx.cli.tables import Table, unnamed
from perturbx.errors import InvalidInputError, InvalidParameterError

if TYPE_CHECKING:
    import pandas as pd

Kind: TypeAlias = Literal["text", "number", "integer"]
"""What a model takes in a column."""

_YES_NO = {"true": True, "false": False}


def picked(table: Table, keep: Sequence[str] | None, drop: Sequence[str]) -> Table:
    """The table without dropped columns, or with the kept ones in their order.

    Raises
    ------
    InvalidParameterError
        If a kept column does not exist.
    InvalidInputError
        If a column has no name.
    """
    columns = table.columns
    if keep is not None:
        _check_known("--columns", keep, columns, table.name)
        columns = list(keep)
    columns = [column for column in columns if column not in drop]
    nameless = unnamed(table.columns)
    left = [column for column in nameless if column in columns]
    if left:
        raise InvalidInputError(
            f"{table.name}: {left[0]} has no name in the first line. If it counts the rows, leave "
            f'it out: --drop "{left[0]}".'
        )
    if not columns:
        raise InvalidInputError(f"{table.name}: no column is left.")
    return Table(table.frame[columns], table.name)


def check_dropped(drop: Sequence[str], tables: Sequence[Table]) -> None:
    """Refuse names that none of the tables has.

    Raises
    ------
    InvalidParameterError
    """
    known = list(dict.fromkeys(column for table in tables for column in table.columns))
    _check_known("--drop", drop, known, " and ".join(dict.fromkeys(t.name for t in tables)))


def _check_known(option: str, names: Iterable[str], columns: Sequence[str], where: str) -> None:
    for name in names:
        if name not in columns:
            meant = did_you_mean(name, columns)
            raise InvalidParameterError(
                f"{option}: {where} has no column {name!r}"
                f"{meant or f'; it has {_listed(columns)}.'}"
            )


def as_the_background(data: Table, background: Table) -> tuple[Table, bool]:
    """The data with the columns in the order of the background, and whether it was another.

    Raises
    ------
    InvalidInputError
        If one of them has columns that the other lacks.
    """
    for has, lacks in ((background, data), (data, background)):
        more = [column for column in has.columns if column not in lacks.columns]
        if more:
            quoted = ",".join(more)
            raise InvalidInputError(
                f"{has.name} has columns that {lacks.name} lacks: {_listed(more)}"
                f"{did_you_mean(more[0], lacks.columns) or '.'} Columns that the model does not "
                f'take are left out by --drop "{quoted}".'
            )
    return Table(data.frame[background.columns], data.name), data.columns != background.columns


def typed(tables: Sequence[Table], kinds: Mapping[str, Kind]) -> list[pd.DataFrame]:
    """The tables with one type per column, the same in all: numbers, True and False, or texts.

    Parameters
    ----------
    tables : of the same columns
    kinds : what the model takes, where it is known

    Raises
    ------
    InvalidInputError
        If a column is not what the model takes, or texts in one file and numbers in another.
    """
    import pandas as pd

    columns: dict[str, pd.Series[Any]] = {}
    for column in tables[0].columns:
        parts = _recoded(tables, column)
        if len({_family(part) for part in parts}) > 1:
            parts = [_converted(part) if _is_text(part) else part for part in parts]
        families = {table.name: _family(part) for table, part in zip(tables, parts, strict=True)}
        if len(set(families.values())) > 1:
            said = " and ".join(f"{family} in {name}" for name, family in families.items())
            raise InvalidInputError(f"column {column!r} has {said}.")
        joint = pd.concat(parts, ignore_index=True)
        kind = kinds.get(column)
        names = " and ".join(dict.fromkeys(table.name for table in tables))
        columns[column] = _as_kind(joint, kind, names) if kind else _converted(joint)
    whole = pd.DataFrame(columns)
    sizes = np.cumsum([len(table.frame) for table in tables])
    return [
        whole.iloc[stop - len(table.frame) : stop].reset_index(drop=True)
        for table, stop in zip(tables, sizes, strict=True)
    ]


def _recoded(tables: Sequence[Table], column: str) -> list[pd.Series[Any]]:
    """A column of each table, with the categories of the last one that has any."""
    import pandas as pd

    parts = [table.frame[column] for table in tables]
    last = next((part for part in parts[::-1] if isinstance(part.dtype, pd.CategoricalDtype)), None)
    if last is None:
        return parts
    categories = last.cat.categories
    known = [part.astype(object).where(part.isin(categories)) for part in parts]
    found = [part.astype(last.dtype) for part in known]
    for before, after in zip(parts, found, strict=True):
        lost = before[after.isna() & before.notna()]
        if len(lost):
            raise InvalidInputError(
                f"column {column!r} has {shown(lost.iloc[0])}, which is no category in the file "
                "that has categories."
            )
    return found


def _is_text(column: pd.Series[Any]) -> bool:
    import pandas as pd

    return pd.api.types.is_object_dtype(column.dtype) or pd.api.types.is_string_dtype(column.dtype)


def _family(column: pd.Series[Any]) -> str:
    if _is_text(column):
        return "texts"
    return "numbers" if column.dtype.kind in "buif" else str(column.dtype)


def _converted(column: pd.Series[Any]) -> pd.Series[Any]:
    """A column of texts as numbers or as True and False, if all of them are."""
    import pandas as pd

    if not _is_text(column):
        return column
    there = column.dropna()
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.notna().sum() == len(there):
        return numbers.astype(float) if numbers.dtype.kind not in "uif" else numbers
    if len(there) == len(column) and set(there.str.lower()) <= set(_YES_NO):
        return there.str.lower().map(_YES_NO).astype(bool)
    return column


def _as_kind(column: pd.Series[Any], kind: Kind, where: str) -> pd.Series[Any]:
    """A column as the model takes it."""
    name = column.name
    if kind == "text":
        missing = np.flatnonzero(column.isna())
        if len(missing):
            raise InvalidInputError(
                f"column {name!r} has missing values, and the model takes texts there: give them "
                f"a text of their own in {where}."
            )
        if column.dtype.kind == "f":
            raise InvalidInputError(
                f"column {name!r} has numbers such as {shown(float(column.iloc[0]))}, and the "
                "model takes texts there."
            )
        return column.astype(str).astype(object)
    numbers = _converted(column)
    if numbers.dtype.kind not in "buif":
        import pandas as pd

        odd = column[pd.to_numeric(column, errors="coerce").isna() & column.notna()]
        raise InvalidInputError(
            f"column {name!r} has {shown(str(odd.iloc[0]))}, and the model takes numbers there."
        )
    if kind == "integer" and numbers.dtype.kind == "f":
        if not np.array_equal(numbers, np.floor(numbers)):
            raise InvalidInputError(
                f"column {name!r} has fractions or missing values, and the model takes whole "
                "numbers there."
            )
        numbers = numbers.astype(np.int64)
    return numbers


def _listed(columns: Sequence[str]) -> str:
    more = f" and {len(columns) - 20} more" if len(columns) > 20 else ""
    return f"{', '.join(map(repr, columns[:20]))}{more}"
