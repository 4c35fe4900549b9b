"""Solutions, written into the arrays of one `Explanation` as they become available."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.errors import PartialResultWarning
from perturbx.explainers._notes import INTERRUPTED, KINDS, LOST, remarks
from perturbx.explainers._plan import Plan, Problem, Task
from perturbx.features import Spans, names_of
from perturbx.maskers import BoundMasker
from perturbx.result import Explanation, Interactions, PerInstance, Remark
from perturbx.solvers import Solution

_MOST_LOST = 2
"""After so many groups of instances without scores, the model counts as gone."""


@dataclass(frozen=True, eq=False)
class Finished:
    """The solutions of some instances of a group.

    Parameters
    ----------
    places : (n,) int array
        The positions of the instances in the user's X.
    bound : BoundMasker
        One of them.
    active : (n_features,) bool array
        The features in `solution`; the others never change the output.
    solution : Solution
    least : (n, 1, k) array
        The rounding error of an output, which is the standard error of inactive features.
    costs : (n, 2) int array
        Model rows and calls of each instance.
    converged : bool
    task : Task
    full : (n, k) array
        The outputs of the instances themselves, or their mean where they were asked again.
    noise : (n, k) array or None
        The variance of an answer, of a model that answers differently each time.
    """

    places: Ints
    bound: BoundMasker
    active: NDArray[np.bool_]
    solution: Solution
    least: Floats
    costs: Ints
    converged: bool
    task: Task
    full: Floats
    noise: Floats | None


class Collected:
    """The arrays of n instances and k outputs, filled as instances are done.

    Parameters
    ----------
    problem : Problem
    plan : Plan
    columns : (n, k) int array
        The explained outputs of each instance.
    full : (n, k) array
        The outputs of the instances themselves.
    costs : (n, 2) int array
        Model rows and calls of each instance before the first round; rounds add to them.
    """

    def __init__(
        self, problem: Problem, plan: Plan, columns: Ints, full: Floats, costs: Ints
    ) -> None:
        n, k = columns.shape
        d = problem.bound[0].n_features
        self._problem, self._plan = problem, plan
        self.columns, self.full, self._costs = columns, full, costs
        self._values, self._errors = np.full((2, n, d, k), np.nan)
        self._background: Floats | None = None
        self._noise: Floats | None = None
        self._base, self._rounding = np.full((n, k), np.nan), np.zeros((n, k))
        self._fidelity: Floats | None = None
        self._pairs: Interactions | None = None
        self._converged = np.ones(n, dtype=bool)
        self._estimators = [""] * n
        self._said: dict[int, tuple[list[str], Floats]] = {}
        self._known_texts: dict[str, str] = {}
        self._degrees, self._samples, self._kind = np.inf, np.inf, "shares"
        self._failed = np.zeros(n, dtype=bool)
        self._n_lost = 0
        self.stops: BaseException | None = None  # why no more instances are tried
        self._names: tuple[str, ...] = ()
        self._data: list[Any] = []
        self._regions: list[Any] = []

    def see(self, bound: Sequence[BoundMasker]) -> None:
        """Add the data, names and regions of the next instances."""
        self._names = max(self._names, *(one.feature_names for one in bound), key=len)
        regions = [one.regions for one in bound if one.regions is not None]
        self._regions += regions
        data = [one.data for one in bound]
        self._data += data if regions else [np.stack(data)]
        more = max(one.n_features for one in bound) - self._values.shape[1]
        if more > 0:
            self._widen(more)

    def put(self, done: Finished) -> None:
        """Write the solutions of some instances; inactive features have a score of 0."""
        places, solution, d = done.places, done.solution, len(done.active)
        at = np.ix_(places, np.flatnonzero(done.active))
        self._values[places, :d] = 0.0
        self._values[at] = solution.values
        self._errors[places, :d] = done.least
        self._errors[at] = solution.standard_errors
        self._base[places], self._rounding[places] = solution.base, done.least[:, 0]
        if solution.background_errors is not None and self._background is None:
            self._background = np.where(np.isnan(self._values), np.nan, 0.0)
        if self._background is not None:
            self._background[places, :d] = 0.0
        if self._background is not None and solution.background_errors is not None:
            self._background[at] = solution.background_errors
        self.full[places] = done.full
        if done.noise is not None and self._noise is None:
            self._noise = np.where(np.isnan(self._values), np.nan, 0.0)
        if self._noise is not None and solution.noise_errors is not None:
            self._noise[at] = solution.noise_errors
        if solution.fidelity is not None:
            if self._fidelity is None:
                self._fidelity = np.full_like(self._base, np.nan)
            self._fidelity[places] = solution.fidelity
        if solution.interactions is not None:
            self._put_pairs(done, solution.interactions)
        self._degrees = min(self._degrees, solution.degrees_of_freedom)
        if solution.effective_samples is not None:
            self._samples = min(self._samples, solution.effective_samples)
        if solution.score_kind == "slopes":
            self._kind = "slopes"
        self._converged[places] = done.converged
        self._costs[places] += done.costs
        for i in places:
            self._estimators[i] = solution.estimator
        said = remarks(
            self._values[places, :d],
            self._errors[places, :d],
            solution,
            done.least,
            self._costs[places, 0],
            done.bound,
            done.task,
            self._plan,
            done.noise,
        )
        for kind, (texts, severity) in enumerate(said):
            if kind in self._said or any(texts):
                self._say(kind, places, texts, severity)

    def lose(self, places: Ints, error: BaseException) -> None:
        """Leave instances without scores, since the model failed."""
        self._n_lost += 1
        self.fail(places, error, LOST, 2.0)

    def fail(self, places: Ints, error: BaseException, so: str, severity: float = 1.0) -> None:
        """Note that the model failed, and what scores of these instances rest on."""
        is_interrupt = isinstance(error, KeyboardInterrupt)
        if is_interrupt or self._n_lost >= _MOST_LOST:
            self.stops = error
        self._converged[places] = False
        self._failed[places] = True
        what = INTERRUPTED if is_interrupt else str(error)
        texts = [f"{so}: {what}"] * len(places)
        self._say(KINDS.index("failures"), places, texts, np.full(len(places), severity))

    def count(self, places: Ints, costs: Ints) -> None:
        """Add costs (n, 2) of some instances, of which nothing else is known."""
        self._costs[places] += costs

    def explanation(self, keeps_outputs: bool) -> Explanation:
        """The explanation of all instances, without the axis of a single instance or output."""
        problem, plan = self._problem, self._plan
        one = 0 if problem.instances.single else slice(None)
        output = slice(None) if keeps_outputs else 0
        spans = [own for own in self._regions if isinstance(own, Spans)]
        data: Any = problem.instances.whole
        if data is None:
            data = tuple(self._data) if self._regions else np.concatenate(self._data)
            if self._regions and not spans and len({np.shape(image) for image in data}) == 1:
                data = np.stack(data)  # images of different sizes remain a tuple
        self._data = []  # so that rows are not there twice
        kept = np.array([not problem.instances.single, True, keeps_outputs])
        failed = self._failed.any()
        known = ~self._failed if plan.tol is None else self._converged
        converged = None if plan.tol is None and not failed else known
        n_rows, n_calls = self._costs.T
        nothing = Remark(("",) * len(n_rows), np.zeros(len(n_rows)))
        said = {kind: Remark(tuple(texts), worst) for kind, (texts, worst) in self._said.items()}
        told = tuple(said.get(kind, nothing) for kind in range(len(KINDS)))
        each = PerInstance(tuple(self._estimators), n_rows, n_calls, converged, told)
        totals = {"base_values": self._base, "predictions": self.full, "rounding": self._rounding}
        if self._fidelity is not None:
            totals["fidelity"] = self._fidelity
        solver = plan.task(problem.bound[0]).solver
        if solver.additive or solver.nearly_additive:
            there = ~np.isnan(self._values)  # nansum would copy all scores
            explained = self._values.sum(axis=1, where=there)
            totals["residual"] = self.full - self._base - explained
        names = np.asarray(problem.predictor.output_names, dtype=object)[self.columns]
        through = "" if plan.link == "identity" else f"{plan.link} of "
        background, pairs = self._background, self._pairs
        value_function = f"{through}{problem.predictor.name}, {problem.masker.value_function}"
        order = "" if plan.order is None else plan.order_in_words(problem.bound[0])
        if order:
            value_function += f", where features join in the order {order}"
        if failed:
            self._warn_of_failures()
        settled: Any = {name: array[one, output] for name, array in totals.items()}
        return Explanation(
            values=self._values[one, :, output],
            standard_errors=self._errors[one, :, output],
            data=data[one],
            feature_names=names_of(spans) if spans else self._names,
            output_names=tuple(names[0]) if (self.columns == self.columns[0]).all() else names,
            axes=tuple(np.array(["instance", "feature", "output"])[kept].tolist()),
            value_function=value_function,
            degrees_of_freedom=self._degrees,
            effective_samples=None if np.isinf(self._samples) else self._samples,
            background_errors=None if background is None else background[one, :, output],
            noise_errors=None if self._noise is None else self._noise[one, :, output],
            interactions=None if pairs is None else pairs.map(lambda a: a[one, :, :, output]),
            regions=tuple(self._regions)[one] if self._regions else None,
            score_kind="slopes" if self._kind == "slopes" else "shares",
            notes=(*problem.masker.notes, *problem.notes, *each.notes),
            provenance=problem.provenance,
            per_instance=None if problem.instances.single else each,
            **settled,
            **each.together(plan.method),
        )

    def _warn_of_failures(self) -> None:
        n_lost = int(np.isnan(self._base).all(axis=1).sum())
        warnings.warn(
            f"the model failed for {self._failed.sum()} of {len(self._failed)} instances, of "
            f"which {n_lost} have no scores (NaN); explanation.notes says why. An archive "
            "(archive=path) keeps the answers for the next call.",
            PartialResultWarning,
            stacklevel=5,
        )

    def _say(self, kind: int, places: Ints, texts: Sequence[str], severity: Floats) -> None:
        """Note a kind of remark on some instances; rows that are told the same keep one text."""
        if kind not in self._said:
            n = len(self._base)
            self._said[kind] = [""] * n, np.zeros(n)
        written, severities = self._said[kind]
        severities[places] = severity
        for i, text in zip(places, texts, strict=True):
            written[i] = self._known_texts.setdefault(text, text)

    def _widen(self, more: int) -> None:
        """Make room for instances with more features; the others are padded with NaN."""
        wider = (0, 0), (0, more), (0, 0)
        self._values = np.pad(self._values, wider, constant_values=np.nan)
        self._errors = np.pad(self._errors, wider, constant_values=np.nan)
        if self._noise is not None:
            self._noise = np.pad(self._noise, wider, constant_values=np.nan)
        if self._background is not None:
            self._background = np.pad(self._background, wider, constant_values=np.nan)

    def _put_pairs(self, done: Finished, found: Interactions) -> None:
        n, d, k = self._values.shape
        if self._pairs is None:
            shapley, faith_shap, *errors = (np.zeros((n, d, d, k)) for _ in range(4))
            self._pairs = Interactions(shapley, faith_shap, errors[0], errors[1])
        ours, active = self._pairs, np.flatnonzero(done.active)
        at = np.ix_(done.places, active, active)
        ours.shapley[at], ours.faith_shap[at] = found.shapley, found.faith_shap
        ours.shapley_errors[at] = found.shapley_errors
        ours.faith_shap_errors[at] = found.faith_shap_errors
        degrees = min(ours.degrees_of_freedom, found.degrees_of_freedom)
        self._pairs = Interactions(
            ours.shapley,
            ours.faith_shap,
            ours.shapley_errors,
            ours.faith_shap_errors,
            degrees,
        )
