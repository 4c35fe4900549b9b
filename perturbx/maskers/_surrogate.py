"""A regression of a model's answers on any of the columns, with what is known as an input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._boosted_trees import BoostedTrees
from perturbx._typing import Coalitions, Floats
from perturbx.features import Columns
from perturbx.maskers._copula import Copula

_PENALTY = 1e-3
"""The ridge, as a fraction of the rows."""

_TREES, _LEAVES, _RATE = 200, 8, 0.05

_SMALLEST_LEAF = 0.02
"""Leaves hold this fraction of the rows: what is known of a row leaves most of its answer open,
and small leaves would learn that."""


@dataclass(frozen=True, eq=False)
class Surrogate:
    """E[f(X) | x_S] for every S: a ridge, and boosted trees of what it leaves.

    Both see the normal scores of a row, where unknown ones are what the copula expects given the
    known ones, and which are known. So the ridge alone is right for a linear model of normal data,
    and the trees learn how the model and the dependence bend.

    Parameters
    ----------
    copula : Copula
    center : (d,) array
        The mean scores of the columns.
    slopes : (1 + 2d, k) array
    trees : tuple of k regressors, or of none
    mean, low, high : (k,) arrays
        Of the answers: what is expected is never beyond them.
    """

    copula: Copula
    center: Floats
    slopes: Floats
    trees: tuple[BoostedTrees, ...]
    mean: Floats
    low: Floats
    high: Floats

    @classmethod
    def of(
        cls,
        copula: Copula,
        scores: Floats,
        answers: Floats,
        columns: Columns,
        masks: int,
        trees: bool,
        seed: int,
    ) -> Surrogate:
        """Of answers (n, k) to rows of scores (n, d), each under some random coalitions.

        A coalition has every size of some but not all features equally often.
        """
        center, d = scores.mean(axis=0), len(columns.names)
        ends = answers.mean(axis=0), answers.min(axis=0), answers.max(axis=0)
        nothing = np.zeros((1 + 2 * scores.shape[1], answers.shape[1]))
        empty = cls(copula, center, nothing, (), *ends)
        if d == 1:
            return empty
        rng, n = np.random.default_rng(seed), len(scores) * masks
        size = rng.permutation(1 + np.arange(n) % (d - 1))
        known = columns.of(rng.random((n, d)).argsort(axis=1) < size[:, None])
        inputs = empty._inputs(np.repeat(scores, masks, axis=0)[:, None], known)
        wanted = np.repeat(answers, masks, axis=0)
        normal = inputs.T @ inputs / n
        normal[np.diag_indices_from(normal)] += _PENALTY
        slopes = np.linalg.solve(normal, inputs.T @ (wanted - ends[0]) / n)
        left = wanted - ends[0] - inputs @ slopes
        grown = tuple(_boosted(inputs[:, 1:], of, seed) for of in left.T) if trees else ()
        return cls(copula, center, slopes, grown, *ends)

    def expected(self, given: Floats, known: Coalitions) -> Floats:
        """(c, k): what the model answers on average, given c coalitions of known scores."""
        inputs = self._inputs(given[None], known)
        found = self.mean + np.einsum("ci,ik->ck", inputs, self.slopes)
        for output, trees in enumerate(self.trees):
            found[:, output] += trees.predict(inputs[:, 1:])
        found[~known.any(axis=1)] = self.mean
        return np.asarray(np.clip(found, self.low, self.high))

    def _inputs(self, given: Floats, known: Coalitions) -> Floats:
        """(c, 1 + 2d): one, the completed scores, and which of them are known."""
        by = self.copula.shift(self.center[None], given, known)[:, 0]
        completed = np.where(known, given[..., 0, :], self.center + by)
        return np.concatenate([np.ones((len(known), 1)), completed, known], axis=1)


def _boosted(inputs: Floats, wanted: Floats, seed: int) -> BoostedTrees:
    return BoostedTrees.fitted(
        inputs,
        wanted,
        max_iter=_TREES,
        max_leaf_nodes=_LEAVES,
        learning_rate=_RATE,
        min_samples_leaf=max(20, int(_SMALLEST_LEAF * len(inputs))),
        random_state=seed % 2**31,
    )
