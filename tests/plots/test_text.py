"""Colored texts: every character is drawn once, in reading order, in the color of its score."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import perturbx as px
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perturbx.errors import InvalidParameterError
from perturbx.plots._lines import graphemes, lines_of
from perturbx.result.stretches import Stretch, colored

plt = pytest.importorskip("matplotlib.pyplot")

LETTERS = st.text(alphabet="ab ,\n\t\u05d0\u05d1\u06271你我👩\u200d\u0301$", max_size=60)


def explained(text: Any, **settings: Any) -> px.Explanation:
    """Words with "b" in them count 2, those with "c" -1."""

    def model(batch: list[Any]) -> list[float]:
        return [2.0 * str(x).count("b") - str(x).count("c") for x in batch]

    return px.PermutationShap(model, random_state=0, **settings).explain(text)


def drawn(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts]


def measure(text: str) -> float:
    """The number of characters as the eye sees them."""
    return float(len(list(graphemes(text))))


# ---------------------------------------------------------------- lines


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(LETTERS, min_size=1, max_size=5), width=st.integers(3, 40))
def test_every_character_is_placed_once(texts: list[str], width: int) -> None:
    """Lines hold all that is no white space; each fits, and nothing overlaps."""
    stretches = [Stretch(text) for text in texts]
    found = []
    for line in lines_of(stretches, float(width), measure):
        place = 0.0
        for placed in line:
            assert placed.x == pytest.approx(place) or placed is line[0]
            place = placed.x + placed.atom.width
            found.append(placed.atom.text)
        assert place <= width + 1e-9
    whole = "".join("".join(texts).split())
    assert sorted("".join("".join(found).split())) == sorted(whole)


def test_lines_break_at_blanks_and_line_ends() -> None:
    """A word goes to the next line as a whole; a blank line stays empty."""
    lines = lines_of([Stretch("one two three\n\nfour")], 8.0, measure)
    assert ["".join(p.atom.text for p in line) for line in lines] == [
        "one two",
        "three",
        "",
        "four",
    ]


def test_parts_of_a_word_stay_together() -> None:
    """Tokens of one word are on one line, unless it is longer than half of one."""
    lines = lines_of([Stretch("ab "), Stretch("cd"), Stretch("ef gh")], 6.0, measure)
    assert ["".join(p.atom.text for p in line) for line in lines] == ["ab", "cdef", "gh"]


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("one two", ["one", "two"]),
        ("\u05d0 \u05d1", ["\u05d1", "\u05d0"]),
        ("\u05d0 one two \u05d1", ["\u05d1", "one", "two", "\u05d0"]),
        ("one \u05d0 \u05d1 two", ["one", "\u05d1", "\u05d0", "two"]),
        ("\u05d0 12 \u05d1", ["\u05d1", "12", "\u05d0"]),
    ],
)
def test_words_are_in_reading_order(text: str, order: list[str]) -> None:
    """From right to left where the paragraph is, with runs of the other direction inside."""
    (line,) = lines_of([Stretch(text)], 20.0, measure)
    assert [p.atom.text for p in line if p.atom.text.strip()] == order
    starts_right = text[0] == "\u05d0"
    assert (line[-1].x + line[-1].atom.width == 20.0) is starts_right


# ---------------------------------------------------------------- colors


def test_colors_are_shares_of_the_largest_score() -> None:
    """Each piece has its share, and text between pieces none."""
    found = colored(explained("b c, d"), None, 0.95, 100)
    assert [(s.text, s.strength) for s in found.stretches if s.text.strip()] == [
        ("b", 1.0),
        ("c,", -0.5),
        ("d", 0.0),
    ]
    assert "".join(s.text for s in found.stretches) == "b c, d"
    assert (found.end, found.has_doubts) == (2.0, False)


def test_scores_that_may_be_zero_are_marked() -> None:
    """Large scores whose interval contains 0 are doubtful, small ones are not shown at all."""
    from dataclasses import replace

    sure = explained("b c d")
    doubted = replace(sure, standard_errors=np.array([0.1, 5.0, 5.0]))
    marks = [s.is_doubtful for s in colored(doubted, None, 0.95, 9).stretches if s.name]
    assert marks == [False, True, False]


def test_of_many_pieces_those_around_the_largest_are_shown() -> None:
    """What is left out is counted."""
    text = " ".join(["x"] * 300 + ["b"] + ["x"] * 300)
    explanation = px.Occlusion(lambda texts: [t.count("b") for t in texts]).explain(text)
    shown = "".join(s.text for s in colored(explanation, None, 0.95, 40).stretches)
    assert shown.count("x") < 60
    assert "b" in shown
    assert "… 288 words …" in shown
    assert shown.endswith("… 288 words")


@pytest.mark.parametrize("text", ["b", "b c", "\u05d0 b\n\n" + "word " * 90, "👍 b 你 \0 $x$"])
def test_texts_are_drawn(text: str) -> None:
    """Every word is there, as it is, in one picture and in others' axes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fonts without some of the letters
        explanation = explained(text, budget=300)
        own = px.plots.text(explanation, show=False)
        own.figure.canvas.draw()
        _, axes = plt.subplots(1, 2)
        px.plots.text(explanation, ax=axes[0], show=False)
    for ax in (own, axes[0]):
        words = "".join("".join(drawn(ax)).split())
        assert all(word.replace("\0", "\ufffd") in words for word in text.split())
    assert any("PermutationShap score" in said for said in drawn(own))
    colors = [patch.get_facecolor() for patch in own.patches]
    assert colors
    assert all(color[0] > color[2] for color in colors if color[3] > 0.3) or "c" in text
    plt.close("all")


def test_a_dark_style_has_light_letters() -> None:
    """Letters take the color of the style."""
    with plt.style.context("dark_background"):
        ax = px.plots.text(explained("b c"), show=False)
        assert {text.get_color() for text in ax.texts} == {"white"}
    plt.close("all")


def test_lists_are_drawn_item_by_item() -> None:
    """Items stand on lines of their own, messages with their role."""
    chat = [{"role": "user", "content": "b or c"}, "plain"]
    explanation = px.Occlusion(
        lambda batch: [str(x).count("b") for x in batch], masker=px.Segments()
    ).explain(chat)
    shown = "".join(s.text for s in colored(explanation, None, 0.95, 9).stretches)
    assert shown == "user: b or c\nplain"
    px.plots.text(explanation, show=False)
    plt.close("all")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            lambda: explained(["b", "c"]),
            r"text draws one instance, not 2: use text\(explanation\[i",
        ),
        (lambda: explained("b c")[0], "text draws all pieces, and one was picked"),
        (
            lambda: px.Occlusion(lambda X: X[:, 0], masker=px.Baseline([0.0])).explain([1.0]),
            "use plots.bar for columns",
        ),
        (lambda: "b", "explanation must be an Explanation"),
    ],
)
def test_what_is_no_single_text(made: Any, said: str) -> None:
    """Anything else is refused, with the plot that fits."""
    with pytest.raises(InvalidParameterError, match=said):
        px.plots.text(made(), show=False)


@pytest.mark.parametrize(("name", "value"), [("level", 2), ("max_display", 0), ("output", 3)])
def test_wrong_settings(name: str, value: Any) -> None:
    """Each wrong setting is refused."""
    with pytest.raises(InvalidParameterError, match=name):
        px.plots.text(explained("b c"), show=False, **{name: value})


# ---------------------------------------------------------------- the notebook


@settings(max_examples=30, deadline=None)
@given(text=st.text(alphabet=st.characters(), min_size=1).filter(lambda t: bool(t.strip())))
def test_hostile_texts_are_shown_as_text(text: str) -> None:
    """No character of a text becomes part of the page."""
    hostile = f'<script>alert("{text}")</script> & {text} b'
    explanation = px.Occlusion(lambda texts: [t.count("b") for t in texts]).explain(hostile)
    page = explanation._repr_html_()
    assert "<script" not in page
    assert page.count("<div") == page.count("</div>")
    assert page.count("<span") == page.count("</span>")
    page.encode("utf-8")


def test_the_notebook_view_has_the_text_of_each_instance() -> None:
    """Several texts and outputs, each with its pieces in color; no more than a few."""

    def model(texts: list[str]) -> np.ndarray:
        return np.array([[t.count("b"), -t.count("c"), 1.0, 1.0] for t in texts], dtype=float)

    explanation = px.Occlusion(model).explain(["b c", "c d"])
    page = explanation._repr_html_()
    assert page.count('dir="auto"') == 6
    assert 'title="b: +1.00">b</span>' in page
    assert 'title="c: −1.00">c</span>' in page
    assert 'dir="auto"' not in explanation[0, 0]._repr_html_()


def test_pinned_items_stand_between_the_others() -> None:
    """Items without a score are shown without color."""
    explanation = px.Occlusion(
        lambda batch: [str(x).count("b") for x in batch], masker=px.Segments(pinned=[0, 2, 3])
    ).explain(["one", "b", "two", "three", "c"])
    shown = colored(explanation, None, 0.95, 9).stretches
    assert "".join(s.text for s in shown) == "one\nb\ntwo\nthree\nc"
    assert [s.text for s in shown if s.name] == ["b", "c"]
