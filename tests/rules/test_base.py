"""How every rule asks the model: what was paid for is not asked again, nor lost by failures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
import pytest
from numpy.typing import NDArray
from perturbx.errors import InvalidParameterError, PredictFnError
from perturbx.predictor import patience
from perturbx.rules._base import BaseRule

X = np.random.default_rng(0).normal(size=(240, 3))
IMAGE = np.kron(np.arange(4.0).reshape(2, 2), np.ones((4, 4)))
SEGMENTS = np.kron(np.arange(4).reshape(2, 2), np.ones((4, 4), dtype=int))

Model = Callable[[NDArray[Any]], NDArray[Any]]


def labels(X: NDArray[Any]) -> NDArray[Any]:
    """Rows of a table or images: whether a sum is positive."""
    rows = X.reshape(len(X), -1)
    return (rows[:, 0] + 0.5 * rows[:, -1] > 0).astype(float)


def scores(X: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.tanh(X[:, 0]) + X[:, 1] * X[:, 2])


def _table(rule: type[Any], **settings: Any) -> Callable[..., Any]:
    return lambda model, **asking: (
        rule(model, random_state=0, **settings, **asking).fit(X).explain(X[3])
    )


def _sets(model: Model, **asking: Any) -> Any:
    masker = px.Superpixels(segments=SEGMENTS, fill=0.0)
    return px.MinimalSets(model, masker=masker, random_state=0, **asking).explain(IMAGE)


def _surrogate(rule: type[Any]) -> Callable[..., Any]:
    return lambda model, **asking: (
        rule(model, random_state=0, budget=1000, **asking).fit(X).explain()
    )


def _effects(model: Model, **asking: Any) -> Any:
    return px.Effects(model, random_state=0, **asking).fit(X).explain()


CASES: dict[type[Any], tuple[Model, Callable[..., Any]]] = {
    px.Anchors: (labels, _table(px.Anchors, budget=1000)),
    px.Counterfactual: (scores, _table(px.Counterfactual, target=(1.5, None), budget=600)),
    px.InvariantRange: (labels, _table(px.InvariantRange, budget=1000)),
    px.MinimalSets: (labels, _sets),
    px.SurrogateTree: (labels, _surrogate(px.SurrogateTree)),
    px.SurrogateAdditive: (scores, _surrogate(px.SurrogateAdditive)),
    px.Effects: (scores, _effects),
}


def contents(found: Any) -> Iterator[Any]:
    """Every number and text of a result, in order."""
    if is_dataclass(found):
        for part in fields(found):
            yield from contents(getattr(found, part.name))
    elif isinstance(found, (tuple, list)):
        for item in found:
            yield from contents(item)
    elif isinstance(found, np.ndarray) and found.dtype != object:
        yield found.shape, found.tobytes()
    elif isinstance(found, (str, int, float, np.generic)):
        yield repr(found)


class Counted:
    """A model that counts its rows, and fails in every third call if it is flaky."""

    def __init__(self, model: Model, *, flaky: bool = False) -> None:
        self.model, self.flaky = model, flaky
        self.n_rows = self.n_calls = 0

    def __call__(self, X: NDArray[Any]) -> NDArray[Any]:
        self.n_calls += 1
        if self.flaky and self.n_calls % 3 == 0:
            raise ConnectionError("reset by peer")
        self.n_rows += len(X)
        return self.model(X)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between attempts are not waited for."""
    monkeypatch.setattr(patience, "_pause", lambda n: 0.0)


def test_every_rule_is_here() -> None:
    """Each exported rule around a predict_fn has a case."""
    rules = {
        rule for rule in vars(px).values() if isinstance(rule, type) and issubclass(rule, BaseRule)
    }
    assert rules == set(CASES)


@pytest.mark.parametrize("rule", CASES, ids=lambda rule: rule.__name__)
def test_a_warm_archive_answers_everything(rule: type[Any], tmp_path: Path) -> None:
    """A second run asks nothing, and both have the bits of a run without an archive."""
    model, run = CASES[rule]
    plain = run(Counted(model))
    archive = px.Archive(tmp_path / "answers.db", model="v1")
    cold, warm = Counted(model), Counted(model)
    first, second = run(cold, archive=archive), run(warm, archive=archive)
    assert cold.n_rows > 0
    assert warm.n_rows == 0
    expected = list(contents(plain))
    assert len(expected) > 10
    assert list(contents(first)) == expected
    assert list(contents(second)) == expected
    assert second.n_rows == plain.n_rows


@pytest.mark.parametrize("rule", CASES, ids=lambda rule: rule.__name__)
def test_failed_calls_are_made_again(rule: type[Any]) -> None:
    """Where every third call fails, the result has the bits of a healthy run; without, it fails."""
    model, run = CASES[rule]
    flaky = Counted(model, flaky=True)
    found = run(flaky, retries=2, retry_on=ConnectionError, batch_size=400)
    assert list(contents(found)) == list(contents(run(Counted(model), batch_size=400)))
    with pytest.raises(PredictFnError, match="reset by peer"):
        run(Counted(model, flaky=True), batch_size=20)


@pytest.mark.parametrize("rule", CASES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"retries": -1}, "retries must be an integer of at least 0"),
        ({"retry_on": "ConnectionError"}, "retry_on must be an exception class"),
        ({"timeout": 0}, "timeout must be a number above 0"),
        ({"archive": 3}, "archive"),
        ({"batch_size": 0}, "batch_size must be an integer of at least 1"),
        ({"output_names": "no"}, "output_names must be"),
    ],
)
def test_bad_settings(rule: type[Any], settings: dict[str, Any], message: str) -> None:
    """Every rule refuses the same, before the model is asked."""
    model = Counted(CASES[rule][0])
    with pytest.raises(InvalidParameterError, match=message):
        CASES[rule][1](model, **settings)
    assert model.n_rows == 0


@pytest.mark.parametrize("rule", CASES, ids=lambda rule: rule.__name__)
def test_parameters_of_asking_are_documented(rule: type[Any]) -> None:
    """The docstring has the same text in each, and no placeholder."""
    text = rule.__doc__ or ""
    assert "{" not in re.sub(r"\{\"[^}]*\}", "", text)
    for name in ("archive", "retries", "retry_on", "timeout", "batch_size", "random_state"):
        assert f"\n    {name} : " in text


def test_answers_of_a_noisy_model_are_not_shared(tmp_path: Path) -> None:
    """Rows of equal content keep answers of their own, and a second run finds each again.

    With a shared answer the standard error of equal rows would be without the model's noise.
    """
    rng = np.random.default_rng(5)

    def noisy(X: NDArray[Any]) -> NDArray[Any]:
        return X[:, 0] + rng.normal(size=len(X))

    archive = px.Archive(tmp_path / "answers.db", model="v1")
    twos = np.tile([[0.0, 0.0], [1.0, 1.0]], (50, 1))
    model = Counted(noisy)
    first = px.Effects(model, archive=archive, random_state=0).fit(twos).explain()
    assert model.n_rows == first.n_rows
    second = px.Effects(model, archive=archive, random_state=0).fit(twos).explain()
    assert model.n_rows == first.n_rows
    assert list(contents(second)) == list(contents(first))
