"""Arguments that several commands share, and the values that they are read as."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from perturbx._typing import Ints
from perturbx._validation import did_you_mean
from perturbx.cli.outputs import ENDINGS, out_path, parts_folder
from perturbx.errors import InvalidParameterError
from perturbx.explainers import (
    Banzhaf,
    BaseExplainer,
    IntegratedGradients,
    KernelShap,
    Lime,
    MeaningfulPerturbation,
    Occlusion,
    OwenShap,
    PermutationShap,
    Rise,
    SmoothGrad,
)

HELP: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter}

_KINDS: tuple[type[BaseExplainer], ...] = (
    *(KernelShap, PermutationShap, OwenShap, Banzhaf, Lime, Occlusion),
    *(Rise, SmoothGrad, IntegratedGradients, MeaningfulPerturbation),
)

METHODS = {re.sub(r"\B([A-Z])", r"-\1", kind.__name__).lower(): kind for kind in _KINDS}
"""The methods that score features of single rows: kernel-shap, lime, ..."""


def method(text: str) -> str:
    """The name of a method."""
    if text not in METHODS:
        meant = did_you_mean(text, METHODS)
        raise argparse.ArgumentTypeError(
            f"there is no method {text!r}{meant or ': there'}{' There' if meant else ''} are "
            f"{', '.join(METHODS)}"
        )
    return text


def integer(minimum: int) -> Callable[[str], int]:
    """A whole number of at least `minimum`; 20_000 and 20,000 are 20000."""

    def read(text: str) -> int:
        digits = text.replace("_", "").replace(",", "")
        if not re.fullmatch(r"-?\d+", digits) or int(digits) < minimum:
            raise argparse.ArgumentTypeError(
                f"must be a whole number of at least {minimum}: got {text!r}"
            )
        return int(digits)

    return read


def positive(text: str) -> float:
    """A number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0: got {text!r}")
    return number


def seed(text: str) -> int:
    """A random seed."""
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"must be an int from 0 to 2**32 - 1: got {text!r}")
    return int(text)


def existing_file(text: str) -> Path:
    """A file that exists."""
    path = Path(text)
    if not path.is_file():
        what = "a folder, not a file" if path.is_dir() else "no such file"
        raise argparse.ArgumentTypeError(f"{what}: {text!r}")
    return path


def names(text: str) -> list[str]:
    """Names between commas."""
    return [name.strip() for name in text.split(",")]


@dataclass(frozen=True)
class Rows:
    """Which rows of a table: positions and ranges, as in "0:20" or "3,7,-1"."""

    text: str

    def __post_init__(self) -> None:
        list(self._parts())

    def _parts(self) -> Iterator[slice | int]:
        for part in self.text.split(","):
            numbers = [piece.strip() for piece in part.split(":")]
            plain = [piece for piece in numbers if piece]
            valid = all(re.fullmatch(r"[+-]?\d+", piece) for piece in plain)
            if len(numbers) > 3 or not valid or (len(numbers) == 1 and not plain):
                raise argparse.ArgumentTypeError(
                    f"must be positions or ranges, such as 0:20 or 3,7: got {self.text!r}"
                )
            ends = [int(piece) if piece else None for piece in numbers]
            if len(ends) == 3 and ends[2] == 0:
                raise argparse.ArgumentTypeError(f"the step must not be 0: got {self.text!r}")
            yield int(numbers[0]) if len(numbers) == 1 else slice(*ends)

    def of(self, n: int, what: str) -> Ints:
        """The positions among `n` rows.

        Raises
        ------
        InvalidParameterError
            If there is no such row.
        """
        there = f"{what} has {n:,} rows, 0 to {n - 1:,}" if n > 1 else f"{what} has one row, 0"
        picked: list[int] = []
        for part in self._parts():
            if isinstance(part, slice):
                found = range(n)[part]
                if not found:
                    raise InvalidParameterError(f"--rows {self.text} picks no row: {there}.")
                picked += found
            elif -n <= part < n:
                picked.append(part % n)
            else:
                raise InvalidParameterError(f"there is no row {part}: {there}.")
        return np.array(picked, dtype=np.intp)


def add_command(
    commands: Any,
    name: str,
    run: Callable[[argparse.Namespace], None],
    about: str,
    examples: str,
    what: str | None = None,
) -> argparse.ArgumentParser:
    """A command of the command line; `what` it explains stands in its usage."""
    usage = f"perturbx {name} {what} (--model FILE | --predict MODULE:NAME) [options]"
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=about,
        description=about,
        epilog=examples,
        usage=None if what is None else usage,
        allow_abbrev=False,
        **HELP,
    )
    parser.set_defaults(run=run)
    return parser


def add_model(parser: argparse.ArgumentParser) -> None:
    """The options that name the model."""
    group = parser.add_argument_group("the model (one of the first two)")
    which = group.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--model", type=existing_file, metavar="FILE", help="an ONNX file, of any framework"
    )
    which.add_argument(
        "--predict",
        metavar="MODULE:NAME",
        help="a function from a batch to scores, or a fitted model, in a Python module of this "
        "folder or of an installed package",
    )
    group.add_argument(
        "--classes",
        metavar="FILE",
        help='the names of the outputs: a text file with one per line, or "imagenet"',
    )
    group.add_argument(
        "--activation",
        choices=("auto", "softmax", "sigmoid", "none"),
        default="auto",
        help="how answers of an ONNX file become scores. auto: softmax for photos if they are "
        "logits of several classes, otherwise none (default: %(default)s)",
    )


def add_run(parser: argparse.ArgumentParser) -> None:
    """The options of a run: settings of explainers, cost and files."""
    group = parser.add_argument_group("the run")
    group.add_argument(
        "--budget",
        type=integer(1),
        metavar="N",
        help="the most model rows per explained row (default: chosen by the method)",
    )
    group.add_argument(
        "--output",
        "--outputs",
        dest="outputs",
        action="append",
        metavar="NAME",
        help="the output to explain, by name or position, or top3 for the three largest; may be "
        "repeated (default: the second of two classes, the largest for photos and for more than "
        "ten outputs, otherwise all)",
    )
    group.add_argument(
        "--random-state",
        type=seed,
        default=0,
        metavar="N",
        help="the random seed (default: %(default)s)",
    )
    group.add_argument("--n-jobs", type=int, metavar="N", help="worker processes; -1: all cores")
    group.add_argument("--batch-size", type=integer(1), metavar="N", help="the most rows per call")
    group.add_argument(
        "--max-memory", metavar="SIZE", help='refuse runs that need more, as in "2 GB"'
    )
    group.add_argument(
        "--retries",
        type=integer(0),
        default=0,
        metavar="N",
        help="how often a failed call is made again (default: %(default)s)",
    )
    group.add_argument(
        "--timeout", type=positive, metavar="SECONDS", help="a call that takes longer has failed"
    )
    group.add_argument(
        "--archive",
        type=Path,
        metavar="FILE",
        help="keep every answer in this file, so that none is paid for twice",
    )
    group.add_argument(
        "--model-version",
        metavar="NAME",
        help="which model the archive's answers are from (default: a digest of the ONNX file)",
    )
    group.add_argument("--quiet", action="store_true", help="no cost, notes and progress bar")


def add_cost(parser: argparse.ArgumentParser) -> Any:
    """The options for what a run costs and leaves behind; returns their group."""
    group = parser.add_argument_group("the cost and the result")
    group.add_argument(
        "--price-per-row", type=positive, metavar="PRICE", help="the price of a model row"
    )
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="check everything, ask the model about the first rows, print the cost, and stop",
    )
    return group


def add_out(group: Any) -> None:
    """The option for files of an explanation."""
    group.add_argument(
        "--out",
        type=out_path,
        action="append",
        default=[],
        metavar="FILE",
        help=f"write the explanation: {', '.join(ENDINGS)}; may be repeated",
    )
    group.add_argument(
        "--parts",
        type=parts_folder,
        metavar="FOLDER",
        help="also write an .npz file for each 100 rows as soon as they are done; the same command "
        "goes on where it was interrupted",
    )


def outputs_of(texts: list[str], known: tuple[str, ...]) -> Any:
    """The choice of outputs for an explainer; a number is a name if an output has it."""
    keys = [
        int(text) if re.fullmatch(r"-?\d+", text) and text not in known else text for text in texts
    ]
    return keys if len(keys) > 1 else keys[0]
