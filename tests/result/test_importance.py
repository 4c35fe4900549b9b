"""Global importance: mean sizes of scores, their bias, and intervals for the population."""

from __future__ import annotations

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidParameterError, SelectionError
from perturbx.features import LabelMap
from perturbx.result import Explanation
from perturbx.result.importance import sizes

GRID = np.linspace(-12, 12, 4801)
NORMAL = np.exp(-(GRID**2) / 2) / np.exp(-(GRID**2) / 2).sum()


def explained(values, errors, **changes):
    n, d = values.shape[:2]
    outputs = values.shape[2] if values.ndim == 3 else 1
    tail = values.shape[2:]
    fields = {
        "values": values,
        "standard_errors": np.broadcast_to(errors, values.shape).copy(),
        "base_values": np.zeros((n, *tail)),
        "predictions": np.ones((n, *tail)),
        "data": np.zeros((n, d)),
        "feature_names": tuple(f"x{j}" for j in range(d)),
        "output_names": tuple(f"class {j}" for j in range(outputs)),
        "axes": ("instance", "feature", "output")[: values.ndim],
        "method": "KernelShap: rows",
        "value_function": "absent features from 10 background rows",
        "n_rows": 0,
        "n_calls": 0,
    }
    return Explanation(**{**fields, **changes})


@pytest.mark.parametrize("truth", [0.0, 0.3, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0])
def test_bias_is_small_and_bounded_on_average(truth):
    """By integration: |bias| is at most .28 of the standard error, and at most its mean bound."""
    each, bound = sizes(truth + GRID, np.ones_like(GRID))
    bias = NORMAL @ each - truth
    plain = NORMAL @ np.abs(truth + GRID) - truth
    assert abs(bias) <= 0.28
    assert abs(bias) <= NORMAL @ bound + 1e-9
    assert truth > 0.5 or abs(bias) < 0.4 * plain


def test_exact_scores_have_the_plain_mean():
    values = np.array([[1.0, -2.0], [-3.0, 0.0], [2.0, 4.0]])
    found = explained(values, 0.0).importance()
    np.testing.assert_allclose(found.values, [2, 2])
    np.testing.assert_allclose(found.standard_errors, np.abs(values).std(axis=0, ddof=1) / 3**0.5)
    assert not found.bias.any()


def test_a_feature_without_effect_is_not_important():
    """The plain mean of |score| is .8 standard errors and its interval excludes 0; ours has 0."""
    rng = np.random.default_rng(0)
    values = np.stack([rng.normal(size=4000), 3 + rng.normal(size=4000)], axis=1)
    found = explained(values, 1.0).importance()
    lower, upper = found.interval()
    assert lower[0] == 0 < upper[0] < 1.6
    assert lower[1] < 3 < upper[1]


@pytest.mark.parametrize("spread", [0.0, 0.5, 2.0])
def test_intervals_cover_the_mean_of_the_population(spread):
    """With independent errors of the size of the effects, in at least 93% of samples."""
    rng = np.random.default_rng(1)
    truth = np.abs(0.5 + spread * rng.normal(size=10**6)).mean()
    covered = []
    for _ in range(300):
        scores = 0.5 + spread * rng.normal(size=(40, 1))
        lower, upper = (
            explained(scores + rng.normal(size=scores.shape), 1.0).importance().interval()
        )
        covered.append(lower[0] <= truth <= upper[0])
    assert np.mean(covered) > 0.93


def test_errors_that_all_rows_share_are_covered():
    """Rows that share coalitions can all be off in one direction; more rows do not help."""
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(300):
        scores = 5 + 0.1 * rng.normal(size=(100, 1)) + rng.normal()
        lower, upper = explained(scores, 1.0).importance().interval()
        covered.append(lower[0] <= 5 <= upper[0])
    assert np.mean(covered) > 0.93


def test_groups_add_scores_before_their_size():
    values = np.array([[1.0, -1.0, 5.0], [2.0, -1.0, 5.0]])
    found = explained(values, 0.0).importance({"both": ["x0", 1], "rest": ["x2"]})
    np.testing.assert_allclose(found.values, [0.5, 5])
    assert found.feature_names == ("both", "rest")
    errors = explained(values + 100, 1.0).importance({"both": ["x0", "x1"]}).standard_errors
    np.testing.assert_allclose(errors, np.hypot(0.5, 2))  # spread .5, and errors of 1 + 1


def test_several_outputs_and_one_row():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(6, 3, 2))
    explanation = explained(values, 0.1)
    found = explanation.importance()
    assert found.values.shape == (3, 2)
    for name in ("class 0", "class 1"):
        one = explanation[..., name].importance()
        np.testing.assert_array_equal(one.values, found.values[:, int(name[-1])])
    assert np.isnan(explanation[:1].importance().standard_errors).all()
    frame = found.to_frame()
    assert frame["output"].tolist() == ["class 0"] * 3 + ["class 1"] * 3
    assert frame["importance"][:3].is_monotonic_decreasing
    assert "of output 'class 1', 95% interval" in repr(found)


def test_outputs_of_each_instance_are_numbered():
    names = np.array([["cat", "dog"], ["owl", "cat"]], dtype=object)
    found = explained(np.ones((2, 3, 2)), 0.0, output_names=names).importance()
    assert found.output_names == ("output 1", "output 2")


def test_unknown_errors_stay_unknown():
    found = explained(np.ones((4, 2)), np.array([0.1, np.nan])).importance()
    np.testing.assert_array_equal(np.isnan(found.standard_errors), [False, True])


def test_long_tables_are_cut():
    found = explained(np.tile(np.arange(30.0), (3, 1)), 0.0).importance()
    assert "... and 10 smaller" in repr(found)
    assert "x29" in repr(found)
    assert "x3 " not in repr(found)


@pytest.mark.parametrize(
    ("explanation", "groups", "error", "says"),
    [
        (explained(np.ones((3, 2)), 0.0)[0], None, InvalidParameterError, "several rows"),
        (explained(np.ones((3, 2)), 0.0), {}, InvalidParameterError, "dict"),
        (explained(np.ones((3, 2)), 0.0), {"a": "x0"}, InvalidParameterError, "list of features"),
        (explained(np.ones((3, 2)), 0.0), {"a": ["x9"]}, SelectionError, "x9"),
        (
            explained(np.ones((3, 2)), 0.0),
            {"a": ["x0"], "b": [0]},
            InvalidParameterError,
            "'x0' is in the groups 'a' and 'b'",
        ),
        (
            explained(np.ones((3, 2)), 0.0, score_kind="slopes"),
            {"a": ["x0"]},
            InvalidParameterError,
            "slopes",
        ),
        (
            explained(
                np.ones((2, 2)),
                0.0,
                regions=(LabelMap(np.array([[0, 1]])), LabelMap(np.array([[0, 1, 1]]))),
                data=(np.zeros((1, 2)), np.zeros((1, 3))),
            ),
            None,
            InvalidParameterError,
            "regions of their own",
        ),
    ],
)
def test_what_has_no_mean_is_refused(explanation, groups, error, says):
    with pytest.raises(error, match=says):
        explanation.importance(groups)


def test_of_a_linear_model():
    """The importance of a linear model is |slope| times the mean distance from the mean."""
    X = np.random.default_rng(4).normal(size=(80, 4))
    slopes = np.array([3.0, -1.0, 0.5, 0.0])
    explainer = px.KernelShap(lambda X: X @ slopes, random_state=0).fit(X)
    found = explainer.explain(X).importance()
    truth = np.abs(slopes * (X - X.mean(axis=0))).mean(axis=0)
    np.testing.assert_allclose(found.values, truth, atol=1e-9)
