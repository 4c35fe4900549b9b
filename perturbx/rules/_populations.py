"""Where the rows under a rule come from: columns of training rows, or pieces of one input."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.containers import Layout
from perturbx.maskers import BoundMasker
from perturbx.rules._shared_draws import SharedDraws
from perturbx.rules.anchor import Condition, as_numbers

Rule: TypeAlias = tuple[int, ...]
"""The numbers of its literals, in increasing order."""

Cuts: TypeAlias = tuple[Floats, NDArray[np.bool_]]
"""The ends of the ranges of a column, and which of them a rule begins with."""

_FINER = 5
"""Ranges are widened at the end by steps so many times finer than those of the search."""

_TILE_BYTES = 2**24
_MOST_ROWS = 4096


class Population(ABC):
    """What a rule may say about one instance, and rows at random under each rule."""

    n_literals: int

    n_training: int = 0
    """The number of rows behind `coverage`; 0 if it is exact."""

    @abstractmethod
    def extended(self, rule: Rule) -> list[Rule]:
        """The rules of one literal more."""

    @abstractmethod
    def loosened(self, rule: Rule) -> list[Rule]:
        """The rules with one literal dropped, or replaced by a wider one near it."""

    @abstractmethod
    def coverage(self, rule: Rule) -> float:
        """The share of the population for which a rule holds."""

    @abstractmethod
    def conditions(self, rule: Rule) -> tuple[Condition, ...]:
        """The rule as its reader sees it."""

    @abstractmethod
    def batches(
        self, rules: list[Rule], n: int, rng: np.random.Generator, size: int | None
    ) -> Iterator[tuple[Any, NDArray[Any]]]:
        """`n` random rows under each rule, in the user's container, and what they are drawn from.

        The rules share the random numbers, and so differ only where their conditions do: their
        differences are sharper than with draws of their own, and each by itself is as random.
        The rows do not depend on `size`, and no more than a batch of them is kept.
        """

    @abstractmethod
    def held(self, drawn: NDArray[Any]) -> Ints:
        """In how many rows each literal holds, of what they are drawn from."""

    @abstractmethod
    def feature(self, literal: int) -> int:
        """The column or piece that a literal is about."""

    @abstractmethod
    def says(self, literal: int) -> Hashable:
        """What a literal says, the same for all instances for which draws under it are alike."""


@dataclass(frozen=True, eq=False)
class RowPopulation(Population):
    """Training rows, in which the columns of a rule are drawn again within its conditions.

    The other columns come together from one training row. Each column of the rule takes the value
    of another training row that meets its condition, or of the instance for an equality.

    Parameters
    ----------
    layout : Layout
    bits : (n + 1, d) unsigned array
        The training rows, and the instance last.
    tables : tuple
        Of `bits`.
    literals : tuple of Condition
        One-sided ranges and equalities that the instance meets.
    met : (n_literals, n) bool array
        Which training rows meet each of them.
    offered : (n_literals,) bool array
        Those that a rule may be extended by; it may be loosened to the others.
    """

    layout: Layout
    bits: NDArray[Any]
    tables: tuple[Any, ...]
    literals: tuple[Condition, ...]
    met: NDArray[np.bool_]
    offered: NDArray[np.bool_]

    @property
    def n_literals(self) -> int:  # type: ignore[override]
        return len(self.literals)

    @property
    def n_training(self) -> int:  # type: ignore[override]
        return len(self.bits) - 1

    def extended(self, rule: Rule) -> list[Rule]:
        taken = {self._side(i) for i in rule}
        return [
            tuple(sorted((*rule, i)))
            for i in np.flatnonzero(self.offered).tolist()
            if self._side(i) not in taken
        ]

    def loosened(self, rule: Rule) -> list[Rule]:
        found = []
        for i in rule:
            rest = tuple(j for j in rule if j != i)
            found.append(rest)
            met = self.met.sum(axis=1)
            same = [j for j in range(self.n_literals) if self._side(j) == self._side(i)]
            wider = sorted((j for j in same if met[j] > met[i]), key=lambda j: int(met[j]))
            steps = {*wider[:1], *[j for j in wider if self.offered[j]][:1]}
            found += [tuple(sorted((*rest, j))) for j in sorted(steps)]
        return found

    def coverage(self, rule: Rule) -> float:
        return float(self.met[list(rule)].all(axis=0).mean())

    def conditions(self, rule: Rule) -> tuple[Condition, ...]:
        found: dict[int, Condition] = {}
        for literal in (self.literals[i] for i in rule):
            other = found.get(literal.position)
            if other is not None:
                lower, upper = max(literal.lower, other.lower), min(literal.upper, other.upper)
                literal = Condition(literal.feature, literal.position, "range", lower, upper)
            found[literal.position] = literal
        return tuple(found[at] for at in sorted(found))

    def feature(self, literal: int) -> int:
        return self.literals[literal].position

    def says(self, literal: int) -> Hashable:
        said = self.literals[literal]
        rows = self.met[literal].tobytes() if said.kind == "equals" else b""
        return said.position, said.kind, said.lower, said.upper, rows

    def batches(
        self, rules: list[Rule], n: int, rng: np.random.Generator, size: int | None
    ) -> Iterator[tuple[Any, Ints]]:
        step = size or max(1, min(_MOST_ROWS, _TILE_BYTES // self.bits[0].nbytes))
        named = sorted({c.position for rule in rules for c in self.conditions(rule)})
        shared = SharedDraws(
            (
                lambda stream, k: stream.integers(self.n_training, size=k),
                lambda stream, k: stream.random((k, len(named))),
            ),
            *(n, rng, step),
        )
        columns, meeting = np.arange(self.bits.shape[1]), lru_cache(1)(self._meeting)
        for batch in shared.batches(len(rules)):
            sources = np.concatenate(
                [self._sources(meeting(rules[i]), named, *numbers) for i, numbers in batch]
            )
            yield self.layout.decode(self.bits[sources, columns], self.tables), sources

    def held(self, drawn: Ints) -> Ints:
        cells = drawn.T
        is_own = cells == self.n_training  # the instance meets every literal
        rows = np.where(is_own, 0, cells)
        found = np.empty(self.n_literals, dtype=np.intp)
        for at, group in groupby(range(self.n_literals), lambda i: self.literals[i].position):
            numbers = list(group)
            met = self.met[numbers[0] : numbers[-1] + 1].take(rows[at], axis=1)
            found[numbers] = np.count_nonzero(met | is_own[at], axis=1)
        return found

    def _meeting(self, rule: Rule) -> dict[int, Ints]:
        """The rows that each column of a rule may come from: the instance for an equality."""
        found = {}
        for condition in self.conditions(rule):
            at = condition.position
            same = [i for i in rule if self.literals[i].position == at]
            found[at] = np.array([self.n_training])
            if condition.kind == "range":
                found[at] = np.flatnonzero(self.met[same].all(axis=0))
        return found

    def _sources(
        self, meeting: dict[int, Ints], named: list[int], rows: Ints, within: Floats
    ) -> Ints:
        """(n, d): the row that each cell comes from.

        `within` says how far down the meeting rows the value of each named column stands, 0 to 1.
        """
        sources = np.repeat(rows[:, None], self.bits.shape[1], axis=1)
        for at, found in meeting.items():
            places = within[:, named.index(at)] * len(found)
            sources[:, at] = found[places.astype(np.intp)]
        return sources

    def _side(self, i: int) -> tuple[int, bool]:
        """The column of a literal, and whether it bounds it from above."""
        return self.literals[i].position, bool(np.isfinite(self.literals[i].upper))


def row_population(
    layout: Layout, rows: Any, row: Any, cuts: dict[int, Cuts], *, narrow: bool
) -> tuple[RowPopulation, tuple[str, ...]]:
    """The population of one row, and notes on values that no condition can be about.

    With `narrow` a rule may also begin with the narrowest range around each number.
    """
    training, own = layout.encode(rows, row)
    known, cells = layout.values(rows), layout.values(row)[0]
    found: list[tuple[Condition, NDArray[np.bool_], bool]] = []
    unseen = []
    for at, name in enumerate(layout.names):
        x = float(as_numbers(cells[at : at + 1])[0]) if at in cuts else np.nan
        if not np.isnan(x):
            column = as_numbers(known[:, at])
            ends, is_offered = cuts[at][0], cuts[at][1].copy()
            after = int(np.searchsorted(ends, x))
            is_offered[max(after - 1, 0) : after + 1] |= narrow
            for cut, offer in zip(ends, is_offered, strict=True):
                side = {"lower": float(cut)} if x > cut else {"upper": float(cut)}
                met = column > cut if x > cut else column <= cut
                found.append((Condition(name, at, "range", **side), met, bool(offer)))
            continue
        if at in cuts:
            condition = Condition(name, at, "missing")
            met = np.isnan(as_numbers(known[:, at]))
        else:
            condition = Condition(name, at, "equals", value=cells[at])
            met = training.bits[:, at] == own.bits[0, at]
        if not met.any():
            unseen.append(str(condition))
        elif not met.all():
            found.append((condition, met, True))
    notes = () if not unseen else (f"never seen in training, so no condition: {', '.join(unseen)}",)
    bits = np.concatenate([training.bits, own.bits])
    return (
        RowPopulation(
            layout,
            bits,
            training.tables,
            tuple(condition for condition, _, _ in found),
            np.array([met for _, met, _ in found], dtype=bool).reshape(-1, len(bits) - 1),
            np.array([is_offered for _, _, is_offered in found], dtype=bool),
        ),
        notes,
    )


def cuts_of(layout: Layout, rows: Any, n_bins: int) -> dict[int, Cuts]:
    """The ends of the ranges of each numeric column: quantiles, or all values where few differ."""
    values, found = layout.values(rows), {}
    for at in range(len(layout.names)):
        if layout.numbers(rows, at) is None:
            continue
        column = as_numbers(values[:, at])
        column = np.sort(column[np.isfinite(column)])
        coarse, fine = (_quantiles(column, n) for n in (n_bins, n_bins * _FINER))
        ends = np.union1d(coarse, fine)
        found[at] = ends, np.isin(ends, coarse)
    return found


def _quantiles(column: Floats, n_bins: int) -> Floats:
    """Ends of ranges of about as many rows each, all below the largest value."""
    ends = np.unique(column)
    if len(ends) > n_bins:
        places = np.arange(1, n_bins) * len(column) // n_bins
        ends = np.unique(column[np.maximum(places, 1) - 1])
    return np.asarray(ends[ends < column.max(initial=-np.inf)])


@dataclass(frozen=True, eq=False)
class PiecePopulation(Population):
    """Random subsets of the pieces of one input; those of a rule are always kept.

    Each other piece is present with probability 1/2. Absent pieces look as the masker says, with
    one of its background rows at random if it has several.
    """

    bound: BoundMasker

    @property
    def n_literals(self) -> int:  # type: ignore[override]
        return int(self.bound.active.sum())

    def extended(self, rule: Rule) -> list[Rule]:
        pieces = np.flatnonzero(self.bound.active).tolist()
        return [tuple(sorted((*rule, i))) for i in pieces if i not in rule]

    def loosened(self, rule: Rule) -> list[Rule]:
        return [tuple(j for j in rule if j != i) for i in rule]

    def coverage(self, rule: Rule) -> float:
        return float(0.5 ** len(rule))

    def conditions(self, rule: Rule) -> tuple[Condition, ...]:
        return tuple(Condition(self.bound.feature_names[i], i, "present") for i in rule)

    def feature(self, literal: int) -> int:
        return literal

    def says(self, literal: int) -> Hashable:
        return self, literal  # pieces of one input tell nothing about those of another

    def batches(
        self, rules: list[Rule], n: int, rng: np.random.Generator, size: int | None
    ) -> Iterator[tuple[Any, NDArray[np.bool_]]]:
        bound, n_behind = self.bound, self.bound.rows_per_perturbation
        most = max(1, min(_MOST_ROWS, _TILE_BYTES // max(bound.row_bytes, 1)))
        step = min(size or most, n * len(rules))
        shared = SharedDraws(
            (
                lambda stream, k: stream.random((k, bound.n_features)) < 0.5,
                lambda stream, k: stream.choice(n_behind, size=k, p=bound.weights),
            ),
            *(n, rng, step),
        )
        scratch = bound.scratch(step)
        for batch in shared.batches(len(rules)):
            z = np.concatenate([present for _, (present, _) in batch])
            start = 0
            for i, (present, _) in batch:
                z[start : start + len(present), list(rules[i])] = True
                start += len(present)
            behind = np.concatenate([rows for _, (_, rows) in batch])
            yield bound.batch(z, slice(0, 1) if n_behind == 1 else behind, scratch), z

    def held(self, drawn: NDArray[np.bool_]) -> Ints:
        return np.asarray(drawn.sum(axis=0))
