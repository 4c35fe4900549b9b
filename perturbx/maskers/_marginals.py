"""Columns of any type on the scale of normal scores, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.containers import Layout, is_missing

_MOST_INDICATORS = 20
"""So many values of a column without an order help to order those of another one."""

_PRIOR_ROWS = 10.0
"""A value without an order that few rows have is taken to be ordinary: as if by so many rows."""


class Marginal(ABC):
    """One column on the scale of normal scores, and back."""

    @abstractmethod
    def scores(self, bits: NDArray[Any], numbers: Floats | None) -> Floats:
        """(n,): the mean score of cells, by their bits and as numbers; NaN if it is unknown."""

    def spread(self, bits: NDArray[Any], scores: Floats, uniform: Floats) -> Floats:
        """(n,): the scores of cells of the column, tied ones apart, at a fraction `uniform`."""
        return scores

    @abstractmethod
    def moved(self, bits: NDArray[Any], scores: Floats, by: Floats) -> NDArray[Any]:
        """The bits of cells of the column, whose spread scores have moved by some amounts.

        With no move they are what they were.
        """


@dataclass(frozen=True, eq=False)
class Ranks(Marginal):
    """The k distinct values of a column in order, and the normal scores that each one covers.

    A value covers an interval of the standard normal distribution that holds as much of it as the
    column holds of the value: ties share an interval, and so do missing cells, which come last.
    Only values that the column held come back.

    Parameters
    ----------
    bits : (k,) array
        The bit pattern of each value.
    ends : (k - 1,) array
        The scores at which one value ends and the next begins.
    means : (k,) array
        The mean score in the interval of each value.
    numbers : (k,) array or None
        The values as numbers, NaN for missing ones; None for a column without them.
    """

    bits: NDArray[Any]
    ends: Floats
    means: Floats
    numbers: Floats | None

    @classmethod
    def of(cls, bits: NDArray[Any], order: Floats, is_number: bool) -> Ranks:
        """Of the cells (n,) of a column, with a number for each that orders their values."""
        patterns, first, counts = np.unique(bits, return_index=True, return_counts=True)
        rank = np.argsort(order[first], kind="stable")  # NaN last
        ends, means = _intervals(counts[rank] / len(bits))
        return cls(patterns[rank], ends, means, order[first[rank]] if is_number else None)

    def codes(self, bits: NDArray[Any]) -> Ints:
        """(n,): which value each cell holds, -1 for one that the column never held."""
        by_bits = np.argsort(self.bits)
        place = np.searchsorted(self.bits, bits, sorter=by_bits)
        codes = by_bits[np.minimum(place, len(by_bits) - 1)]
        return np.where(self.bits[codes] == bits, codes, -1)

    def scores(self, bits: NDArray[Any], numbers: Floats | None) -> Floats:
        codes = self.codes(bits)
        scores = np.where(codes >= 0, self.means[codes], np.nan)
        if self.numbers is None or numbers is None:
            return scores
        n_known = int(np.count_nonzero(~np.isnan(self.numbers)))
        is_new = (codes < 0) & ~np.isnan(numbers)
        if n_known and is_new.any():  # a new number lies between its neighbors
            place = np.searchsorted(self.numbers[:n_known], numbers[is_new])
            last = self.means[n_known - 1 : n_known]
            between = np.concatenate([self.means[:1], self.ends[: n_known - 1], last])
            scores[is_new] = between[place]
        return scores

    def spread(self, bits: NDArray[Any], scores: Floats, uniform: Floats) -> Floats:
        from scipy.special import ndtr, ndtri

        codes, ends = self.codes(bits), np.concatenate([[0.0], ndtr(self.ends), [1.0]])
        return np.asarray(ndtri(ends[codes] + uniform * (ends[codes + 1] - ends[codes])))

    def moved(self, bits: NDArray[Any], scores: Floats, by: Floats) -> NDArray[Any]:
        found = self.bits[np.searchsorted(self.ends, scores + by, side="right")]
        return np.where(by == 0, bits, found)


@dataclass(frozen=True, eq=False)
class Normal(Marginal):
    """A column of plain numbers that are taken to be normally distributed.

    Integers are rounded, and stay within the range of the column. Missing cells stay missing, and
    tell nothing about the other columns.

    Parameters
    ----------
    center, scale, low, high : float
        The mean, the standard deviation, and the smallest and the largest number.
    dtype : NumPy type
    """

    center: float
    scale: float
    low: float
    high: float
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, numbers: Floats, dtype: np.dtype[Any]) -> Normal:
        """Of the cells of a column that are not all missing."""
        known = numbers[~np.isnan(numbers)]
        scale = float(known.std())
        scale = scale if scale > 1e-12 * float(np.abs(known).max()) else 0.0
        return cls(float(known.mean()), scale, float(known.min()), float(known.max()), dtype)

    def scores(self, bits: NDArray[Any], numbers: Floats | None) -> Floats:
        assert numbers is not None
        if not self.scale:
            return np.where(np.isnan(numbers), np.nan, 0.0)
        return np.asarray((numbers - self.center) / self.scale)

    def moved(self, bits: NDArray[Any], scores: Floats, by: Floats) -> NDArray[Any]:
        before = np.broadcast_to(bits, by.shape).astype(f"u{self.dtype.itemsize}")
        numbers: Any = before.view(self.dtype)
        if self.dtype.kind == "f":
            most = np.finfo(self.dtype).max
            after = np.clip(numbers + by * self.scale, -most, most).astype(self.dtype)
        else:
            steps = np.rint(by * self.scale)
            after = np.clip(numbers.astype(np.float64) + steps, self.low, self.high)
            after = np.where(steps == 0, numbers, after.astype(self.dtype))
        return np.asarray(after.view(before.dtype).astype(bits.dtype))


def _intervals(shares: Floats) -> tuple[Floats, Floats]:
    """The ends between intervals that hold such shares of the normal distribution, and means."""
    from scipy.special import ndtri

    ends = ndtri(np.cumsum(shares)[:-1])
    density = np.concatenate([[0.0], np.exp(-(ends**2) / 2) / np.sqrt(2 * np.pi), [0.0]])
    return np.asarray(ends), np.asarray(-np.diff(density) / shares)


def numbers_of(layout: Layout, X: Any) -> list[Floats | None]:
    """Each column of X as numbers, NaN where missing; None for a column of anything else."""
    values = layout.values(X)
    return [_as_numbers(values[:, j]) for j in range(values.shape[1])]


def _as_numbers(cells: NDArray[Any]) -> Floats | None:
    if cells.dtype.kind == "f":
        return np.asarray(cells, dtype=np.float64)
    try:
        return np.array([np.nan if is_missing(cell) else _number(cell) for cell in cells])
    except (TypeError, ValueError, OverflowError):
        return None


def _number(cell: Any) -> float:
    """A cell as a number: also a date, which comes before and after others."""
    if isinstance(cell, (str, bytes)):
        raise TypeError("text is no number, whatever it spells")
    if hasattr(cell, "total_seconds"):
        return float(cell.total_seconds())
    if hasattr(cell, "toordinal"):
        day = float(cell.toordinal())
        hours = getattr(cell, "hour", 0) * 3600 + getattr(cell, "minute", 0) * 60
        return day + (hours + getattr(cell, "second", 0)) / 86400
    return float(cell)


def marginals_of(
    bits: NDArray[Any],
    columns: Sequence[Floats | None],
    normal: Sequence[np.dtype[Any] | None],
) -> tuple[list[Marginal], Floats]:
    """The marginal of each column of (n, d) bits, and the (n, d) scores of the cells.

    The values of a column without an order are ordered by what goes with them in the others: by
    the first canonical variable between them and all other columns, so that a single number for
    each value tells as much as one number can.

    Parameters
    ----------
    columns : d arrays (n,), or None
        The columns that are numbers.
    normal : d NumPy types, or None
        The types of those that are taken to be normal.
    """
    found: dict[int, Marginal] = {}
    parts: list[Floats] = []
    for j, (cells, numbers, dtype) in enumerate(zip(bits.T, columns, normal, strict=True)):
        if numbers is None:
            parts.append(_standard(_indicators(cells)))
            continue
        if dtype is None or np.isnan(numbers).all():
            found[j] = Ranks.of(cells, numbers, is_number=True)
        else:
            found[j] = Normal.of(numbers, dtype)
        parts.append(_standard(np.nan_to_num(found[j].scores(cells, numbers))[:, None]))
    for j in set(range(len(parts))) - set(found):
        order = _canonical(bits[:, j], [part for i, part in enumerate(parts) if i != j])
        found[j] = Ranks.of(bits[:, j], order, is_number=False)
    marginals = [found[j] for j in range(len(parts))]
    scores = [m.scores(*cells) for m, *cells in zip(marginals, bits.T, columns, strict=True)]
    return marginals, np.nan_to_num(np.stack(scores, axis=1))


def _indicators(cells: NDArray[Any]) -> Floats:
    """(n, k): one column for each of the most frequent values."""
    _, place, counts = np.unique(cells, return_inverse=True, return_counts=True)
    frequent = np.argsort(-counts, kind="stable")[:_MOST_INDICATORS]
    return np.asarray(place[:, None] == frequent, dtype=np.float64)


def _canonical(bits: NDArray[Any], others: Sequence[Floats]) -> Floats:
    """(n,): a number for the value of each cell, by the means of the other columns where it is."""
    patterns, place, counts = np.unique(bits, return_inverse=True, return_counts=True)
    if len(patterns) <= 2 or not others:
        return np.asarray(place, dtype=np.float64)
    beside = np.concatenate(others, axis=1)
    sums = np.zeros((len(patterns), beside.shape[1]))
    np.add.at(sums, place, beside)
    means = sums / (counts + _PRIOR_ROWS)[:, None]
    root = np.sqrt(counts)[:, None]
    left, _, _ = np.linalg.svd(root * means, full_matrices=False)
    direction = left[:, 0] / root[:, 0]
    return np.asarray((direction * np.sign(direction[np.abs(direction).argmax()]))[place])


def _standard(numbers: Floats) -> Floats:
    """Columns of mean 0 and variance 1; constant ones become 0."""
    about = numbers - numbers.mean(axis=0)
    scale = np.sqrt((about**2).mean(axis=0))
    return np.asarray(np.divide(about, scale, out=np.zeros_like(about), where=scale > 1e-12))
