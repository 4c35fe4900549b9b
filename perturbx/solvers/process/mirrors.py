"""Two outputs of which one is a constant less the other, such as p and 1 - p, solved once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx.designs import Pairs
from perturbx.solvers._answers import Answers, Scores


@dataclass(frozen=True, eq=False)
class Mirrors:
    """Which targets are solved, and where each target's scores come from.

    Parameters
    ----------
    kept : (s,) array
        The targets that are solved.
    source : (t,) array
        For each target the place of its own or its mirror image among those.
    sign : (t,) array
        -1 for a target that is a mirror image, and 1 for the others.
    """

    kept: Ints
    source: Ints
    sign: Floats

    @classmethod
    def among(cls, answers: Answers[Pairs]) -> Mirrors:
        """Of instances with two outputs, those whose sum varies by no more than rounding."""
        n, k = answers.shape
        sign = np.ones(n * k)
        if k == 2:
            ends = np.stack([answers.full, answers.empty])
            all_outputs = np.concatenate([answers.outputs, ends])
            total = all_outputs[:, 0::2] + all_outputs[:, 1::2]
            sign[1::2][np.ptp(total, axis=0) <= answers.floor[0::2] + answers.floor[1::2]] = -1.0
        kept = np.flatnonzero(sign > 0)
        source = np.cumsum(sign > 0) - 1
        return cls(kept, source, sign)

    def reduced(self, answers: Answers[Pairs]) -> Answers[Pairs]:
        """Without the mirror images."""
        if len(self.kept) == len(self.source):
            return answers
        return answers.only(self.kept)

    def restored(self, scores: Scores) -> Scores:
        """With them: the same scores with the other sign, and the same errors."""
        if len(self.kept) == len(self.source):
            return scores
        errors, noise = scores.errors, scores.noise
        if noise is not None:
            noise = noise.of(self.source)
        return replace(
            scores,
            values=scores.values[:, self.source] * self.sign,
            errors=None if errors is None else errors[:, self.source],
            noise=noise,
        )
