"""Metrics that go by the order of scores, against hand-made numbers and identities."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import perturbx as px
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

ORDERS = [
    px.metrics.deletion,
    px.metrics.insertion,
    px.metrics.insertion_deletion,
    px.metrics.comprehensiveness,
    px.metrics.sufficiency,
]

ZERO = px.Baseline(np.zeros(4))
X = np.array([[4.0, 3.0, 2.0, 1.0], [1.0, 1.0, 1.0, 5.0]])


def add(X: np.ndarray) -> np.ndarray:
    return X.sum(axis=1)


def curved(X: np.ndarray) -> np.ndarray:
    return np.tanh(X[:, 0] * X[:, 1] + X[:, 2] / 3) + X[:, 3] ** 2


def test_deletion_by_hand() -> None:
    """Outputs 10, 6, 3, 1, 0 at shares 0, 1/4, ... 1, and 8, 3, 2, 1, 0."""
    found = px.metrics.deletion(add, X, X, masker=ZERO)
    assert_allclose(found.curves, [[10, 6, 3, 1, 0], [8, 3, 2, 1, 0]])
    assert_allclose(found.shares, [0, 0.25, 0.5, 0.75, 1])
    assert_allclose(found.values, [(5 + 6 + 3 + 1) / 4, (4 + 3 + 2 + 1) / 4])
    assert found.better == "lower"


def test_insertion_by_hand() -> None:
    """Outputs 0, 4, 7, 9, 10 at shares 0, 1/4, ... 1."""
    found = px.metrics.insertion(add, X[0], X[0], masker=ZERO)
    assert_allclose(found.curves, [0, 4, 7, 9, 10])
    assert found.values == (4 + 7 + 9 + 5) / 4
    assert found.better == "higher"


def test_steps_are_equal_shares() -> None:
    """Two steps over four features remove two features each."""
    found = px.metrics.deletion(add, X[0], X[0], masker=ZERO, steps=2)
    assert_allclose(found.curves, [10, 3, 0])
    assert found.values == (10 + 3) / 4 + 3 / 4


def test_background_is_averaged() -> None:
    """The curve of an additive model goes from x to the mean of the rows."""
    rows = np.array([[0.0, 0.0], [2.0, 4.0]])
    found = px.metrics.deletion(add, [5.0, 6.0], [4.0, 4.0], masker=px.Background(rows))
    assert_allclose(found.curves, [11, 7, 3])


def test_tops_by_hand() -> None:
    """Half of the features are two, 4 and 3 of 10; a twentieth is rounded up to one."""
    shares = [0.05, 0.5]
    lost = px.metrics.comprehensiveness(add, X[0], X[0], masker=ZERO, shares=shares)
    left = px.metrics.sufficiency(add, X[0], X[0], masker=ZERO, shares=shares)
    assert_allclose(lost.curves, [4, 7])
    assert lost.values == 5.5
    assert_allclose(left.curves, [6, 3])
    assert left.values == 4.5


@given(seed=st.integers(0, 10**6), d=st.integers(1, 9))
@settings(deadline=None, max_examples=25)
def test_linear_models_in_closed_form(seed: int, d: int) -> None:
    """Sorted contributions c_1 >= c_2 ...: deletion is f(empty) + sum c_r (r - 1/2) / d.

    Insertion then is f(x) + f(empty) minus deletion, and nothing else does better than either.
    """
    rng = np.random.default_rng(seed)
    slopes, x, base = rng.normal(size=(3, d))

    def model(X: np.ndarray) -> np.ndarray:
        return X @ slopes + 1

    c = slopes * (x - base)
    ask = {"masker": px.Baseline(base), "references": False}
    deleted = px.metrics.deletion(model, x, c, **ask).values
    inserted = px.metrics.insertion(model, x, c, **ask).values
    empty = base @ slopes + 1
    expected = empty + (np.sort(c)[::-1] * (np.arange(d) + 0.5)).sum() / d
    assert_allclose(deleted, expected, atol=1e-12)
    assert_allclose(deleted + inserted, x @ slopes + 1 + empty, atol=1e-12)
    other = rng.normal(size=d)
    assert deleted <= px.metrics.deletion(model, x, other, **ask).values + 1e-12
    assert inserted >= px.metrics.insertion(model, x, other, **ask).values - 1e-12


@pytest.mark.parametrize("metric", ORDERS)
@pytest.mark.parametrize("rescale", [lambda s: 7 * s - 3, np.exp, lambda s: np.sign(s) * s**2])
def test_only_the_order_counts(metric: Any, rescale: Callable[[Any], Any]) -> None:
    """Increasing functions of the scores change neither values nor references."""
    scores = np.random.default_rng(0).normal(size=X.shape)
    one = metric(curved, X, scores, masker=ZERO)
    other = metric(curved, X, rescale(scores), masker=ZERO)
    assert np.array_equal(one.values, other.values)
    assert np.array_equal(one.references["random"], other.references["random"])


@pytest.mark.parametrize("n_axes", [1, 2])
def test_inserting_is_deleting_from_the_other_end(n_axes: int) -> None:
    """Without ties, insertion by the scores is deletion by their negatives."""
    rng = np.random.default_rng(0)
    if n_axes == 1:
        x, scores, ask = X, rng.normal(size=X.shape), {"masker": ZERO}
    else:
        x, scores, ask = rng.random((2, 6, 5, 3)), rng.random((2, 6, 5)), {"fill": 0}

    def model(batch: np.ndarray) -> np.ndarray:
        flat = batch.reshape(len(batch), -1)
        return np.tanh(flat[:, 0] * flat[:, 3]) + flat[:, -1] ** 2

    steps = 4 if n_axes == 1 else 6
    inserted = px.metrics.insertion(model, x, scores, steps=steps, **ask)
    deleted = px.metrics.deletion(model, x, -scores, steps=steps, **ask)
    assert_allclose(inserted.values, deleted.values)
    assert_allclose(inserted.curves, deleted.curves[:, ::-1])


def test_the_difference_is_that_of_the_two() -> None:
    """Values and references of insertion_deletion are those of insertion minus deletion."""
    scores = np.random.default_rng(0).normal(size=X.shape)
    both = px.metrics.insertion_deletion(curved, X, scores, masker=ZERO)
    one = px.metrics.insertion(curved, X, scores, masker=ZERO)
    other = px.metrics.deletion(curved, X, scores, masker=ZERO)
    assert_allclose(both.values, one.values - other.values)
    assert_allclose(
        both.references["random"], one.references["random"] - other.references["random"]
    )
    assert_allclose(both.details["deletion"], other.values)


@pytest.mark.parametrize("sign", [1, -1])
def test_normalized_areas(sign: int) -> None:
    """Areas are fractions of |f(x)|, or of the way from f(empty) to f(x) in either direction."""
    model = lambda X: sign * add(X) + 2  # noqa: E731
    scores, ask = sign * X, {"masker": ZERO}
    plain = px.metrics.insertion(model, X, scores, **ask).values
    by_range = px.metrics.insertion(model, X, scores, normalize="range", **ask).values
    by_prediction = px.metrics.insertion(model, X, scores, normalize="prediction", **ask).values
    assert_allclose(by_range, (plain - 2) / (model(X) - 2))
    assert_allclose(by_prediction, plain / np.abs(model(X)))
    gap = px.metrics.insertion_deletion(model, X, scores, normalize="range", **ask)
    both = gap.details["insertion"] - gap.details["deletion"]
    assert_allclose(gap.values, sign * both)


def test_nothing_to_divide_by_is_not_known() -> None:
    """The range of a constant model is 0, so its normalized area is NaN."""
    found = px.metrics.deletion(
        lambda X: np.ones(len(X)), X, X, masker=ZERO, normalize="range", references=False
    )
    assert np.isnan(found.values).all()
    assert np.isnan(found.mean)


@pytest.mark.parametrize("metric", ORDERS)
def test_exact_attributions_beat_random_ones(metric: Any) -> None:
    """Exact attributions of a positive additive model beat random ones on every row."""
    rows = np.random.default_rng(0).random((20, 8))
    found = metric(add, rows, rows, masker=px.Baseline(np.zeros(8)))
    sign = 1 if found.better == "higher" else -1
    assert (sign * (found.values - found.references["random"]) > 0).all()


def test_random_orders_differ_by_instance_and_are_fixed() -> None:
    """The seed fixes random orders for any batch size, and another seed gives others."""
    rows = np.random.default_rng(0).random((4, 8))
    ask = partial(px.metrics.deletion, add, rows, rows, masker=px.Baseline(np.zeros(8)))
    one = ask().references["random"]
    assert np.array_equal(one, ask(batch_size=3).references["random"])
    assert not np.allclose(one, ask(random_state=1).references["random"])
    shifted = px.metrics.deletion(
        add, rows[[0, 0]], rows[[0, 0]], masker=px.Baseline(np.zeros(8))
    ).references["random"]
    assert shifted[0] != shifted[1]


def test_ties_go_by_position() -> None:
    """Features with equal scores are removed in the order of the columns."""
    found = px.metrics.deletion(add, X[0], np.ones(4), masker=ZERO)
    assert_allclose(found.curves, [10, 6, 3, 1, 0])


@pytest.mark.parametrize("metric", ORDERS)
def test_rows_are_counted(metric: Any, counting_model: Any) -> None:
    """`n_rows` and `n_calls` count all rows and calls of the model, the probe included."""
    model = counting_model(curved, batch_size=7)
    rows = np.random.default_rng(0).normal(size=(3, 4))
    found = metric(model, X, X, masker=px.Background(rows), batch_size=7)
    assert found.n_rows == model.n_rows
    assert found.n_calls == len(model.calls)


def test_several_outputs(bumpy_model: Any) -> None:
    """Each output has its own order, and measures the same as alone."""
    rng = np.random.default_rng(0)
    background, rows = rng.normal(size=(3, 4)), rng.normal(size=(2, 4))
    masker = px.Background(background)
    explanation = px.Occlusion(bumpy_model, masker=masker).explain(rows)
    ask = partial(px.metrics.deletion, bumpy_model, rows, explanation, masker=masker)
    both = ask(outputs=[1, 0])
    assert both.axes == ("instance", "output")
    assert both.output_names == ("output 1", "output 0")
    assert np.array_equal(both.values[:, 0], ask(outputs=1).values)
    assert np.array_equal(both.values[:, 1], ask(outputs="output 0").values)
    assert ask(outputs=1).values.shape == (2,)
    single = px.metrics.deletion(bumpy_model, rows[0], explanation[0], masker=masker, outputs=1)
    assert single.values.shape == ()
    assert single.values == ask(outputs=1).values[0]


def test_the_largest_output_of_each_instance(bumpy_model: Any) -> None:
    """An explanation of "top1" is measured by the output that it explains for each instance."""
    rows = np.random.default_rng(0).normal(size=(6, 4))
    masker = px.Baseline(np.zeros(4))
    top = px.Occlusion(bumpy_model, masker=masker, outputs="top1").explain(rows)
    everything = px.Occlusion(bumpy_model, masker=masker).explain(rows)
    found = px.metrics.deletion(bumpy_model, rows, top, masker=masker)
    largest = px.metrics.deletion(bumpy_model, rows, everything, masker=masker, outputs="top1")
    each = px.metrics.deletion(bumpy_model, rows, everything, masker=masker, outputs=[0, 1])
    expected = each.values[np.arange(6), bumpy_model(rows).argmax(axis=1)]
    assert_allclose(found.values, expected)
    assert_allclose(largest.values[:, 0], expected)


def test_frames_stay_frames(mixed_frame: Any) -> None:
    """Text, categories and missing values reach the model unchanged."""
    import pandas as pd

    frame = mixed_frame[["tiny", "half", "kind", "name"]]
    types = frame.dtypes

    def model(batch: Any) -> Any:
        assert isinstance(batch, pd.DataFrame)
        assert (batch.dtypes == types).all()
        return batch["tiny"].to_numpy() + 10.0 * (batch["kind"] == "a").to_numpy()

    explanation = px.Occlusion(model).fit(frame).explain(frame)
    found = px.metrics.deletion(model, frame, explanation)
    assert found.value_function == "absent features from 8 background rows, on average"
    assert found.mean < found.references["random"].mean()


def test_names_of_ones_own() -> None:
    """Outputs that only the explainer names are matched by the model's predictions."""
    rows = np.random.default_rng(0).normal(size=(5, 4))

    def model(X: np.ndarray) -> np.ndarray:
        return np.stack([curved(X), curved(X) ** 2, -curved(X)], axis=1)

    names = ["one", "two", "three"]
    ask = partial(px.Occlusion, model, masker=ZERO)
    named = ask(output_names=names, outputs=["three", "one"]).explain(rows)
    found = px.metrics.deletion(model, rows, named, masker=ZERO, outputs=["three", "one"])
    plain = px.metrics.deletion(model, rows, ask().explain(rows), masker=ZERO, outputs=[2, 0])
    assert found.output_names == ("three", "one")
    assert np.array_equal(found.values, plain.values)
