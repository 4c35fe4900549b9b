"""Invariant ranges against planted boxes, brute force, exact shares, containers, and bad input."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import perturbx as px
import pytest
from perturbx.errors import (
    BudgetError,
    InvalidInputError,
    InvalidParameterError,
    NotFittedError,
    PredictFnError,
    UnknownParameterError,
)
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

GRID = np.random.default_rng(0).integers(0, 100, size=(500, 4))
GRID[:2] = [[0] * 4, [99] * 4]


def planted(Z):
    """1 where the first column is 30 or more and the second below 80."""
    return ((Z[:, 0] >= 30) & (Z[:, 1] < 80)).astype(int)


def ranges(model, **settings):
    return px.InvariantRange(model, random_state=0, **settings)


def exact_share(found, bounds):
    """The share of a box of integers that lies within bounds (name to low, high)."""
    share = 1.0
    for name, (low, high) in bounds.items():
        inside = np.arange(found[name].lower, found[name].upper + 1)
        share *= float(((inside >= low) & (inside <= high)).mean())
    return share


class TestRightAnswers:
    def test_a_planted_box_is_found(self):
        """Its two ends, up to what a share of .95 lets through, and the other columns free."""
        found = ranges(planted).fit(GRID).explain(np.array([50, 20, 40, 1]))
        assert 27 <= found["x0"].lower <= 31
        assert 78 <= found["x1"].upper <= 84
        assert (found["x0"].upper, found["x1"].lower) == (99, 0)
        assert found["x2"].is_free
        assert found["x3"].is_free
        assert found.reached
        truth = exact_share(found, {"x0": (30, 99), "x1": (0, 79)})
        assert found.share_interval[0] <= truth <= found.share_interval[1]
        assert found.near_miss.feature in ("x0", "x1")

    def test_the_box_is_nearly_as_large_as_any(self):
        """A + B < 100 from (10, 10): the best of all boxes of integers, by brute force."""
        model = lambda Z: (Z[:, 0] + Z[:, 1] < 100).astype(int)  # noqa: E731
        share = {}
        for b0, b1 in product(range(10, 100), repeat=2):
            a, b = np.ogrid[: b0 + 1, : b1 + 1]
            share[b0, b1] = float((a + b < 100).mean())
        best = max((b0 + 1) * (b1 + 1) for (b0, b1), kept in share.items() if kept >= 0.95)
        found = ranges(model).fit(GRID[:, :2]).explain(np.array([10, 10]))
        assert found.reached
        sides = [found[name].upper - found[name].lower + 1 for name in ("x0", "x1")]
        assert np.prod(sides) >= 0.9 * best

    def test_correlated_real_columns(self):
        """A linear model of 30 columns keeps its class in a box, and no range is empty."""
        data = load_breast_cancer()
        scaled = (data.data - data.data.mean(axis=0)) / data.data.std(axis=0)
        model = LogisticRegression().fit(scaled[:400], data.target[:400])
        found = ranges(model, draws="data").fit(scaled[:400]).explain(scaled[401])
        assert found.reached
        assert found.size > 0.8
        rng = np.random.default_rng(1)
        rows = np.empty((20_000, 30))
        for r in found.ranges:
            j = int(r.feature[1:])
            column = scaled[:400, j]
            rows[:, j] = rng.choice(column[(column >= r.lower) & (column <= r.upper)], 20_000)
        kept = (model.predict(rows) == model.predict(scaled[401:402])).mean()
        assert abs(kept - found.share) < 0.02

    @pytest.mark.slow
    def test_the_share_is_verified_on_fresh_draws(self):
        """In 200 runs the interval covers the exact share in at least 95% (less 2.6 errors)."""
        inside = reached = false = 0
        for seed in range(200):
            finder = px.InvariantRange(planted, random_state=seed, budget=3000, threshold=0.9)
            found = finder.fit(GRID).explain(np.array([50, 20, 40, 1]))
            truth = exact_share(found, {"x0": (30, 99), "x1": (0, 79)})
            low, high = found.share_interval
            inside += low <= truth <= high
            reached += found.reached
            false += found.reached and truth < 0.9
        assert inside >= 182
        assert reached >= 180
        assert false <= 5

    def test_a_tolerance_around_an_output(self):
        """|a - 50| <= 5 with share .95: the range is 11 of 101 integers, or one more."""
        model = lambda Z: Z[:, 0] * 1.0  # noqa: E731
        found = ranges(model, tolerance=5).fit(GRID).explain(np.array([50, 1, 2, 3]))
        assert (found["x0"].lower, found["x0"].upper) == (45, 55)
        assert found.decision == "output = 50 ± 5"
        assert all(found[name].is_free for name in ("x1", "x2", "x3"))

    def test_categories_are_sets(self):
        """Of five categories those that keep the decision."""
        frame = people()
        model = lambda f: f["job"].isin(["nurse", "smith"]).to_numpy().astype(int)  # noqa: E731
        found = ranges(model).fit(frame).explain(frame[frame["job"] == "nurse"].iloc[[0]])
        assert set(found["job"].values) == {"nurse", "smith"}
        assert "job is nurse or smith (now nurse)" in found.text
        assert found.share == 1

    def test_many_categories_leave_rows_for_the_others(self):
        """A thousand names that do not matter: the ranges of the numbers are found all the same."""
        rng = np.random.default_rng(0)
        names = [f"name {i}" for i in range(1000)]
        frame = pd.DataFrame({"name": rng.permutation(names), "x": rng.integers(0, 100, 1000)})
        model = lambda f: (f["x"] >= 40).to_numpy().astype(int)  # noqa: E731
        found = ranges(model).fit(frame).explain(frame[frame["x"] == 41].iloc[[0]])
        assert found.reached
        assert 36 <= found["x"].lower <= 40
        assert found["x"].is_highest
        assert len(found["name"].values) > 500

    def test_frozen_and_missing_columns_keep_their_values(self):
        """Every row that the model is asked for has them."""
        frame = people()
        x = frame[frame["debts"].isna()].iloc[[0]].reset_index(drop=True)
        seen = []

        def model(rows):
            seen.append(rows)
            return (rows["income"] > 30).to_numpy().astype(int)

        found = ranges(model, frozen=["job"], budget=3000).fit(frame).explain(x)
        rows = pd.concat(seen)
        assert rows["debts"].isna().all()
        assert (rows["job"] == x["job"].iloc[0]).all()
        assert found["job"].is_frozen
        assert found["debts"].is_frozen
        assert not rows["income"].isna().any()

    def test_groups_take_values_that_rows_had(self):
        """The three columns of a one-hot code stay one-hot."""
        rng = np.random.default_rng(0)
        train = np.hstack([np.eye(3)[rng.integers(3, size=200)], rng.normal(size=(200, 1))])

        def model(Z):
            assert (Z[:, :3].sum(axis=1) == 1).all()
            return 1 - Z[:, 2].astype(int)

        groups = {"color": [0, 1, 2], "size": [3]}
        found = ranges(model, groups=groups).fit(train).explain(train[train[:, 0] == 1][0])
        assert set(found["color"].values) == {(1, 0, 0), (0, 1, 0)}

    def test_data_draws_count_rows(self):
        """With a column of 90% zeros the range 0 to 1 holds nine tenths of the data draws."""
        train = np.where(np.arange(200)[:, None] % 10 == 0, np.linspace(1, 50, 200)[:, None], 0.0)
        model = lambda Z: (Z[:, 0] < 0.5).astype(int)  # noqa: E731
        by_rows = ranges(model, draws="data", threshold=0.8).fit(train).explain(train[1])
        assert by_rows["x0"].is_free
        assert by_rows.share == pytest.approx(0.9, abs=0.02)
        uniform = ranges(model, threshold=0.8).fit(train).explain(train[1])
        assert uniform["x0"].upper < 0.7


def people(n=300, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "income": rng.normal(50, 15, n).round(1),
            "job": pd.Categorical(rng.choice(["clerk", "nurse", "smith", "cook", "pilot"], n)),
            "city": rng.choice(["Bonn", "Linz"], n).astype(object),
            "debts": np.where(rng.random(n) < 0.2, np.nan, rng.normal(10, 3, n)),
        }
    )


class TestResults:
    def test_rows_in_the_box(self):
        """`holds` is the ranges applied row by row, and `coverage` its mean over the training."""
        frame = people()
        model = lambda f: (f["income"] > 45).to_numpy().astype(int)  # noqa: E731
        x = frame[(frame["income"] > 60) & frame["debts"].notna()].iloc[[0]]
        found = ranges(model, frozen=["city"]).fit(frame).explain(x)
        expected = np.ones(len(frame), dtype=bool)
        for r in found.ranges:
            column = frame[r.feature]
            if r.values:
                expected &= column.isin(r.values)
            else:
                expected &= (column >= r.lower) & (column <= r.upper)
        assert found.holds(frame).tolist() == expected.tolist()
        assert found.coverage == pytest.approx(expected.mean())
        assert found.holds(x).tolist() == [True]
        assert found.n_training == len(frame)

    def test_the_frame_and_the_sentence(self):
        """One line per feature, the narrowest first; the sentence names what is bound."""
        pytest.importorskip("pandas")
        found = ranges(planted, feature_names=list("abcd")).fit(GRID).explain([50, 20, 40, 1])
        table = found.to_frame()
        assert sorted(table["feature"]) == list("abcd")
        assert table["share"].is_monotonic_increasing
        assert "2 others may be anything" in found.text
        assert "a is at least" in found.text
        assert found.text in repr(found)
        with pytest.raises(KeyError, match="no feature 'z'"):
            found["z"]

    @pytest.mark.parametrize("convert", ["float32", "polars", "sparse"])
    def test_containers(self, convert):
        """The model gets the container of fit, and every value has its type."""
        if convert == "polars":
            train = pytest.importorskip("polars").from_numpy(GRID)
        elif convert == "sparse":
            train = pytest.importorskip("scipy.sparse").csr_array(GRID)
        else:
            train = (GRID / 7).astype(np.float32)

        def model(Z):
            assert type(Z) is type(train)
            Z = Z.toarray() if hasattr(Z, "toarray") else np.asarray(Z)
            return (Z[:, 0] >= 3).astype(int)

        found = ranges(model, budget=2000).fit(train).explain(train[[0]])
        assert found.holds(train[[0]]).tolist() == [True]

    def test_one_random_state_fixes_every_number(self):
        """Whatever the batches; the budget holds, and the global random state is left."""
        state = np.random.get_state()[1].copy()  # noqa: NPY002
        asked = []

        def counted(Z):
            asked.append(len(Z))
            return planted(Z)

        found = []
        for size in (None, 97):
            asked.clear()
            finder = px.InvariantRange(counted, random_state=3, budget=2000, batch_size=size)
            found.append(finder.fit(GRID).explain(np.array([50, 20, 40, 1])))
            assert (sum(asked), len(asked)) == (found[-1].n_rows, found[-1].n_calls)
            assert found[-1].n_rows <= 2000 + 3
        assert found[0].ranges == found[1].ranges
        assert found[0].share == found[1].share
        assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002

    def test_a_row_outside_of_training(self):
        """Ranges reach as far as the row, and a note names the column."""
        found = ranges(lambda Z: np.ones(len(Z))).fit(GRID).explain(np.array([150, 1, 2, 3]))
        assert found["x0"].upper == 150
        assert "outside of what was seen in training in x0" in found.notes[0]


class TestDoubts:
    def test_a_model_of_a_single_class_says_so(self):
        """Everything is free, and the note tells why."""
        found = ranges(lambda Z: np.ones(len(Z))).fit(GRID).explain(GRID[5])
        assert all(r.is_free for r in found.ranges)
        assert (found.share, found.size, found.coverage) == (1.0, 1.0, 1.0)
        assert found.near_miss is None
        assert "single class" in found.notes[0]
        assert "whatever the features are" in found.text

    def test_a_decision_that_changes_at_once_says_so(self):
        """Only the row itself is 1: every range is a point, and the nearest miss is one step."""
        x = np.array([50, 20])
        model = lambda Z: (x == Z).all(axis=1).astype(int)  # noqa: E731
        found = ranges(model).fit(GRID[:, :2]).explain(x)
        assert all(r.is_single for r in found.ranges)
        assert "is lost at once: output = 1 is lost if" in found.text
        change = found.near_miss
        assert abs(change.after - change.before) == 1

    @pytest.mark.filterwarnings("ignore::perturbx.errors.UnstableModelWarning")
    def test_a_model_that_answers_at_random(self):
        """No box keeps anything: the share is about one half, and the note says so."""
        rng = np.random.default_rng(0)
        finder = px.InvariantRange(lambda Z: rng.integers(2, size=len(Z)), random_state=0)
        found = finder.fit(GRID).explain(GRID[5])
        assert not found.reached
        assert found.share == pytest.approx(0.5, abs=0.05)
        assert "no box was shown" in found.notes[0]


class TestBadInput:
    @pytest.mark.parametrize(
        ("settings", "error", "said"),
        [
            ({"threshold": 1.0}, InvalidParameterError, "threshold must be a number above 0"),
            ({"confidence": 95}, InvalidParameterError, "confidence must be a number above 0"),
            ({"budget": 100}, BudgetError, "72 draws must agree .* raise budget to 288"),
            ({"tolerance": 0}, InvalidParameterError, "tolerance must be a number above 0"),
            ({"draws": "normal"}, InvalidParameterError, "'uniform', 'data'"),
            ({"frozen": ["x9"]}, InvalidParameterError, "no feature 'x9'"),
            ({"frozen": ["x0", "x1", "x2", "x3"]}, InvalidParameterError, "nothing can change"),
            ({"groups": [0]}, InvalidParameterError, "a dict"),
            ({"decision": "yes"}, InvalidParameterError, "decision must be a number"),
        ],
    )
    def test_settings(self, settings, error, said):
        """Each is refused with what it must be."""
        with pytest.raises(error, match=said):
            ranges(planted, **settings).fit(GRID).explain(GRID[0])

    def test_input(self):
        """No fit, several rows, other columns, scores without a decision, NaN, unknown words."""
        with pytest.raises(NotFittedError, match="call fit"):
            ranges(planted).explain(GRID[0])
        fitted = ranges(planted).fit(GRID)
        with pytest.raises(InvalidInputError, match="one row, and x holds 2"):
            fitted.explain(GRID[:2])
        with pytest.raises(InvalidInputError, match="columns"):
            fitted.explain(GRID[0, :2])
        with pytest.raises(InvalidParameterError, match=r"one score per row.*decision=0\.5"):
            ranges(lambda Z: Z[:, 0] / 7).fit(GRID).explain(GRID[5])
        with pytest.raises(InvalidParameterError, match="single output"):
            ranges(lambda Z: Z[:, :2] * 1.0, tolerance=1).fit(GRID).explain(GRID[5])
        with pytest.raises(PredictFnError, match="NaN"):
            ranges(lambda Z: Z[:, 0] * np.nan, tolerance=1).fit(GRID).explain(GRID[5])
        with pytest.raises(UnknownParameterError, match="did you mean frozen"):
            px.InvariantRange(planted, freeze=[0])

    def test_it_is_an_estimator(self):
        """A clone is unfitted, with the same model and settings."""
        copied = clone(ranges(planted, threshold=0.9).fit(GRID))
        assert copied.threshold == 0.9
        assert copied.predict_fn is planted
        with pytest.raises(NotFittedError):
            copied.explain(GRID[0])


def test_training_rows_that_are_all_alike_lose_nothing():
    """Nothing can change, which is not that the decision is lost."""
    X = np.repeat([[1.0, 2.0]], 5, axis=0)
    found = px.InvariantRange(lambda X: (X[:, 0] > 0).astype(int), random_state=0).fit(X)
    assert "no feature has another value" in found.explain(X[0]).text
