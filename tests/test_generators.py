"""Generators that a model finds in its module are told from those that are made anew."""

from __future__ import annotations

import functools
import random
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from perturbx._generators import uses_module_generator
from sklearn.ensemble import RandomForestClassifier
from sklearn.neural_network import MLPClassifier

HELD = np.random.default_rng(0)
LEGACY = np.random.RandomState(0)
OF_PYTHON = random.Random(0)
OF_THE_SYSTEM = np.random.default_rng()
INSIDE = {"rng": [HELD]}


def by_name(X: np.ndarray) -> Any:
    return HELD.normal(size=len(X))


def legacy(X: np.ndarray) -> Any:
    return LEGACY.normal(size=len(X))


def of_python(X: np.ndarray) -> Any:
    return OF_PYTHON.random()


def inside(X: np.ndarray) -> Any:
    return INSIDE["rng"][0].normal(size=len(X))


def by_another(X: np.ndarray) -> Any:
    return [by_name(row) for row in X]


def made_anew(X: np.ndarray) -> Any:
    return np.random.default_rng(0).normal(size=len(X))


def of_numpy(X: np.ndarray) -> Any:
    return np.random.normal(size=len(X)) + random.random()  # noqa: NPY002


def seeded_by_the_system(X: np.ndarray) -> Any:
    return OF_THE_SYSTEM.normal(size=len(X))


class Model:
    """Draws in `train` and where it is called, not in `predict`."""

    def __call__(self, X: np.ndarray) -> Any:
        return self.noise(X)

    def noise(self, X: np.ndarray) -> Any:
        return HELD.normal(size=len(X))

    def predict(self, X: np.ndarray) -> Any:
        return X[:, 0]

    def train(self, X: np.ndarray) -> Any:
        return HELD.permutation(X)


@pytest.fixture
def elsewhere() -> Iterator[Any]:
    """Another module, which names this one."""
    module = types.ModuleType("elsewhere")
    vars(module)["here"] = sys.modules[__name__]
    exec("def model(X):\n    return here.HELD.normal(size=len(X))", vars(module))
    yield module.model
    del module


@pytest.mark.parametrize(
    "model",
    [
        *(by_name, legacy, of_python, inside, by_another, Model(), Model().noise),
        *(functools.partial(by_name), lambda X: by_another(X)),
    ],
)
def test_held_by_a_module(model: Any) -> None:
    """By name, in a container, through another function, a method or a partial."""
    assert uses_module_generator(model)


def test_held_by_another_module(elsewhere: Any) -> None:
    """As an attribute of a module."""
    assert uses_module_generator(elsewhere)


def _fitted(estimator: Any) -> Any:
    X = np.random.default_rng(0).normal(size=(40, 3))
    return estimator.fit(X, X[:, 0] > 0).predict_proba


@pytest.mark.parametrize(
    "model",
    [made_anew, of_numpy, seeded_by_the_system, Model().predict, functools.partial(made_anew), 3],
)
def test_not_held(model: Any) -> None:
    """Generators of each call, those that processes seed by themselves, and other methods."""
    assert not uses_module_generator(model)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_not_held_by_scikit_learn() -> None:
    """Which is random when it is trained."""
    models = RandomForestClassifier(3, random_state=0), MLPClassifier(max_iter=5, random_state=0)
    assert not any(map(uses_module_generator, map(_fitted, models)))


def test_not_held_by_torch() -> None:
    """Whose dropout draws from a generator of the library."""
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.5))
    assert not uses_module_generator(net)
    assert not uses_module_generator(lambda X: net(torch.tensor(X)).detach().numpy())
