"""Shapley values by one Gaussian process over coalitions and background rows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from perturbx._typing import Floats
from perturbx.errors import RejectPerturbations
from perturbx.perturbations import Evaluations
from perturbx.solvers._base import Solution, Solver, floor
from perturbx.solvers._gaussian_process import _errors, _inverse
from perturbx.solvers._leave_one_out import SIGNALS, Decomposition
from perturbx.solvers._odd_kernel import OddKernel, bounded
from perturbx.solvers._row_pairs import RowPairs, RowPrior, similarity
from perturbx.solvers.row_contributions import Chains, RowContributions

_ALMOST_ALL = 0.8
"""With chains along this share of the rows and more, what each chain adds up to says enough."""

_FEWEST_CHAINS = 3


@dataclass(frozen=True)
class PooledProcess(Solver):
    """What every pair says about every background row: a Gaussian process over both.

    With x in {-1, 1}^d and g_b(x) = (f_b(S) - f_b(complement of S)) / 2, a pair on row b says
    g_b(x) = x'(beta + u_b) + h_b(x): slopes common to all rows, what row b adds to them, and odd
    interactions of three features or more (a product kernel), half of them common to all rows.
    That each row adds up to f(x) - f(b) is known, and put in as exact for all rows, asked or not.
    The scores are the exact Shapley values of the posterior mean (Rasmussen & Williams, Gaussian
    Processes for Machine Learning, 2006, section 2.7), averaged over rows. How strong the parts
    are, and how alike rows with like outputs, is chosen by leave-one-out. The features of the
    rows are not known here, so that is all that tells which rows are alike.

    It reads `RowCoalitions`, and chains of `RowPermutations`. Of chains, it is for those that
    reach few of the rows: from four fifths of them on, `RowContributions` answers, since then
    nothing is left to pool. In chains, a feature that never changed the output scores 0.

    Parameters
    ----------
    most_pairs : int
        The cost is cubic: with more pairs, so many of `RowCoalitions` are used, and
        chains are left to `RowContributions`.
    most_judged : int
        How many pairs are used to judge a candidate.

    Raises
    ------
    RejectPerturbations
        If the perturbations are not such pairs, or name no background rows.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.perturbations import Evaluations
    >>> from perturbx.samplers.rows import RowCoalitions
    >>> from perturbx.solvers.pooled_process import PooledProcess
    >>> background = np.array([[0.0] * 6, [2.0] * 6, [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]])
    >>> design = RowCoalitions(n_rows=3).draw(6, 60, np.random.default_rng(0))
    >>> rows = np.where(design.z, 1.0, background[design.background_row])
    >>> answers = Evaluations(
    ...     design,
    ...     outputs=rows[:, :3].sum(axis=1).reshape(60, 1, 1),
    ...     full=np.array([[3.0]]),
    ...     empty=np.array([[3.0]]),
    ...     empty_rows=np.array([0.0, 6.0, 3.0]).reshape(3, 1, 1),
    ... )
    >>> bool(abs(PooledProcess().solve(answers).values).max() < 0.05)
    True
    """

    most_pairs: int = 1200
    most_judged: int = 250

    additive = True

    def solve(self, evaluations: Evaluations) -> Solution:
        if evaluations.perturbations.n_features == 1:
            return RowContributions().solve(evaluations)
        chains = _chains(evaluations)
        every = RowPairs.read(evaluations)
        plain = None if chains is None else RowContributions().solve(evaluations)
        if chains is not None and plain is not None and not self._serves(chains):
            return plain
        pairs = every.some(self.most_pairs)
        n, d = pairs.shape
        found = _without_process(plain, pairs)
        for place in range(pairs.odd.shape[1]):
            moves = np.ones(d, dtype=bool) if chains is None else chains.moves[:, place]
            scale = float(np.sqrt((pairs.weights * pairs.odd[:, place] ** 2).mean()))
            if scale > 0 and (chains is None or moves.sum() >= 3):
                one = pairs.target(place, scale, moves)
                found[:, place, moves] = scale * _fit(one, *self._choose(one))
        parts = found.reshape(3, *evaluations.full.shape, d).swapaxes(2, 3)
        n_units = len(np.unique(pairs.unit))
        taken = f"{n:,} pairs" if n == len(every.signs) else f"{n:,} of {len(every.signs):,} pairs"
        return Solution(
            values=parts[0],
            standard_errors=np.maximum(parts[1], floor(evaluations)),
            base=evaluations.empty,
            degrees_of_freedom=float(max(n - d, 2) if chains is None else n_units + 1),
            estimator=f"Gaussian process on {taken} of coalitions, one background row each",
            background_errors=parts[2],
        )

    def _serves(self, chains: Chains) -> bool:
        """True if chains are neither too few, nor so many that each speaks for its row."""
        n_chains, d, n_rows = len(chains.row), chains.forwards.shape[1], len(chains.totals)
        few = _FEWEST_CHAINS <= n_chains < _ALMOST_ALL * n_rows
        return few and n_chains * (d - 1) <= self.most_pairs

    def _choose(self, pairs: RowPairs) -> tuple[RowPrior, float]:
        """The prior, and its variance over that of the noise, that predict best."""
        part = pairs.some(self.most_judged)
        x, row, y, noise = part.with_ends(exactness=1e4)
        judged = np.arange(len(x)) < len(part.signs)
        slopes = np.abs(_slopes(pairs))
        slopes = slopes / max(float(slopes.max()), 1e-300) + 0.02
        best: tuple[float, RowPrior, float] | None = None
        for exponent, own, share in product((0.0, 1.0), (0.05, 0.5), (0.03, 0.3)):
            scales = slopes**exponent
            prior = RowPrior(
                scales / scales.mean(),
                similarity(pairs.half_gains, own),
                OddKernel(bounded(0.2 * scales)),
                share,
            )
            scores = Decomposition.of(prior.matrix(x, row), x, noise).scores(y, judged)
            i = int(scores.argmin())
            if best is None or scores[i] < best[0]:
                best = float(scores[i]), prior, float(SIGNALS[i])
        assert best is not None
        return best[1], best[2]


def _chains(evaluations: Evaluations) -> Chains | None:
    """The design as chains, if it is one."""
    try:
        return Chains.read(evaluations)
    except RejectPerturbations:
        return None


def _without_process(plain: Solution | None, pairs: RowPairs) -> Floats:
    """(3, t, d): what is answered where nothing, or next to nothing, moves."""
    d, targets = pairs.signs.shape[1], pairs.odd.shape[1]
    if plain is None or plain.background_errors is None:
        even = 2 * pairs.half_gains.mean(axis=0)[:, None] / d
        return np.stack([np.broadcast_to(even, (targets, d)), *np.zeros((2, targets, d))])
    parts = np.stack([plain.values, plain.standard_errors, plain.background_errors])
    return np.asarray(parts.swapaxes(2, 3).reshape(3, targets, d))


def _slopes(pairs: RowPairs) -> Floats:
    """(d,): the slopes common to all rows, by ridge regression."""
    weighted = pairs.signs * pairs.weights[:, None]
    normal = weighted.T @ pairs.signs
    normal.flat[:: len(normal) + 1] += 1e-3 * np.trace(normal) / len(normal)
    return np.asarray(np.linalg.solve(normal, weighted.T @ pairs.odd))


def _fit(pairs: RowPairs, prior: RowPrior, signal: float) -> Floats:
    """(3, d): scores, standard errors and background errors.

    Standard errors are put together as in `_gaussian_process`.
    """
    x, row, y, noise = pairs.with_ends(exactness=1e6)
    n, d = pairs.shape
    inverse = _inverse(signal * prior.matrix(x, row), noise)
    solved = inverse @ x
    gram = solved.T @ x
    gram.flat[:: d + 1] += 1e-12 * np.trace(gram) / d
    gram_inverse = np.linalg.inv(gram)
    kept = gram_inverse @ solved.T
    q_matrix = inverse - solved @ kept
    received = prior.shapley(x, row)
    influence = 2 * kept.T + signal * (q_matrix @ received)
    values = influence.T @ y
    values += (2 * pairs.half_gains.mean() - values.sum()) / d
    influence -= influence.mean(axis=1, keepdims=True)

    slack = 2 * np.eye(d) - signal * (solved.T @ received)
    explained = signal**2 * np.einsum("ni,ni->i", received, inverse @ received)
    variance = signal * prior.shapley_variance() - explained
    variance += np.einsum("pi,pi->i", slack, gram_inverse @ slack)
    errors = _errors(influence[:n], np.maximum(variance, 0.0), q_matrix, y, noise, d)
    return np.stack([values, errors, _between(pairs, prior, signal * (q_matrix @ y))])


def _between(pairs: RowPairs, prior: RowPrior, dual: Floats) -> Floats:
    """(d,): the spread of the posterior mean between rows that were asked, as a sample."""
    x, row, _, _ = pairs.with_ends(exactness=1.0)
    asked = np.unique(pairs.row)
    if len(asked) < 2:
        return np.full(x.shape[1], np.nan)
    alike = dual[:, None] * prior.similarity[np.ix_(row, asked)]
    own = prior.own_shapley(x).T @ alike
    return np.asarray(own.std(axis=1, ddof=1) / np.sqrt(len(pairs.half_gains)))
