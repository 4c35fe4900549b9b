"""Heavy tails of outputs are detected, reported, and included in the standard errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import perturbx as px
import pytest

Model = Callable[[np.ndarray], np.ndarray]
D = 12
ONE, ZERO = np.ones((1, D)), np.zeros((1, D))


def exponential(seed: int) -> Model:
    w = np.random.default_rng(seed).normal(size=D)
    return lambda X: np.exp(1.5 * (X @ w))


def network(seed: int) -> Model:
    rng = np.random.default_rng(seed)
    first, bias, last = rng.normal(size=(D, 16)), rng.normal(size=16), rng.normal(size=16)
    return lambda X: np.tanh(X @ first + bias) @ last


def trees(seed: int) -> Model:
    """Twenty trees of depth four on random features."""
    rng = np.random.default_rng(seed)
    split, leaves = rng.integers(0, D, (20, 15)), rng.normal(size=(20, 16))

    def predict(X: np.ndarray) -> np.ndarray:
        total = np.zeros(len(X))
        for features, values in zip(split, leaves, strict=True):
            node = np.zeros(len(X), dtype=int)
            for _ in range(4):
                node = 2 * node + 1 + (X[np.arange(len(X)), features[node]] > 0.5)
            total += values[node - 15]
        return total

    return predict


def linear(seed: int) -> Model:
    w = np.random.default_rng(seed).normal(size=D)
    return lambda X: X @ w


def weighted_majority(seed: int) -> Model:
    w = np.random.default_rng(seed).integers(1, 6, D)
    return lambda X: 1.0 * (X @ w > w.sum() / 2)


METHODS: dict[str, Callable[[Model, int], Any]] = {
    "regression": lambda f, s: px.KernelShap(
        f, masker=px.Background(ZERO), estimator="regression", budget=150, random_state=s
    ),
    "permutations": lambda f, s: px.PermutationShap(
        f, masker=px.Background(ZERO), budget=250, random_state=s
    ),
    "Banzhaf": lambda f, s: px.Banzhaf(f, masker=px.Background(ZERO), budget=150, random_state=s),
    "Rise": lambda f, s: px.Rise(f, masker=px.Background(ZERO), budget=150, random_state=s),
    "Lime": lambda f, s: px.Lime(f, budget=300, random_state=s).fit(
        np.random.default_rng(0).normal(size=(50, D))
    ),
}


def is_noted(explanation: px.Explanation) -> bool:
    return any(note.startswith("heavy tails") for note in explanation.notes)


@pytest.mark.parametrize("method", METHODS)
def test_heavy_tails_are_said(method: str) -> None:
    """Of exponentials of a sum in nearly every run, whatever samples them."""
    found = [is_noted(METHODS[method](exponential(s), s).explain(ONE)) for s in range(30)]
    assert np.mean(found) >= 0.9


@pytest.mark.parametrize("model", [network, trees, linear, weighted_majority])
@pytest.mark.parametrize("method", METHODS)
def test_ordinary_models_are_not_accused(method: str, model: Callable[[int], Model]) -> None:
    """Trees, networks, lines and votes have the note in at most one run of forty."""
    found = [is_noted(METHODS[method](model(s), s).explain(ONE)) for s in range(40)]
    assert np.sum(found) <= 1


def test_intervals_of_heavy_tails_are_wider() -> None:
    """Nominal 95% intervals contain the Shapley values of an exponential in 88% of cases."""
    z = (np.arange(2**D)[:, None] >> np.arange(D) & 1).astype(float)
    hits = []
    for seed in range(40):
        predict = exponential(seed % 8)
        exact = px.KernelShap(predict, masker=px.Background(ZERO), budget=len(z)).explain(ONE)
        explanation = METHODS["regression"](predict, seed).explain(ONE)
        low, high = explanation.interval(0.95)
        hits.append((low <= exact.values) & (exact.values <= high))
    assert np.mean(hits) >= 0.88


def test_the_cure_works() -> None:
    """The logarithm of the output has no heavy tails: no note, and the scores are exact."""
    predict = exponential(0)
    log = METHODS["regression"](lambda X: np.log(predict(X)), 0).explain(ONE)
    assert not is_noted(log)
    assert np.allclose(log.values.sum(), np.log(predict(ONE)) - np.log(predict(ZERO)))


def test_each_instance_for_itself() -> None:
    """The note names the one instance of two that is affected, and only its slice has it."""
    predict = exponential(1)

    def either(X: np.ndarray) -> np.ndarray:
        return np.where(X.max(axis=1) > 1.5, X.sum(axis=1), predict(X))

    explainer = METHODS["regression"](either, 0)
    both = explainer.explain(np.vstack([ONE, 2 * ONE]))
    assert any(note.startswith("1 of 2 instances: heavy tails") for note in both.notes)
    assert is_noted(both[0])
    assert not is_noted(both[1])
