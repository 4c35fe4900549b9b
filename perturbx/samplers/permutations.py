"""Chains of coalitions along random orders, each read forwards and backwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._typing import Orders
from perturbx.designs import AntitheticChains, Chains, Design, Pairs
from perturbx.samplers._base import Sampler
from perturbx.samplers.shapley import ShapleyCoalitions


@dataclass(frozen=True)
class Permutations(Sampler):
    """Antithetic chains: features join one by one in a random order, then in its reverse.

    Castro, Gomez & Tejada (Computers & Operations Research 36, 2009) average the marginal
    contributions along random orders; reading each order backwards too halves the cost of a
    given error or better (Mitchell, Cooper, Frank & Holmes, JMLR 23:43, 2022, section 3.2).

    A ``cluster`` is one order: 2 * (d - 1) rows (see `Chains`). ``n`` is rounded down to whole
    orders, which are drawn with replacement and equal in weight. When ``n`` allows all 2**d - 2
    coalitions and nothing was drawn before, the design holds each of them once and is complete.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.samplers import Permutations
    >>> design = Permutations().draw(4, 13, np.random.default_rng(0))
    >>> design.z.sum(axis=1)
    array([1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3])
    >>> design.cluster
    array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    """

    draws = Chains

    def most(self, n_features: int) -> float:
        return 2.0 ** min(n_features, 1000) - 2

    def minimum(self, n_features: int) -> int:
        return 2 * (n_features - 1)

    def default(self, n_features: int) -> int:
        """Whole chains of at least 2 * d + 2048 rows; or every coalition, if that is fewer."""
        every, length = 2**n_features - 2, max(2 * (n_features - 1), 1)
        return int(min(every, -(-(2 * n_features + 2048) // length) * length))

    def draw(
        self, n_features: int, n: int, rng: np.random.Generator, drawn: Design | None = None
    ) -> Chains | Pairs:
        d = n_features
        if drawn is None and n >= 2**d - 2:
            return ShapleyCoalitions().draw(d, n, rng)
        if isinstance(drawn, Pairs) and drawn.complete:
            return drawn
        known = self.own(drawn, Chains)
        return Chains(more_orders(d, n // (2 * (d - 1)), rng, known))


def more_orders(
    d: int, n_chains: int, rng: np.random.Generator, drawn: AntitheticChains | None
) -> Orders:
    """(c, d): when each feature joins in `n_chains` chains, beginning with those of `drawn`."""
    n_known = 0 if drawn is None else len(drawn.place)
    fresh = np.tile(np.arange(d), (max(n_chains - n_known, 0), 1))
    place = rng.permuted(fresh, axis=1).astype(np.min_scalar_type(d))
    return place if drawn is None else np.concatenate([drawn.place, place])
