"""Metrics that explain again: stability, max-sensitivity, randomization."""

from __future__ import annotations

from typing import Any

import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_allclose
from perturbx.errors import InvalidInputError
from perturbx.metrics import max_sensitivity, randomization, stability
from scipy.stats import spearmanr


@pytest.fixture
def rows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(30, 6))


def bent(X: np.ndarray) -> np.ndarray:
    return np.tanh(X @ np.arange(6.0)) + X[:, 0] * X[:, 1]


def test_what_draws_nothing_is_stable(rows: np.ndarray) -> None:
    """Occlusion, which draws nothing, gives the same scores for every seed."""
    found = stability(px.Occlusion(bent).fit(rows), rows[:4], seeds=3)
    assert_allclose(found.values, 1)
    assert_allclose(found.details["top 5 overlap"], 1)


def test_stability_is_spearmans() -> None:
    """Stability is the mean over pairs of seeds, also of callables that take a seed."""

    def noisy(X: np.ndarray, random_state: int) -> np.ndarray:
        return np.random.default_rng(random_state).normal(size=X.shape)

    found = stability(noisy, np.ones((2, 7)), seeds=3, random_state=5)
    drawn = np.random.SeedSequence(5).generate_state(3)
    a, b, c = (noisy(np.ones((2, 7)), int(s)) for s in drawn)
    expected = [
        np.mean([spearmanr(p[i], q[i])[0] for p, q in ((a, b), (a, c), (b, c))]) for i in (0, 1)
    ]
    assert_allclose(found.values, expected)
    assert "rows are not counted" in repr(found)


def test_larger_budgets_are_more_stable(rows: np.ndarray) -> None:
    """Larger budgets are more stable, and the rows of all seeds are counted."""
    few, many = (
        stability(px.KernelShap(bent, budget=budget).fit(rows), rows[:3], seeds=4)
        for budget in (200, 1500)
    )
    assert many.mean > few.mean
    assert many.values.shape == (3,)
    assert 3 * few.n_rows < many.n_rows < 4 * 3 * 1500


def test_the_explainer_is_left_as_it_was(rows: np.ndarray) -> None:
    """The explainer keeps its seed, its model and its answers."""
    explainer = px.KernelShap(bent, budget=400, random_state=7).fit(rows)
    before = explainer.explain(rows[:2]).values
    for metric in (stability, max_sensitivity, randomization):
        metric(explainer, rows[:2])
    assert explainer.random_state == 7
    assert explainer.predict_fn is bent
    assert np.array_equal(explainer.explain(rows[:2]).values, before)


def test_max_sensitivity_is_captums(rows: np.ndarray) -> None:
    """At the same points near x, norms and their ratio agree with captum."""
    torch = pytest.importorskip("torch")
    captum = pytest.importorskip("captum.metrics")
    seen: list[np.ndarray] = []

    def squares(X: np.ndarray) -> np.ndarray:
        seen.append(np.array(X))
        return np.asarray(X) ** 2

    found = max_sensitivity(squares, rows[:2], n_moves=6, background=rows)
    tried = seen[1:]
    for i in (0, 1):
        theirs = captum.sensitivity_max(
            lambda t: ((t[0] if isinstance(t, tuple) else t) ** 2,),
            torch.tensor(rows[i : i + 1]),
            lambda inputs, radius, i=i: torch.tensor(np.stack([t[i] for t in tried])),
            n_perturb_samples=6,
        )
        assert_allclose(found.values[i], float(theirs[0]), rtol=1e-6)


def test_max_sensitivity_moves_within_the_radius(rows: np.ndarray) -> None:
    """Numbers move by at most a fraction of a deviation, pixels of their type's range."""
    seen: list[Any] = []

    def watch(X: Any) -> np.ndarray:
        seen.append(X)
        return np.ones(X.shape[:3] if X.ndim > 2 else X.shape)

    assert_allclose(max_sensitivity(watch, rows, radius=0.1, n_moves=2).values, 0)
    assert 0.05 < np.abs((seen[1] - rows) / rows.std(axis=0)).max() <= 0.1 + 1e-12
    seen.clear()
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 9, 3), dtype=np.uint8)
    max_sensitivity(watch, images, radius=0.02, n_moves=1)
    assert seen[1].dtype == np.uint8
    assert 3 <= np.abs(seen[1].astype(int) - images).max() <= 6


def test_max_sensitivity_of_frames(mixed_frame: Any) -> None:
    """Categories stay as they are, and a frame stays a frame."""
    frame = mixed_frame[["half", "kind", "name"]]
    seen: list[Any] = []

    def model(batch: Any) -> Any:
        seen.append(batch)
        return batch["half"].to_numpy() + (batch["kind"] == "a")

    explainer = px.Occlusion(model).fit(frame)
    found = max_sensitivity(explainer, frame, n_moves=2)
    assert 0 < found.mean < 1
    assert all((batch.dtypes == frame.dtypes).all() for batch in seen)


@pytest.mark.parametrize("dtype", ["int64", "uint8", "float16"])
@pytest.mark.parametrize("n_moves", [1, 3])
def test_max_sensitivity_moves_by_whole_steps(dtype: str, n_moves: int) -> None:
    """Moves that the type would round away become one step, also at the ends of the range."""
    X = np.array([[10, 30], [13, 38], [16, 46], [10, 46]]).astype(dtype)
    found = max_sensitivity(lambda Z: np.asarray(Z, dtype=float), X, radius=1e-5, n_moves=n_moves)
    step = 1.0 if dtype != "float16" else np.spacing(X).astype(float)
    expected = np.linalg.norm(np.broadcast_to(step, X.shape), axis=1)
    assert_allclose(found.values, expected / np.linalg.norm(X.astype(float), axis=1), rtol=1e-12)
    assert "moved by whole steps of their type, more than the radius: 'x0', 'x1'" in found.notes


def test_max_sensitivity_of_images_moves_by_whole_steps() -> None:
    """An 8-bit pixel moves by one whole step, since a thousandth of its range rounds to 0."""
    images = np.random.default_rng(0).integers(20, 200, (2, 8, 9, 3), dtype=np.uint8)
    seen: list[Any] = []

    def watch(X: Any) -> np.ndarray:
        seen.append(X)
        return np.ones(X.shape[:3])

    found = max_sensitivity(watch, images, radius=0.001, n_moves=2)
    assert (np.abs(seen[1].astype(int) - images) == 1).all()
    assert any("pixels moved by whole steps" in note for note in found.notes)
    assert not max_sensitivity(watch, images, radius=0.1, n_moves=1).notes


@pytest.mark.parametrize(
    ("X", "said"),
    [
        (np.array([["a"], ["b"]], dtype=object), "nothing in X can move"),
        (np.array([[0, 1], [1, 0]]), "nothing in X can move.*stability"),
        (np.full((3, 2), 7.0), "nothing in X can move"),
        (np.zeros((2, 6, 6, 3), dtype=bool), r"bools cannot move a little.*astype\(float\)"),
    ],
)
def test_max_sensitivity_without_anything_to_move(X: np.ndarray, said: str) -> None:
    """Nothing that can move is an error, not a perfect 0."""
    with pytest.raises(InvalidInputError, match=said):
        max_sensitivity(lambda Z: np.ones(Z.shape[: max(2, Z.ndim - 1)]), X)


def test_max_sensitivity_of_frames_that_carry_more() -> None:
    """Moved rows keep the frame's own class, and attrs that hold arrays."""
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame({"a": [1.0, 2.0, 4.0], "o": pd.Series(["u", None, "v"], dtype=object)})
    X.attrs["units"] = np.arange(3)
    seen: list[Any] = []

    def watch(Z: Any) -> np.ndarray:
        seen.append(Z)
        return np.ones(Z.shape)

    max_sensitivity(watch, X, n_moves=1)
    assert (seen[1].dtypes == X.dtypes).all()
    assert seen[1]["o"].tolist() == ["u", None, "v"]
    assert np.array_equal(seen[1].attrs["units"], np.arange(3))


def test_what_never_asks_does_not_change(rows: np.ndarray) -> None:
    """A map that ignores the model correlates perfectly with that of a random model."""
    found = randomization(lambda X: X, rows[:5], randomized=lambda X: X)
    assert_allclose(found.values, 1)
    assert found.references["chance"].mean() < 0.5


def test_what_asks_changes(rows: np.ndarray) -> None:
    """Shuffled answers leave hardly more than chance, and the same model agrees with itself."""
    explainer = px.KernelShap(bent, budget=1500, estimator="regression").fit(rows)
    found = randomization(explainer, rows)
    assert found.mean < found.references["chance"].mean() + 0.15
    assert found.references["same model, another seed"].mean() > 0.8
    assert np.array_equal(found.values, randomization(explainer, rows).values)


def test_a_model_of_ones_own_in_its_place(rows: np.ndarray) -> None:
    """`randomized` may be a model: the same model gives a correlation of 1."""
    explainer = px.Occlusion(bent).fit(rows)
    assert_allclose(randomization(explainer, rows[:3], randomized=bent).values, 1)
    other = px.Occlusion(lambda X: X[:, 5] ** 3 + X[:, 2]).fit(rows)
    assert randomization(explainer, rows, randomized=other).mean < 0.9


def test_randomized_images() -> None:
    """Explainers that need no fit work, with outputs named by a model's classes."""
    images = np.random.default_rng(0).integers(0, 256, (2, 12, 12, 3), dtype=np.uint8)

    class Model:
        classes_ = np.array(["left", "right"])

        def predict_proba(self, batch: np.ndarray) -> np.ndarray:
            left = batch[:, :, :6].mean(axis=(1, 2, 3)) / 255
            return np.stack([left, 1 - left], axis=1)

    explainer = px.Occlusion(Model(), masker=px.Windows(shape=3, stride=3, fill=0), outputs="left")
    found = randomization(explainer, images)
    assert_allclose(found.references["same model, another seed"], 1)
    assert found.mean < 0.6
