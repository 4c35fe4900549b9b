"""Standard normal noise in antithetic pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx.perturbations import Perturbations
from perturbx.samplers._base import Sampler


@dataclass(frozen=True)
class GaussianNoise(Sampler):
    """Noise z from the standard normal, each draw followed by its mirror image -z.

    With the mirror image, the even part of the model around the instance cancels out of every
    slope (antithetic variates: Hammersley & Morton, 1956), so slopes of a curved model are far
    steadier. A pair is one ``unit``; odd `n` are rounded down.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.samplers import GaussianNoise
    >>> design = GaussianNoise().draw(3, 101, np.random.default_rng(0))
    >>> design.z.shape, bool((design.z[0::2] == -design.z[1::2]).all())
    ((100, 3), True)
    """

    def minimum(self, n_features: int) -> int:
        """Pairs for d slopes, of which each tells one thing, and two to spare for an error."""
        return 2 * (n_features + 2)

    def default(self, n_features: int) -> int:
        """Ten pairs a feature, of which a local kernel keeps a part; at least 500 pairs."""
        return max(1000, 20 * n_features)

    def draw(
        self,
        n_features: int,
        n: int,
        rng: np.random.Generator,
        drawn: Perturbations | None = None,
    ) -> Perturbations:
        before = np.zeros((0, n_features)) if drawn is None else drawn.z
        half = rng.standard_normal((max(n - len(before), 0) // 2, n_features))
        z = np.empty((len(before) + 2 * len(half), n_features))
        z[: len(before)] = before
        z[len(before) :: 2], z[len(before) + 1 :: 2] = half, -half
        return Perturbations(z, np.ones(len(z)), np.arange(len(z)) // 2)
