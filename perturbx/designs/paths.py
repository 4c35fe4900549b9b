"""Straight paths from all features absent to all present, and the differences along them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from perturbx._typing import Floats, Ints, Outputs, Presences
from perturbx.designs.continuous import GradedDesign

_PARTS = 3
"""Each cell is crossed as a whole, and in two halves."""


@dataclass(frozen=True, eq=False)
class PathDifferences(GradedDesign):
    """Differences of one feature at a time across the cells of r paths.

    On a path all presences rise together from 0 to 1, and each path is cut into k cells at places
    of its own. A cell is crossed by each feature, while the others stay at its middle; so are its
    two halves. Each crossing is two perturbations, its start and its end.

    Parameters
    ----------
    edges : (r, k + 1) array
        Where the cells of each path begin and end, from 0 to 1.
    n_features : int
    """

    drawn_by = "Paths()"
    compact = True

    edges: Floats
    n_features: int  # type: ignore[misc]

    def __len__(self) -> int:
        r, k = self.edges.shape
        return int(r * (k - 1) * _PARTS * self.n_features * 2)

    def tile(self, rows: slice) -> Presences:
        number = np.arange(len(self))[rows]
        number, end = np.divmod(number, 2)
        part, feature = np.divmod(number, self.n_features)
        start, stop = self._parts.reshape(-1, 2)[part].T
        z = np.repeat((start + stop)[:, None] / 2, self.n_features, axis=1)
        z[np.arange(len(z)), feature] = np.where(end, stop, start)
        return z

    @cached_property
    def cluster(self) -> Ints:
        return np.repeat(np.arange(len(self.edges)), len(self) // max(len(self.edges), 1))

    @property
    def _parts(self) -> Floats:
        """(r, k, 3, 2): the start and the end of each cell, of its first and of its second half."""
        start, stop = self.edges[:, :-1], self.edges[:, 1:]
        middle = (start + stop) / 2
        pairs = [(start, stop), (start, middle), (middle, stop)]
        return np.stack([np.stack(pair, axis=-1) for pair in pairs], axis=2)

    def crossings(self, outputs: Floats) -> tuple[Outputs, Outputs]:
        """(r, d, t) twice: what each feature adds along each path, by cells and by their halves.

        `outputs` (m, t) answer the design.
        """
        r, k = self.edges.shape
        ends = outputs.reshape(r, k - 1, _PARTS, self.n_features, 2, -1)
        added = (ends[..., 1, :] - ends[..., 0, :]).sum(axis=1)
        return added[:, 0], added[:, 1] + added[:, 2]

    def doubts(self, variances: Floats) -> Outputs:
        """(d, t): the variance of the extrapolated mean, of variances (m, t) of the answers."""
        r, k = self.edges.shape
        ends = variances.reshape(r, k - 1, _PARTS, self.n_features, 2, -1).sum(axis=(0, 1, 4))
        return np.asarray((ends[0] + 16 * (ends[1] + ends[2])) / (9 * r**2))
