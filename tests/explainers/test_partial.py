"""Models that fail for good: what they had answered by then is explained."""

from __future__ import annotations

from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidParameterError, PartialResultWarning, PredictFnError
from perturbx.solvers import Solver

X = np.random.default_rng(0).normal(size=(60, 12))
SLOPES = np.cos(np.arange(12.0))


def smooth(rows: np.ndarray) -> np.ndarray:
    return rows @ SLOPES + rows[:, 0] * rows[:, 1]


def wavy(rows: np.ndarray) -> np.ndarray:
    """Interactions of all orders, so that no method finds the scores up to rounding."""
    return np.asarray(smooth(rows) + np.sin(3 * rows @ SLOPES))


def dying(n_calls: int, error: BaseException | None = None, answers: Any = smooth) -> Any:
    """A model that answers so many calls."""
    calls = []

    def model(rows: np.ndarray) -> np.ndarray:
        calls.append(len(rows))
        if len(calls) > n_calls:
            raise error or ConnectionError("gone")
        return answers(rows)

    return model


def explained(method: Any, model: Any, x: Any = X[50], **settings: Any) -> Any:
    known = X[:50, : x.shape[-1]]
    common: dict[str, Any] = {"budget": 2000, "batch_size": 50, "random_state": 0}
    common |= {"masker": px.Baseline(known.mean(axis=0)), "on_error": "partial"}
    return method(model, **{**common, **settings}).fit(known).explain(x)


METHODS = [px.KernelShap, px.PermutationShap, px.Banzhaf, px.Lime]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("error", [ConnectionError("gone"), KeyboardInterrupt()], ids=str)
def test_scores_rest_on_what_was_answered(method: Any, error: BaseException) -> None:
    """They are those of a smaller budget: near the truth, with larger errors, and a warning."""
    healthy = explained(method, wavy)
    assert healthy.converged is None
    with pytest.warns(PartialResultWarning, match="1 of 1 instances, of which 0"):
        found = explained(method, dying(22, error, wavy))
    assert found.converged is False
    assert any("rest on" in note for note in found.notes)
    assert np.isfinite(found.values).all()
    assert 200 < found.n_rows < 1500
    assert np.nanmean(found.standard_errors) >= 0.99 * np.nanmean(healthy.standard_errors)
    if method is not px.Lime:
        far = np.abs(found.values - healthy.values)
        assert (far <= 6 * np.hypot(found.standard_errors, healthy.standard_errors) + 1e-9).all()


@pytest.mark.parametrize("method", METHODS)
def test_too_few_answers_are_no_scores(method: Any) -> None:
    """NaN, which cannot be read as a score, and the reason."""
    with pytest.warns(PartialResultWarning, match="1 have no scores"):
        found = explained(method, dying(4))
    assert np.isnan(found.values).all()
    assert found.converged is False
    assert any("no scores" in note and "gone" in note for note in found.notes)
    assert repr(found)
    assert np.isnan(found.base_values)


@pytest.mark.parametrize("method", [px.KernelShap, px.PermutationShap, px.Banzhaf])
def test_few_features_support_scores_before_all_coalitions_are_answered(method: Any) -> None:
    """All 254 coalitions are asked in rounds; a healthy model is explained exactly."""

    def product(rows: np.ndarray) -> np.ndarray:
        return np.asarray(rows @ SLOPES[:8] + rows[:, 0] * rows[:, 1])

    exact = explained(method, product, X[50, :8], on_error="raise")
    assert (exact.standard_errors < 1e-10).all()
    healthy = explained(method, product, X[50, :8])
    np.testing.assert_allclose(healthy.values, exact.values, rtol=0, atol=1e-13)
    assert healthy.n_rows == exact.n_rows
    calls = []

    def gone(rows: np.ndarray) -> np.ndarray:
        calls.append(len(rows))
        if sum(calls) > 150:
            raise ConnectionError("gone")
        return product(rows)

    with pytest.warns(PartialResultWarning, match="of which 0"):
        found = explained(method, gone, X[50, :8], batch_size=10)
    assert 100 < found.n_rows < 160
    assert found.converged is False
    far = np.abs(found.values - exact.values)
    assert (far <= 6 * found.standard_errors + 1e-9).all()


@pytest.mark.parametrize("tol", [None, 0.1])
def test_occlusion_scores_the_features_that_were_removed(tol: float | None) -> None:
    whole = explained(px.Occlusion, smooth, on_error="raise", budget=None)
    with pytest.warns(PartialResultWarning, match="of which 0"):
        found = explained(px.Occlusion, dying(8), batch_size=1, budget=None, tol=tol)
    known = np.isfinite(found.values)
    assert 0 < known.sum() < 12
    assert (known == np.isfinite(found.standard_errors)).all()
    np.testing.assert_allclose(found.values[known], whole.values[known], rtol=0, atol=1e-13)
    assert "unknown" in repr(found)


def test_instances_before_the_failure_are_whole() -> None:
    """Those after it have NaN, and the model is not asked for ever."""
    calls = []

    def model(rows: np.ndarray) -> np.ndarray:
        calls.append(len(rows))
        if sum(calls) > 3000:
            raise ConnectionError("gone")
        return smooth(rows)

    rows = X[50:58].copy()  # each has other features to remove, and so a design of its own
    rows[np.arange(8), np.arange(8)] = X[:50].mean(axis=0)[:8]
    settings: dict[str, Any] = {"x": rows, "budget": 600}
    with pytest.warns(PartialResultWarning, match="of 8 instances"):
        found = explained(px.Lime, model, **settings)
    whole = explained(px.Lime, smooth, **settings)
    lost = np.isnan(found.values).all(axis=1)
    assert lost.sum() >= 1
    kept = found.per_instance.converged
    assert kept.any()
    np.testing.assert_array_equal(found.values[kept], whole.values[kept])
    n_after = len(calls)
    assert n_after < 200


@pytest.mark.parametrize("method", [*METHODS, px.Occlusion, px.OwenShap])
@pytest.mark.parametrize("stochastic", [False, True])
def test_healthy_models_are_explained_in_full(method: Any, stochastic: bool) -> None:
    """With no failure there is no warning, and nothing is missing; also of a single feature."""
    masker = px.ColumnTree() if method is px.OwenShap else px.Baseline(X[0])
    x = X[50:52].copy()
    x[1, 1:] = X[0, 1:]
    settings = {"masker": masker, "budget": 3000, "stochastic": stochastic}
    found = explained(method, smooth, x, **settings)
    usual = explained(method, smooth, x, on_error="raise", **settings)
    assert found.converged is None
    assert np.isfinite(found.values).all()
    assert found.n_rows >= 0.9 * usual.n_rows
    far = np.abs(found.values - usual.values)
    if method is not px.Lime:
        errors = np.nan_to_num(np.hypot(found.standard_errors, usual.standard_errors))
        assert (far <= 6 * errors + 1e-9).all()


def test_noisy_models_may_fail_too() -> None:
    """Their answers by then are averaged."""
    rng = np.random.default_rng(0)
    model = dying(25)
    with pytest.warns(PartialResultWarning):
        found = explained(
            px.KernelShap, lambda rows: model(rows) + 0.1 * rng.normal(size=len(rows))
        )
    assert np.isfinite(found.values).all()
    assert (found.noise_errors > 0).all()


@pytest.mark.parametrize("method", [*METHODS, px.OwenShap, px.Occlusion])
@pytest.mark.parametrize("where", ["before", "after"])
def test_ctrl_c_while_scores_are_computed(
    method: Any, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All answers are there then, so the scores are those of a run that was left alone.

    With a background whose parts are solved too, the solver may be interrupted in either.
    """
    solve, n_left = Solver.solve, [0]

    def interrupted(solver: Solver, evaluations: Any) -> Any:
        n_left[0] -= 1
        if n_left[0] == 0 and where == "before":
            raise KeyboardInterrupt
        solution = solve(solver, evaluations)
        if n_left[0] == 0:
            raise KeyboardInterrupt
        return solution

    masker = px.ColumnTree(X[:20]) if method is px.OwenShap else px.Background(X[:20])
    settings: dict[str, Any] = {"budget": 4000, "batch_size": None, "x": X[50:53]}
    settings |= {"masker": px.GaussianNoise()} if method is px.Lime else {"masker": masker}
    monkeypatch.setattr(Solver, "solve", interrupted)
    healthy = explained(method, wavy, **settings)
    n_solved = -n_left[0]
    assert n_solved >= 1
    for n_left[0] in range(1, n_solved + 1):
        with pytest.warns(PartialResultWarning):
            found = explained(method, wavy, **settings)
        there = np.isfinite(found.values).all(axis=1)
        assert there[0]
        assert found.converged is False
        assert any("it was interrupted" in note for note in found.notes)
        for name in ("values", "standard_errors", "background_errors", "base_values", "n_rows"):
            ours, whole = getattr(found[0], name), getattr(healthy[0], name)
            np.testing.assert_array_equal(ours, whole, err_msg=name)


def test_without_partial_an_error_is_raised() -> None:
    """Also Ctrl-C is."""
    with pytest.raises(PredictFnError, match="gone"):
        explained(px.KernelShap, dying(22), on_error="raise")
    with pytest.raises(KeyboardInterrupt):
        explained(px.KernelShap, dying(22, KeyboardInterrupt()), on_error="raise")


@pytest.mark.parametrize("bad", ["ignore", None, True], ids=repr)
def test_other_words_are_refused(bad: Any) -> None:
    """The error names the two."""
    with pytest.raises(InvalidParameterError, match="'raise', 'partial'"):
        explained(px.KernelShap, smooth, on_error=bad)
