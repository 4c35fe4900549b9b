"""Metrics that compare the predicted with the actual effect of removing sets of features."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import ClassVar

import numpy as np

from perturbx._typing import Coalitions, Floats, Ints, Noise
from perturbx._validation import check_flag, check_integer, check_list, invalid
from perturbx.designs import NoiseDraws
from perturbx.errors import BudgetError
from perturbx.game import Cost
from perturbx.maskers import BoundMasker
from perturbx.metrics._base import Metric, function_of
from perturbx.metrics._scores import center_blob, in_regions
from perturbx.metrics.judged_explanation import RANDOM_ORDERS, JudgedExplanation
from perturbx.metrics.results import Measure
from perturbx.samplers import BernoulliMasks, GaussianNoise

_CONSTANT = 1e-10
"""Numbers that vary by less than this share of their size do not vary."""


class _BySubsets(Metric[JudgedExplanation]):
    """A number for each group of perturbations, and their mean; references cost no model row."""

    sets: ClassVar[int]
    """Perturbations in a group where there is no budget."""

    budget: int | None

    @abstractmethod
    def design(
        self, subject: JudgedExplanation, first: int, d: int, most: int
    ) -> tuple[Coalitions | Noise, Ints]:
        """At most `most` perturbations (m, d), and the group of each.

        The first instance has `first` features, which all share.
        """

    @abstractmethod
    def number(self, predicted: Floats, fall: Floats) -> float:
        """The number of one group, from predicted and actual falls of the output, both (m,)."""

    def n_groups(self, first: int) -> int:
        """How many groups a design has where the first instance has `first` features."""
        return 1

    def shares(self, first: int) -> Floats | None:
        """Shares of the features that the groups stand for, where there is a curve over them."""
        return None

    def check(self, bound_maskers: Sequence[BoundMasker]) -> None:
        if self.budget is None:
            return
        check_integer("budget", self.budget, minimum=1)
        for bound in bound_maskers:
            self._most(bound, bound_maskers[0].n_features)

    def measure(self, subject: JudgedExplanation) -> Measure:
        n, k = subject.full.shape
        first = next(subject.bound())[1].n_features
        names = ["", "random", *(["center blob"] if subject.scores.spatial else [])]
        names = names if subject.references else names[:1]
        grids = {name: np.full((n, k, self.n_groups(first)), np.nan) for name in names}
        cost = Cost()
        for i, bound in subject.bound():
            most = self._most(bound, first)
            z, group = self.design(subject, first, bound.n_features, most)
            outputs, asked = subject.ask(bound, z, i)
            cost += asked
            present = np.asarray(bound.interpretable(z), dtype=np.float64)
            removed = 1.0 - present if z.dtype == bool else -present
            falls = subject.full[i] - outputs
            groups = [np.flatnonzero(group == g) for g in range(int(group.max()) + 1)]
            for j in range(k):
                scores = in_regions(bound.regions, subject.scores.mass(i, j), mean=False)
                for name in names:
                    found = [
                        [self.number(removed[g] @ phi, falls[g, j]) for g in groups]
                        for phi in _sources(subject, bound, scores, name, i, j)
                    ]
                    grids[name][i, j] = np.mean(found, axis=0)
        shares, own = self.shares(first), grids.pop("")
        return subject.result(
            self,
            _known_mean(own),
            cost,
            references={name: _known_mean(grid) for name, grid in grids.items()},
            shares=shares,
            curves=None if shares is None else own,
            reference_curves={} if shares is None else grids,
        )

    def _most(self, bound: BoundMasker, first: int) -> int:
        """How many perturbations the budget pays for, beside f(x) and f(empty)."""
        groups = self.n_groups(first)
        if self.budget is None:
            return self.sets * groups
        each = bound.rows_per_perturbation
        affordable, least = (self.budget - 1 - each) // each, 2 * groups
        if affordable < least:
            raise BudgetError(
                f"budget={self.budget} is too small: at least {1 + (least + 1) * each} model rows "
                f"an instance are needed ({least} perturbations of {each} rows + 1 for the "
                f"instance + {each} for the empty state). Raise budget."
            )
        return affordable


@dataclass(frozen=True)
class Infidelity(_BySubsets):
    """Mean squared error between the predicted and the actual change when features are removed.

    Yeh et al. (NeurIPS 2019, definition 2.1): the mean over random sets S of
    (sum of the scores in S - (f(x) - f(x without S)))^2, each feature absent with probability
    1/2. Where the masker is ``px.GaussianNoise()`` the input moves instead, and scores are read
    as slopes per standard deviation: the local form of the definition. Lower is better; 0 for
    scores that add up exactly, whatever is removed. Images are cut into boxes, and a region's
    score is spread evenly over its pixels.

    Parameters
    ----------
    budget : int, optional
        The most model rows that one instance may cost; by default enough for 200 sets.
    normalize : bool
        Scale the scores by the one factor that suits them best, as for scores that only claim to
        be right in proportion.

    Returns
    -------
    Measure
        References: the same scores in random order, and for images a blob in the
        center with the right sum. They cost nothing.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> x, model = np.array([4.0, 2.0]), lambda X: X @ [1.0, 1.0]
    >>> zero = px.Baseline([0.0, 0.0])
    >>> px.metrics.infidelity(model, x, x, masker=zero).values
    array(0.)
    """

    better = "lower"
    accepts_noise = True
    sets = 200

    budget: int | None = None
    normalize: bool = False

    def __post_init__(self) -> None:
        _check_budget(self.budget)
        check_flag("normalize", self.normalize)

    def design(
        self, subject: JudgedExplanation, first: int, d: int, most: int
    ) -> tuple[Coalitions | Noise, Ints]:
        sampler = GaussianNoise() if subject.masker.accepts is NoiseDraws else BernoulliMasks()
        z = sampler.draw(d, most, subject.rng(2)).z
        return z, np.zeros(len(z), dtype=np.intp)

    def number(self, predicted: Floats, fall: Floats) -> float:
        size = float(predicted @ predicted)
        if self.normalize:
            predicted = predicted * (float(predicted @ fall) / size if size else 0.0)
        return float(np.mean((predicted - fall) ** 2))


class _Correlation(_BySubsets):
    """Pearson's correlation over random sets of each of several sizes."""

    better = "higher"

    @abstractmethod
    def counts(self, first: int, d: int) -> Ints:
        """How many of `d` features each group removes, where the first instance has `first`."""

    def n_groups(self, first: int) -> int:
        return len(self.counts(first, first))

    def check(self, bound_maskers: Sequence[BoundMasker]) -> None:
        fewest = min(bound.n_features for bound in bound_maskers)
        if fewest < 2:
            raise invalid("X", "of at least 2 features, so that sets differ", fewest)
        super().check(bound_maskers)

    def design(
        self, subject: JudgedExplanation, first: int, d: int, most: int
    ) -> tuple[Coalitions | Noise, Ints]:
        counts, rng = self.counts(first, d), subject.rng(2)
        each = max(2, most // len(counts))
        parts = [_subsets(d, int(count), each, rng) for count in counts]
        group = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        return np.concatenate(parts), group

    def number(self, predicted: Floats, fall: Floats) -> float:
        """NaN where one of the two is constant."""
        a, b = predicted - predicted.mean(), fall - fall.mean()
        both = ((a, predicted), (b, fall))
        if len(a) < 2 or any(np.abs(c).max() <= _CONSTANT * np.abs(of).max() for c, of in both):
            return float("nan")
        return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1, 1))


@dataclass(frozen=True)
class FaithfulnessCorrelation(_Correlation):
    """Correlation of predicted and actual effects of removing sets of a fixed size.

    Bhatt, Weller & Moura (IJCAI 2020, definition 3): over random sets S of `subset_size`
    features, Pearson's correlation of the sum of the scores in S with f(x) - f(x without S).
    Higher is better. Where there are few such sets they are all tried. Images are cut into
    boxes, and a region's score is spread evenly over its pixels.

    Parameters
    ----------
    subset_size : int, optional
        How many features are removed; by default a fifth of them.
    budget : int, optional
        The most model rows that one instance may cost; by default enough for 200 sets.

    Returns
    -------
    Measure
        References: as in `infidelity`.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> x, model = np.array([4.0, 2.0]), lambda X: X @ [1.0, 1.0]
    >>> zero = px.Baseline([0.0, 0.0])
    >>> px.metrics.faithfulness_correlation(model, x, x, masker=zero)
    faithfulness_correlation 1 (random -1; higher is better): 1 instance, 6 model rows; absent
    features at a baseline
    """

    sets = 200

    subset_size: int | None = None
    budget: int | None = None

    def __post_init__(self) -> None:
        _check_budget(self.budget)
        if self.subset_size is not None:
            check_integer("subset_size", self.subset_size, minimum=1)

    def counts(self, first: int, d: int) -> Ints:
        return np.array([self.subset_size or max(1, round(0.2 * d))])

    def check(self, bound_maskers: Sequence[BoundMasker]) -> None:
        super().check(bound_maskers)
        fewest = min(bound.n_features for bound in bound_maskers)
        if self.subset_size is not None and self.subset_size >= fewest:
            most = f"at most {fewest - 1}, one less than features"
            raise invalid("subset_size", most, self.subset_size)


@dataclass(frozen=True)
class SensitivityN(_Correlation):
    """Correlation of predicted and actual effects of removing n features, over several n.

    Ancona et al. (ICLR 2018, definition 2): over random sets S of n features, Pearson's
    correlation of the sum of the scores in S with f(x) - f(x without S); the value is the mean
    over sizes n. Higher is better; 1 for scores that are right up to a factor. Where there are few
    sets of a size they are all tried. Images are cut into boxes, and a region's score is spread
    evenly over its pixels.

    Parameters
    ----------
    sizes : sequence of int, optional
        How many features are removed; by default six sizes from 1 to 80% of the features, evenly
        on a logarithmic scale.
    budget : int, optional
        The most model rows that one instance may cost; by default enough for 100 sets per size.

    Returns
    -------
    Measure
        With `curves`, the correlation at each size, and `shares`, the sizes as shares of the
        (first instance's) features. References: as in `infidelity`.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> x, model = np.array([4.0, 2.0, 1.0]), lambda X: X @ [1.0, 1.0, 1.0]
    >>> zero = px.Baseline([0.0, 0.0, 0.0])
    >>> px.metrics.sensitivity_n(model, x, x, masker=zero, sizes=[1, 2])
    sensitivity_n 1 (random -0.429; higher is better): 1 instance, 10 model rows; absent features at
    a baseline
    """

    sets = 100

    sizes: Sequence[int] | None = None
    budget: int | None = None

    def __post_init__(self) -> None:
        _check_budget(self.budget)
        if self.sizes is not None:
            sizes = check_list("sizes", self.sizes, "numbers of features")
            for size in sizes:
                check_integer("sizes", size, minimum=1)

    def shares(self, first: int) -> Floats:
        if self.sizes is None:
            counts = np.unique(np.rint(np.geomspace(1, max(1, 0.8 * first), 6)))
        else:
            counts = np.array(self.sizes)
            if counts.max() >= first:
                raise invalid("sizes", f"numbers of features from 1 to {first - 1}", self.sizes)
        return np.asarray(np.minimum(counts, first - 1) / first)

    def counts(self, first: int, d: int) -> Ints:
        counts = np.rint(self.shares(first) * d).astype(int)
        return np.asarray(np.clip(counts, 1, max(1, d - 1)))

    def check(self, bound_maskers: Sequence[BoundMasker]) -> None:
        super().check(bound_maskers)
        self.shares(bound_maskers[0].n_features)


infidelity = function_of(Infidelity, "infidelity")
faithfulness_correlation = function_of(FaithfulnessCorrelation, "faithfulness_correlation")
sensitivity_n = function_of(SensitivityN, "sensitivity_n")


def _check_budget(budget: int | None) -> None:
    if budget is not None:
        check_integer("budget", budget, minimum=1)


def _subsets(d: int, size: int, most: int, rng: np.random.Generator) -> Coalitions:
    """(m, d): all coalitions that lack `size` features, or `most` of them at random."""
    if comb(d, size) <= most:
        absent = np.array(list(combinations(range(d), size)))
    else:
        absent = np.argsort(rng.random((most, d)), axis=1)[:, :size]
    z = np.ones((len(absent), d), dtype=bool)
    np.put_along_axis(z, absent, False, axis=1)
    return z


def _sources(
    subject: JudgedExplanation, bound: BoundMasker, scores: Floats, name: str, i: int, j: int
) -> list[Floats]:
    """The (d,) scores that are judged, or some that never saw the model."""
    if not name:
        return [scores]
    if name == "random":
        return [subject.rng(1, i, draw).permutation(scores) for draw in range(RANDOM_ORDERS)]
    blob = in_regions(bound.regions, center_blob(subject.scores.spatial[i]), mean=False)
    return [blob * (subject.full[i, j] - subject.empty[i, j]) / blob.sum()]


def _known_mean(grid: Floats) -> Floats:
    """The mean over the last axis of the values that are not NaN."""
    known = ~np.isnan(grid)
    total, count = np.where(known, grid, 0.0).sum(axis=2), known.sum(axis=2)
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))
