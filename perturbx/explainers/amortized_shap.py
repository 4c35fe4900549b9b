"""Shapley values at the price of one forward pass, learned from noisy ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx._validation import check_flag, check_integer, check_random_state, top_of
from perturbx.containers import TableNumbers, layout_of, training_rows
from perturbx.errors import InvalidInputError, InvalidParameterError, NotFittedError
from perturbx.explainers._base import BaseExplainer, by_value
from perturbx.explainers._learned_scores import Judged, Learned, Reach, Shares, Student, parted
from perturbx.explainers._notes import warn_of_doubts
from perturbx.explainers._plan import RecipeContext
from perturbx.explainers._provenance import provenance
from perturbx.explainers._threads import threads_kept
from perturbx.explainers.permutation_shap import PermutationShap
from perturbx.features import Columns
from perturbx.game import Cost, Game
from perturbx.maskers import BoundMasker, Instances, Segments, Tokens
from perturbx.predictor import Predictor
from perturbx.result import Explanation, PerInstance, Remark
from perturbx.samplers import Sampler
from perturbx.solvers import Solver

_FEWEST_ROWS = 20
"""Fewer rows of `fit` than this teach nothing."""

_HELD_OUT, _MOST_HELD_OUT = 5, 400
"""One in so many rows is held out, up to so many."""

_TOGETHER = 8
"""So many rows share random orders: their noise is correlated, and that of others is not."""

_ORDERS = 10
"""Without a budget, so many orders, there and back, for each row that is learned from."""

_FINER = 3
"""Without a budget, a row unlike those learned from gets so many times as much."""

_FEWEST_ORDERS = 2
"""The same where each coalition costs a model row for each background row."""

_SHARED = (
    *("outputs", "output_names", "feature_names", "groups", "link"),
    *("batch_size", "n_jobs", "stochastic"),
)
"""The settings of fresh values."""

_FRESH = "unlike the rows that scores were learned from: fresh values instead, at a higher cost"
_KEPT = "unlike the rows that scores were learned from: errors may be larger than reported"

_MOST_LEVELS = 250
"""So many categories of a column are told apart."""

_STEP = 8192
"""Rows that are explained at once."""


@dataclass(eq=False, repr=False)
class AmortizedShap(BaseExplainer):
    """Shapley values learned once, then one forward pass per row.

    `fit` estimates unbiased, noisy Shapley values of some training rows (`PermutationShap`), and
    learns each feature's score from the row: boosted trees average the noise of similar rows
    (stochastic amortization: Covert, Kim, Lee, Zou & Hashimoto, NeurIPS 2024; FastSHAP: Jethani
    et al., ICLR 2022; L2X: Chen et al., ICML 2018). `explain` then asks the model once per row.
    What the learned scores miss of the output is shared among the features in proportion to the
    squared error of each (least squares), so that scores add up exactly.

    For tables. Images and texts have features of their own in every instance.

    Parameters
    ----------
    {common}
    max_rows : int
        The most rows of `fit` to estimate scores for; one in five of them, up to 400, is held out
        to measure the errors.
    fallback : bool
        Whether rows unlike those learned from get fresh values from `PermutationShap`, with the
        same `budget`; False keeps the learned ones. Both are told in the notes.

    Notes
    -----
    `budget` is what each row costs in `fit` (a held-out row twice), and a row unlike those learned
    from in `explain`; all others cost one model row. Without a budget it pays for ten random
    orders, there and back, with one background row each, and for three times as much in `explain`.
    At the same total, more rows with more
    noise teach more than few exact ones.

    ``learned_`` tells R2, its 95% interval and the cost of `fit`. A held-out row has two estimates
    with independent noise, a and b, so that the mean of (s - a)(s - b) is the squared error of
    learned scores s, whatever the noise. The standard errors of scores are the roots of these
    means, for each feature and size of its score: they are those of a typical row with such a
    score, not of the very row.

    A row is unlike those learned from if a number lies beyond theirs, if a category or a missing
    value is new, or if the scores, before they are completed, miss the output by more than twice
    what 99% of held-out rows do.

    Boosted trees were chosen among regressors by their R2 on exact values of a forest (breast
    cancer, 30 features, 400 rows), given the same noisy ones: .94 with the same random orders for
    all rows, against .89 for forests and .84 to .89 for networks. Random orders are shared by eight
    rows at a time, since noise that all rows share does not average out: .96. Trees of eight
    leaves, 40 for each feature, lose nothing against 300 of 15, at an eighth of the time.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.random.default_rng(0).normal(size=(400, 3))
    >>> explainer = px.AmortizedShap(lambda X: X[:, 0] - 2 * X[:, 1], random_state=0).fit(X)
    >>> bool(explainer.learned_.r2[0] > 0.95)
    True
    >>> explanation = explainer.explain(X[:100])
    >>> explanation.n_rows, bool(np.abs(explanation.residual).max() < 1e-12)
    (100, True)
    """

    max_rows: int = field(default=2000, kw_only=True)
    fallback: bool = field(default=True, kw_only=True)

    def recipe(self, context: RecipeContext) -> tuple[Sampler, Solver]:
        return PermutationShap(self.predict_fn).recipe(context)

    def fit(self, X: Any = None) -> AmortizedShap:
        """Estimate scores of rows of X, and learn them.

        Parameters
        ----------
        X : table of rows
            Training data.

        Returns
        -------
        self

        Raises
        ------
        InvalidInputError
            If X is no table, or has fewer than 20 rows.
        InvalidParameterError, BudgetError, PredictFnError
            As `PermutationShap`.
        """
        self.__dict__.pop("learned_", None)
        self._check_parameters()
        masker = None if X is None else self._masker_for(X)
        if masker is not None and (masker.of_images or isinstance(masker, (Segments, Tokens))):
            raise InvalidParameterError(
                "AmortizedShap learns scores of the columns of a table, and images, series and "
                "texts have none: use px.KernelShap or px.PermutationShap."
            )
        rows = None if X is None else training_rows(X)
        n = 0 if rows is None else int(rows.shape[0])
        if n < _FEWEST_ROWS:
            raise InvalidInputError(
                f"AmortizedShap learns from {_FEWEST_ROWS} rows of a table or more, and got {n}: "
                "pass more training rows to fit, or use px.PermutationShap."
            )
        super().fit(X)
        (bound,) = self.masker_.check(X).bind(0, 1)
        names = None if self.feature_names is None else list(self.feature_names)
        layout = layout_of(rows, names)
        seeds = np.random.SeedSequence(self.fit_random_state_, spawn_key=(7,))
        rng = np.random.default_rng(seeds)
        chosen = rng.permutation(n)[: self.max_rows]
        rows = layout.take(rows, chosen)
        self.numbers_ = TableNumbers.of(layout, rows, _MOST_LEVELS)
        self.learned_ = self._learned(rows, bound, rng)
        return self

    def _learned(self, rows: Any, bound: BoundMasker, rng: np.random.Generator) -> Learned:
        n = int(rows.shape[0])
        values, take = self.numbers_.encode(rows), self.numbers_.layout.take
        taught, held_out = parted(n, min(max(n // _HELD_OUT, 4), _MOST_HELD_OUT), rng)
        budget = self.budget or _budget(bound, self.link)
        seeds = iter(rng.integers(2**31, size=3 * n).tolist())
        found, cost = [], Cost()
        mixed = rng.permutation(len(held_out))  # rows that share noise in a do not in b
        for part in (taught, held_out, held_out[mixed]):
            groups = [part[i : i + _TOGETHER] for i in range(0, len(part), _TOGETHER)]
            fresh = [self._fresh(take(rows, at), budget, next(seeds)) for at in groups]
            cost += Cost(sum(one.n_rows for one in fresh), sum(one.n_calls for one in fresh))
            found.append([np.concatenate(each) for each in zip(*map(_arrays, fresh), strict=True)])
        (scores, base, _), (a, _, full), (b, *_) = found
        b = b[np.argsort(mixed)]
        is_category = self.numbers_.is_category
        student = Student.of(values[taught], scores, is_category, int(next(seeds)))
        raw, active = student.predict(values[held_out]), np.asarray(scores.any(axis=0))
        shares = Shares.of(((raw - a) * (raw - b)).mean(axis=0), active)
        completed, missing = shares.complete(raw, full - base[0])
        columns, keeps = self._predictor.select(self.outputs, self._predictor.first_answers)
        return Learned(
            student,
            shares,
            Judged.of(completed, (a, b)),
            Reach.of(values, is_category, missing),
            base[0],
            columns[0],
            keeps,
            len(taught),
            cost,
        )

    def explain(self, X: Any) -> Explanation:
        """Scores of every feature of every row of X, in one forward pass.

        Parameters
        ----------
        X : table of rows, or one row
            In the container that `fit` saw.

        Returns
        -------
        Explanation
            ``n_rows`` does not count what `fit` spent, which ``learned_.cost`` tells.

        Raises
        ------
        NotFittedError, InvalidInputError, InvalidParameterError, PredictFnError
            As every method.
        """
        self._check_ready(X)
        instances = self.masker_.check(X)
        game, step = Game(self._predictor, self.link), self.batch_size or _STEP
        with threads_kept():
            parts = [self._chunk(game, instances, part) for part in instances.chunks(step)]
            found = _Found.joined(parts, step)
            seed = check_random_state(self.random_state).entropy
            assert isinstance(seed, int)
            if self.fallback and found.is_far.any():
                self._replace(found, instances, seed)
        explanation = self._explanation(found, instances, seed)
        warn_of_doubts(explanation, self.tol)
        return explanation

    def _foreseen(self, X: Any) -> tuple[Cost, Predictor, bool]:
        self._check_ready(X)
        n = len(self.masker_.check(X))
        return Cost(n, -(-n // (self.batch_size or _STEP))), self._predictor, False

    def _check_ready(self, X: Any) -> None:
        """Refuse to explain before `fit`, and with settings that have changed since."""
        self._check_parameters()
        if "learned_" not in vars(self):
            raise NotFittedError(
                "AmortizedShap learns scores from data: call fit(X_train) before explain."
            )
        self._fitted(X)

    def _fresh(self, rows: Any, budget: int | None, seed: int) -> Explanation:
        """Unbiased scores of some rows, removed by the same masker."""
        settings = {name: getattr(self, name) for name in _SHARED}
        explainer = PermutationShap(self.predict_fn, **settings, budget=budget, random_state=seed)
        explainer.masker_, explainer.predictor_ = self.masker_, self._predictor
        explainer.fit_random_state_ = self.fit_random_state_
        explainer.fitted_with_ = explainer._settings_of_fit()
        return explainer.explain(rows)

    def _replace(self, found: _Found, instances: Instances, seed: int) -> None:
        """Fresh scores for the rows that are far from those learned from."""
        places = np.flatnonzero(found.is_far)
        rows = self.numbers_.layout.take(instances.take(0, len(instances)), places)
        (bound,) = instances.bind(0, 1)
        budget = self.budget or _FINER * _budget(bound, self.link)
        fresh = self._fresh(rows, budget, seed)
        found.scores[places] = _arrays(fresh)[0]
        found.errors[places] = fresh.standard_errors.reshape(found.scores[places].shape)
        assert fresh.per_instance is not None
        found.costs[places] += np.stack([fresh.per_instance.n_rows, fresh.per_instance.n_calls], 1)
        found.degrees = fresh.degrees_of_freedom
        for place, estimator in zip(places, fresh.per_instance.estimators, strict=True):
            found.estimators[place] = estimator

    def _chunk(self, game: Game, instances: Instances, part: slice) -> tuple[Any, ...]:
        """Scores, outputs, errors and data of some rows, and which of them are far."""
        learned, n = self.learned_, part.stop - part.start
        batch = instances.take(part.start, part.stop)
        place = f"instances {part.start} to {part.stop - 1}"
        values = self.numbers_.encode(batch)
        shown = self.numbers_.layout.values(batch)
        answers = self._predictor(batch, n, None, place)
        full = game.linked(answers[:, learned.columns])
        scores, missing = learned.scores(values, full)
        errors = learned.judged.standard_errors(scores)
        return scores, errors, full, shown, learned.reach.far(values, missing)

    def _explanation(self, found: _Found, instances: Instances, seed: int) -> Explanation:
        learned, predictor = self.learned_, self._predictor
        one = 0 if instances.single else slice(None)
        output = slice(None) if learned.keeps_outputs else 0
        scores, full = found.scores, found.full
        base = np.broadcast_to(learned.base, full.shape).copy()
        converged = None
        if self.tol:
            reach = np.ptp(scores, axis=1)
            converged = (found.errors.max(axis=1) <= self.tol * reach).all(axis=1)
        text = _FRESH if self.fallback else _KEPT
        told = tuple(text if far else "" for far in found.is_far.tolist())
        remark = Remark(told, found.is_far.astype(np.float64))
        each = PerInstance(
            tuple(found.estimators), found.costs[:, 0], found.costs[:, 1], converged, (remark,)
        )
        kept = np.array([not instances.single, True, learned.keeps_outputs])
        names = np.asarray(predictor.output_names, dtype=object)[learned.columns]
        through = "" if self.link == "identity" else f"{self.link} of "
        return Explanation(
            values=scores[one, :, output],
            standard_errors=found.errors[one, :, output],
            base_values=base[one, output],
            predictions=full[one, output],
            residual=(full - base - scores.sum(axis=1))[one, output],
            data=self._features.shown(found.data)[one],
            feature_names=self._features.names,
            output_names=tuple(names.tolist()),
            axes=tuple(np.array(["instance", "feature", "output"])[kept].tolist()),
            value_function=f"{through}{predictor.name}, {self.masker_.value_function}",
            degrees_of_freedom=found.degrees,
            notes=(*self.masker_.notes, *learned.notes, *each.notes),
            provenance=provenance(self, predictor.name, seed, self.fit_random_state_),
            per_instance=None if instances.single else each,
            **each.together(type(self).__name__),
        )

    def _settings_of_fit(self) -> dict[str, Any]:
        outputs = by_value(self.outputs)
        return {**super()._settings_of_fit(), "outputs": outputs, "link": self.link}

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_integer("max_rows", self.max_rows, minimum=_FEWEST_ROWS)
        check_flag("fallback", self.fallback)
        if top_of(self.outputs) is not None:
            raise InvalidParameterError(
                f"outputs={self.outputs!r} differ from row to row, and scores are learned for each "
                "output: name the outputs, or leave outputs out for all."
            )

    @property
    def _predictor(self) -> Predictor:
        assert self.predictor_ is not None
        return self.predictor_

    @property
    def _features(self) -> Columns:
        layout = self.numbers_.layout
        return Columns.grouped(layout.names, layout.labels, self.groups)


@dataclass(eq=False)
class _Found:
    """Scores and errors (n, d, k), outputs (n, k), data, and which rows are far (n,)."""

    scores: Floats
    errors: Floats
    full: Floats
    data: NDArray[Any]
    is_far: NDArray[np.bool_]
    costs: NDArray[np.intp]
    estimators: list[str]
    degrees: float = np.inf

    @classmethod
    def joined(cls, parts: list[tuple[Any, ...]], step: int) -> _Found:
        """Of consecutive rows, for each of which the model was asked once, `step` at a time."""
        scores, errors, full, data, is_far = map(np.concatenate, zip(*parts, strict=True))
        n = len(scores)
        costs = np.stack([np.ones(n, dtype=np.intp), np.arange(n) % step == 0], axis=1)
        return cls(scores, errors, full, data, is_far, costs.astype(np.intp), ["learned"] * n)


def _arrays(explanation: Explanation) -> tuple[Floats, Floats, Floats]:
    """Scores (n, d, k), base values and outputs (n, k), with an axis for a single output."""
    n, d = explanation.values.shape[:2]
    scores = explanation.values.reshape(n, d, -1)
    return scores, explanation.base_values.reshape(n, -1), explanation.predictions.reshape(n, -1)


def _budget(bound: BoundMasker, link: str) -> int:
    """Model rows for a few orders of all features, there and back."""
    n_background, d = bound.rows_per_perturbation, bound.n_features
    is_single = n_background == 1 or (link == "identity" and bound.single_rows)
    each, n_orders = (1, _ORDERS) if is_single else (n_background, _FEWEST_ORDERS)
    return 1 + n_background + 2 * n_orders * max(d - 1, 1) * each
