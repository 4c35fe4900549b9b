"""How much memory an explanation takes beside the design that it asks about."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import perturbx as px
import pytest


def _peak(explainer: Any, x: np.ndarray) -> int:
    """The most bytes that explaining one instance held at a time."""
    tracemalloc.start()
    explainer.explain(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("constant", [0, 20])
def test_lime_takes_at_most_twice_its_noise(constant: int) -> None:
    """At 100 columns and 20,000 draws, 16 MB of them; also where some columns do not move."""
    X = np.random.default_rng(0).normal(size=(20, 100))
    X[:, :constant] = 1.0
    budget = 20_000
    explainer = px.Lime(lambda X: X[:, 50] * X[:, 60], budget=budget, random_state=0).fit(X)
    noise = 8 * budget * (100 - constant)
    assert _peak(explainer, X[:1]) < 2 * noise + 8e6
