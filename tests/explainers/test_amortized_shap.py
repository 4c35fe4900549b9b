"""Learned scores against closed forms, fresh values, and errors of known size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import perturbx as px
import pytest
from numpy.typing import NDArray
from perturbx.errors import InvalidInputError, InvalidParameterError, NotFittedError
from perturbx.explainers._learned_scores import Judged, Reach, Shares, Student

SLOPES = np.array([1.0, -2.0, 0.5, 0.0])


def _linear(X: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(X) @ SLOPES


def _rows(n: int, seed: int) -> NDArray[Any]:
    return np.random.default_rng(seed).normal(size=(n, 4))


TRAIN, TEST = _rows(500, 0), np.clip(_rows(200, 1), -2, 2)
BACKGROUND = px.Background(TRAIN[:30])


def _learner(model: Any = _linear, **settings: Any) -> px.AmortizedShap:
    return px.AmortizedShap(model, **{"masker": BACKGROUND, "random_state": 0, **settings})


@pytest.fixture(scope="module")
def learner() -> px.AmortizedShap:
    return _learner().fit(TRAIN)


def test_scores_are_near_exact_ones(learner: px.AmortizedShap) -> None:
    """Of a linear model: slopes times the distance from the background's mean."""
    found = learner.explain(TEST)
    exact = SLOPES * (TEST - TRAIN[:30].mean(axis=0))
    left, whole = ((found.values - exact) ** 2).sum(), ((exact - exact.mean(axis=0)) ** 2).sum()
    assert 1 - left / whole > 0.97
    assert learner.learned_.judged.low[0] < 1 - left / whole
    assert found.n_rows == len(TEST)
    assert found.n_calls == 1
    lower, upper = found.interval()
    moving = SLOPES != 0
    covered = ((lower <= exact) & (exact <= upper))[:, moving].mean()
    assert 0.9 <= covered <= 1


def test_scores_add_up_and_idle_features_have_none(learner: px.AmortizedShap) -> None:
    """The sum is f(x) - mean f(background) to rounding; a feature of slope 0 has exactly 0."""
    found = learner.explain(TEST)
    np.testing.assert_allclose(found.base_values, _linear(TRAIN[:30]).mean())
    np.testing.assert_allclose(found.values.sum(axis=1) + found.base_values, _linear(TEST))
    assert np.abs(found.residual).max() < 1e-12
    assert not found.values[:, 3].any()


def test_completion_is_weighted_least_squares() -> None:
    """Of all scores with the right sum, the nearest ones in units of each one's error."""
    rng = np.random.default_rng(0)
    scores, errors = rng.normal(size=(5, 4, 1)), rng.uniform(0.1, 2, size=(4, 1))
    total = rng.normal(size=(5, 1))
    found, missing = Shares.of(errors, np.ones((4, 1), bool)).complete(scores, total)
    np.testing.assert_allclose(missing, total - scores.sum(axis=1))
    # KKT: the gradient (found - scores) / errors is the same for all features.
    gradient = (found - scores) / errors
    np.testing.assert_allclose(gradient, gradient[:, :1] * np.ones((1, 4, 1)))
    np.testing.assert_allclose(found.sum(axis=1), total)


def test_held_out_figures_know_the_noise_of_fresh_values() -> None:
    """Errors and R2 are those of scores against the truth, however noisy two estimates are."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(4000, 3, 1)) * np.array([1.0, 2.0, 3.0])[:, None]
    scores = truth + 0.3 * rng.normal(size=truth.shape)
    fresh = tuple(truth + rng.normal(size=truth.shape) for _ in range(2))
    judged = Judged.of(scores, fresh)
    expected = 1 - 3 * 0.09 / (1 + 4 + 9)
    assert judged.low[0] < expected < judged.high[0]
    assert judged.high[0] - judged.low[0] < 0.03
    errors = judged.standard_errors(scores)
    np.testing.assert_allclose(np.sqrt((errors**2).mean(axis=0)), 0.3, atol=0.1)


def test_intervals_of_r2_cover() -> None:
    """In 95% of 300 samples, give or take 3%."""
    rng, hits, n = np.random.default_rng(0), 0, 100
    for _ in range(300):
        truth = rng.normal(size=(n, 2, 1))
        a, b, scores = (truth + s * rng.normal(size=truth.shape) for s in (0.5, 0.5, 0.4))
        judged = Judged.of(scores, (a, b))
        hits += judged.low[0] <= 1 - 0.16 <= judged.high[0]
    assert 0.92 <= hits / 300 <= 0.98


def test_rows_far_from_those_learned_get_fresh_values() -> None:
    """They are exact if the budget pays for it, cost that, and are told in a note."""
    learner = _learner(budget=600, max_rows=150).fit(TRAIN)
    rows = TEST[:3].clip(-1, 1)
    rows[1, 0] = 9.0
    found = learner.explain(rows)
    exact = SLOPES * (rows - TRAIN[:30].mean(axis=0))
    np.testing.assert_allclose(found.values[1], exact[1], atol=1e-12)
    assert found.n_rows > 200
    assert any(note.startswith("1 of 3 instances: unlike the rows") for note in found.notes)
    assert found[0].n_rows == 1
    assert found[0].notes == ()
    assert (found[0].method, found[1].method) == (
        "AmortizedShap: learned",
        "AmortizedShap: exact, all 16 coalitions",
    )
    alone = learner.explain(rows[1:2])
    np.testing.assert_array_equal(alone.values[0], found.values[1])
    kept = _learner(fallback=False, max_rows=150).fit(TRAIN).explain(rows)
    assert kept.n_rows == 3
    assert "errors may be larger" in kept.notes[0]


def test_what_is_far() -> None:
    """Beyond the range, never missing before, another category, or far from the output."""
    values = np.array([[0.0, 0.0], [1.0, 1.0], [np.nan, 2.0]])
    reach = Reach.of(values, np.array([False, True]), np.full((10, 1), 0.5))
    rows = np.array([[0.5, 1], [1.2, 1], [5, 1], [np.nan, 0], [0.5, -1], [0.5, 1]])
    missing = np.array([0.9, 0, 0, 0, 0, 1.1])[:, None]
    assert reach.far(rows, missing).tolist() == [False, False, True, False, True, True]
    whole = Reach.of(values[:2], np.array([False, True]), np.full((10, 1), 0.5))
    assert whole.far(rows[3:4], missing[3:4]).tolist() == [True]


def _frame(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "x": rng.normal(size=n).clip(-2, 2),
            "kind": pd.Categorical(rng.choice(list("abc"), n), categories=list("abcd")),
            "count": rng.integers(0, 5, n).astype(np.int16),
        }
    )


def _of_frames(X: pd.DataFrame) -> NDArray[Any]:
    assert isinstance(X["kind"].dtype, pd.CategoricalDtype)
    assert X["count"].dtype == np.int16
    effect = X["kind"].map({"a": 0.0, "b": 1.0, "c": -2.0, "d": 5.0}).to_numpy(float)
    one = 1 / (1 + np.exp(-X["x"].to_numpy() - effect))
    return np.stack([1 - one, one], axis=1)


def test_frames_with_categories() -> None:
    """Types reach the model, categories are learned, and two classes mirror each other."""
    frame = _frame(400, 0)
    learner = _learner(_of_frames, masker=None, output_names=["no", "yes"]).fit(frame)
    assert (learner.learned_.r2 > 0.95).all()
    found = learner.explain(_frame(50, 2))
    assert found.axes == ("instance", "feature", "output")
    np.testing.assert_allclose(found[..., "no"].values, -found[..., "yes"].values, atol=1e-15)
    assert found.feature_names == ("x", "kind", "count")
    new = _frame(2, 3)
    new["kind"] = pd.Categorical(["d", "a"], categories=list("abcd"))
    assert any("1 of 2 instances: unlike" in note for note in learner.explain(new).notes)


def test_links_groups_and_one_output() -> None:
    """Scores add up on the scale of the link, for the named output, with columns in groups."""
    frame = _frame(150, 0)
    groups = {"x": ["x"], "rest": ["kind", "count"]}
    settings: dict[str, Any] = {"link": "logit", "outputs": 1, "groups": groups}
    learner = _learner(_of_frames, masker=px.Background(frame.iloc[:10]), **settings).fit(frame)
    found = learner.explain(frame.iloc[:20])
    assert found.feature_names == ("x", "rest")
    assert found.axes == ("instance", "feature")
    one = _of_frames(frame.iloc[:20])[:, 1]
    np.testing.assert_allclose(found.predictions, np.log(one / (1 - one)))
    assert np.abs(found.residual).max() < 1e-12


def test_batches_change_nothing(learner: px.AmortizedShap) -> None:
    """The same scores and errors for any batch_size, and another one is paid by calls."""
    one = learner.explain(TEST)
    other = _learner(batch_size=64).fit(TRAIN).explain(TEST)
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.standard_errors, other.standard_errors)
    assert other.n_calls == 4
    single = learner.explain(TEST[0])
    np.testing.assert_array_equal(single.values, one.values[0])


def test_the_cost_is_foretold(learner: px.AmortizedShap, counting_model: Any) -> None:
    """One model row for each row, and what `fit` spent is what the model saw."""
    told = learner.estimate_cost(TEST, price_per_row=0.5)
    assert (told.n_rows, told.n_calls, told.price) == (200, 1, 100.0)
    model = counting_model(_linear)
    taught = _learner(model, max_rows=60).fit(TRAIN)
    assert taught.learned_.cost.n_rows == model.n_rows - 3
    assert taught.learned_.n_taught == 48
    assert "R2" in repr(taught.learned_)


def test_what_is_not_learned_is_told() -> None:
    """A model of noise has an R2 near 0, errors as large as its scores, and a note."""
    model = lambda X: np.sin(1e6 * X).sum(axis=1)  # noqa: E731
    learner = _learner(model, max_rows=100).fit(TRAIN)
    assert learner.learned_.r2[0] < 0.8
    assert learner.explain(TEST[:5]).notes[0].startswith("R2 is only")


def test_tol_is_judged_row_by_row(learner: px.AmortizedShap) -> None:
    """`converged` says whether every error is below tol times the range of the scores."""
    found = _learner(tol=0.05).fit(TRAIN).explain(TEST[:20])
    small = found.standard_errors.max(axis=1) <= 0.05 * np.ptp(found.values, axis=1)
    assert [one.converged for one in found] == small.tolist()


def test_students_learn_nothing_of_nothing() -> None:
    """Scores that are all 0 get no regression, and are 0 everywhere."""
    X, scores = TRAIN[:50], np.zeros((50, 2, 1))
    scores[:, 1, 0] = X[:, 1]
    found = Student.of(X, scores, np.zeros(4, bool), 0).predict(TEST)
    assert not found[:, 0].any()
    assert np.corrcoef(found[:, 1, 0], TEST[:, 1])[0, 1] > 0.9


def test_bad_input_is_refused(learner: px.AmortizedShap) -> None:
    """Before the model is asked, with the remedy."""
    with pytest.raises(NotFittedError, match="call fit"):
        _learner().explain(TEST)
    with pytest.raises(InvalidInputError, match="20 rows of a table or more, and got 5"):
        _learner().fit(TRAIN[:5])
    with pytest.raises(InvalidInputError, match="got 0"):
        _learner().fit()
    with pytest.raises(InvalidParameterError, match="differ from row to row"):
        _learner(outputs="top1").fit(TRAIN)
    with pytest.raises(InvalidParameterError, match="columns of a table"):
        px.AmortizedShap(lambda X: X.mean(axis=(1, 2, 3))).fit(np.zeros((30, 8, 8, 3)))
    with pytest.raises(InvalidParameterError, match="columns of a table"):
        px.AmortizedShap(lambda X: [len(t) for t in X], masker=px.Tokens()).fit(["a b", "c"] * 15)
    with pytest.raises(InvalidParameterError, match="max_rows"):
        _learner(max_rows=5).fit(TRAIN)
    changed = _learner(max_rows=30).fit(TRAIN).set_params(outputs=0)
    with pytest.raises(InvalidParameterError, match="outputs was set after fit"):
        changed.explain(TEST)
