"""What a command explains."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from perturbx.cli.models import Model


@dataclass(frozen=True, eq=False)
class Subject:
    """What is explained, with everything checked that costs no model row.

    Parameters
    ----------
    model : Model
    X : table of rows, photos or texts
    background : the same
        What an explainer learns from in `fit`.
    rows : sequence of int or str
        Positions in the file, or the names of photos or texts.
    output_names : list of str or None
    of_photos : bool
    """

    model: Model
    X: Any
    background: Any
    rows: Sequence[Any]
    output_names: list[str] | None
    of_photos: bool = False


def say(chosen: argparse.Namespace, text: str) -> None:
    """Tell the user something that is not the result."""
    if not chosen.quiet:
        print(text, file=sys.stderr)
