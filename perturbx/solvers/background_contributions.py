"""Shapley values from chains that each use one background row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._typing import Floats
from perturbx.designs import BackgroundChains, ConsistentBackgroundChains, Design, Sums
from perturbx.errors import RejectPerturbations
from perturbx.solvers._answers import Answers, Noise, Scores
from perturbx.solvers._base import Solver
from perturbx.solvers._chain_sums import ChainSums, numbers_kept, summed_chains
from perturbx.solvers._control_variate import Prediction, predict_all_rows, shares_of
from perturbx.solvers._moderation import PRIOR_DEGREES, RATIO, Spread, moderated

_PRIOR_REPEATS = 2
"""How many repeated rows the two readings count for, until there are repeated rows."""

_MOST_WORTH = 40
"""The most repeated rows that the division among features is worth."""

_WORTH_OF_STEPS = 2 / RATIO
"""How much half the difference between two chains with one total, squared, is worth as noise.

That between two readings counts for 1, and their mean varies less by the ratio."""

_ROUNDING = 1e-10
"""Totals are the same if they differ by no more than this fraction of the largest."""


@dataclass(frozen=True)
class BackgroundContributions(Solver):
    """What a feature adds when it joins, from chains that each use one background row.

    A chain with row b, read forwards and backwards (Castro, Gomez & Tejada, 2009; Mitchell,
    Cooper, Frank & Holmes, JMLR 23:43, 2022), adds up to f(x) - f(b), and f(b) is known for every
    row. Once each row has a chain, the scores are the mean over rows of each row's mean: unbiased,
    and their sum is f(x) - mean f(b) by itself. Before that, the contributions are regressed
    on f(x) - f(b), and predicted at its mean over all rows: a control variate (Lavenberg & Welch,
    Management Science 27, 1981), whose slopes sum to 1, so the sum of the scores is the same. With
    few chains the slopes shrink towards each feature's fraction of the squares. A feature that
    changed nothing in any chain scores 0 to the last bit.

    Standard errors come from how well each chain is predicted from the others, from chains that
    share a row and from the two readings of each chain, and are moderated as in
    `MarginalContributions`; one chain gives NaN. They are for the mean over these background
    rows. ``background_errors`` are for the rows being a sample: the spread between rows, less what
    is permutation noise, over the root of their number. Where rows have weights, a chain counts in
    proportion to that of its row.

    Parameters
    ----------
    unbiased : bool
        The slopes of the control variate are fitted to the same chains that they correct, which
        biases the scores where there are fewer chains than rows, by less than their error. True
        fits the slopes for each chain to the others, so that the scores are unbiased from two
        chains on; with few chains and heavy tails their error is up to half as large again. (Where
        all chains but one change nothing, the slopes have to be that one's own.)

    Raises
    ------
    RejectPerturbations
        If the outputs of the background rows are not known.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.designs import Evaluations
    >>> from perturbx.samplers import BackgroundPermutations
    >>> from perturbx.solvers import BackgroundContributions
    >>> background = np.array([[0.0, 0.0, 0.0], [2.0, 0.0, 1.0]])
    >>> design = BackgroundPermutations(n_background=2).draw(3, 8, np.random.default_rng(0))
    >>> rows = np.where(design.z, 1.0, background[design.background_row])
    >>> answers = Evaluations(
    ...     design,
    ...     outputs=(rows @ [3.0, 2.0, 1.0]).reshape(8, 1, 1),
    ...     full=np.array([[6.0]]),
    ...     empty=np.array([[3.5]]),
    ...     empty_rows=np.array([0.0, 7.0]).reshape(2, 1, 1),
    ... )
    >>> BackgroundContributions().solve(answers).values.ravel()
    array([0. , 2. , 0.5])
    """

    reads = (BackgroundChains, ConsistentBackgroundChains)
    needs_background_rows = True
    additive = True
    sums_up = True

    unbiased: bool = False

    def kept(self, n_features: int, n: int, n_background: int) -> float:
        n_chains = n // max(2 * (n_features - 1), 1)
        return numbers_kept(min(n_chains, n_background), n_features)

    def exact(self, answers: Answers[Design]) -> Scores | None:
        """One feature has the whole gain."""
        if answers.design.n_features > 1:
            return None
        values = (answers.full - answers.empty)[None]
        rows, weights = answers.empty_rows, answers.row_weights
        spread = np.full_like(values, np.nan)
        if rows is not None and len(rows) > 1:
            n = len(rows)
            weights = np.full(n, 1 / n) if weights is None else weights
            variance = np.einsum("b,bt->t", weights**2, (rows - answers.empty) ** 2)
            spread = np.sqrt(variance * n / (n - 1))[None]
        noise = None
        if answers.variances is not None:
            noise = Noise(answers.variances.ends[None], answers.variances.ends[None])
        return Scores(values, estimator="exact, one feature", background_errors=spread, noise=noise)

    def summed(
        self,
        answers: Answers[BackgroundChains] | Answers[ConsistentBackgroundChains],
        before: Sums | None = None,
    ) -> ChainSums:
        rows, weights = answers.empty_rows, answers.row_weights
        if rows is None:
            raise RejectPerturbations(
                "BackgroundContributions needs the output of each background row: got none, "
                "because there is only one row, or a link is applied to the average. Use several "
                'rows and link="identity".'
            )
        times = None if weights is None else weights * len(rows)
        return summed_chains(answers, answers.design.row, rows, before, _WORTH_OF_STEPS, times)

    def estimate(
        self, answers: Answers[BackgroundChains] | Answers[ConsistentBackgroundChains]
    ) -> Scores:
        sums = answers.sums or self.summed(answers)
        assert isinstance(sums, ChainSums)
        assert answers.empty_rows is not None
        empty_rows, weights = answers.empty_rows, answers.row_weights
        n_rows, totals = len(empty_rows), answers.full - empty_rows
        if weights is None:
            values, sampling, between = _estimate(sums, totals, self.unbiased)
        else:
            times = (weights * n_rows)[:, None]
            totals = totals * times
            values, sampling, _ = _estimate(sums, totals, self.unbiased)
            # The spread of a ratio estimate (Cochran, Sampling Techniques, 1977, section 6.4): rows
            # that agree with the scores add nothing to it, whatever their weight.
            about = sums.less(times[:, None] * values), totals - times * values.sum(axis=0)
            between = _estimate(*about, self.unbiased)[2]
        n_asked = len(sums.row)
        n_chains = sums.n_chains if n_asked == n_rows else n_asked
        degrees = max(n_chains - n_rows, min(n_chains, n_rows) - 1, 0) + PRIOR_DEGREES
        unknown, noise = np.full_like(values, np.nan), _noise(answers, n_rows)
        if noise is not None:  # the two readings of a chain may tell less than what is known
            sampling = np.maximum(sampling, noise.total - noise.unseen)
        kind = "consistent " if isinstance(answers.design, ConsistentBackgroundChains) else ""
        return Scores(
            values,
            np.sqrt(sampling) if n_chains > 1 else unknown,
            degrees_of_freedom=float(degrees),
            estimator=f"{sums.n_chains:,} {kind}permutations, one background row each",
            background_errors=np.sqrt(between / n_rows) if n_asked > 1 else unknown,
            noise=noise,
        )


def _noise(
    answers: Answers[BackgroundChains] | Answers[ConsistentBackgroundChains], n_rows: int
) -> Noise | None:
    """What random answers add to the chains.

    Chains show their own noise, and that of the rows they begin with. What all of them share does
    not show: the full output, and the mean of all rows, of which a feature gets its d-th part.
    """
    variances, weights, d = answers.variances, answers.row_weights, answers.design.n_features
    if variances is None or variances.empty_rows is None:
        return None
    row = answers.design.row
    weights = np.full(n_rows, 1 / n_rows) if weights is None else weights
    share = weights[row] / np.bincount(row, minlength=n_rows)[row]
    share /= share.sum()
    first, last = answers.design.ends * share[:, None] / 2
    doubts = answers.design.doubts(variances.outputs).sum(axis=1)
    along = np.einsum("c,cdt->dt", (share / 2) ** 2, doubts)
    along += np.einsum("cd,ct->dt", first**2, variances.empty_rows[row])
    of_rows = weights**2 @ variances.empty_rows / d**2
    unseen = last.sum(axis=0)[:, None] ** 2 * variances.full + of_rows
    return Noise(along + unseen, unseen)


def _estimate(sums: ChainSums, totals: Floats, unbiased: bool) -> tuple[Floats, Floats, Floats]:
    """From chains with some or all of the rows, whose totals are (B, t).

    Returns
    -------
    values : (d, t) array
        The scores, whose sum is the mean total.
    sampling : (d, t) array
        Their variance, from permutations and from rows that have no chain yet.
    between : (d, t) array
        The variance between rows of their own scores.
    """
    means, asked = sums.means, totals[sums.row]
    of_ties = _noise_of_ties(sums.first, asked)
    if len(asked) == len(totals):
        values = means.mean(axis=0)
        sampling, between = _spread_of_all_rows(sums, of_ties)
    else:
        found = predict_all_rows(means, asked, totals, unbiased=unbiased)
        values = found.scores
        noise = sums.noise_of_rows + of_ties / sums.times[:, None, None]
        sampling, between = _spread_of_some_rows(means, noise, found, len(totals))
    rounding = totals.mean(axis=0) - values.sum(axis=0)
    values = values + shares_of(sums.variance, sums.squares) * rounding
    return values, sampling, between


def _noise_of_ties(contributions: Floats, totals: Floats) -> Floats:
    """(r, d, t): the noise that chains (r, d, t) show if others have the same total (r, t).

    Their background rows may be equal. The square of half the difference to the chain before,
    among those with one total, counts for as much as that between the readings of a chain. Votes,
    for one, have two readings that always agree.
    """
    noise = np.zeros_like(contributions)
    order = totals.argsort(axis=0, kind="stable")
    ranked = np.take_along_axis(totals, order, axis=0)
    is_same = np.diff(ranked, axis=0) <= _ROUNDING * np.abs(ranked).max(axis=0)
    if is_same.any():
        steps = np.diff(np.take_along_axis(contributions, order[:, None], axis=0), axis=0)
        steps = _WORTH_OF_STEPS * is_same[:, None] * (steps / 2) ** 2
        np.put_along_axis(noise, order[1:, None], steps, axis=0)
    return noise


def _spread_of_some_rows(
    contributions: Floats, noise: Floats, found: Prediction, n_rows: int
) -> tuple[Floats, Floats]:
    """`sampling` and `between` of c chains with c different rows, fewer than `n_rows`.

    The rows are drawn without replacement, so their spread counts by the fraction not drawn;
    that of permutations counts in full.
    """
    n_chains = len(contributions)
    degrees, drawn = n_chains - 1.0, n_chains / n_rows
    about = (contributions - contributions.mean(axis=0)) ** 2
    total = moderated(Spread.of(found.squares, noise, contributions), degrees)
    of_orders = moderated(Spread.of(found.squares[:0], noise, contributions), 0.0)
    of_orders = np.minimum(of_orders, total)
    sampling = ((1 - drawn) * total + drawn * of_orders) * found.scale + found.beyond
    between = moderated(Spread.of(about, noise, contributions), degrees) - of_orders
    return sampling, np.maximum(between, 0.0)


def _spread_of_all_rows(sums: ChainSums, of_ties: Floats) -> tuple[Floats, Floats]:
    """`sampling` and `between` where each row has a chain or more.

    The noise of permutations is left. Chains that share a row show it, but at first they are few.
    So the two readings, and what rows of one total add to them, determine how it is divided among
    features, and the repeated rows its size.
    """
    spread, n_rows = sums.spread.with_noise(of_ties, sums.noise_of_rows), len(sums.row)
    degrees, inverse = float(sums.n_chains - n_rows), float((1 / sums.times).mean())
    if n_rows == 1:
        variance = moderated(spread, degrees)
    else:
        guess = RATIO / (1 - RATIO) * spread.noise / spread.n
        guessed = spread.with_guesses(guess, _PRIOR_REPEATS)
        worth = float(min(n_rows, _MOST_WORTH))
        variance = moderated(guessed, degrees + _PRIOR_REPEATS, worth)
    between = sums.means.var(axis=0, ddof=1) if n_rows > 1 else np.zeros_like(variance)
    return variance * inverse / n_rows, np.maximum(between - variance * inverse, 0.0)
