"""Permutations that each use one background row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._typing import Ints
from perturbx._validation import check_integer, check_kind
from perturbx.designs import (
    AntitheticChains,
    BackgroundChains,
    ConsistentBackgroundChains,
    Design,
)
from perturbx.errors import InvalidParameterError
from perturbx.features import FeatureOrder
from perturbx.samplers._base import Sampler
from perturbx.samplers.permutations import check_order, more_consistent_orders, more_orders

_DEFAULT_CHAINS = 10
"""Chains per background row when the user sets no budget."""


@dataclass(frozen=True)
class BackgroundPermutations(Sampler):
    """Antithetic chains, each with one background row.

    Features join one by one in a random order, then in its reverse, as in `Permutations`
    (Mitchell, Cooper, Frank & Holmes, JMLR 23:43, 2022), and all absent features take their
    values from one background row b. A chain therefore adds up to f(x) - f(b), which is known, and
    differences between rows cancel. They do not when each coalition has a random row of its own.

    A ``cluster`` is one order: 2 * (d - 1) perturbations with one ``background_row``. Rows are
    used in random order, each once before any is used again. Coalitions are never enumerated: a
    larger ``n`` gives more chains. Two features have only one order and its reverse, so each row
    is used once; one feature has no coalition at all, and its design is empty and complete.

    Parameters
    ----------
    n_background : int
        The number of background rows.
    order : FeatureOrder, optional
        Chains then follow orders that are consistent with this one, as in `Permutations`.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.samplers import BackgroundPermutations
    >>> design = BackgroundPermutations(n_background=3).draw(4, 24, np.random.default_rng(0))
    >>> design.z.sum(axis=1)[:6], np.unique(design.background_row, return_counts=True)[1]
    (array([1, 2, 3, 1, 2, 3]), array([ 6,  6, 12]))
    """

    n_background: int
    order: FeatureOrder | None = None

    def __post_init__(self) -> None:
        check_integer("n_background", self.n_background, minimum=1)
        if self.order is not None:
            check_kind("order", self.order, FeatureOrder, "a FeatureOrder or None")

    @property
    def draws(self) -> type[AntitheticChains]:  # type: ignore[override]
        return BackgroundChains if self.order is None else ConsistentBackgroundChains

    def check(self, n_features: int, n_background: int) -> None:
        if self.n_background != n_background:
            raise InvalidParameterError(
                f"BackgroundPermutations(n_background={self.n_background}) does not fit this "
                f"background, which has {n_background} rows: pass "
                f"BackgroundPermutations(n_background={n_background})."
            )
        if self.order is not None:
            check_order(self.order, n_features).check()

    def minimum(self, n_features: int) -> int:
        return 2 * (n_features - 1)

    def default(self, n_features: int) -> int:
        """Ten chains per row; fewer where they would take many model rows."""
        length = 2 * (n_features - 1)
        if n_features <= 2:
            return length * self.n_background
        usual = 2 * n_features + 2048
        n_chains = min(_DEFAULT_CHAINS * self.n_background, usual * self.n_background // length)
        return length * max(n_chains, -(-usual // length))

    def draw(
        self, n_features: int, n: int, rng: np.random.Generator, drawn: Design | None = None
    ) -> BackgroundChains | ConsistentBackgroundChains:
        d = n_features
        orders = None if self.order is None else check_order(self.order, d)
        known: BackgroundChains | ConsistentBackgroundChains | None
        if orders is None:
            known = self.own(drawn, BackgroundChains)
        else:
            known = self.own(drawn, ConsistentBackgroundChains)
        before = np.zeros(0, dtype=np.intp) if known is None else known.row
        n_chains = n // (2 * (d - 1)) if d > 1 else 0
        if d == 2 or (orders is not None and orders.settled.all()):
            n_chains = min(n_chains, self.n_background)
        row = self._rows(before, max(n_chains, len(before)), rng)
        if orders is None:
            return BackgroundChains(more_orders(d, len(row), rng, known), row, complete=d == 1)
        places = more_consistent_orders(orders, len(row), rng, known)  # type: ignore[arg-type]
        return ConsistentBackgroundChains(
            *places, orders.stage, orders.settled, row, complete=d == 1
        )

    def _rows(self, before: Ints, n_chains: int, rng: np.random.Generator) -> Ints:
        """(c,): the background row of each chain, beginning with `before`."""
        times = np.bincount(before, minlength=self.n_background)
        rows = [before, rng.permutation(np.flatnonzero(times < times.max()))]
        while sum(map(len, rows)) < n_chains:
            rows.append(rng.permutation(self.n_background))
        return np.concatenate(rows)[:n_chains].astype(np.intp)
