"""Accumulated local effects of two features together, beyond those of each alone."""

from __future__ import annotations

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx.rules._effect_axes import Axis
from perturbx.rules._effect_rows import Asker

_RESAMPLES = 200


class Cells:
    """The cells between the points of two axes, and the rows that tell about each.

    Parameters
    ----------
    axes : (Axis, Axis)
        Over the same n rows, with at least two points each.
    """

    def __init__(self, axes: tuple[Axis, Axis]) -> None:
        self.axes = axes
        self.shape = len(axes[0].positions) - 1, len(axes[1].positions) - 1
        (rows, first), (others, second) = axes[0].steps, axes[1].steps
        order = np.argsort(others, kind="stable")
        start = np.searchsorted(others[order], rows, side="left")
        count = np.searchsorted(others[order], rows, side="right") - start
        here = np.repeat(np.arange(len(rows)), count)
        within = np.arange(len(here)) - np.repeat(np.cumsum(count) - count, count)
        self.rows: Ints = rows[here]
        self.at: Ints = np.column_stack([first[here], second[order[start[here] + within]]])

    def differences(self, asker: Asker, name: str) -> Floats:
        """(e, k): the second difference of the outputs over the cell of each entry."""
        corners = [self.at + step for step in ([1, 1], [1, 0], [0, 1], [0, 0])]
        asked = np.concatenate([np.column_stack([self.rows, corner]) for corner in corners])
        once, back = np.unique(asked, axis=0, return_inverse=True)
        answers = asker.corners(self.axes, once[:, 0], once[:, 1:], name)
        parts = answers[back.ravel()].reshape(4, len(self.rows), -1)
        return np.asarray(parts[0] - parts[1] - parts[2] + parts[3])

    def surface(self, differences: Floats, weights: Floats | None = None) -> Floats:
        """(K1, K2, k): the interaction at each pair of points (Apley & Zhu 2020, eq. 16 to 20).

        Rows count by `weights` (n,), all alike if there are none.
        """
        n_first, n_second = self.shape
        own = np.ones(len(self.rows)) if weights is None else weights[self.rows]
        place = self.at[:, 0] * n_second + self.at[:, 1]
        counts = np.asarray(np.bincount(place, own, n_first * n_second), dtype=np.float64)
        sums = [np.bincount(place, own * d, n_first * n_second) for d in differences.T]
        local = np.stack(sums, axis=1) / np.maximum(counts, 1e-300)[:, None]
        local = local[_nearest_known(counts.reshape(self.shape))]
        total = np.zeros((n_first + 1, n_second + 1, differences.shape[1]))
        total[1:, 1:] = local.reshape(*self.shape, -1).cumsum(axis=0).cumsum(axis=1)
        counts = counts.reshape(self.shape)
        for axis in (0, 1):
            turned = np.moveaxis(total, axis, 0)
            shares = (counts if axis == 0 else counts.T)[:, :, None]
            steps = np.diff(turned, axis=0)
            steps = (steps[:, 1:] + steps[:, :-1]) / 2
            mean = (steps * shares).sum(axis=1) / np.maximum(shares.sum(axis=1), 1e-300)
            alone = np.concatenate([np.zeros((1, mean.shape[1])), mean.cumsum(axis=0)])
            turned = turned - alone[:, None]
            total = np.moveaxis(turned, 0, axis)
        middles = (total[1:, 1:] + total[1:, :-1] + total[:-1, 1:] + total[:-1, :-1]) / 4
        mean = (middles * counts[:, :, None]).sum(axis=(0, 1)) / counts.sum()
        return np.asarray(total - mean)

    def errors(self, differences: Floats, rng: np.random.Generator) -> Floats:
        """(K1, K2, k): standard errors of `surface`, from resampled rows; no model is asked."""
        n, draws = len(self.axes[0].lower), []
        for _ in range(_RESAMPLES):
            times = np.bincount(rng.integers(n, size=n), minlength=n)
            draws.append(self.surface(differences, times.astype(np.float64)))
        return np.asarray(np.std(draws, axis=0, ddof=1))

    @property
    def counts(self) -> Ints:
        """(K1, K2): the rows whose nearest pair of points it is."""
        nearest = [axis.lower + (axis.share > 0.5) for axis in self.axes]
        known = (self.axes[0].lower >= 0) & (self.axes[1].lower >= 0)
        found = np.zeros((self.shape[0] + 1, self.shape[1] + 1), dtype=np.intp)
        np.add.at(found, (nearest[0][known], nearest[1][known]), 1)
        return found


def _nearest_known(counts: Floats) -> Ints:
    """For each cell the nearest one with rows, by the share of the axes that lies between."""
    from scipy.ndimage import distance_transform_edt

    sides = tuple(1 / n for n in counts.shape)
    (first, second) = distance_transform_edt(
        counts == 0, sampling=sides, return_distances=False, return_indices=True
    )
    return np.asarray(np.ravel(first * counts.shape[1] + second), dtype=np.intp)
