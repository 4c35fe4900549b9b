"""Independent random coalitions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._validation import check_number
from perturbx.designs import Design, Independent, PackedCoalitions
from perturbx.samplers._base import Sampler

_ROWS = 2**12
"""Rows that are drawn at once."""


@dataclass(frozen=True)
class BernoulliMasks(Sampler):
    """Each feature is present with probability `p`, independently, in each perturbation.

    LIME's perturbations of superpixels (Ribeiro, Singh & Guestrin, KDD 2016, section 3.4, with
    p = 0.5). Rows are independent: each is a ``cluster`` of its own, and all weights are equal.
    This is the only sampler that may draw the full and the empty coalition. Without them two
    features would always change together, and their slopes could not be told from the intercept.

    Parameters
    ----------
    p : float, default 0.5
        Between 0 and 1, both excluded.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.samplers import BernoulliMasks
    >>> design = BernoulliMasks(p=0.8).draw(50, 2000, np.random.default_rng(0))
    >>> design.z.shape, round(float(design.z.mean()), 2)
    ((2000, 50), 0.8)
    """

    p: float = 0.5

    draws = Independent

    def __post_init__(self) -> None:
        check_number("p", self.p, above=0, below=1)

    def minimum(self, n_features: int) -> int:
        """Two rows per coefficient of a fit: d slopes and an intercept."""
        return 2 * (n_features + 1)

    def default(self, n_features: int) -> int:
        """At least 1000, and ten rows per feature: maps of superpixels are mostly noise below."""
        return max(1000, 10 * n_features)

    def draw(
        self, n_features: int, n: int, rng: np.random.Generator, drawn: Design | None = None
    ) -> Independent:
        known = self.own(drawn, Independent)
        n_known = 0 if known is None else len(known)
        bits = np.empty((max(n, n_known), -(-n_features // 8)), dtype=np.uint8)
        for start in range(0, len(bits), _ROWS):
            part = bits[start : start + _ROWS]
            n_old = int(np.clip(n_known - start, 0, len(part)))
            if known is not None and n_old:
                part[:n_old] = np.packbits(known.tile(slice(start, start + n_old)), axis=1)
            fresh = rng.random((len(part) - n_old, n_features)) < self.p
            part[n_old:] = np.packbits(fresh, axis=1)
        return Independent(PackedCoalitions(bits, n_features), self.p)
