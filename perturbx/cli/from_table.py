"""Rows of a CSV or Parquet file as what a command explains."""

from __future__ import annotations

import argparse

from perturbx.cli.columns import Kind, as_the_background, check_dropped, picked, typed
from perturbx.cli.models import Model, classes, inputs_of, kinds_of, load, shape_of
from perturbx.cli.options import Rows, existing_file, names
from perturbx.cli.subject import Subject, say
from perturbx.cli.tables import Table, read_table
from perturbx.errors import InvalidInputError, InvalidParameterError

_MANY_ROWS = 1_000
"""More rows than this are explained only where the user asks for them."""

_NO_NAMES = " If these are data, add a first line with the names of the columns."

OPTIONS = ("data", "background", "rows", "drop", "columns", "separator", "encoding")


def add_table(parser: argparse.ArgumentParser) -> None:
    """The options of a table."""
    group = parser.add_argument_group("a table")
    group.add_argument(
        "--data", type=existing_file, metavar="FILE", help="the rows to explain: CSV or Parquet"
    )
    group.add_argument(
        "--background",
        type=existing_file,
        metavar="FILE",
        help="rows whose values stand in for absent features, such as the training data "
        "(default: all rows of --data)",
    )
    group.add_argument(
        "--rows",
        type=Rows,
        metavar="ROWS",
        help="which rows of --data, from 0: 0:20, or 3,7 (default: all, up to 1,000)",
    )
    group.add_argument(
        "--drop",
        type=names,
        action="extend",
        default=[],
        metavar="A,B",
        help="columns that the model does not take, such as the target or an id",
    )
    group.add_argument(
        "--columns", type=names, metavar="A,B", help="the columns that it takes, in its order"
    )
    group.add_argument(
        "--separator", metavar="CHAR", help="what separates fields (default: detected)"
    )
    group.add_argument(
        "--decimal",
        choices=(".", ","),
        default=".",
        metavar="SIGN",
        help='the decimal sign, "." or "," (default: .)',
    )
    group.add_argument(
        "--encoding", metavar="NAME", help="the encoding of CSV files (default: UTF-8)"
    )


def table_subject(chosen: argparse.Namespace) -> Subject:
    """The rows to explain, the background, and the model that takes them."""
    read = {
        path: read_table(path, chosen.separator, chosen.decimal, chosen.encoding)
        for path in dict.fromkeys([chosen.data, chosen.background or chosen.data])
    }
    check_dropped(chosen.drop, list(read.values()))
    tables = [picked(table, chosen.columns, chosen.drop) for table in read.values()]
    if chosen.background is None and len(tables[0].frame) < 2:
        raise InvalidParameterError(
            f"{tables[0].name} has a single row, which cannot be its own background: pass "
            "--background train.csv."
        )
    output_names = classes(chosen.classes)
    model = load(chosen, output_names=output_names)
    tables, kinds = _for_model(model, tables, chosen)
    if len(tables) > 1:
        tables[0], moved = as_the_background(tables[0], tables[1])
        if moved:
            say(chosen, f"note: the columns are in the order of {tables[1].name}.")
    frames = typed(tables, kinds)
    n = len(frames[0])
    if chosen.rows is None and n > _MANY_ROWS:
        raise InvalidParameterError(
            f"{tables[0].name} has {n:,} rows: pick some, as in --rows 0:20, or all of them by "
            "--rows :."
        )
    rows = (chosen.rows or Rows(":")).of(n, tables[0].name)
    if chosen.background is None:
        say(chosen, f"note: absent features take values of the {n:,} rows of {tables[0].name}.")
    X = frames[0].iloc[rows].reset_index(drop=True)
    return Subject(model, X, frames[-1], rows.tolist(), output_names)


def _for_model(
    model: Model, tables: list[Table], chosen: argparse.Namespace
) -> tuple[list[Table], dict[str, Kind]]:
    """The columns that the model takes, and what it takes in each, as far as it tells."""
    inputs, shape = kinds_of(model), shape_of(model)
    if inputs is None or shape is None:
        found = [_by_name(model, table, chosen) for table in tables]
        kinds = {
            column: inputs[name]
            for table, wanted in found
            for name, column in wanted.items()
            if inputs is not None
        }
        return [table for table, _ in found], kinds
    columns = tables[0].columns
    if len(shape) != 2:
        raise InvalidInputError(f"{model.name} takes no table, but {inputs_of(model)}.")
    if isinstance(shape[1], int) and shape[1] != len(columns):
        raise InvalidInputError(
            f"{model.name} takes {shape[1]} columns; {tables[0].name} has {len(columns)}: "
            f"{', '.join(columns[:20])}{', ...' if len(columns) > 20 else ''}. Leave some out by "
            "--drop, or list those of the model by --columns."
        )
    (kind,) = inputs.values()
    return tables, dict.fromkeys(columns, kind)


def _by_name(
    model: Model, table: Table, chosen: argparse.Namespace
) -> tuple[Table, dict[str, str]]:
    """The columns that the model names, in its order; the whole table if it names none."""
    found = model.columns(table.columns)
    if found is None:
        return table, {}
    wanted: dict[str, str] = {}
    for name, column in found.items():
        if column is None:
            raise InvalidInputError(
                f"{model.name} takes a column {name!r}, which {table.name} lacks. It has "
                f"{', '.join(map(repr, table.columns[:20]))}."
                f"{_NO_NAMES * any(map(_is_number, table.columns))}"
            )
        wanted[name] = column
    left = [column for column in table.columns if column not in wanted.values()]
    if left:
        say(chosen, f"note: {table.name}: {model.name} does not take {', '.join(left)}.")
    return Table(table.frame[list(wanted.values())], table.name), wanted


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
