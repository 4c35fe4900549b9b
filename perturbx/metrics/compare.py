"""Several explainers, several metrics, the same instances: one table."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from perturbx._typing import Floats, LinkName, OutputSelection, PredictFn, RandomState
from perturbx._validation import check_number, check_random_state, invalid
from perturbx.errors import InvalidParameterError
from perturbx.explainers import BaseExplainer
from perturbx.explanation import Explanation
from perturbx.maskers import Background
from perturbx.maskers._fills import Fill
from perturbx.maskers.background import FittedBackground
from perturbx.maskers.gaussian import FittedNoise
from perturbx.metrics._base import Removing
from perturbx.metrics._comparison import Comparison
from perturbx.metrics._explaining import Explains, check_explainer
from perturbx.metrics._measure import Measure, known_mean
from perturbx.metrics.deletion import deletion
from perturbx.metrics.insertion import insertion
from perturbx.metrics.max_sensitivity import max_sensitivity
from perturbx.metrics.randomisation import randomisation
from perturbx.metrics.sensitivity_n import sensitivity_n
from perturbx.metrics.stability import stability

Metric: TypeAlias = Callable[..., Measure]
"""A metric, or a ``functools.partial`` of one, which pins its settings."""

_DEFAULT: tuple[Metric, ...] = (deletion, insertion, sensitivity_n)

_OF_EXPLAINERS: tuple[Metric, ...] = (stability, max_sensitivity, randomisation)

_EXPLAINER_METRICS = tuple(metric.__name__ for metric in _OF_EXPLAINERS)

_REFERENCES = ("random", "centre blob")

_RESAMPLES = 2000


def compare(
    explainers: Mapping[str, Explains],
    X: Any,
    *,
    metrics: Sequence[Metric] | Mapping[str, Metric] = _DEFAULT,
    predict_fn: PredictFn | Any = None,
    masker: Removing = None,
    fill: Fill | None = None,
    outputs: OutputSelection = None,
    link: LinkName = "identity",
    batch_size: int | None = None,
    random_state: RandomState = 0,
    references: bool = True,
    against: str | None = None,
    level: float = 0.95,
) -> Comparison:
    """Several explainers by several metrics, on the same instances, in one table.

    Parameters
    ----------
    explainers : mapping of str to explainer or callable
        px explainers (fitted, where they learn from data), or any callable from X to an
        `Explanation` or an array of scores: (n, d) of a table, (n, H, W) maps of images. So the
        maps of other libraries are judged too.
    X : table of rows, or images
        What is explained.
    metrics : sequence of functions, or mapping of str to function
        Of `perturbx.metrics`; settings are pinned by ``functools.partial``, as in
        ``{"top 5%": partial(px.metrics.comprehensiveness, shares=[0.05])}``.
    predict_fn : callable or fitted model, optional
        The model; by default that of the first px explainer.
    masker, fill, link, batch_size, random_state
        As in every metric. By default tables are masked by the background rows of the first
        fitted explainer that has any.
    outputs : None, int, str or "top1"
        Which output is judged, where several were explained, or where plain scores come of a
        model with several.
    references : bool
        Whether scores that never saw the model are rows of the table.
    against : str, optional
        The explainer to which the others' differences are taken; by default the first.
    level : float
        Of the bootstrap intervals over instances.

    Returns
    -------
    Comparison

    Raises
    ------
    InvalidParameterError
        If there is nothing to compare, or no model to ask.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.random.default_rng(0).normal(size=(20, 4))
    >>> model = lambda X: X @ [3.0, 2.0, 1.0, 0.0] + X[:, 0] * X[:, 1]
    >>> table = px.metrics.compare(
    ...     {"shap": px.KernelShap(model).fit(X), "constant": lambda X: np.ones(X.shape)}, X
    ... )
    >>> table.names
    ('shap', 'constant', '(random)')
    >>> bool(table.means[0, 0] < table.means[1, 0])  # deletion: lower is better
    True
    """
    named = _check(explainers, metrics, against)
    check_number("level", level, above=0, below=1)
    model = _model(explainers) if predict_fn is None else predict_fn
    seed = int(check_random_state(random_state).generate_state(1)[0])
    settings = {
        "masker": _masker(explainers) if masker is None and fill is None else masker,
        "fill": fill,
        "outputs": outputs,
        "link": link,
        "batch_size": batch_size,
        "random_state": seed,
    }
    measures: dict[str, dict[str, Measure]] = {}
    explaining: list[float] = []
    for name, explainer in explainers.items():
        answer = explainer.explain(X) if isinstance(explainer, BaseExplainer) else explainer(X)
        explaining.append(answer.n_rows if isinstance(answer, Explanation) else np.nan)
        first = references and not measures
        measures[name] = {
            label: _measured(metric, model, X, explainer, answer, settings, first)
            for label, metric in named.items()
        }
    return _table(measures, explaining, against or next(iter(explainers)), level, seed)


def _check(explainers: Any, metrics: Any, against: str | None) -> dict[str, Metric]:
    """The metrics by name; an error if there is nothing to compare."""
    if not isinstance(explainers, Mapping) or not explainers:
        raise invalid("explainers", 'a dict, as in {"shap": px.KernelShap(...)}', explainers)
    for explainer in explainers.values():
        check_explainer(explainer)
    if against is not None and against not in explainers:
        raise invalid("against", f"one of {', '.join(map(repr, explainers))}", against)
    named = metrics if isinstance(metrics, Mapping) else {_name(m): m for m in metrics}
    if not named or not all(callable(metric) for metric in named.values()):
        raise invalid("metrics", "functions such as px.metrics.deletion", metrics)
    return dict(named)


def _name(metric: Any) -> str:
    """A function's own name, also inside a partial."""
    while isinstance(metric, functools.partial):
        metric = metric.func
    return str(getattr(metric, "__name__", metric))


def _model(explainers: Mapping[str, Explains]) -> Any:
    """The model of the first px explainer."""
    for explainer in explainers.values():
        if isinstance(explainer, BaseExplainer):
            return explainer.predict_fn
    raise InvalidParameterError(
        "predict_fn must be given where no px explainer is compared: callables hide their model."
    )


def _masker(explainers: Mapping[str, Explains]) -> Removing:
    """The background of the first explainer that has one."""
    for explainer in explainers.values():
        fitted = vars(explainer).get("masker_") if isinstance(explainer, BaseExplainer) else None
        if isinstance(fitted, FittedBackground):
            return fitted
        if isinstance(fitted, FittedNoise):
            return Background(fitted.rows)
    return None


def _measured(
    metric: Metric,
    model: Any,
    X: Any,
    explainer: Explains,
    answer: Any,
    settings: Mapping[str, Any],
    references: bool,
) -> Measure:
    """One metric of one explainer, with the settings that it takes."""
    function = metric
    while isinstance(function, functools.partial):
        function = function.func
    pinned = metric.keywords if isinstance(metric, functools.partial) else {}
    takes = inspect.signature(metric).parameters
    wanted = {**settings, "references": references}
    if isinstance(answer, Explanation) and ("output" not in answer.axes or answer.shape[-1] == 1):
        wanted["outputs"] = None  # there is nothing to choose from
    known = {k: v for k, v in wanted.items() if k in takes and k not in pinned}
    if function in _OF_EXPLAINERS:
        return metric(explainer, X, **known)
    return metric(model, X, answer, **known)


def _table(
    measures: dict[str, dict[str, Measure]],
    explaining: list[float],
    against: str,
    level: float,
    seed: int,
) -> Comparison:
    """Means, paired differences and their intervals."""
    first = next(iter(measures.values()))
    rows = [{label: found.values for label, found in of.items()} for of in measures.values()]
    names, costs = list(measures), [sum(m.n_rows for m in of.values()) for of in measures.values()]
    for reference in _REFERENCES:
        values = {
            label: found.references[reference]
            for label, found in first.items()
            if reference in found.references
        }
        if values:
            rows.append(values)
            names.append(f"({reference})")
            costs.append(0)
            explaining = [*explaining, 0]
    labels = tuple(first)
    shape = (len(rows), len(labels))
    means, differences, lower, upper = (np.full(shape, np.nan) for _ in range(4))
    reference_row = rows[names.index(against)]
    for r, c in np.ndindex(*shape):
        label = labels[c]
        if label in rows[r]:
            means[r, c] = known_mean(rows[r][label])
            paired = _by_instance(first[label], rows[r][label] - reference_row[label])
            differences[r, c], lower[r, c], upper[r, c] = _interval(paired, level, seed)
    return Comparison(
        names=tuple(names),
        metrics=labels,
        better=tuple(found.better for found in first.values()),
        means=means,
        differences=differences,
        lower=lower,
        upper=upper,
        against=against,
        level=level,
        n_instances=len(_by_instance(first[labels[0]], first[labels[0]].values)),
        explaining_rows=np.array(explaining, dtype=np.float64),
        measuring_rows=np.array(costs, dtype=np.float64),
        value_functions={
            label: found.value_function
            for label, found in first.items()
            if found.metric not in _EXPLAINER_METRICS
        },
        measures=measures,
    )


def _by_instance(measure: Measure, values: Floats) -> Floats:
    """(n,): the mean over outputs."""
    n = len(values) if "instance" in measure.axes else 1
    return np.array([known_mean(row) for row in np.reshape(values, (n, -1))])


def _interval(paired: Floats, level: float, seed: int) -> tuple[float, float, float]:
    """The mean of paired differences, and its percentile bootstrap interval over instances."""
    known = paired[~np.isnan(paired)]
    if not len(known):
        return np.nan, np.nan, np.nan
    if len(known) < 2:
        return float(known.mean()), np.nan, np.nan
    rng = np.random.default_rng(seed)
    drawn = known[rng.integers(len(known), size=(_RESAMPLES, len(known)))].mean(axis=1)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(known.mean()), float(low), float(high)
