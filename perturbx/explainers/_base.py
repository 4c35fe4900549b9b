"""What every method shares: parameters, ``fit``, and the loop of ``explain``."""

from __future__ import annotations

import copy
import numbers
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.base import BaseEstimator

from perturbx._typing import LinkName, OutputSelection, PredictFn, RandomState
from perturbx._validation import (
    check_choice,
    check_integer,
    check_keywords,
    check_names,
    check_number,
    check_random_state,
    check_selection,
    invalid,
)
from perturbx._workers import check_workers, workers_kept
from perturbx.archive import Archive, ArchiveLike
from perturbx.containers import holds_texts, layout_of, looks_like_images, training_rows
from perturbx.errors import InvalidParameterError, NotFittedError, UnknownParameterError
from perturbx.explainers._docstring import COMMON
from perturbx.explainers._explain import explain
from perturbx.explainers._memory import bytes_of
from perturbx.explainers._notes import warn_of_doubts
from perturbx.explainers._plan import Plan, Problem, RecipeContext, check_outputs, check_plan
from perturbx.explainers._provenance import provenance
from perturbx.explainers._recall import about, recalled
from perturbx.explainers._stream import InChunks
from perturbx.explainers._threads import threads_kept
from perturbx.explainers.cost_estimate import EstimatesCost
from perturbx.game import Cost, Game, probe, probe_cost, unasked
from perturbx.maskers import (
    Background,
    Features,
    FittedMasker,
    Instances,
    Masker,
    Superpixels,
    Tokens,
)
from perturbx.predictor import Patience, Predictor, RetryOn, resolve
from perturbx.result import Explanation
from perturbx.samplers import Sampler
from perturbx.solvers import Solver
from perturbx.storage import Saved


@dataclass(eq=False, repr=False)
class BaseExplainer(BaseEstimator, Saved, InChunks, EstimatesCost):
    """A method: a recipe of masker, sampler and solver around one ``predict_fn``.

    A subclass is a dataclass (``eq=False, repr=False``) that says which sampler and solver it
    pins in `recipe`, and adds fields of its own if it has settings.
    """

    remade: ClassVar[tuple[str, ...]] = ("predictor_", "fitted_with_")

    predict_fn: PredictFn | Any
    masker: Masker | None = field(default=None, kw_only=True)
    budget: int | None = field(default=None, kw_only=True)
    tol: float | None = field(default=None, kw_only=True)
    outputs: OutputSelection = field(default=None, kw_only=True)
    output_names: Sequence[str] | None = field(default=None, kw_only=True)
    feature_names: Sequence[str] | None = field(default=None, kw_only=True)
    groups: Mapping[str, Sequence[str | int]] | None = field(default=None, kw_only=True)
    link: LinkName = field(default="identity", kw_only=True)
    batch_size: int | None = field(default=None, kw_only=True)
    n_jobs: int | None = field(default=None, kw_only=True)
    archive: ArchiveLike | None = field(default=None, kw_only=True)
    retries: int = field(default=0, kw_only=True)
    retry_on: RetryOn = field(default=Exception, kw_only=True)
    timeout: float | None = field(default=None, kw_only=True)
    on_error: Literal["raise", "partial"] = field(default="raise", kw_only=True)
    max_memory: float | str | None = field(default=None, kw_only=True)
    stochastic: bool | Literal["auto"] = field(default="auto", kw_only=True)
    random_state: RandomState = field(default=None, kw_only=True)
    verbose: int = field(default=0, kw_only=True)

    table_masker: ClassVar[type[Masker]] = Background
    """Removes columns where the user names no masker."""

    image_masker: ClassVar[type[Masker]] = Superpixels
    """Removes parts of images where the user names no masker."""

    series_masker: ClassVar[str] = "px.SeriesSegments()"
    """The masker to pass for series, as a user would write it."""

    order: ClassVar[Any] = None
    """The user's partial order of the features, a parameter of the methods that have one."""

    for_images: ClassVar[bool] = False
    """True if `fit` without data is no mistake, as images come first and need none."""

    def __new__(cls, *args: Any, **keywords: Any) -> Any:
        check_keywords(cls, keywords)
        if len(args) > 1:
            raise UnknownParameterError(
                f"{cls.__name__} takes predict_fn alone by position, and got {len(args)} "
                "arguments: pass data to fit(X), and everything else by keyword."
            )
        return super().__new__(cls)

    def __sklearn_clone__(self) -> Any:
        """An unfitted copy that asks the same model; a clone of a model would not be trained."""
        settings = {k: copy.deepcopy(v) for k, v in vars(self).items() if k in self._settings()}
        return type(self)(**{**settings, "predict_fn": self.predict_fn})

    @classmethod
    def _settings(cls) -> set[str]:
        return {f.name for f in fields(cls)} - {"predict_fn"}

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls.__doc__ = (cls.__doc__ or "").replace("{common}", COMMON)

    @abstractmethod
    def recipe(self, context: RecipeContext) -> tuple[Sampler, Solver]:
        """The sampler and the solver that estimate the right thing in a context."""

    def fit(self, X: Any = None) -> BaseExplainer:
        """Learn background, scales and names from X, and ask the model once.

        Parameters
        ----------
        X : table of rows, images or texts, optional
            Training data. Not needed where the masker learns nothing from it (images, texts) or
            has rows of its own, nor by methods that are for images first (`OwenShap`, `Rise`): then
            `explain` picks the masker by what it is given.

        Returns
        -------
        self
        """
        self._check_parameters()
        if X is None and self.masker is None and self.for_images:
            # What is explained picks the masker.
            for learned in ("masker_", "predictor_", "probed_"):
                self.__dict__.pop(learned, None)
            return self
        predictor, rows = None, None
        with threads_kept():
            masker = self._learn(X, X)
            if X is not None:
                check_workers(self.predict_fn, self.n_jobs)
                instances = masker.check(X)
                predictor = self._probe(instances)
                rows = instances.take(0, len(predictor.first_answers))
                if masker.asks is not None:
                    asked = Game(predictor, batch_size=self.batch_size).predictions(masker.asks)
                    masker = masker.taught(asked[0])
                self._saw(instances)
        self.masker_, self.predictor_, self.probed_ = masker, predictor, rows
        self.fitted_with_ = self._settings_of_fit()
        return self

    def explain(self, X: Any) -> Explanation:
        """Scores of every feature of every instance in X.

        Parameters
        ----------
        X : table of rows, one row, images or one image, texts or one text
            In the container that `fit` saw.

        Returns
        -------
        Explanation
            A single row or image has no instance axis.

        Raises
        ------
        NotFittedError
            If the masker learns from data and `fit` has not been called.
        InvalidInputError, InvalidParameterError
            If X or a parameter is not what it must be; nothing has been computed then.
        PredictFnError
            If the model fails, or answers with something that cannot be explained.

        Warns
        -----
        NotConvergedWarning
            If the budget was spent before `tol` was reached.
        LowFidelityWarning
            If a local fit describes the model poorly.
        """
        with threads_kept(), workers_kept():
            explanation = explain(*self._prepared(X))
        warn_of_doubts(explanation, self.tol)
        return explanation

    def fit_explain(self, X: Any) -> Explanation:
        """``fit(X).explain(X)``."""
        return self.fit(X).explain(X)

    def _foreseen(self, X: Any) -> tuple[Cost, Predictor, bool]:
        """What `explain` costs, of which model, and whether it may stop earlier."""
        problem, plan = self._prepared(X, dry=True)
        spent = explain(problem, replace(plan, verbose=0))
        return Cost(spent.n_rows, spent.n_calls), problem.predictor, plan.tol is not None

    def _prepared(self, X: Any, dry: bool = False) -> tuple[Problem, Plan]:
        """Everything of `explain` that can fail before the budget is spent."""
        self._check_parameters()
        masker, predictor = self._fitted(X)
        instances = masker.check(X)
        plan = Plan(
            method=type(self).__name__,
            recipe=self.recipe,
            link=self.link,
            budget=self.budget,
            tol=self.tol or None,
            batch_size=self.batch_size,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
            seeds=check_random_state(self.random_state),
            order=self.order,
            stochastic=self.stochastic is True
            or (self.stochastic == "auto" and predictor is not None and predictor.varies),
            partial=self.on_error == "partial",
            max_memory=self.max_memory,
            dry=dry,
        )
        bound = check_plan(instances, plan)
        check_workers(self.predict_fn, self.n_jobs)
        asked, outputs = Cost(), self.outputs
        if predictor is None and dry:
            predictor, outputs = self._unasked(instances), None
            asked = probe_cost(predictor)
        elif predictor is None:
            predictor = self._probe(instances)
            asked = probe_cost(predictor)
            if predictor.varies and not plan.stochastic and self.stochastic == "auto":
                plan = replace(plan, stochastic=True, tasks={})
                bound = check_plan(instances, plan)
        check_outputs(predictor, outputs, self.link)
        seed = plan.seeds.entropy
        assert isinstance(seed, int)
        told = provenance(self, predictor.name, seed, self.fit_random_state_)
        return Problem(masker, predictor, instances, outputs, bound, asked, told), plan

    def _about_model(self) -> dict[str, Any] | None:
        if "masker_" not in vars(self):
            return None
        return about(self._fitted(None)[1], self.archive)

    def _restored(self, about_model: dict[str, Any] | None) -> None:
        self._check_parameters()
        if "masker_" not in vars(self):
            return
        if not isinstance(self.masker_, FittedMasker):
            raise ValueError("a masker that is none")
        self.fitted_with_ = self._settings_of_fit()
        patience = Patience(self.retries, self.retry_on, self.timeout)
        rows = vars(self).get("probed_")
        self.predictor_ = recalled(self.predict_fn, rows, about_model, self.archive, patience)

    def _unasked(self, instances: Instances) -> Predictor:
        """Stands for the model where only costs are counted, and `fit` has not asked it."""
        return unasked(min(2, len(instances), self.batch_size or 2, instances.chunk))

    def _saw(self, instances: Instances) -> None:
        """Keep what else is learned from the training data."""

    def _masker_for(self, X: Any) -> Masker:
        if self.masker is not None:
            return self.masker
        if looks_like_images(X):
            return self.image_masker()
        return Tokens() if holds_texts(X) else self.table_masker()

    def _settings_of_fit(self) -> dict[str, Any]:
        """What `fit` learns from besides X, as it is now."""
        return {
            "predict_fn": self.predict_fn,
            "archive": self.archive,
            "retries": self.retries,
            "retry_on": self.retry_on,
            "timeout": self.timeout,
            "masker": self.masker,
            "feature_names": by_value(self.feature_names),
            "output_names": by_value(self.output_names),
            "groups": by_value(self.groups),
        }

    def _probe(self, instances: Instances) -> Predictor:
        """The model, once it has answered the first rows."""
        warns = self.stochastic is False
        archive = None if self.archive is None else Archive.at(self.archive)
        return probe(
            self.predict_fn,
            instances,
            self.output_names,
            self.batch_size,
            warns,
            archive,
            Patience(self.retries, self.retry_on, self.timeout),
        )

    def _learn(self, X: Any, like: Any) -> FittedMasker:
        """The masker from training data, or from none if it needs none."""
        seeds = check_random_state(self.random_state)
        assert isinstance(seeds.entropy, int)  # gives the same draws, also of the system's seeds
        self.fit_random_state_ = seeds.entropy
        rng = np.random.default_rng(seeds.spawn(1)[0])
        names = None if self.feature_names is None else list(self.feature_names)
        return self._masker_for(like).fit(X, Features(names, self.groups), rng)

    def _fitted(self, X: Any) -> tuple[FittedMasker, Predictor | None]:
        if "masker_" in vars(self):
            now = self._settings_of_fit()
            for name, then in self.fitted_with_.items():
                if now[name] is not then and now[name] != then:
                    raise InvalidParameterError(
                        f"{name} was set after fit, which has used it: call fit again, so that it "
                        "takes effect."
                    )
            return self.masker_, self.predictor_
        masker = self._masker_for(X)
        if masker.needs_fit:
            if not masker.of_images:
                layout_of(training_rows(X))  # what is no table needs another cure than a fit
            cure = ""
            if self.masker is None and isinstance(X, np.ndarray) and X.ndim <= 2:
                image = f"gray image pass masker=px.{self.image_masker.__name__}(...)"
                series = f"series pass masker={self.series_masker}"
                cure = f" For one {series if X.ndim == 1 else image}."
            raise NotFittedError(
                f"{type(masker).__name__} learns from data: call fit(X_train) before explain.{cure}"
            )
        return self._learn(X, X), None

    def _check_parameters(self) -> None:
        resolve(self.predict_fn)
        if self.masker is not None and not isinstance(self.masker, Masker):
            raise invalid("masker", "a masker, such as px.Background(X)", self.masker)
        for name in ("budget", "batch_size"):
            if getattr(self, name) is not None:
                check_integer(name, getattr(self, name), minimum=1)
        if self.n_jobs is not None and (check_integer("n_jobs", self.n_jobs) == 0):
            raise invalid("n_jobs", "None or an integer other than 0, such as -1", self.n_jobs)
        if not isinstance(self.verbose, (bool, np.bool_)):
            check_integer("verbose", self.verbose, minimum=0)
        if self.groups is not None and not isinstance(self.groups, Mapping):
            raise invalid("groups", 'a dict, as in {"city": ["city_a", "city_b"]}', self.groups)
        for name in ("output_names", "feature_names"):
            if getattr(self, name) is not None:
                check_names(name, getattr(self, name))
        if self.tol is not None and not (isinstance(self.tol, numbers.Real) and self.tol == 0):
            check_number("tol", self.tol, above=0, below=1)
        if self.archive is not None:
            Archive.at(self.archive)
        Patience(self.retries, self.retry_on, self.timeout)
        check_choice("link", self.link, ("identity", "logit"))
        if self.max_memory is not None:
            bytes_of(self.max_memory)
        check_choice("on_error", self.on_error, ("raise", "partial"))
        is_word = isinstance(self.stochastic, str) and self.stochastic == "auto"
        if not (is_word or isinstance(self.stochastic, bool)):
            raise invalid("stochastic", '"auto", True or False', self.stochastic)
        check_selection(self.outputs)
        drawn_from = isinstance(self.random_state, (np.random.Generator, np.random.RandomState))
        check_random_state(copy.deepcopy(self.random_state) if drawn_from else self.random_state)


def by_value(value: Any) -> Any:
    """Names and groups as what compares by value, whatever lists and arrays they came in."""
    if isinstance(value, Mapping):
        return {key: by_value(members) for key, members in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        return np.asarray(value, dtype=object).tolist()
    return value
