"""An order of the categories of one column, in which neighbors are alike in the other columns."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from perturbx._typing import Floats, Ints

_QUANTILES = 100
"""Distributions of numbers are compared at so many of their quantiles."""


def by_similarity(codes: Ints, n_levels: int, others: Iterable[tuple[Floats, bool]]) -> Ints:
    """The levels in an order in which neighbors have similar rows.

    The distance of two levels is the sum over the other columns of the largest difference of the
    distribution functions (numbers) or of half the sum of the differences of the frequencies
    (categories). The first coordinate of a classical multidimensional scaling orders the levels
    (Apley & Zhu, JRSS B 82, 2020, appendix E). Its direction is that of the given order.

    Parameters
    ----------
    codes : (n,) int array
        The level of each row, 0 to `n_levels` - 1, each in one row at least.
    n_levels : int
    others : iterable of ((n,) array, bool)
        The other columns, with NaN where a value is missing, and whether they are numbers.
    """
    distances = np.zeros((n_levels, n_levels))
    for values, is_number in others:
        shares = _shares(codes, n_levels, values, is_number)
        for level, own in enumerate(shares):
            apart = np.abs(shares - own)
            of_level = apart.max(axis=1, initial=0.0) if is_number else apart.sum(axis=1) / 2
            distances[level] += of_level
    if not distances.any():
        return np.arange(n_levels)
    place = _scaled(distances)
    if np.corrcoef(place, np.arange(n_levels))[0, 1] < 0:
        place = -place
    return np.argsort(place.round(9), kind="stable")


def _shares(codes: Ints, n_levels: int, values: Floats, is_number: bool) -> Floats:
    """(levels, q): the share of each level's rows up to each quantile, or in each category."""
    known = ~np.isnan(values)
    codes, values = codes[known], values[known]
    if is_number:
        points = np.quantile(values, np.linspace(0, 1, _QUANTILES + 1)[:-1], method="lower")
        points = np.unique(points)
        column = np.searchsorted(points, values, side="left")
    else:
        points, column = np.unique(values, return_inverse=True)
    table = np.zeros((n_levels, len(points) + 1))
    np.add.at(table, (codes, column), 1.0)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1.0)
    return np.asarray(shares.cumsum(axis=1)[:, :-1] if is_number else shares)


def _scaled(distances: Floats) -> Floats:
    """The first coordinate of a classical multidimensional scaling."""
    center = np.eye(len(distances)) - 1 / len(distances)
    _, vectors = np.linalg.eigh(-center @ distances**2 @ center / 2)
    return np.asarray(vectors[:, -1])
