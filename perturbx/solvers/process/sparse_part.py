"""The part of a game that few features carry, found where features are many.

With x in {-1, 1}^d the odd part of a game is fitted by a slope for each feature and by odd parity
terms of trees that are grown on the most promising features alone, which have exact Shapley
values. All is learned without a fold of the pairs, and judged on that fold: how strongly slopes
are held back, and how large the terms may be. Nothing here takes memory for a matrix of features
times features, or of pairs times pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints
from perturbx.designs import PackedCoalitions
from perturbx.solvers._strata import blocks
from perturbx.solvers.process.mask_trees import Boosting, Leaves, boost
from perturbx.solvers.process.parity import ParityTerms, parity_terms

_FIRST_RIDGES = np.array([0.003, 0.03, 0.3])
"""Penalties of the first slopes, in units of the pairs they are fitted to."""
_RIDGES = np.array([0.003, 0.1, 3.0])
"""Penalties of the slopes next to terms. Large: single features of few terms replace them."""
_SIGNALS = np.array([3.0, 30.0, 300.0, 3e3, 3e4])
"""Prior variances of all terms together, over the variance of a pair's noise."""
_FIRST_STEPS, _STEPS = 25, 35
"""Of conjugate gradients, and by how much a squared gradient has shrunk when they end."""
_SMALL = np.float32(1e-8)
_LEAST_ODD = 1e-4
"""An odd part that is smaller, over the even one, is none."""
_TINY = np.float32(1e-30)
_MOST_TERMS = 1000
_MOST_SIGNS = 2**26
"""Pairs times terms times folds."""
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
    """

    predicted: Floats
    values: Floats
    carries: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        first: Coalitions | PackedCoalitions,
        weights: Floats,
        odd: Floats,
        even: Floats,
        n_folds: int,
        n_screened: int,
        boosting: Boosting,
    ) -> SparsePart:
        """Of pairs (n, d), the odd part less the gain's equal shares, and the even part (n,).

        For each fold `n_screened` features may be split by trees for what they alone tell, and
        half as many for their slopes.
        """
        n, d = first.shape
        weights = weights / weights.mean()
        size = 2 * first.mean(axis=1) - 1
        # What follows from the size of a coalition alone has no Shapley values.
        bend = size**3 - size
        of_size = bend * (weights @ (bend * odd) / max(weights @ bend**2, 1e-300))
        rest = odd - of_size
        scale = max(float(np.sqrt(weights @ rest**2 / n)), _LEAST_ODD * float(even.std()))
        scale = scale if scale > 0 else 1.0
        even = even - even.mean()
        fold = np.random.default_rng(0).permutation(n) % n_folds
        seen = (fold[:, None] != np.arange(n_folds)) * weights[:, None]
        system = _System(first, seen.astype(np.float32), np.zeros((n_folds, n, 0), np.int8))
        penalties = _FIRST_RIDGES[:, None] * seen.sum(axis=0)
        priors = np.broadcast_to(1 / np.sqrt(penalties), (d, *penalties.shape))
        slopes = system.solve(rest / scale, priors, _FIRST_STEPS)
        left = (rest / scale)[:, None] - system.predict(slopes, fold)
        best = int((weights @ left**2).argmin())
        alone = np.abs(system.transposed(rest / scale, 1)[:, 0])
        chosen = np.zeros(d, dtype=bool)
        for strength, n_chosen in ((alone, n_screened), (slopes[:, best], n_screened // 2)):
            order = np.argsort(-np.abs(strength), axis=0, kind="stable")
            chosen[order[:n_chosen]] = True
        screened = np.flatnonzero(chosen)
        few = np.concatenate([first[part][:, screened] for part in blocks(np.arange(n), d)])
        terms = _grow(
            few, size, np.stack([rest / scale, left[:, best]]), even / scale, fold, boosting
        )
        parities = np.empty((n_folds, n, len(terms[0])), dtype=np.int8)
        for part in blocks(np.arange(n), max(len(terms[0]), len(screened))):
            signs = np.where(few[part], 1.0, -1.0)
            for k, found in enumerate(terms):
                parities[k, part] = found.evaluate(signs)
        system = _System(first, seen.astype(np.float32), parities)
        priors = _priors(terms, seen.sum(axis=0), d)
        fitted = system.solve(rest / scale, priors, _STEPS)
        at_pairs = system.predict(fitted, fold)
        best = int((weights @ ((rest / scale)[:, None] - at_pairs) ** 2).argmin())
        values, carries = 2 * scale * fitted[:d, best].T, np.zeros(d, dtype=bool)
        for k, found in enumerate(terms):
            values[k, screened] += found.shapley(scale * fitted[d:, best, k])
            carries[screened[found.members.any(axis=0)]] = True
        values -= values.mean(axis=1, keepdims=True)
        return cls(of_size + scale * at_pairs[:, best], values, carries)


@dataclass(frozen=True, eq=False)
class _System:
    """Ridge fits of slopes and terms, one for each prior and each fold left out, all at once.

    Columns are less their mean sign, as the gain is known. Numbers have 32 bits: what this fit
    misses, the regression reads.

    Parameters
    ----------
    first : (n, d) bool array
    seen : (n, folds) array
        The weight of each pair in each fit.
    parities : (folds, n, q) int8 array
        The terms of each fit.
    """

    first: Coalitions | PackedCoalitions
    seen: NDArray[np.float32]
    parities: NDArray[np.int8]

    def solve(self, y: Floats, priors: Floats, steps: int) -> Floats:
        """(d + q, c, folds): coefficients of y (n,), given their prior deviations.

        By conjugate gradients (Hestenes & Stiefel, 1952) on coefficients over deviations.
        """
        scale = priors.astype(np.float32)
        gradient = scale * self.transposed(y, scale.shape[1])
        found, step = np.zeros_like(gradient), gradient.copy()
        square = (gradient**2).sum(axis=0)
        enough = _SMALL * square
        for _ in range(steps):
            is_done = square <= enough
            if is_done.all():
                break
            step[:, is_done] = 0
            along = step + scale * self._normal(scale * step)
            length = square / np.maximum((step * along).sum(axis=0), _TINY)
            length[is_done] = 0
            found += length * step
            gradient -= length * along
            before, square = square, (gradient**2).sum(axis=0)
            step = gradient + square / np.maximum(before, _TINY) * step
        return np.asarray(scale * found, dtype=float)

    def predict(self, coefficients: Floats, fold: Ints) -> Floats:
        """(n, c): of each pair, by the fit that did not see it."""
        found = np.empty((len(self.first), coefficients.shape[1]))
        for part, columns in self._blocks():
            at_pairs = columns.times(coefficients.astype(np.float32))
            found[part] = at_pairs[np.arange(len(part)), :, fold[part]]
        return found

    def transposed(self, y: Floats, times: int) -> NDArray[np.float32]:
        """(d + q, times, folds): all columns times what each fit sees of y (n,)."""
        d, q = self.first.shape[1], self.parities.shape[2]
        total = np.zeros((d + q, times, self.seen.shape[1]), np.float32)
        for part, columns in self._blocks():
            weighted = self.seen[part, None] * y[part].astype(np.float32)[:, None, None]
            columns.add_transposed(np.repeat(weighted, times, axis=1), total)
        total[:d] -= total[:d].mean(axis=0)
        return total

    def _normal(self, step: NDArray[np.float32]) -> NDArray[np.float32]:
        d, total = self.first.shape[1], np.zeros_like(step)
        for part, columns in self._blocks():
            columns.add_transposed(self.seen[part, None] * columns.times(step), total)
        total[:d] -= total[:d].mean(axis=0)
        return total

    def _blocks(self) -> Iterator[tuple[Ints, _Columns]]:
        for part in blocks(np.arange(len(self.first)), self.first.shape[1]):
            present = self.first[part].astype(np.float32)
            terms = self.parities[:, part].astype(np.float32)
            yield part, _Columns(present, 2 * present.mean(axis=1) - 1, terms)


@dataclass(frozen=True, eq=False)
class _Columns:
    """Of some pairs: features present (b, d), mean signs (b,), terms (folds, b, q)."""

    present: NDArray[np.float32]
    size: NDArray[np.float32]
    terms: NDArray[np.float32]

    def times(self, coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
        """(b, c, folds): what coefficients (d + q, c, folds) give."""
        (b, d), shape = self.present.shape, coefficients.shape[1:]
        slopes = coefficients[:d].reshape(d, -1)
        found = 2 * (self.present @ slopes) - np.outer(1 + self.size, slopes.sum(axis=0))
        found = found.reshape(b, *shape)
        for k, terms in enumerate(self.terms):
            mine = np.ascontiguousarray(coefficients[d:, :, k])
            found[:, :, k] += terms @ mine - np.outer(self.size, mine.sum(axis=0))
        return np.asarray(found)

    def add_transposed(self, residual: NDArray[np.float32], total: NDArray[np.float32]) -> None:
        """Add to (d + q, c, folds) what residuals (b, c, folds) give; slopes up to a constant."""
        b, d = self.present.shape
        total[:d] += 2 * (self.present.T @ residual.reshape(b, -1)).reshape(total[:d].shape)
        for k, terms in enumerate(self.terms):
            mine = np.ascontiguousarray(residual[:, :, k])
            total[d:, :, k] += terms.T @ mine - self.size @ mine


def _priors(terms: list[ParityTerms], n_seen: Floats, d: int) -> Floats:
    """(d + q, c, folds): the prior deviation of each coefficient, for c combinations."""
    ridges, signals = (grid.ravel() for grid in np.meshgrid(_RIDGES, _SIGNALS))
    priors = np.empty((d + len(terms[0]), len(ridges), len(terms)))
    priors[:d] = 1 / np.sqrt(ridges[:, None] * n_seen)
    for k, found in enumerate(terms):
        deviation = np.abs(found.coefficients)
        deviation = deviation / max(float(np.linalg.norm(deviation)), 1e-300)
        priors[d:, :, k] = deviation[:, None] * np.sqrt(signals)
    return priors


def _grow(
    first: Coalitions,
    size: Floats,
    odds: Floats,
    even: Floats,
    fold: Ints,
    boosting: Boosting,
) -> list[ParityTerms]:
    """For each fold as many terms, of trees on all coalitions but those of its pairs.

    One half of the trees sees the odd part whole, the other what slopes leave of it: `odds` (2, n).
    Of the even part, what follows from the size of a coalition alone is taken off.
    """
    n, n_folds = len(first), int(fold.max()) + 1
    some = (
        np.random.default_rng(1).permutation(n)[:_MOST_GROWN] if n > _MOST_GROWN else np.arange(n)
    )
    by_size = np.stack([np.ones(len(some)), size[some] ** 2, size[some] ** 4], axis=1)
    rest = even[some] - by_size @ np.linalg.lstsq(by_size, even[some], rcond=None)[0]
    target = np.concatenate([rest + odds[:, some], rest - odds[:, some]], axis=1).T
    rows = np.tile(fold[some], 2)[:, None] != np.arange(n_folds)
    z = np.concatenate([first[some], ~first[some]])
    forests = boost(z, np.repeat(target, n_folds, axis=1), np.tile(rows, 2), boosting)
    most = min(_MOST_TERMS, n // 2, _MOST_SIGNS // (n * n_folds))
    d = first.shape[1]
    terms = [
        parity_terms(_both(whole, left), d, most, least=1)
        for whole, left in zip(forests[:n_folds], forests[n_folds:], strict=True)
    ]
    fewest = min(map(len, terms))
    return [ParityTerms(t.members[:fewest], t.coefficients[:fewest]) for t in terms]


def _both(some: Leaves, others: Leaves) -> Leaves:
    pairs = zip(vars(some).values(), vars(others).values(), strict=True)
    return Leaves(*(np.concatenate(pair) for pair in pairs))
