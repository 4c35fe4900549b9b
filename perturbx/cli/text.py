"""``perturbx text``: words, sentences or paragraphs of texts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from perturbx.cli.explain import add_method
from perturbx.cli.models import classes, inputs_of, kinds_of, load
from perturbx.cli.options import add_command, add_cost, add_model, add_out, add_run, existing_file
from perturbx.cli.running import check_run, explained
from perturbx.cli.subject import Subject
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.maskers import Tokens

_EXAMPLES = """\
examples:
  perturbx text "The food was good, the waiter was not." --predict reviews:predict
  perturbx text --file letter.txt --predict reviews:predict --pieces sentences --out scores.json
  perturbx text --lines reviews.txt --model reviews.onnx --classes names.txt --out scores.jsonl
"""


def add_to(commands: Any) -> None:
    """Add the command to the parser's commands."""
    about = "Explain texts by a model of any framework."
    parser = add_command(
        commands, "text", run, about, _EXAMPLES, "(TEXT ... | --file FILE | --lines FILE)"
    )
    parser.add_argument(
        "texts", nargs="*", metavar="TEXT", help='texts; "-" reads one from standard input'
    )
    parser.add_argument(
        "--file",
        type=existing_file,
        action="append",
        default=[],
        metavar="FILE",
        help="a file with one text",
    )
    parser.add_argument(
        "--lines",
        type=existing_file,
        action="append",
        default=[],
        metavar="FILE",
        help="a file with a text in each line",
    )
    parser.add_argument(
        "--pieces",
        choices=("words", "sentences", "paragraphs"),
        default="words",
        help="what gets a score (default: %(default)s)",
    )
    parser.add_argument(
        "--fill", metavar="TEXT", help='what replaces an absent piece, such as "[MASK]"'
    )
    add_model(parser)
    add_method(parser)
    add_run(parser)
    add_out(add_cost(parser))


def run(chosen: argparse.Namespace) -> None:
    """Run the command."""
    check_run(chosen)
    texts, rows = _texts(chosen)
    output_names = classes(chosen.classes)
    model = load(chosen, output_names)
    kinds = kinds_of(model)
    if kinds is not None and (len(kinds) > 1 or "text" not in kinds.values()):
        raise InvalidParameterError(f"{model.name} takes no texts, but {inputs_of(model)}.")
    subject = Subject(model, texts, texts, rows, output_names)
    is_usual = chosen.pieces == "words" and chosen.fill is None
    masker = None if is_usual else Tokens(chosen.pieces, fill=chosen.fill)
    explained(subject, chosen, masker=masker, tol=chosen.tol, link=chosen.link)


def _texts(chosen: argparse.Namespace) -> tuple[list[str], list[str]]:
    """The texts of the command and their names."""
    found: list[tuple[str, str]] = []
    for i, text in enumerate(chosen.texts, 1):
        found.append(("stdin", sys.stdin.read()) if text == "-" else (f"text {i}", text))
    for path in chosen.file:
        found.append((str(path), _content(path)))
    for path in chosen.lines:
        lines = _content(path).splitlines()
        found += [(f"{path}:{i}", line) for i, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise InvalidParameterError('pass a text, as in perturbx text "Good food", or --file.')
    for name, text in found:
        if not text.strip():
            raise InvalidInputError(f"{name} has no words.")
    return [text for _, text in found], [name for name, _ in found]


def _content(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig").strip("\r\n")
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"{path} is not UTF-8 (byte {error.start:,}): save it as UTF-8."
        ) from error
