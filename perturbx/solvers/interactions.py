"""Scores of features and of pairs of features, from the same pairs of coalitions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints
from perturbx._validation import check_choice, check_kind, invalid
from perturbx.designs import Design, PackedCoalitions, Pairs, Variances
from perturbx.result import Interactions
from perturbx.solvers._answers import Answers, Scores
from perturbx.solvers._base import Solver
from perturbx.solvers._difference_estimator import Fit, Total, fits
from perturbx.solvers._exact import exact_interactions, exact_shapley, interaction_noise
from perturbx.solvers._strata import MOST_NUMBERS, Strata, blocks, slices
from perturbx.solvers._svd import MOST_KEPT, Matrix, kept
from perturbx.solvers.kernel_shap import OddFit
from perturbx.solvers.process.even_process import MOST_JUDGED, EvenProcess, EvenRecipe
from perturbx.solvers.process.leave_one_out import Decomposition
from perturbx.solvers.process.mirrors import Mirrors
from perturbx.solvers.process.odd_pairs import read_pairs

PairEstimator: TypeAlias = Literal["regression", "process"]

_FEWEST_PAIRS, _MOST_PAIRS = 6, 2500
"""Of coalitions, for the process: the cost is cubic."""

_PRODUCTS = np.array([[0.0, -2.0, 0.0]])
"""Of a coalition of any size: z_i z_j less 1 where it has none, one or both of i and j."""


@dataclass(frozen=True)
class WithInteractions(Solver):
    """A solver's scores, and the Shapley interaction index and order-2 Faith-Shap of all pairs.

    Grabisch & Roubens (International Journal of Game Theory 28, 1999); Tsai, Yeh & Ravikumar
    (JMLR 24, 2023). Both indices depend only on the even part of the game, e(z) = (v(S) +
    v(complement of S)) / 2 with z in {-1, 1}. Faith-Shap's pairwise terms are four times the
    coefficients of its regression on the products z_i z_j under the Shapley kernel, exact at the
    full coalition; its main effects follow from the Shapley values. The fit is a ridge, whose
    penalty leave-one-out chooses for each output, and what it leaves out is estimated without bias
    from its residuals, by coalition size. So a game whose interactions involve at most two
    features is recovered exactly once the pairs of coalitions determine it (half as many again as
    there are pairs of features in all of our trials), and any other game in the limit. On a
    complete design everything is computed exactly.

    Where the d (d - 1) / 2 pairs of features are not determined, only the ridge's estimate is
    left, which shrinks towards 0, and errors are NaN. An interaction that no sampled coalition
    exposes shows neither in the scores nor in the errors.

    That is the regression. The process puts a Gaussian process on the even part, with a prior on
    all interactions of an even number of features (a product kernel, and those that boosted trees
    find in the answers), chosen by honest leave-one-out with the ridge at one end. The scores are
    the exact indices of its posterior mean, plus what each residual adds by definition. It needs
    fewer pairs of coalitions than there are pairs of features, and does best with `OptimalPairs`.
    The regression answers where it leaves no residual, with fewer than 6 pairs of coalitions, and
    with more than 2,500 if they outnumber the pairs of features; if they do not, 2,500 of them are
    used. Errors of the process are the posterior's, blended with a jackknife, plus the noise of
    pairs of coalitions that were not asked, and enlarged by how much larger residuals are in pairs
    that the prior did not learn from; NaN with fewer than 4 pairs of coalitions per feature.

    Standard errors of the regression are the jackknife's, within strata of coalition size,
    corrected for sampling without replacement. Memory of the regression: about eight arrays of
    pairs of features squared, and at most 50 MB, since it reads many pairs of coalitions in blocks;
    of the process: about six arrays of pairs of coalitions squared.

    Parameters
    ----------
    solver : Solver
        Of the scores; it reads pairs of coalitions too.
    estimator : "regression" or "process"
        Of interactions.

    Raises
    ------
    InvalidParameterError
        If `solver` is not a solver, or does not read pairs.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.designs import Evaluations
    >>> from perturbx.samplers import ShapleyCoalitions
    >>> from perturbx.solvers import KernelShapRegression, WithInteractions
    >>> design = ShapleyCoalitions().draw(5, 28, np.random.default_rng(0))
    >>> answers = Evaluations.of_game(design, lambda z: 3.0 * (z[:, 0] & z[:, 1]))
    >>> found = WithInteractions(KernelShapRegression()).solve(answers).interactions
    >>> abs(found.faith_shap[0, :3, :3, 0].round(9))
    array([[0., 3., 0.],
           [3., 0., 0.],
           [0., 0., 0.]])
    """

    reads = (Pairs,)
    scores_pairs = True

    solver: Solver
    estimator: PairEstimator = "regression"

    def __post_init__(self) -> None:
        check_choice("estimator", self.estimator, get_args(PairEstimator))
        expected = "a solver that reads pairs of coalitions, such as KernelShapRegression()"
        check_kind("solver", self.solver, Solver, expected)
        if not issubclass(Pairs, self.solver.reads):
            raise invalid("solver", expected, self.solver)

    @property
    def additive(self) -> bool:  # type: ignore[override]
        return self.solver.additive

    def working(self, n_features: int, n: int) -> float:
        of_scores, n_terms = self.solver.working(n_features, n), n_features * (n_features - 1) // 2
        by_process = self.estimator == "process" and self._serves(n_features, n // 2)
        fitted, judged = (min(n // 2, most) for most in (_MOST_PAIRS, MOST_JUDGED))
        squares = (6 * fitted**2 + 20 * judged**2) / max(n, 1) * by_process
        # The regression goes first where pairs of coalitions outnumber those of features.
        by_regression = not by_process or n // 2 > n_terms
        numbers = _numbers(n // 2, n_terms) / max(n, 1) * by_regression
        return of_scores + max(squares, numbers)

    def _serves(self, n_features: int, n_pairs: int) -> bool:
        """Whether the process is asked, with so many pairs of coalitions."""
        most = max(_MOST_PAIRS, n_features * (n_features - 1) // 2)
        return n_features >= 3 and _FEWEST_PAIRS <= n_pairs <= most

    def linear(self) -> Solver:
        return self.solver.linear()

    def exact(self, answers: Answers[Design]) -> Scores:
        shapley, faith = exact_interactions(answers)
        d = answers.design.n_features
        i, j = np.triu_indices(d, 1)
        mains = exact_shapley(answers).values
        np.subtract.at(mains, i, faith / 2)
        np.subtract.at(mains, j, faith / 2)
        found = [np.stack([part, np.zeros_like(part)]) for part in (shapley, faith, mains)]
        for part, noise in zip(found, interaction_noise(answers) or (), strict=False):
            part[1] = noise
        return replace(self.solver.scores(answers), interactions=_interactions(answers, found))

    def estimate(self, answers: Answers[Pairs]) -> Scores:
        scores = self.solver.scores(answers)
        n, d = answers.design.first.shape
        if self.estimator == "regression" or not self._serves(d, n):
            found, _ = _by_regression(answers)
            degrees = n - d * (d - 1) // 2
            if degrees < 3:
                for part in found:
                    part[1] = np.nan
        else:
            found, degrees = _by_process(answers, scores), n - 1
        interactions = _interactions(answers, found, float(max(degrees, 1)))
        return replace(scores, interactions=interactions)


def _numbers(n_pairs: int, n_terms: int) -> float:
    """How many numbers the regression holds at a time."""
    entries = n_pairs * n_terms
    held = entries if entries <= MOST_KEPT else MOST_NUMBERS
    return 6.0 * held + 8.0 * n_terms * min(n_pairs, n_terms)


def _by_regression(answers: Answers[Pairs]) -> tuple[list[Floats], NDArray[np.bool_]]:
    """What `_interactions` reads, and which targets (t,) have no interactions of more features."""
    pairs, full, empty = answers.design, answers.full, answers.empty
    terms, odd = _PairTerms.of(pairs.first), OddFit.of(answers)
    even = pairs.even(answers.outputs) - (full + empty) / 2
    n_terms, d = terms.members.shape
    found = [np.empty((2, n, len(full))) for n in (n_terms, n_terms, d)]
    is_exact = np.zeros(len(full), dtype=bool)
    for fit in fits(terms.products, pairs.pair_weights, even):
        shapley, faith = fit.estimate(terms.shapley), fit.estimate(terms.faith)
        mains = odd.values[:, fit.targets] - terms.members.T @ faith / 2
        values, spread = (shapley, faith, mains), terms.errors(fit, odd, answers)
        for part, of_values, of_spread in zip(found, values, spread, strict=True):
            part[:, :, fit.targets] = of_values, of_spread
        left = [np.abs(fit.residual(part)).max(axis=0) for part in slices(*terms.products.shape)]
        is_small = np.max(left, axis=0) <= answers.floor[fit.targets]
        is_exact[fit.targets] = fit.determined & is_small
    return found, is_exact


def _by_process(answers: Answers[Pairs], scores: Scores) -> list[Floats]:
    """What `_interactions` reads; main effects are those of `scores`, less half of the pairs."""
    (n, d), t = answers.design.first.shape, len(answers.full)
    mirrors = Mirrors.among(answers)
    i, j = np.triu_indices(d, 1)
    found, is_exact = [np.zeros((2, p, t)) for p in (len(i), len(i), d)], np.zeros(t, dtype=bool)
    if n > len(i):
        found, is_exact = _by_regression(answers)
    of_pairs, of_totals = found[:2], np.zeros((d, t))
    pairs, scales, _ = read_pairs(answers, np.arange(min(n, _MOST_PAIRS)))
    cache: dict[tuple[EvenRecipe, int], Decomposition] = {}
    for target in mirrors.kept[~is_exact[mirrors.kept]]:
        process = EvenProcess(pairs[target], cache)
        if scales[target] * process.range <= answers.floor[target]:
            continue
        posterior, units = process.posterior(), scales[target] ** np.arange(1, 3)[:, None]
        of_pairs[0][:, :, target] = posterior.shapley * units
        of_pairs[1][:, :, target] = posterior.faith_shap * units
        of_totals[:, target] = posterior.of_totals * scales[target] ** 2
    for part in of_pairs:
        part[:] = part[:, :, mirrors.source]
        part[0] *= mirrors.sign
    members = (np.arange(d) == i[:, None]) | (np.arange(d) == j[:, None])
    errors = np.full((d, t), np.nan) if scores.errors is None else scores.errors
    found[2][0] = scores.values - members.T @ of_pairs[1][0] / 2
    found[2][1] = errors**2 + of_totals[:, mirrors.source] / 4
    return found


def _interactions(
    answers: Answers[Design], found: list[Floats], degrees: float = np.inf
) -> Interactions:
    """Of Shapley's and Faith-Shap's pairs and its main effects: (2, p, t) values and variances."""
    n, k = answers.shape
    d, t = found[2].shape[1:]
    i, j = np.triu_indices(d, 1)
    squares = np.zeros((2, 2, d, d, t))  # values and errors, Shapley's index and Faith-Shap
    for which, pairs in enumerate(found[:2]):
        squares[:, which, i, j] = squares[:, which, j, i] = pairs
    squares[:, 1, np.arange(d), np.arange(d)] = found[2]
    squares[1] = np.maximum(np.sqrt(np.maximum(squares[1], 0)), answers.floor)
    shapley, faith, of_shapley, of_faith = np.moveaxis(squares.reshape(4, d, d, n, k), 3, 1)
    return Interactions(shapley, faith, of_shapley, of_faith, degrees)


@dataclass(frozen=True, eq=False)
class _PairTerms:
    """The products z_i z_j of c coalitions, and the totals of which the indices are made.

    The index of a pair of features is a mean of differences like those of the exact formula,
    hence a sum of z_i z_j times a weight that depends on how many other features a coalition has.
    """

    strata: Strata
    members: Floats
    """(pairs, d): 1 for either feature of a pair."""
    products: Matrix
    """(c, pairs): z_i z_j, less its value in the full coalition."""
    shapley: Total
    faith: Total

    @classmethod
    def of(cls, first: Coalitions | PackedCoalitions) -> _PairTerms:
        strata, d = Strata.of(first), first.shape[1]
        size, present = np.arange(d + 1)[:, None], np.arange(3)
        left, others = d - size, size - present
        # 1 / ((d - 1) binom(d - 2, others)) times binom(d, size), with the binomials canceled.
        ways = np.choose(present, [left * (left - 1), -size * left, size * (size - 1)])
        drawn = np.bincount(strata.size, minlength=d + 1)[np.minimum(size, left)]
        evenly = d / np.where(ways, ways, np.inf)
        evenly *= 2 * np.where(2 * size == d, 0.5, 1.0) / np.maximum(drawn, 1)
        faithfully = evenly * (others + 1) * (d - others - 1) * (6 / (d * (d + 1)))
        i, j = np.triu_indices(d, 1)
        members = (np.arange(d) == i[:, None]) | (np.arange(d) == j[:, None])
        made = [kept(_OfPairs(first, table)) for table in (_PRODUCTS, evenly, faithfully)]
        shapley, faith = (Total(4.0, weights, made[0]) for weights in made[1:])
        return cls(strata, members.astype(float), made[0], shapley, faith)

    def errors(self, fit: Fit, odd: OddFit, answers: Answers[Pairs]) -> list[Floats]:
        """The variances of Shapley interactions, Faith-Shap's pairs and its main effects."""
        n_terms, d = self.members.shape
        if not fit.determined:
            return [np.full((p, len(fit.targets)), np.nan) for p in (n_terms, n_terms, d)]
        shapley, faith = fit.influence(self.shapley), kept(fit.influence(self.faith))
        parts = list(slices(*faith.shape))
        left_out = np.concatenate([fit.left_out(part) for part in parts])

        def of_odd(pairs: Ints) -> tuple[Floats, Floats]:
            influence, residual = odd.left_out(pairs)
            return influence, residual[:, fit.targets]

        def of_even(pairs: Ints) -> tuple[Floats, Floats]:
            return self.on_mains(faith[pairs]), left_out[pairs]

        found = [
            self.strata.variance(lambda pairs: (shapley[pairs], left_out[pairs]), width=n_terms),
            self.strata.variance(lambda pairs: (faith[pairs], left_out[pairs]), width=n_terms),
            self.strata.variance(of_odd, of_even, width=n_terms),
        ]
        if answers.variances is not None:
            noise = _Noise.of(answers, answers.variances.of(fit.targets), self.strata)
            found[0] += noise.of_pairs(shapley)
            found[1] += noise.of_pairs(faith)
            found[2] += noise.of_mains(odd, faith, self.on_mains)
        return found

    def on_mains(self, influence: Floats) -> Floats:
        """(b, d): what rows add to main effects by what they add to pairs, of Faith-Shap."""
        return np.asarray(-influence @ self.members / 2)


@dataclass(frozen=True, eq=False)
class _Noise:
    """What random answers add to the variances, beyond what residuals show.

    The even part is less its value at the ends, whose error all pairs share. Residuals show the
    noise of pairs by the fraction of each size that was not drawn.
    """

    first: Floats
    """(c, t): the variance of the first member of each pair, by the fraction that is not shown."""
    second: Floats
    full: Floats
    """(t,): the variance with everything present."""
    empty: Floats

    @classmethod
    def of(cls, answers: Answers[Pairs], variances: Variances, strata: Strata) -> _Noise:
        shown = 1 - strata.unseen[:, None]
        of_first, of_second = variances.outputs[0::2], variances.outputs[1::2]
        return cls(shown * of_first, shown * of_second, variances.full, variances.empty)

    def of_pairs(self, influence: Matrix) -> Floats:
        """(p, t): of sums of the even part."""
        doubt, (c, p) = (self.first + self.second) / 4, influence.shape
        found, total = np.zeros((p, doubt.shape[1])), np.zeros(p)
        for part in slices(c, p):
            rows = influence[part]
            found += (rows**2).T @ doubt[part]
            total += rows.sum(axis=0)
        return np.asarray(found + total[:, None] ** 2 * (self.full + self.empty) / 4)

    def of_mains(self, odd: OddFit, faith: Matrix, on_mains: Callable[[Floats], Floats]) -> Floats:
        """(d, t): of sums of the odd and the even part."""
        d, shift = len(odd.values), np.zeros(len(odd.values))
        found = np.zeros((d, len(self.full)))
        for part in blocks(np.arange(faith.shape[0]), faith.shape[1]):
            of_odd, of_even = odd.influence(part), on_mains(faith[part])
            found += ((of_odd + of_even) ** 2).T @ self.first[part]
            found += ((of_odd - of_even) ** 2).T @ self.second[part]
            shift += of_even.sum(axis=0) / 2
        gain, half = odd.of_gain[:, None], shift[:, None]
        ends = (gain - half) ** 2 * self.full + (gain + half) ** 2 * self.empty
        return np.asarray(found / 4 + ends)


@dataclass(frozen=True, eq=False)
class _OfPairs:
    """Of c coalitions and all pairs of features: numbers made a part at a time.

    Each depends on how many of the two features a coalition has, and on its size.
    """

    first: Coalitions | PackedCoalitions
    table: Floats
    """(d + 1, 3): by size and number of features; (1, 3) where the size does not matter."""

    @property
    def shape(self) -> tuple[int, int]:
        c, d = self.first.shape
        return c, d * (d - 1) // 2

    def __getitem__(self, part: Any) -> Floats:
        present = self.first[part]
        c, d = present.shape
        size = present.sum(axis=1) if len(self.table) > 1 else np.zeros(c, dtype=np.intp)
        found, start = np.empty((c, d * (d - 1) // 2), dtype=np.intp), 0
        start_of, counted = 3 * size[:, None], present.astype(np.intp)
        for i in range(d - 1):
            stop = start + d - 1 - i
            np.add(counted[:, i : i + 1] + start_of, counted[:, i + 1 :], out=found[:, start:stop])
            start = stop
        return np.asarray(self.table.ravel()[found])
