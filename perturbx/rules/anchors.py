"""Anchors: the rule under which a model keeps its decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from perturbx._validation import (
    check_integer,
    check_kind,
    check_names,
    check_number,
    check_random_state,
)
from perturbx.containers import holds_texts, layout_of, looks_like_images, training_rows
from perturbx.designs import CoalitionDesign
from perturbx.errors import (
    InvalidInputError,
    InvalidParameterError,
    NotFittedError,
)
from perturbx.game import probe_cost
from perturbx.maskers import (
    Background,
    BoundMasker,
    Features,
    FittedMasker,
    Instances,
    Masker,
    Superpixels,
    Tokens,
)
from perturbx.rules._anchor_search import Asker, Search
from perturbx.rules._base import BaseRule
from perturbx.rules._bounds import exact_interval, fresh_draws
from perturbx.rules._decisions import Decision, DecisionRule
from perturbx.rules._populations import (
    PiecePopulation,
    Population,
    Rule,
    cuts_of,
    row_population,
)
from perturbx.rules.anchor import Anchor, Reader

_BUDGETS = {True: 20_000, False: 2_000}
"""Without a budget, so many model rows for a row of a table, and for an image or text."""

_DRAWS_EACH = 48
"""The draws that every rule of a level should be able to get, if narrow ranges are offered."""


@dataclass(eq=False, repr=False)
class Anchors(BaseRule):
    """A rule that anchors the decision for one instance (Ribeiro, Singh & Guestrin, AAAI 2018).

    The rule is a conjunction of conditions that the instance meets: quantile ranges of numeric
    columns, equalities of categories, or pieces of an image or text that are kept. Its precision
    is the probability that the model keeps its decision for a random row under the rule, and its
    coverage the share of rows for which it holds. The search looks for the rule of largest
    coverage whose precision reaches the threshold.

    Parameters
    ----------
    predict_fn : callable or fitted model
        A batch of rows, images or texts to classes, or to the scores of each class.
    threshold : float
        The least precision of a rule.
    confidence : float
        Of the intervals of precision and coverage.
    budget : int, optional
        The most model rows; by default 20,000 for a table and 2,000 for an image or text. A
        quarter is kept for the draws that verify the rule. The three rows by which the model's
        outputs are learned come on top.
    decision : float or callable, optional
        What must stay the same: a threshold of a single score, or a function of the outputs, (n,)
        or (n, k), that returns (n,) labels. By default the class of the largest output, or the
        label itself where predict_fn returns whole numbers.
    masker : Masker, optional
        Removes the pieces of an image or text; by default superpixels or words. With a masker, the
        pieces of a row are its columns, which are kept as they are or removed.
    n_bins : int
        The search offers ranges of numeric columns that end at quantiles, which cut the rows into
        so many parts of about one size, and, where the budget is large for the number of columns,
        the narrowest range around the instance at quantiles five times as fine. At the end ranges
        are widened by such fine steps.
    beam : int
        The number of rules that are extended by one more condition.
    max_conditions : int
        The most conditions, where the two ends of a range count as two.
    n_anchors : int
        The most rules to find. Each further one does without a feature of every rule before it:
        the one whose condition by itself covers least. The budget is shared evenly.
    feature_names, output_names : sequence of str, optional
        Names where neither the model nor the container gives them.
    batch_size : int, optional
        The most rows in one call of predict_fn.
    {asking}
    random_state : int, numpy generator or None
        Fixes every number, whatever batch_size.

    Notes
    -----
    Under a rule, the columns that it does not mention come together from one training row, as in
    `Background`. Each column that it mentions takes the value of another training row that meets
    the condition, or the instance's own for an equality. The precision is that of these draws,
    not of the rows that happen to satisfy the rule: columns that are correlated are drawn apart.

    The beam search compares rules by KL-LUCB (Kaufmann & Kalyanakrishnan, COLT 2013). A rule that
    wins a comparison looks better than it is, so that its precision is estimated again, from
    draws which the search has not seen. Their Clopper-Pearson interval covers the true precision
    at least as often as it says, and ``reached`` is wrong in at most half of the rest. At the
    end, conditions are dropped or widened while the rule stays valid.

    On many columns the budget does not pay for every rule of one condition more. Draws under the
    rule that is extended then tell, by the other conditions that hold in them, which ones are worth
    asking for. Where columns are correlated many conditions may be needed, since a random row
    contradicts the rule in the columns that it does not mention: on breast cancer (30 columns) 7
    and more.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.random.default_rng(0).normal(size=(400, 3))
    >>> approves = lambda X: ((X[:, 0] > 0) & (X[:, 1] > -1)).astype(int)
    >>> anchors = px.Anchors(approves, feature_names=["income", "savings", "age"], random_state=0)
    >>> anchor = anchors.fit(X).explain([2.0, 0.5, 0.1])
    >>> [condition.feature for condition in anchor.conditions], anchor.reached
    (['income', 'savings'], True)
    """

    threshold: float = field(default=0.95, kw_only=True)
    confidence: float = field(default=0.95, kw_only=True)
    budget: int | None = field(default=None, kw_only=True)
    decision: DecisionRule = field(default=None, kw_only=True)
    masker: Masker | None = field(default=None, kw_only=True)
    n_bins: int = field(default=4, kw_only=True)
    beam: int = field(default=4, kw_only=True)
    max_conditions: int = field(default=12, kw_only=True)
    n_anchors: int = field(default=1, kw_only=True)
    feature_names: Sequence[str] | None = field(default=None, kw_only=True)

    def fit(self, X: Any = None) -> Anchors:
        """Learn the ranges and values of the columns, or whatever the masker needs.

        Parameters
        ----------
        X : table of rows, optional
            Training data; images and texts need none.

        Returns
        -------
        self
        """
        self._check_parameters()
        rng = np.random.default_rng(check_random_state(self.random_state))
        names = None if self.feature_names is None else list(self.feature_names)
        for learned in ("masker_", "layout_", "rows_", "cuts_"):
            self.__dict__.pop(learned, None)
        if self.masker is not None:
            self.masker_ = self.masker.fit(X, Features(names), rng)
        elif X is not None and not looks_like_images(X) and not holds_texts(X):
            rows = training_rows(X)
            self.layout_ = layout_of(rows, names)
            self.rows_ = self.layout_.take(rows, np.arange(rows.shape[0]))
            self.cuts_ = cuts_of(self.layout_, self.rows_, self.n_bins)
            one = self.layout_.take(rows, np.arange(1))
            self.masker_ = Background(one).fit(None, Features(names), rng)
        return self

    def explain(self, x: Any) -> Anchor:
        """The rule of one instance.

        Parameters
        ----------
        x : one row, one image or one text
            In the container that `fit` saw.

        Returns
        -------
        Anchor
            If no rule reaches the threshold, the one that comes closest; ``reached`` tells.

        Raises
        ------
        NotFittedError
            For a row of a table, if `fit` has not been called.
        InvalidInputError
            If there are several instances, or if x is not like the X of `fit`.
        InvalidParameterError
            If a parameter cannot have its value, or if the outputs are no decisions.
        BudgetError
            If the budget cannot show that any rule reaches the threshold.
        PredictFnError
            If the model fails, or answers with something that cannot be explained.
        """
        self._check_parameters()
        seeds = check_random_state(self.random_state)
        seed = seeds.entropy
        assert isinstance(seed, int)
        of_search, of_draws, of_masker = map(np.random.default_rng, seeds.spawn(3))
        masker = self._fitted(x, of_masker)
        instances = masker.check(x)
        if len(instances) != 1:
            raise InvalidInputError(
                f"A rule is for one instance, and x holds {len(instances)}: call explain(x) for "
                "each, with one row, one image or one text."
            )
        population, notes = self._population(masker, instances)
        budget = (self.budget or _BUDGETS[population.n_training > 0]) // self.n_anchors
        n_fresh = fresh_draws(budget, self.threshold, self.confidence)
        predictor = self._probe(instances)
        decision = Decision(self.decision, predictor)
        label = decision.labels(predictor.first_answers[:1])[0]
        asker = Asker(population, predictor, decision, label, self.batch_size)
        found, banned, total = list[Anchor](), frozenset[int](), probe_cost(predictor)
        while len(found) < self.n_anchors:
            search = Search(
                *(asker, of_search, budget - n_fresh, self.threshold, 1 - self.confidence),
                *(n_fresh, banned),
            )
            rule = search.run(self.beam, self.max_conditions)
            (kept,), cost = asker.agreeing([rule], [n_fresh], of_draws)
            total += search.cost + cost
            if not found or rule:
                found.append(self._anchor(asker, rule, int(kept), n_fresh))
            if not rule:  # it holds always, or nothing is left to say
                break
            narrowest = min(rule, key=lambda i: population.coverage((i,)))
            banned |= {population.feature(narrowest)}
        first, *others = (
            replace(anchor, random_state=seed, reader=self._reader(instances)) for anchor in found
        )
        return replace(
            first,
            n_rows=total.n_rows,
            n_calls=total.n_calls,
            notes=(*masker.notes, *notes, *first.notes),
            alternatives=tuple(others),
        )

    def _anchor(self, asker: Asker, rule: Rule, kept: int, n_fresh: int) -> Anchor:
        population, name = asker.population, asker.decision.name(asker.label)
        interval = exact_interval(kept, n_fresh, self.confidence)
        coverage, n = population.coverage(rule), population.n_training
        covered, draws = (coverage, coverage), "the other pieces at random"
        if n:
            covered = exact_interval(round(coverage * n), n, self.confidence)
            draws = "the other columns from random training rows"
        reached = interval[0] >= self.threshold
        return Anchor(
            conditions=population.conditions(rule),
            decision=name,
            precision=kept / n_fresh,
            precision_interval=interval,
            coverage=coverage,
            coverage_interval=covered,
            threshold=self.threshold,
            confidence=self.confidence,
            reached=reached,
            draws=draws,
            n_fresh=n_fresh,
            n_training=n,
            n_rows=0,
            n_calls=0,
            random_state=0,
            notes=self._notes(rule, name, kept == n_fresh, reached),
        )

    def _notes(self, rule: Rule, name: str, is_constant: bool, reached: bool) -> tuple[str, ...]:
        if not reached:
            return (
                f"no rule was shown to keep the decision for {self.threshold:g} of its rows: this "
                "is the one that comes closest. Raise budget or max_conditions, or lower "
                "threshold",
            )
        if rule:
            return ()
        if is_constant:
            return (
                f"predict_fn decided {name!r} for every random row, as a model of a single class "
                "does: no condition changes anything",
            )
        return ("random rows get this decision so often that no condition is needed",)

    def _population(
        self, masker: FittedMasker, instances: Instances
    ) -> tuple[Population, tuple[str, ...]]:
        if self.masker is None and "rows_" in vars(self):
            row = instances.take(0, 1)
            # On wide tables twice as many rules to compare cost more than narrow ranges bring.
            rules = len(self.cuts_) * (self.n_bins + 1) * self.beam
            narrow = rules * _DRAWS_EACH <= (self.budget or _BUDGETS[True])
            return row_population(self.layout_, self.rows_, row, self.cuts_, narrow=narrow)
        (bound,) = instances.bind(0, 1)
        _check_pieces(bound)
        return PiecePopulation(bound), ()

    def _reader(self, instances: Instances) -> Reader | None:
        if self.masker is not None or "rows_" not in vars(self):
            return None
        return Reader(self.masker_, self.layout_, instances.take(0, 1))

    def _fitted(self, x: Any, rng: np.random.Generator) -> FittedMasker:
        if "masker_" in vars(self):
            return self.masker_
        if self.masker is None and not looks_like_images(x) and not holds_texts(x):
            raise NotFittedError(
                "Anchors learns ranges and categories from data: call fit(X_train) before "
                "explain. Images and texts need no fit."
            )
        masker = self.masker or (Superpixels() if looks_like_images(x) else Tokens())
        if masker.needs_fit:
            raise NotFittedError(
                f"{type(masker).__name__} learns from data: call fit(X_train) before explain."
            )
        return masker.fit(x, Features(self.feature_names, None), rng)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number("threshold", self.threshold, above=0, below=1)
        check_number("confidence", self.confidence, above=0, below=1)
        check_integer("n_bins", self.n_bins, minimum=2)
        check_integer("beam", self.beam, minimum=1)
        check_integer("max_conditions", self.max_conditions, minimum=1)
        check_integer("n_anchors", self.n_anchors, minimum=1)
        if self.budget is not None:
            check_integer("budget", self.budget, minimum=1)
        if self.feature_names is not None:
            check_names("feature_names", self.feature_names)
        if self.masker is not None:
            check_kind("masker", self.masker, Masker, "a masker, such as px.Superpixels()")


def _check_pieces(bound: BoundMasker) -> None:
    """Refuse maskers that cannot show a random subset of pieces by one model row."""
    if not issubclass(CoalitionDesign, bound.accepts) or bound.knows_answers:
        raise InvalidParameterError(
            "Anchors keeps or removes pieces, and this masker does neither: pass px.Superpixels(), "
            "px.Windows(), px.Tokens() or px.Background()."
        )
    if bound.rows_per_perturbation > 1 and not bound.single_rows:
        raise InvalidParameterError(
            "Anchors needs one row at a time, and this masker builds all of its rows together: "
            "leave masker out, or pass px.Background()."
        )
