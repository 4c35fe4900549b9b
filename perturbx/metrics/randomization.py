"""Similarity of an explanation to that of a model that has learned nothing."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import invalid
from perturbx.containers import layout_of
from perturbx.errors import InvalidParameterError
from perturbx.explainers import BaseExplainer
from perturbx.game import Cost
from perturbx.metrics._base import Metric, function_of
from perturbx.metrics.judged_explainer import Explains, JudgedExplainer, rank_correlation
from perturbx.metrics.results import Measure
from perturbx.predictor import resolve

_KEPT_BYTES = 2**24
"""The most memory for the answers that are kept and given to other rows."""

_CHANCE = 20


@dataclass(frozen=True)
class Randomization(Metric[JudgedExplainer]):
    """Rank correlation with the explanation of a model that has learned nothing.

    After Adebayo et al. (NeurIPS 2018): |Spearman's correlation| between the scores and those of
    a randomized model. An explanation that hardly changes says nothing about the model. Lower is
    better; compare it with `references`: the same model explained with another seed, and chance.

    Parameters
    ----------
    randomized : callable, model or explainer, optional
        A predict_fn trained on shuffled labels or with random weights; or an explainer of such a
        model, which a callable explainer needs. By default the model's own answers are shuffled:
        each row gets the answer to some other row that the explainer asks about, always the same
        one.

    Returns
    -------
    Measure

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.random.default_rng(0).normal(size=(50, 6))
    >>> slopes = np.arange(6.0)
    >>> explainer = px.KernelShap(lambda X: X @ slopes, random_state=0).fit(X)
    >>> px.metrics.randomization(explainer, X[:9]).mean < 0.5
    True
    """

    better = "lower"
    explains = True

    randomized: Any = None

    def measure(self, subject: JudgedExplainer) -> Measure:
        explainer = subject.explainer
        first_seed, other_seed, shuffle = (int(s) for s in subject.seeds.generate_state(3))
        shuffled = False
        if isinstance(explainer, BaseExplainer) and self.randomized is None:
            shuffled, tap = True, Tap(explainer.predict_fn)
            _check_untaught(explainer)
            first = subject.explain(first_seed, explainer=_asking(explainer, tap, n_jobs=1))
            other = _asking(explainer, Shuffled(tap, shuffle))
        else:
            other = _other(explainer, self.randomized)
            first = subject.explain(first_seed)
        second = subject.explain(first_seed, explainer=other)
        again = subject.explain(other_seed)
        rng = np.random.default_rng(subject.seeds)
        paid = (first, again) if shuffled else (first, second, again)
        return first.result(
            self,
            first.against(second, _likeness),
            sum((run.cost for run in paid), Cost()),
            references={
                "same model, another seed": first.against(again, _likeness),
                "chance": first.grid(lambda v: _chance(v, rng)),
            },
        )


randomization = function_of(Randomization, "randomization")


class Tap:
    """A model that keeps its answers."""

    def __init__(self, predict_fn: Any) -> None:
        self._function, _ = resolve(predict_fn)
        self._kept: list[Any] = []
        self._bytes = 0
        owner = getattr(self._function, "__self__", None)
        if owner is not None:  # outputs are named by the model's classes
            self.__self__ = owner
        self.__name__ = getattr(self._function, "__name__", type(self._function).__name__)

    def __call__(self, batch: Any) -> Any:
        answer = self._function(batch)
        if self._bytes < _KEPT_BYTES:
            kept = answer.detach().cpu().numpy() if hasattr(answer, "detach") else answer
            self._kept.append(np.array(kept))
            self._bytes += self._kept[-1].nbytes
        return answer

    def kept(self) -> Floats:
        """The answers, each once."""
        return np.unique(np.concatenate(self._kept), axis=0)


class Shuffled:
    """A model that gives every row the answer to some other one, always the same."""

    def __init__(self, model: Tap, seed: int) -> None:
        self._answers, self._seed = model.kept(), seed
        if hasattr(model, "__self__"):
            self.__self__ = model.__self__

    def __call__(self, batch: Any) -> Floats:
        keys = [zlib.crc32(row, self._seed) for row in _rows(batch)]
        return np.asarray(self._answers[np.array(keys) % len(self._answers)])


def _rows(batch: Any) -> list[bytes]:
    """Every row as bytes."""
    if isinstance(batch, list) or len(batch.shape) == 1:
        return [repr(row).encode("utf-8", "surrogatepass") for row in batch]
    if len(batch.shape) > 2:
        array = batch.detach().cpu().numpy() if hasattr(batch, "detach") else np.asarray(batch)
        return [row.tobytes() for row in array]
    values = layout_of(batch).values(batch)
    if values.dtype == object:
        return [repr(row.tolist()).encode() for row in values]
    return [row.tobytes() for row in values]


def _check_untaught(explainer: BaseExplainer) -> None:
    """Refuse a masker that has learned the first model's outputs, and so explains that model."""
    masker = vars(explainer).get("masker_")
    if masker is not None and masker.is_taught:
        raise InvalidParameterError(
            f"The masker of this {type(explainer).__name__} has learned the outputs of its model, "
            "and cannot serve another one: pass randomized=, an explainer of a randomized model "
            "that you have fitted."
        )


def _asking(explainer: BaseExplainer, model: Callable[[Any], Any], **settings: Any) -> Any:
    """The explainer, fitted as it is, with another model."""
    other = copy.copy(explainer)
    for name, value in settings.items():
        setattr(other, name, value)
    other.predict_fn = model
    predictor = vars(explainer).get("predictor_")
    if predictor is not None:
        other.predictor_ = replace(predictor, predict_fn=model)
        other.fitted_with_ = {**explainer.fitted_with_, "predict_fn": model}
    return other


def _other(explainer: Explains, randomized: Any) -> Any:
    """An explainer of the randomized model."""
    if isinstance(randomized, BaseExplainer):
        return randomized
    if isinstance(explainer, BaseExplainer):
        _check_untaught(explainer)
        return _asking(explainer, resolve(randomized)[0])
    if callable(randomized):
        return randomized
    raise invalid(
        "randomized",
        "an explainer of a randomized model",
        randomized,
        "A callable explainer hides its model, so no other model can replace it.",
    )


def _likeness(a: Floats, b: Floats) -> float:
    """|Spearman's correlation|; 0 for scores that are all equal."""
    found = abs(rank_correlation(a, b))
    return 0.0 if np.isnan(found) else found


def _chance(scores: Floats, rng: np.random.Generator) -> float:
    """The mean likeness of the scores to themselves in random order."""
    return float(np.mean([_likeness(scores, rng.permutation(scores)) for _ in range(_CHANCE)]))
