"""The cost of asking the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._typing import Ints


@dataclass(frozen=True)
class Cost:
    """The model rows and the calls of ``predict_fn``."""

    n_rows: int = 0
    n_calls: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.n_rows + other.n_rows, self.n_calls + other.n_calls)

    def divided(self, n: int) -> Ints:
        """(n, 2) integer rows and calls of n instances, as equal as possible, with this sum."""
        whole = np.array([self.n_rows, self.n_calls])
        return np.asarray(np.diff(np.arange(n + 1)[:, None] * whole // n, axis=0))
