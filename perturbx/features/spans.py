"""Where the pieces of a text, or the items of a list, lie, and what they are called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from perturbx._typing import Ints

_LONGEST_NAME = 80

_LINE_END = re.compile("\r\n?")

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
"""Control characters, halves of surrogate pairs, and changes of direction."""


@dataclass(frozen=True, eq=False)
class Spans:
    """The places of d features in a text or a list: feature j is ``instance[starts[j]:stops[j]]``.

    Parameters
    ----------
    starts, stops : (d,) int arrays
        The first character (or item) of each feature and the one after its last. Spans are in
        order and do not overlap; what lies between them is no feature.
    names : tuple of d str
        A name for each feature: the piece itself, numbered where it occurs again.
    word : str
        What one feature is called: "word", "sentence", "item".

    Examples
    --------
    >>> spans = Spans.of("the cat and the dog", [(0, 3), (4, 7), (12, 15)], "word")
    >>> spans.names
    ('the', 'cat', 'the (2)')
    """

    starts: Ints
    stops: Ints
    names: tuple[str, ...]
    word: str

    @classmethod
    def of(cls, text: str, pairs: Sequence[tuple[int, int]], word: str, around: str = "") -> Spans:
        """The spans of a text, named by its pieces without the characters `around` them."""
        pieces = (text[start:stop] for start, stop in pairs)
        named = (piece.strip(around) or piece for piece in pieces)
        places = np.asarray(pairs, dtype=np.intp).reshape(-1, 2)
        return cls(places[:, 0], places[:, 1], distinct(map(printable, named)), word)

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, features: Sequence[int]) -> Spans:
        """Some of the features, in the order of their positions in `features`."""
        at = list(features)
        names = tuple(self.names[i] for i in at)
        return Spans(self.starts[at], self.stops[at], names, self.word)


def names_of(spans: Sequence[Spans]) -> tuple[str, ...]:
    """Names for the features of several instances: the pieces, where all have the same ones."""
    longest = max(spans, key=len)
    if all(own.names == longest.names for own in spans):
        return longest.names
    return tuple(f"{longest.word} {i}" for i in range(len(longest)))


def visible(text: str) -> str:
    """The text with a replacement character for each that would not be seen, or change others.

    These are control characters other than line ends and tabs, halves of surrogate pairs, and
    changes of direction. All line ends become line feeds.
    """
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", _LINE_END.sub("\n", text))


def printable(piece: str) -> str:
    """A piece on one line, at most 80 characters, all of which can be seen."""
    shown = visible(" ".join(piece.split())) or "\N{REPLACEMENT CHARACTER}"
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[: _LONGEST_NAME - 1]}…"


def distinct(names: Iterable[str]) -> tuple[str, ...]:
    """The names, each once: what occurs again gets a number."""
    taken: set[str] = set()
    count: dict[str, int] = {}
    found = []
    for name in names:
        number = count.get(name, 0) + 1
        own = name if number == 1 else f"{name} ({number})"
        while own in taken:
            number += 1
            own = f"{name} ({number})"
        count[name] = number
        taken.add(own)
        found.append(own)
    return tuple(found)
