"""Counterfactuals: closed forms, limits that hold in every row, containers, and bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import perturbx as px
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perturbx.errors import (
    BudgetError,
    InvalidInputError,
    InvalidParameterError,
    NotFittedError,
    UnknownParameterError,
)
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4)) * [1.0, 2.0, 5.0, 1.0]
SLOPES = np.array([1.0, 1.0, 0.1, 0.0])


def linear(rows):
    """Two scores; the second wins where rows @ SLOPES > 0."""
    score = np.asarray(rows, dtype=float) @ SLOPES
    return np.stack([-score, score], axis=1)


def spread(rows=X):
    return np.median(np.abs(rows - np.median(rows, axis=0)), axis=0)


def people(n=300, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "income": rng.normal(50, 15, n).round(1),
            "job": pd.Categorical(rng.choice(["clerk", "nurse", "smith"], n)),
            "city": rng.choice(["Bonn", "Linz"], n).astype(object),
            "debts": np.where(rng.random(n) < 0.2, np.nan, rng.normal(10, 3, n)),
        }
    )


def scores(frame):
    """Approved (second) for income, age and a nurse's job; missing debts count as 20."""
    value = (
        frame["income"] / 10
        + frame["age"] / 40
        + (frame["job"] == "nurse")
        - frame["debts"].fillna(20) / 10
        - 6
    ).to_numpy()
    return np.stack([-value, value], axis=1)


class TestClosedForms:
    def test_the_nearest_change_of_one_column(self):
        """A linear score of -1 needs a rise of 1 / slope: in the column whose units are largest."""
        x = np.array([-1.0, 0.0, 0.0, 0.0])
        found = px.Counterfactual(linear, random_state=0).fit(X).explain(x)
        needed = 1 / SLOPES[:3] / spread()[:3]
        assert found.n_changed.tolist() == [1, 1, 1]
        np.testing.assert_allclose(found.distances, np.sort(needed), rtol=1e-3)
        best = int(np.argmin(needed))
        np.testing.assert_allclose(found.rows[0, best], x[best] + 1 / SLOPES[best], atol=1e-3)

    def test_weights_change_the_order(self):
        """A column that costs 100 times as much comes last."""
        x, finder = np.array([-1.0, 0.0, 0.0, 0.0]), px.Counterfactual(linear, random_state=0)
        cheapest = finder.fit(X).explain(x).changes[0][0]
        dear = px.Counterfactual(linear, weights={cheapest.feature: 100}, random_state=0)
        found = dear.fit(X).explain(x)
        assert found.changes[-1][0].feature == cheapest.feature
        np.testing.assert_allclose(found.distances[-1], 100 * cheapest.distance, rtol=1e-3)

    def test_integers_reach_the_least_integer(self):
        """With integers up to 20, 3a + b >= 40 from (5, 5): a = 12, or b = 25, which no row had."""
        grid = np.stack(np.meshgrid(np.arange(21), np.arange(21)), axis=-1).reshape(-1, 2)
        finder = px.Counterfactual(lambda Z: Z @ [3, 1], target=(40, None), random_state=0)
        found = finder.fit(grid).explain(np.array([5, 5]))
        assert found.rows.dtype == grid.dtype
        assert found.rows.tolist() == [[12, 5]]

    def test_pairs_where_no_single_change_is_enough(self):
        """An AND of two columns: both move to just above their thresholds, and nothing else."""

        def both(Z):
            return ((Z[:, 0] > 0.5) & (Z[:, 1] > 1)) * 1.0

        x = np.zeros(4)
        found = px.Counterfactual(both, target=(1, 1), random_state=0).fit(X).explain(x)
        assert [c.feature for c in sorted(found.changes[0], key=lambda c: c.feature)] == [
            "x0",
            "x1",
        ]
        np.testing.assert_allclose(found.rows[0], [0.5, 1, 0, 0], atol=2e-3)

    def test_no_set_contains_another(self):
        """The other counterfactuals do without something that each one changes."""
        model = RandomForestClassifier(20, random_state=0).fit(X, X[:, 0] * X[:, 1] > 0)
        found = px.Counterfactual(model, n_counterfactuals=5, random_state=0).fit(X).explain(X[0])
        sets = [{c.feature for c in changes} for changes in found.changes]
        assert len(sets) > 1
        assert not any(a <= b for i, a in enumerate(sets) for j, b in enumerate(sets) if i != j)


class TestLimits:
    @settings(max_examples=25, deadline=None)
    @given(
        row=st.integers(0, 299),
        frozen=st.sets(st.sampled_from(["age", "job", "city"]), max_size=2),
        way=st.sampled_from(["up", "down"]),
        budget=st.integers(40, 400),
    )
    def test_every_row_keeps_to_them(self, row, frozen, way, budget):
        """Frozen, one-way, observed, no new missing cell, within the budget, and valid."""
        train = people()
        asked = []

        def counted(frame):
            asked.append(len(frame))
            return scores(frame)

        finder = px.Counterfactual(
            counted, frozen=[*frozen], direction={"income": way}, budget=budget, random_state=0
        ).fit(train)
        x = train.iloc[[row]].reset_index(drop=True)
        found = finder.explain(x)
        assert sum(asked) == found.n_rows <= budget + 3
        assert len(asked) == found.n_calls
        rows = found.rows
        assert (rows.dtypes == train.dtypes).all()
        assert (scores(rows).argmax(axis=1) != scores(x).argmax(axis=1)).all()
        sign = 1 if way == "up" else -1
        assert (sign * (rows["income"] - x["income"].iloc[0]) >= 0).all()
        for name in train:
            own = x[name].iloc[0]
            same = rows[name].isna() if pd.isna(own) else rows[name] == own
            assert name not in frozen or same.all()
            assert pd.isna(own) or not rows[name].isna().any()
            if name in ("job", "city"):
                assert rows[name].isin(train[name]).all()
            else:
                inside = rows[name].between(train[name].min(), train[name].max())
                assert (inside | same).all()
        assert np.array_equal(rows["income"].round(1), rows["income"])

    def test_groups_change_together(self):
        """The three columns of a one-hot code stay one-hot, and count as one change."""
        rng = np.random.default_rng(0)
        train = np.hstack([np.eye(3)[rng.integers(3, size=200)], rng.normal(size=(200, 1))])
        groups = {"color": [0, 1, 2], "size": [3]}

        def third(Z):
            assert (Z[:, :3].sum(axis=1) == 1).all()
            return Z[:, 2] * 1.0

        finder = px.Counterfactual(third, target=(1, 1), groups=groups, random_state=0)
        found = finder.fit(train).explain(train[train[:, 0] == 1][0])
        assert found.rows[:, :3].tolist() == [[0, 0, 1]]
        assert found.changes[0][0].feature == "color"
        assert found.changes[0][0].after == (0, 0, 1)

    def test_a_missing_cell_may_be_filled(self):
        """A row that is refused for its missing debts is approved if they are known and low."""
        train = people()
        x = train.iloc[[0]].reset_index(drop=True)
        x["debts"], x["income"], x["age"], x["job"] = np.nan, 65.0, 40, "smith"
        x = x.astype(train.dtypes)
        finder = px.Counterfactual(scores, frozen=["age", "income", "job"], random_state=0)
        found = finder.fit(train).explain(x)
        assert found.text.endswith("instead of missing.")
        assert found.distances[0] == 1


class TestResults:
    def test_the_sentence_and_the_frame(self):
        """One line per change, and a sentence of what would have to be different."""
        frame = people()
        low = frame.iloc[[int(frame["income"].argmin())]]
        finder = px.Counterfactual(scores, output_names=["refused", "approved"], random_state=0)
        found = finder.fit(frame).explain(low)
        assert found.decision == "refused"
        assert set(found.decisions) == {"approved"}
        assert found.text.startswith("The decision would be approved if ")
        assert found.text in repr(found)
        table = found.to_frame()
        assert len(table) == found.n_changed.sum()
        assert table["distance"].groupby(table["counterfactual"]).sum().tolist() == pytest.approx(
            found.distances.tolist()
        )

    @pytest.mark.parametrize("convert", [np.asarray, "polars", "sparse", "float32"])
    def test_rows_come_in_the_container(self, convert):
        """What the model and the user receive has the type of the training rows."""
        if convert == "polars":
            convert = pytest.importorskip("polars").from_numpy
        elif convert == "sparse":
            convert = pytest.importorskip("scipy.sparse").csr_array
        elif convert == "float32":
            convert = np.float32
        train = convert(X)

        def model(rows):
            assert type(rows) is type(train)
            return linear(rows.toarray() if hasattr(rows, "toarray") else rows)

        found = px.Counterfactual(model, random_state=0).fit(train).explain(train[[0]])
        assert type(found.rows) is type(train)
        assert (model(found.rows).argmax(axis=1) != model(train[[0]]).argmax()).all()

    def test_large_integers_keep_their_digits(self):
        """Beyond 2^53, where float64 has only even integers, the row is one that was seen."""
        train = 2**60 + np.arange(50)[:, None]
        finder = px.Counterfactual(lambda Z: (Z[:, 0] == 2**60 + 31) * 1.0, target=(1, 1))
        assert finder.fit(train).explain(train[0]).rows.tolist() == [[2**60 + 31]]

    def test_one_random_state_fixes_every_number(self):
        """Whatever the batch size, also where random draws are needed; the global state is left."""

        def corner(Z):
            return ((Z > 0.4).sum(axis=1) == 4) * 1.0

        state = np.random.get_state()[1].copy()  # noqa: NPY002
        train = X[(X > 0.4).sum(axis=1) < 2]
        rows = [
            px.Counterfactual(corner, target=(1, 1), random_state=3, batch_size=size)
            .fit(train)
            .explain(np.zeros(4) - 1)
            .rows
            for size in (None, 7)
        ]
        assert len(rows[0])
        np.testing.assert_array_equal(*rows)
        assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002

    def test_real_data_are_always_valid(self):
        """Every row of breast cancer gets three counterfactuals, all with the other decision."""
        data = load_breast_cancer()
        model = LogisticRegression(max_iter=5000).fit(data.data[:400], data.target[:400])
        finder = px.Counterfactual(model, budget=600, random_state=0).fit(data.data[:400])
        for x in data.data[400:410]:
            found = finder.explain(x)
            assert len(found) == 3
            assert (model.predict(found.rows) != model.predict(x[None])).all()

    def test_a_decision_that_cannot_change_says_so(self):
        """No rows, and the nearest miss: the largest score that an allowed change reaches."""
        names = {"feature_names": ["a", "b", "c", "d"]}
        finder = px.Counterfactual(lambda Z: Z[:, 0] * 1.0, target=(99, None), **names)
        found = finder.fit(X).explain(np.zeros(4))
        assert len(found) == 0
        assert found.rows.shape == (0, 4)
        assert found.near_miss_outputs == pytest.approx([X[:, 0].max()])
        assert "No allowed change" in found.text
        assert f"a were {X[:, 0].max():.6g}" in found.text

    def test_a_model_that_answers_at_random_is_asked_again(self):
        """Rows that lose the decision at the second look are left out, with a note."""
        calls = []

        def fickle(Z):
            calls.append(len(Z))
            return np.full(len(Z), 0.0 if len(calls) < 3 or len(Z) == 1 else 1.0)

        finder = px.Counterfactual(fickle, target=(1, None), n_counterfactuals=1, random_state=0)
        found = finder.fit(X).explain(X[0])
        assert len(found) == 0
        assert "answers differently" in found.notes[0]


class TestBadInput:
    def test_before_fit(self):
        with pytest.raises(NotFittedError, match="call fit"):
            px.Counterfactual(linear).explain(X[0])

    def test_the_target_is_reached_already(self):
        """The message tells the model's answer."""
        finder = px.Counterfactual(linear, target=1, output_names=["no", "yes"]).fit(X)
        with pytest.raises(InvalidParameterError, match="for x is yes already"):
            finder.explain(np.array([3.0, 3.0, 0.0, 0.0]))

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"frozen": ["x0", "x1", "x2", "x3"]}, "nothing can change"),
            ({"frozen": ["age"]}, "no feature 'age'"),
            ({"direction": {"x0": "higher"}}, "'up', 'down'"),
            ({"weights": {"x0": 0}}, "above 0"),
            ({"direction": ["x0"]}, "a dict"),
            ({"n_counterfactuals": 0}, "at least 1"),
        ],
    )
    def test_settings(self, settings, said):
        """Refused by fit, before the model is asked."""
        with pytest.raises(InvalidParameterError, match=said):
            px.Counterfactual(linear, **settings).fit(X)

    def test_categories_have_no_direction(self):
        with pytest.raises(InvalidParameterError, match="no up and down"):
            px.Counterfactual(scores, direction={"job": "up"}).fit(people())

    @pytest.mark.parametrize(
        ("word", "ours"),
        [("freeze", "frozen"), ("total_CFs", "n_counterfactuals"), ("desired_class", "target")],
    )
    def test_unknown_keywords(self, word, ours):
        """A word of another library is told ours."""
        with pytest.raises(UnknownParameterError, match=f"(did you mean |→ ){ours}"):
            px.Counterfactual(linear, **{word: 1})

    @pytest.mark.parametrize("target", [None, "yes", (1,), (2, 1), (None, None)])
    def test_a_single_output_needs_an_interval(self, target):
        """A single-class model included: its one column of probabilities has no other decision."""
        finder = px.Counterfactual(lambda Z: np.ones((len(Z), 1)), target=target).fit(X)
        with pytest.raises(InvalidParameterError, match="target must be"):
            finder.explain(X[0])

    @pytest.mark.parametrize("target", ["maybe", 2, (0.5, None)])
    def test_classes_that_do_not_exist(self, target):
        finder = px.Counterfactual(linear, target=target, output_names=["no", "yes"]).fit(X)
        with pytest.raises(InvalidParameterError, match=r"No output|target must"):
            finder.explain(X[0])

    def test_a_constant_model_cannot_change(self):
        """Two classes, always the same one: every allowed row is a miss."""
        constant = px.Counterfactual(lambda Z: np.tile([0.9, 0.1], (len(Z), 1)), budget=100)
        assert len(constant.fit(X).explain(X[0])) == 0

    def test_a_category_that_was_never_seen(self):
        """It is named in a note, and may stay or change to one that was seen."""
        frame = people()
        x = frame.iloc[[0]].assign(city=np.array(["Oslo"], dtype=object))
        found = px.Counterfactual(scores, random_state=0).fit(frame).explain(x)
        assert found.notes == ("x is outside of what was seen in training in city",)
        assert len(found)

    def test_several_rows(self):
        with pytest.raises(InvalidInputError, match="one row"):
            px.Counterfactual(linear).fit(X).explain(X[:2])

    def test_a_budget_below_one_change_each(self):
        with pytest.raises(BudgetError, match="raise it to 10"):
            px.Counterfactual(linear, budget=5).fit(X).explain(X[0])

    def test_clones_ask_the_same_model(self):
        copied = clone(px.Counterfactual(linear, frozen=["x0"]))
        assert copied.predict_fn is linear
        assert copied.frozen == ["x0"]


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_a_column_that_was_always_missing(container: str) -> None:
    """It has no level to move to; the others still change the decision."""
    library = pytest.importorskip(container)
    rows = library.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [None] * 4, "c": [1.0] * 4})

    def passes(X: Any) -> np.ndarray:
        above = np.asarray(X["a"], dtype=float) > 1.5
        return np.stack([~above, above], axis=1) * 1.0

    search = px.Counterfactual(passes, target=1, n_counterfactuals=1, random_state=0).fit(rows)
    found = search.explain(rows[:1])
    assert [change.feature for change in found.changes[0]] == ["a"]
