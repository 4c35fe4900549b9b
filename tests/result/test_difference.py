"""The difference of two explanations of the same rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import perturbx as px
import pytest
from perturbx.errors import InvalidParameterError

from .test_importance import explained

X = np.random.default_rng(0).normal(size=(30, 4))


def shap(model, seed=0, rows=X):
    return px.KernelShap(model, random_state=seed).fit(X).explain(rows)


def test_scores_of_a_difference_of_models():
    """Shapley values are linear: the difference of scores is the scores of the difference."""
    first, second = (lambda X: X[:, 0] * X[:, 1] + X[:, 2]), (lambda X: X[:, 0] ** 2)
    gap = shap(first) - shap(second)
    of_gap = shap(lambda X: first(X) - second(X))
    for name in ("values", "base_values", "predictions"):
        np.testing.assert_allclose(getattr(gap, name), getattr(of_gap, name), atol=1e-12)
    np.testing.assert_allclose(gap.residual, 0, atol=1e-12)
    assert gap.n_rows == shap(first).n_rows + shap(second).n_rows
    assert gap[3].shape == gap.importance().values.shape == (4,)


def test_errors_of_independent_draws_add_up_as_squares_and_of_the_same_draws_as_they_are():
    told = {"method": "KernelShap", "random_state": 1, "budget": 10, "parameters": {"tol": None}}
    a = explained(np.ones((2, 3)), 3.0, provenance=told)
    same = explained(np.ones((2, 3)), 4.0, provenance=dict(told))
    other = explained(np.ones((2, 3)), 4.0, provenance={**told, "random_state": 2})
    assert (a - same).standard_errors.ravel().tolist() == [7.0] * 6
    assert (a - other).standard_errors.ravel().tolist() == [5.0] * 6
    assert ((explained(np.ones((2, 3)), 3.0)) - same).standard_errors[0, 0] == 5.0


def test_saved_and_loaded(tmp_path):
    gap = shap(lambda X: X[:, 0]) - shap(lambda X: X[:, 1], seed=1)
    gap.save(tmp_path / "gap.npz")
    np.testing.assert_array_equal(px.load(tmp_path / "gap.npz").values, gap.values)


def test_missing_and_mixed_cells_are_the_same_rows():
    frame = pd.DataFrame({"a": [1.0, np.nan, 3.0], "b": ["x", None, "y"]})
    explainer = px.Occlusion(lambda X: X["a"].fillna(0).to_numpy(), random_state=0).fit(frame)
    gap = explainer.explain(frame) - explainer.explain(frame.copy())
    np.testing.assert_array_equal(gap.values, 0)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (shap(lambda X: X[:, 0], rows=X[:5]), "shapes"),
        (shap(lambda X: X[:, 0], rows=X + 1), "rows are not the same"),
        (shap(lambda X: X[:, :2]), "axes"),
        (px.Lime(lambda X: X[:, 0], random_state=0).fit(X).explain(X), "slopes"),
    ],
)
def test_what_has_no_difference_is_refused(other, says):
    with pytest.raises(InvalidParameterError, match=says):
        shap(lambda X: X[:, 0]) - other


def test_only_explanations_are_subtracted():
    with pytest.raises(TypeError):
        shap(lambda X: X[:, 0]) - 1.0
