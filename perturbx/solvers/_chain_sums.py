"""Chains as sums: what scores and their errors need of the answers, which are not kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from perturbx._moments import central
from perturbx._typing import Floats, Ints
from perturbx.designs import AntitheticChains, OutputSums, Sums
from perturbx.solvers._answers import Answers
from perturbx.solvers._moderation import Spread

_N_SUMS = 6
_N_ARRAYS = 2 + _N_SUMS
_GENERATIONS = 2
"""Sums exist twice while those of a piece are added."""


@dataclass(frozen=True, eq=False)
class ChainSums(Sums):
    """What chains with r background rows hold of d features and t targets.

    A contribution is the mean of the two readings of a chain. The noise of a chain is the square
    of half their difference, and what the chain before it with the same row adds to that.

    Everything is summed chain by chain, so it is the same to the last bit in whatever pieces the
    answers come.

    Parameters
    ----------
    row : (r,) int array
        The background rows, in the order in which they were first used.
    times : (r,) int array
        How many chains each has.
    first, last : (r, d, t) arrays
        The contributions of its first and of its latest chain.
    sums : (r, 6, d, t) array
        Sums of the first four powers of contributions less the first, of noise, and of its square.
    reach, largest_noise : (d, t) arrays
        The largest difference of a contribution to the first one with its row, and noise.
    """

    row: Ints
    times: Ints
    first: Floats
    last: Floats
    sums: Floats
    reach: Floats
    largest_noise: Floats

    @classmethod
    def of(
        cls,
        outputs: OutputSums,
        readings: Floats,
        row: Ints,
        worth_of_steps: float,
        before: ChainSums | None,
    ) -> ChainSums:
        """Those of the readings (c, 2, d, t) of chains with the rows (c,), after those `before`.

        The square of half the difference to the chain before it with the same row is added to the
        noise of a chain, multiplied by `worth_of_steps`.
        """
        contributions = (readings[:, 0] + readings[:, 1]) / 2
        noise = ((readings[:, 0] - readings[:, 1]) / 2) ** 2
        shape = contributions.shape[1:]
        rows, place = _numbered(row, np.zeros(0, dtype=np.intp) if before is None else before.row)
        n_known = 0 if before is None else len(before.row)
        times = np.zeros(len(rows), dtype=np.intp)
        first, last = np.zeros((2, len(rows), *shape))
        sums, reach, largest = np.zeros((len(rows), _N_SUMS, *shape)), *np.zeros((2, *shape))
        if before is not None:
            times[:n_known], first[:n_known] = before.times, before.first
            last[:n_known], sums[:n_known] = before.last, before.sums
            reach, largest = before.reach, before.largest_noise
        previous, turns = _in_turn(place)
        new = np.flatnonzero((place >= n_known) & (previous < 0))
        first[place[new]] = last[place[new]] = contributions[new]
        if worth_of_steps:
            earlier = np.where((previous < 0)[:, None, None], last[place], contributions[previous])
            noise += worth_of_steps * ((contributions - earlier) / 2) ** 2
        last[place] = contributions  # the latest of those with one row
        away = contributions - first[place]
        squares = away**2
        terms = np.stack([away, squares, squares * away, squares**2, noise, noise**2], axis=1)
        for turn in turns:
            sums[place[turn]] += terms[turn]
        return cls(
            outputs,
            rows,
            times + np.bincount(place, minlength=len(rows)),
            first,
            last,
            sums,
            np.maximum(reach, np.abs(away).max(axis=0)),
            np.maximum(largest, noise.max(axis=0)),
        )

    def of_instances(self, chosen: NDArray[np.bool_]) -> ChainSums:
        targets = np.repeat(chosen, self.outputs.first.shape[1])
        arrays = self.first, self.last, self.sums, self.reach, self.largest_noise
        return ChainSums(
            self.outputs.of_instances(chosen),
            self.row,
            self.times,
            *(array[..., targets] for array in arrays),
        )

    @cached_property
    def n_chains(self) -> int:
        return int(self.times.sum())

    @cached_property
    def means(self) -> Floats:
        """(r, d, t): the mean contribution of the chains with each row."""
        return self.first + self.sums[:, 0] / self.times[:, None, None]

    @cached_property
    def noise_of_rows(self) -> Floats:
        """(r, d, t): the mean noise of the chains with each row."""
        return np.asarray(self.sums[:, 4] / self.times[:, None, None])

    @property
    def squares(self) -> Floats:
        """(d, t): the summed squares of all contributions."""
        of_rows = np.einsum("r,rdt->dt", self.times, self.means**2)
        return np.asarray(self.spread.squares + of_rows)

    @property
    def variance(self) -> Floats:
        """(d, t): the variance of all contributions."""
        mean = np.einsum("r,rdt->dt", self.times, self.means) / self.n_chains
        about = np.einsum("r,rdt->dt", self.times, (self.means - mean) ** 2)
        return np.asarray((self.spread.squares + about) / self.n_chains)

    def less(self, shift: Floats) -> ChainSums:
        """Those of contributions less the `shift` (B, d, t) of their row."""
        own = shift[self.row]
        return replace(self, first=self.first - own, last=self.last - own)

    @cached_property
    def spread(self) -> Spread:
        """How contributions vary about the mean of those with the same row."""
        powers = np.moveaxis(self.sums[:, :4], 1, 0)
        _, squares, fourths = central(self.times[:, None, None], powers)
        noise, of_noise = self.sums[:, 4:].sum(axis=0)
        return Spread(
            self.n_chains,
            squares.sum(axis=0),
            noise,
            fourths.sum(axis=0) + of_noise,
            np.maximum(self.reach**2, self.largest_noise),
            self.means,
        )


def numbers_kept(n_rows: int, n_features: int) -> float:
    """How many numbers the sums of each output hold, of chains with so many rows."""
    return float(_GENERATIONS * _N_ARRAYS * n_rows * n_features)


def summed_chains(
    answers: Answers[AntitheticChains],
    row: Ints,
    empty: Floats,
    before: Sums | None,
    worth_of_steps: float = 0.0,
    times: Floats | None = None,
) -> ChainSums:
    """The sums of chains with the rows (c,), after those `before`, in pieces of few answers.

    Chains of a row begin with its output in `empty` (B, t). Contributions are multiplied by the
    row's `times` (B,).
    """
    design, (n, k) = answers.design, answers.shape
    assert before is None or isinstance(before, ChainSums)
    for chains in design.pieces(n * k):
        part, rows = design.part(chains), row[chains]
        outputs = answers.outputs[chains.start * design.length : chains.stop * design.length]
        readings = part.contributions(outputs, empty[rows], answers.full)
        if times is not None:
            readings *= times[rows][:, None, None, None]
        by_chain = outputs.reshape(len(rows), design.length, n, k)
        summed = OutputSums.of(by_chain, None if before is None else before.outputs)
        before = ChainSums.of(summed, readings, rows, worth_of_steps, before)
    assert before is not None
    return before


def _numbered(row: Ints, known: Ints) -> tuple[Ints, Ints]:
    """Those that are known and then the others as they come, and the place of each `row`."""
    found, first, place = np.unique(
        np.concatenate([known, row]), return_index=True, return_inverse=True
    )
    by_use = first.argsort(kind="stable")
    return found[by_use], by_use.argsort()[place[len(known) :]]


def _in_turn(place: Ints) -> tuple[Ints, list[Ints]]:
    """The position (c,) before each with the same place, or -1; and positions by their turn.

    Those of one turn have different places, and come after all that share a place in an earlier
    turn.
    """
    order = place.argsort(kind="stable")
    is_same = np.diff(place[order], prepend=-1) == 0
    previous = np.full(len(place), -1)
    previous[order[is_same]] = order[np.flatnonzero(is_same) - 1]
    starts = np.maximum.accumulate(np.where(is_same, 0, np.arange(len(place))))
    turn = np.empty(len(place), dtype=np.intp)
    turn[order] = np.arange(len(place)) - starts
    by_turn = turn.argsort(kind="stable")
    return previous, np.split(by_turn, np.flatnonzero(np.diff(turn[by_turn])) + 1)
