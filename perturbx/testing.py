"""Public contracts: what every masker, sampler, solver, explainer and metric keeps, as checks.

Each raises ``AssertionError`` with the sentence that does not hold. They are for parts of one's
own as much as for ours: ``check_sampler(MySampler())`` in a test is all it takes.
"""

from __future__ import annotations

import copy
import pickle
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from perturbx._typing import Floats
from perturbx.designs import (
    CoalitionDesign,
    CustomCoalitions,
    Design,
    Evaluations,
    Independent,
    SoftMasks,
)
from perturbx.errors import RejectPerturbations, UnknownParameterError
from perturbx.explainers import BaseExplainer, Occlusion
from perturbx.maskers import Background, BoundMasker, Features, Masker, Windows
from perturbx.metrics import JudgedExplainer, JudgedExplanation, Measure, Metric
from perturbx.samplers import (
    AdaptiveSampler,
    BackgroundPermutations,
    BernoulliMasks,
    GaussianNoise,
    OneAtATime,
    OwenSplits,
    Permutations,
    RandomGrids,
    Sampler,
    ShapleyCoalitions,
)
from perturbx.solvers import Solution, Solver

__all__ = ["check_explainer", "check_masker", "check_metric", "check_sampler", "check_solver"]

_N_BACKGROUND = 3
_SIZES = (1, 2, 5, 9)
_ROUNDS = 5
_MANY = 10_000
"""Perturbations whose mean is compared with the probability of their design."""
_SURE = 5.0
"""Standard errors by which it is never off by chance."""


def check_sampler(sampler: Sampler) -> None:
    """A sampler keeps its word on numbers, order, repetition and continuation.

    Raises
    ------
    AssertionError
        With the sentence of the contract that does not hold.
    """
    _check_part(sampler)
    for d in _SIZES:
        least, usual = sampler.minimum(d), sampler.default(d)
        _require(0 <= least <= usual, f"0 <= minimum({d}) <= default({d}): {least}, {usual}")
        designs: list[Design] = []
        for n in (least, least + 1, 2 * least + 3):
            design = sampler.draw(d, n, np.random.default_rng(n))
            again = pickle.loads(pickle.dumps(sampler)).draw(d, n, np.random.default_rng(n))
            _require(_same_design(design, again), "the same rng draws the same design")
            _check_design(design, d, n)
            declared = isinstance(design, sampler.draws) or design.complete
            _require(declared, f"it draws what it declares: {sampler.draws.__name__}")
            designs.append(design)
        first = designs[0]
        more = sampler.draw(d, 3 * least + 4, np.random.default_rng(1), first)
        _check_continued(more, first, d, 3 * least + 4)
        if isinstance(sampler, AdaptiveSampler):
            _check_rounds(sampler, first, d)
        _check_probability(sampler, d)


def _check_probability(sampler: Sampler, d: int) -> None:
    """A design that tells its probability was drawn with it, independently."""
    design = sampler.draw(d, max(_MANY, sampler.minimum(d)), np.random.default_rng(4))
    if not isinstance(design, (Independent, SoftMasks)):
        return
    z, m, p = np.asarray(design.z, dtype=np.float64), len(design), design.p
    _require(0 < p < 1, f"the probability of a design lies between 0 and 1: {p}")
    mean, most = z.mean(axis=0), _SURE * np.sqrt(p * (1 - p) / m)
    _require(
        np.abs(mean - p).max() <= most,
        f"features are present with the probability of the design: {mean.round(3)}, p = {p}",
    )
    moved = z - mean
    across = (moved[1:] * moved[:-1]).mean(axis=0)
    _require(np.abs(across).max() <= most, "perturbations are drawn independently of each other")
    if isinstance(design, Independent):
        together = moved.T @ moved / m
        most_together = np.abs(together - np.diag(np.diag(together))).max()
        _require(most_together <= most, "features are drawn independently of each other")


def _check_continued(more: Design, first: Design, d: int, n: int) -> None:
    _check_design(more, d, n)
    _require(len(more) >= len(first), "a continued design keeps what was drawn")
    for name in ("z", "cluster", "background_row"):
        kept, was = getattr(more, name), getattr(first, name)
        same = was is None or np.array_equal(kept[: len(first)], was)
        _require(same, f"a continued design begins with the {name} that were drawn")


def _check_rounds(sampler: AdaptiveSampler, design: Design, d: int) -> None:
    """An adaptive sampler is a function of what was answered, and comes to an end."""
    for _ in range(_ROUNDS):
        n = len(design) + 20
        answered = _answers(design, 1)
        more = sampler.follow(answered, n, np.random.default_rng(3))
        again = pickle.loads(pickle.dumps(sampler)).follow(answered, n, np.random.default_rng(3))
        _require(_same_design(more, again), "the same answers and rng continue in the same way")
        _check_continued(more, design, d, n)
        if len(more) == len(design):
            return
        design = more


def check_solver(solver: Solver, sampler: Sampler) -> None:
    """A solver is a function of the evaluations, and keeps what it promises of its scores.

    Parameters
    ----------
    solver : Solver
    sampler : Sampler
        One whose designs the solver reads.

    Raises
    ------
    AssertionError
        With the sentence of the contract that does not hold.
    """
    _check_part(solver)
    d, n, k = 6, 3, 2
    design = sampler.draw(d, max(60, sampler.minimum(d)), np.random.default_rng(0))
    evaluations = _answers(design, n)
    before = copy.deepcopy(evaluations)
    solution = solver.solve(evaluations)
    for name in ("outputs", "full", "empty"):
        same = np.array_equal(getattr(evaluations, name), getattr(before, name), equal_nan=True)
        _require(same, f"solve leaves {name} as they are")
    again = pickle.loads(pickle.dumps(solver)).solve(before)
    _require(np.array_equal(solution.values, again.values), "the same answers, the same scores")
    _check_solution(solver, solution, evaluations, (n, d, k))
    for i in range(n):
        alone = solver.solve(_one(evaluations, i)).values[0]
        close = np.allclose(alone, solution.values[i], rtol=0, atol=1e-9)
        _require(close, "an instance scores the same alone and among others")
    single = _answers(sampler.draw(1, max(60, sampler.minimum(1)), np.random.default_rng(0)), n)
    _check_solution(solver, solver.solve(single), single, (n, 1, k))
    _check_reads(solver, d)


def check_masker(masker: Masker, X: Any) -> None:
    """A masker gives back the instance where all is present, and never touches user data.

    Parameters
    ----------
    masker : Masker
    X : table of rows or images
        On which it is fitted, and which it removes from: at least two instances.

    Raises
    ------
    AssertionError
        With the sentence of the contract that does not hold.
    """
    _check_part(masker)
    before = copy.deepcopy(X)
    fitted = masker.fit(X, Features(), np.random.default_rng(0))
    instances = fitted.check(X)
    n = len(instances)
    _require(not instances.single and n >= 2, "check_masker is given several instances")
    _require(bool(fitted.value_function), "value_function says how features are removed")
    each = instances.bind(0, n)
    _require(len(each) == n, "bind gives one bound masker for each instance")
    for i, bound in enumerate(each):
        _require(bound.accepts is fitted.accepts, "a bound masker accepts what its masker accepts")
        _check_bound(pickle.loads(pickle.dumps(bound)), instances.take(i, i + 1))
    _scribble(instances.take(0, 2))
    _require(_equal(X, before), "the user's data stays as it is")


def check_explainer(explainer: BaseExplainer, X: Any) -> None:
    """An explainer behaves as an estimator, and explains the same twice.

    Parameters
    ----------
    explainer : BaseExplainer
        With a ``random_state``, not fitted.
    X : table of rows or images
        On which it is fitted, and of which it explains the first two.

    Raises
    ------
    AssertionError
        With the sentence of the contract that does not hold.
    """
    _check_estimator(explainer)
    before = copy.deepcopy(X)
    _require(explainer.fit(X) is explainer, "fit returns the explainer")
    explanation = explainer.explain(X[:2])
    again = copy.copy(explainer).explain(X[:2])
    for name in ("values", "standard_errors", "base_values"):
        one, other = getattr(explanation, name), getattr(again, name)
        _require(np.array_equal(one, other, equal_nan=True), f"the same seed, the same {name}")
    _require(len(explanation) == 2, "one explanation for each instance")
    _require(explanation.n_rows >= explanation.n_calls > 0, "rows and calls are counted")
    if explainer.budget is not None:
        _require(explanation.n_rows <= 2 * explainer.budget, "no instance exceeds the budget")
    single = explainer.explain(X[0]) if isinstance(X, np.ndarray) else explanation[0]
    _require("instance" not in single.axes, "a single instance has no axis of its own")
    _require(_equal(X, before), "the user's data stays as it is")


def check_metric(metric: Metric[Any], X: Any) -> None:
    """A metric is a function of its subject, changes nothing in it, and counts its model rows.

    Parameters
    ----------
    metric : Metric
    X : array
        A table of numbers (n, d), or images (n, height, width, channels): at least two instances.

    Raises
    ------
    AssertionError
        With the sentence of the contract that does not hold.
    """
    _check_part(metric)
    _require(metric.better in ("higher", "lower"), 'better is "higher" or "lower"')
    asked: list[int] = []

    def model(batch: Any) -> Floats:
        asked.append(len(batch))
        cells = np.reshape(batch, (len(batch), -1)).astype(np.float64)
        slopes = np.cos(np.arange(cells.shape[1]))
        return np.asarray(np.tanh(cells @ slopes) + cells.mean(axis=1))

    X = np.array(X)
    masker: Any = Background(X) if X.ndim == 2 else Windows(shape=4, stride=4, fill=0)
    explainer = Occlusion(model, masker=masker).fit(X)
    explanation = explainer.explain(X)
    given = (explainer, X) if metric.explains else (model, X, explanation)
    common: dict[str, Any] = {} if metric.explains else {"masker": masker}
    asked.clear()
    subject = metric.subject(*given, **common)
    before = copy.deepcopy((X, vars(explanation), _seen(subject)))
    found = metric.measure(subject)
    n_rows = sum(asked)
    _require(isinstance(found, Measure), "measure returns a Measure")
    names = (found.metric, found.better)
    _require(names == (metric.name, metric.better), "a result has the name of its metric")
    _require(found.axes == ("instance",), "a result has the axes of what was judged")
    _require(found.values.shape == (len(X),), "there is one number for each instance and output")
    _require(found.n_rows == n_rows, f"n_rows counts the rows that were asked: {n_rows}")
    after = (X, vars(explanation), _seen(subject))
    _require(_same(before, after), "a metric leaves its subject as it is")
    again = metric.measure(metric.subject(*given, **common))
    same = np.array_equal(found.values, again.values, equal_nan=True)
    _require(same, "the same subject, the same values")


def _require(holds: bool | np.bool_, sentence: str) -> None:
    if not holds:
        raise AssertionError(f"This must hold: {sentence}.")


def _check_part(part: Any) -> None:
    kind = type(part)
    frozen = is_dataclass(kind) and kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    _require(frozen, f"{kind.__name__} is a frozen dataclass")
    _require(kind.__name__ in repr(part), "repr says the name")
    _require(bool(kind.__doc__), f"{kind.__name__} has a docstring")
    _require(type(pickle.loads(pickle.dumps(part))) is kind, "it pickles")


def _check_design(design: Design, d: int, n: int) -> None:
    _require(len(design) <= n, f"never more perturbations than asked for: {len(design)} > {n}")
    _require(design.n_features == d, "z has one column for each feature")
    weights = design.weights
    _require(np.isfinite(weights).all() and (weights > 0).all(), "weights are finite and positive")
    _require((np.diff(design.cluster) >= 0).all(), "cluster never decreases")
    _require(len(design) > 0 or design.complete, "a design without perturbations is complete")
    if design.complete:
        n_inner = max(2**d - 2, 0)
        _require(len(np.unique(design.z, axis=0)) == n_inner, "a complete design holds them all")


def _same_design(a: Design, b: Design) -> bool:
    same = all(np.array_equal(getattr(a, n), getattr(b, n)) for n in ("z", "weights", "cluster"))
    rows = a.background_row is None or np.array_equal(a.background_row, b.background_row)  # type: ignore[arg-type]
    return same and rows and a.complete == b.complete


def _answers(design: Design, n: int) -> Evaluations:
    """A curved game of two outputs, over background rows where the design names them."""
    d, rng = design.n_features, np.random.default_rng(5)
    removes = isinstance(design, CoalitionDesign)
    x, slopes = rng.normal(size=(n, d)), rng.normal(size=d)
    background = rng.normal(size=(_N_BACKGROUND, d)) if removes else np.zeros((1, d))

    def model(rows: Floats) -> Floats:
        inner = rows @ slopes
        return np.stack([np.tanh(inner), inner * rows[..., 0]], axis=-1)

    b = background[None, :, None] if design.background_row is None else None
    if b is None:
        b = background[design.background_row][:, None, None]
    z = design.z[:, None, None]
    rows = np.where(z, x, b) if removes else x + z
    empty_rows = np.repeat(model(background)[:, None], n, axis=1)
    empty = empty_rows.mean(axis=0) if removes else np.full((n, 2), np.nan)
    named = None if design.background_row is None else empty_rows
    return Evaluations(design, model(rows).mean(axis=1), model(x), empty, named)


def _one(e: Evaluations, i: int) -> Evaluations:
    own = slice(i, i + 1)
    rows = None if e.empty_rows is None else e.empty_rows[:, own]
    return Evaluations(e.design, e.outputs[:, own], e.full[own], e.empty[own], rows)


def _check_solution(
    solver: Solver, solution: Solution, e: Evaluations, shape: tuple[int, ...]
) -> None:
    n, _, k = shape
    _require(solution.values.shape == shape, f"values are (n, d, k) = {shape}")
    _require(solution.standard_errors.shape == shape, "standard_errors are as values")
    _require(solution.base.shape == (n, k), "base is (n, k)")
    _require(np.isfinite(solution.values).all(), "scores are finite")
    errors = solution.standard_errors
    _require((np.isnan(errors) | (errors >= 0)).all(), "errors are NaN or not negative")
    _require(solution.degrees_of_freedom >= 1, "degrees_of_freedom are at least 1")
    if solver.additive:
        rest = e.full - solution.base - solution.values.sum(axis=1)
        _require(np.abs(rest).max() < 1e-10, "base and scores add up to the full output")


def _check_reads(solver: Solver, d: int) -> None:
    """Each structure is read as declared, or refused by name."""
    for design in _examples(d):
        name = type(design).__name__
        declared = isinstance(design, solver.reads)
        try:
            solver.solve(_answers(design, 1))
        except RejectPerturbations as refusal:
            _require(not declared, f"it reads what it declares, and refuses {name}: {refusal}")
            _require("sampler" in str(refusal), "a refusal names the sampler that is read")
        except Exception as error:
            raise AssertionError(
                f"This must hold: what it declares to read is all it needs, and it fails on {name} "
                f"({type(error).__name__}: {error})."
            ) from error
        else:
            _require(declared, f"it refuses what it does not declare to read, as {name}")


def _examples(d: int) -> list[Design]:
    """A design of each structure, with enough perturbations for any solver; none is complete."""
    rng, m = np.random.default_rng(2), 8 * (d + 1)
    splits = OwenSplits()
    tree: Design = splits.draw(d, m, rng)
    while len(tree) < len(more := splits.follow(_answers(tree, 1), m, rng)):
        tree = more
    samplers = [
        *(
            BernoulliMasks(),
            ShapleyCoalitions(),
            Permutations(),
            BackgroundPermutations(_N_BACKGROUND),
        ),
        *(OneAtATime(), GaussianNoise(), RandomGrids()),
    ]
    custom = CustomCoalitions(rng.random((m, d)) < 0.5, np.ones(m), np.arange(m))
    return [custom, tree, *(sampler.draw(d, m, rng) for sampler in samplers)]


def _check_bound(bound: BoundMasker, instance: Any) -> None:
    d, per = bound.n_features, bound.rows_per_perturbation
    _require(len(bound.feature_names) == d, "one name for each feature")
    _require(bound.active.shape == (d,), "active says yes or no to each feature")
    _require(bound.row_bytes > 0, "row_bytes are known")
    rng = np.random.default_rng(0)
    if bound.accepts is CoalitionDesign:
        z: Any = np.vstack([np.ones((1, d), dtype=bool), rng.random((3, d)) < 0.5])
    elif bound.accepts is SoftMasks:
        z = np.vstack([np.ones((1, d)), rng.random((3, d))])
    else:
        z = np.vstack([np.zeros((1, d)), rng.normal(size=(3, d))])
    scratch = bound.scratch(4 * per)
    batch = bound.batch(z, slice(0, per), scratch)
    _require(batch.shape[0] == 4 * per, "a batch has a row for each perturbation and its rows")
    for row in range(per):
        _require(_equal(batch[row : row + 1], instance), "all present is the instance itself")
    known = copy.deepcopy(batch)
    _scribble(batch)
    again = bound.batch(z, slice(0, per), scratch)
    _require(_equal(again, known), "a model that writes into its batch changes no later one")
    _require(bound.interpretable(z).shape == z.shape, "interpretable keeps the shape of z")


def _check_estimator(explainer: BaseExplainer) -> None:
    from sklearn.base import clone

    kind, settings = type(explainer), explainer.get_params(deep=False)
    same = all(getattr(explainer, name) is value for name, value in settings.items())
    _require(same, "the constructor stores its arguments as they are")
    _require(kind.__name__ in repr(explainer), "repr says the name")
    copied = clone(explainer)
    _require(copied.predict_fn is explainer.predict_fn, "a clone asks the same model")
    _require(set(copied.get_params(deep=False)) == set(settings), "a clone has the same settings")
    copied.set_params(budget=12345)
    _require(copied.budget == 12345, "set_params sets")
    _require(explainer.budget == settings["budget"], "a clone is a copy")
    try:
        kind(explainer.predict_fn, nsamples=10)  # type: ignore[call-arg]
    except UnknownParameterError as refusal:
        _require("budget" in str(refusal), "another library's word is answered with ours")
    else:
        raise AssertionError("This must hold: an unknown keyword is refused.")


def _seen(subject: JudgedExplanation | JudgedExplainer) -> list[Any]:
    """All that a metric could change in its subject."""
    if isinstance(subject, JudgedExplainer):
        return [subject.X, subject.outputs, subject.seeds.entropy, vars(subject.explainer)]
    scores = subject.scores
    cells = list(np.ndindex(*subject.shape))
    read = [[of(i, j) for i, j in cells] for of in (scores.heat, scores.mass)]
    instances = [subject.instances.take(i, i + 1) for i in range(len(subject.instances))]
    known = [instances, subject.full, subject.empty, subject.columns, subject.seeds.entropy]
    return [*known, read, subject.masker]


def _same(a: Any, b: Any) -> bool:
    """Whether nested lists, dicts and dataclasses hold the same arrays, numbers and texts."""
    if is_dataclass(a) and not isinstance(a, type):
        return type(a) is type(b) and all(
            _same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a)
        )
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[name], b[name]) for name in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, (np.ndarray, int, float, str)):
        return _equal(a, b)
    return type(a) is type(b)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, (list, tuple)):
        return all(_equal(one, other) for one, other in zip(a, b, strict=True))
    if hasattr(a, "iloc"):  # a batch has no index of the user's
        return bool(a.reset_index(drop=True).equals(b.reset_index(drop=True)))
    if hasattr(a, "equals"):
        return bool(a.equals(b))
    one, other = (x.toarray() if hasattr(x, "toarray") else np.asarray(x) for x in (a, b))
    numbers = one.dtype.kind in "fc"
    return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=numbers)


def _scribble(batch: Any) -> None:
    """Write into a batch, as a careless model does."""
    if isinstance(batch, np.ndarray) and batch.dtype.kind in "biuf":
        batch[...] = 1
    elif hasattr(batch, "iloc"):
        batch.iloc[:, 0] = batch.iloc[0, 0]
