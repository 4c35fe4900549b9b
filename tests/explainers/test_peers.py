"""Against shap, lime, captum and autograd, where they are installed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_allclose
from scipy.stats import gmean


@pytest.fixture(autouse=True)
def _peers_may_warn() -> Iterator[None]:
    """What other libraries warn of is not our concern here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.slow
def test_kernel_shap_beats_shaps() -> None:
    """30 features, 100 background rows, 2,000 coalitions: error against TreeSHAP's truth."""
    shap = pytest.importorskip("shap")
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import GradientBoostingRegressor

    X, y = load_breast_cancer(return_X_y=True)
    model = GradientBoostingRegressor(n_estimators=40, max_depth=3, random_state=0).fit(X, y)
    background, rows = X[:400:4], X[[5, 123, 401]]
    truth = shap.TreeExplainer(model, background, feature_perturbation="interventional")
    true_values = np.asarray(truth.shap_values(rows, check_additivity=False))
    ratios = []
    for seed in range(2):
        np.random.seed(seed)  # noqa: NPY002 - shap knows no other
        kernel = shap.KernelExplainer(model.predict, background)
        theirs = kernel.shap_values(rows, nsamples=2000, l1_reg=0, silent=True)
        ours = px.KernelShap(
            model.predict,
            masker=px.Background(background),
            budget=1 + 100 + 2000 * 100,
            random_state=seed,
        ).explain(rows)
        assert_allclose(ours.base_values, model.predict(background).mean())
        ratios.extend(_error(ours.values, true_values) / _error(theirs, true_values))
    assert gmean(ratios) <= 1, ratios


def _error(found: Any, truth: np.ndarray) -> np.ndarray:
    return np.sqrt(((np.asarray(found) - truth) ** 2).sum(axis=1))


def test_exact_values_are_tree_shaps() -> None:
    """Where every coalition is asked, interventional TreeSHAP comes out.

    To 1e-7: its own sums miss the prediction by 5e-9 here, ours by rounding alone.
    """
    shap = pytest.importorskip("shap")
    from sklearn.ensemble import RandomForestRegressor

    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 8))
    model = RandomForestRegressor(20, random_state=0).fit(X, X[:, 0] * X[:, 1] + X[:, 2])
    truth = shap.TreeExplainer(model, X[:20], feature_perturbation="interventional")
    ours = px.KernelShap(model, masker=px.Background(X[:20]), budget=10_000).explain(X[50:53])
    theirs = truth.shap_values(X[50:53], check_additivity=False)
    assert_allclose(ours.values, theirs, rtol=0, atol=1e-7)
    assert np.abs(ours.residual).max() < 1e-14


def test_limes_slopes_of_a_linear_model() -> None:
    """The coefficients, times each column's standard deviation."""
    rng = np.random.default_rng(0)
    scale = np.array([1.0, 10.0, 0.01, 3.0])
    X, slopes = rng.normal(size=(300, 4)) * scale, np.array([1.0, -0.2, 50.0, 0.0])
    explanation = px.Lime(lambda X: X @ slopes + 4, random_state=0).fit(X).explain(X[:5])
    expected = np.tile(slopes * X.std(axis=0), (5, 1))
    assert_allclose(explanation.values, expected, rtol=1e-4, atol=1e-6)
    assert_allclose(explanation.base_values, X[:5] @ slopes + 4, rtol=1e-6)
    assert (explanation.fidelity > 0.999999).all()


def test_a_narrow_kernel_is_the_users_choice() -> None:
    """With a thousand draws of one feature some are near enough: the slope is the derivative."""
    X = np.linspace(-1, 1, 50)[:, None]
    explainer = px.Lime(lambda X: X[:, 0] ** 3, kernel_width=0.03, budget=1000, random_state=0)
    explanation = explainer.fit(X).explain(np.array([0.5]))
    assert_allclose(explanation.values, 0.75 * X.std(), rtol=1e-2)


def test_limes_slopes_of_a_network_are_its_smoothed_gradients() -> None:
    """Stein's identity: the mean gradient under the noise as the kernel weighs it."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1)
    ).double()
    X = np.random.default_rng(0).normal(size=(200, 4)) * [1, 2, 3, 4]

    def predict(X: np.ndarray) -> Any:
        return network(torch.from_numpy(np.ascontiguousarray(X)))[:, 0]

    width, scale, x = 1.5, X.std(axis=0), X[3]
    explainer = px.Lime(predict, kernel_width=width, budget=40_000, random_state=0).fit(X)
    explanation = explainer.explain(x)
    # exp(-z'z / 2) exp(-z'z / width^2) is a normal density of this variance
    spread = 1 / np.sqrt(1 + 2 / width**2)
    noise = np.random.default_rng(1).normal(size=(100_000, 4)) * spread
    points = torch.from_numpy(x + noise * scale).requires_grad_()
    (gradients,) = torch.autograd.grad(network(points).sum(), points)
    gradients = gradients.numpy() * scale
    truth, spread_of_truth = gradients.mean(axis=0), gradients.std(axis=0) / np.sqrt(1e5)
    error = np.sqrt(explanation.standard_errors**2 + spread_of_truth**2)
    assert (np.abs(explanation.values - truth) < 4 * error + 1e-4).all()
    assert (np.abs(explanation.values - truth) < 0.05 * np.abs(truth).max()).all()


@pytest.mark.parametrize(("window", "stride"), [(4, 2), (4, 3), (3, 1), (5, 5), (2, 2)])
def test_occlusion_is_captums(window: int, stride: int) -> None:
    """A small convolutional network, windows with and without overlap: to 1e-6."""
    torch = pytest.importorskip("torch")
    captum = pytest.importorskip("captum.attr")
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(384, 2)
    ).double()
    image = np.random.default_rng(0).normal(size=(10, 10, 3))

    def predict(batch: np.ndarray) -> Any:
        return network(torch.from_numpy(np.ascontiguousarray(np.moveaxis(batch, -1, 1))))

    theirs = captum.Occlusion(network).attribute(
        torch.from_numpy(np.moveaxis(image, -1, 0)[None].copy()),
        sliding_window_shapes=(3, window, window),
        strides=(3, stride, stride),
        baselines=0,
        target=1,
    )
    masker = px.Windows(shape=window, stride=stride, fill=0)
    ours = px.Occlusion(predict, masker=masker, outputs=1).explain(image)
    assert_allclose(ours.heatmap(), theirs.detach().numpy()[0, 0], atol=1e-6)


def test_every_superpixel_is_hidden_where_lime_forgets_the_last() -> None:
    """SLIC counts from 1; lime hides the labels 0 to K-1, and so never the last of them."""
    lime_image = pytest.importorskip("lime.lime_image")
    from skimage.segmentation import slic

    image = np.random.default_rng(0).random((24, 24, 3))
    segments = slic(image, n_segments=9, compactness=100, start_label=1)
    n_labels = int(segments.max())
    assert set(np.unique(segments)) == set(range(1, n_labels + 1))

    def watched(seen: np.ndarray) -> Any:
        def predict(batch: np.ndarray) -> np.ndarray:
            for shown in batch:
                hidden = (shown == 0).all(axis=-1)
                for label in range(1, n_labels + 1):
                    seen[label] += hidden[segments == label].all()
            return np.stack([batch.mean(axis=(1, 2, 3))] * 2, axis=1)

        return predict

    theirs, ours = np.zeros(n_labels + 1), np.zeros(n_labels + 1)
    lime_image.LimeImageExplainer(random_state=0).explain_instance(
        image,
        watched(theirs),
        hide_color=0,
        num_samples=200,
        segmentation_fn=lambda _: segments,
    )
    masker = px.Superpixels(segments=segments, fill=0)
    explanation = px.Lime(watched(ours), masker=masker, budget=200, random_state=0).explain(image)
    assert theirs[-1] == 0
    assert (theirs[1:-1] > 0).all()
    assert (ours[1:] > 20).all()
    assert explanation.shape[0] == n_labels
