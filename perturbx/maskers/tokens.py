"""Words, sentences, paragraphs or tokens of a text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from perturbx._validation import invalid, shown
from perturbx.containers import TextLayout, texts_of
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.features import Spans
from perturbx.maskers import _pieces
from perturbx.maskers._base import Features, Masker
from perturbx.maskers._piece_tree import piece_tree
from perturbx.maskers._pieces import Pairs
from perturbx.maskers.bound_pieces import BoundText
from perturbx.maskers.piece_instances import FittedPieces, PieceInstances, check_no_columns

Pinned: TypeAlias = "str | re.Pattern[str] | Sequence[str | re.Pattern[str]]"

_AROUND_WORDS = ".,;:!?…\"'“”‘’«»()[]{}。、，！？：；「」『』（）"
"""Punctuation that belongs to a word and is left out of its name."""


@dataclass(frozen=True)
class Tokens(Masker):
    r"""Features are pieces of a text; absent pieces are dropped, or replaced by a stand-in.

    X is one text or several: a list, a flat array, or a series of pandas or polars. `predict_fn`
    gets batches in the same container, and a list where X is one text. A piece that is dropped
    takes the white space on one side of it along, so that no two blanks meet. Everything else
    stays as it is, so that the text with all pieces present is the text itself, byte for byte.

    Parameters
    ----------
    pieces : "words", "sentences", "paragraphs" or a compiled regular expression
        Words are runs without white space, with their punctuation; ideographs go one by one. For
        other languages that are written without blanks (Thai, Khmer), pass a `tokenizer`.
        Paragraphs end at blank lines. The matches of a pattern, such as ``re.compile(r"\w+")``,
        are pieces, and what lies between them is always present.
    tokenizer : optional
        Your own pieces, instead of `pieces`: a fast tokenizer of transformers, a
        `tokenizers.Tokenizer`, or a callable from a text to spans (start, stop) or to tokens as
        strings in their order. Text that no span covers is always present. Empty spans (special
        tokens) are left out, equal ones (tokens of parts of one character) are one piece, and
        spans that overlap otherwise are refused.
    fill : str, callable or None
        What an absent piece shows. None: nothing, it is dropped. A string such as "[MASK]" or
        "something": that string. A callable from a piece to its stand-in, such as
        ``lambda piece: "_" * len(piece)``.
    pinned : str, pattern, or list of them
        Text that is always present and gets no score, such as the instruction of a prompt: every
        piece that touches it is pinned. A string must occur in every text, a pattern need not.

    Notes
    -----
    The pieces form a tree, in which each paragraph and each sentence is a branch, for `OwenShap`.
    It splits the branches that matter most first, and shares the score of a branch that the budget
    does not reach evenly among its words. In a text of thousands of words, score sentences first,
    then the words of those that matter.

    Examples
    --------
    >>> import perturbx as px
    >>> def good(texts):
    ...     return [("good" in t) - 2.0 * ("not good" in t) for t in texts]
    >>> explanation = px.KernelShap(good, masker=px.Tokens()).explain("This is not good.")
    >>> dict(zip(explanation.feature_names, explanation.values.round(2).tolist()))
    {'This': 0.0, 'is': 0.0, 'not': -1.0, 'good': 0.0}
    """

    pieces: str | re.Pattern[str] = "words"
    tokenizer: Any = None
    fill: str | Callable[[str], str] | None = None
    pinned: Pinned = ()

    @property
    def word(self) -> str:
        """What one piece is called."""
        if self.tokenizer is not None:
            return "token"
        return _pieces.KINDS[self.pieces][0] if isinstance(self.pieces, str) else "match"

    def fit(self, X: Any, features: Features, rng: np.random.Generator) -> FittedTokens:
        """Check the settings; nothing is learned from X, which may be None.

        Raises
        ------
        InvalidParameterError
            If a setting is invalid, or if `features` names columns.
        """
        check_no_columns(features, "For pieces of your own pass px.Tokens(tokenizer=...).")
        _check_pieces(self.pieces)
        if self.tokenizer is not None and not (
            callable(self.tokenizer) or hasattr(self.tokenizer, "encode")
        ):
            raise invalid(
                "tokenizer", "a tokenizer, or a callable from text to spans", self.tokenizer
            )
        if not (self.fill is None or isinstance(self.fill, str) or callable(self.fill)):
            raise invalid("fill", "None, a string, or a callable from piece to string", self.fill)
        return FittedTokens(self, _patterns(self.pinned))


@dataclass(frozen=True, eq=False)
class FittedTokens(FittedPieces):
    """`Tokens` with checked settings."""

    masker: Tokens
    pinned: tuple[str | re.Pattern[str], ...]

    @property
    def value_function(self) -> str:  # type: ignore[override]
        fill, what = self.masker.fill, f"absent {_plural(self.masker.word)}"
        if fill is None:
            return f"{what} dropped"
        by = shown(fill) if isinstance(fill, str) else "stand-ins"
        return f"{what} replaced by {by}"

    def check(self, X: Any) -> PieceInstances:
        texts, single, layout = texts_of(X)
        spans = []
        for i, text in enumerate(texts):
            name = "the text" if single else f"text {i}"
            if not text.strip():
                kind = "holds only white space" if text else "is empty"
                raise InvalidInputError(f"{name} {kind}: there is nothing to remove. Leave it out.")
            spans.append(self._spans(text, name))
        return PieceInstances(self, texts, spans, single, layout)

    def batch(self, X: Sequence[str], layout: TextLayout) -> Any:
        return layout.build(list(X))

    def bound(self, instance: str, spans: Spans, layout: TextLayout) -> BoundText:
        return BoundText(
            regions=spans,
            tree=piece_tree(instance, spans),
            text=instance,
            stand_ins=self._stand_ins(instance, spans),
            layout=layout,
        )

    def _spans(self, text: str, name: str) -> Spans:
        masker, pairs = self.masker, self._pairs(text, name)
        if not pairs:
            raise InvalidInputError(f"no {masker.word} was found in {name}, {shown(text)}.")
        free = _pieces.without(pairs, _pieces.pinned(self.pinned, text, name))
        if not free:
            raise InvalidInputError(
                f"all {len(pairs)} {_plural(masker.word)} of {name} are pinned: nothing is left to "
                "score."
            )
        return Spans.of(text, free, masker.word, _AROUND_WORDS * (masker.word == "word"))

    def _pairs(self, text: str, name: str) -> Pairs:
        masker = self.masker
        if masker.tokenizer is not None:
            return _pieces.tokens(masker.tokenizer, text, name)
        if isinstance(masker.pieces, str):
            return _pieces.KINDS[masker.pieces][1](text)
        return _pieces.matches(masker.pieces, text)

    def _stand_ins(self, text: str, spans: Spans) -> tuple[str, ...] | None:
        fill = self.masker.fill
        if fill is None or isinstance(fill, str):
            return None if fill is None else (fill,) * len(spans)
        found = []
        for start, stop in zip(spans.starts.tolist(), spans.stops.tolist(), strict=True):
            stand_in = fill(text[start:stop])
            if not isinstance(stand_in, str):
                raise invalid("fill", "a callable that returns a string", stand_in)
            found.append(stand_in)
        return tuple(found)


def _check_pieces(pieces: Any) -> None:
    if isinstance(pieces, str) and pieces in _pieces.KINDS:
        return
    if isinstance(pieces, re.Pattern) and isinstance(pieces.pattern, str):
        return
    cure = "For a regular expression pass re.compile(...)." if isinstance(pieces, str) else ""
    kinds = ", ".join(map(repr, _pieces.KINDS))
    raise invalid("pieces", f"{kinds} or a compiled pattern of strings", pieces, cure)


def _patterns(pinned: Any) -> tuple[str | re.Pattern[str], ...]:
    several = pinned if isinstance(pinned, (list, tuple)) else (pinned,)
    for one in several:
        is_pattern = isinstance(one, re.Pattern) and isinstance(one.pattern, str)
        if not (is_pattern or (isinstance(one, str) and one)):
            raise InvalidParameterError(
                f"pinned must be a text, a compiled pattern, or a list of them; got {shown(one)}."
            )
    return tuple(several)


def _plural(word: str) -> str:
    return f"{word}es" if word.endswith("ch") else f"{word}s"
