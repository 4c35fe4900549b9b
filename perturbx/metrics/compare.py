"""Several explainers, several metrics, the same instances: one table."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from perturbx._typing import LinkName, OutputSelection, PredictFn, RandomState
from perturbx._validation import (
    check_choice,
    check_flag,
    check_integer,
    check_kind,
    check_number,
    check_random_state,
    check_selection,
    invalid,
    shown,
)
from perturbx.errors import InvalidParameterError
from perturbx.explainers import BaseExplainer
from perturbx.explanation import Explanation
from perturbx.maskers import Background, FittedMasker, Masker
from perturbx.maskers._fills import Fill, check_fill
from perturbx.maskers.background import FittedBackground
from perturbx.maskers.gaussian import FittedNoise
from perturbx.metrics._base import Removing, are_images, read_scores
from perturbx.metrics._comparison import Comparison
from perturbx.metrics._explaining import Explains, check_explainer
from perturbx.metrics._match import check_counts
from perturbx.metrics._measure import Measure
from perturbx.metrics._paired import tabulate
from perturbx.metrics._rehearsal import Few, rehearse, rehearse_metrics
from perturbx.metrics.deletion import deletion
from perturbx.metrics.insertion import insertion
from perturbx.metrics.max_sensitivity import max_sensitivity
from perturbx.metrics.randomisation import randomisation
from perturbx.metrics.sensitivity_n import sensitivity_n
from perturbx.metrics.stability import stability
from perturbx.predictor import resolve

Metric: TypeAlias = Callable[..., Measure]
"""A metric, or a ``functools.partial`` of one, which pins its settings."""

_DEFAULT: tuple[Metric, ...] = (deletion, insertion, sensitivity_n)

_OF_EXPLAINERS: tuple[Metric, ...] = (stability, max_sensitivity, randomisation)


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

    Notes
    -----
    Scores that are slopes, as those of `Lime` on tables, are no shares of the output, and most
    metrics read scores as shares. Compare what they foretell: slope times (x - mean), in units
    of the same deviation.

    Raises
    ------
    InvalidParameterError
        If there is nothing to compare, no model to ask, or an output must be named. Explainers
        and outputs are checked before anything is explained.

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
    check_selection(outputs)
    check_flag("references", references)
    check_choice("link", link, ("identity", "logit"))
    if batch_size is not None:
        check_integer("batch_size", batch_size, minimum=1)
    if masker is not None:
        expected = "a masker, such as px.Background(X_train)"
        check_kind("masker", masker, (Masker, FittedMasker), expected)
    if fill is not None:
        check_fill(fill)
    model = _model(explainers) if predict_fn is None else predict_fn
    resolve(model)
    if isinstance(outputs, (list, tuple, np.ndarray)) and len(outputs) == 1:
        outputs = outputs[0]
    masker = _masker(explainers) if masker is None and fill is None else masker
    few = Few.of(X, masker, are_images(X, masker, fill))
    trials = rehearse(explainers, X, model, outputs, few)
    seed = int(check_random_state(random_state).generate_state(1)[0])
    settings = {
        "masker": masker,
        "fill": fill,
        "outputs": outputs,
        "link": link,
        "batch_size": batch_size,
        "random_state": seed,
    }
    free = {**settings, "outputs": None}
    removing = [metric for metric in named.values() if _removes(metric)]
    rehearsed = [functools.partial(_rehearsed, metric, free) for metric in removing]
    rehearse_metrics(rehearsed, trials)
    told = _told(explainers, X, settings, few.n)
    arrays = [answer for answer in told.values() if not isinstance(answer, Explanation)]
    rehearse_metrics(rehearsed, [(few.part, few.of_answer(answer)) for answer in arrays])
    measures: dict[str, dict[str, Measure]] = {}
    explaining: list[float] = []
    for name, explainer in explainers.items():
        answer = explainer.explain(X) if isinstance(explainer, BaseExplainer) else told[name]
        explaining.append(answer.n_rows if isinstance(answer, Explanation) else np.nan)
        first = references and not measures
        measures[name] = {
            label: _measured(metric, model, X, explainer, answer, settings, first)
            for label, metric in named.items()
        }
    return tabulate(
        measures,
        explaining,
        removing=[label for label, metric in named.items() if not _explains(metric)],
        against=against or next(iter(explainers)),
        level=level,
        seed=seed,
    )


def _told(
    explainers: Mapping[str, Explains], X: Any, settings: Mapping[str, Any], n: int
) -> dict[str, Any]:
    """The answers of plain callables, asked first, as nothing else tells whether they fit X."""
    told = {}
    for name, explainer in explainers.items():
        if not isinstance(explainer, BaseExplainer):
            answer = told[name] = explainer(X)
            asked = _chosen_of(answer, settings["outputs"])
            given = read_scores(answer, X, settings["masker"], settings["fill"], asked)
            check_counts(given, n)
    return told


def _check(explainers: Any, metrics: Any, against: str | None) -> dict[str, Metric]:
    """The metrics by name; an error if there is nothing to compare."""
    if not isinstance(explainers, Mapping) or not explainers:
        raise invalid("explainers", 'a dict, as in {"shap": px.KernelShap(...)}', explainers)
    _check_keys("explainers", explainers)
    for explainer in explainers.values():
        check_explainer(explainer)
    if against is not None and (not isinstance(against, str) or against not in explainers):
        raise invalid("against", f"one of {', '.join(map(repr, explainers))}", against)
    several = metrics if isinstance(metrics, (list, tuple)) else ()
    named = metrics if isinstance(metrics, Mapping) else {_label(m): m for m in several}
    if not named or not all(callable(metric) for metric in named.values()):
        raise invalid("metrics", "functions such as px.metrics.deletion", metrics)
    _check_keys("metrics", named)
    for metric in named.values():
        given = (None, None) if _explains(metric) else (None, None, None)
        try:
            inspect.signature(metric).bind_partial(*given)
        except (ValueError, TypeError) as error:
            what = "functions such as px.metrics.deletion, with keywords that they take"
            raise invalid("metrics", what, metric) from error
    return dict(named)


def _check_keys(name: str, named: Mapping[Any, Any]) -> None:
    """Names stand in the table, and so are texts."""
    for key in named:
        if not isinstance(key, str):
            raise invalid(name, f"a dict whose keys are texts, as in {str(key)!r}", key)


def _label(metric: Any) -> str:
    """A function's own name."""
    return str(getattr(_function(metric), "__name__", shown(metric)))


def _function(metric: Any) -> Any:
    """What is inside a partial."""
    return _function(metric.func) if isinstance(metric, functools.partial) else metric


def _explains(metric: Metric) -> bool:
    """True for metrics that take the explainer."""
    return _function(metric) in _OF_EXPLAINERS


def _removes(metric: Metric) -> bool:
    """True for the metrics of this package that ask a model about scores."""
    function = _function(metric)
    ours = str(getattr(function, "__module__", "")).startswith("perturbx.metrics.")
    return ours and not _explains(metric)


def _rehearsed(
    metric: Metric, settings: Mapping[str, Any], model: Any, X: Any, scores: Any
) -> Measure:
    return _measured(metric, model, X, None, scores, settings, references=False)


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


def _chosen_of(answer: Any, outputs: OutputSelection) -> OutputSelection:
    """The outputs that are meant, or None where there is nothing to choose from."""
    is_explanation = isinstance(answer, Explanation)
    is_one = is_explanation and ("output" not in answer.axes or answer.shape[-1] == 1)
    return None if is_one else outputs


def _measured(
    metric: Metric,
    model: Any,
    X: Any,
    explainer: Any,
    answer: Any,
    settings: Mapping[str, Any],
    references: bool,
) -> Measure:
    """One metric of one explainer, with the settings that it takes."""
    pinned = metric.keywords if isinstance(metric, functools.partial) else {}
    takes = inspect.signature(metric).parameters
    outputs = _chosen_of(answer, settings["outputs"])
    wanted = {**settings, "outputs": outputs, "references": references}
    known = {k: v for k, v in wanted.items() if k in takes and k not in pinned}
    found: Any = (
        metric(explainer, X, **known) if _explains(metric) else metric(model, X, answer, **known)
    )
    if not isinstance(found, Measure):
        raise invalid("metrics", f"functions that return a {Measure.__name__}", found)
    return found
