"""Stretches of text broken into lines, in the order in which they are read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from unicodedata import bidirectional, category, east_asian_width

from perturbx.result.stretches import Stretch

_ATOM = re.compile(r"\n|[^\S\n]+|\S+")


@dataclass(frozen=True)
class Atom:
    """A run of one stretch without a blank or of blanks alone, with its width in points."""

    text: str
    of: Stretch
    width: float

    @property
    def is_blank(self) -> bool:
        return self.text.isspace()

    @property
    def is_rtl(self) -> bool | None:
        """Whether it is read from right to left; None if its characters do not say."""
        return reads_leftwards(self.text)


@dataclass(frozen=True)
class Placed:
    """An atom at its distance from the left end of the text."""

    atom: Atom
    x: float


Measure = Callable[[str], float]


def lines_of(stretches: Iterable[Stretch], width: float, measure: Measure) -> list[list[Placed]]:
    """The lines of a text, each at most `width` points long, with every atom in its place.

    Lines break at blanks, next to ideographs, and within what is longer than a line. A paragraph
    whose first letter is read leftwards starts at the right, and words of the other direction
    keep their own order within it.
    """
    lines = []
    for paragraph in _paragraphs(stretches, measure):
        said = (atom.is_rtl for atom in paragraph)
        rtl = next((rtl for rtl in said if rtl is not None), False)
        for line in _broken(paragraph, width, measure):
            total = sum(atom.width for atom in line)
            x, placed = (width - total if rtl else 0.0), []
            for atom in _in_visual_order(line, rtl):
                placed.append(Placed(atom, x))
                x += atom.width
            lines.append(placed)
    return lines


def reads_leftwards(text: str) -> bool | None:
    """The direction of the first letter that has one."""
    kinds = (bidirectional(character) for character in text)
    known = next((kind for kind in kinds if kind in ("L", "R", "AL")), None)
    return None if known is None else known != "L"


def _paragraphs(stretches: Iterable[Stretch], measure: Measure) -> Iterator[list[Atom]]:
    paragraph: list[Atom] = []
    for stretch in stretches:
        for text in _ATOM.findall(stretch.text.replace("\t", "    ")):
            if text == "\n":
                yield paragraph
                paragraph = []
            else:
                paragraph.append(Atom(text, stretch, measure(text)))
    yield paragraph


def _broken(paragraph: list[Atom], width: float, measure: Measure) -> Iterator[list[Atom]]:
    """The lines of a paragraph, in reading order; blanks at the ends of lines are left out."""
    line: list[Atom] = []
    used = 0.0
    for cluster in _clusters(paragraph, width, measure):
        size = sum(atom.width for atom in cluster)
        if line and used + size > width and not cluster[0].is_blank:
            yield _stripped(line)
            line, used = [], 0.0
        line += cluster
        used += size
    yield _stripped(line)


def _stripped(line: list[Atom]) -> list[Atom]:
    while line and line[-1].is_blank:
        line = line[:-1]
    return line


def _clusters(paragraph: list[Atom], width: float, measure: Measure) -> Iterator[list[Atom]]:
    """Atoms that stay on one line: blanks alone, and what stands between two blanks."""
    cluster: list[Atom] = []
    for atom in paragraph:
        for number, part in enumerate(_cut(atom, width, measure)):
            used = sum(other.width for other in cluster)
            may_break = number > 0 or part.is_blank or _is_wide(part.text[0])
            after = cluster and (cluster[-1].is_blank or _is_wide(cluster[-1].text[-1]))
            if cluster and (may_break or after or used + part.width > width):
                yield cluster
                cluster = []
            cluster.append(part)
    if cluster:
        yield cluster


def _cut(atom: Atom, width: float, measure: Measure) -> Iterator[Atom]:
    """An atom in parts that fit into a line; marks and joined characters stay together."""
    if atom.width <= width:
        yield atom
        return
    part, used = "", 0.0
    for character in graphemes(atom.text):
        size = measure(character)
        if part and used + size > width:
            yield Atom(part, atom.of, measure(part))
            part, used = "", 0.0
        part += character
        used += size
    yield Atom(part, atom.of, measure(part))


def graphemes(text: str) -> Iterator[str]:
    """Characters with the marks, variation selectors and joined characters that follow them."""
    whole = ""
    for character in text:
        follows = category(character)[0] == "M" or character == "\u200d" or whole.endswith("\u200d")
        if whole and not follows:
            yield whole
            whole = ""
        whole += character
    yield whole


def _in_visual_order(line: list[Atom], rtl: bool) -> list[Atom]:
    """Atoms from left to right: runs of the direction that is not the paragraph's are reversed."""
    runs: list[tuple[bool, list[Atom]]] = []
    for i, atom in enumerate(line):
        own = atom.is_rtl
        if own is None:  # blanks and digits go with their neighbors, where these agree
            before = runs[-1][0] if runs else rtl
            after = next((a.is_rtl for a in line[i:] if a.is_rtl is not None), rtl)
            own = before if before == after else rtl
        if runs and runs[-1][0] == own:
            runs[-1][1].append(atom)
        else:
            runs.append((own, [atom]))
    ordered = reversed(runs) if rtl else runs
    return [atom for own, atoms in ordered for atom in (reversed(atoms) if own else atoms)]


def _is_wide(character: str) -> bool:
    return east_asian_width(character) == "W" and category(character) == "Lo"
