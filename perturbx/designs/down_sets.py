"""Every coalition that can occur when features join in a partial order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._typing import Coalitions, Floats, Ints
from perturbx.designs._base import CoalitionDesign, check_rows


@dataclass(frozen=True, eq=False)
class DownSets(CoalitionDesign):
    """Every coalition that can occur when features join in a partial order, once each.

    Parameters
    ----------
    present : (m, d) bool array
        The coalitions, without the empty and the full one.
    lower, upper : (e,) int arrays
        The steps by which a feature joins, from a coalition to another: 0 is the empty one, j + 1
        is row j, and m + 1 is the full one.
    joins : (e,) int array
        The feature of each step.
    probability : (e,) array
        The fraction of the consistent orders that take the step; 1 in total for each feature.
    """

    drawn_by = "Permutations(order)"
    complete = True

    present: Coalitions
    lower: Ints
    upper: Ints
    joins: Ints
    probability: Floats

    def __post_init__(self) -> None:
        check_rows("DownSets", self.present, np.bool_)

    @staticmethod
    def worth_of_ends(n_features: int) -> float:
        """As of pairs of coalitions."""
        return 1 / (2 * n_features)

    def __len__(self) -> int:
        return len(self.present)

    def tile(self, rows: slice) -> Coalitions:
        return self.present[rows]

    def contributions(self, outputs: Floats, empty: Floats, full: Floats) -> Floats:
        """(d, t): the mean of what each feature adds, over all consistent orders.

        `outputs` (m, t) answer the design, `empty` and `full` (t,) are the two other outputs.
        """
        table = np.concatenate([empty[None], outputs, full[None]])
        means = np.zeros((self.n_features, table.shape[1]))
        gains = self.probability[:, None] * (table[self.upper] - table[self.lower])
        np.add.at(means, self.joins, gains)
        return means

    @property
    def influence(self) -> Floats:
        """(m + 2, d): what each answer adds to those means; the empty one first, the full last."""
        weights = np.zeros((len(self) + 2, self.n_features))
        np.add.at(weights, (self.upper, self.joins), self.probability)
        np.subtract.at(weights, (self.lower, self.joins), self.probability)
        return weights
