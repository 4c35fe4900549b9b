"""What a reader must not miss is a warning, once for each call."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import LowFidelityWarning, NotConvergedWarning

X = np.random.default_rng(0).normal(size=(60, 12))


def wavy(rows: np.ndarray) -> np.ndarray:
    return np.exp(np.sin(5 * rows).sum(axis=1))


def sum_of(rows: np.ndarray) -> np.ndarray:
    return rows.sum(axis=1)


def heard(explainer: Any, rows: Any) -> list[type[Warning]]:
    """The kinds of warnings of one call."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        explainer.explain(rows)
    return [one.category for one in seen]


@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("method", [px.KernelShap, px.PermutationShap, px.Banzhaf])
def test_a_budget_that_does_not_reach_tol_is_a_warning(method: Any, n: int) -> None:
    """One, however many instances it concerns; `converged` says the same."""
    masker = px.Baseline(np.zeros(12))
    explainer = method(wavy, masker=masker, tol=1e-6, budget=120, random_state=0)
    assert heard(explainer, X[:n]) == [NotConvergedWarning]
    with pytest.warns(NotConvergedWarning, match="raise budget or tol") as told:
        assert explainer.explain(X[:n]).converged is False
    assert told[0].filename == __file__


@pytest.mark.parametrize("method", [px.KernelShap, px.PermutationShap, px.Banzhaf])
def test_what_converges_is_silent(method: Any) -> None:
    """An additive model needs few rows; without tol nothing is promised."""
    masker = px.Baseline(np.zeros(12))
    explainer = method(sum_of, masker=masker, tol=0.01, budget=4000, random_state=0)
    assert heard(explainer, X[:2]) == []
    assert heard(method(wavy, masker=masker, budget=200, random_state=0), X[:2]) == []


def test_a_poor_local_fit_is_a_warning() -> None:
    """With its R2 and what to try; a good fit says nothing."""
    with pytest.warns(LowFidelityWarning, match="of the variation of the output") as told:
        found = px.Lime(wavy, random_state=0).fit(X).explain(X[:3])
    assert np.nanmin(found.fidelity) < 0.5
    assert told[0].filename == __file__
    assert heard(px.Lime(sum_of, random_state=0).fit(X), X[:3]) == []
