"""One text or list with some of its pieces absent, in many versions at once."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Ints, Noise
from perturbx.containers import TextLayout
from perturbx.features import FeatureTree, Spans
from perturbx.maskers._base import BoundMasker

_LEAST_BYTES = 2**14
"""Rows count as so large at least, so that a call has at most 256 of them: many models of texts
hold what they compute for all of them in memory."""


@dataclass(frozen=True, eq=False, kw_only=True)
class BoundPieces(BoundMasker):
    """An instance and the places of its pieces."""

    regions: Spans
    tree: FeatureTree

    @property
    def trees(self) -> tuple[FeatureTree, ...]:  # type: ignore[override]
        return (self.tree,)

    @property
    def n_features(self) -> int:
        return len(self.regions)

    @property
    def feature_names(self) -> tuple[str, ...]:
        return self.regions.names

    @property
    def row_bytes(self) -> int:
        return _LEAST_BYTES

    def scratch(self, n_rows: int) -> None:
        """None: texts and lists are made anew for each call."""


@dataclass(frozen=True, eq=False, kw_only=True)
class BoundText(BoundPieces):
    """A text whose absent pieces are dropped, or replaced by stand-ins.

    Parameters
    ----------
    stand_ins : tuple of d str, or None
        What each piece shows where it is absent; None to drop it, with the white space on one
        side.
    layout : TextLayout
        The container of a batch.
    """

    text: str
    stand_ins: tuple[str, ...] | None
    layout: TextLayout

    def __getstate__(self) -> dict[str, Any]:
        """Only the fields, without what is computed from them, as workers receive it."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @property
    def data(self) -> str:
        return self.text

    @property
    def active(self) -> NDArray[np.bool_]:
        if self.stand_ins is None:
            return np.ones(self.n_features, dtype=bool)
        return np.array([a != b for a, b in zip(self.pieces, self.stand_ins, strict=True)])

    @property
    def row_bytes(self) -> int:
        return max(_LEAST_BYTES, 4 * len(self.text))

    @cached_property
    def pieces(self) -> list[str]:
        places = zip(self.regions.starts.tolist(), self.regions.stops.tolist(), strict=True)
        return [self.text[a:b] for a, b in places]

    @cached_property
    def gaps(self) -> list[str]:
        """The d + 1 texts before, between and after the pieces, which are always present."""
        starts, stops = self.regions.starts.tolist(), self.regions.stops.tolist()
        ends = zip([0, *stops], [*starts, len(self.text)], strict=True)
        return [self.text[a:b] for a, b in ends]

    @cached_property
    def _joins(self) -> dict[tuple[int, int], str]:
        return {}

    def batch(self, z: Coalitions | Noise, rows: slice | Ints, scratch: None) -> Any:
        write = self._dropped if self.stand_ins is None else self._replaced
        return self.layout.build([write(coalition) for coalition in z.astype(bool, copy=False)])

    def _replaced(self, coalition: NDArray[Any]) -> str:
        assert self.stand_ins is not None
        parts = [part for pair in zip(self.gaps, self.pieces, strict=False) for part in pair]
        for i in np.flatnonzero(~coalition).tolist():
            parts[2 * i + 1] = self.stand_ins[i]
        return "".join([*parts, self.gaps[-1]])

    def _dropped(self, coalition: NDArray[Any]) -> str:
        d, pieces = len(coalition), self.pieces
        present = [-1, *np.flatnonzero(coalition).tolist(), d]
        parts = []
        for i, j in pairwise(present):
            parts.append(self.gaps[j] if j == i + 1 else self._between(i, j))
            parts.append(pieces[j] if j < d else "")
        return "".join(parts)

    def _between(self, i: int, j: int) -> str:
        """What stands between pieces `i` and `j` without those between; -1 and d are the ends."""
        known = self._joins.get((i, j))
        if known is None:
            known = self._joins[i, j] = joined(
                self.gaps[i + 1 : j + 1], at_start=i < 0, at_end=j == self.n_features
            )
        return known


@dataclass(frozen=True, eq=False, kw_only=True)
class BoundItems(BoundPieces):
    """A list whose absent items are left out, or replaced by one stand-in.

    Parameters
    ----------
    items : list
    stand_in : tuple
        The stand-in, or nothing to leave absent items out.
    """

    items: list[Any]
    stand_in: tuple[Any, ...]

    @property
    def data(self) -> list[Any]:
        return copy.deepcopy(self.items)

    @property
    def active(self) -> NDArray[np.bool_]:
        if not self.stand_in:
            return np.ones(self.n_features, dtype=bool)
        places = self.regions.starts.tolist()
        return np.array([not _equal(self.items[i], self.stand_in[0]) for i in places])

    def batch(self, z: Coalitions | Noise, rows: slice | Ints, scratch: None) -> list[Any]:
        batch = []
        for coalition in z.astype(bool, copy=False):
            absent = set(self.regions.starts[~coalition].tolist())
            row: list[Any] = []
            for i, item in enumerate(self.items):
                row += [item] if i not in absent else self.stand_in
            batch.append(copy.deepcopy(row))  # a model may write into what it gets
        return batch


def joined(gaps: Sequence[str], at_start: bool, at_end: bool) -> str:
    """Gaps around dropped pieces as one: of the white space on both sides of a piece, one stays.

    It is the one with more line ends, then the longer one, then the first. At the ends of the
    text it is that of the end. What is no white space stays.
    """
    whole, last = gaps[0], len(gaps) - 1
    for number, gap in enumerate(gaps[1:], 1):
        if at_end and number == last and not gap.strip():
            whole = whole.rstrip() + gap
        elif at_start and not whole.strip():
            whole += gap.lstrip()
        else:
            head, tail = whole.rstrip(), gap.lstrip()
            before, after = whole[len(head) :], gap[: len(gap) - len(tail)]
            one = max(before, after, key=_strength) if before and after else before + after
            whole = head + one + tail
    return whole


def _strength(blank: str) -> tuple[int, int]:
    return blank.count("\n"), len(blank)


def _equal(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except Exception:  # whatever an object's own comparison raises, as those of arrays do
        return False
