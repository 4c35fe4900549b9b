"""Data Shapley values against enumeration, the closed form of neighbors, and bad input."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pandas as pd
import perturbx as px
import pytest
from joblib import parallel_config
from perturbx.errors import (
    InvalidInputError,
    InvalidParameterError,
    NotFittedError,
    PredictFnError,
    UnknownParameterError,
)
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(7, 2))
Y = X @ [1.0, -2.0] + RNG.normal(size=7)
NEW = RNG.normal(size=(3, 2))


def ridge(X, y):
    return Ridge(1e-3).fit(X, y)


def enumerated(game, d):
    """Shapley values by the definition; `game` of a tuple of players."""
    known = {rows: game(rows) for size in range(d + 1) for rows in combinations(range(d), size)}
    found = 0.0 * np.asarray([known[()] for _ in range(d)])
    for i in range(d):
        others = [j for j in range(d) if j != i]
        for size in range(d):
            for chosen in combinations(others, size):
                added = known[tuple(sorted((*chosen, i)))] - known[chosen]
                found[i] += added / (d * comb(d - 1, size))
    return found


@pytest.mark.parametrize("estimator", ["regression", "permutations"])
def test_seven_rows_of_a_linear_model(estimator):
    """Predictions for three rows, exactly, from all 128 subsets."""

    def game(rows):
        rows = list(rows)
        return ridge(X[rows], Y[rows]).predict(NEW) if rows else np.full(3, Y.mean())

    found = px.DataShapley(ridge, estimator=estimator, random_state=0).fit(X, Y).explain(NEW)
    np.testing.assert_allclose(found.values, enumerated(game, 7).T, atol=1e-9)
    np.testing.assert_allclose(found.base_values, Y.mean())
    np.testing.assert_allclose(found.predictions, ridge(X, Y).predict(NEW))
    np.testing.assert_allclose(found.values.sum(axis=1), found.predictions - Y.mean())
    assert found.feature_names[0] == "row 0"
    assert found.axes == ("instance", "feature")
    trained = []
    counted = px.DataShapley(lambda X, y: trained.append(len(y)) or ridge(X, y), random_state=0)
    assert counted.fit(X, Y).explain(NEW).n_rows == len(trained) + 1  # one subset is empty
    alone = px.DataShapley(ridge, estimator=estimator, random_state=0).fit(X, Y).explain(NEW[1])
    np.testing.assert_allclose(alone.values, found.values[1], atol=1e-9)


class Neighbors:
    """The share of right labels among the K nearest; K counts also where rows are fewer."""

    def __init__(self, X, y, k):
        self.X, self.y, self.k = X, y, k

    def score(self, X, y):
        near = np.argsort(((X[:, None] - self.X) ** 2).sum(axis=2), axis=1)[:, : self.k]
        return (self.y[near] == y[:, None]).sum(axis=1).mean() / self.k


def closed_form(X, y, test, labels, k):
    """Jia et al. (VLDB 2019), theorem 1: exact values of the score of k neighbors."""
    n, total = len(X), np.zeros(len(X))
    for row, label in zip(test, labels, strict=True):
        near = np.argsort(((X - row) ** 2).sum(axis=1))
        same = (y[near] == label) * 1.0
        s = np.zeros(n)
        s[n - 1] = same[n - 1] / n * min(k, n) / k
        for i in range(n - 2, -1, -1):
            s[i] = s[i + 1] + (same[i] - same[i + 1]) / k * min(k, i + 1) / (i + 1)
        total[near] += s
    return total / len(test)


def neighbors_data(n):
    rng = np.random.default_rng(1)
    train, test = rng.normal(size=(n, 2)), rng.normal(size=(6, 2))
    labels = (train[:, 0] + 0.5 * rng.normal(size=n) > 0) * 1
    return train, labels, test, (test[:, 0] > 0) * 1


def test_the_score_of_three_neighbors():
    """Exactly for nine rows."""
    train, labels, test, wanted = neighbors_data(9)
    method = px.DataShapley(lambda X, y: Neighbors(X, y, 3), budget=1000, random_state=0)
    found = method.fit(train, labels).explain_score(test, wanted)
    np.testing.assert_allclose(found.values, closed_form(train, labels, test, wanted, 3), atol=1e-9)
    assert found.axes == ("feature",)
    assert found.base_values == 0


@pytest.mark.parametrize("estimator", ["regression", "permutations"])
def test_thirty_rows_within_their_errors(estimator):
    """Sampled subsets: nearly all of 30 closed-form values lie within 3 standard errors."""
    train, labels, test, wanted = neighbors_data(30)
    method = px.DataShapley(
        lambda X, y: Neighbors(X, y, 3), estimator=estimator, budget=600, random_state=0
    )
    found = method.fit(train, labels).explain_score(test, wanted)
    off = np.abs(found.values - closed_form(train, labels, test, wanted, 3))
    assert (off <= 3 * found.standard_errors).mean() >= 0.9
    assert found.standard_errors.max() < 0.05
    assert found.n_rows <= 600 + 4


def test_classes_that_a_subset_lacks_have_no_chance():
    """Probabilities of three classes, each model's columns where they belong."""
    y = np.array(["a", "b", "c", "a", "b", "c"])
    train = RNG.normal(size=(6, 2)) + 3 * np.array([y == "a", y == "b"]).T

    def fit(X, y):
        return KNeighborsClassifier(1).fit(X, y)

    def game(rows):
        rows, whole = list(rows), np.zeros((1, 3))
        if not rows:
            return np.full((1, 3), 1 / 3)
        model = fit(train[rows], y[rows])
        whole[:, np.searchsorted(["a", "b", "c"], model.classes_)] = model.predict_proba([[3, 0]])
        return whole

    found = px.DataShapley(fit, random_state=0).fit(train, y).explain([[3.0, 0.0]])
    np.testing.assert_allclose(
        found.values[0], enumerated(lambda rows: game(rows)[0], 6), atol=1e-9
    )
    assert found.output_names == ("a", "b", "c")
    assert found[0, :, "a"].values.argmax() in (0, 3)


def test_groups_are_players():
    """Three groups of rows: the eight subsets of groups, whatever their sizes."""

    def game(groups):
        rows = [i for g in groups for i in members[g]]
        return ridge(X[rows], Y[rows]).predict(NEW[:1])[0] if rows else 0.0

    members = [[0, 3], [1, 2, 6], [4, 5]]
    named = {"mon": members[0], "tue": members[1], "wed": members[2]}
    method = px.DataShapley(ridge, groups=named, untrained=0.0, random_state=0).fit(X, Y)
    found = method.explain(NEW[0])
    np.testing.assert_allclose(found.values, enumerated(game, 3), atol=1e-9)
    assert found.feature_names == ("mon", "tue", "wed")
    assert found["tue"].values == pytest.approx(found.values[1])


def test_frames_and_images_reach_the_function_unchanged():
    """A frame keeps its columns and types, an array of images its shape."""
    frame = pd.DataFrame({"a": X[:, 0], "c": pd.Categorical(list("uvuvuvu"))})

    def fit(X, y):
        assert (X.dtypes == frame.dtypes).all()
        return lambda new: np.full(len(new), y.sum() + (X["c"] == "u").sum())

    found = px.DataShapley(fit, untrained=0.0, random_state=0).fit(frame, Y).explain(frame[:1])
    np.testing.assert_allclose(found.values[0], Y + (frame["c"] == "u"), atol=1e-9)
    images = RNG.random((5, 4, 4))

    def mean(X, y):
        assert X.shape[1:] == (4, 4)
        return lambda new: np.full(len(new), X.sum())

    found = px.DataShapley(mean, untrained=0.0).fit(images, np.arange(5)).explain(images[0])
    np.testing.assert_allclose(found.values, images.sum(axis=(1, 2)), atol=1e-9)


def _neighbors(X, y):
    return KNeighborsRegressor(1).fit(X, y)


def test_workers_and_seeds():
    """One random state fixes every number, whatever n_jobs; the global state is left."""
    rng = np.random.default_rng(0)
    train, y = rng.normal(size=(9, 2)), rng.normal(size=9)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    found = []
    for n in (1, 3):
        with parallel_config("threading"):
            method = px.DataShapley(_neighbors, budget=60, n_jobs=n, random_state=1)
            found.append(method.fit(train, y).explain(NEW))
    np.testing.assert_array_equal(found[0].values, found[1].values)
    np.testing.assert_array_equal(found[0].standard_errors, found[1].standard_errors)
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_results_are_explanations(tmp_path):
    """Frames, files and slices work; the page says what was trained."""
    found = px.DataShapley(ridge, random_state=0).fit(X, Y).explain(NEW)
    assert len(found.to_frame()) == 21
    found.save(tmp_path / "found.json")
    np.testing.assert_array_equal(px.load(tmp_path / "found.json").values, found.values)
    assert "trained on random subsets of 7 rows" in repr(found)
    assert found.provenance["method"] == "DataShapley"
    assert found.provenance["parameters"]["estimator"] == "regression"


class TestBadInput:
    def test_a_class_alone(self):
        """A model that cannot be trained on one class: the message has the remedy."""
        y = (Y > 0) * 1
        method = px.DataShapley(lambda X, y: LogisticRegression().fit(X, y), random_state=0)
        with pytest.raises(PredictFnError, match=r"all with the label .*DummyClassifier"):
            method.fit(X, y).explain(NEW)

    def test_before_fit(self):
        with pytest.raises(NotFittedError, match="call fit"):
            px.DataShapley(ridge).explain(NEW)

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"estimator": "lasso"}, "'regression', 'permutations'"),
            ({"groups": {"a": [0, 1]}}, "group"),
            ({"groups": [0]}, "a dict"),
            ({"row_names": ["a"]}, "a list of 7 names"),
            ({"score": 3}, "a callable score"),
            ({"untrained": [1.0, 2.0]}, "one number for each of 1 outputs"),
            ({"output_names": ["a", "b"]}, "a list of 1 names"),
            ({"budget": 3}, "budget"),
        ],
    )
    def test_settings(self, settings, said):
        """Each is refused with what it must be."""
        with pytest.raises((InvalidParameterError, InvalidInputError), match=said):
            px.DataShapley(ridge, **settings).fit(X, Y).explain(NEW)

    def test_rows_and_labels(self):
        with pytest.raises(InvalidInputError, match="7 rows, and y has 6"):
            px.DataShapley(ridge).fit(X, Y[:6])
        with pytest.raises(InvalidInputError, match="one label per row"):
            px.DataShapley(ridge).fit(X, X)
        with pytest.raises(InvalidInputError, match="two training rows"):
            px.DataShapley(ridge).fit(X[:1], Y[:1])
        with pytest.raises(InvalidParameterError, match="retrain_fn must be a callable"):
            px.DataShapley(Ridge()).fit(X, Y)
        with pytest.raises(PredictFnError, match="for 7 of 7 training rows") as e:
            px.DataShapley(ridge).fit(X, Y).explain(np.full((1, 2), np.nan))
        assert "DummyClassifier" not in str(e.value)  # all rows were trained on: no cure for that

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            (np.zeros((3, 5)), "5"),
            (np.zeros((0, 2)), "empty"),
            (pd.DataFrame(X), "numpy|NumPy"),
            ("text", "got str"),
        ],
    )
    def test_rows_unlike_those_of_fit(self, given, said):
        """They are refused before anything is trained."""

        def train(X, y):
            raise AssertionError("trained")

        method = px.DataShapley(train).fit(X, Y)
        with pytest.raises(InvalidInputError, match=said):
            method.explain(given)
        with pytest.raises(InvalidInputError, match=said):
            method.explain_score(given, Y[:3])

    @pytest.mark.parametrize("labels", [Y[:2], 3.0, None])
    def test_a_score_needs_a_label_for_each_row(self, labels):
        with pytest.raises(InvalidInputError, match="each of the 3 rows"):
            px.DataShapley(ridge).fit(X, Y).explain_score(NEW, labels)

    def test_images_unlike_those_of_fit(self):
        method = px.DataShapley(ridge).fit(np.zeros((4, 5, 5)), np.arange(4.0))
        with pytest.raises(InvalidInputError, match=r"of shape \(5, 5\)"):
            method.explain(np.zeros((2, 6, 6)))

    def test_keywords(self):
        with pytest.raises(UnknownParameterError, match="seed → random_state"):
            px.DataShapley(ridge, seed=3)
        with pytest.raises(UnknownParameterError, match="by position"):
            px.DataShapley(ridge, X)
        copied = clone(px.DataShapley(ridge, budget=9).fit(X, Y))
        assert copied.retrain_fn is ridge
        with pytest.raises(NotFittedError):
            copied.explain(NEW)
