"""A prior that some targets have taught, for others of the same model.

Instances of one data set share what a model makes of them: which features interact, in which
groups, how strongly. So the trees, the rates and the strengths that the process otherwise learns
from the answers to one target are learned once, from a few, and judged across them: the terms of
one half of the teachers predict pairs of the other half that are left out. Where answers are few
this knows more than they do themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.designs import Pairs
from perturbx.solvers._answers import Answers
from perturbx.solvers._base import check_reads
from perturbx.solvers.process.correction import split
from perturbx.solvers.process.interaction_rates import MOST_FEATURES, learn_rates
from perturbx.solvers.process.leave_one_out import SIGNALS, SPARE, Decomposition, plain_scores
from perturbx.solvers.process.mask_trees import Boosting, boost
from perturbx.solvers.process.mirrors import Mirrors
from perturbx.solvers.process.odd_pairs import OddPairs, read_pairs
from perturbx.solvers.process.parity import ParityTerms, parity_terms
from perturbx.solvers.process.recipes import Learned, Recipe

_MOST_TEACHERS = 48
_MOST_OUTPUTS = 8
"""Of one instance; 16 or 48 outputs teach no better (photos, 1,000 classes, 5 to 60 pairs a
feature), and take two to five times as long."""
_MOST_CELLS = 500_000
"""Pairs times features beyond which no trees are grown."""
_MOST_PAIRS = 2500
"""Of each teacher, at most."""
_WITH_RATES = 3
"""How many teachers the rates of the product kernel are learned from."""
_PLENTY = 3
"""From so many pairs a feature on, slopes are not tied down."""
_MOST_JUDGED = 300
"""How many pairs are used to judge a candidate, at most."""

_LITTLE = 0.5
"""A prior that leaves more than this of the plain regression's squared residuals does not fit."""


@dataclass(frozen=True)
class Choice:
    """What predicts best where there are `n_pairs` pairs: the best first, then what stands by.

    The others answer for targets that the first does not fit: one without terms of trees.
    `strangers` is the share of the teachers whom the first does not fit; see `misfits`.
    """

    n_pairs: int
    recipes: tuple[tuple[Recipe, float], ...]
    strangers: float = 0.0


@dataclass(frozen=True, eq=False)
class LearnedPrior:
    """What some targets taught: rates, pooled terms of trees, and how strong to believe in them.

    Parameters
    ----------
    learned : Learned
        Rates are the geometric mean over teachers. Terms are all that any teacher has, with the
        root mean square of their coefficients, each teacher's being of unit energy.
    choices : tuple of Choice
        For a few numbers of pairs, the most first.
    teachers : str
        Who taught it, in words.
    """

    fewest: ClassVar[int] = 4
    """With fewer targets that have interactions there is nothing to pool."""

    learned: Learned = field(repr=False)
    choices: tuple[Choice, ...] = field(repr=False)
    teachers: str

    @classmethod
    def learn(
        cls,
        answers: Answers[Any],
        boosting: Boosting | None = None,
        teachers: str = "",
        *,
        is_reused: bool = True,
    ) -> LearnedPrior | None:
        """From the answers of teachers to the same pairs, which also may be more than others get.

        None if fewer than `fewest` targets have interactions. Of outputs that mirror
        each other, such as p and 1 - p, one teaches. `teachers` says who they are, by default
        how many targets. `is_reused` False if nothing but these answers is solved under it: then
        candidates are judged at as many pairs alone.

        Raises
        ------
        RejectPerturbations
            If the design is not one of pairs.
        """
        design = answers.design
        check_reads(type(design), (Pairs,), cls.__name__)
        inside, _ = split(len(design.first), _MOST_PAIRS)
        pairs, scales, _ = read_pairs(answers, inside)
        chosen = _teachers(pairs, scales, answers)
        if len(chosen) < cls.fewest:
            return None
        taught_by = [pairs[i] for i in chosen]
        instance = chosen // answers.shape[1]
        n, d = taught_by[0].shape
        terms = _terms_of(taught_by, boosting or Boosting())
        alike = [learn_rates(pairs) for pairs in taught_by[:_WITH_RATES]]
        rates = np.exp(np.mean(np.log(alike), axis=0))
        half = _halves(instance)
        taught = [_learned(rates, [terms[i] for i in np.flatnonzero(half == h)]) for h in (0, 1)]
        judged = [[taught_by[i] for i in np.flatnonzero(half != h)] for h in (0, 1)]
        order = np.random.default_rng(0).permutation(n) if design.random else np.arange(n)
        sizes = _sizes(min(n, _MOST_JUDGED), d) if is_reused else [min(n, _MOST_JUDGED)]
        choices = tuple(_choice(taught, judged, order[:size]) for size in sizes)
        return cls(_learned(rates, terms), choices, teachers or f"{len(chosen)} targets")

    @property
    def n_features(self) -> int:
        return len(self.learned.rates)

    def choice(self, n_pairs: int) -> Choice:
        """The one for about so many pairs, and with as many to spare or as few.

        From as many pairs as features on, that is not one for fewer: they determine the slopes,
        which the best prior for fewer ties down.
        """
        d, fewest = self.n_features, self.n_features + SPARE
        alike = [c for c in self.choices if (c.n_pairs < fewest) == (n_pairs < fewest)]
        if d <= n_pairs < fewest:
            alike = [c for c in self.choices if c.n_pairs >= d]
        return min(alike or self.choices, key=lambda c: abs(np.log(c.n_pairs / n_pairs)))

    def widened(self, active: NDArray[np.bool_]) -> LearnedPrior:
        """For a game of more features, of which it has learned the active ones.

        The others take part in interactions as strongly as these do on average.
        """
        if active.all():
            return self
        of = self.learned
        rates = np.full(len(active), np.exp(np.log(of.rates).mean()))
        rates[active] = of.rates
        slopes = np.full(len(active), np.sqrt((of.slopes**2).mean()))
        slopes[active] = of.slopes

        def placed(terms: ParityTerms) -> ParityTerms:
            members = np.zeros((len(terms), len(active)), np.float32)
            members[:, active] = terms.members
            return ParityTerms(members, terms.coefficients)

        learned = Learned(slopes, rates, placed(of.terms), placed(of.terms_with_linear))
        return replace(self, learned=learned)

    def restricted(self, active: NDArray[np.bool_]) -> LearnedPrior:
        """For a game in which only some features can change anything."""
        if active.all():
            return self
        of = self.learned

        def kept(terms: ParityTerms) -> ParityTerms:
            inside = terms.members[:, ~active].sum(axis=1) == 0
            return ParityTerms(terms.members[inside][:, active], terms.coefficients[inside])

        learned = Learned(
            of.slopes[active], of.rates[active], kept(of.terms), kept(of.terms_with_linear)
        )
        return replace(self, learned=learned)


def _teachers(pairs: list[OddPairs], scales: Floats, answers: Answers[Pairs]) -> Ints:
    """Which targets teach: of each instance as many, those whose outputs move most."""
    x, _, _ = pairs[0].with_end()
    y = np.stack([np.append(target.odd, target.half_gain) for target in pairs], axis=1)
    teaches = (scales > 0) & ~additive(x, y)
    teaches &= Mirrors.among(answers).sign > 0
    scales = np.where(teaches, scales, 0.0).reshape(answers.shape)
    most = _MOST_OUTPUTS if len(scales) == 1 else _MOST_TEACHERS
    each = max(1, most // len(scales))
    order = np.argsort(-scales, axis=1, kind="stable")[:, :each]
    chosen = (order + answers.shape[1] * np.arange(len(scales))[:, None]).ravel()
    return np.asarray(np.sort(chosen[teaches[chosen]])[:most])


def additive(x: Floats, y: Floats) -> NDArray[np.bool_]:
    """(t,): whose g (n + 1, t) a linear function explains, though the pairs x are enough to tell.

    The last row is the full coalition.
    """
    n, d = len(x) - 1, x.shape[1]
    if n < d:
        return np.zeros(y.shape[1], dtype=bool)
    slopes = np.linalg.lstsq(x, y, rcond=None)[0]
    return np.asarray(np.abs(y - x @ slopes).max(axis=0) <= 1e-10)


def _halves(instance: Ints) -> Ints:
    """(t,): 0 or 1; the outputs of one instance in one half, if there are several instances."""
    if len(np.unique(instance)) < 2:
        instance = np.arange(len(instance))
    return np.unique(instance, return_inverse=True)[1] % 2


def _terms_of(teachers: list[OddPairs], boosting: Boosting) -> list[ParityTerms]:
    """Of each teacher, the odd terms of trees that are grown on all its coalitions."""
    n, d = teachers[0].shape
    coalitions = [pairs.coalitions() for pairs in teachers]
    z, targets = coalitions[0][0], np.stack([values for _, values in coalitions], axis=1)
    settings = boosting if n * d <= _MOST_CELLS else replace(boosting, n_trees=0)
    forests = boost(z, targets, np.ones(targets.shape, dtype=bool), settings)
    return [parity_terms(leaves, d, min(2 * n + 200, 4000), least=1) for leaves in forests]


def _learned(rates: Floats, terms: list[ParityTerms]) -> Learned:
    """Terms pooled: each with the root mean square of its coefficients."""
    d = len(rates)
    names = np.random.default_rng(0).integers(0, 2**64, d, dtype=np.uint64)
    members = np.concatenate([of_one.members for of_one in terms])
    energy = [
        of_one.coefficients**2 / max(float((of_one.coefficients**2).sum()), 1e-300)
        for of_one in terms
    ]
    keys = members.astype(np.uint64) @ names
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    mean = np.bincount(place, np.concatenate(energy), minlength=len(first)) / len(terms)
    most = max((len(of_one) for of_one in terms), default=0)
    order = np.argsort(-mean, kind="stable")[:most]
    pooled = ParityTerms(members[first[order]], np.sqrt(mean[order]))
    size = pooled.members.sum(axis=1)
    large = ParityTerms(pooled.members[size >= 3], pooled.coefficients[size >= 3])
    single = size == 1
    slopes = pooled.coefficients[single] @ pooled.members[single]
    return Learned(np.asarray(slopes, dtype=float), rates, large, pooled)


def _sizes(n: int, d: int) -> list[int]:
    """Numbers of pairs at which candidates are judged: n, and halves of it down to d / 2."""
    found = [n]
    while found[-1] // 2 >= max(d // 2, 3):
        found.append(found[-1] // 2)
    return found


def _plain(d: int, n: int) -> list[list[Recipe]]:
    """Kernels without terms: with slopes tied down, and free where pairs can be spared."""
    tied, free = [Recipe("rates", 1.0, linear=0.9)], []
    if n >= d + SPARE:
        strengths = (0.6, 1.0, 1.6) if d <= MOST_FEATURES else (1.0, 3.0)
        free = [Recipe("rates", strength) for strength in strengths]
    # With plenty of pairs a prior on the slopes only costs time.
    return [recipes for recipes in (tied if n < _PLENTY * d else [], free) if recipes]


def _blends(base: Recipe) -> Iterator[Recipe]:
    """`base` with terms, which take over a part of what ties slopes down."""
    linear = 0.7 if base.linear > 0 else 0.0
    for share in (0.5, 0.9, 0.99):
        yield from (replace(base, linear=linear, share=share, power=power) for power in (0.5, 1.0))


def misfits(score: Floats, plain: Floats) -> NDArray[np.bool_]:
    """(t,): of which targets a prior explains little that the plain regression does not."""
    return np.asarray(np.isfinite(plain) & (score > _LITTLE * plain))


@dataclass(frozen=True, eq=False)
class _Scored:
    """A candidate with its best signal: logarithms of its scores (t,), and their mean."""

    mean: float
    recipe: Recipe
    signal: float
    scores: Floats


def _choice(taught: list[Learned], judged: list[list[OddPairs]], rows: Ints) -> Choice:
    """The best candidate at some of the pairs, and the best without terms."""

    def scored(recipe: Recipe) -> _Scored:
        scores = _scores(recipe, taught, judged, rows)
        mean = scores.mean(axis=1)
        best = int(mean.argmin())
        return _Scored(float(mean[best]), recipe, float(SIGNALS[best]), scores[best])

    bases = [
        min(map(scored, some), key=lambda entry: entry.mean)
        for some in _plain(taught[0].slopes.size, len(rows))
    ]
    found = list(bases)
    if all(len(learned.terms_with_linear) for learned in taught):
        found += [scored(recipe) for base in bases for recipe in _blends(base.recipe)]
    first, without = (min(some, key=lambda entry: entry.mean) for some in (found, bases))
    chosen = [first] if first is without else [first, without]
    plain = np.concatenate([plain_scores(*_at(targets, rows)) for targets in judged])
    return Choice(
        len(rows),
        tuple((entry.recipe, entry.signal) for entry in chosen),
        float(misfits(np.exp(first.scores), plain).mean()),
    )


def _scores(
    recipe: Recipe, taught: list[Learned], judged: list[list[OddPairs]], rows: Ints
) -> Floats:
    """(signals, t): logarithms of the scores of each half under what the other half taught."""
    found = []
    counted = np.append(np.ones(len(rows), dtype=bool), False)
    for learned, targets in zip(taught, judged, strict=True):
        x, noise, y = _at(targets, rows)
        basis = x @ recipe.free(x.shape[1]).directions
        decomposition = Decomposition.of(recipe.covariance(learned).matrix(x), basis, noise)
        found.append(np.log(np.maximum(decomposition.scores(y, counted), 1e-30)))
    return np.concatenate(found, axis=1)


def _at(targets: list[OddPairs], rows: Ints) -> tuple[Floats, Floats, Floats]:
    """Signs (n + 1, d), noise (n + 1,) and odd values (n + 1, t) at some pairs, and the end."""
    parts = [pairs.subset(rows).with_end(exactness=1e4) for pairs in targets]
    x, _, noise = parts[0]
    return x, noise, np.stack([odd for _, odd, _ in parts], axis=1)
