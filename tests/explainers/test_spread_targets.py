"""Targets that are solved in threads."""

from __future__ import annotations

import threading
from typing import Any

import joblib
import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_array_equal
from perturbx._workers import SPREAD_OVER, spread

W = np.random.default_rng(0).normal(size=(8, 12))


def model(X: np.ndarray) -> np.ndarray:
    # A matrix product would round batches of other sizes in other ways.
    slopes = (X[:, :, None] * W).sum(axis=1)
    return np.asarray(np.tanh(slopes) + X[:, :1] * X[:, 1:2] * X[:, 2:3] * W[3])


@pytest.mark.parametrize(
    ("rows", "settings"),
    [
        (1, {}),
        (2, {}),
        (3, {"outputs": [0, 5]}),
        (1, {"outputs": [0, 1], "interactions": True}),
    ],
)
def test_the_number_of_threads_changes_no_bit(rows: int, settings: Any) -> None:
    """Outputs that teach each other, instances of many outputs, and targets by themselves."""
    X = np.random.default_rng(1).normal(size=(5, 8))

    def explained(n_jobs: int) -> Any:
        explainer = px.KernelShap(
            model,
            masker=px.Baseline(np.zeros(8)),
            estimator="process",
            budget=64,
            n_jobs=n_jobs,
            random_state=0,
            **settings,
        )
        with joblib.parallel_config("threading"):
            return explainer.fit(X).explain(X[:rows])

    one, three = explained(1), explained(3)
    assert_array_equal(one.values, three.values)
    assert_array_equal(one.standard_errors, three.standard_errors)
    assert one.method == three.method


def test_results_keep_their_order() -> None:
    """Threads run only where they are asked for, and not inside each other."""
    me = threading.get_ident()

    def who(i: int) -> tuple[int, bool, bool]:
        inside = spread(lambda _: threading.get_ident(), range(2))
        return i, threading.get_ident() == me, set(inside) == {threading.get_ident()}

    assert spread(who, range(4)) == [(i, True, True) for i in range(4)]
    before = SPREAD_OVER.set(2)
    found = spread(who, range(20))
    SPREAD_OVER.reset(before)
    assert [i for i, *_ in found] == list(range(20))
    assert not any(mine for _, mine, _ in found)
    assert all(alone for *_, alone in found)
    assert spread(who, range(1)) == [(0, True, True)]
