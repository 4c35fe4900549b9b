"""`estimate_cost`: what `explain` then spends, without a call of the model."""

from typing import Any

import joblib
import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidParameterError

D = 6
X = np.random.default_rng(0).normal(size=(60, D))
IMAGES = np.random.default_rng(0).random((4, 24, 24, 3))
BASELINE, ROWS = px.Baseline(np.zeros(D)), px.Background(max_rows=5)


class Counted:
    """A model that counts what it is asked."""

    def __init__(self, noise: float = 0.0) -> None:
        self.n_rows = self.n_calls = 0
        self.noise, self.rng = noise, np.random.default_rng(0)

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        self.n_rows, self.n_calls = self.n_rows + len(batch), self.n_calls + 1
        flat = np.reshape(batch, (len(batch), -1))[:, :D]
        first = 0.5 + 0.3 * np.tanh(flat @ np.arange(1.0, D + 1)) * np.tanh(flat[:, 0])
        first = first + self.noise * self.rng.normal(size=len(batch))
        return np.stack([first, 1 - first], axis=1)


TABLES: dict[str, tuple[type, dict[str, Any]]] = {
    "kernel, no budget": (px.KernelShap, {"masker": BASELINE}),
    "kernel, few rows": (px.KernelShap, {"masker": ROWS, "budget": 150}),
    "kernel, rows": (px.KernelShap, {"masker": ROWS, "budget": 150, "estimator": "rows"}),
    "kernel, process": (px.KernelShap, {"masker": BASELINE, "budget": 40, "estimator": "process"}),
    "kernel, shared": (
        px.KernelShap,
        {"masker": BASELINE, "budget": 40, "estimator": "process", "prior": "shared"},
    ),
    "kernel, logit": (px.KernelShap, {"masker": ROWS, "budget": 200, "link": "logit"}),
    "kernel, top": (px.KernelShap, {"masker": BASELINE, "budget": 30, "outputs": "top1"}),
    "permutations": (px.PermutationShap, {"masker": ROWS, "budget": 200}),
    "banzhaf": (px.Banzhaf, {"masker": ROWS, "budget": 200, "batch_size": 7}),
    "occlusion": (px.Occlusion, {"masker": ROWS}),
    "owen": (px.OwenShap, {"masker": px.ColumnTree(max_rows=5), "budget": 200}),
    "lime": (px.Lime, {"budget": 150, "batch_size": 20}),
    "explainer": (px.Explainer, {"masker": BASELINE, "budget": 30}),
}


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("name", TABLES)
def test_the_estimate_is_what_is_spent(name: str, noise: float) -> None:
    """Rows and calls of tables, to the last one, of steady and of noisy models."""
    method, parameters = TABLES[name]
    if noise and parameters.get("link") == "logit":
        noise = 0.01
    model = Counted(noise)
    explainer = method(model, random_state=0, **parameters).fit(X)
    for _ in range(2):  # a prior is learned in the first call alone
        before = model.n_rows, model.n_calls
        estimate = explainer.estimate_cost(X[:4])
        assert (model.n_rows, model.n_calls) == before
        explanation = explainer.explain(X[:4])
        spent = model.n_rows - before[0], model.n_calls - before[1]
        assert (explanation.n_rows, explanation.n_calls) == spent
        assert (estimate.n_rows, estimate.n_calls) == spent


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        (px.KernelShap, {"masker": px.Windows(shape=8, stride=8, fill=0), "budget": 100}),
        (px.Occlusion, {}),
        (px.Rise, {"budget": 150}),
        (px.OwenShap, {"budget": 60}),
        (px.Lime, {"masker": px.Superpixels(n_segments=9), "budget": 60}),
    ],
)
def test_the_estimate_of_images(method: type, parameters: dict[str, Any]) -> None:
    """Also before the model was ever asked: its first answers are part of the cost."""
    model = Counted()
    explainer = method(model, random_state=0, **parameters)
    estimate = explainer.estimate_cost(IMAGES)
    assert model.n_calls == 0
    explainer.explain(IMAGES)
    assert (estimate.n_rows, estimate.n_calls) == (model.n_rows, model.n_calls)


@pytest.mark.parametrize("n_jobs", [2, 3])
def test_the_estimate_of_several_workers(n_jobs: int) -> None:
    """Work that is shared is split into other calls."""
    model = Counted()
    explainer = px.KernelShap(model, masker=ROWS, budget=200, random_state=0).fit(X)
    with joblib.parallel_config(backend="threading", n_jobs=n_jobs):
        estimate = explainer.estimate_cost(X[:3])
        explanation = explainer.explain(X[:3])
    assert (estimate.n_rows, estimate.n_calls) == (explanation.n_rows, explanation.n_calls)


def test_it_is_a_bound_where_tol_may_stop_earlier() -> None:
    """And says so."""
    model = Counted()
    explainer = px.KernelShap(
        model, masker=BASELINE, budget=60, tol=0.5, estimator="regression", random_state=0
    ).fit(X)
    estimate = explainer.estimate_cost(X[:3])
    explanation = explainer.explain(X[:3])
    assert explanation.n_rows <= estimate.n_rows
    assert explanation.n_calls <= estimate.n_calls
    assert repr(estimate).startswith("at most ")


def test_money_and_time() -> None:
    """Prices per row and per call add up; the time of a call is measured in fit, or given."""
    explainer = px.Occlusion(Counted(), masker=BASELINE, batch_size=2).fit(X)
    estimate = explainer.estimate_cost(
        X[0], price_per_row=0.5, price_per_call=2, seconds_per_call=30
    )
    assert (estimate.n_rows, estimate.n_calls) == (D + 2, 5)
    assert estimate.price == 0.5 * (D + 2) + 2 * 5
    assert estimate.seconds == 150
    assert repr(estimate) == "8 model rows in 5 calls: 14, about 2 min"
    assert explainer.estimate_cost(X[0]).seconds > 0
    with pytest.raises(InvalidParameterError, match="price_per_row"):
        explainer.estimate_cost(X[0], price_per_row=-1)


def test_an_estimate_changes_no_score() -> None:
    """A generator as random_state is not used up, and nothing is remembered."""
    rngs = [np.random.default_rng(3) for _ in range(2)]
    found = []
    for rng, asks in zip(rngs, (True, False), strict=True):
        explainer = px.KernelShap(Counted(), masker=BASELINE, budget=40, random_state=rng).fit(X)
        if asks:
            explainer.estimate_cost(X[:2])
        found.append(explainer.explain(X[:2]).values)
    np.testing.assert_array_equal(*found)


GLOBAL: list[dict[str, Any]] = [
    {},
    {"masker": ROWS},
    {"masker": ROWS, "budget": 2000},
    {"masker": ROWS, "budget": 3000, "batch_size": 7},
]


@pytest.mark.parametrize("parameters", GLOBAL, ids=str)
@pytest.mark.parametrize("fitted", [True, False])
@pytest.mark.parametrize("method", [px.Sage, px.PermutationImportance])
def test_the_estimate_of_methods_that_average_a_loss(
    method: type, fitted: bool, parameters: dict[str, Any]
) -> None:
    """Rows of a data set, not of single instances; also before the model was ever asked."""
    model, y = Counted(), np.ones((len(X), 2)) / 2
    explainer = method(model, random_state=0, **parameters)
    if fitted:
        explainer.fit(X)
    elif method is px.Sage or "masker" in parameters:
        explainer = method(model, random_state=0, **{**parameters, "masker": BASELINE})
    before = model.n_rows, model.n_calls
    estimate = explainer.estimate_cost(X)
    assert (model.n_rows, model.n_calls) == before
    explanation = explainer.explain(X, y)
    spent = model.n_rows - before[0], model.n_calls - before[1]
    assert (explanation.n_rows, explanation.n_calls) == spent
    assert (estimate.n_rows, estimate.n_calls) == spent


@pytest.mark.parametrize("method", [px.Sage, px.PermutationImportance])
def test_the_estimate_of_a_loss_is_a_bound_with_tol(method: type) -> None:
    explainer = method(Counted(), masker=ROWS, tol=0.8, random_state=0).fit(X)
    estimate, explanation = explainer.estimate_cost(X), explainer.explain(X)
    assert explanation.n_rows < estimate.n_rows
    assert repr(estimate).startswith("at most ")


@pytest.mark.parametrize("budget", [None, 60, 200])
@pytest.mark.parametrize("given", ["table", "images"])
def test_the_estimate_of_a_search_is_a_bound(given: str, budget: int | None) -> None:
    """The search spends its budget, unless nothing is left to try: a table has 62 sets."""
    settings = {"masker": BASELINE} if given == "table" else {"masker": px.SmoothGrid(cells=4)}
    instances = X[:3] if given == "table" else IMAGES
    explainer = px.MeaningfulPerturbation(
        Counted(), outputs=[0], budget=budget, random_state=0, **settings
    ).fit(instances)
    estimate, explanation = explainer.estimate_cost(instances), explainer.explain(instances)
    assert estimate.may_stop_earlier
    assert 0.5 * estimate.n_rows <= explanation.n_rows <= estimate.n_rows
