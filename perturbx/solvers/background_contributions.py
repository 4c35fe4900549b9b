"""Shapley values from chains that each run along one background row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx.designs import BackgroundChains, Design
from perturbx.errors import RejectPerturbations
from perturbx.solvers._base import Answers, Scores, Solver
from perturbx.solvers._row_errors import Spread, permutation_gaps
from perturbx.solvers._row_predictions import predict_all_rows, shares_of


@dataclass(frozen=True)
class BackgroundContributions(Solver):
    """What a feature adds when it joins, from chains along single background rows.

    A chain along row b, read forwards and backwards (Castro, Gomez & Tejada, 2009; Mitchell,
    Cooper, Frank & Holmes, JMLR 23:43, 2022), adds up to f(x) - f(b), and f(b) is known for every
    row. Once each row has a chain, the scores are the mean over rows of each row's mean: unbiased,
    and adding up to f(x) - mean f(b) by themselves. Before that, the contributions are regressed
    on f(x) - f(b), and read off at its mean over all rows: a control variate (Lavenberg & Welch,
    Management Science 27, 1981), whose slopes add up to 1, so the scores still add up. With few
    chains the slopes shrink towards each feature's share of the squares. A feature that changed
    nothing in any chain scores 0 to the last bit.

    Standard errors come from how well each chain is predicted from the others, from chains that
    share a row and from the two readings of each chain, and are moderated as in
    `MarginalContributions`; one chain gives NaN. They speak of the mean over these background
    rows. ``background_errors`` speak of the rows being a sample: the spread between rows, less what
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
    >>> from perturbx.samplers.background_permutations import BackgroundPermutations
    >>> from perturbx.solvers.background_contributions import BackgroundContributions
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

    reads: ClassVar[tuple[type[Design], ...]] = (BackgroundChains,)
    additive = True

    unbiased: bool = False

    def estimate(self, answers: Answers) -> Scores:
        if answers.design.n_features == 1:
            return _alone(answers)
        chains = Chains.read(answers)
        values, spread = chains.estimate(unbiased=self.unbiased)
        if answers.row_weights is not None:
            about = chains.about(values, answers.row_weights)
            of_about = about.estimate(unbiased=self.unbiased)[1]
            spread = replace(spread, between=of_about.between)
        return Scores(
            values,
            spread.errors(),
            degrees_of_freedom=spread.degrees_of_freedom,
            estimator=f"{len(chains.row):,} permutations, one background row each",
            background_errors=spread.background_errors(),
        )


@dataclass(frozen=True, eq=False)
class Chains:
    """c chains of d features and t targets along B background rows.

    Parameters
    ----------
    row : (c,) array
        The background row of each chain.
    forwards, backwards : (c, d, t) arrays
        What each feature adds, in the two readings of each chain.
    totals : (B, t) array
        What the chains along each row add up to.
    """

    row: Ints
    forwards: Floats
    backwards: Floats
    totals: Floats

    @classmethod
    def read(cls, answers: Answers) -> Chains:
        design, empty_rows = answers.design, answers.empty_rows
        assert isinstance(design, BackgroundChains)
        if empty_rows is None:
            raise RejectPerturbations(
                "BackgroundContributions needs the output of each background row: got none, as "
                "there is one row alone, or a link of their average. Use several rows and "
                'link="identity".'
            )
        row, place = design.row, design.place
        n_chains, d = place.shape
        targets = len(answers.full)
        along = np.empty((n_chains, 2, d + 1, targets))
        along[:, :, 0] = empty_rows[row][:, None]
        along[:, :, 1:-1] = answers.outputs.reshape(n_chains, 2, d - 1, targets)
        along[:, :, -1] = answers.full
        steps = np.diff(along, axis=2)
        chains = cls(
            row,
            np.take_along_axis(steps[:, 0], place[:, :, None], axis=1),
            np.take_along_axis(steps[:, 1], d - 1 - place[:, :, None], axis=1),
            answers.full - empty_rows,
        )
        weights = answers.row_weights
        return chains if weights is None else chains.weighted(weights)

    def weighted(self, weights: Floats) -> Chains:
        """Chains whose plain mean over rows is the weighted mean of these."""
        times = weights * len(weights)
        each = times[self.row][:, None, None]
        return replace(
            self,
            forwards=self.forwards * each,
            backwards=self.backwards * each,
            totals=self.totals * times[:, None],
        )

    def about(self, values: Floats, weights: Floats) -> Chains:
        """Weighted chains less the scores (d, t), each as often as its row counts.

        Their spread between rows is that of a ratio estimate (Cochran, Sampling Techniques, 1977,
        section 6.4): rows that agree with the scores add nothing to it, however much they count.
        """
        times = weights * len(weights)
        gone = times[self.row][:, None, None] * values
        return replace(
            self,
            forwards=self.forwards - gone,
            backwards=self.backwards - gone,
            totals=self.totals - times[:, None] * values.sum(axis=0),
        )

    def estimate(self, *, unbiased: bool) -> tuple[Floats, Spread]:
        """Scores (d, t), which add up to the mean total, and what their errors are made of."""
        contributions = (self.forwards + self.backwards) / 2
        halves = (self.forwards - self.backwards) / 2
        gaps = permutation_gaps(contributions, halves, self.totals[self.row])
        times = np.bincount(self.row, minlength=len(self.totals))
        if times.min() > 0:
            values = np.einsum("c,cdt->dt", 1 / times[self.row], contributions) / len(times)
            spread = Spread.of_all_rows(contributions, gaps, self.row, times)
        else:
            asked, place = np.unique(self.row, return_inverse=True)
            each, gaps = _means(contributions, place), _means(gaps, place)
            found = predict_all_rows(each, self.totals[asked], self.totals, unbiased=unbiased)
            values = found.scores
            spread = Spread.of_some_rows(each, gaps, found, len(times))
        rounding = self.totals.mean(axis=0) - values.sum(axis=0)
        return values + shares_of(contributions.var(axis=0), contributions) * rounding, spread


def _means(arrays: Floats, place: Ints) -> Floats:
    """The mean of the arrays of each place."""
    sums = np.zeros((place.max() + 1, *arrays.shape[1:]))
    np.add.at(sums, place, arrays)
    return np.asarray(sums / np.bincount(place)[:, None, None])


def _alone(answers: Answers) -> Scores:
    """One feature gets all there is."""
    values = (answers.full - answers.empty)[None]
    rows = answers.empty_rows
    spread = np.full_like(values, np.nan)
    if rows is not None and len(rows) > 1:
        n, weights = len(rows), answers.row_weights
        weights = np.full(n, 1 / n) if weights is None else weights
        variance = np.einsum("b,bt->t", weights**2, (rows - answers.empty) ** 2)
        spread = np.sqrt(variance * n / (n - 1))[None]
    return Scores(values, estimator="exact, one feature", background_errors=spread)
