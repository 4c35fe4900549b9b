"""Two cohorts of rows: differences, tests at their stated rate, and adjusted p-values."""

from __future__ import annotations

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidInputError, InvalidParameterError
from scipy import stats

from .test_importance import explained


def test_exact_scores_give_welchs_test():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(30, 3)), rng.normal(0.5, 2, size=(50, 3))
    found = px.compare_cohorts(explained(a, 0.0), explained(b, 0.0))
    expected = stats.ttest_ind(a, b, equal_var=False)
    np.testing.assert_allclose(found.p_values, expected.pvalue)
    np.testing.assert_allclose(found.differences, a.mean(axis=0) - b.mean(axis=0))
    np.testing.assert_allclose(found.interval(), expected.confidence_interval())
    np.testing.assert_allclose(
        found.adjusted_p_values, _holm_by_definition(expected.pvalue.tolist())
    )


def _holm_by_definition(p):
    m, adjusted, worst = len(p), [0.0] * len(p), 0.0
    for rank, i in enumerate(sorted(range(m), key=lambda i: p[i])):
        worst = max(worst, min(1.0, (m - rank) * p[i]))
        adjusted[i] = worst
    return adjusted


@pytest.mark.parametrize("of", ["scores", "sizes"])
def test_false_alarms_come_at_the_stated_rate(of):
    """No drift: at most 6% of p-values are below 5%, with errors of the size of the effects."""
    rng = np.random.default_rng(1)
    alarms = []
    for _ in range(200):
        scores = rng.gamma(2, size=(120, 20)) - 2
        noisy = explained(scores + 0.5 * rng.normal(size=scores.shape), 0.5)
        found = px.compare_cohorts(noisy[:60], noisy[60:], of=of)
        alarms.append(found.p_values < 0.05)
    assert np.mean(alarms) <= 0.06


@pytest.mark.parametrize("of", ["scores", "sizes"])
def test_errors_that_a_cohort_shares_raise_no_alarm(of):
    """Coalitions are shared by the rows of a call, so that all of its scores may be off alike."""
    rng = np.random.default_rng(2)
    alarms = []
    for _ in range(200):
        a, b = rng.normal(3, 1, size=(2, 50, 20)) + 0.5 * rng.normal(size=(2, 1, 20))
        found = px.compare_cohorts(explained(a, 0.5), explained(b, 0.5), of=of)
        alarms.append(found.p_values < 0.05)
    assert np.mean(alarms) <= 0.06


def test_errors_of_the_same_draws_cancel():
    """Two calls with one random state try the same coalitions, and are off alike."""
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 200, 1))
    told = {"method": "KernelShap", "random_state": 1, "budget": 10, "parameters": {}}
    one, other = (explained(part, 1.0, provenance=told) for part in (a, b))
    apart = explained(b, 1.0, provenance={**told, "random_state": 2})
    assert px.compare_cohorts(one, other).standard_errors < 0.2
    assert px.compare_cohorts(one, apart).standard_errors > 1.4


def test_a_shift_is_found_where_it_is():
    X = np.random.default_rng(4).normal(size=(200, 3))
    explainer = px.KernelShap(lambda X: X[:, 0] * 2 + X[:, 1], random_state=0).fit(X)
    found = px.compare_cohorts(
        explainer.explain(X[:100] + np.eye(3)[0]), explainer.explain(X[100:])
    )
    assert (found.adjusted_p_values < 0.01).tolist() == [True, False, False]
    lower, upper = found.interval()
    assert lower[0] < 2 < upper[0]
    frame = found.to_frame()
    assert (
        frame["feature"][0] == "0" or frame["feature"][0] == explainer.explain(X).feature_names[0]
    )
    assert "against 100 rows" in repr(found)


def test_constant_scores():
    """Equal ones do not differ, p = 1; exactly unequal ones do, p = 0; unknown ones are NaN."""
    errors = np.array([0.0, 0.0, np.nan])
    a = explained(np.ones((3, 3)), errors)
    b = explained(np.tile([1.0, 2.0, 1.0], (3, 1)), errors)
    found = px.compare_cohorts(a, b)
    np.testing.assert_array_equal(found.p_values, [1, 0, np.nan])
    np.testing.assert_array_equal(found.adjusted_p_values, [1, 0, np.nan])


def test_several_outputs_are_tested_together():
    rng = np.random.default_rng(5)
    values = rng.normal(size=(40, 30, 2))
    found = px.compare_cohorts(explained(values[:20], 0.1), explained(values[20:], 0.1))
    assert found.p_values.shape == (30, 2)
    assert (found.adjusted_p_values >= found.p_values).all()
    assert "... and 40 more" in repr(found)
    assert ", class 1" in repr(found)


def test_another_value_function_is_noted():
    a, b = explained(np.eye(3), 0.0), explained(np.eye(3), 0.0, value_function="another")
    assert "different value functions" in repr(px.compare_cohorts(a, b))


@pytest.mark.parametrize(
    ("a", "b", "error", "says"),
    [
        (np.eye(3), explained(np.eye(3), 0.0), InvalidParameterError, "a must be an Explanation"),
        (explained(np.eye(3), 0.0)[:1], explained(np.eye(3), 0.0), InvalidInputError, "1 rows"),
        (explained(np.eye(3), 0.0)[:0], explained(np.eye(3), 0.0), InvalidInputError, "0 rows"),
        (explained(np.eye(3), 0.0), explained(np.eye(4), 0.0), InvalidParameterError, "x3"),
        (
            explained(np.eye(3), 0.0),
            explained(np.eye(3), 0.0, score_kind="slopes"),
            InvalidParameterError,
            "slopes",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(a, b, error, says):
    with pytest.raises(error, match=says):
        px.compare_cohorts(a, b)


def test_unknown_statistic():
    with pytest.raises(InvalidParameterError, match="of must be"):
        px.compare_cohorts(explained(np.eye(3), 0.0), explained(np.eye(3), 0.0), of="mean")
