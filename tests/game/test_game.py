"""From perturbations to averaged outputs: counts, batches, rounds and links."""

from __future__ import annotations

from typing import Any

import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_allclose
from perturbx.errors import PredictFnError
from perturbx.game import link


def test_link() -> None:
    """The logit of probabilities; the identity of anything."""
    p = np.array([[0.1, 0.5], [0.9, 0.25]])
    assert_allclose(link(p, "logit"), np.log(p / (1 - p)))
    assert link(p * 9, "identity") is not None
    with pytest.raises(PredictFnError, match="strictly between 0 and 1"):
        link(np.array([0.5, 1.0]), "logit")


@pytest.mark.parametrize("batch_size", [1, 2, 6, 7, 100, None])
@pytest.mark.parametrize("method", [px.KernelShap, px.PermutationShap, px.Occlusion])
def test_no_call_exceeds_the_batch_size(
    method: Any, batch_size: int | None, table: np.ndarray, counting_model: Any
) -> None:
    """Not even where one perturbation alone has more rows; every row and call is counted."""
    model = counting_model(lambda X: np.exp(X[:, 0]) + X[:, 1] * X[:, 2], batch_size)
    explainer = method(model, batch_size=batch_size, random_state=0, budget=500)
    explainer.fit(table[:7])
    n_rows, n_calls = model.n_rows, len(model.calls)
    explanation = explainer.explain(table[7:11])
    assert explanation.n_rows == model.n_rows - n_rows
    assert explanation.n_calls == len(model.calls) - n_calls


@pytest.mark.parametrize("method", [px.KernelShap, px.PermutationShap, px.Lime, px.Occlusion])
@pytest.mark.parametrize("budget", [150, 333, 1000])
def test_the_budget_is_kept(
    method: Any, budget: int, table: np.ndarray, counting_model: Any, bumpy_model: Any
) -> None:
    """An instance costs at most the budget, and most of the budget is spent."""
    model = counting_model(bumpy_model)
    explainer = method(model, budget=budget, random_state=0).fit(table[:5])
    asked = model.n_rows
    explainer.explain(table[7])
    spent = model.n_rows - asked
    assert spent <= budget
    everything = 1 + 5 * 31
    if method is not px.Occlusion:
        assert spent >= min(everything, budget - 5 * 2 * 5)


def test_memory_stays_bounded(counting_model: Any) -> None:
    """A thousand times more model rows take no more than a few megabytes at a time."""
    import tracemalloc

    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 30))
    explainer = px.KernelShap(lambda X: X[:, 0] * X[:, 1], random_state=0, budget=200_000).fit(X)
    tracemalloc.start()
    explainer.explain(X[0])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30e6 < 200_000 * 30 * 8


def _probabilities(form: str, offset: float) -> Any:
    """A sigmoid in double precision, or as float32 alone, beside its complement, or widened."""

    def model(X: np.ndarray) -> np.ndarray:
        p = 1 / (1 + np.exp(-(X.sum(axis=1) + offset)))
        if form == "double":
            return np.stack([1 - p, p], axis=1)
        p = p.astype(np.float32)
        if form == "alone":
            return p
        both = np.stack([1 - p, p], axis=1)
        return both if form == "pair" else both.astype(np.float64)

    return model


@pytest.mark.parametrize("form", ["alone", "pair", "widened"])
@pytest.mark.parametrize("offset", [-12.0, 13.0])
@pytest.mark.parametrize(
    ("method", "settings"),
    [
        (px.KernelShap, {}),
        (px.KernelShap, {"estimator": "regression", "budget": 300}),
        (px.KernelShap, {"interactions": True}),
        (px.PermutationShap, {}),
        (px.Banzhaf, {}),
        (px.Occlusion, {}),
        (px.OwenShap, {}),
        (px.Lime, {}),
        (px.Rise, {}),
    ],
)
def test_rounded_probabilities_have_the_error_of_their_logit(
    method: Any, settings: Any, offset: float, form: str, table: np.ndarray
) -> None:
    """Near 1, and near 0 as 1 minus another, a float32 is coarse on the logit scale."""
    settings = {"link": "logit", "random_state": 0, "outputs": [0, 1], **settings}
    of = [1] if form == "alone" else [0, 1]
    X = table[:, :6] / 3
    exact = method(_probabilities("double", offset), **settings).fit(X[:8]).explain(X[9])[..., of]
    settings["outputs"] = None
    found = method(_probabilities(form, offset), **settings).fit(X[:8]).explain(X[9])
    difference = np.abs(found.values.reshape(exact.shape) - exact.values)
    assert (difference <= found.standard_errors.reshape(exact.shape)).all()
    rounding = found.standard_errors.reshape(exact.shape) - exact.standard_errors
    assert rounding.max() <= 1e4 * max(difference.max(), 1e-8)


class _Rows:
    """Remembers every row that it was asked for."""

    def __init__(self, model: Any) -> None:
        self.model, self.rows = model, []

    def __call__(self, X: np.ndarray) -> np.ndarray:
        self.rows.extend(row.tobytes() for row in X)
        return self.model(X)


@pytest.mark.parametrize("method", [px.KernelShap, px.PermutationShap])
def test_tol_stops_early_where_that_is_enough(method: Any) -> None:
    """A nearly additive model needs a part of the budget; a rough one all of it."""
    rng = np.random.default_rng(0)
    background, x = rng.normal(size=(2, 16)), rng.normal(size=16)
    slopes = rng.normal(size=16)

    def easy(X: np.ndarray) -> np.ndarray:
        return X @ slopes + 0.01 * X[:, 0] * X[:, 1]

    def rough(X: np.ndarray) -> np.ndarray:
        return np.sin(20 * X @ slopes)

    settings: dict[str, Any] = {"masker": px.Background(background), "random_state": 0}
    budget = 3 + 2 * 2000
    easily = method(easy, tol=0.01, budget=budget, **settings).explain(x)
    assert easily.converged is True
    assert easily.n_rows < budget / 4
    assert (easily.standard_errors <= 0.01 * np.ptp(easily.values)).all()
    roughly = method(rough, tol=1e-4, budget=budget, **settings).explain(x)
    assert roughly.converged is False
    assert roughly.n_rows > 0.9 * budget - 100


@pytest.mark.parametrize("budget", [1000, 1017, 1500])
def test_rounds_never_ask_again(budget: int) -> None:
    """Whatever round a coalition belongs to, it is asked once: rows repeat as they must."""
    rng = np.random.default_rng(0)
    background, x = rng.normal(size=(1, 12)), rng.normal(size=12)
    model = _Rows(lambda X: np.sin(20 * X.sum(axis=1)))
    explainer = px.KernelShap(
        model, masker=px.Background(background), tol=1e-6, budget=budget, random_state=0
    )
    explainer.fit(background)
    model.rows.clear()
    explanation = explainer.explain(x)
    assert explanation.converged is False
    assert len(model.rows) == explanation.n_rows > budget - 30
    assert len(set(model.rows)) == len(model.rows)


@pytest.mark.parametrize("method", [px.KernelShap, px.PermutationShap])
def test_a_constant_model_converges_at_once(method: Any, table: np.ndarray) -> None:
    """All scores are 0, and so precise that no further round is asked."""
    explainer = method(lambda X: np.full(len(X), 3.0), tol=0.01, budget=90_000, random_state=0)
    explanation = explainer.fit(np.tile(table, 3)).explain(np.tile(table, 3)[0])
    assert explanation.converged is True
    assert (explanation.values == 0).all()
    assert explanation.n_rows < 45_000


def test_progress_is_shown(table: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    """A bar on stderr with rows, rate and time left; silent otherwise."""
    explainer = px.KernelShap(lambda X: X[:, 0], budget=3000, random_state=0).fit(table)
    explainer.explain(table[0])
    assert capsys.readouterr().err == ""
    explainer.set_params(verbose=1).explain(table[0])
    shown = capsys.readouterr().err
    assert "model" in shown
    assert "rows/s" in shown
