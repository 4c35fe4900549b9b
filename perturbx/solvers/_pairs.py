"""What a paired design says about a game, split into its odd and its even part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._typing import Coalitions, Floats, Ints
from perturbx.errors import RejectPerturbations
from perturbx.perturbations import Evaluations


@dataclass(frozen=True, eq=False)
class Pairs:
    """n pairs {S, complement of S} of d features and one target, in units of the target's scale.

    With x in {-1, +1}^d, ``odd`` is g(x) = (v(S) - v(complement)) / 2 and ``even`` their mean;
    the pair of the full and the empty coalition has ``half_gain`` and ``even_end``. Shapley
    values depend on the odd part alone; the even part only tells which features interact.
    """

    signs: Floats
    weights: Floats
    odd: Floats
    even: Floats
    half_gain: float
    even_end: float

    @property
    def shape(self) -> tuple[int, int]:
        """N and d."""
        return self.signs.shape[0], self.signs.shape[1]

    def subset(self, rows: Ints) -> Pairs:
        return Pairs(
            self.signs[rows],
            self.weights[rows],
            self.odd[rows],
            self.even[rows],
            self.half_gain,
            self.even_end,
        )

    def with_end(self, exactness: float = 1e6) -> tuple[Floats, Floats, Floats]:
        """Signs (n + 1, d), odd values, noise variances; the full coalition last, almost exact."""
        ones = np.ones((1, self.signs.shape[1]))
        signs = np.vstack([self.signs, ones])
        noise = 1 / np.append(self.weights, exactness * self.weights.max())
        return signs, np.append(self.odd, self.half_gain), noise

    def coalitions(self) -> tuple[Coalitions, Floats]:
        """All coalitions that were asked, (2 n + 2, d), and their values, less their mean."""
        present = np.vstack([self.signs, np.ones((1, self.signs.shape[1]))]) > 0
        odd, even = np.append(self.odd, self.half_gain), np.append(self.even, self.even_end)
        values = np.concatenate([even + odd, even - odd])
        return np.concatenate([present, ~present]), values - values.mean()


def read_pairs(evaluations: Evaluations, solver: str) -> tuple[list[Pairs], Floats]:
    """The pairs of every target (instances times outputs), and the scale of each target.

    Raises
    ------
    RejectPerturbations
        If the design is not made of pairs of complementary coalitions.
    """
    design = evaluations.perturbations
    paired = design.is_coalitions and len(design) > 0 and len(design) % 2 == 0
    if not paired or not np.array_equal(design.z[0::2], ~design.coalitions[1::2]):
        raise RejectPerturbations(
            f"{solver} reads pairs of a coalition and its complement, next to each other: got "
            f"{len(design)} perturbations that are not such pairs. "
            "Draw them with the sampler ShapleyCoalitions()."
        )
    signs = np.where(design.coalitions[0::2], 1.0, -1.0)
    weights = design.weights[0::2] / design.weights[0::2].mean()
    outputs = evaluations.outputs.reshape(len(design), -1)
    odd, even = (outputs[0::2] - outputs[1::2]) / 2, (outputs[0::2] + outputs[1::2]) / 2
    half_gain = (evaluations.full - evaluations.empty).ravel() / 2
    even_end = (evaluations.full + evaluations.empty).ravel() / 2
    scale = np.abs(np.vstack([odd, half_gain])).max(axis=0)
    safe = np.where(scale > 0, scale, 1.0)
    pairs = [
        Pairs(signs, weights, odd[:, t] / s, even[:, t] / s, half_gain[t] / s, even_end[t] / s)
        for t, s in enumerate(safe)
    ]
    return pairs, scale
