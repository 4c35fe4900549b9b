"""The places and names of pieces."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from perturbx.features import Spans, names_of, visible
from perturbx.features.places import aligned, place
from perturbx.features.spans import distinct, printable

NAMES = st.lists(st.one_of(st.sampled_from(["a", "a (2)", "a (3)", ""]), st.text(max_size=5)))


@settings(deadline=None)
@given(names=NAMES)
def test_names_are_distinct_and_first_ones_unchanged(names: list[str]) -> None:
    """Every name is there once; the first of each kind stays as it is, if it was not taken."""
    found = distinct(names)
    assert len(set(found)) == len(found) == len(names)
    assert all(own.startswith(name) for own, name in zip(found, names, strict=True))
    assert found[:1] == tuple(names[:1])


def test_names_that_look_like_numbered_ones() -> None:
    """A piece that is itself called "a (2)" gets a name of its own."""
    assert distinct(["a", "a (2)", "a", "a"]) == ("a", "a (2)", "a (3)", "a (4)")
    assert distinct(["a", "a", "a (2)"]) == ("a", "a (2)", "a (2) (2)")


@settings(deadline=None)
@given(text=st.text(alphabet=st.characters()))
def test_names_can_be_printed(text: str) -> None:
    """No name holds a control character, half a character or a change of direction."""
    name = printable(text)
    assert 0 < len(name) <= 80
    assert name.isprintable() or all(c.isprintable() or ord(c) > 127 for c in name)
    assert not set(name) & set("\0\n\t\x1b\u202e\u2066")
    name.encode("utf-8")


def test_visible_keeps_line_ends() -> None:
    """Line ends and tabs are text; other control characters are replaced one by one."""
    assert visible("a\n\tb\0\u202ec\ud800") == "a\n\tb��c�"


def test_places_of_pieces() -> None:
    """A place is the first and last character."""
    spans = Spans.of("a cat\0", [(0, 1), (2, 6)], "word")
    assert [place(spans, j) for j in range(2)] == ["0", "2–5"]
    assert spans.names == ("a", "cat�")
    assert len(spans) == 2


def test_some_of_the_pieces() -> None:
    """Pieces are picked in any order, with their names and places."""
    spans = Spans.of("a b c", [(0, 1), (2, 3), (4, 5)], "word").take([2, 0])
    assert spans.names == ("c", "a")
    assert np.array_equal(spans.starts, [4, 0])
    assert np.array_equal(spans.stops, [5, 1])


def test_names_of_several_texts() -> None:
    """Equal pieces keep their names; those of different texts are numbered."""
    one, other = (Spans.of(t, [(0, 1), (2, 3)], "word") for t in ("a b", "a c"))
    assert names_of([one, one]) == ("a", "b")
    assert names_of([one, other]) == ("word 0", "word 1")
    assert aligned([one, one])
    assert not aligned([one, other])
