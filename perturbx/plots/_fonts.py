"""Fonts that have the letters of a text."""

from __future__ import annotations

from contextlib import suppress
from functools import cache


def families(text: str) -> list[str]:
    """The user's font, and installed ones for the characters that it lacks, as far as there are.

    A character that no installed font has is drawn as an empty box.
    """
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties, findfont, fontManager

    found = list(rcParams["font.family"])
    missing = {ord(c) for c in text if not c.isspace()} - _has(findfont(FontProperties()))
    for font in sorted(fontManager.ttflist, key=lambda f: (f.style != "normal", f.weight != 400)):
        if not missing:
            break
        with suppress(OSError, RuntimeError):  # fonts of bitmaps, as of colored emoji
            has = _has(font.fname) & missing
            if has and font.name not in found:
                found.append(font.name)
                missing -= has
    return found


@cache
def _has(path: str) -> frozenset[int]:
    from matplotlib.font_manager import get_font

    return frozenset(get_font(path).get_charmap())
