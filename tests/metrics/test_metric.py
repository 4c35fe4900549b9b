"""Metrics as classes: one function made from each, and metrics of your own."""

from __future__ import annotations

import inspect
import pickle
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_allclose
from perturbx import metrics
from perturbx.errors import InvalidParameterError
from perturbx.testing import check_metric

KINDS = [
    kind
    for kind in vars(metrics).values()
    if inspect.isclass(kind) and issubclass(kind, metrics.Metric) and not inspect.isabstract(kind)
]
COMMON = ["masker", "fill", "outputs", "link", "batch_size", "archive", "random_state"]
SLOPES = np.array([4.0, 3.0, 2.0, 1.0])
ZERO = px.Baseline(np.zeros(4))
X = np.random.default_rng(0).normal(size=(8, 4))


def model(X: np.ndarray) -> np.ndarray:
    return X @ SLOPES + X[:, 0] * X[:, 1]


@dataclass(frozen=True)
class LargestFirst(metrics.Metric[metrics.JudgedExplanation]):
    """How much the output falls without the feature that scores highest."""

    better = "higher"

    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.scale <= 0:
            raise InvalidParameterError(f"scale must be above 0: got {self.scale}.")

    def check(self, bound_maskers: Any) -> None:
        if bound_maskers[0].n_features < 2:
            raise InvalidParameterError("largest_first needs two features.")

    def measure(self, subject: metrics.JudgedExplanation) -> metrics.Measure:
        falls, cost = np.zeros(subject.full.shape), None
        for i, bound in subject.bound():
            for j in range(subject.full.shape[1]):
                z = np.arange(bound.n_features)[None] != np.argmax(subject.scores.heat(i, j))
                outputs, asked = subject.ask(bound, z, i, j)
                falls[i, j] = self.scale * (subject.full[i, j] - outputs[0, 0])
                cost = asked if cost is None else cost + asked
        return subject.result(self, falls, cost)


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_each_class_has_one_function(kind: Any) -> None:
    """A function takes its subject by position, then its settings, then what all metrics share."""
    function = getattr(metrics, kind().name)
    parameters = inspect.signature(function).parameters
    settings = [f.name for f in fields(kind)]
    subject = ["explainer", "X"] if kind.explains else ["predict_fn", "X", "explanation"]
    shared = ["outputs", "random_state"] if kind.explains else COMMON
    shared = [*shared, "references"] if kind.has_references and not kind.explains else shared
    assert list(parameters) == [*subject, *settings, *shared]
    assert all(parameters[f.name].default is f.default for f in fields(kind))
    assert all(f"\n    {name} : " in function.__doc__ for name in parameters)
    assert function.__doc__.startswith(kind.__doc__.partition("\n")[0])
    assert pickle.loads(pickle.dumps(function)) is function


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_a_class_and_its_function_measure_the_same(kind: Any) -> None:
    """`Deletion()(...)` gives the same as `deletion(...)`."""
    explainer = px.KernelShap(model, masker=ZERO, random_state=0)
    given = (explainer, X[:3]) if kind.explains else (model, X[:3], explainer.explain(X[:3]))
    ask = {} if kind.explains else {"masker": ZERO}
    one, other = kind()(*given, **ask), getattr(metrics, kind().name)(*given, **ask)
    assert np.array_equal(one.values, other.values, equal_nan=True)
    assert repr(one) == repr(other)


def test_unknown_keywords_are_refused() -> None:
    """Unknown keywords and a missing subject are type errors."""
    with pytest.raises(TypeError, match="nsamples"):
        metrics.deletion(model, X, X, nsamples=3)
    with pytest.raises(TypeError, match="explanation"):
        metrics.deletion(model, X)


def test_your_own_metric() -> None:
    """A metric of your own measures the effect of removing the largest score."""
    found = LargestFirst(scale=2.0)(lambda X: X @ SLOPES, X, X * SLOPES, masker=ZERO)
    assert_allclose(found.values, 2 * (X * SLOPES).max(axis=1))
    assert found.metric == "largest_first"
    check_metric(LargestFirst(), X)


def test_your_own_metric_joins_compare() -> None:
    """Your own metric joins functions in `compare`, with its own or pinned settings."""
    explainers = {"a": px.Occlusion(model, masker=ZERO).fit(X), "b": lambda X: X * SLOPES}
    ask = {"masker": ZERO, "references": False}
    found = metrics.compare(
        explainers, X, metrics=[metrics.deletion, LargestFirst(), metrics.Sufficiency([0.5])], **ask
    )
    assert found.metrics == ("deletion", "largest_first", "sufficiency")
    assert found.better == ("lower", "higher", "lower")
    alone = LargestFirst()(model, X, X * SLOPES, masker=ZERO)
    assert_allclose(found.means[1, 1], alone.mean)
    half = metrics.sufficiency(model, X, X * SLOPES, masker=ZERO, shares=[0.5])
    assert_allclose(found.means[1, 2], half.mean)
    assert found.value_functions["largest_first"] == "absent features at a baseline"
    pinned = partial(LargestFirst(3.0), masker=px.Baseline(np.ones(4)))
    named = metrics.compare(explainers, X, metrics={"mine": pinned}, **ask)
    ones = LargestFirst(3.0)(model, X, X * SLOPES, masker=px.Baseline(np.ones(4)))
    assert_allclose(named.means[1, 0], ones.mean)


def test_your_own_metric_is_checked_before_anything_is_explained(counting_model: Any) -> None:
    """`check` of your own metric runs before the model is called."""
    counted = counting_model(lambda X: X[:, 0])
    explainer = px.Occlusion(counted, masker=px.Baseline([0.0])).fit(X[:, :1])
    counted.calls.clear()
    with pytest.raises(InvalidParameterError, match="needs two features"):
        metrics.compare({"a": explainer}, X[:, :1], metrics=[LargestFirst()])
    assert counted.calls == []


@pytest.mark.parametrize("wrong", [metrics.Deletion, px.KernelShap, "auc", 3])
def test_what_is_no_metric_is_refused(wrong: Any) -> None:
    """Classes and names are refused, and the error suggests an instance."""
    explainers = {"a": px.Occlusion(model, masker=ZERO).fit(X)}
    with pytest.raises(InvalidParameterError, match=r"instances of px\.metrics\.Metric"):
        metrics.compare(explainers, X, metrics=[wrong])


@pytest.mark.parametrize("again", [metrics.Deletion(2), partial(metrics.deletion, steps=2)])
def test_two_metrics_of_one_name_need_a_dict(again: Any) -> None:
    """Two metrics of one name in a list are refused, and a dict of names works."""
    explainers = {"a": px.Occlusion(model, masker=ZERO).fit(X)}
    with pytest.raises(InvalidParameterError, match="different names: pass a dict"):
        metrics.compare(explainers, X, metrics=[metrics.deletion, again])
    named = {"all": metrics.deletion, "two": again}
    assert metrics.compare(explainers, X, metrics=named).metrics == ("all", "two")


@pytest.mark.parametrize("words", ["", "Gaussian noise around the instance"])
def test_slopes_are_known_by_their_kind(words: str) -> None:
    """Slopes are known by `score_kind`, whatever `value_function` says."""
    from dataclasses import replace

    lime = px.Lime(model, random_state=0).fit(X).explain(X[:2])
    occlusion = px.Occlusion(model, masker=ZERO).explain(X[:2])
    for explanation, slopes in ((lime, True), (occlusion, False)):
        said = replace(explanation, value_function=words)
        found = metrics.deletion(model, X[:2], said, masker=ZERO)
        assert ("the scores are slopes, read here as shares of the output" in found.notes) == slopes
