"""Finds the pieces of a text: words, sentences, paragraphs, matches, or a tokenizer's tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, TypeAlias
from unicodedata import category

import numpy as np

from perturbx._validation import shown
from perturbx.errors import InvalidInputError, InvalidParameterError

Pairs: TypeAlias = list[tuple[int, int]]
"""The first character of each piece and the one after its last, in order."""

_IDEOGRAPH = "\u3041-\u3096\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"
"""Hiragana and ideographs, which stand for a word or a syllable each (as in UAX #29)."""

_WORD = re.compile(rf"[{_IDEOGRAPH}](?:(?![{_IDEOGRAPH}])[^\s\w])*|[^\s{_IDEOGRAPH}]+")

_BLANK_LINES = re.compile(r"\n[^\S\n]*\n\s*")

_END_OF_SENTENCE = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？]+[」』”’）]*|\n[^\S\n]*\n")

_NEXT = re.compile(r"\s*(\S)")

_ABBREVIATIONS = frozenset(
    {
        *("mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "vs", "etc", "inc", "ltd", "co"),
        *("corp", "vol", "fig", "figs", "eq", "eqs", "al", "cf", "approx", "e.g"),
        *("i.e", "a.m", "p.m", "u.s", "u.k", "jan", "feb", "mar", "apr", "aug", "sept", "oct"),
        *("nov", "dept", "est"),
    }
)
"""What a full stop may follow without ending a sentence."""


def words(text: str) -> Pairs:
    """Runs without white space; ideographs one by one, each with the marks that follow it.

    No character that the eye sees as one is split, such as an emoji of several code points: they
    contain no white space, except for a mark on a blank, which then begins its word.
    """
    pairs = [match.span() for match in _WORD.finditer(text)]
    return [(a - (a > 0 and _is_mark(text[a]) and text[a - 1].isspace()), b) for a, b in pairs]


def sentences(text: str) -> Pairs:
    """Up to a full stop, question or exclamation mark before white space, or a blank line."""
    ends = [m.end() for m in _END_OF_SENTENCE.finditer(text) if _ends(text, m)]
    return _between([0, *ends, len(text)], text)


def paragraphs(text: str) -> Pairs:
    """Between blank lines."""
    return _between([0, *(m.end() for m in _BLANK_LINES.finditer(text)), len(text)], text)


KINDS: dict[str, tuple[str, Callable[[str], Pairs]]] = {
    "words": ("word", words),
    "sentences": ("sentence", sentences),
    "paragraphs": ("paragraph", paragraphs),
}
"""What a piece is called, and how pieces are found."""


def matches(pattern: re.Pattern[str], text: str) -> Pairs:
    """The matches of a regular expression, without empty ones."""
    return [m.span() for m in pattern.finditer(text) if m.end() > m.start()]


def tokens(tokenizer: Any, text: str, name: str) -> Pairs:
    """The tokens of any tokenizer that `spans_of` reads.

    Empty spans, as special tokens have, are left out, and equal ones, as tokens of parts of a
    character have, are one piece.

    Raises
    ------
    InvalidInputError
        If spans overlap, lie outside the text, or are none.
    """
    found = sorted({(a, b) for a, b in spans_of(tokenizer, text, name) if a != b})
    for a, b in found:
        if not 0 <= a < b <= len(text):
            raise InvalidInputError(
                f"tokenizer must give spans within the text: {name} has {len(text):,} characters, "
                f"and a span is ({a}, {b})."
            )
    for (a, b), (c, d) in pairwise(found):
        if c < b:
            raise InvalidInputError(
                f"tokenizer must give spans that do not overlap: in {name} it gave ({a}, {b}), "
                f"{shown(text[a:b])}, and ({c}, {d}), {shown(text[c:d])}."
            )
    return found


def spans_of(tokenizer: Any, text: str, name: str) -> Pairs:
    """What a tokenizer says about a text, as spans.

    It may be a fast tokenizer of transformers, a `tokenizers.Tokenizer`, or a callable from the
    text to spans, to tokens in their order (strings that occur in the text), or to an encoding with
    an ``offset_mapping`` or ``offsets``.
    """
    if hasattr(tokenizer, "is_fast"):
        if not tokenizer.is_fast:
            raise InvalidParameterError(
                f"tokenizer must know the offsets of its tokens, and {type(tokenizer).__name__} "
                "does not: load its fast version, as in AutoTokenizer.from_pretrained(name, "
                "use_fast=True)."
            )
        answer = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    elif not callable(tokenizer) and hasattr(tokenizer, "encode"):
        answer = tokenizer.encode(text, add_special_tokens=False)
    else:
        answer = tokenizer(text)
    if isinstance(answer, Mapping) or hasattr(answer, "keys"):
        answer = answer["offset_mapping"]
    parts = list(getattr(answer, "offsets", answer))
    if parts and all(isinstance(part, str) for part in parts):
        return _located(parts, text, name)
    try:
        return [_pair(part) for part in parts]
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            "tokenizer must give a list of spans (start, stop), or of tokens as strings: for "
            f"{name} it gave {shown(parts)}."
        ) from error


def pinned(patterns: Iterable[str | re.Pattern[str]], text: str, name: str) -> Pairs:
    """The stretches of a text that are always present.

    Raises
    ------
    InvalidInputError
        If a string does not occur in the text.
    """
    found: Pairs = []
    for pattern in patterns:
        place = re.compile(re.escape(pattern)) if isinstance(pattern, str) else pattern
        places = matches(place, text)
        if not places and isinstance(pattern, str):
            raise InvalidInputError(
                f"pinned must occur in every text: {shown(pattern)} does not occur in {name}. For "
                "what only some of them hold pass re.compile(...)."
            )
        found += places
    return found


def without(pairs: Pairs, kept: Pairs) -> Pairs:
    """The pieces that touch none of the stretches that are kept."""
    starts, stops = np.asarray(pairs or np.zeros((0, 2)), dtype=np.intp).T
    touches = np.zeros(len(pairs), dtype=bool)
    for a, b in kept:
        touches |= (starts < b) & (stops > a)
    return [pair for pair, touched in zip(pairs, touches, strict=True) if not touched]


def _located(parts: list[str], text: str, name: str) -> Pairs:
    """Tokens that are given as strings, each found after the one before."""
    found, place = [], 0
    for part in parts:
        start = text.find(part, place)
        if start < 0:
            raise InvalidInputError(
                f"tokenizer must give tokens that occur in the text in their order: {shown(part)} "
                f"is not in {name} from character {place:,} on. Give spans (start, stop) instead."
            )
        place = start + len(part)
        found.append((start, place))
    return found


def _pair(part: Any) -> tuple[int, int]:
    start, stop = part
    if int(start) != start or int(stop) != stop:
        raise ValueError(part)
    return int(start), int(stop)


def _between(ends: list[int], text: str) -> Pairs:
    """The stretches between ends, without the white space around them."""
    found = []
    for start, stop in pairwise(ends):
        piece = text[start:stop]
        if piece.strip():
            begin = start + len(piece) - len(piece.lstrip())
            found.append((begin, start + len(piece.rstrip())))
    return found


def _ends(text: str, match: re.Match[str]) -> bool:
    """Whether a sentence ends here: not after an abbreviation or initial, nor before lower case."""
    if match[0][0] != ".":
        return True
    following = _NEXT.match(text, match.end())
    begins = following[1] if following is not None else ""
    if begins.islower():
        return False
    before = text[max(0, match.start() - 20) : match.start()].split()
    word = before[-1].lstrip("([\"'“‘") if before else ""
    is_initial = len(word) == 1 and word.isupper() and word != "I"
    is_number = word.lower() in ("no", "nos") and begins.isdigit()
    return not (is_initial or is_number or word.lower() in _ABBREVIATIONS)


def _is_mark(character: str) -> bool:
    return category(character).startswith("M") or character == "\u200d"
