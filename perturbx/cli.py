"""The command line: ``perturbx demo``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import perturbx
from perturbx.errors import InvalidInputError

_FORMATS = (".png", ".pdf", ".svg")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        The arguments after ``perturbx``; by default those of the shell.
    """
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.command is None:
        parser.print_help()
        return 0
    if chosen.image is not None:
        return _demo_photo(parser, chosen)
    from perturbx._demo import demo

    demo(out=chosen.out, seed=chosen.seed)
    return 0


def _demo_photo(parser: argparse.ArgumentParser, chosen: argparse.Namespace) -> int:
    """The demo on the user's photo: status 1 without the network, 2 if it is not a photo."""
    from perturbx._demo.photo import demo_photo, read_photo

    try:
        demo_photo(read_photo(chosen.image), out=chosen.out, seed=chosen.seed)
    except ImportError as error:
        print(f"perturbx demo --image: {error}", file=sys.stderr)
        return 1
    except InvalidInputError as error:
        parser.error(f"argument --image: {error}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="perturbx",
        description="Explains any model from the outside: per-feature scores with error bars.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"perturbx {perturbx.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command")
    about = "Train two small models, explain their predictions, and draw a picture."
    demo = commands.add_parser("demo", help=about, description=about, allow_abbrev=False)
    demo.add_argument(
        "--out",
        type=_picture_path,
        default=Path("perturbx_demo.png"),
        metavar="FILE",
        help="file of the picture: .png, .pdf or .svg (default: %(default)s)",
    )
    demo.add_argument(
        "--image",
        type=_photo_path,
        metavar="PHOTO",
        help="instead, explain what a real network sees in your photo "
        '(needs pip install "perturbx[vision]")',
    )
    demo.add_argument(
        "--seed",
        type=_seed,
        default=0,
        metavar="N",
        help="random seed of the models, the patient and the digit (default: %(default)s)",
    )
    return parser


def _picture_path(text: str) -> Path:
    """A file for the picture, checked before anything is computed."""
    path = Path(text)
    if path.suffix.lower() not in _FORMATS:
        raise argparse.ArgumentTypeError(f"must end in {', '.join(_FORMATS)}: got {text!r}")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {str(path.parent)!r}: make it first")
    return path


def _photo_path(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        what = "a folder, not a photo" if path.is_dir() else "no such file"
        raise argparse.ArgumentTypeError(f"{what}: {text!r}")
    return path


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"must be an int from 0 to 2**32 - 1: got {text!r}")
    return int(text)
