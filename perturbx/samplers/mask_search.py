"""A search for the smallest set of features whose absence destroys an output, or presence keeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx._validation import check_flag, check_integer, check_number, invalid
from perturbx.designs import Design, Evaluations, Searched, SearchedCoalitions, SearchedMasks
from perturbx.samplers._base import AdaptiveSampler
from perturbx.samplers._local_model import Smoothness, exchanged, first_effects, local_effects
from perturbx.samplers.random_grids import RandomGrids

_FIRST = 5
"""One in so many perturbations is drawn at random, to learn which features matter at all."""

_LENGTH = 1.2
"""Effects are alike within about so many points of a lattice."""

_LARGEST = 0.95
"""The largest share of the whole that is tried at first."""

_LEAST = 0.01
"""What is left is compared by its logarithm, down to this."""


@dataclass(frozen=True)
class MaskSearch(AdaptiveSampler):
    """Looks for the smallest set of features that reaches an aim; any budget gives the best so far.

    The first rows are random sets, which give a first map. Then the largest scores of that map are
    chosen, for areas from 1% to 95%; and from the smallest set that reaches the aim on, rounds of
    smaller sets are tried. Their features are exchanged by a linear model of the logarithm of what
    is left, fitted to the sets near the best one. Each set of a round takes another draw from the
    model's posterior, and exchanges another number of features. (Effects of features that are near
    each other in a lattice are alike beforehand.)

    Outputs take turns. A search ends before its budget where nothing new is left to try.

    Parameters
    ----------
    shape : tuple of int, optional
        A lattice of the features, along each axis, the last one fastest, where they are the points
        of a smooth mask. None: features of any kind, none of them neighbors.
    steps : int or tuple
        Points of the lattice from one point of a random coarse grid to the next, as in
        `RandomGrids`.
    area : tuple of float, optional
        The share of the whole that each feature covers; None if they are equally large.
    drop : float
        The share of the way from the full to the empty output to be destroyed, or kept.
    keeps : bool
        True: the smallest set whose presence keeps the output. False: whose absence destroys it.
    per_round : int
        The number of perturbations per round.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.designs import Evaluations
    >>> from perturbx.samplers import MaskSearch
    >>> sampler, rng = MaskSearch(drop=0.75), np.random.default_rng(0)
    >>> game = lambda z: z @ [0.0, 3.0, 1.0, 0.0, 0.0]
    >>> design = sampler.draw(5, 60, rng)
    >>> design = sampler.follow(Evaluations.of_game(design, game), 60, rng)
    >>> left = design.left(game(design.z), 4.0, 0.0)
    >>> design.chosen[design.smallest(left)]
    array([False,  True, False, False, False])
    """

    shape: tuple[int, ...] | None = None
    steps: int | tuple[int, ...] = 3
    area: tuple[float, ...] | None = None
    drop: float = 0.9
    keeps: bool = False
    per_round: int = 16

    def __post_init__(self) -> None:
        check_number("drop", self.drop, above=0, below=1)
        check_integer("per_round", self.per_round, minimum=1)
        check_flag("keeps", self.keeps)
        if self.shape is not None:
            RandomGrids(self.shape, self.steps)  # refuses a shape and steps that do not fit
        if not (self.area is None or isinstance(self.area, tuple)):
            raise invalid("area", "a tuple of shares, or None", self.area)
        for share in self.area or ():
            check_number("area", share, above=0)

    @property
    def draws(self) -> type[Searched]:  # type: ignore[override]
        return SearchedCoalitions if self.shape is None else SearchedMasks

    def check(self, n_features: int, n_background: int) -> None:
        if self.shape is not None and int(np.prod(self.shape)) != n_features:
            raise invalid("shape", f"a lattice of the {n_features} features", self.shape)
        if self.area is not None and len(self.area) != n_features:
            raise invalid("area", f"a share of each of the {n_features} features", self.area)

    def minimum(self, n_features: int) -> int:
        return 2

    def default(self, n_features: int) -> int:
        return 1000

    def draw(
        self, n_features: int, n: int, rng: np.random.Generator, drawn: Design | None = None
    ) -> Searched:
        """Sets at random, a fifth of `n`, or at least those of a round."""
        known = self.own(drawn, Searched)
        if known is not None:
            return known
        self.check(n_features, 1)
        n = min(max(n // _FIRST, self.per_round), n)
        if self.shape is None:
            present = rng.random((n, n_features)) < 0.5
        else:
            present = RandomGrids(self.shape, self.steps).draw(n_features, n, rng).z >= 0.5
        size = present.sum(axis=1)
        present = np.unique(present[(size > 0) & (size < n_features)], axis=0)
        if not len(present) and n_features > 1:
            present = np.arange(n_features)[None] == 0
        equal = np.full(n_features, 1 / max(n_features, 1))
        area = equal if self.area is None else np.array(self.area)
        nobody = np.full(len(present), -1, dtype=np.intp)
        return self.draws(present, area, self.drop, self.keeps, nobody, complete=n_features == 1)

    def follow(self, evaluations: Evaluations, n: int, rng: np.random.Generator) -> Searched:
        design = self.own(evaluations.design, Searched)
        assert design is not None  # every answer belongs to a design
        size = 0 if design.complete else min(self.per_round, n - len(design))
        full, empty = evaluations.full.ravel(), evaluations.empty.ravel()
        least = 4 * evaluations.floor.ravel()
        asked = np.bincount(design.output + 1, minlength=len(full) + 1)[1:]
        for t in np.argsort(asked, kind="stable").tolist():
            if size < 1 or abs(full[t] - empty[t]) <= least[t]:
                continue
            answers = evaluations.outputs.reshape(len(design), -1)[:, t]
            left = design.left(answers, full[t], empty[t])
            tried = {row.tobytes() for row in design.chosen}
            sets = self._prefixes(design, left) if not asked[t] else iter(())
            found = list(_new(sets, tried, size)) or self._rounds(design, left, rng, tried, size)
            if found:
                return design.with_rows(np.array(found), t)
        return design

    def _smoothness(self, design: Searched) -> Smoothness:
        if self.shape is None:
            return Smoothness((design.n_features,), 0.0)
        return Smoothness(self.shape, _LENGTH)

    def _first(self, design: Searched, left: Floats) -> Floats:
        at_random = design.output < 0
        smoothness = self._smoothness(design)
        return first_effects(design.chosen[at_random], left[at_random], smoothness)

    def _prefixes(self, design: Searched, left: Floats) -> Iterator[NDArray[np.bool_]]:
        """The features with the largest effects at random, up to ever larger areas."""
        order = np.argsort(-self._first(design, left) / design.area, kind="stable")
        covered = np.cumsum(design.area[order])
        for share in np.geomspace(0.01, _LARGEST, self.per_round):
            chosen = np.zeros(design.n_features, dtype=bool)
            chosen[order[: max(1, int(np.searchsorted(covered, share)))]] = True
            yield chosen

    def _rounds(
        self,
        design: Searched,
        left: Floats,
        rng: np.random.Generator,
        tried: set[bytes],
        size: int,
    ) -> list[NDArray[np.bool_]]:
        """Smaller sets than the best one so far."""
        at, floor = design.smallest(left), min(_LEAST, (1 - design.drop) / 10)
        whole = np.ones(design.n_features, dtype=bool)
        best, best_left = (whole, 0.0) if at < 0 else (design.chosen[at], left[at])
        log, log_best = np.log(np.maximum(left, floor)), np.log(max(best_left, floor))
        prior = np.maximum(self._first(design, left), 0.0)
        prior *= -log_best / max(float(prior[best].sum()), 1e-9)
        n = 4 * size
        effects = local_effects(
            design.chosen, log_best - log, best, prior, self._smoothness(design), rng, n
        )
        spare, n_best = np.log(1 - design.drop) - log_best, int(best.sum())
        most = (2 ** rng.uniform(0, np.log2(max(4, n_best)), n)).astype(int)
        pairs = zip(effects, most, strict=True)
        sets = (exchanged(best, one, design.area, spare, k) for one, k in pairs)
        found = list(_new(sets, tried, size))
        return found + list(_new(_by_chance(best, most, rng), tried, size - len(found)))


def _new(
    sets: Iterator[NDArray[np.bool_]], tried: set[bytes], size: int
) -> Iterator[NDArray[np.bool_]]:
    """At most `size` sets that were not tried, neither empty nor all; they then count as tried."""
    while size > 0 and (chosen := next(sets, None)) is not None:
        if 0 < chosen.sum() < len(chosen) and (key := chosen.tobytes()) not in tried:
            tried.add(key)
            size -= 1
            yield chosen


def _by_chance(
    best: NDArray[np.bool_], sizes: NDArray[np.intp], rng: np.random.Generator
) -> Iterator[NDArray[np.bool_]]:
    """Sets in which random features are exchanged, one more given up than taken."""
    for k in sizes.tolist():
        chosen = best.copy()
        inside, outside = np.flatnonzero(best), np.flatnonzero(~best)
        chosen[rng.permutation(inside)[:k]] = False
        chosen[rng.permutation(outside)[: k - 1]] = True
        yield chosen
