"""Scores that shap computed, read as an explanation."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidInputError, InvalidParameterError

with warnings.catch_warnings():
    # shap's own imports warn in some versions of its dependencies.
    warnings.simplefilter("ignore")
    shap = pytest.importorskip("shap")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 4))


def model(rows: Any) -> Any:
    rows = np.asarray(rows)
    first = rows @ [1.0, -2.0, 0.5, 0.0] + rows[:, 0] * rows[:, 1]
    return np.stack([first, -2 * first], axis=1)


def test_scores_of_shap_are_ours() -> None:
    """Exact values of both libraries agree, by row, feature and output."""
    ours = px.KernelShap(model, masker=px.Background(X), random_state=0).fit(X).explain(X[:5])
    theirs = shap.explainers.Exact(model, X)(X[:5])
    read = px.interop.from_shap(theirs)
    np.testing.assert_allclose(read.values, ours.values, atol=1e-10)
    np.testing.assert_allclose(read.base_values, ours.base_values, atol=1e-10)
    np.testing.assert_allclose(read.predictions, model(X[:5]), atol=1e-10)
    assert read.axes == ours.axes
    assert np.isnan(read.standard_errors).all()
    assert "shap" in repr(read[0, :, 1])
    px.plots.bar(read[..., 0])


def test_there_and_back() -> None:
    """`to_shap` keeps names, data, base values and errors."""
    explainer = px.KernelShap(model, budget=40, outputs=0, random_state=0)
    ours = explainer.fit(X).explain(X[:3])
    back = px.interop.from_shap(ours.to_shap())
    np.testing.assert_array_equal(back.values, ours.values)
    np.testing.assert_array_equal(back.standard_errors, ours.standard_errors)
    np.testing.assert_array_equal(back.data, ours.data)
    assert back.feature_names == ours.feature_names
    one = px.interop.from_shap(ours[0].to_shap())
    assert one.shape == (4,)
    np.testing.assert_allclose(one.predictions, ours.predictions[0])


@pytest.mark.parametrize(
    ("values", "base", "k"),
    [
        (np.ones((3, 2)), 1.0, 1),
        (np.ones((3, 2)), np.ones(3), 1),
        (np.ones((3, 2)), np.ones((3, 1)), 1),
        (np.ones(2), np.ones(1), 1),
        (np.ones((3, 2, 5)), np.arange(5.0), 5),
        (np.ones((3, 2, 5)), np.ones((3, 5)), 5),
    ],
)
def test_base_values_of_every_shape(values: Any, base: Any, k: int) -> None:
    read = px.interop.from_shap(shap.Explanation(values, base_values=base))
    axis = 0 if values.ndim == 1 else 1
    np.testing.assert_array_equal(read.predictions, base_of(base, k) + values.sum(axis=axis))
    assert len(read.output_names) == k


def base_of(base: Any, k: int) -> Any:
    """As a number for one output, or one for each."""
    return np.ravel(base)[0] if k == 1 else base


SYMMETRIC = np.ones((2, 3, 3))


@pytest.mark.parametrize(
    ("theirs", "error", "message"),
    [
        (np.ones((3, 2)), InvalidParameterError, "a shap.Explanation of a table"),
        (shap.Explanation(np.ones((3, 2))), InvalidInputError, "needs base_values"),
        (shap.Explanation(SYMMETRIC, base_values=0.0), InvalidInputError, "pairs of features"),
        (shap.Explanation(np.ones((2, 4, 4, 3)), base_values=0.0), InvalidInputError, "a table"),
        (shap.Explanation(np.ones((3, 2)), base_values=np.ones(4)), InvalidInputError, r"\(3,\)"),
    ],
)
def test_refusals(theirs: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        px.interop.from_shap(theirs)
