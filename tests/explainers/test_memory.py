"""How much memory an explanation takes beside the design that it asks about."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tracemalloc
from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import BudgetError
from perturbx.samplers import ShapleyCoalitions
from perturbx.solvers import GaussianProcess
from perturbx.solvers.process.mask_trees import Boosting


def _peak(explainer: Any, x: np.ndarray) -> int:
    """The most bytes that explaining one instance held at a time."""
    tracemalloc.start()
    explainer.explain(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def _growth(make: Any, x: np.ndarray, few: int, many: int) -> float:
    """The bytes that each further model row of a budget adds to the peak."""
    peaks = []
    for budget in (few, many):
        peaks.append(_peak(make(budget), x))
    return (peaks[1] - peaks[0]) / (many - few)


@pytest.mark.parametrize(
    ("method", "settings", "most"),
    [
        (px.KernelShap, {"estimator": "regression"}, 200),
        (px.Banzhaf, {}, 200),
        (px.Rise, {"estimator": "mean"}, 200),
        (px.Rise, {"estimator": "covariance"}, 200),
        (px.Rise, {"estimator": "ridge"}, 200),
    ],
)
def test_a_coalition_takes_little(method: Any, settings: Any, most: float) -> None:
    """Its features, a byte each at most, and a few numbers: no float64 for each of 80 features."""
    rows = np.random.default_rng(0).normal(size=(2, 80))

    def make(budget: int) -> Any:
        return method(
            lambda X: X[:, 0] * X[:, 1] * X[:, 2] + X[:, 3],
            masker=px.Baseline(rows[0]),
            budget=budget,
            random_state=0,
            **settings,
        )

    make(500).explain(rows[1])
    assert _growth(make, rows[1], 30_000, 50_000) < most


def test_pairs_that_are_not_fitted_take_little() -> None:
    """Of 80 features, with a Gaussian process on few pairs: 80 signs in float64 would take 320."""
    rows = np.random.default_rng(0).normal(size=(2, 80))

    def make(budget: int) -> Any:
        return px.Explainer(
            lambda X: X[:, 0] * X[:, 1] * X[:, 2] + X[:, 3],
            masker=px.Baseline(rows[0]),
            sampler=ShapleyCoalitions(),
            solver=GaussianProcess(most_pairs=100, boosting=Boosting(n_trees=0)),
            budget=budget,
            random_state=0,
        )

    make(500).explain(rows[1])
    assert _growth(make, rows[1], 30_000, 50_000) < 200


@pytest.mark.parametrize("estimator", ["mean", "covariance"])
def test_a_smooth_mask_takes_little(estimator: Any) -> None:
    """Its coarse grid of 49 points and a few numbers: its 121 presences would take 968 bytes."""
    image = np.random.default_rng(0).random((12, 12))

    def make(budget: int) -> Any:
        masker = px.SmoothGrid(cells=5, steps=2)
        settings: dict[str, Any] = {"masker": masker, "budget": budget, "random_state": 0}
        return px.Rise(lambda batch: batch[:, 3, 3], estimator=estimator, **settings)

    make(500).explain(image)
    assert _growth(make, image, 20_000, 30_000) < 300


@pytest.mark.parametrize("constant", [0, 20])
def test_lime_takes_at_most_twice_its_noise(constant: int) -> None:
    """At 100 columns and 20,000 draws, 16 MB of them; also where some columns do not move."""
    X = np.random.default_rng(0).normal(size=(20, 100))
    X[:, :constant] = 1.0
    budget = 20_000
    explainer = px.Lime(lambda X: X[:, 50] * X[:, 60], budget=budget, random_state=0).fit(X)
    noise = 8 * budget * (100 - constant)
    assert _peak(explainer, X[:1]) < 2 * noise + 8e6


def _product(X: np.ndarray) -> np.ndarray:
    return np.asarray(X[:, 0] * X[:, 1] + X[:, 2])


@pytest.mark.parametrize("method", [px.Lime, px.SmoothGrad])
@pytest.mark.parametrize("whole", [False, True])
def test_a_draw_of_noise_takes_one_number_for_each_output(method: Any, whole: bool) -> None:
    """At 100 columns, whose noise would take 800 bytes; also where some columns move in steps."""
    X = np.random.default_rng(0).normal(size=(20, 100))
    X = np.rint(10 * X).astype(int) if whole else X

    def make(budget: int) -> Any:
        return method(_product, budget=budget, random_state=0).fit(X)

    make(500).explain(X[:1])
    assert _growth(make, X[:1], 40_000, 60_000) < 40


@pytest.mark.parametrize(
    ("d", "budget", "n"),
    [(30, 1000, 1), (30, 100_000, 1), (300, 6000, 1), (100, 2000, 300), (4, 6_000_000, 1)],
)
def test_lime_says_what_it_takes(d: int, budget: int, n: int) -> None:
    """The figure of a refusal is within a factor of 1.3 of the peak."""
    X = np.random.default_rng(0).normal(size=(max(n, 50), d))
    settings: dict[str, Any] = {"budget": budget, "random_state": 0}
    with pytest.raises(BudgetError) as refusal:
        px.Lime(_product, max_memory=1, **settings).fit(X).explain(X[:n])
    found = re.search(r"needs about ([\d.e-]+) GB", str(refusal.value))
    assert found is not None
    explainer = px.Lime(_product, **settings).fit(X)
    explainer.explain(X[:1])
    peak = _peak(explainer, X[:n])
    assert peak / 1.3 < 1e9 * float(found[1]) < 1.3 * peak


@pytest.mark.parametrize(("estimator", "most"), [("regression", 28e6), ("process", 80e6)])
def test_the_regression_takes_little_beside_its_coalitions(estimator: Any, most: float) -> None:
    """At 100,000 coalitions of 40 features: far less than their 32 MB of signs.

    The process adds one matrix of the 2,500 pairs that it fits, 50 MB, at any budget.
    """
    rows = np.random.default_rng(0).normal(size=(2, 40))
    explainer = px.KernelShap(
        lambda X: X[:, 0] * X[:, 1],
        masker=px.Background(rows[:1]),
        budget=100_000,
        estimator=estimator,
        random_state=0,
    )
    assert _peak(explainer, rows[1]) < most


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        (px.KernelShap, {}),
        (px.KernelShap, {"estimator": "regression"}),
        (px.KernelShap, {"estimator": "process"}),
        (px.KernelShap, {"estimator": "rows"}),
        (px.KernelShap, {"interactions": True}),
        (px.PermutationShap, {}),
        (px.Banzhaf, {}),
        (px.Lime, {}),
        (px.Rise, {}),
    ],
)
def test_a_budget_beyond_the_memory_is_refused(
    method: Any, settings: Any, counting_model: Any
) -> None:
    """Before a row of it is spent, with the memory it would take and a budget that fits."""
    rows = np.random.default_rng(0).normal(size=(6, 70))
    model = counting_model(lambda X: X[:, 0])
    explainer = method(model, budget=10**17, random_state=0, **settings).fit(rows)
    asked = model.n_rows
    with pytest.raises(BudgetError, match=r"needs about [\d,.e+]+ GB .*pass budget=[\d_]+"):
        explainer.explain(rows[0])
    assert model.n_rows == asked


@pytest.mark.parametrize(
    "method", [px.KernelShap, px.PermutationShap, px.Banzhaf, px.Occlusion, px.OwenShap]
)
def test_a_budget_beyond_need_is_none_beyond_memory(method: Any) -> None:
    """With few features all coalitions are asked once, however much could be paid."""
    rows = np.random.default_rng(0).normal(size=(6, 4))
    explainer = method(lambda X: X[:, 0] * X[:, 1], budget=10**17, random_state=0).fit(rows)
    assert explainer.explain(rows[0]).n_rows <= 6 * 2**4 + 7


@pytest.mark.parametrize("allowed", [10**6, "1 MB", "0.9 MiB"])
def test_a_budget_beyond_max_memory_is_refused(allowed: Any, counting_model: Any) -> None:
    """With the figure that it needs and the one that is allowed; less is not refused."""
    rows = np.random.default_rng(0).normal(size=(6, 70))
    model = counting_model(lambda X: X[:, 0])
    settings: dict[str, Any] = {"masker": px.Baseline(rows[1]), "random_state": 0}
    explainer = px.Banzhaf(model, budget=100_000, max_memory=allowed, **settings).fit(rows)
    asked = model.n_rows
    with pytest.raises(BudgetError, match=r"GB .*max_memory=.* allows 0\.0\d+ GB.*budget=\d"):
        explainer.explain(rows[0])
    assert model.n_rows == asked
    px.Banzhaf(model, budget=200, max_memory=allowed, **settings).explain(rows[0])


@pytest.mark.parametrize("bad", [0, -1, "much", "2 XB", "GB", [], np.nan])
def test_what_is_no_memory_is_refused(bad: Any) -> None:
    """Numbers of bytes, and texts with a unit."""
    with pytest.raises(px.errors.InvalidParameterError, match="max_memory"):
        px.Occlusion(lambda X: X[:, 0], max_memory=bad).fit(np.eye(3))


def test_the_memory_of_a_limited_process_counts() -> None:
    """Two gigabytes for the process: less than 100 million coalitions of 60 features take."""
    pytest.importorskip("resource")
    code = """
import resource
import numpy as np
import perturbx as px
from perturbx.errors import BudgetError

rows = np.random.default_rng(0).normal(size=(2, 60))
explainer = px.KernelShap(
    lambda X: X[:, 0], masker=px.Background(rows[:1]), budget=10**8, estimator="regression"
)
resource.setrlimit(resource.RLIMIT_AS, (2 * 10**9,) * 2)
try:
    explainer.explain(rows[1])
except BudgetError as error:
    print(error)
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert "and 2 GB are available: pass budget=" in done.stdout, done.stderr


def test_coalitions_of_many_features_are_held_once() -> None:
    """At 16,000 coalitions of 1,000 features: their pairs take 8 MB, and the matrix of features 8.

    All members of the pairs would take another 16.
    """
    x = np.ones(1000)
    explainer = px.KernelShap(
        lambda X: X[:, 0] + X[:, 1],
        masker=px.Baseline(np.zeros(1000)),
        budget=16_000,
        estimator="regression",
        random_state=0,
    )
    assert _peak(explainer, x) < 40e6


def test_rows_take_little_but_their_scores() -> None:
    """At most 560 bytes per row of 10 columns at a time, of which 320 are scores, errors and data.

    Rows that were bound to be checked, and kept, took another 540.
    """
    few, many = (np.random.default_rng(0).normal(size=(n, 10)) for n in (768, 1536))
    explainer = px.KernelShap(
        lambda X: X[:, 0] * X[:, 1] * X[:, 2],
        masker=px.Background(few[:2]),
        estimator="regression",
        budget=60,
        random_state=0,
    )
    explainer.explain(few[:300])
    assert _peak(explainer, many) - _peak(explainer, few) < 560 * (len(many) - len(few))


CHAINS = [
    (px.KernelShap, {"estimator": "rows"}, 5),
    (px.PermutationShap, {}, 5),
    (px.PermutationShap, {}, 1),
]


def _by_chains(method: Any, settings: Any, n_background: int) -> Any:
    """A function that makes an explainer of 24 features, and the instances."""
    rows = np.random.default_rng(0).normal(size=(3 + n_background, 24))

    def make(**more: Any) -> Any:
        return method(
            lambda X: np.stack([X[:, 0] * X[:, 1] * X[:, 2] + X[:, 3], X[:, 4] > X[:, 5]], 1),
            masker=px.Background(rows[3:]),
            random_state=0,
            **{**settings, **more},
        )

    return make, rows[:3]


@pytest.mark.parametrize(("method", "settings", "n_background"), CHAINS)
def test_answers_along_chains_take_nothing(
    method: Any, settings: Any, n_background: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order is stored, a byte for each feature, and shared by twice as many model rows."""
    monkeypatch.setattr("perturbx.designs.chains._MOST_OUTPUTS", 2**14)
    make, X = _by_chains(method, settings, n_background)
    make(budget=2000).explain(X[0])
    growth = _growth(lambda budget: make(budget=budget), X[0], 100_000, 200_000)
    assert growth < 3


@pytest.mark.parametrize(("method", "settings", "n_background"), CHAINS)
@pytest.mark.parametrize("rounds", [{}, {"tol": 0.02}, {"on_error": "partial"}])
def test_pieces_of_chains_change_no_bit(
    method: Any, settings: Any, n_background: int, rounds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, X = _by_chains(method, settings, n_background)
    whole = make(budget=3000, **rounds).explain(X)
    monkeypatch.setattr("perturbx.designs.chains._MOST_OUTPUTS", 400)
    found = make(budget=3000, batch_size=37, **rounds).explain(X)
    for name in ("values", "standard_errors", "background_errors", "base_values", "rounding"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))
    assert found.method == whole.method
    assert found.n_rows == whole.n_rows


def test_repeated_exchanges_take_the_memory_of_one() -> None:
    """Growths of 2,000 rows and 20 columns are summed up: 320 kB each, of 40 times."""
    X = np.random.default_rng(0).normal(size=(2000, 20))
    peaks = []
    for times in (2, 40):
        budget = 2000 * (1 + 20 * times)
        explainer = px.PermutationImportance(lambda X: X[:, 0], budget=budget, random_state=0)
        explainer.fit(X)
        tracemalloc.start()
        explainer.explain(X, X[:, 0])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 320_000


def test_bound_images_are_kept_for_a_few_alone() -> None:
    """All of 60 photos of 0.6 MB are looked at first, and their fills and labels forgotten."""
    photos = np.random.default_rng(0).random((60, 160, 160, 3))
    photos.flags.writeable = False
    masker = px.Superpixels(method="grid", n_segments=9)
    explainer = px.Lime(lambda X: X[:, 0, 0, 0], masker=masker, budget=30, random_state=0)
    assert _peak(explainer, photos) < 1.6 * photos.nbytes


@pytest.mark.parametrize(("method", "settings", "n_background"), CHAINS)
@pytest.mark.parametrize("budget", [3_000, 300_000])
def test_the_figure_for_chains_is_what_they_take(
    method: Any, settings: Any, n_background: int, budget: int
) -> None:
    """Within a factor of 1.3, and 1 MB for objects."""
    make, X = _by_chains(method, settings, n_background)
    make(budget=2000).explain(X[0])
    with pytest.raises(BudgetError) as refusal:
        make(budget=budget, max_memory=1000).explain(X[0])
    said = float(str(refusal.value).split("needs about ")[1].split(" GB")[0].replace(",", ""))
    peak = _peak(make(budget=budget), X[0]) / 1e9
    assert said / 1.3 - 1e-3 < peak < said * 1.3 + 1e-3


def test_the_budget_that_fits_is_not_refused() -> None:
    make, X = _by_chains(px.PermutationShap, {}, 5)
    with pytest.raises(BudgetError) as refusal:
        make(budget=10**7, max_memory="5 MB").explain(X[0])
    fits = int(str(refusal.value).split("pass budget=")[1].split(",")[0])
    assert 1000 < fits < 100_000
    make(budget=fits, max_memory="5 MB").explain(X[0])
