"""Each feature absent alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx.designs import Design, LeaveOneOut
from perturbx.samplers._base import Sampler


@dataclass(frozen=True)
class OneAtATime(Sampler):
    """Row i has every feature present except feature i: occlusion, or leave one out.

    Zeiler & Fergus (ECCV 2014, section 4.2) slide a window over an image; here each window is one
    feature. Nothing is random, and the first `n` features come first. With one feature, its only
    row is the empty coalition.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.samplers import OneAtATime
    >>> OneAtATime().draw(3, 3, np.random.default_rng(0)).z.astype(int)
    array([[0, 1, 1],
           [1, 0, 1],
           [1, 1, 0]])
    """

    draws = LeaveOneOut
    continues = True

    def most(self, n_features: int) -> float:
        return float(n_features)

    def minimum(self, n_features: int) -> int:
        return n_features

    def fewest(self, n_features: int) -> int:
        """Each answer gives the score of one feature."""
        return 1

    def default(self, n_features: int) -> int:
        return n_features

    def draw(
        self, n_features: int, n: int, rng: np.random.Generator, drawn: Design | None = None
    ) -> LeaveOneOut:
        return LeaveOneOut(n_features, min(n, n_features))
