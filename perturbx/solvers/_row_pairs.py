"""Pairs of coalitions, each on one background row, and a prior over (coalition, row)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.errors import RejectPerturbations
from perturbx.perturbations import Evaluations
from perturbx.solvers._odd_kernel import OddKernel


@dataclass(frozen=True, eq=False)
class RowPairs:
    """n pairs {S, complement of S} of d features on B background rows, and t targets.

    With x in {-1, +1}^d, ``odd`` is (f_b(S) - f_b(complement)) / 2 on the pair's own row b;
    ``half_gains`` are the same for the full and the empty coalition, known for every row.

    Parameters
    ----------
    signs, weights, odd : (n, d), (n,) and (n, t) arrays
        The pairs.
    row, unit : (n,) arrays
        The row of each, and which pairs were drawn together.
    half_gains : (B, t) array
        Half of f(x) - f(b).
    """

    signs: Floats
    weights: Floats
    odd: Floats
    row: Ints
    unit: Ints
    half_gains: Floats

    @property
    def shape(self) -> tuple[int, int]:
        """How many pairs, and features: n and d."""
        return self.signs.shape[0], self.signs.shape[1]

    @classmethod
    def read(cls, evaluations: Evaluations) -> RowPairs:
        """Of pairs that lie next to each other, or of chains read both ways; or a refusal."""
        design, empty_rows = evaluations.perturbations, evaluations.empty_rows
        m, d = design.z.shape
        for first, second in (_neighbours(m), _across_chains(m, d)):
            if (
                design.background_row is None
                or empty_rows is None
                or not len(first)
                or not design.is_coalitions
                or not np.array_equal(design.z[first], ~design.coalitions[second])
                or not np.array_equal(design.background_row[first], design.background_row[second])
            ):
                continue
            outputs = evaluations.outputs.reshape(m, -1)
            gains = evaluations.full.ravel() - empty_rows.reshape(len(empty_rows), -1)
            size = design.z[first].sum(axis=1)
            is_chain = (design.weights == 1).all()
            weights = 1 / (size * (d - size)) if is_chain else design.weights[first]
            return cls(
                np.where(design.z[first], 1.0, -1.0),
                np.asarray(weights / weights.mean()),
                (outputs[first] - outputs[second]) / 2,
                design.background_row[first],
                design.unit[first],
                gains / 2,
            )
        raise RejectPerturbations(
            "PooledProcess reads pairs of a coalition and its complement on one named background "
            f"row: got {m} perturbations that are not such pairs. Draw them with the sampler "
            "RowCoalitions(n_rows) or RowPermutations(n_rows)."
        )

    def target(self, place: int, scale: float, moves: NDArray[np.bool_]) -> RowPairs:
        """One target, in units of its scale, and the features that it depends on."""
        return RowPairs(
            self.signs[:, moves],
            self.weights,
            self.odd[:, place] / scale,
            self.row,
            self.unit,
            self.half_gains[:, place] / scale,
        )

    def some(self, most: int) -> RowPairs:
        """At most so many, chosen blindly but always alike: designs come sorted by size."""
        n = len(self.signs)
        if n <= most:
            return self
        return self.subset(np.sort(np.random.default_rng(0).permutation(n)[:most]))

    def subset(self, chosen: Ints) -> RowPairs:
        return RowPairs(
            self.signs[chosen],
            self.weights[chosen],
            self.odd[chosen],
            self.row[chosen],
            self.unit[chosen],
            self.half_gains,
        )

    def with_ends(self, exactness: float) -> tuple[Floats, Ints, Floats, Floats]:
        """Signs, rows, odd values and noise variances; each row's total last, almost exact."""
        n_rows = len(self.half_gains)
        signs = np.vstack([self.signs, np.ones((n_rows, self.signs.shape[1]))])
        row = np.append(self.row, np.arange(n_rows))
        noise = 1 / np.append(self.weights, np.full(n_rows, exactness * self.weights.max()))
        return signs, row, np.append(self.odd, self.half_gains), noise


def _neighbours(m: int) -> tuple[Ints, Ints]:
    even = np.arange(0, m - m % 2, 2) if m % 2 == 0 else np.zeros(0, dtype=np.intp)
    return even, even + 1


def _across_chains(m: int, d: int) -> tuple[Ints, Ints]:
    """Coalition j of a chain is the complement of coalition d - 2 - j of its reverse."""
    unit = 2 * (d - 1)
    if not unit or m % unit:
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    start = np.arange(0, m, unit)[:, None]
    step = np.arange(d - 1)
    return (start + step).ravel(), (start + unit - 1 - step).ravel()


@dataclass(frozen=True, eq=False)
class RowPrior:
    """How g_b(x) varies: a linear part of each row's own, and odd interactions.

    (x * scales)'y / d * S(b, c) + share * K(x, y) * (1 + S(b, c)) / 2, with S the similarity of
    rows and K the `OddKernel`, of variance 1: half of the interactions are common to all rows.
    """

    scales: Floats
    similarity: Floats
    kernel: OddKernel
    share: float

    def matrix(self, x: Floats, row: Ints) -> Floats:
        """(n, n): the covariance between pairs."""
        alike = self.similarity[np.ix_(row, row)]
        linear = (x * self.scales) @ x.T / x.shape[1]
        return np.asarray(
            linear * alike + self._of_kernel * (0.5 + 0.5 * alike) * self.kernel.matrix(x)
        )

    def shapley(self, x: Floats, row: Ints) -> Floats:
        """(n, d): the covariance of each pair with the mean Shapley values over all rows."""
        alike = self.similarity.mean(axis=0)[row][:, None]
        common = 0.5 * self._of_kernel * self.kernel.shapley(x)
        return np.asarray(common + alike * self.own_shapley(x))

    def own_shapley(self, x: Floats) -> Floats:
        """(n, d): that with Shapley values on the pair's own row, the common part left out."""
        linear = 2 * self.scales / x.shape[1] * x
        return np.asarray(linear + 0.5 * self._of_kernel * self.kernel.shapley(x))

    def shapley_variance(self) -> Floats:
        """(d,): the prior variance of each mean Shapley value."""
        alike = float(self.similarity.mean())
        linear = 4 * self.scales / len(self.scales) * alike
        of_kernel = self._of_kernel * (0.5 + 0.5 * alike)
        return np.asarray(linear + of_kernel * self.kernel.shapley_variance())

    @cached_property
    def _of_kernel(self) -> float:
        ones = np.ones((1, len(self.scales)))
        variance = float(self.kernel.matrix(ones)[0, 0])
        return self.share / variance if variance > 0 else 0.0


def similarity(half_gains: Floats, own: float) -> Floats:
    """(B, B): rows are alike as far as their outputs are, but for a share of their `own`."""
    gap = half_gains - half_gains.mean()
    gap = gap / max(float(gap.std()), 1e-300)
    near = np.exp(-((gap[:, None] - gap) ** 2) / 2)
    along = np.outer(gap, gap)
    along = along / max(float(np.abs(along).max()), 1e-300)
    return np.asarray((1 - own) * 0.5 * (near + along) + own * np.eye(len(gap)))
