"""SmoothGrad against closed forms and autograd, in both units, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import perturbx as px
import pytest
from perturbx.errors import InvalidInputError, InvalidParameterError

ROWS = np.random.default_rng(0).normal(size=(300, 3)) * [1.0, 10.0, 0.1]


def curved(X: Any) -> Any:
    return np.sin(X[:, 0]) + 3 * X[:, 1] + X[:, 0] * X[:, 2]


def smoothed_gradient(x: Any, sigma: float) -> Any:
    """Of `curved`, if the first column has noise of standard deviation sigma."""
    return np.array([np.cos(x[0]) * np.exp(-(sigma**2) / 2) + x[2], 3.0, x[0]])


@pytest.mark.parametrize("unit", ["deviation", "column"])
def test_closed_form_in_both_units(unit: Any) -> None:
    """The gradient of the smoothed model, per standard deviation or per unit of each column."""
    noise, deviations = 0.5, ROWS.std(axis=0)
    explainer = px.SmoothGrad(curved, noise=noise, unit=unit, random_state=0).fit(ROWS)
    for x in ROWS[:3]:
        found = explainer.explain(x)
        truth = smoothed_gradient(x, noise * deviations[0])
        truth = truth * deviations if unit == "deviation" else truth
        assert (np.abs(found.values - truth) <= 4 * found.standard_errors + 1e-9).all()
        assert found.standard_errors.max() < 0.02 * np.abs(truth).max()
        assert found.score_kind == "slopes"
        said = "per standard deviation of a column" if unit == "deviation" else "per unit of a"
        assert said in found.value_function
        assert "of 0.5 standard deviations" in found.value_function


def test_integers_of_small_steps() -> None:
    """Integers keep their type; a linear model has its slope however they are rounded."""
    frame = pd.DataFrame({"age": np.arange(20, 80), "income": np.linspace(1.0, 9.0, 60)})

    def model(X: Any) -> Any:
        assert X["age"].dtype == frame["age"].dtype
        return 2.0 * X["age"] - X["income"]

    found = px.SmoothGrad(model, unit="column", random_state=0).fit(frame).explain(frame[30:31])
    np.testing.assert_allclose(found.values, [[2.0, -1.0]], rtol=1e-6)


def test_agrees_with_autograd() -> None:
    """The mean of autograd's gradients over the same noise, within both standard errors."""
    torch = pytest.importorskip("torch")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = torch.nn.Sequential(
            torch.nn.Linear(5, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2), torch.nn.Softmax(1)
        ).double()
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 5)) * 2

    def predict(batch: Any) -> Any:
        with torch.no_grad():
            return net(torch.from_numpy(np.ascontiguousarray(batch))).numpy()

    found = px.SmoothGrad(predict, noise=0.3, budget=4000, unit="column", random_state=0)
    found = found.fit(X).explain(X[0])
    noise = rng.normal(size=(20_000, 5)) * 0.3 * X.std(axis=0)
    for k in range(2):
        copies = torch.from_numpy(X[0] + noise).requires_grad_()
        net(copies)[:, k].sum().backward()
        grads = copies.grad.numpy()
        error = np.hypot(found.standard_errors[:, k], grads.std(axis=0) / np.sqrt(len(grads)))
        assert (np.abs(found.values[:, k] - grads.mean(axis=0)) <= 4 * error).all()
        assert np.abs(found.values[:, k]).max() > 10 * error.max()


def test_jumps_have_a_smoothed_gradient() -> None:
    """A step has the gradient of the smoothed step, the density of the noise, within errors."""
    X = np.random.default_rng(0).normal(size=(400, 2))
    found = px.SmoothGrad(
        lambda X: (X[:, 0] > 0.2).astype(float), noise=0.5, unit="column", random_state=3
    ).fit(X)
    one, sigma = found.explain([0.0, 0.0]), 0.5 * X[:, 0].std()
    truth = np.exp(-((0.2 / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi))
    assert abs(one.values[0] - truth) <= 4 * one.standard_errors[0]
    assert abs(one.values[1]) <= 4 * one.standard_errors[1]


def test_regions_of_images() -> None:
    """A region's score is the sum of the gradient over it, per range of the image's values."""
    image = np.random.default_rng(0).random((8, 8))
    segments = np.repeat(np.repeat([[0, 1], [2, 3]], 4, axis=0), 4, axis=1)
    weights = np.random.default_rng(1).normal(size=(8, 8))
    masker = px.RegionNoise(px.Superpixels(segments=segments))
    found = px.SmoothGrad(lambda b: (b * weights).sum(axis=(1, 2)), masker=masker, random_state=0)
    sums = np.bincount(segments.ravel(), weights.ravel())
    np.testing.assert_allclose(found.explain(image).values, np.ptp(image) * sums, rtol=1e-8)


def test_same_numbers_however_they_are_asked() -> None:
    """A row alone or among others, in one batch or many, has the same scores."""
    explainer = px.SmoothGrad(curved, random_state=0, budget=200).fit(ROWS)
    whole = explainer.explain(ROWS[:4])
    np.testing.assert_allclose(explainer.explain(ROWS[2]).values, whole.values[2], rtol=1e-10)
    assert np.array_equal(explainer.set_params(batch_size=7).explain(ROWS[:4]).values, whole.values)
    assert not np.array_equal(
        px.SmoothGrad(curved, random_state=1, budget=200).fit(ROWS).explain(ROWS[:4]).values,
        whole.values,
    )


def test_categories_are_refused() -> None:
    """Strings, categories, bools, and integers that noise rounds away have no gradient."""
    frame = pd.DataFrame({"x": np.linspace(0, 1, 9), "city": list("abcabcabc")})
    refused = [
        frame,
        frame.assign(city=frame["city"].astype("category")),
        frame.assign(city=frame["city"] == "a"),
        frame.assign(city=[0, 1, 0, 1, 0, 1, 0, 1, 0]),
    ]
    for X in refused:
        with pytest.raises(InvalidInputError, match=r"columns \['city'\] have no gradient"):
            px.SmoothGrad(lambda X: X["x"]).fit(X)
    as_floats = frame.assign(city=np.tile([0.0, 1.0, 1.0], 3))
    found = px.SmoothGrad(lambda X: X["x"] + 2 * X["city"], unit="column", random_state=0)
    np.testing.assert_allclose(found.fit(as_floats).explain(as_floats[:1]).values, [[1, 2]])


def test_what_else_is_refused() -> None:
    """Texts, coalition maskers, settings that have two meanings, and units of images."""
    with pytest.raises(InvalidInputError, match="noise cannot move a word"):
        px.SmoothGrad(lambda texts: [len(t) for t in texts]).fit(["one text", "two texts"])
    with pytest.raises(InvalidParameterError, match="pair GaussianNoise and RegionNoise"):
        px.SmoothGrad(curved, masker=px.Background()).fit(ROWS).explain(ROWS[0])
    with pytest.raises(InvalidParameterError, match="those of the default masker"):
        px.SmoothGrad(curved, masker=px.GaussianNoise(), noise=0.1).fit(ROWS)
    with pytest.raises(InvalidParameterError, match=r"np\.ptp"):
        px.SmoothGrad(lambda b: b.mean(axis=(1, 2)), unit="column").explain(np.ones((12, 12, 3)))
    for name, value in (("noise", 0.0), ("noise", "little"), ("unit", "noise")):
        with pytest.raises(InvalidParameterError, match=name):
            px.SmoothGrad(curved, **{name: value}).fit(ROWS)
    explainer = px.SmoothGrad(curved).fit(ROWS)
    with pytest.raises(InvalidParameterError, match="noise was set after fit"):
        explainer.set_params(noise=0.1).explain(ROWS[0])
