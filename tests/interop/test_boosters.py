"""Boosters of xgboost and lightgbm are models as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import perturbx as px
import pytest

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4))
Y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int) + (X[:, 3] > 1)


def exact(model: Any) -> Any:
    return px.KernelShap(model, masker=px.Background(X[:20]), random_state=0).fit(X).explain(X[:3])


@pytest.mark.parametrize("n_classes", [1, 3])
def test_xgboost(n_classes: int) -> None:
    """`predict` of a booster takes its own container alone, and `inplace_predict` takes ours."""
    xgboost = pytest.importorskip("xgboost")
    settings = {"objective": "multi:softprob", "num_class": 3} if n_classes > 1 else {}
    booster = xgboost.train(settings, xgboost.DMatrix(X, Y), 5)
    found = exact(booster)
    theirs = booster.predict(xgboost.DMatrix(X[:3]))
    np.testing.assert_allclose(found.predictions, theirs, rtol=1e-6)
    assert "inplace_predict of Booster" in found.value_function


@pytest.mark.parametrize("n_classes", [1, 3])
def test_lightgbm(n_classes: int) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    settings = {"objective": "multiclass", "num_class": 3} if n_classes > 1 else {}
    booster = lightgbm.train({"verbose": -1, **settings}, lightgbm.Dataset(X, Y), 5)
    np.testing.assert_allclose(exact(booster).predictions, booster.predict(X[:3]), rtol=1e-12)


def test_a_booster_without_the_library() -> None:
    """A stand-in, so that the choice of its method is tested everywhere."""

    class Booster:
        def predict(self, rows: Any) -> Any:
            raise TypeError("Expecting data to be a DMatrix object")

        def inplace_predict(self, rows: Any) -> Any:
            return np.asarray(rows).sum(axis=1)

    Booster.__module__ = "xgboost.core"
    np.testing.assert_allclose(exact(Booster()).predictions, X[:3].sum(axis=1))
