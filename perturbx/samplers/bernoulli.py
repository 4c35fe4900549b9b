"""Independent random coalitions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from perturbx._typing import Coalitions, Floats
from perturbx.errors import InvalidParameterError
from perturbx.perturbations import Perturbations
from perturbx.samplers._base import Sampler


@dataclass(frozen=True)
class BernoulliMasks(Sampler):
    """Each feature is present with probability `p`, on its own, in each perturbation.

    LIME's perturbations of superpixels (Ribeiro, Singh & Guestrin, KDD 2016, section 3.4, with
    p = 0.5). The full and the empty coalition are left out, since the game knows both anyway,
    except where a single feature leaves no others. Rows are independent of each other: each is
    a ``unit`` of its own, and all weigh the same.

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

    def __post_init__(self) -> None:
        if not 0 < self.p < 1:
            raise InvalidParameterError(
                f"The 'p' parameter of BernoulliMasks must be a probability strictly between "
                f"0 and 1. Got {self.p!r} instead."
            )

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
        drawn: Perturbations | None = None,
    ) -> Perturbations:
        before = np.zeros((0, n_features), dtype=bool) if drawn is None else drawn.coalitions
        z = np.concatenate([before, _masks(n_features, max(n - len(before), 0), self.p, rng)])
        return Perturbations(z, np.ones(len(z)), np.arange(len(z)))


def _masks(d: int, n: int, p: float, rng: np.random.Generator) -> Coalitions:
    """First how many features are present, then which: no row is ever thrown away."""
    if d == 1:
        return np.asarray(rng.random((n, 1)) < p)
    size = rng.choice(np.arange(1, d), size=n, p=_size_probabilities(d, p))
    rank = rng.permuted(np.tile(np.arange(d), (n, 1)), axis=1)
    return np.asarray(rank < size[:, None])


def _size_probabilities(d: int, p: float) -> Floats:
    """The binomial distribution over sizes 1 to d - 1, in logarithms against overflow."""
    size = np.arange(1, d)
    log = size * np.log(p) + (d - size) * np.log1p(-p) - gammaln(size + 1) - gammaln(d - size + 1)
    probability = np.exp(log - log.max())
    return np.asarray(probability / probability.sum())
