"""``perturbx demo``: an explanation of two small models, or of what a network sees in a photo."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from perturbx.cli.options import add_command, existing_file, seed
from perturbx.cli.outputs import writable
from perturbx.cli.photos import read_photo

_FORMATS = (".png", ".pdf", ".svg")

_EXAMPLES = """\
examples:
  perturbx demo
  perturbx demo --out patient.svg --seed 1
  perturbx demo --image photo.jpg
"""


def add_to(commands: Any) -> None:
    """Add the command to the parser's commands."""
    about = "Train two small models, explain their predictions, and draw a picture."
    parser = add_command(commands, "demo", run, about, _EXAMPLES)
    parser.add_argument(
        "--out",
        type=_picture_path,
        default=Path("perturbx_demo.png"),
        metavar="FILE",
        help="file of the picture: .png, .pdf or .svg (default: %(default)s)",
    )
    parser.add_argument(
        "--image",
        type=existing_file,
        metavar="PHOTO",
        help="instead, explain what a real network sees in your photo "
        '(needs pip install "perturbx[vision]")',
    )
    parser.add_argument(
        "--seed",
        type=seed,
        default=0,
        metavar="N",
        help="random seed of the models, the patient and the digit (default: %(default)s)",
    )


def run(chosen: argparse.Namespace) -> None:
    """Run the demo."""
    if chosen.image is not None:
        from perturbx._demo.photo import demo_photo

        demo_photo(read_photo(chosen.image), out=chosen.out, seed=chosen.seed)
        return
    from perturbx._demo import demo

    demo(out=chosen.out, seed=chosen.seed)


def _picture_path(text: str) -> Path:
    """A file for the picture, checked before anything is computed."""
    path = Path(text)
    if path.suffix.lower() not in _FORMATS:
        raise argparse.ArgumentTypeError(f"must end in {', '.join(_FORMATS)}: got {text!r}")
    return writable(path)
