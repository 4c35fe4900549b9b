"""Pieces of texts: where they are, and what is left without some of them."""

from __future__ import annotations

import re
import unicodedata
from itertools import product
from typing import Any

import numpy as np
import perturbx as px
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perturbx.errors import BudgetError, InvalidInputError, InvalidParameterError
from perturbx.maskers import Features
from perturbx.maskers._pieces import paragraphs, sentences, words

KINDS = ["words", "sentences", "paragraphs"]

ODD = "ab .,\n\r\t\0\u0301\u200d\ufe0f\u00a0\u3000\u05d0\u0627你。👨👩\U0001f1e9\ud800\u202e"
"""Letters, white space, marks, joiners, other scripts, emoji, a half surrogate, a control."""

TEXTS = st.one_of(st.text(alphabet=ODD), st.text(alphabet=st.characters()))
SOLID = TEXTS.filter(lambda text: bool(text.strip()))


def bound_of(text: Any, **settings: Any) -> Any:
    """The masker bound to one text."""
    fitted = px.Tokens(**settings).fit(None, Features(), np.random.default_rng(0))
    (bound,) = fitted.check(text).bind(0, 1)
    return bound


def without(text: str, *absent: str, **settings: Any) -> str:
    """The text without the pieces of these names."""
    bound = bound_of(text, **settings)
    assert set(absent) <= set(bound.feature_names)
    z = np.array([[name not in absent for name in bound.feature_names]])
    (found,) = bound.batch(z, slice(0, 1), bound.scratch(1))
    return found


def pieces(text: str, find: Any) -> list[str]:
    return [text[a:b] for a, b in find(text)]


# ---------------------------------------------------------------- where pieces are


@settings(deadline=None)
@given(text=TEXTS)
@pytest.mark.parametrize("find", [words, sentences, paragraphs])
def test_pieces_cover_all_but_white_space(find: Any, text: str) -> None:
    """Pieces are in order, do not overlap, are not empty, and leave white space alone."""
    place = 0
    for start, stop in find(text):
        assert place <= start < stop <= len(text)
        assert not text[place:start].strip()
        assert text[start:stop].strip()
        place = stop
    assert not text[place:].strip()


@settings(deadline=None)
@given(text=TEXTS)
def test_words_split_no_character_that_is_seen_as_one(text: str) -> None:
    """No word begins with a mark that belongs to what stands before it."""
    for start, _ in words(text):
        if start:
            assert unicodedata.category(text[start])[0] != "M" or text[start - 1] in "\n\r"
            assert text[start] != "\u200d" or text[start - 1] in "\n\r"
            assert text[start - 1] != "\u200d" or text[start].isalnum() or text[start].isspace()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It was awful, really.", ["It", "was", "awful,", "really."]),
        ("a  b\n\nc\t d", ["a", "b", "c", "d"]),
        ("don't re-do C++ @me #tag", ["don't", "re-do", "C++", "@me", "#tag"]),
        ("cafe\u0301 नमस्ते", ["cafe\u0301", "नमस्ते"]),
        ("👨‍👩‍👧‍👦 and 🇩🇪!", ["👨‍👩‍👧‍👦", "and", "🇩🇪!"]),
        ("我爱你。他说", ["我", "爱", "你。", "他", "说"]),
        ("שלום עולם!", ["שלום", "עולם!"]),
        ("x\0y z", ["x\0y", "z"]),
    ],
)
def test_words(text: str, found: list[str]) -> None:
    """Words are runs without white space, ideographs go one by one."""
    assert pieces(text, words) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. Smith met J. Doe at 5 p.m. on Monday.", None),
        ("It costs 3.50 dollars. Cheap.", ["It costs 3.50 dollars.", "Cheap."]),
        ('He said "no." Then left.', ['He said "no."', "Then left."]),
        ("Wait... what? Yes.", ["Wait... what?", "Yes."]),
        ("I am I. You are you.", ["I am I.", "You are you."]),
        ("a line\nthat goes on. B", ["a line\nthat goes on.", "B"]),
        ("A heading\n\nSome text.", ["A heading", "Some text."]),
        ("See No. 5 and Fig. 2. No. 6 too.", ["See No. 5 and Fig. 2.", "No. 6 too."]),
        ("好。再见！", ["好。", "再见！"]),
    ],
)
def test_sentences(text: str, found: list[str] | None) -> None:
    """Sentences end at full stops, but not after abbreviations, initials, or before lower case."""
    assert pieces(text, sentences) == (found or [text])


def test_paragraphs() -> None:
    """Paragraphs end at blank lines, of every kind of line end."""
    text = "one\ntwo\n\n\nthree\r\n\r\nfour\n \nfive "
    assert pieces(text, paragraphs) == ["one\ntwo", "three", "four", "five"]


def test_names_are_words_without_punctuation() -> None:
    """A word is named without the punctuation around it, and numbered where it comes again."""
    bound = bound_of('The "cat", the (cat) - C++ #tag')
    assert bound.feature_names == ("The", "cat", "the", "cat (2)", "-", "C++", "#tag")
    assert bound_of("One. Two.", pieces="sentences").feature_names == ("One.", "Two.")


# ---------------------------------------------------------------- what is left


@settings(max_examples=100, deadline=None)
@given(text=SOLID, kind=st.sampled_from(KINDS), fill=st.sampled_from([None, "", "[MASK]"]))
def test_the_whole_text_is_the_text(text: str, kind: str, fill: Any) -> None:
    """With all pieces present, the text comes back byte for byte."""
    bound = bound_of(text, pieces=kind, fill=fill)
    z = np.ones((2, bound.n_features), dtype=bool)
    assert bound.batch(z, slice(0, 1), None) == [text, text]


@settings(max_examples=100, deadline=None)
@given(text=SOLID, seed=st.integers(0, 2**32 - 1))
def test_dropped_words_leave_the_others_in_order(text: str, seed: int) -> None:
    """What is left are the present words in their order; white space is never lost or added."""
    bound = bound_of(text)
    z = np.random.default_rng(seed).random((3, bound.n_features)) < 0.5
    for row, found in zip(z, bound.batch(z, slice(0, 1), None), strict=True):
        present = [piece for piece, p in zip(bound.pieces, row, strict=True) if p]
        assert "".join(found.split()) == "".join("".join(present).split())
        assert len(found) <= len(text)
        if not any(c.isspace() for piece in present for c in piece):  # as before a mark
            assert all(gap in "|".join(bound.gaps) for gap in re.split(r"\S+", found))


@pytest.mark.parametrize(
    ("text", "absent", "left"),
    [
        ("a b c", ["a"], "b c"),
        ("a b c", ["b"], "a c"),
        ("a b c", ["c"], "a b"),
        ("a b c", ["a", "c"], "b"),
        ("a b c", ["a", "b", "c"], ""),
        ("a  b c", ["b"], "a  c"),
        ("  a b\n", ["a"], "  b\n"),
        ("  a b\n", ["b"], "  a\n"),
        ("a b.\n\nC d", ["b"], "a\n\nC d"),
        ("a b.\n\nC d", ["C"], "a b.\n\nd"),
        ("a b.\n\nC d", ["b", "C"], "a\n\nd"),
        ("It was awful, really.", ["awful"], "It was really."),
        ("我爱你", ["爱"], "我你"),
    ],
)
def test_dropped_words_take_one_blank_along(text: str, absent: list[str], left: str) -> None:
    """One side's white space goes with a word; line ends and the ends of the text stay."""
    assert without(text, *absent) == left


@pytest.mark.parametrize(
    ("fill", "left"),
    [("[MASK]", "a [MASK]  c\n"), ("", "a   c\n"), (lambda piece: "_" * len(piece), "a __  c\n")],
)
def test_replaced_words_keep_all_white_space(fill: Any, left: str) -> None:
    """Stand-ins stand where the pieces stood, and everything else stays."""
    assert without("a bb  c\n", "bb", fill=fill) == left


def test_a_piece_that_equals_its_stand_in_is_not_active() -> None:
    """Nothing changes without it, so its score is 0 at no cost."""
    explainer = px.KernelShap(
        lambda texts: [len(set(t)) for t in texts], masker=px.Tokens(fill="a")
    )
    explanation = explainer.explain("a b")
    assert explanation.values.tolist() == [0.0, 1.0]
    assert explanation.standard_errors[0] < 1e-9


def test_a_pattern_keeps_what_lies_between() -> None:
    """The matches of a pattern are pieces, and punctuation between them is always present."""
    settings = {"pieces": re.compile(r"\w+")}
    assert without("well, it is.", "it", **settings) == "well, is."
    assert without("well, it is.", "well", "it", "is", **settings) == ", ."
    assert bound_of("a, b", **settings).feature_names == ("a", "b")


def test_pinned_text_is_always_there() -> None:
    """Pieces that touch a pinned stretch have no score."""
    prompt = "Yes or no: is this good?\nThe food was fine."
    settings = {"pinned": ["Yes or no: is this good?", re.compile("fine")]}
    bound = bound_of(prompt, **settings)
    assert bound.feature_names == ("The", "food", "was")
    z = np.zeros((1, 3), dtype=bool)
    assert bound.batch(z, slice(0, 1), None) == ["Yes or no: is this good?\nfine."]
    with pytest.raises(InvalidInputError, match="does not occur in the text"):
        bound_of(prompt, pinned="No or yes")
    with pytest.raises(InvalidInputError, match="all 2 words of text 0 are pinned"):
        bound_of(["a b"], pinned=re.compile(".*"))
    assert len(bound_of("a b", pinned=re.compile("x")).feature_names) == 2


# ---------------------------------------------------------------- tokenizers


def test_a_tokenizer_of_spans_or_of_strings() -> None:
    """Spans in any order, and tokens in the order of the text, are pieces."""
    by_spans = bound_of("playing now", tokenizer=lambda text: [(4, 7), (0, 4), (8, 11)])
    assert by_spans.pieces == ["play", "ing", "now"]
    by_strings = bound_of("to be or to", tokenizer=str.split)
    assert by_strings.feature_names == ("to", "be", "or", "to (2)")
    assert by_strings.regions.starts.tolist() == [0, 3, 6, 9]


def test_gaps_of_a_tokenizer_stay() -> None:
    """Text that no span covers is always present, and special tokens are left out."""
    settings = {"tokenizer": lambda text: [(0, 0), (0, 4), (4, 7), (len(text),) * 2]}
    assert without("playing on", "play", **settings) == "ing on"
    assert without("playing on", "play", "ing", **settings) == "on"


def test_equal_spans_are_one_piece() -> None:
    """Tokens of parts of one character, as of an emoji, are one piece."""
    bound = bound_of("x🙂", tokenizer=lambda text: [(0, 1), (1, 2), (1, 2), (1, 2)])
    assert bound.pieces == ["x", "🙂"]


@pytest.mark.parametrize(
    ("tokenizer", "said"),
    [
        (lambda text: [(0, 2), (1, 3)], r"do not overlap: in the text it gave \(0, 2\), 'ab'"),
        (lambda text: [(0, 9)], r"within the text: .* 4 characters, and a span is \(0, 9\)"),
        (lambda text: [(-1, 2)], "within the text"),
        (lambda text: [(3, 2)], "within the text"),
        (lambda text: [(0.5, 2)], "a list of spans"),
        (lambda text: [1, 2], "a list of spans"),
        (lambda text: [(0, 1, 2)], "a list of spans"),
        (lambda text: ["ab", "x"], "'x' is not in the text from character 2 on"),
        (lambda text: [], "no token was found in the text"),
    ],
)
def test_tokenizers_that_are_wrong(tokenizer: Any, said: str) -> None:
    """Spans that overlap, leave the text, or are none, are refused."""
    with pytest.raises(InvalidInputError, match=said):
        bound_of("ab c", tokenizer=tokenizer)


def test_fast_tokenizers() -> None:
    """Those of the tokenizers package are read by their offsets."""
    tokenizers = pytest.importorskip("tokenizers")
    model = tokenizers.models.WordPiece(
        {"[UNK]": 0, "play": 1, "##ing": 2, "now": 3, ".": 4}, unk_token="[UNK]"
    )
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    bound = bound_of("playing  now.", tokenizer=tokenizer)
    assert bound.pieces == ["play", "ing", "now", "."]
    assert bound_of("playing now", tokenizer=tokenizer.encode).pieces == ["play", "ing", "now"]
    z = np.array([[True, False, True, True]])
    assert bound.batch(z, slice(0, 1), None) == ["play  now."]
    bytewise = tokenizers.Tokenizer(tokenizers.models.BPE())
    bytewise.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet)
    bytewise.train_from_iterator(["low lower lowest"], trainer)
    assert "🙂" in bound_of("low 🙂 new", tokenizer=bytewise).pieces


class Transformer:
    """What perturbx reads of the tokenizers of transformers."""

    def __init__(self, is_fast: bool) -> None:
        self.is_fast = is_fast

    def __call__(
        self, text: str, return_offsets_mapping: bool, add_special_tokens: bool
    ) -> dict[str, Any]:
        assert return_offsets_mapping
        assert not add_special_tokens
        return {"input_ids": [1, 2], "offset_mapping": [(0, 4), (5, len(text))]}


def test_tokenizers_of_transformers() -> None:
    """Fast ones are asked for their offsets, slow ones are refused with the remedy."""
    assert bound_of("play now", tokenizer=Transformer(is_fast=True)).pieces == ["play", "now"]
    with pytest.raises(InvalidParameterError, match="use_fast=True"):
        bound_of("play now", tokenizer=Transformer(is_fast=False))


# ---------------------------------------------------------------- the tree


def test_the_tree_has_a_branch_for_each_sentence_and_paragraph() -> None:
    """Paragraphs, sentences and words nest."""
    bound = bound_of("A b. C d e.\n\nF g. H i.")
    (tree,) = bound.trees
    branches = {"".join(np.array(list("ABCDEFGHI"))[row]) for row in tree.members[tree.n_leaves :]}
    assert {"AB", "CDE", "ABCDE", "FG", "HI", "FGHI", "ABCDEFGHI"} <= branches
    assert len(branches) == 8


@settings(deadline=None)
@given(text=SOLID)
def test_every_text_has_a_tree(text: str) -> None:
    """Every piece is a leaf, whatever the text."""
    bound = bound_of(text)
    (tree,) = bound.trees
    assert tree.n_features == bound.n_features
    assert tree.members[tree.root].all()


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("X", "said"),
    [
        ("", "the text is empty: there is nothing to remove"),
        (" \n", "the text holds only white space"),
        (["a", "\t"], "text 1 holds only white space"),
    ],
)
def test_texts_without_a_piece(X: Any, said: str) -> None:
    """There is nothing to score in an empty text."""
    with pytest.raises(InvalidInputError, match=said):
        px.KernelShap(lambda texts: [0.0] * len(texts)).explain(X)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"pieces": "letters"}, r"'words', 'sentences', .* re.compile"),
        ({"pieces": re.compile(b"x")}, "a compiled pattern of strings"),
        ({"pieces": 3}, "pieces must be"),
        ({"tokenizer": 3}, "tokenizer must be"),
        ({"fill": 3}, "fill must be"),
        ({"fill": lambda piece: 3}, "returns a string"),
        ({"pinned": 3}, "pinned must be"),
        ({"pinned": ""}, "pinned must be"),
        ({"pinned": [re.compile(b"x")]}, "pinned must be"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], said: str) -> None:
    """Each wrong setting is refused before the model is asked."""
    with pytest.raises(InvalidParameterError, match=said):
        bound_of("a b", **settings)


@pytest.mark.parametrize("name", ["feature_names", "groups"])
def test_columns_have_no_meaning(name: str) -> None:
    """Names and groups of columns are refused."""
    given: Any = {"feature_names": ["a"], "groups": {"a": ["a"]}}[name]
    with pytest.raises(InvalidParameterError, match=f"{name} must be None for texts"):
        px.KernelShap(len, masker=px.Tokens(), **{name: given}).explain("a b")


def test_a_hundred_thousand_words_say_what_they_cost() -> None:
    """Too many words are refused with the cost and two remedies, before the model is asked."""
    text = "word! " * 100_000

    def model(texts: list[str]) -> list[float]:
        raise AssertionError("the model was asked")

    cheap = px.OwenShap(lambda texts: [0.0] * len(texts), masker=px.Tokens(), splits_per_round=500)
    assert cheap.explain(text[: 6 * 10_001]).n_rows <= 1_010
    with pytest.raises(BudgetError, match=r"100,000 words are a lot: .*'sentences'.*px.OwenShap"):
        px.KernelShap(model).explain(text)


def test_the_tree_finds_one_sentence_among_many() -> None:
    """Best first, a few hundred versions of a long text find where the word is."""
    text = " ".join(f"{'Needle' if i == 4_567 else i} is here." for i in range(6_000))
    explainer = px.OwenShap(lambda texts: [("Needle" in t) * 1.0 for t in texts], budget=300)
    explanation = explainer.explain(text)
    best = np.argsort(-explanation.values, kind="stable")[:256]
    assert explanation.feature_names.index("Needle") in best
    assert explanation.values[best].sum() > 0.99
    assert explanation.n_rows <= 303


def test_all_coalitions_by_hand() -> None:
    """Every version of a text of three words, in the order of the coalitions."""
    bound = bound_of("Go, now! Please")
    z = np.array(list(product([True, False], repeat=3)))
    assert bound.batch(z, slice(0, 1), None) == [
        "Go, now! Please",
        "Go, now!",
        "Go, Please",
        "Go,",
        "now! Please",
        "now!",
        "Please",
        "",
    ]
