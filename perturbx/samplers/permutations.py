"""Chains of coalitions along random orders, each with a second one that mirrors it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._typing import Orders
from perturbx._validation import check_kind
from perturbx.designs import AntitheticChains, Chains, ConsistentChains, Design, DownSets, Pairs
from perturbx.errors import InvalidParameterError
from perturbx.features import FeatureOrder
from perturbx.samplers._base import Sampler
from perturbx.samplers._consistent import ConsistentOrders, consistent_orders
from perturbx.samplers.shapley import ShapleyCoalitions

_MOST_NUMBERS = 2**19
"""Consistent orders are drawn in blocks of so many places, which then take a byte each."""


@dataclass(frozen=True)
class Permutations(Sampler):
    """Antithetic chains: features join one by one in a random order, then in its reverse.

    Castro, Gomez & Tejada (Computers & Operations Research 36, 2009) average the marginal
    contributions along random orders; reading each order backwards too halves the cost of a
    given error or better (Mitchell, Cooper, Frank & Holmes, JMLR 23:43, 2022, section 3.2).

    A ``cluster`` is one order: 2 * (d - 1) rows (see `Chains`). ``n`` is rounded down to whole
    orders, which are drawn with replacement and equal in weight. When ``n`` allows all 2**d - 2
    coalitions and nothing was drawn before, the design holds each of them once and is complete.

    With a partial order of the features, chains follow orders that are consistent with it, each as
    likely as any other (Frye, Rowat & Feige, "Asymmetric Shapley values", NeurIPS 2020). Such
    orders are drawn exactly, but for partial orders that are neither levels nor forests and have
    more than 65,536 coalitions: there a Markov chain comes within a thousandth of the uniform
    distribution. The second order of a chain is consistent too: levels are reversed each by
    itself. When ``n`` allows all coalitions that can occur, the design holds each of them once
    (`DownSets`).

    Parameters
    ----------
    order : FeatureOrder, optional
        Which features join before which.

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

    order: FeatureOrder | None = None

    def __post_init__(self) -> None:
        if self.order is not None:
            check_kind("order", self.order, FeatureOrder, "a FeatureOrder or None")

    @property
    def draws(self) -> type[AntitheticChains]:  # type: ignore[override]
        return Chains if self.order is None else ConsistentChains

    def check(self, n_features: int, n_background: int) -> None:
        if self.order is not None:
            check_order(self.order, n_features).check()

    def most(self, n_features: int) -> float:
        if self.order is None:
            return 2.0 ** min(n_features, 1000) - 2
        every = check_order(self.order, n_features).every
        return np.inf if every is None else len(every)

    def minimum(self, n_features: int) -> int:
        return int(min(2 * (n_features - 1), self.most(n_features)))

    def default(self, n_features: int) -> int:
        """Whole chains of at least 2 * d + 2048 rows; or every coalition, if that is fewer."""
        length = max(2 * (n_features - 1), 1)
        return int(min(self.most(n_features), -(-(2 * n_features + 2048) // length) * length))

    def draw(
        self, n_features: int, n: int, rng: np.random.Generator, drawn: Design | None = None
    ) -> Chains | Pairs | ConsistentChains | DownSets:
        d = n_features
        if self.order is not None:
            return self._consistent(check_order(self.order, d), n, rng, drawn)
        if drawn is None and n >= 2**d - 2:
            return ShapleyCoalitions().draw(d, n, rng)
        if isinstance(drawn, Pairs) and drawn.complete:
            return drawn
        known = self.own(drawn, Chains)
        return Chains(more_orders(d, n // (2 * (d - 1)), rng, known))

    def _consistent(
        self, orders: ConsistentOrders, n: int, rng: np.random.Generator, drawn: Design | None
    ) -> ConsistentChains | DownSets:
        if isinstance(drawn, DownSets):
            return drawn
        if drawn is None and orders.every is not None and n >= len(orders.every):
            return orders.every
        known, d = self.own(drawn, ConsistentChains), len(orders.explained)
        place, again = more_consistent_orders(orders, n // (2 * (d - 1)), rng, known)
        return ConsistentChains(place, again, orders.stage, orders.settled)


def check_order(order: FeatureOrder, n_features: int) -> ConsistentOrders:
    """The orders that are consistent with a partial order, which must be of these features."""
    if order.n_features != n_features:
        raise InvalidParameterError(
            f"order must be of the {n_features} features that are explained: got a FeatureOrder "
            f"of {order.n_features}."
        )
    return consistent_orders(order)


def more_orders(
    d: int, n_chains: int, rng: np.random.Generator, drawn: AntitheticChains | None
) -> Orders:
    """(c, d): when each feature joins in `n_chains` chains, beginning with those of `drawn`."""
    n_known = 0 if drawn is None else len(drawn.place)
    place = np.tile(np.arange(d, dtype=np.min_scalar_type(d)), (max(n_chains - n_known, 0), 1))
    rng.permuted(place, axis=1, out=place)
    return place if drawn is None else np.concatenate([drawn.place, place])


def more_consistent_orders(
    orders: ConsistentOrders,
    n_chains: int,
    rng: np.random.Generator,
    drawn: ConsistentChains | None,
) -> tuple[Orders, Orders]:
    """(c, d) each: the two orders of `n_chains` chains, beginning with those of `drawn`."""
    n_known, d = 0 if drawn is None else len(drawn.place), len(orders.explained)
    n_new, step = max(n_chains - n_known, 0), max(1, _MOST_NUMBERS // d)
    sizes = [min(step, n_new - start) for start in range(0, n_new, step)] or [0]
    drawn_now = [orders.draw(size, rng).astype(np.min_scalar_type(d)) for size in sizes]
    place, again = np.concatenate(drawn_now, axis=1)
    if drawn is None:
        return place, again
    return np.concatenate([drawn.place, place]), np.concatenate([drawn.again, again])
