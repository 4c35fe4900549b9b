"""``perturbx explain``: rows of a table, or photos."""

from __future__ import annotations

import argparse
from typing import Any

from perturbx.cli import from_photos, from_table
from perturbx.cli.options import (
    METHODS,
    add_command,
    add_cost,
    add_model,
    add_out,
    add_run,
    method,
    positive,
)
from perturbx.cli.running import check_run, explained
from perturbx.cli.subject import Subject
from perturbx.errors import InvalidParameterError

_EXAMPLES = """\
examples:
  perturbx explain --model model.onnx --data rows.csv --background train.csv --rows 0:20 \\
      --drop target,id --out report.html --out scores.csv
  perturbx explain --predict model:predict --data rows.csv --method lime --budget 2000 --dry-run
  perturbx explain photo.jpg --model network.onnx --classes names.txt --output top3
  perturbx explain photos/ --model network.onnx --classes imagenet --out photos.npz
"""


def add_to(commands: Any) -> None:
    """Add the command to the parser's commands."""
    about = "Explain rows of a table, or photos, by a model of any framework."
    parser = add_command(commands, "explain", run, about, _EXAMPLES, "(--data FILE | PHOTO ...)")
    from_photos.add_photos(parser)
    from_table.add_table(parser)
    add_model(parser)
    add_method(parser)
    add_run(parser)
    add_out(add_cost(parser))


def add_method(parser: argparse.ArgumentParser) -> None:
    """The options that say how a score is defined."""
    parser.add_argument(
        "--method",
        type=method,
        metavar="NAME",
        help=f"{', '.join(METHODS)} (default: owen-shap for photos, otherwise kernel-shap)",
    )
    parser.add_argument("--tol", type=positive, metavar="SHARE", help="stop at this error, as 0.01")
    parser.add_argument(
        "--link",
        choices=("identity", "logit"),
        default="identity",
        help="logit: explain log-odds of probabilities (default: %(default)s)",
    )


def run(chosen: argparse.Namespace) -> None:
    """Run the command."""
    check_run(chosen)
    explained(subject_of(chosen), chosen, tol=chosen.tol, link=chosen.link)


def subject_of(chosen: argparse.Namespace) -> Subject:
    """The photos or the table of the command."""
    if bool(chosen.photos) == (chosen.data is not None):
        what = "not both" if chosen.photos else "as in --data rows.csv or photo.jpg"
        raise InvalidParameterError(f"pass --data or photos, {what}.")
    for option in from_table.OPTIONS if chosen.photos else from_photos.OPTIONS:
        if getattr(chosen, option):
            kind = "tables" if chosen.photos else "photos"
            raise InvalidParameterError(f"--{option} is for {kind}.")
    if chosen.photos:
        return from_photos.photo_subject(chosen)
    return from_table.table_subject(chosen)
