"""The smallest set of pieces that keeps a decision, or without which it changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx.designs import CustomCoalitions, Evaluations
from perturbx.game import Cost, Game
from perturbx.maskers import BoundMasker
from perturbx.rules._decisions import Decision
from perturbx.samplers import MaskSearch

_SURE = 1e-9
"""Margins are at least this far from 0, on the side of the decision that was made."""

_RESERVE = 4
"""One in so many rows is kept for leaving out the pieces of a set one by one."""

Pieces = NDArray[np.bool_]


@dataclass(eq=False)
class SetAsker:
    """Asks about sets of present pieces, each once, within a budget of model rows.

    Parameters
    ----------
    bound : BoundMasker
    game : Game
    decision : Decision
    label : object
        The decision for the instance.
    area : (d,) array
        The share of each piece.
    left : int
        Rows that may still be spent.
    """

    bound: BoundMasker
    game: Game
    decision: Decision
    label: object
    area: Floats
    left: int
    cost: Cost = field(default_factory=Cost)
    known: dict[bytes, Floats] = field(default_factory=dict)

    @property
    def affordable(self) -> int:
        """How many sets can still be asked about."""
        return self.left // self.bound.rows_per_perturbation

    def outputs(self, present: Pieces) -> Floats:
        """(m, k): the model's outputs for sets (m, d), on average over rows of the masker."""
        new = list(
            {one.tobytes(): one for one in present if one.tobytes() not in self.known}.items()
        )
        if new:
            z = np.stack([one for _, one in new])
            design = CustomCoalitions(z, np.ones(len(z)), np.arange(len(z)))
            columns = np.arange(self.game.predictor.n_outputs)[None]
            found, cost = self.game.evaluate([self.bound], columns, design, np.zeros(1, dtype=int))
            self.known.update(zip((key for key, _ in new), found[0, :, 0], strict=True))
            self.cost += cost
            self.left -= cost.n_rows
        return np.stack([self.known[one.tobytes()] for one in present])

    def margins(self, present: Pieces) -> Floats:
        """(m,): above 0 where the decision is kept, below 0 where it is another."""
        outputs = self.outputs(present)
        kept = self.decision.labels(outputs) == self.label
        return np.where(
            kept,
            np.maximum(self._margin(outputs), _SURE),
            np.minimum(self._margin(outputs), -_SURE),
        )

    def _margin(self, outputs: Floats) -> Floats:
        rule, k = self.decision.rule, outputs.shape[1]
        if not callable(rule) and k > 1:
            own = int(self.label)  # type: ignore[call-overload]
            others = np.delete(outputs, own, axis=1).max(axis=1)
            return np.asarray(outputs[:, own] - others)
        if rule is not None and not callable(rule):
            return np.asarray((outputs[:, 0] - rule) * (1 if self.label else -1))
        return np.where(self.decision.labels(outputs) == self.label, 1.0, -1.0)


@dataclass(frozen=True, eq=False)
class Search:
    """What is found of one kind: pieces that are enough, or whose absence changes the decision.

    Parameters
    ----------
    asker : SetAsker
    keeps : bool
        True for pieces that are enough alone, False for pieces to be removed.
    free : (d,) bool array
        The pieces that may be chosen; all others are absent, if `keeps`.
    """

    asker: SetAsker
    keeps: bool
    free: Pieces

    def present(self, chosen: Pieces) -> Pieces:
        """(m, d): what is shown where sets (m, d) are chosen."""
        return chosen if self.keeps else ~chosen

    def reached(self, chosen: Pieces) -> NDArray[np.bool_]:
        """(m,): which sets do what is asked for."""
        return np.asarray((self.asker.margins(self.present(chosen)) > 0) == self.keeps)

    def run(self, n: int, rng: np.random.Generator) -> tuple[Pieces | None, bool]:
        """The smallest set in about `n` sets, and whether every piece of it is needed.

        None if none was found.
        """
        until = self.asker.affordable - n
        found = self._found(n - n // _RESERVE, rng)
        if found is None:
            return None, False
        return self._thinned(found, until)

    def nearest(self, d: int) -> Pieces:
        """Of all sets asked about, chosen pieces after which the margin is nearest to a change."""
        present = np.array([np.frombuffer(key, dtype=bool) for key in self.asker.known])
        present = present[present.any(axis=1) & ~present.all(axis=1)]
        if not len(present):
            return np.ones(d, dtype=bool)
        margins = self.asker.margins(present)
        return np.asarray(~present[np.lexsort((-(present @ self.asker.area), margins))[0]])

    def _found(self, n: int, rng: np.random.Generator) -> Pieces | None:
        d = int(self.free.sum())
        ends = self._shown(np.array([[True] * d, [False] * d]))
        full, empty = self.asker.margins(ends).tolist()
        # Where the decision stays with all removed, sets are compared with a change just beyond.
        empty = empty if empty < 0 else -0.05 * abs(full)
        aim = -empty / (full - empty)
        drop = float(np.clip(aim if self.keeps else 1 - aim, 1e-6, 1 - 1e-6))
        area = self.asker.area[self.free]
        sampler = MaskSearch(area=tuple((area / area.sum()).tolist()), drop=drop, keeps=self.keeps)
        n = max(n, 1)
        design, margins = sampler.draw(d, n, rng), np.zeros(0)
        while len(design) > len(margins):
            new = self._shown(design.present[len(margins) :])
            margins = np.concatenate([margins, self.asker.margins(new)])
            known = Evaluations(
                design, margins[:, None, None], np.full((1, 1), full), np.full((1, 1), empty)
            )
            design = sampler.follow(known, n, rng)
        sets = np.concatenate([design.chosen, np.ones((1, d), dtype=bool)])
        chosen = np.zeros((len(sets), len(self.free)), dtype=bool)
        chosen[:, self.free] = sets
        able = np.flatnonzero(self.reached(chosen))
        if not len(able):
            return None
        return np.asarray(chosen[able[(chosen[able] @ self.asker.area).argmin()]])

    def _shown(self, present: Pieces) -> Pieces:
        """Sets of the free pieces among all pieces."""
        shown = np.full((len(present), len(self.free)), not self.keeps)
        shown[:, self.free] = present
        return shown

    def _thinned(self, chosen: Pieces, until: int) -> tuple[Pieces, bool]:
        """The set without the pieces that it can spare, largest first."""
        while chosen.any():
            inside = np.flatnonzero(chosen)
            if self.asker.affordable - len(inside) < until:
                return chosen, False
            fewer = np.repeat(chosen[None], len(inside), axis=0)
            fewer[np.arange(len(inside)), inside] = False
            spare = self.reached(fewer)
            if not spare.any():
                break
            size = np.where(spare, self.asker.area[inside], -inf)
            chosen = fewer[int(size.argmax())]
        return chosen, True
