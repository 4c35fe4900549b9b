"""The frozen result of `MinimalSets`: pieces that are enough, and pieces that are needed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._typing import Floats
from perturbx.errors import InvalidParameterError
from perturbx.features import Regions
from perturbx.result import Explanation
from perturbx.result.text import shorten

_MOST_NAMED = 12


@dataclass(frozen=True, eq=False)
class PieceSet:
    """Some pieces of an input, and what the model says with them, or without them.

    Parameters
    ----------
    pieces : tuple of int
        Their positions.
    names : tuple of str
    share : float
        Of the area of an image, or of the number of pieces.
    decision : str
        What the model decides where these pieces alone are shown, or where they are removed.
    outputs : (k,) array
        The model's outputs there.
    is_minimal : bool
        True if it was shown that no single piece of it can be left out.
    """

    pieces: tuple[int, ...]
    names: tuple[str, ...]
    share: float
    decision: str
    outputs: Floats
    is_minimal: bool

    def __str__(self) -> str:
        if not self.pieces:
            return "nothing"
        word = f"{len(self.pieces)} piece{'s' * (len(self.pieces) > 1)} ({self.share:.1%})"
        if len(self.names) > _MOST_NAMED:
            return word
        return f"{word}: {', '.join(shorten(name, 30) for name in self.names)}"


@dataclass(frozen=True, eq=False, repr=False)
class FoundSets:
    """The smallest sets of pieces that keep a decision, and without which it changes.

    Parameters
    ----------
    sufficient : tuple of PieceSet
        Each is enough for the decision with all else removed; no two have a piece in common.
    necessary : PieceSet or None
        The smallest set found whose removal changes the decision.
    nearest_miss : PieceSet or None
        Where no set was found to change it, the one whose removal came closest.
    decision : str
        The decision for the whole input.
    explanation : Explanation
        The sets as scores of 1 and 0, one output for each, for ``px.plots.overlay`` and others.
    n_rows, n_calls : int
        Model rows and calls.
    random_state : int
        Repeats every number.
    notes : tuple of str
        To be read before the sets are trusted.
    """

    sufficient: tuple[PieceSet, ...]
    necessary: PieceSet | None
    nearest_miss: PieceSet | None
    decision: str
    explanation: Explanation
    n_rows: int
    n_calls: int
    random_state: int
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The answer in sentences."""
        lines = [f"Decision: {self.decision}."]
        for i, found in enumerate(self.sufficient):
            also = "Also enough, without a piece of those above" if i else "Enough alone"
            lines.append(f"{also}: {found}.")
        if self.necessary is not None:
            lines.append(f"Without {self.necessary}, the decision is {self.necessary.decision}.")
        elif self.nearest_miss is not None:
            lines.append(
                "No set was found whose removal changes the decision; the nearest miss is to "
                f"remove {self.nearest_miss}."
            )
        return "\n".join(lines)

    def mask(self, found: PieceSet) -> np.ndarray:
        """The positions of a set, as a bool array of the image's height and width.

        Raises
        ------
        InvalidParameterError
            If the pieces have no place in an image, as those of a text.
        """
        regions = self.explanation.regions
        if not isinstance(regions, Regions):
            raise InvalidParameterError(
                "mask is for images and volumes: these pieces have no place. Read found.names."
            )
        covered = np.zeros(regions.shape, dtype=bool)
        for piece in found.pieces:
            covered |= regions.cover(piece)
        return covered

    def __repr__(self) -> str:
        lines = [self.text, f"  cost: {self.n_rows:,} model rows in {self.n_calls:,} calls"]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])
