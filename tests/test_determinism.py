"""The same numbers, whatever the batches, the workers and the neighbors."""

from __future__ import annotations

import json
import os
import pickle
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_allclose

METHODS = [px.KernelShap, px.PermutationShap, px.Lime, px.Occlusion, px.OwenShap, px.Rise]
METHODS += [px.IntegratedGradients, px.SmoothGrad]
SETTINGS: dict[str, Any] = {"random_state": 7, "budget": 4000}


def _scores(method: Any, boosted: Any, X: Any = None, **settings: Any) -> px.Explanation:
    model, rows = boosted
    explainer = method(model.predict_proba, **{**SETTINGS, **settings}).fit(rows)
    return explainer.explain(rows[:4] if X is None else X)


@pytest.mark.parametrize("method", METHODS)
def test_batches_change_nothing(method: Any, boosted: Any, counting_model: Any) -> None:
    """7 rows a call or 4096: the same to the last bit, and never a larger call."""
    usual = _scores(method, boosted)
    model, rows = boosted
    for batch_size in (7, 4096):
        counting = counting_model(model.predict_proba, batch_size)
        explainer = method(counting, batch_size=batch_size, **SETTINGS).fit(rows)
        asked, n_calls = counting.n_rows, len(counting.calls)
        other = explainer.explain(rows[:4])
        assert np.array_equal(other.values, usual.values)
        assert np.array_equal(other.standard_errors, usual.standard_errors, equal_nan=True)
        assert np.array_equal(other.background_errors, usual.background_errors)
        assert other.n_rows == usual.n_rows == counting.n_rows - asked
        assert other.n_calls == len(counting.calls) - n_calls


@pytest.mark.parametrize("method", METHODS)
def test_neighbors_change_nothing(method: Any, boosted: Any) -> None:
    """Together, one by one, or in another order: to 1e-10 of the scale."""
    _, rows = boosted
    together = _scores(method, boosted).values
    scale = np.abs(together).max()
    alone = np.stack([_scores(method, boosted, rows[i]).values for i in range(4)])
    assert_allclose(alone, together, rtol=0, atol=1e-10 * scale)
    turned = _scores(method, boosted, rows[[3, 0, 2, 1]]).values
    assert_allclose(turned[[1, 3, 2, 0]], together, rtol=0, atol=1e-10 * scale)


@pytest.mark.parametrize("method", METHODS)
def test_seeds(method: Any, boosted: Any) -> None:
    """One seed, one answer; a generator goes on; methods that sample differ between seeds."""
    same = _scores(method, boosted).values
    assert np.array_equal(_scores(method, boosted).values, same)
    generators = [np.random.default_rng(5) for _ in range(2)]
    first, second = (_scores(method, boosted, random_state=g).values for g in generators)
    assert np.array_equal(first, second)
    old = [_scores(method, boosted, random_state=np.random.RandomState(1)).values for _ in "ab"]
    assert np.array_equal(old[0], old[1])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("random_state", [None, 3])
def test_global_randomness_is_left_alone(method: Any, random_state: Any, boosted: Any) -> None:
    """Neither NumPy's nor Python's state moves."""
    np.random.seed(11)  # noqa: NPY002
    random.seed(11)
    before = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    _scores(method, boosted, random_state=random_state)
    assert np.array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert random.getstate() == before[1]


def test_seeds_change_nothing_where_everything_is_tried(boosted: Any) -> None:
    """How background rows are dealt for their error does not reach the last bit of a score."""
    model, rows = boosted
    masker = px.Background(rows[:40])
    found = [
        px.KernelShap(model.predict_proba, masker=masker, random_state=seed).explain(rows[:2])
        for seed in range(5)
    ]
    assert {one.values.tobytes() for one in found} == {found[0].values.tobytes()}


@pytest.mark.parametrize("method", METHODS)
def test_a_fitted_explainer_pickles(method: Any, boosted: Any) -> None:
    """With its background and what it learned of the model."""
    model, rows = boosted
    explainer = method(model.predict_proba, **SETTINGS).fit(rows)
    back = pickle.loads(pickle.dumps(explainer))
    assert np.array_equal(back.explain(rows[:2]).values, explainer.explain(rows[:2]).values)


def _table_in(kind: str, rows: np.ndarray) -> Any:
    if kind in ("csr", "csc"):
        return getattr(pytest.importorskip("scipy.sparse"), f"{kind}_array")(rows)
    if kind == "torch":
        return pytest.importorskip("torch").from_numpy(rows.copy())
    names = [f"c{j}" for j in range(rows.shape[1])]
    return pytest.importorskip(kind).DataFrame(dict(zip(names, rows.T, strict=True)))


@pytest.mark.parametrize("kind", ["pandas", "polars", "csr", "csc", "torch"])
@pytest.mark.parametrize("method", METHODS)
def test_the_container_changes_nothing(method: Any, kind: str, boosted: Any) -> None:
    """What comes in is what the model gets, and the scores are those of the plain array."""
    model, rows = boosted
    X = _table_in(kind, rows[:30])
    seen = set()

    def predict(batch: Any) -> np.ndarray:
        seen.add(type(batch))
        plain = batch.toarray() if hasattr(batch, "toarray") else np.asarray(batch)
        return model.predict_proba(plain)

    found = method(predict, **SETTINGS).fit(X).explain(X[:2])
    plain = method(model.predict_proba, **SETTINGS).fit(rows[:30]).explain(rows[:2])
    assert seen == {type(X)}
    assert np.array_equal(found.values, plain.values)
    if kind in ("pandas", "polars"):
        assert found.feature_names[0] == "c0"


@pytest.mark.slow
def test_the_order_of_sets_changes_nothing() -> None:
    """Strings hash differently in each process; scores are the same bits."""
    root = Path(__file__).parents[1]
    if not (root / "benchmarks").exists():
        pytest.skip("installed without the benchmarks")
    command = [sys.executable, "-m", "benchmarks.scale.same_bits", "--quick", "--alone"]
    seeds = ({**os.environ, "PYTHONHASHSEED": seed} for seed in "12")
    first, second = (
        json.loads(subprocess.run(command, env=env, cwd=root, capture_output=True).stdout)
        for env in seeds
    )
    assert len(first) > 7
    assert first == second
