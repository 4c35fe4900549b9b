"""Standard normal noise in antithetic pairs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from perturbx.designs import Design, MirroredNoise, NoiseDraws, PairNumbers
from perturbx.errors import RejectPerturbations
from perturbx.samplers._base import Sampler

_MOST_NUMBERS = 2**20
"""More numbers are drawn again whenever they are read."""


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
    redraws = True

    def minimum(self, n_features: int) -> int:
        """A pair for each of d slopes, and two more for a standard error."""
        return 2 * (n_features + 2)

    def default(self, n_features: int) -> int:
        """Ten pairs per feature, of which a local kernel keeps some; at least 500 pairs."""
        return max(1000, 20 * n_features)

    def draw(
        self, n_features: int, n: int, rng: np.random.Generator, drawn: Design | None = None
    ) -> NoiseDraws:
        known, m = self.own(drawn, NoiseDraws), n - n % 2
        if known is None:
            one, two = rng.integers(2**64, size=2, dtype=np.uint64).tolist()
            noise = MirroredNoise((one, two), (m, n_features))
        elif known.drawn is None:
            raise RejectPerturbations(
                "GaussianNoise can only continue noise that it drew: got an array. Draw the first "
                "perturbations with GaussianNoise.draw too."
            )
        else:
            noise = replace(known.drawn, shape=(max(m, len(known)), n_features))
        weights = np.broadcast_to(1.0, noise.shape[:1])
        if np.prod(noise.shape) <= _MOST_NUMBERS:
            return NoiseDraws(noise[:], weights, np.arange(len(weights)) // 2, noise)
        cluster: Any = PairNumbers(noise.shape[:1])
        return NoiseDraws(noise, weights, cluster, noise)
