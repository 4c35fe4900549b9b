"""Summaries over outputs: those of the summarized model, with errors that are bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.errors import InvalidInputError, InvalidParameterError, SelectionError
from perturbx.result.over_outputs import BOUND_NOTE

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 5))
SLOPES = RNG.normal(size=(5, 4))


def forecast(rows: np.ndarray) -> np.ndarray:
    """Four steps, each a curved function of the same five columns."""
    return np.asarray(np.tanh(rows @ SLOPES) + rows[:, :1] * rows[:, 1:2])


def explained(model: Any = forecast, **settings: Any) -> Any:
    return px.PermutationShap(model, random_state=0, **settings).fit(X).explain(X[:3])


@pytest.mark.parametrize(
    ("how", "weights"), [("mean", None), ("mean", [1, 2, 0, 1]), ("sum", None)]
)
def test_a_linear_summary_explains_the_summarized_output(how: str, weights: Any) -> None:
    """Scores, base value, prediction and residual are those of the mean (sum) of the outputs."""
    by = np.ones(4) if weights is None else np.asarray(weights, dtype=float)
    by = by / by.sum() if how == "mean" else by
    found = explained(budget=60).over_outputs(how, weights=weights)
    direct = explained(lambda rows: forecast(rows) @ by, budget=60)
    for name in ("values", "base_values", "predictions"):
        assert_allclose(getattr(found, name), getattr(direct, name), atol=1e-12)
    assert_allclose(found.residual, 0.0, atol=1e-12)
    assert found.axes == ("instance", "feature")
    assert (found.n_rows, found.n_calls) == (direct.n_rows, direct.n_calls)


def test_errors_bound_those_of_the_summarized_output() -> None:
    """Never smaller than what a direct explanation reports, equal if outputs are copies."""
    for model in (forecast, lambda rows: forecast(rows)[:, [0, 0, 0, 0]]):
        found = explained(model, budget=60).over_outputs("mean")
        direct = explained(lambda rows, f=model: f(rows).mean(axis=1), budget=60)
        assert (found.standard_errors >= direct.standard_errors * (1 - 1e-9)).all()
        assert BOUND_NOTE in found.notes
    assert_allclose(found.standard_errors, direct.standard_errors, atol=1e-12)
    assert BOUND_NOTE in found[1].notes


def test_the_mean_size_is_within_its_error() -> None:
    """Over many seeds the root mean square error, bias included, is below the mean bound."""
    truth = px.KernelShap(forecast).fit(X).explain(X[:1]).over_outputs("mean_abs").values
    errors, bounds = [], []
    for seed in range(60):
        explainer = px.PermutationShap(forecast, random_state=seed, budget=40).fit(X)
        found = explainer.explain(X[:1]).over_outputs("mean_abs")
        errors.append((found.values - truth) ** 2)
        bounds.append(found.standard_errors**2)
    assert (np.sqrt(np.mean(errors, axis=0)) <= 1.15 * np.sqrt(np.mean(bounds, axis=0))).all()
    assert np.sqrt(np.mean(errors)) <= np.sqrt(np.mean(bounds))


def test_sizes_explain_no_output() -> None:
    """They have no base value, prediction or residual, and no metric takes them for scores."""
    found = explained()
    sizes = found.over_outputs("mean_abs", weights=[0, 1, 1, 0])
    assert_allclose(sizes.values, np.abs(found.values[..., 1:3]).mean(axis=-1))
    assert np.isnan(sizes.predictions).all()
    assert np.isnan(sizes.base_values).all()
    assert sizes.residual is None
    assert sizes.output_names == ("mean |score| of 4 outputs",)
    with pytest.raises(InvalidInputError, match="do not match"):
        px.metrics.deletion(forecast, X[:3], sizes, masker=px.Background(X))
    assert "nan" not in repr(sizes[0])
    assert "nan" not in sizes[0]._repr_html_()


def test_groups_are_outputs() -> None:
    """Named by position or name, in any order; an output may be in several groups or in none."""
    names = [f"hour {i}" for i in range(4)]
    found = explained(output_names=names)
    grouped = found.over_outputs("mean", {"night": [0, "hour 3"], "noon": ["hour 2"]})
    assert grouped.output_names == ("night", "noon")
    assert_allclose(grouped.values[..., 0], found.values[..., [0, 3]].mean(axis=-1))
    assert_array_equal(grouped[..., "noon"].values, found[..., "hour 2"].values)
    assert_array_equal(grouped[..., "noon"].standard_errors, found[..., "hour 2"].standard_errors)
    alone = found.over_outputs("sum", {"noon": [2]})
    assert BOUND_NOTE not in alone.notes
    assert alone.axes == ("instance", "feature", "output")


def test_single_instances_and_files(tmp_path: Any) -> None:
    """Summaries of a slice are slices of the summary, and are saved like any explanation."""
    found = explained(budget=60)
    assert_array_equal(found[1].over_outputs().values, found.over_outputs()[1].values)
    summary = found.over_outputs("mean_abs", {"all": range(4)})
    summary.save(tmp_path / "summary.npz")
    assert_array_equal(px.load(tmp_path / "summary.npz").values, summary.values)
    pytest.importorskip("pandas")
    assert summary.to_frame()["score"].tolist() == summary.values.ravel().tolist()


def test_interactions_and_rounding_are_summarized() -> None:
    """Interactions are linear in the outputs; scores that are rounding remain so."""
    explainer = px.KernelShap(forecast, interactions=True, random_state=0).fit(X)
    found = explainer.explain(X[:2])
    direct = px.KernelShap(lambda rows: forecast(rows).mean(axis=1), interactions=True)
    expected = direct.fit(X).explain(X[:2])
    mean = found.over_outputs("mean")
    assert_allclose(mean.interactions.shapley, expected.interactions.shapley, atol=1e-12)
    assert found.over_outputs("mean_abs").interactions is None
    pytest.importorskip("pandas")
    unused = px.KernelShap(lambda rows: rows[:, :1] * [[1.0, 3e6]]).fit(X).explain(X[0])
    assert not unused.over_outputs("sum").to_frame()["score"][1:].any()


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"how": "median"}, InvalidParameterError, "one of 'mean', 'sum', 'mean_abs'"),
        ({"groups": {}}, InvalidParameterError, "groups must be a dict"),
        ({"groups": [[0, 1]]}, InvalidParameterError, "groups must be a dict"),
        ({"groups": {"a": []}}, InvalidParameterError, "'a' holds no output"),
        ({"groups": {"a": [0, 0]}}, InvalidParameterError, "names an output twice"),
        ({"groups": {"a": [4]}}, SelectionError, "No output 4"),
        ({"groups": {"a": ["noon"]}}, SelectionError, "named 'noon'"),
        ({"weights": [1, 2]}, InvalidParameterError, "4 finite numbers"),
        ({"weights": [1, 2, np.nan, 1]}, InvalidParameterError, "4 finite numbers"),
        ({"weights": "abcd"}, InvalidParameterError, "4 finite numbers"),
        ({"weights": [1, -1, 1, 1]}, InvalidParameterError, "at least 0"),
        ({"weights": [0, 0, 0, 0]}, InvalidParameterError, "all 0 in every output"),
        (
            {"weights": [0, 1, 1, 1], "groups": {"a": [0]}},
            InvalidParameterError,
            "all 0 in group 'a'",
        ),
    ],
)
def test_bad_input(arguments: dict[str, Any], error: type[Exception], said: str) -> None:
    """Every error says what was expected."""
    with pytest.raises(error, match=said):
        explained(budget=60).over_outputs(**arguments)


def test_single_outputs_and_outputs_of_each_instance_are_refused() -> None:
    """There is nothing to summarize, or nothing in common."""
    with pytest.raises(InvalidParameterError, match="a single one"):
        explained(lambda rows: rows[:, 0]).over_outputs()
    with pytest.raises(InvalidParameterError, match="outputs of its own"):
        explained(outputs="top2").over_outputs()
