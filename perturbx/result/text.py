"""Names and numbers as a reader sees them, in tables and in pictures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np


def shorten(text: str, width: int) -> str:
    """At most `width` characters, cut in the middle, where names differ least."""
    text = " ".join(text.split())
    if len(text) <= width:
        return text
    tail = (width - 1) // 3
    return f"{text[: width - 1 - tail].rstrip()}…{text[-tail:].lstrip()}"


def safe(text: str) -> str:
    """Text that matplotlib draws unchanged: two dollar signs would make it a formula."""
    return text.replace("$", r"\$")


def show(value: Any, width: int = 20) -> str:
    """One cell of the data, short enough to fit next to a name."""
    if isinstance(value, (float, np.floating)):
        return "missing" if np.isnan(value) else f"{value:.4g}"
    return "missing" if value is None else shorten(str(value), width)


def output_label(name: str) -> str:
    """The name of an output, with "output" before a bare number."""
    return f"output {name}" if name.isdigit() else name


def titled(name: str, prediction: float, text: str) -> str:
    """The name of an output and its prediction as `text`; a summary of sizes has none."""
    return f"{name}  {'' if np.isnan(prediction) else text}".strip()


def numbers(values: Iterable[float], signed: bool = True) -> list[str]:
    """Three digits for the largest number, and as many decimals for the others."""
    known = np.asarray(list(values), dtype=float)
    largest = float(np.abs(known[np.isfinite(known)]).max(initial=0.0))
    sign = "+" if signed else ""
    spec = f"{sign}.{max(0, 2 - int(np.floor(np.log10(largest or 1))))}f"
    if largest and not 1e-4 <= largest < 1e6:
        spec = f"{sign}.2e"
    texts = [format(v, spec) for v in known]
    return [
        ("0" if v == 0 else "≈ 0") if not float(text) else text.replace("-", "\N{MINUS SIGN}")
        for v, text in zip(known, texts, strict=True)
    ]


def percent(share: float) -> str:
    """A share of 1 in percent, with three digits."""
    return f"{100 * share:.3g}%"
