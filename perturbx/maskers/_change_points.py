"""Divides a series where its level and its slope change."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.maskers._series_edges import equal_edges

_MOST_EDGES = 512
"""Change points are found exactly among at most this many evenly spaced steps."""

_LEAST_SHARE = 0.2
"""The shortest segment, relative to segments of equal length."""


def change_point_edges(series: NDArray[np.generic], n_segments: int) -> Ints:
    """The edges of the segments that lines fit best, by least squares.

    The segmentation is optimal among all whose edges lie on a grid of at most 512 steps (Bellman &
    Roth, "Curve fitting by segmented straight lines", JASA 64, 1969). Channels are divided by
    their standard deviations, and their errors are added. No segment is shorter than a fifth of
    the mean length, nor than two steps of the grid where that leaves a choice.

    Parameters
    ----------
    series : (T, C) array
    n_segments : int, at most T
    """
    n_steps = len(series)
    grid = equal_edges(n_steps, min(n_steps, max(_MOST_EDGES, n_segments)))
    n_cells = len(grid) - 1
    least = max(1, min(max(2, int(_LEAST_SHARE * n_cells / n_segments)), n_cells // n_segments))
    cost = _line_errors(series, grid)
    length = np.arange(n_cells + 1)[None, :] - np.arange(n_cells + 1)[:, None]
    cost[length < least] = np.inf
    best, came_from = cost[0], []
    for _ in range(n_segments - 1):
        total = best[:, None] + cost
        came_from.append(total.argmin(axis=0))
        best = total.min(axis=0)
    at = [n_cells]
    for previous in reversed(came_from):
        at.append(int(previous[at[-1]]))
    return grid[[0, *reversed(at)]]


def _line_errors(series: NDArray[np.generic], grid: Ints) -> Floats:
    """(G, G): the squared error of a line through the steps from one edge to a later one."""
    values = np.asarray(series, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # huge numbers are scaled first
        values = values / (np.abs(values).max(axis=0) + (values == 0).all(axis=0))
    values = values - values.mean(axis=0)
    spread = values.std(axis=0)
    values = values / np.where(spread > 0, spread, 1.0)
    steps = np.arange(len(values), dtype=np.float64)
    n = (grid[None, :] - grid[:, None]).astype(np.float64)

    def between(numbers: Floats) -> Floats:
        sums = np.concatenate([[0.0], np.cumsum(numbers)])[grid]
        return np.asarray(sums[None, :] - sums[:, None])

    many = np.maximum(n, 1.0)
    mean_step = between(steps) / many
    step_spread = np.maximum(n**3 - n, 0.0) / 12  # of consecutive integers
    total = np.zeros_like(n)
    for channel in values.T:
        sums = between(channel)
        squares = between(channel**2) - sums**2 / many
        together = between(channel * steps) - sums * mean_step
        explained = np.divide(together**2, step_spread, out=np.zeros_like(n), where=step_spread > 0)
        total += np.maximum(squares - explained, 0.0)
    return total
