"""The contract of a metric, and the function that is made from each."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import fields
from inspect import Parameter, signature
from typing import Any, ClassVar, Generic, Literal, TypeAlias, TypeVar

from perturbx.maskers import BoundMasker
from perturbx.metrics.judged_explainer import JudgedExplainer, judge_explainer
from perturbx.metrics.judged_explanation import JudgedExplanation, judge
from perturbx.metrics.results import Better, Measure

Subject = TypeVar("Subject", JudgedExplanation, JudgedExplainer)

MetricFunction: TypeAlias = Callable[..., Measure]
"""A metric as a function: subject and settings in one call."""

_OF_EXPLANATIONS = """predict_fn : callable or fitted model
        The model: a batch of rows or images to (n,) or (n, k) scores.
    X : table of rows, one row, images or one image
        The instances that were explained.
    explanation : Explanation, or array
        The scores to judge. Plain scores have shape (n, d) for tables and (n, H, W) for images.
    masker : Masker or fitted masker, optional
        How the metric removes features, such as ``px.Background(X_train)``,
        ``px.Superpixels()`` or ``explainer.masker_``. By default X's own rows, averaged, for
        tables; see `fill` for images.
    fill : "blur", "mean", "noise", a color or an array, optional
        What absent pixels of an image show, if no masker is given; "blur" by default. A fill
        favors explanations that were made with it.
    outputs : None, int, str or list
        Which of the explained outputs are judged; needed if there are several. For plain
        scores, the one output that they explain.
    link : "identity" or "logit"
        Applied to the averaged output before measuring.
    batch_size : int, optional
        The most rows in one call of predict_fn.
    archive : path or Archive, optional
        Where answers are kept, as of an explainer: rows that it asked there are not asked again.
    random_state : int, numpy generator or None
        Fixes every random draw, whatever batch_size is."""

_REFERENCES = """
    references : bool
        Whether scores that never saw the model are measured too, for comparison."""

_OF_EXPLAINERS = """explainer : explainer or callable
        A px explainer, or a callable from X to an `Explanation` or an array of scores; one with
        a parameter ``random_state`` is given a seed.
    X : table of rows, one row, images or one image
        The instances to explain.
    outputs : None, int, str or list
        Which of the explained outputs are judged; needed where there are several.
    random_state : int, numpy generator or None
        Fixes every random draw."""

_KINDS: list[tuple[MetricFunction, type[Metric[Any]]]] = []
"""The functions that were made, each with its class."""


class Metric(ABC, Generic[Subject]):
    """Judges an explanation, or an explainer, by one number for each instance and output.

    A metric is a frozen dataclass. Its fields are its settings, and ``__post_init__`` refuses
    wrong ones before the model is asked for anything. `measure` changes nothing in its subject,
    and the same subject gives the same result. Calling a metric prepares the subject and
    measures it: ``Deletion(steps=5)(predict_fn, X, explanation, masker=masker)``.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import numpy as np, perturbx as px
    >>> @dataclass(frozen=True)
    ... class Additivity(px.metrics.Metric):
    ...     "Whether the scores add up to the change of the output."
    ...     better = "lower"
    ...
    ...     def measure(self, subject):
    ...         total = subject.each(lambda i, j: subject.scores.mass(i, j).sum())
    ...         return subject.result(self, abs(total - (subject.full - subject.empty)))
    >>> x, model = np.array([4.0, 2.0]), lambda X: X[:, 0] * X[:, 1]
    >>> Additivity()(model, x, np.array([8.0, 8.0]), masker=px.Baseline([0.0, 0.0])).values
    array(8.)
    """

    better: ClassVar[Better]
    """Whether a faithful explanation has a "higher" or a "lower" value."""

    reads: ClassVar[Literal["order", "sizes"]] = "sizes"
    """Whether it needs only the order of the scores, or their sizes, in units of the output.

    An image is ranked pixel by pixel where the order counts, and else cut into boxes.
    """

    accepts_noise: ClassVar[bool] = False
    """Whether it has a meaning under a masker that moves features and removes none."""

    has_references: ClassVar[bool] = True
    """Whether scores that never saw the model can be measured for comparison."""

    explains: ClassVar[bool] = False
    """True if it explains again: `measure` then gets a `JudgedExplainer`."""

    name: ClassVar[str]
    """The name of the class in lower case, with underscores."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls.name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def check(self, bound_maskers: Sequence[BoundMasker]) -> None:
        """Refuse settings that do not suit these instances, before the model is asked."""

    @abstractmethod
    def measure(self, subject: Subject) -> Measure:
        """The values and their cost, as ``subject.result`` returns them."""

    def subject(self, *given: Any, **common: Any) -> Any:
        """The argument of `measure`: checked, with f(x) and f(empty) where a model is asked."""
        if self.explains:
            return judge_explainer(*given, **common)
        return judge(self, *given, **common)

    def __call__(self, *given: Any, **common: Any) -> Measure:
        return self.measure(self.subject(*given, **common))


def function_of(kind: type[Metric[Any]], name: str) -> MetricFunction:
    """The metric as a function: the subject, its own settings, then the shared parameters."""
    settings = [
        Parameter(f.name, Parameter.KEYWORD_ONLY, default=f.default, annotation=f.type)
        for f in fields(kind)  # type: ignore[arg-type]  # every metric is a dataclass
    ]
    shared = shared_parameters(kind)
    first = [p for p in shared if p.kind is not Parameter.KEYWORD_ONLY]
    takes = signature(kind).replace(
        parameters=[*first, *settings, *shared[len(first) :]], return_annotation="Measure"
    )
    own = {p.name for p in settings}

    def metric(*given: Any, **keywords: Any) -> Measure:
        asked = takes.bind(*given, **keywords).arguments
        made = kind(**{n: value for n, value in asked.items() if n in own})
        return made(**{n: value for n, value in asked.items() if n not in own})

    common = _OF_EXPLANATIONS + _REFERENCES * kind.has_references
    heading = "Parameters\n    ----------\n    "
    metric.__doc__ = (kind.__doc__ or "").replace(
        heading, f"{heading}{_OF_EXPLAINERS if kind.explains else common}\n    "
    )
    metric.__name__ = metric.__qualname__ = name
    metric.__module__ = "perturbx.metrics"
    metric.__signature__ = takes  # type: ignore[attr-defined]
    _KINDS.append((metric, kind))
    return metric


def shared_parameters(kind: type[Metric[Any]]) -> list[Parameter]:
    """The parameters that a metric takes beside its own settings, those of its subject first."""
    if kind.explains:
        return list(signature(judge_explainer).parameters.values())
    _, *shared = signature(judge).parameters.values()
    return [p for p in shared if kind.has_references or p.name != "references"]


def kind_of(function: Any) -> type[Metric[Any]] | None:
    """The class behind a function of `perturbx.metrics`; None for anything else."""
    return next((kind for made, kind in _KINDS if made is function), None)
