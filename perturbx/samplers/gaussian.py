"""Standard normal noise in antithetic pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx.designs import Design, NoiseDraws
from perturbx.samplers._base import Sampler

_MOST_NUMBERS = 2**18
"""Noise is drawn in blocks of this many numbers, as it may fill much of the memory."""


@dataclass(frozen=True)
class GaussianNoise(Sampler):
    """Noise z from the standard normal, each draw followed by its mirror image -z.

    With the mirror image, the even part of the model around the instance cancels out of every
    slope (antithetic variates: Hammersley & Morton, 1956), so slopes of a curved model vary much
    less. A pair is one ``cluster``; an odd `n` is rounded down.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.samplers import GaussianNoise
    >>> design = GaussianNoise().draw(3, 101, np.random.default_rng(0))
    >>> design.z.shape, bool((design.z[0::2] == -design.z[1::2]).all())
    ((100, 3), True)
    """

    draws = NoiseDraws

    def minimum(self, n_features: int) -> int:
        """A pair for each of d slopes, and two more for a standard error."""
        return 2 * (n_features + 2)

    def default(self, n_features: int) -> int:
        """Ten pairs per feature, of which a local kernel keeps some; at least 500 pairs."""
        return max(1000, 20 * n_features)

    def draw(
        self, n_features: int, n: int, rng: np.random.Generator, drawn: Design | None = None
    ) -> NoiseDraws:
        known = self.own(drawn, NoiseDraws)
        before = np.zeros((0, n_features)) if known is None else known.noise
        n_pairs = max(n - len(before), 0) // 2
        z = np.empty((len(before) + 2 * n_pairs, n_features))
        z[: len(before)] = before
        fresh = z[len(before) :].reshape(n_pairs, 2, n_features)
        step = max(1, _MOST_NUMBERS // n_features)
        for start in range(0, n_pairs, step):
            pairs = fresh[start : start + step]
            pairs[:, 0] = rng.standard_normal((len(pairs), n_features))
            np.negative(pairs[:, 0], out=pairs[:, 1])
        return NoiseDraws(z, np.ones(len(z)), np.arange(len(z)) // 2)
