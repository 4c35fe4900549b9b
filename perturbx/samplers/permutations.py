"""Chains of coalitions along random orders, each read forwards and backwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._typing import Coalitions
from perturbx.perturbations import Perturbations
from perturbx.samplers._base import Sampler
from perturbx.samplers.shapley import ShapleyCoalitions


@dataclass(frozen=True)
class Permutations(Sampler):
    """Antithetic chains: features join one by one in a random order, then in its reverse.

    Castro, Gomez & Tejada (Computers & Operations Research 36, 2009) average the marginal
    contributions along random orders; reading each order backwards too halves the cost of a
    given error or better (Mitchell, Cooper, Frank & Holmes, JMLR 23:43, 2022, section 3.2).

    A ``unit`` is one order: 2 * (d - 1) rows, of which row j holds the first j + 1 features of
    the order, and row d - 1 + j those of the reversed order. ``n`` is rounded down to whole
    units. Orders are drawn with replacement and weigh the same. When ``n`` allows all
    2**d - 2 coalitions and nothing was drawn before, the design holds each of them once
    and is complete.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.samplers import Permutations
    >>> design = Permutations().draw(4, 13, np.random.default_rng(0))
    >>> design.z.sum(axis=1)
    array([1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3])
    >>> design.unit
    array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    """

    def most(self, n_features: int) -> float:
        return 2.0 ** min(n_features, 1000) - 2

    def minimum(self, n_features: int) -> int:
        return 2 * (n_features - 1)

    def default(self, n_features: int) -> int:
        """Whole units, at least 2 * d + 2048 rows; or every coalition, if that is fewer."""
        every, unit = 2**n_features - 2, max(2 * (n_features - 1), 1)
        return int(min(every, -(-(2 * n_features + 2048) // unit) * unit))

    def draw(
        self,
        n_features: int,
        n: int,
        rng: np.random.Generator,
        drawn: Perturbations | None = None,
    ) -> Perturbations:
        d = n_features
        if (drawn is not None and drawn.complete) or (drawn is None and n >= 2**d - 2):
            return drawn or ShapleyCoalitions().draw(d, n, rng)
        before = np.zeros((0, d), dtype=bool) if drawn is None else drawn.coalitions
        unit = 2 * (d - 1)
        n_units = max(n // unit, len(before) // unit)
        z = np.concatenate([before, _chains(d, n_units - len(before) // unit, rng)])
        return Perturbations(z, np.ones(len(z)), np.repeat(np.arange(n_units), unit))


def _chains(d: int, n_units: int, rng: np.random.Generator) -> Coalitions:
    """(n_units * 2 * (d - 1), d): a feature is present once its place in the order has come."""
    place = rng.permuted(np.tile(np.arange(d), (n_units, 1)), axis=1)
    both = np.stack([place, d - 1 - place], axis=1)
    return np.asarray(both[:, :, None, :] <= np.arange(d - 1)[:, None]).reshape(-1, d)
