"""The search for a large box around an instance in which the model keeps its decision.

1. Scale: the largest box of one shape, all ranges shortened alike, in which the decision still
   holds for a part of the draws.
2. Peel (after PRIM: Friedman & Fisher, Statistics and Computing 9, 1999): cut off the end of a
   range, or a category, that holds most draws without the decision per draw, until the share that
   keeps it reaches the target in draws of their own.
3. Grow: ask for what lies next to each face, all of it at first and shorter pieces where that
   loses the decision; add what keeps it best, and peel again.
4. Make sure: draw many times in the largest box that reached the target, and peel it again if it
   was only lucky.

It is a search: a larger box may exist.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.game import Cost
from perturbx.predictor import Predictor
from perturbx.rules._axes import Axis, Box
from perturbx.rules._kept import Kept
from perturbx.rules._reach import Reach

_SCALES = 32
_PER_SCALE = 64
_FIRST_SHARE = 0.85
"""The scaled box is the largest of `_SCALES` in which so many of `_PER_SCALE` draws keep it."""

_POOL = 512
"""Draws in the box by which its next cut is chosen; at most a 24th of the budget."""

_FIRM = 4
"""One in so many rows of the budget is kept to make sure of the target at the end."""

_DEEPEST = 0.25
"""A single cut removes at most this share of the draws."""

_DOUBT = 16
"""A piece is judged as if so many average draws were added to those that fell into it."""

_PER_PIECE = 20
"""Draws in each piece that the box may grow by."""

_ROUNDS = 3
"""A round asks for pieces with one in so many of the rows that are left, the largest first."""

_SHORTER = 4
"""A piece that could not be added is so many times shorter the next time."""

_OVERSHOOT = 1.5
"""The box grows until so many times more draws lose the decision than are allowed."""

_NEAR = 1e-6
"""The share of a range of a single value, when sizes of boxes are compared."""

_TILE = 4096


@dataclass(eq=False)
class Asker:
    """Asks whether rows near one instance keep its decision."""

    reach: Reach
    predictor: Predictor
    kept: Kept
    batch_size: int | None
    cost: Cost = field(default_factory=Cost)

    def __call__(self, values: Floats) -> NDArray[np.bool_]:
        """(m,): whether each row keeps the decision."""
        step, parts = self.batch_size or _TILE, [np.zeros(0, dtype=bool)]
        for start in range(0, len(values), step):
            part = values[start : start + step]
            outputs = self.predictor(
                self.reach.build(part), len(part), None, f"{len(part)} rows drawn in a box"
            )
            parts.append(self.kept.of(outputs))
            self.cost += Cost(len(part), 1)
        return np.concatenate(parts)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Draws: the cell of each axis (m, d), and whether the decision was kept (m,)."""

    cells: Ints
    kept: NDArray[np.bool_]

    def inside(self, box: Box) -> Drawn:
        """The draws that lie in a box, which are draws from that box."""
        found = np.ones(len(self.kept), dtype=bool)
        for j, cells in enumerate(box):
            found &= cells[self.cells[:, j]]
        return Drawn(self.cells[found], self.kept[found])

    @classmethod
    def none(cls, n_axes: int) -> Drawn:
        return cls(np.empty((0, n_axes), dtype=np.intp), np.zeros(0, dtype=bool))

    def __add__(self, other: Drawn) -> Drawn:
        return Drawn(
            np.concatenate([self.cells, other.cells]), np.concatenate([self.kept, other.kept])
        )


@dataclass(frozen=True, eq=False)
class Piece:
    """Some cells of one axis, to be cut off or added."""

    axis: int
    cells: Ints

    def is_in(self, box: Box) -> bool:
        return bool(box[self.axis][self.cells].all())


@dataclass(eq=False)
class Search:
    """One search: what is left of the budget, and the largest box that reached the target."""

    asker: Asker
    axes: tuple[Axis, ...]
    rng: np.random.Generator
    budget: int
    target: float

    @property
    def left(self) -> int:
        """The model rows that may still be spent."""
        return self.budget - self.asker.cost.n_rows

    @property
    def n_pool(self) -> int:
        return max(min(_POOL, self.budget // 24), 32)

    def run(self) -> Box:
        """The largest box found in which the target was reached, or the one that came nearest."""
        reserve = self.budget // _FIRM
        box, pool = self._scaled()
        best, pool, reached = self._peeled(box, pool, reserve)
        sides = [(j, side) for j, axis in enumerate(self.axes) for side in _sides(axis)]
        sides += [(j, np.concatenate(_sides(a))) for j, a in enumerate(self.axes) if _is_set(a)]
        steps = [len(side) for _, side in sides]
        while reached:
            pieces = self._affordable(_beside(best, sides, steps), reserve)
            if not any(pieces):
                break
            wider = self._grown(best, pool, [p for p in pieces if p])
            box, drawn, reached = self._peeled(wider, Drawn.none(len(self.axes)), reserve)
            if self.size(box) > self.size(best):  # if the budget ended it, _firm makes sure
                best, pool = box, drawn
            for i, piece in enumerate(pieces):
                if piece and not piece.is_in(best):
                    steps[i] = min(steps[i], len(piece.cells)) // _SHORTER
        return self._firm(best)

    def _firm(self, box: Box) -> Box:
        """The box, peeled until many draws reach the target, so far as the budget allows."""
        pool = Drawn.none(len(self.axes))
        n = max(self.left // 3, self.n_pool)
        goal = self.target + np.sqrt(self.target * (1 - self.target) / n)  # above its own luck
        while self.left >= n:
            fresh = self.draw(box, n)
            if fresh.kept.mean() >= goal:
                break
            pool += fresh
            while len(pool.kept) and pool.kept.mean() < goal:
                cut = self._cut(box, pool)
                if cut is None:
                    return box
                box = _changed(box, cut, keeps=False)
                pool = pool.inside(box)
        return box

    def size(self, box: Box) -> float:
        """The logarithm of the volume, as a share of everything that could be drawn."""
        shares = [axis.share(kept) for axis, kept in zip(self.axes, box, strict=True)]
        return float(np.log(np.maximum(shares, _NEAR)).sum())

    def values(self, box: Box, n: int, rng: np.random.Generator) -> tuple[Ints, Floats]:
        """(n, d), (n, d_columns): the cells and the rows of random draws in a box."""
        where = rng.random((len(self.axes), n, 2))
        cells = np.empty((n, len(self.axes)), dtype=np.intp)
        rows = np.repeat(self.asker.reach.own[None], n, axis=0)
        for j, (axis, kept) in enumerate(zip(self.axes, box, strict=True)):
            cells[:, j], rows[:, axis.members] = axis.drawn(kept, where[j])
        return cells, rows

    def draw(self, box: Box, n: int) -> Drawn:
        """Ask the model about n draws in a box."""
        cells, rows = self.values(box, n, self.rng)
        return Drawn(cells, self.asker(rows))

    # ------------------------------------------------------------ scale

    def _scaled(self) -> tuple[Box, Drawn]:
        """The largest box of one shape in which a part of the draws keep the decision."""
        low, high, best = 0, _SCALES, self._shape(_SCALES)
        pool = self.draw(best, min(_PER_SCALE, self.left))
        while low < high and self.left >= _PER_SCALE:
            middle = (low + high) // 2
            box = self._shape(middle)
            drawn = self.draw(box, _PER_SCALE)
            if drawn.kept.mean() >= _FIRST_SHARE:
                best, pool, high = box, drawn, middle
            else:
                low = middle + 1
        return best, pool

    def _shape(self, scale: int) -> Box:
        """All of every axis at 0, the instance alone at `_SCALES`."""
        part, found = 1 - scale / _SCALES, []
        for axis in self.axes:
            at = np.arange(axis.n_cells) - axis.own
            below, above = axis.own, axis.n_cells - 1 - axis.own
            kept = np.full(axis.n_cells, 2 * scale < _SCALES) | (at == 0)
            if axis.is_ordered:
                kept = (-at <= np.ceil(below * part)) & (at <= np.ceil(above * part))
            found.append(kept)
        return tuple(found)

    # ------------------------------------------------------------ peel

    def _peeled(self, box: Box, pool: Drawn, reserve: int) -> tuple[Box, Drawn, bool]:
        """Cut until the target is reached in fresh draws; False if the budget does not allow it."""
        while True:
            if len(pool.kept) < self.n_pool // 2:
                if self.left < self.n_pool + reserve:
                    return box, pool, False
                pool += self.draw(box, self.n_pool - len(pool.kept))
            if pool.kept.mean() >= self.target:
                if self.left < self.n_pool + reserve:
                    return box, pool, False
                fresh = self.draw(box, self.n_pool)
                pool += fresh
                if fresh.kept.mean() >= self.target:
                    return box, pool, True
            cut = self._cut(box, pool)
            if cut is None:
                return box, pool, False
            box = _changed(box, cut, keeps=False)
            pool = pool.inside(box)

    def _cut(self, box: Box, pool: Drawn) -> Piece | None:
        """What loses the decision most often for its size."""
        lost, best, piece = 1 - pool.kept.mean(), -np.inf, None
        most = _DEEPEST * len(pool.kept)
        for j, axis in enumerate(self.axes):
            count = np.bincount(pool.cells[:, j], minlength=axis.n_cells)
            bad = np.bincount(pool.cells[~pool.kept, j], minlength=axis.n_cells)
            for side in _sides(axis):
                cells = side[box[j][side]]
                n, n_lost = np.cumsum(count[cells]), np.cumsum(bad[cells])
                scores = (n_lost + _DOUBT * lost) / (n + _DOUBT)
                scores[(n_lost == 0) | ((n > most) & (np.arange(len(n)) > 0))] = -np.inf
                if len(scores) and scores.max() > best:
                    best, piece = scores.max(), Piece(j, cells[: scores.argmax() + 1])
        return piece

    # ------------------------------------------------------------ grow

    def _affordable(self, pieces: list[Piece | None], reserve: int) -> list[Piece | None]:
        """The pieces that the budget pays for, the largest ones; None in place of the others."""
        most = max((self.left - reserve - 2 * self.n_pool) // (_ROUNDS * _PER_PIECE), 0)
        sizes = [0.0 if p is None else self._added(p) for p in pieces]
        chosen = {*np.argsort(-np.array(sizes), kind="stable")[:most].tolist()}
        return [p if i in chosen else None for i, p in enumerate(pieces)]

    def _added(self, piece: Piece) -> float:
        axis = self.axes[piece.axis]
        return float(axis.masses[piece.cells].sum() / axis.total)

    def _grown(self, box: Box, pool: Drawn, pieces: list[Piece]) -> Box:
        """A larger box, which may have to be peeled."""
        lost, wider = 1 - pool.kept.mean(), box
        outside = [self._lost_in(box, piece, lost) for piece in pieces]
        for i in np.argsort(outside, kind="stable"):
            axis, j = self.axes[pieces[i].axis], pieces[i].axis
            added = _changed(wider, pieces[i], keeps=True)
            inside = axis.share(wider[j]) / max(axis.share(added[j]), _NEAR)
            expected = inside * lost + (1 - inside) * outside[i]
            if expected <= _OVERSHOOT * (1 - self.target):
                wider, lost = added, expected
        return wider

    def _lost_in(self, box: Box, piece: Piece, average: float) -> float:
        """The share of draws that lose the decision if one feature is in the piece."""
        only = np.zeros(self.axes[piece.axis].n_cells, dtype=bool)
        only[piece.cells] = True
        moved = (*box[: piece.axis], only, *box[piece.axis + 1 :])
        n_lost = int((~self.draw(moved, _PER_PIECE).kept).sum())
        return (n_lost + _DOUBT / 2 * average) / (_PER_PIECE + _DOUBT / 2)


def _sides(axis: Axis) -> tuple[Ints, ...]:
    """The cells on each side of the instance, the outermost first; of categories each by itself."""
    cells = np.arange(axis.n_cells)
    if axis.is_ordered:
        return cells[: axis.own], cells[: axis.own : -1]
    return tuple(cells[cells != axis.own][:, None])


def _is_set(axis: Axis) -> bool:
    """Whether it has categories that could be added together."""
    return not axis.is_ordered and axis.n_cells > 2


def _beside(box: Box, sides: list[tuple[int, Ints]], steps: list[int]) -> list[Piece | None]:
    """What lies next to each side of the box, as long as its step; None if there is nothing."""
    found: list[Piece | None] = []
    for (j, side), step in zip(sides, steps, strict=True):
        out = side[~box[j][side]]
        found.append(Piece(j, out[-step:]) if len(out) and step else None)
    return found


def _changed(box: Box, piece: Piece, *, keeps: bool) -> Box:
    """The box with the piece, or without it."""
    cells = box[piece.axis].copy()
    cells[piece.cells] = keeps
    return (*box[: piece.axis], cells, *box[piece.axis + 1 :])
