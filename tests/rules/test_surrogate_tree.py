"""Surrogate trees against planted trees, other learners, and fidelities of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import perturbx as px
import pytest
from numpy.typing import NDArray
from perturbx.errors import (
    BudgetError,
    InvalidInputError,
    InvalidParameterError,
    NotFittedError,
    PredictFnError,
    UnknownParameterError,
)
from perturbx.rules import RuleTree
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor


def _frame(n: int = 800, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "x0": rng.normal(size=n).round(1),
            "c": pd.Categorical(rng.choice(list("abc"), n)),
            "i": rng.integers(0, 5, n).astype(np.int8),
            "s": rng.choice(np.array(["u", "v", None], dtype=object), n, p=[0.45, 0.45, 0.1]),
            "flag": rng.random(n) < 0.3,
        }
    )
    frame.loc[::7, "x0"] = np.nan
    return frame


FRAME, OTHERS = _frame(), _frame(400, 1)


def _planted(X: pd.DataFrame) -> NDArray[np.float64]:
    """Class 1 if c is a and x0 is above 0 or missing, or if c is not a and s is missing."""
    x0 = X["x0"].to_numpy()
    is_a, high = (X["c"] == "a").to_numpy(), ~(x0 <= 0)
    one = np.where(is_a, high, X["s"].isna().to_numpy())
    assert isinstance(X["c"].dtype, pd.CategoricalDtype)
    assert X["i"].dtype == np.int8
    return np.stack([1 - one, one], axis=1).astype(float)


def _tree(model: Any, **settings: Any) -> px.SurrogateTree:
    return px.SurrogateTree(model, random_state=0, **settings)


@pytest.fixture(scope="module")
def planted() -> RuleTree:
    names = ["no", "yes"]
    return _tree(_planted, output_names=names).fit(FRAME).explain(OTHERS)


def test_a_planted_tree_is_found(planted: RuleTree) -> None:
    """Every rule of it: a category, a missing text, and a number that may be missing."""
    assert set(planted.text.splitlines()) == {
        "If c = a and x0 ≤ 0: no",
        "If c = a and x0 > 0 or missing: yes",
        "If c ≠ a and s = missing: yes",
        "If c ≠ a and s ≠ missing: no",
    }
    assert planted.fidelity.value == 1.0
    assert planted.fidelity.n == len(OTHERS)


def test_predictions_are_those_of_the_model_where_the_fidelity_is_1(planted: RuleTree) -> None:
    """`predict` gives positions of outputs, `apply` the rules, for other rows of the same kind."""
    rows = _frame(300, 2)
    np.testing.assert_array_equal(planted.predict(rows), _planted(rows).argmax(axis=1))
    decided = np.array([leaf.decision for leaf in planted.leaves])[planted.apply(rows)]
    np.testing.assert_array_equal(decided == "yes", planted.predict(rows) == 1)


def test_figures_are_those_of_a_recount() -> None:
    """Fidelity, shares and agreement of every leaf, counted again from predictions."""
    model = lambda X: np.sin(3 * X[:, 0]) + X[:, 1] > 0.2  # noqa: E731
    rng = np.random.default_rng(0)
    X, held_out = rng.normal(size=(500, 3)), rng.normal(size=(300, 3))
    found = _tree(model, task="classification", max_leaves=6).fit(X).explain(held_out)
    same = found.predict(held_out) == model(held_out)
    assert found.fidelity.value == pytest.approx(same.mean())
    assert found.fidelity.interval[0] < same.mean() < found.fidelity.interval[1]
    most = max(model(held_out).mean(), 1 - model(held_out).mean())
    assert found.baseline.value == pytest.approx(most)
    leaf = found.apply(held_out)
    for number, one in enumerate(found.leaves):
        assert one.share == pytest.approx((leaf == number).mean())
        assert one.fidelity.n == (leaf == number).sum()
        assert one.fidelity.value == pytest.approx(same[leaf == number].mean())
    frame = found.to_frame()
    assert frame["share"].sum() == pytest.approx(1)
    assert frame["rule"].tolist() == [" and ".join(one.conditions) for one in found.leaves]


@pytest.mark.parametrize("classifies", [True, False])
def test_without_draws_the_tree_is_scikit_learns(classifies: bool) -> None:
    """Where no split is idle, thresholds between the same rows give the same predictions."""
    rng = np.random.default_rng(0)
    X, held_out = rng.normal(size=(400, 2)), rng.normal(size=(200, 2))

    def model(X: NDArray[Any]) -> NDArray[Any]:
        output = X[:, 0] + 2 * X[:, 1] * (X[:, 0] > 0)
        return np.digitize(output, [-1, 0, 1]) if classifies else output

    task, kind = ("classification", DecisionTreeClassifier) if classifies else (
        "regression", DecisionTreeRegressor,
    )  # fmt: skip
    oracle = kind(max_leaf_nodes=4, min_samples_leaf=5, random_state=0).fit(X, model(X))
    found = _tree(model, task=task, max_leaves=4, min_rows=0).fit(X).explain(held_out)
    assert len(found.leaves) == 4
    np.testing.assert_allclose(found.predict(X), oracle.predict(X))
    assert {leaf.n_drawn for leaf in found.leaves} == {0}


def test_the_interval_of_r2_covers() -> None:
    """In 95% of 300 samples the interval holds the R2 of the population, give or take 3%."""
    from perturbx.rules.fidelity import explained

    rng = np.random.default_rng(0)
    n, hits = 200, 0
    for _ in range(300):
        truth = rng.normal(size=n)
        low, high = explained(truth, truth + 0.5 * rng.normal(size=n), 0.95).interval
        hits += low <= 0.75 <= high
    assert 0.92 <= hits / 300 <= 0.98


def test_draws_stay_in_their_leaf_and_fill_it() -> None:
    """Every leaf has at least `min_rows` rows, those drawn are counted, and all were paid for."""
    rng = np.random.default_rng(0)
    X, asked = rng.normal(size=(90, 4)), []

    def model(X: NDArray[Any]) -> NDArray[Any]:
        asked.append(X)
        return (X[:, 0] > 0.3) & (X[:, 1] > X[:, 2])

    found = _tree(model, task="classification", min_rows=60).fit(X).explain()
    drawn = sum(leaf.n_drawn for leaf in found.leaves)
    assert drawn > 0
    assert found.n_rows == sum(map(len, asked)) == 3 + len(X) + drawn
    known = [set(column.tolist()) for column in X.T]
    for batch in asked:  # drawn rows are made of cells that the data has
        assert all(set(column.tolist()) <= k for column, k in zip(batch.T, known, strict=True))


def test_drawing_raises_the_fidelity_for_small_data() -> None:
    """Over 20 seeds the mean agreement with a model of 90 rows rises by draws."""

    def model(X: NDArray[Any]) -> NDArray[Any]:
        return X[:, 0] + 0.5 * X[:, 1] > 0

    gains = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X, held_out = rng.normal(size=(90, 3)), rng.normal(size=(1000, 3))
        found = [
            px.SurrogateTree(model, task="classification", min_rows=n, random_state=seed)
            .fit(X).explain(held_out).fidelity.value
            for n in (0, 100)
        ]  # fmt: skip
        gains.append(found[1] - found[0])
    assert np.mean(gains) > 2 * np.std(gains) / np.sqrt(len(gains))


@pytest.mark.parametrize("output", ["high", 1, -1])
def test_one_of_several_outputs(output: Any) -> None:
    """Regression repeats the output that was named, by its R2."""
    X = np.random.default_rng(0).normal(size=(300, 2))
    model = lambda X: np.stack([X[:, 1], np.where(X[:, 0] > 0, 3.0, -1.0)], axis=1)  # noqa: E731
    names = ["low", "high"]
    found = _tree(model, task="regression", output=output, output_names=names).fit(X).explain()
    assert {leaf.decision for leaf in found.leaves} == {"high = 3", "high = -1"}
    assert (found.fidelity.measure, found.fidelity.value) == ("R2", 1.0)


def test_a_tree_of_answers_beats_a_tree_of_labels() -> None:
    """Where labels are noisy, answers to the same rows repeat the model better."""
    X, y = load_diabetes(return_X_y=True)
    model = GradientBoostingRegressor(random_state=0).fit(X[:150], y[:150])
    rows, held_out = X[150:300], X[300:]
    found = _tree(model).fit(rows).explain(held_out)
    labels = DecisionTreeRegressor(max_leaf_nodes=8, min_samples_leaf=5, random_state=0)
    answers = model.predict(held_out)
    left = ((labels.fit(rows, y[150:300]).predict(held_out) - answers) ** 2).mean()
    assert found.fidelity.value > 1 - left / answers.var() + 0.1


@pytest.mark.parametrize("container", ["list", "polars", "sparse", "torch", "objects"])
def test_containers(container: str) -> None:
    """The model gets what the user passed, for rows of data and for those drawn."""
    X = np.random.default_rng(0).normal(size=(120, 3)).round(2)
    made: Any = X
    if container == "list":
        made = X.tolist()
    elif container == "objects":
        made = X.astype(object)
    elif container == "sparse":
        made = pytest.importorskip("scipy.sparse").csr_matrix(X)
    elif container == "torch":
        made = pytest.importorskip("torch").tensor(X)
    elif container == "polars":
        made = pytest.importorskip("polars").DataFrame(X, schema=["x0", "x1", "x2"])
    kinds = set()

    def model(batch: Any) -> NDArray[Any]:
        kinds.add(type(batch))
        batch = batch.toarray() if container == "sparse" else batch
        return (np.asarray(batch).astype(float)[:, 0] > 0).astype(int)

    found = _tree(model, task="classification", min_rows=80).fit(made).explain()
    assert kinds == {np.ndarray if container == "list" else type(made)}
    assert {leaf.conditions for leaf in found.leaves} == {("x0 ≤ 0",), ("x0 > 0",)}


def test_the_seed_fixes_every_number_whatever_the_batches() -> None:
    """The same leaves and figures with other batches; another seed splits other rows."""
    model = lambda X: np.abs(X).sum(axis=1)  # noqa: E731
    X = np.random.default_rng(0).normal(size=(200, 3))
    one, same = (_tree(model, batch_size=n).fit(X).explain() for n in (None, 7))
    assert one.leaves == same.leaves
    assert one.fidelity == same.fidelity
    other = px.SurrogateTree(model, random_state=one.random_state + 1).fit(X).explain()
    assert other.fidelity != one.fidelity
    assert clone(_tree(model, max_leaves=3)).max_leaves == 3


def test_the_budget_holds() -> None:
    """No more model rows than it, and the three of the probe; a quarter is for held-out rows."""
    X = np.random.default_rng(0).normal(size=(500, 3))
    found = _tree(lambda X: X[:, 0] > 0, task="classification", budget=200).fit(X).explain()
    assert found.n_rows <= 203
    assert found.fidelity.n == 50


def test_models_of_one_answer_are_refused() -> None:
    """A single class and a constant output have nothing to tell apart."""
    X = np.random.default_rng(0).normal(size=(50, 2))
    with pytest.raises(InvalidParameterError, match=r"answered 'a' to all 50 rows"):
        _tree(lambda X: np.ones((len(X), 1)) * [0.9, 0.1], output_names=["a", "b"]).fit(X).explain()
    with pytest.raises(InvalidParameterError, match="another output"):
        _tree(lambda X: np.full(len(X), 0.3)).fit(X).explain()


def test_rows_that_fit_saw_are_told() -> None:
    """Held-out rows that are rows of fit are refused, or noted where they are some."""
    X = np.random.default_rng(0).normal(size=(60, 2))
    tree = _tree(lambda X: X[:, 0]).fit(X[:40])
    with pytest.raises(InvalidInputError, match="Every row of X is also a row of fit"):
        tree.explain(X[:20])
    assert tree.explain(X[30:]).notes[0].startswith("10 of the 30 rows of X are also rows of fit")


def test_bad_input_is_refused() -> None:
    """With what was wrong and what to do."""
    X = np.random.default_rng(0).normal(size=(60, 2))
    scores = lambda X: X[:, 0]  # noqa: E731
    three = lambda X: np.stack([X[:, 0], X[:, 1], -X[:, 0]], axis=1)  # noqa: E731
    with pytest.raises(NotFittedError, match="call fit"):
        _tree(scores).explain(X)
    with pytest.raises(InvalidInputError, match="20 or more"):
        _tree(scores).fit(X[:5])
    with pytest.raises(InvalidInputError, match="fewer than 10 cannot judge"):
        _tree(scores).fit(X[:30]).explain(X[30:35])
    with pytest.raises(BudgetError, match="raise budget to 40"):
        _tree(scores, budget=20).fit(X).explain()
    with pytest.raises(InvalidParameterError, match=r"decision=0\.5 is for classification"):
        _tree(scores, task="regression", decision=0.5).fit(X).explain()
    with pytest.raises(InvalidParameterError, match="leave output out"):
        _tree(three, task="classification", output=1).fit(X).explain()
    with pytest.raises(InvalidParameterError, match="3 outputs, and one output is fitted"):
        _tree(three, task="regression").fit(X).explain()
    with pytest.raises(InvalidParameterError, match="max_leaves"):
        _tree(scores, max_leaves=1).fit(X)
    with pytest.raises(InvalidParameterError, match=r"pass decision=0\.5"):
        _tree(scores, task="classification").fit(X).explain()
    with pytest.raises(UnknownParameterError, match="max_depth"):
        px.SurrogateTree(scores, max_depth=3)  # type: ignore[call-arg]
    with pytest.raises(PredictFnError, match="rows of data"):
        _tree(lambda X: X[:, 0] if len(X) < 3 else 1 / 0).fit(X).explain()


def test_categories_never_seen_go_with_the_others(planted: RuleTree) -> None:
    """A text that fit never saw is another than each that a rule names."""
    rows = FRAME.iloc[:2].copy()
    rows["c"] = pd.Categorical(["b", "b"], categories=FRAME["c"].cat.categories)
    rows["s"] = ["never", None]
    assert planted.predict(rows).tolist() == [0, 1]
