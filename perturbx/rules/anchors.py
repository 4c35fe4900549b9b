"""Anchors: the rule under which a model keeps its decision."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any

import numpy as np

from perturbx._progress import progress_bar
from perturbx._shared import Shared
from perturbx._validation import (
    check_flag,
    check_integer,
    check_kind,
    check_names,
    check_number,
    check_random_state,
    invalid,
)
from perturbx._workers import check_workers, in_workers, n_workers, workers_kept
from perturbx.containers import holds_texts, layout_of, looks_like_images, training_rows
from perturbx.designs import CoalitionDesign
from perturbx.errors import InvalidParameterError, NotFittedError
from perturbx.game import Cost, probe_cost
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
from perturbx.predictor import Predictor
from perturbx.rules._anchor_rows import Known, RowTask, Settings
from perturbx.rules._base import BaseRule
from perturbx.rules._bounds import fresh_draws
from perturbx.rules._decisions import Decision, DecisionRule
from perturbx.rules._populations import (
    PiecePopulation,
    Population,
    cuts_of,
    row_population,
)
from perturbx.rules.anchor import Anchor, Reader
from perturbx.rules.anchor_list import AnchorList

_BUDGETS = {True: 20_000, False: 2_000}
"""Without a budget, so many model rows for a row of a table, and for an image or text."""

_TASKS_PER_WORKER = 4
"""So many instances are prepared at once for each worker."""

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
        The most model rows of one instance; by default 20,000 for a table and 2,000 for an image
        or text. A quarter is kept for the draws that verify the rule. The three rows by which the
        model's outputs are learned come on top, and the instance itself where there are several.
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
    warm_start : bool
        True to begin the search for each row of a table with what earlier rows of the same
        decision taught: their rules are tried first, and draws under rules that hold for this row
        as well count in its search. Where such a rule suffices fewer model rows are needed (a
        third less for a rule of two columns); where none does, as often on correlated columns, the
        budget is spent all the same. An anchor then depends on the rows before it; its interval
        rests on fresh draws of its own alone.
    feature_names, output_names : sequence of str, optional
        Names where neither the model nor the container gives them.
    batch_size : int, optional
        The most rows in one call of predict_fn.
    {asking}
    n_jobs : int, optional
        Workers that find the anchors of several instances, as in joblib; None leaves it to
        ``joblib.parallel_config``. With `warm_start` they are found one after the other.
    random_state : int, numpy generator or None
        Fixes every number, whatever n_jobs and batch_size.
    verbose : int
        1 shows a progress bar with rows per second and the time left.

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
    warm_start: bool = field(default=False, kw_only=True)
    feature_names: Sequence[str] | None = field(default=None, kw_only=True)
    n_jobs: int | None = field(default=None, kw_only=True)
    verbose: int = field(default=0, kw_only=True)

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

    def explain(self, x: Any) -> Anchor | AnchorList:
        """The rule of each instance.

        Parameters
        ----------
        x : one row, image or text, or several
            In the container that `fit` saw.

        Returns
        -------
        Anchor or AnchorList
            The anchor of a single instance, also if it comes in a batch of one; a list for
            several. If no rule reaches the threshold, the one that comes closest; ``reached``
            tells.

        Raises
        ------
        NotFittedError
            For a row of a table, if `fit` has not been called.
        InvalidInputError
            If x is not like the X of `fit`.
        InvalidParameterError
            If a parameter cannot have its value, or if the outputs are no decisions.
        BudgetError
            If the budget cannot show that any rule reaches the threshold.
        PredictFnError
            If the model fails, or answers with something that cannot be explained.
        """
        self._check_parameters()
        seeds = check_random_state(self.random_state)
        *streams, of_masker = seeds.spawn(3)
        if self.warm_start and not self._reads_rows:
            raise InvalidParameterError(
                "warm_start=True is for rules on the columns of a table, and no other: pieces of "
                "one input tell nothing about those of another. Leave it out."
            )
        masker = self._fitted(x, np.random.default_rng(of_masker))
        instances = masker.check(x)
        n = len(instances)
        settings = self._settings(seeds, instances)
        check_workers(self.predict_fn, self.n_jobs)
        tasks = self._tasks(masker, instances, settings, seeds, streams)
        first = next(tasks)
        predictor = self._probe(instances)
        Decision(self.decision, predictor).labels(predictor.first_answers)
        total = probe_cost(predictor)
        shown = progress_bar(n * self._budget) if self.verbose else nullcontext()
        with workers_kept(), shown as bar:
            progress = bar.update if bar is not None else None
            anchors = tuple(self._found(chain([first], tasks), n, predictor, progress))
        for anchor in anchors:
            total += Cost(anchor.n_rows, anchor.n_calls)
        if n == 1:
            return replace(anchors[0], n_rows=total.n_rows, n_calls=total.n_calls)
        return AnchorList(anchors, total.n_rows, total.n_calls, settings.seed)

    def _settings(self, seeds: np.random.SeedSequence, instances: Instances) -> Settings:
        assert isinstance(seeds.entropy, int)
        budget = self._budget // self.n_anchors
        fresh_draws(budget, self.threshold, self.confidence)
        return Settings(
            threshold=self.threshold,
            confidence=self.confidence,
            budget=budget,
            decision=self.decision,
            beam=self.beam,
            max_conditions=self.max_conditions,
            n_anchors=self.n_anchors,
            batch_size=self.batch_size,
            seed=seeds.entropy,
        )

    @property
    def _budget(self) -> int:
        return self.budget or _BUDGETS[self._reads_rows]

    @property
    def _reads_rows(self) -> bool:
        """True for rules on columns of training rows, False for those on pieces of one input."""
        return self.masker is None and "rows_" in vars(self)

    def _tasks(
        self,
        masker: FittedMasker,
        instances: Instances,
        settings: Settings,
        seeds: np.random.SeedSequence,
        streams: list[np.random.SeedSequence],
    ) -> Iterator[RowTask]:
        """What to do for each instance.

        All have the same random numbers, so that an anchor does not depend on its company. With a
        warm start each has its own: draws that are known would be drawn again, and rules be judged
        by the draws that have suggested them.
        """
        n = len(instances)
        for i in range(n):
            of_search, of_draws = seeds.spawn(2) if i and self.warm_start else streams
            population, notes = self._population(instances, i)
            yield RowTask(
                settings=settings,
                population=population,
                own=instances.take(i, i + 1),
                reader=self._reader(instances, i),
                seeds=(of_search, of_draws),
                notes=(*masker.notes, *notes),
                where=f" of instance {i}" * (n > 1),
            )

    def _found(
        self,
        tasks: Iterator[RowTask],
        n: int,
        predictor: Predictor,
        progress: Callable[[int], Any] | None,
    ) -> Iterator[Anchor]:
        """The anchors in order, from workers if there are several and no row waits for another."""
        jobs = min(n_workers(self.n_jobs), n)
        if self.warm_start or jobs == 1:
            known = Known() if self.warm_start else None
            yield from (task.anchor(predictor.numbered(), progress, known) for task in tasks)
            return
        backend = "threading" if predictor.is_async else None
        shared = [Shared(predictor.predict_fn)]
        while some := list(islice(tasks, _TASKS_PER_WORKER * jobs)):
            asked = ((task, predictor.numbered()) for task in some)
            if len(shared) == 1:
                shared.append(Shared(some[0]))
            for anchor in in_workers(RowTask.anchor, asked, self.n_jobs, shared, backend):
                if progress:
                    progress(anchor.n_rows)
                yield anchor

    def _population(self, instances: Instances, i: int) -> tuple[Population, tuple[str, ...]]:
        if self._reads_rows:
            row = instances.take(i, i + 1)
            # On wide tables twice as many rules to compare cost more than narrow ranges bring.
            rules = len(self.cuts_) * (self.n_bins + 1) * self.beam
            narrow = rules * _DRAWS_EACH <= self._budget
            return row_population(self.layout_, self.rows_, row, self.cuts_, narrow=narrow)
        (bound,) = instances.bind(i, i + 1)
        _check_pieces(bound)
        return PiecePopulation(bound), ()

    def _reader(self, instances: Instances, i: int) -> Reader | None:
        if not self._reads_rows:
            return None
        return Reader(self.masker_, self.layout_, instances.take(i, i + 1))

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
        check_flag("warm_start", self.warm_start)
        if self.n_jobs is not None and check_integer("n_jobs", self.n_jobs) == 0:
            raise invalid("n_jobs", "None or an integer other than 0, such as -1", self.n_jobs)
        if not isinstance(self.verbose, (bool, np.bool_)):
            check_integer("verbose", self.verbose, minimum=0)
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
