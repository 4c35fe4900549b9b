"""Independent random coalitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from perturbx._validation import check_number
from perturbx.designs import Design, Independent
from perturbx.samplers._base import Sampler


@dataclass(frozen=True)
class BernoulliMasks(Sampler):
    """Each feature is present with probability `p`, on its own, in each perturbation.

    LIME's perturbations of superpixels (Ribeiro, Singh & Guestrin, KDD 2016, section 3.4, with
    p = 0.5). Rows are independent of each other: each is a ``cluster`` of its own, and all
    weigh the same. Alone among the samplers it may draw the full and the empty coalition: without
    them two features would always change together, and a fit could not tell their slopes from its
    intercept.

    Parameters
    ----------
    p : float, default 0.5
        Between 0 and 1, both excluded.

    Raises
    ------
    InvalidParameterError
        If `p` is not between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.samplers import BernoulliMasks
    >>> design = BernoulliMasks(p=0.8).draw(50, 2000, np.random.default_rng(0))
    >>> design.z.shape, round(float(design.z.mean()), 2)
    ((2000, 50), 0.8)
    """

    p: float = 0.5

    draws: ClassVar[type[Design]] = Independent

    def __post_init__(self) -> None:
        check_number("p", self.p, above=0, below=1)

    def minimum(self, n_features: int) -> int:
        """Two rows for each coefficient of a fit: d slopes and an intercept."""
        return 2 * (n_features + 1)

    def default(self, n_features: int) -> int:
        """Ten rows a feature, below which maps of superpixels are mostly noise; at least 1000."""
        return max(1000, 10 * n_features)

    def draw(
        self,
        n_features: int,
        n: int,
        rng: np.random.Generator,
        drawn: Design | None = None,
    ) -> Independent:
        known = self.own(drawn, Independent)
        before = np.zeros((0, n_features), dtype=bool) if known is None else known.present
        fresh = rng.random((max(n - len(before), 0), n_features)) < self.p
        return Independent(np.concatenate([before, fresh]), self.p)
