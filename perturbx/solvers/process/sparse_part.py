"""The part of a game that few features carry, found where features are many.

With x in {-1, 1}^d the odd part of a game is fitted by odd parity terms of trees that are grown on
the most promising features alone, by an index (the linear fit to all features) and by how the
index bends: times the squared mean of x, and its third elementary symmetric polynomial. Each has
its exact Shapley values. All is learned without a fold of the pairs, and judged on that fold.
Nothing here takes memory for a matrix of features times features, or of pairs times pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve

from perturbx._typing import Coalitions, Floats, Ints
from perturbx.solvers._strata import blocks
from perturbx.solvers.process.mask_trees import Boosting, Leaves, boost
from perturbx.solvers.process.parity import ParityTerms, odd_terms

_RIDGES = np.array([0.003, 0.03, 0.3])
"""Penalties of the linear fit, in units of the pairs it is fitted to."""
_INNER_FOLDS = 4
"""The index of a pair is fitted without it: these many fits for each fold."""
_STEPS = 25
"""Of conjugate gradients, and how small a squared gradient ends them."""
_SMALL_GRADIENT = 1e-8

_SIGNALS = np.array([0.3, 3.0, 30.0, 300.0, 3e3, 1e5])
"""Prior variances of all terms together, over the variance of a pair's noise."""
_POWERS = (0.5, 1.0)
_JITTER = 1e-10
_NEARLY_FREE = 30.0
"""Prior deviation of a bend over that of all terms together."""
_MOST_TERMS = 1200
_MOST_GROWN = 8000
"""How many pairs trees are grown on, at most."""


@dataclass(frozen=True, eq=False)
class SparsePart:
    """What each fold's fit says of the others, for one target whose gain is taken off.

    Parameters
    ----------
    predicted : (n,) array
        Of each pair, by the fit that did not see it.
    values : (folds, d) array
        The Shapley values of each fit. They sum to zero.
    carries : (d,) bool array
        The features that are in a term of any fit.
    score : float
        The fraction of the weighted squares that is missed.
    """

    predicted: Floats
    values: Floats
    carries: NDArray[np.bool_]
    score: float

    @classmethod
    def of(
        cls,
        first: Coalitions,
        weights: Floats,
        odd: Floats,
        even: Floats,
        n_folds: int,
        n_screened: int,
        boosting: Boosting,
    ) -> SparsePart:
        """Of pairs (n, d) and the odd part, less its gain's equal shares, and the even part (n,).

        `n_screened` features are shown to the trees of each fold, at most half as many again.
        """
        n, d = first.shape
        rng = np.random.default_rng(0)
        fold, inner = rng.permutation(n) % n_folds, rng.permutation(n) % _INNER_FOLDS
        design = _Centered(first, weights / weights.mean())
        indices = _indices(design, odd, fold, inner, n_folds)
        received = design.transposed(odd[:, None] * (fold[:, None] != np.arange(n_folds)))
        chosen = np.zeros(d, dtype=bool)
        for k, index in enumerate(indices):
            chosen[np.argsort(-np.abs(received[:, k]), kind="stable")[:n_screened]] = True
            chosen[np.argsort(-np.abs(index.slopes), kind="stable")[: n_screened // 2]] = True
        screened = np.flatnonzero(chosen)
        forests = _grow(first[:, screened], design.mean, odd, even, fold, n_folds, boosting)
        most = min(_MOST_TERMS, n // 2)
        terms = [odd_terms(leaves, len(screened), most, least=1) for leaves in forests]
        fits = [
            _Fit.of(first[:, screened], design, odd, fold != k, index, found)
            for k, (index, found) in enumerate(zip(indices, terms, strict=True))
        ]
        missed = np.sum([fit.missed for fit in fits], axis=0)
        power, signal = np.unravel_index(int(missed.argmin()), missed.shape)
        best = int(power), int(signal)
        predicted, values, carries = np.empty(n), np.zeros((n_folds, d)), np.zeros(d, dtype=bool)
        for k, (fit, index) in enumerate(zip(fits, indices, strict=True)):
            predicted[fold == k] = fit.predicted[best]
            of_terms, of_bends = fit.terms_and_bends(best)
            values[k] = index.bends @ of_bends
            values[k, screened] += terms[k].shapley(of_terms)
            values[k] -= values[k].mean()
            carries[screened[terms[k].members.any(axis=0)]] = True
        total = float(design.weights @ odd**2)
        return cls(predicted, values, carries, float(missed[best]) / max(total, 1e-300))


@dataclass(frozen=True, eq=False)
class _Centered:
    """Pairs as rows of signs less their mean, in blocks of 32-bit numbers."""

    first: Coalitions
    weights: Floats

    @property
    def mean(self) -> Floats:
        """(n,): of the signs of each row."""
        return np.asarray(2 * self.first.mean(axis=1) - 1)

    def times(self, slopes: Floats) -> Floats:
        """(n, c): signs times slopes (d, c), of rows that are not centered."""
        found = np.empty((len(self.first), slopes.shape[1]), np.float32)
        half = 2 * slopes.astype(np.float32)
        for part in blocks(np.arange(len(found)), len(slopes)):
            found[part] = self.first[part].astype(np.float32) @ half
        return np.asarray(found - slopes.sum(axis=0), dtype=float)

    def transposed(self, residual: Floats) -> Floats:
        """(d, c): the weighted sum of the centered rows times residuals (n, c)."""
        found = np.zeros((self.first.shape[1], residual.shape[1]), np.float32)
        weighted = (2 * self.weights[:, None] * residual).astype(np.float32)
        for part in blocks(np.arange(len(residual)), len(found)):
            found += self.first[part].T.astype(np.float32) @ weighted[part]
        return np.asarray(found - found.mean(axis=0), dtype=float)

    def ridge(self, y: Floats, rows: NDArray[np.bool_], ridges: Floats) -> Floats:
        """(d, c, r): slopes that sum to zero, of y (n,) on the rows (n, c), by each penalty.

        By conjugate gradients for all columns at once (Hestenes & Stiefel, 1952).
        """
        (n, c), d = rows.shape, self.first.shape[1]
        masks = np.repeat(rows * self.weights[:, None], len(ridges), axis=1).astype(np.float32)
        penalty = np.tile(ridges, c).astype(np.float32) * masks.sum(axis=0)
        ones = _Centered(self.first, np.ones(n))
        gradient = ones.transposed(masks * y[:, None]).astype(np.float32)
        slopes, step = np.zeros_like(gradient), gradient.copy()
        square = (gradient**2).sum(axis=0)
        enough = _SMALL_GRADIENT * square
        for _ in range(_STEPS):
            is_done = square <= enough
            if is_done.all():
                break
            step[:, is_done] = 0.0
            along = penalty * step
            for part in blocks(np.arange(n), d):
                z = self.first[part].astype(np.float32)
                along += 4 * (z.T @ (masks[part] * (z @ step)))
            along -= along.mean(axis=0) - (penalty * step).mean(axis=0)
            length = square / np.maximum((step * along).sum(axis=0), np.float32(1e-30))
            slopes += length * step
            gradient -= length * along
            before, square = square, (gradient**2).sum(axis=0)
            step = gradient + square / np.maximum(before, np.float32(1e-30)) * step
        return slopes.reshape(d, c, len(ridges)).astype(float)


@dataclass(frozen=True, eq=False)
class _Index:
    """The linear fit without one fold, and how it bends.

    Parameters
    ----------
    slopes : (d,) array
    columns : (n, 4) array
        At every pair: the cube of the mean sign, the index, the index times the squared mean sign,
        and the sum over products of three members of the index; each less its part of the gain.
    bends : (d, 4) array
        The Shapley values of each column.
    """

    slopes: Floats
    columns: Floats
    bends: Floats


def _indices(design: _Centered, y: Floats, fold: Ints, inner: Ints, n_folds: int) -> list[_Index]:
    """The index of each fold; at the pairs that it is fitted to by inner folds."""
    scale = float(np.sqrt(np.average(y**2, weights=design.weights)))
    pairs_of = [(fold != k) & (inner != j) for k in range(n_folds) for j in range(_INNER_FOLDS)]
    slopes = scale * design.ridge(y / max(scale, 1e-300), np.stack(pairs_of, axis=1), _RIDGES)
    d, c, r = slopes.shape
    at_pairs = design.times(slopes.reshape(d, c * r)).reshape(len(y), n_folds, _INNER_FOLDS, r)
    slopes = slopes.reshape(d, n_folds, _INNER_FOLDS, r)
    found, every = [], np.arange(len(y))
    for k in range(n_folds):
        seen = fold != k
        index = np.where(seen[:, None], at_pairs[every, k, inner], at_pairs[:, k].mean(axis=1))
        missed = design.weights[seen] @ (y[seen, None] - index[seen]) ** 2
        best = int(missed.argmin())
        found.append(_bent(design, index[:, best], slopes[:, k, :, best], seen, inner))
    return found


def _bent(
    design: _Centered, index: Floats, slopes: Floats, seen: NDArray[np.bool_], inner: Ints
) -> _Index:
    """Of the slopes (d, inner folds), those of the mean of them at the pairs that are not seen."""
    mean, d = slopes.mean(axis=1), len(slopes)
    each = np.column_stack([slopes, mean])
    which = np.where(seen, inner, slopes.shape[1])
    cubes = design.times(each**3)[np.arange(len(index)), which]
    sums, squares, full_cubes = (each.sum(axis=0), (each**2).sum(axis=0), (each**3).sum(axis=0))
    s1, s2, s3 = sums[which], squares[which], full_cubes[which]
    size = design.mean
    columns = np.column_stack(
        [
            size**3 - size,
            index - size * s1,
            size**2 * index - size * s1,
            _third(index, s2, cubes) - size * _third(s1, s2, s3),
        ]
    )
    # The last two follow from the products of three features among which a member of the index is.
    others = mean.sum() - mean
    with_size = 2 * (mean / d + 2 / d**2 * others)
    with_size += 4 / (3 * d**2) * ((d - 1) * (d - 2) / 2 * mean + (d - 2) * others)
    of_three = 2 / 3 * mean * (others**2 - ((mean**2).sum() - mean**2)) / 2
    bends = np.stack([np.zeros(d), 2 * mean, with_size, of_three], axis=1)
    return _Index(mean, columns, bends - bends.mean(axis=0))


def _third(first: Floats, squares: Floats, cubes: Floats) -> Floats:
    """The third elementary symmetric polynomial by Newton's identities."""
    return np.asarray((first**3 - 3 * first * squares + 2 * cubes) / 6)


def _grow(
    first: Coalitions,
    size: Floats,
    odd: Floats,
    even: Floats,
    fold: Ints,
    n_folds: int,
    boosting: Boosting,
) -> list[Leaves]:
    """Trees for each fold, on all coalitions but those of its pairs.

    Of the even part, what follows from the size of a coalition alone is taken off.
    """
    some = np.arange(min(len(first), _MOST_GROWN))
    if len(some) < len(first):
        some = np.random.default_rng(1).permutation(len(first))[: len(some)]
    by_size = np.stack([np.ones(len(some)), size[some] ** 2, size[some] ** 4], axis=1)
    rest = even[some] - by_size @ np.linalg.lstsq(by_size, even[some], rcond=None)[0]
    z = np.concatenate([first[some], ~first[some]])
    target = np.concatenate([rest + odd[some], rest - odd[some]])
    rows = np.tile(fold[some], 2)[:, None] != np.arange(n_folds)
    return boost(z, np.repeat(target[:, None], n_folds, axis=1), rows, boosting)


@dataclass(frozen=True, eq=False)
class _Fit:
    """Terms and bends fitted without one fold by every power and signal, and judged on it."""

    missed: Floats
    """(powers, signals)"""
    predicted: Floats
    """(powers, signals, pairs of the fold)"""
    coefficients: Floats
    """(powers, signals, columns)"""
    n_bends: int

    @classmethod
    def of(
        cls,
        first: Coalitions,
        design: _Centered,
        odd: Floats,
        seen: NDArray[np.bool_],
        index: _Index,
        terms: ParityTerms,
    ) -> _Fit:
        bends, n_bends = index.columns, index.columns.shape[1]
        spread = np.sqrt((bends[seen] ** 2).mean(axis=0))
        of_bends = np.where(spread > 0, _NEARLY_FREE / np.maximum(spread, 1e-300), 0.0)
        scales = []
        for power in _POWERS:
            deviation = np.abs(terms.coefficients) ** power
            norm = max(float(np.linalg.norm(deviation)), 1e-300)
            scales.append(np.concatenate([of_bends, deviation / norm]))
        size = n_bends + len(terms)
        gram, received = np.zeros((size, size)), np.zeros(size)

        def columns(part: Ints) -> Floats:
            signs = np.where(first[part], 1.0, -1.0)
            return np.hstack([bends[part], terms.evaluate(signs) - design.mean[part, None]])

        for part in blocks(np.flatnonzero(seen), size):
            block, weight = columns(part), design.weights[part]
            gram += (block * weight[:, None]).T @ block
            received += block.T @ (weight * odd[part])
        fitted = []
        for scale in scales:
            scaled = gram * scale * scale[:, None]
            diagonal = scaled.diagonal().copy()
            for signal in _SIGNALS:
                scaled.flat[:: size + 1] = diagonal * (1 + _JITTER) + 1 / signal
                fitted.append(scale * solve(scaled, scale * received, assume_a="pos"))
        coefficients = np.reshape(fitted, (len(_POWERS), len(_SIGNALS), size))
        held = np.flatnonzero(~seen)
        predicted = np.empty((*coefficients.shape[:2], len(held)))
        for part in blocks(np.arange(len(held)), size):
            predicted[:, :, part] = coefficients @ columns(held[part]).T
        missed = (odd[held] - predicted) ** 2 @ design.weights[held]
        return cls(missed, predicted, coefficients, n_bends)

    def terms_and_bends(self, best: tuple[int, ...]) -> tuple[Floats, Floats]:
        """The coefficients of the terms and of the bends, by one power and signal."""
        chosen = self.coefficients[best]
        return chosen[self.n_bends :], chosen[: self.n_bends]
