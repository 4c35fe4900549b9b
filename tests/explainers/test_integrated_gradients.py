"""Integrated gradients against closed forms and captum, complete, for tables and images."""

from __future__ import annotations

from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import (
    BudgetError,
    InvalidInputError,
    InvalidParameterError,
    NotConvergedWarning,
)

ROWS = np.random.default_rng(0).normal(size=(60, 3))
ZERO = px.Fade(px.Baseline([0.0, 0.0, 0.0]))


def test_closed_forms() -> None:
    """Linear terms, products and powers have known integrals, and scores sum to the output."""
    found = px.IntegratedGradients(
        lambda X: 3 * X[:, 0] + X[:, 0] * X[:, 1] + X[:, 2] ** 2 * X[:, 1],
        masker=ZERO,
        random_state=0,
    ).explain(ROWS[:4])
    a, b, c = ROWS[:4].T
    truth = np.stack([3 * a + a * b / 2, a * b / 2 + b * c**2 / 3, 2 * b * c**2 / 3], axis=1)
    np.testing.assert_allclose(found.values, truth, atol=1e-12)
    np.testing.assert_allclose(found.residual, 0.0, atol=1e-12)
    np.testing.assert_allclose(found.base_values, 0.0, atol=1e-12)
    assert found.score_kind == "shares"


def test_agrees_with_captum() -> None:
    """captum's integrated gradients of a torch network, within the stated errors."""
    torch = pytest.importorskip("torch")
    attr = pytest.importorskip("captum.attr")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = torch.nn.Sequential(
            torch.nn.Linear(3, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2), torch.nn.Softmax(1)
        ).double()

    def predict(batch: Any) -> Any:
        with torch.no_grad():
            return net(torch.from_numpy(np.ascontiguousarray(batch))).numpy()

    found = px.IntegratedGradients(predict, masker=ZERO, budget=2000, random_state=0)
    found, inputs = found.explain(4 * ROWS[:3]), torch.from_numpy(4 * ROWS[:3])
    for k in range(2):
        peer = attr.IntegratedGradients(net).attribute(inputs, target=k, n_steps=2000).numpy()
        away = np.abs(found.values[:, :, k] - peer)
        assert (away <= 3 * found.standard_errors[:, :, k] + 1e-4).all()
        assert away.max() < 0.01 * np.abs(peer).max()
    assert np.abs(found.residual).max() < 1e-3


def test_forests_of_stumps_are_exact() -> None:
    """Without interactions jumps are no trouble, as differences cross the whole path."""
    found = px.IntegratedGradients(
        lambda X: 2.0 * (X[:, 0] > 0.123) - 5.0 * (X[:, 1] > 0.7) + X[:, 2],
        masker=ZERO,
        random_state=0,
    ).explain([1.0, 1.0, 1.0])
    np.testing.assert_allclose(found.values, [2.0, -5.0, 1.0], atol=1e-12)


def test_background_gives_expected_gradients() -> None:
    """Over a background, scores are the mean of those of its rows as baselines."""

    def model(X: Any) -> Any:
        return X[:, 0] * X[:, 1] ** 2 + X[:, 2]

    of_all = px.IntegratedGradients(model, masker=px.Fade(px.Background(ROWS[:4])))
    each = [px.IntegratedGradients(model, masker=px.Fade(px.Baseline(row))) for row in ROWS[:4]]
    mean = np.mean([one.explain(ROWS[9]).values for one in each], axis=0)
    np.testing.assert_allclose(of_all.explain(ROWS[9]).values, mean, atol=1e-12)


def test_regions_of_images() -> None:
    """Aumann-Shapley values of superpixels: products share equally, sums are sums."""
    image = np.random.default_rng(0).random((4, 4)) + 1
    segments = np.repeat(np.repeat([[0, 1], [2, 3]], 2, axis=0), 2, axis=1)
    masker = px.Fade(px.Superpixels(segments=segments, fill=0))
    explainer = px.IntegratedGradients(
        lambda b: b[:, 0, 0] * b[:, 3, 3] + b[:, 3, 0], masker=masker, random_state=0
    )
    half = image[0, 0] * image[3, 3] / 2
    found = explainer.explain(image)
    np.testing.assert_allclose(found.values, [half, 0, image[3, 0], half], atol=1e-12)
    photo = np.random.default_rng(0).integers(0, 255, (24, 24, 3), dtype=np.uint8)
    usual = px.IntegratedGradients(lambda b: b.mean(axis=(1, 2, 3)), random_state=0).explain(photo)
    assert np.abs(usual.residual) < 1e-9 * np.abs(usual.predictions)


def test_noise_is_averaged_over_paths() -> None:
    """Of a model that answers differently each time, scores are within honest, small errors."""
    rng = np.random.default_rng(1)

    def model(X: Any) -> Any:
        return X[:, 0] * X[:, 1] + X[:, 2] + 0.1 * rng.normal(size=len(X))

    explainer = px.IntegratedGradients(
        model, masker=ZERO, stochastic=True, budget=3000, random_state=0
    )
    found = explainer.explain([1.0, 2.0, 3.0])
    assert (np.abs(found.values - [1.0, 1.0, 3.0]) <= 4 * found.standard_errors).all()
    assert found.standard_errors.max() < 0.1


def test_tol_is_reached() -> None:
    """A path without error ends the rounds, though four paths are few degrees of freedom."""
    explainer = px.IntegratedGradients(
        lambda X: X[:, 0] * X[:, 1] + X[:, 2], masker=ZERO, tol=0.01, random_state=0
    )
    assert explainer.explain(ROWS[0]).converged
    broken = px.IntegratedGradients(
        lambda X: 1.0 * (X[:, 0] > 0.3) * (X[:, 1] > 0.31), masker=ZERO, tol=1e-4, random_state=0
    )
    with pytest.warns(NotConvergedWarning):
        assert not broken.explain([1.0, 1.0, 1.0]).converged


def test_what_is_refused() -> None:
    """Texts, maskers that only remove, and budgets below two paths."""
    with pytest.raises(InvalidInputError, match="no path between words"):
        px.IntegratedGradients(lambda texts: [len(t) for t in texts]).fit(["one", "two"])
    explainer = px.IntegratedGradients(lambda X: X[:, 0], masker=px.Background(ROWS))
    with pytest.raises(InvalidParameterError, match="Fade with the sampler Paths"):
        explainer.explain(ROWS[0])
    with pytest.raises(BudgetError, match="at least 74 model rows"):
        px.IntegratedGradients(lambda X: X[:, 0], masker=ZERO, budget=50).explain(ROWS[0])


def test_an_infinite_column_that_never_changes() -> None:
    """It has no path to walk, and no score; NumPy has nothing to warn of."""
    rows = np.array([[0.0, np.inf, 1.0], [2.0, np.inf, 3.0]])
    run = px.IntegratedGradients(lambda X: X[:, 0] + 2 * X[:, 2], budget=300, random_state=0)
    found = run.fit(rows).explain(rows)
    np.testing.assert_allclose(found.values, [[-1, 0, -2], [1, 0, 2]], atol=1e-9)
