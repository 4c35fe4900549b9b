"""Scores learned from noisy ones: the regressions, their errors, and where they do not reach."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perturbx._boosted_trees import BoostedTrees
from perturbx._typing import Floats, Ints
from perturbx.containers import OTHER
from perturbx.game import Cost

_TREES, _RATE, _LEAVES, _LEAF = 40, 0.15, 8, 20
"""Boosted trees: how many, how fast they learn, their leaves, and the rows of a leaf."""

_BINS, _FEWEST = 4, 25
"""Errors are told apart by the size of a score, in at most so many bins of so many rows."""

_LEAST = 0.1
"""The error of a bin is at least this fraction of what it is with the noise of fresh values."""

_QUANTILE, _FACTOR = 0.99, 2.0
"""A row is far if its scores miss the output by more than this factor times this quantile."""

_BEYOND = 1.0
"""A row is far if its numbers are so many standard deviations, in total, beyond those learned."""

_POOR = 0.8
"""A note tells of a lower R2."""


@dataclass(frozen=True, eq=False)
class Student:
    """A regression for each of d features and k outputs, on rows as numbers.

    Parameters
    ----------
    regressors : tuple of d tuples of k
        None where all scores were 0.
    mirrored : bool
        True if the second of two outputs has minus the scores of the first.
    """

    regressors: tuple[tuple[BoostedTrees | None, ...], ...]
    mirrored: bool

    @classmethod
    def of(
        cls, values: Floats, scores: Floats, is_category: NDArray[np.bool_], seed: int
    ) -> Student:
        """Learn scores (n, d, k) of rows of numbers (n, c)."""
        largest = np.abs(scores).max(initial=0.0)
        mirrored = scores.shape[2] == 2 and bool(np.abs(scores.sum(axis=2)).max() <= 1e-9 * largest)
        learned = scores[..., :1] if mirrored else scores
        return cls(
            tuple(
                tuple(_regressor(values, one, is_category, seed) for one in feature.T)
                for feature in learned.transpose(1, 0, 2)
            ),
            mirrored,
        )

    def predict(self, values: Floats) -> Floats:
        """(n, d, k): the scores of rows of numbers (n, c)."""
        each = [
            [np.zeros(len(values)) if one is None else one.predict(values) for one in feature]
            for feature in self.regressors
        ]
        found = np.array(each).transpose(2, 0, 1)
        return np.concatenate([found, -found], axis=2) if self.mirrored else found


def _regressor(
    values: Floats, scores: Floats, is_category: NDArray[np.bool_], seed: int
) -> BoostedTrees | None:
    if not scores.any():
        return None
    return BoostedTrees.fitted(
        values,
        scores,
        is_category,
        max_iter=_TREES,
        learning_rate=_RATE,
        max_leaf_nodes=_LEAVES,
        min_samples_leaf=max(1, min(_LEAF, len(values) // 20)),
        random_state=seed % 2**31,
    )


@dataclass(frozen=True, eq=False)
class Shares:
    """Adds what is missing to the scores of a row, so that they sum to its output.

    Parameters
    ----------
    weights : (d, k) array
        The fraction of it that each feature takes, which sum to 1.
    """

    weights: Floats

    @classmethod
    def of(cls, errors: Floats, active: NDArray[np.bool_]) -> Shares:
        """In proportion to the mean squared errors (d, k), as least squares demands."""
        errors = np.where(active, np.maximum(errors, 0.0), 0.0)
        equal = np.where(active.any(axis=0), active, True).astype(np.float64)
        errors = np.where(errors.sum(axis=0) > 0, errors, equal)
        return cls(errors / errors.sum(axis=0))

    def complete(self, scores: Floats, totals: Floats) -> tuple[Floats, Floats]:
        """Scores (n, d, k) that sum to totals (n, k), and what was missing (n, k)."""
        missing = totals - scores.sum(axis=1)
        return scores + self.weights * missing[:, None], missing


@dataclass(frozen=True, eq=False)
class Judged:
    """How far learned scores are from the true ones, as held-out rows tell.

    Each has two fresh estimates of its scores, a and b, whose noise is independent. So the mean of
    (s - a)(s - b) is the mean squared error of scores s without the noise of a and b.

    Parameters
    ----------
    r2, low, high : (k,) arrays
        The fraction of the variance of each output's true scores that is learned, and the ends
        of its 95% interval.
    edges, errors : (d, k, b) arrays
        The standard errors of scores whose size is up to each of b edges, rather too large.
    n : int
        The held-out rows.
    """

    r2: Floats
    low: Floats
    high: Floats
    edges: Floats
    errors: Floats
    n: int

    @classmethod
    def of(cls, scores: Floats, fresh: tuple[Floats, Floats]) -> Judged:
        """Of scores (n, d, k) and two fresh estimates of them."""
        a, b = fresh
        products = (scores - a) * (scores - b)
        center = (a.mean(axis=0) + b.mean(axis=0)) / 2
        left, all_of_it = products.sum(axis=1), ((a - center) * (b - center)).sum(axis=1)
        r2, low, high = np.array([_r2(*both) for both in zip(left.T, all_of_it.T, strict=True)]).T
        raw = ((scores - (a + b) / 2) ** 2).transpose(1, 2, 0)
        edges, errors = _binned(np.abs(scores).transpose(1, 2, 0), products.transpose(1, 2, 0), raw)
        return cls(r2, low, high, edges, errors, len(scores))

    def standard_errors(self, scores: Floats) -> Floats:
        """(n, d, k): of learned scores of other rows."""
        out, sizes = np.empty_like(scores), np.abs(scores)
        last = self.errors.shape[2] - 1
        for j, t in np.ndindex(self.errors.shape[:2]):
            place = np.searchsorted(self.edges[j, t, :last], sizes[:, j, t])
            out[:, j, t] = self.errors[j, t, place]
        return out


def _r2(left: Floats, all_of_it: Floats) -> tuple[float, float, float]:
    """1 minus a ratio of sums over rows, with a 95% jackknife interval."""
    from scipy.special import stdtrit

    n, total = len(left), all_of_it.sum()
    if not total > 0:
        return np.nan, np.nan, np.nan
    without = (left.sum() - left) / (total - all_of_it)
    value = 1 - left.sum() / total
    half = stdtrit(n - 1, 0.975) * np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())
    return float(value), float(value - half), float(min(value + half, 1.0))


def _binned(sizes: Floats, products: Floats, raw: Floats) -> tuple[Floats, Floats]:
    """Edges of sizes (d, k, n), and the errors between them: (d, k, b) arrays.

    Few rows tell the error of a bin poorly. Its mean square is shrunk towards that of the feature
    as far as bins do not differ by more than chance, and enlarged by one error of its own.
    """
    n = sizes.shape[2]
    n_bins = int(np.clip(n // _FEWEST, 1, _BINS))
    parts = np.array_split(np.argsort(sizes, axis=2, kind="stable"), n_bins, axis=2)
    cells = [
        [np.take_along_axis(x, part, axis=2) for x in (sizes, products, raw)] for part in parts
    ]
    edges = np.stack([size.max(axis=2) for size, _, _ in cells], axis=2)
    noisy = np.stack([both.mean(axis=2) for _, _, both in cells], axis=2)
    squares, variances = np.stack([_mean_of(product) for _, product, _ in cells], axis=3)
    square, variance = (x[..., None] for x in _mean_of(products))
    apart = squares.var(axis=2, keepdims=True) - variances.mean(axis=2, keepdims=True)
    apart = np.maximum(apart, 0.0)
    own = np.divide(apart, apart + variances, out=np.zeros_like(variances), where=apart > 0)
    error = np.sqrt(own * variances + (1 - own) * variance)
    settled = own * squares + (1 - own) * square + error
    return edges, np.sqrt(np.maximum(settled, _LEAST * noisy))


def _mean_of(products: Floats) -> tuple[Floats, Floats]:
    """Means over the last axis, and their variances."""
    n = products.shape[2]
    return products.mean(axis=2), products.var(axis=2, ddof=min(1, n - 1)) / n


@dataclass(frozen=True, eq=False)
class Reach:
    """The rows that learned scores serve.

    Parameters
    ----------
    low, high, scale : (c,) arrays
        The range and the standard deviation of each column of the rows learned from.
    has_missing, is_category : (c,) bool arrays
    most_missing : (k,) array
        How far the scores may be from the output before they are completed.
    """

    low: Floats
    high: Floats
    scale: Floats
    has_missing: NDArray[np.bool_]
    is_category: NDArray[np.bool_]
    most_missing: Floats

    @classmethod
    def of(cls, values: Floats, is_category: NDArray[np.bool_], missing: Floats) -> Reach:
        """Of rows of numbers (n, c), and of what scores of m held-out rows missed (m, k)."""
        known = np.where(np.isnan(values), np.nan, values)
        return cls(
            np.nanmin(known, axis=0),
            np.nanmax(known, axis=0),
            np.nanstd(known, axis=0),
            np.asarray(np.isnan(values).any(axis=0)),
            is_category,
            _FACTOR * np.quantile(np.abs(missing), _QUANTILE, axis=0),
        )

    def far(self, values: Floats, missing: Floats) -> NDArray[np.bool_]:
        """(n,): which rows are unlike those learned from."""
        beyond = np.fmax(self.low - values, 0.0) + np.fmax(values - self.high, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            beyond = np.where(beyond > 0, beyond / self.scale, 0.0)
        is_new = values[:, self.is_category] == OTHER
        beyond[:, self.is_category] = np.where(is_new, np.inf, 0.0)
        unknown = np.isnan(values) & ~self.has_missing
        return np.asarray(
            (beyond.sum(axis=1) > _BEYOND)
            | unknown.any(axis=1)
            | (np.abs(missing) > self.most_missing).any(axis=1)
        )


@dataclass(frozen=True, eq=False)
class Learned:
    """What `AmortizedShap` has learned, and how good it is.

    Parameters
    ----------
    student, shares, judged, reach
        The regressions, how their scores are completed, their errors, and the rows they serve.
    base : (k,) array
        The outputs without any feature.
    columns : (k,) int array
        The outputs of the model that are explained.
    keeps_outputs : bool
    n_taught : int
        The rows that were learned from.
    cost : Cost
    """

    student: Student
    shares: Shares
    judged: Judged
    reach: Reach
    base: Floats
    columns: NDArray[np.intp]
    keeps_outputs: bool
    n_taught: int
    cost: Cost

    @property
    def r2(self) -> Floats:
        """(k,): the fraction of the variance of true scores that is learned, by output."""
        return self.judged.r2

    @property
    def notes(self) -> tuple[str, ...]:
        """That little was learned, if so."""
        if not (self.r2 < _POOR).any():
            return ()
        return (
            f"R2 is only {np.nanmin(self.r2):.2f} for true scores of held-out rows: raise max_rows "
            "(with more rows in fit) or budget",
        )

    def scores(self, values: Floats, full: Floats) -> tuple[Floats, Floats]:
        """Completed scores (n, d, k) of rows of numbers, and what they missed (n, k)."""
        return self.shares.complete(self.student.predict(values), full - self.base)

    def __repr__(self) -> str:
        ends = zip(self.judged.r2, self.judged.low, self.judged.high, strict=True)
        said = ", ".join(f"{r2:.3f} [{low:.3f}, {high:.3f}]" for r2, low, high in ends)
        return (
            f"Learned from {self.n_taught:,} rows: R2 {said} of the true scores of "
            f"{self.judged.n:,} held-out rows\n  cost: {self.cost.n_rows:,} model rows in "
            f"{self.cost.n_calls:,} calls"
        )


def parted(n: int, n_held_out: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """The positions of rows to learn from, and of those held out."""
    order = rng.permutation(n)
    return np.sort(order[n_held_out:]), np.sort(order[:n_held_out])
