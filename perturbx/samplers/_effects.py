"""The steps of a tree with the largest effects, without computing all effects in every round.

An effect is the largest |weight * delta| of a step over outputs and instances, each in units of its
own range, which is the largest |delta| of any step. Ranges only grow from round to round, so an
effect that was computed earlier is at least the present one. Only those that come first are
computed again, until all of the first ones are exact (Minoux, "Accelerated greedy algorithms",
1978). With a thousand outputs a round costs its new steps and a few old ones, instead of all steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx.designs import Effects, Evaluations, Steps


def largest(
    evaluations: Evaluations, steps: Steps, known: Effects | None, among: Ints, n: int
) -> tuple[Ints, Effects]:
    """The n steps with the largest effects of some, in order; the first ones where they are equal.

    `known` is what the last round returned. It is ignored where answers are random, since asking
    again changes them.
    """
    known = known if evaluations.variances is None else None
    answered, effects = _Answered.of(evaluations, steps, known)
    most, is_exact = effects.most, effects.is_exact
    while True:
        first = among[np.argsort(-most[among], kind="stable")[:n]]
        unsure = first[~is_exact[first]]
        if not len(unsure):
            return first, effects
        most[unsure], is_exact[unsure] = answered.effects(steps, unsure), True


@dataclass(frozen=True, eq=False)
class _Answered:
    """The answers to a design, and the range of each output."""

    outputs: Floats
    full: Floats
    empty: Floats
    reach: Floats
    rounding: Floats

    @classmethod
    def of(
        cls, evaluations: Evaluations, steps: Steps, known: Effects | None
    ) -> tuple[_Answered, Effects]:
        """With the effects of all steps, those of older steps as they were known."""
        rows = evaluations.empty_rows
        empty = evaluations.empty[None] if rows is None or len(steps.trees) == 1 else rows
        before = 0 if known is None else len(known.most)
        new = np.arange(before, len(steps))
        added = np.abs(steps.deltas(evaluations.outputs, evaluations.full, empty, new))
        reach = added.max(axis=0, initial=0.0)
        reach = reach if known is None else np.maximum(reach, known.reach)
        rounding = 4 * evaluations.rounding.of(evaluations.full)
        answered = cls(evaluations.outputs, evaluations.full, empty, reach, rounding)
        if known is None or ((known.reach > rounding) != (reach > rounding)).any():
            # An output that had counted as constant does so no longer: older effects may grow.
            every = np.arange(len(steps))
            return answered, Effects(reach, answered.effects(steps, every), every >= 0)
        same = (known.reach == reach).all()
        most = np.concatenate([known.most, answered.scaled(added) * steps.weight[new]])
        is_exact = np.concatenate([known.is_exact & same, np.ones(len(new), dtype=bool)])
        return answered, Effects(reach, most, is_exact)

    def effects(self, steps: Steps, of: Ints) -> Floats:
        """The effects of some steps."""
        deltas = np.abs(steps.deltas(self.outputs, self.full, self.empty, of))
        return self.scaled(deltas) * steps.weight[of]

    def scaled(self, deltas: Floats) -> Floats:
        """(s,): the largest of (s, n, k) in units of their ranges.

        An output that changes by rounding alone counts as constant.
        """
        counts = self.reach > self.rounding
        scaled = np.divide(deltas, self.reach, out=np.zeros_like(deltas), where=counts)
        return np.asarray(scaled.max(axis=(1, 2)))
