"""Permutations that each run along one background row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from perturbx._typing import Ints
from perturbx._validation import check_integer
from perturbx.designs import BackgroundChains, Design
from perturbx.samplers._base import Sampler
from perturbx.samplers.permutations import more_orders

_DEFAULT_UNITS = 10
"""How many chains a background row gets when the user sets no budget."""

_DEFAULT_BYTES = 2**27
"""The most memory that a design may then take."""


@dataclass(frozen=True)
class BackgroundPermutations(Sampler):
    """Antithetic chains, each along one background row.

    Features join one by one in a random order, then in its reverse, as `Permutations` has them
    (Mitchell, Cooper, Frank & Holmes, JMLR 23:43, 2022), and all that are absent come from the
    same background row b. So what a chain adds up to, f(x) - f(b), is known, and differences
    between rows cancel; coalitions that each have a row of their own lack that.

    A ``cluster`` is one order: 2 * (d - 1) perturbations with one ``background_row``. Rows are
    dealt in random order, all of them before any is dealt again. Nothing is enumerated: a larger
    ``n`` gives more chains. Two features have but one order and its reverse, so no row gets them
    twice; one feature has no coalition at all, and its design is empty and complete.

    Parameters
    ----------
    n_background : int
        How many background rows there are.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.samplers.background_permutations import BackgroundPermutations
    >>> design = BackgroundPermutations(n_background=3).draw(4, 24, np.random.default_rng(0))
    >>> design.z.sum(axis=1)[:6], np.unique(design.background_row, return_counts=True)[1]
    (array([1, 2, 3, 1, 2, 3]), array([ 6,  6, 12]))
    """

    n_background: int

    draws: ClassVar[type[Design]] = BackgroundChains
    names_rows: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_integer("n_background", self.n_background, minimum=1)

    def minimum(self, n_features: int) -> int:
        return 2 * (n_features - 1)

    def default(self, n_features: int) -> int:
        """Ten chains a row; fewer where a row would cost beyond 2 * d + 2048, or much memory."""
        unit = 2 * (n_features - 1)
        if n_features <= 2:
            return unit * self.n_background
        usual = 2 * n_features + 2048
        n_units = min(_DEFAULT_UNITS * self.n_background, usual * self.n_background // unit)
        n_units = min(n_units, _DEFAULT_BYTES // (unit * n_features))
        return unit * max(n_units, -(-usual // unit))

    def draw(
        self,
        n_features: int,
        n: int,
        rng: np.random.Generator,
        drawn: Design | None = None,
    ) -> BackgroundChains:
        d, known = n_features, self.own(drawn, BackgroundChains)
        before = np.zeros(0, dtype=np.intp) if known is None else known.row
        n_chains = n // (2 * (d - 1)) if d > 1 else 0
        if d == 2:
            n_chains = min(n_chains, self.n_background)
        n_chains = max(n_chains, len(before))
        rows = _dealt(self.n_background, before, n_chains, rng)
        return BackgroundChains(more_orders(d, n_chains, rng, known), rows)


def _dealt(n_rows: int, before: Ints, n: int, rng: np.random.Generator) -> Ints:
    """`n` rows, those of `before` first; no row is ever two ahead of another."""
    times = np.bincount(before, minlength=n_rows)
    behind = np.flatnonzero(times < times.max())
    hands = [before, rng.permutation(behind)]
    while sum(map(len, hands)) < n:
        hands.append(rng.permutation(n_rows))
    return np.concatenate(hands)[:n].astype(np.intp)
