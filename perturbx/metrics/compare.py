"""Several explainers, several metrics, the same instances: one table."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
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
from perturbx.archive import Archive, ArchiveLike
from perturbx.containers import holds_texts
from perturbx.errors import InvalidParameterError
from perturbx.explainers import BaseExplainer
from perturbx.maskers import Background, Features, FittedMasker, Masker, Segments, Tokens
from perturbx.maskers.bound_noise import FittedNoise
from perturbx.maskers.bound_rows import FittedBackground
from perturbx.maskers.fills import Fill, check_fill
from perturbx.metrics._base import Metric, kind_of, shared_parameters
from perturbx.metrics._rehearsal import choice_from, rehearse
from perturbx.metrics._scores import Removing
from perturbx.metrics.judged_explainer import Explains, check_explainer
from perturbx.metrics.orders import deletion, insertion
from perturbx.metrics.results import Comparison, Measure, tabulate
from perturbx.metrics.subsets import sensitivity_n
from perturbx.predictor import resolve
from perturbx.result import Explanation

Measuring: TypeAlias = Metric[Any] | Callable[..., Measure]
"""A metric, a function of `perturbx.metrics` or of your own, or a ``functools.partial`` of one."""

_DEFAULT: tuple[Measuring, ...] = (deletion, insertion, sensitivity_n)


@dataclass(frozen=True, eq=False)
class _Column:
    """A metric of the table.

    Parameters
    ----------
    call : callable
        The metric, its own settings fixed.
    takes : frozenset of str
        The shared settings that it takes, where no partial fixed them.
    explains : bool
        Whether it takes the explainer.
    subject : callable or None
        Prepares the argument of its `measure`; None if it takes the explainer, or is a function
        of your own.
    """

    call: Callable[..., Measure]
    takes: frozenset[str]
    explains: bool = False
    subject: Callable[..., Any] | None = None

    def settings(self, shared: Mapping[str, Any]) -> dict[str, Any]:
        """The shared settings that it takes."""
        return {name: value for name, value in shared.items() if name in self.takes}

    def measure(self, *given: Any, shared: Mapping[str, Any]) -> Measure:
        """The result of the metric for one explainer."""
        found: Any = self.call(*given, **self.settings(shared))
        if not isinstance(found, Measure):
            raise invalid("metrics", f"functions that return a {Measure.__name__}", found)
        return found


def compare(
    explainers: Mapping[str, Explains],
    X: Any,
    *,
    metrics: Sequence[Measuring] | Mapping[str, Measuring] = _DEFAULT,
    predict_fn: PredictFn | Any = None,
    masker: Removing = None,
    fill: Fill | None = None,
    outputs: OutputSelection = None,
    link: LinkName = "identity",
    batch_size: int | None = None,
    archive: ArchiveLike | None = None,
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
        `Explanation` or an array of scores: (n, d) of a table, (n, H, W) maps of images. You
        can therefore compare attribution maps from other libraries.
    X : table of rows, or images
        The instances to explain.
    metrics : sequence of metrics, or mapping of str to metric
        Functions of `perturbx.metrics`, whose settings ``functools.partial`` pins, as in
        ``{"top 5%": partial(px.metrics.comprehensiveness, shares=[0.05])}``, and instances of
        `Metric`, your own as well: ``[px.metrics.deletion, MyMetric()]``.
    predict_fn : callable or fitted model, optional
        The model; by default that of the first px explainer.
    masker, fill, link, batch_size, archive, random_state
        As in every metric. By default tables are masked by the background rows of the first
        fitted explainer that has any, texts and lists as the first px explainer masks them.
    outputs : None, int, str or "top1"
        Which output is judged, if several were explained, or if plain scores explain one output
        of a model with several.
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
    Scores that are slopes, such as those of `Lime` on tables, are not shares of the output, as
    most metrics assume. Compare the effects that they predict instead: slope times (x - mean),
    in units of the same standard deviation.

    Raises
    ------
    InvalidParameterError
        If there is nothing to compare, no model is known, or an output must be named. Explainers
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
    columns = _check(explainers, metrics, against)
    check_number("level", level, above=0, below=1)
    check_flag("references", references)
    masker = _of_pieces(explainers, X) if masker is None and fill is None else masker
    settings = _shared(explainers, masker, fill, outputs, link, batch_size, random_state)
    settings["archive"] = None if archive is None else Archive.at(archive)
    model = _model(explainers) if predict_fn is None else predict_fn
    resolve(model)
    free = {**settings, "outputs": None, "archive": None}  # the rehearsal's answers are invented
    subjects = [
        functools.partial(column.subject, **column.settings(free))
        for column in columns.values()
        if column.subject is not None
    ]
    answers = rehearse(explainers, X, model, settings, subjects)
    measures: dict[str, dict[str, Measure]] = {}
    explaining: list[float] = []
    for name, explainer in explainers.items():
        answer = explainer.explain(X) if isinstance(explainer, BaseExplainer) else answers[name]
        explaining.append(answer.n_rows if isinstance(answer, Explanation) else np.nan)
        shared = {
            **settings,
            "outputs": choice_from(answer, settings["outputs"]),
            "references": references and not measures,
        }
        measures[name] = {
            label: column.measure(explainer, X, shared=shared)
            if column.explains
            else column.measure(model, X, answer, shared=shared)
            for label, column in columns.items()
        }
    return tabulate(
        measures,
        explaining,
        removing=[label for label, column in columns.items() if not column.explains],
        against=against or next(iter(explainers)),
        level=level,
        seed=settings["random_state"],
    )


def _shared(
    explainers: Mapping[str, Explains],
    masker: Any,
    fill: Any,
    outputs: Any,
    link: Any,
    batch_size: Any,
    random_state: Any,
) -> dict[str, Any]:
    """The settings of all metrics, with the first background for tables; wrong ones refused."""
    check_selection(outputs)
    if isinstance(outputs, (list, tuple, np.ndarray)) and len(outputs) == 1:
        outputs = outputs[0]
    check_choice("link", link, ("identity", "logit"))
    if batch_size is not None:
        check_integer("batch_size", batch_size, minimum=1)
    if masker is not None:
        expected = "a masker, such as px.Background(X_train)"
        check_kind("masker", masker, (Masker, FittedMasker), expected)
    if fill is not None:
        check_fill(fill)
    return {
        "masker": _masker(explainers) if masker is None and fill is None else masker,
        "fill": fill,
        "outputs": outputs,
        "link": link,
        "batch_size": batch_size,
        "random_state": int(check_random_state(random_state).generate_state(1)[0]),
        "references": False,
    }


def _check(explainers: Any, metrics: Any, against: str | None) -> dict[str, _Column]:
    """The metrics by name, or an error if there is nothing to compare."""
    if not isinstance(explainers, Mapping) or not explainers:
        raise invalid("explainers", 'a dict, as in {"shap": px.KernelShap(...)}', explainers)
    _check_keys("explainers", explainers)
    for explainer in explainers.values():
        check_explainer(explainer)
    if against is not None and (not isinstance(against, str) or against not in explainers):
        raise invalid("against", f"one of {', '.join(map(repr, explainers))}", against)
    if isinstance(metrics, Mapping):
        columns = {label: _column(metric) for label, metric in metrics.items()}
    else:
        several = metrics if isinstance(metrics, (list, tuple)) else ()
        columns = {_label(metric): _column(metric) for metric in several}
        if len(columns) < len(several):
            what = 'of different names: pass a dict, as in {"10 steps": px.metrics.Deletion(10)}'
            raise invalid("metrics", what, list(map(_label, several)))
    if not columns:
        raise invalid("metrics", "functions such as px.metrics.deletion", metrics)
    _check_keys("metrics", columns)
    return columns


def _check_keys(name: str, named: Mapping[Any, Any]) -> None:
    """Names stand in the table, and so must be strings."""
    for key in named:
        if not isinstance(key, str):
            raise invalid(name, f"a dict whose keys are strings, as in {str(key)!r}", key)


def _label(given: Any) -> str:
    """The name of a metric or of a function."""
    inner = given.func if isinstance(given, functools.partial) else given
    return (
        inner.name if isinstance(inner, Metric) else str(getattr(inner, "__name__", shown(inner)))
    )


def _column(given: Any) -> _Column:
    """A metric with its own settings, apart from those that all metrics share."""
    is_partial = isinstance(given, functools.partial)  # of a partial is a partial of its function
    inner, pinned = (given.func, given.keywords) if is_partial else (given, {})
    what = "functions such as px.metrics.deletion, with keywords that they take"
    if isinstance(inner, type) or not callable(inner):
        raise invalid("metrics", f"{what}, or instances of px.metrics.Metric", given)
    kind = kind_of(inner)
    explains = kind.explains if kind else isinstance(inner, Metric) and inner.explains
    try:
        takes = inspect.signature(given)
        takes.bind_partial(*(None,) * (2 if explains else 3))
    except (ValueError, TypeError) as error:
        raise invalid("metrics", what, given) from error
    if kind is None and not isinstance(inner, Metric):
        return _Column(given, frozenset(takes.parameters) - set(pinned))
    own = {f.name for f in fields(kind)} if kind else set()  # type: ignore[arg-type]
    metric = kind(**{n: v for n, v in pinned.items() if n in own}) if kind else inner
    fixed = {n: v for n, v in pinned.items() if n not in own}
    known = {p.name for p in shared_parameters(type(metric))}
    if not known >= set(fixed):
        raise invalid("metrics", what, given)
    return _Column(
        functools.partial(metric, **fixed),
        frozenset(known - set(fixed)),
        explains,
        None if explains else functools.partial(metric.subject, **fixed),
    )


def _model(explainers: Mapping[str, Explains]) -> Any:
    """The model of the first px explainer."""
    for explainer in explainers.values():
        if isinstance(explainer, BaseExplainer):
            return explainer.predict_fn
    raise InvalidParameterError(
        "predict_fn must be given if no px explainer is compared: callables hide their model."
    )


def _of_pieces(explainers: Mapping[str, Explains], X: Any) -> Removing:
    """How the first px explainer removes pieces of texts or lists, if it does."""
    for explainer in explainers.values():
        if isinstance(explainer, BaseExplainer):
            default = Tokens() if holds_texts(X) else None
            masker = explainer.masker or default
            if isinstance(masker, (Tokens, Segments)):
                return masker.fit(None, Features(), np.random.default_rng(0))
            return None
    return None


def _masker(explainers: Mapping[str, Explains]) -> Removing:
    """The background of the first explainer that has one."""
    for explainer in explainers.values():
        fitted = vars(explainer).get("masker_") if isinstance(explainer, BaseExplainer) else None
        if isinstance(fitted, FittedBackground):
            return fitted
        if isinstance(fitted, FittedNoise):
            return Background(fitted.rows)
    return None
