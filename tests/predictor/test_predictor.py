"""The one door to the model: what it takes, what it lets through, what it is called."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_allclose
from perturbx._validation import did_you_mean
from perturbx.errors import InvalidParameterError, PredictFnError
from perturbx.predictor import Predictor, connect, resolve

BATCH = np.arange(6.0).reshape(3, 2)


def _connect(predict_fn: Any, names: Any = None) -> Predictor:
    return connect(predict_fn, BATCH, 3, names)


def _answers(predict_fn: Any, columns: Any = None) -> np.ndarray:
    return _connect(predict_fn)(BATCH, 3, columns, "here")


@pytest.mark.parametrize(
    ("answer", "shape", "is_vector"),
    [
        (np.array([1, 2, 3]), (3, 1), True),
        (np.array([[1], [2], [3]]), (3, 1), False),
        ([1, 2, 3], (3, 1), True),
        ([[1, 2], [3, 4], [5, 6]], (3, 2), False),
        ((True, False, True), (3, 1), True),
        (np.array([[1.5, 2], [3, 4], [5, 6]], dtype=np.float16), (3, 2), False),
        (np.array([1, 2.5, 3], dtype=object), (3, 1), True),
    ],
)
def test_arrays_and_lists_become_float64(answer: Any, shape: Any, is_vector: bool) -> None:
    """(n,) and (n, k) of any numbers."""
    predictor = _connect(lambda X: answer)
    out = predictor(BATCH, 3, None, "here")
    assert (out.shape, out.dtype) == (shape, np.float64)
    assert predictor.is_vector is is_vector
    assert_allclose(out, np.asarray(answer, dtype=float).reshape(shape))


@pytest.mark.parametrize(
    "answer",
    [
        np.array([200, 10, 255], dtype=np.uint8),
        np.array([100, -100, -128], dtype=np.int8),
        np.array([2**62, -(2**62), 2**62 + 2**53], dtype=np.int64),
        np.array([2**64 - 1, 0, 1], dtype=np.uint64),
        np.array([60_000, -60_000, 65_504], dtype=np.float16),
        np.array([True, False, True]),
        np.array([1, 2, 3], dtype=np.longdouble),
        np.ma.masked_array([1.0, 2.0, 3.0]),
        np.array([2**70, Decimal("0.5"), Fraction(1, 4)], dtype=object),
    ],
)
def test_no_type_of_answer_wraps_around(answer: Any) -> None:
    """Without a coalition between them, a score is the difference of the two numbers themselves."""
    rows = np.arange(3.0)[:, None]
    for i in range(3):
        explainer = px.KernelShap(
            lambda X: answer[X[:, 0].astype(int)], masker=px.Background(rows[[1, 2]])
        )
        expected = float(answer[i]) - (float(answer[1]) + float(answer[2])) / 2
        explanation = explainer.explain(rows[[i]])
        assert_allclose(explanation.values, [[expected]], atol=explanation.standard_errors.max())
        assert explanation.standard_errors.max() <= 4e-3 * max(map(abs, map(float, answer)))


def test_tensors_become_float64() -> None:
    """On the graph or off it, of any float type."""
    torch = pytest.importorskip("torch")
    for dtype in (torch.float32, torch.bfloat16, torch.int64):
        out = _answers(lambda X, dtype=dtype: torch.tensor([[1, 2]] * 3).to(dtype))
        assert_allclose(out, [[1, 2]] * 3)
    weights = torch.ones(2, requires_grad=True)
    assert_allclose(
        _answers(lambda X: torch.tensor(X, dtype=torch.float32) @ weights)[:, 0], [1, 5, 9]
    )


def test_single_precision_is_known() -> None:
    """Answers of 32 bits, in an array or a tensor, are no more exact than 32 bits are."""
    torch = pytest.importorskip("torch")
    numpy_single = _connect(lambda X: X[:, 0].astype(np.float32))
    torch_single = _connect(lambda X: torch.tensor(X[:, 0], dtype=torch.float32))
    torch_double = _connect(lambda X: torch.tensor(X[:, 0]))
    assert torch_single.resolution == numpy_single.resolution > torch_double.resolution


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_become_float64_with_names(library: str) -> None:
    """Columns are names of outputs; a series is one output."""
    frames = pytest.importorskip(library)
    predictor = _connect(lambda X: frames.DataFrame({"no": X[:, 0], "yes": X[:, 1]}))
    assert predictor.output_names == ("no", "yes")
    assert_allclose(predictor(BATCH, 3, None, "here"), BATCH)
    assert _connect(lambda X: frames.Series(X[:, 0])).is_vector


def test_columns_are_chosen() -> None:
    """Only what is explained is kept."""
    assert_allclose(_answers(lambda X: X, np.array([1])), BATCH[:, [1]])


def test_models_are_asked_for_the_most_they_know() -> None:
    """predict_proba before decision_function before predict; a callable as it is."""
    methods = {name: (lambda X, name=name: name) for name in ("decision_function", "predict")}
    assert resolve(SimpleNamespace(**methods))[1] == "decision_function of SimpleNamespace"
    methods["predict_proba"] = lambda X: "predict_proba"
    function, said = resolve(SimpleNamespace(**methods))
    assert (function(0), said) == ("predict_proba", "predict_proba of SimpleNamespace")
    assert resolve(np.sum)[1] == "sum"

    class Callable:
        def __call__(self, X: Any) -> Any:
            return X

    assert resolve(Callable())[1] == "Callable"


def test_outputs_that_print_alike_need_names() -> None:
    """Class 1 and class "1" cannot be told apart by their names."""

    class Model:
        classes_ = np.array([1, "1"], dtype=object)

        def predict_proba(self, X: Any) -> Any:
            return X / X.sum()

    with pytest.raises(PredictFnError, match=r"print alike.*output_names=\[\.\.\.\]"):
        _connect(Model())
    assert _connect(Model(), ["number", "text"]).output_names == ("number", "text")
    with pytest.raises(InvalidParameterError, match=r"print alike.*rename one of them"):
        _connect(Model(), [1, "1"])


def test_classes_name_the_outputs(boosted: Any) -> None:
    """Of a bound predict_proba, and of the model itself."""
    model, rows = boosted
    for predict_fn in (model, model.predict_proba):
        predictor = connect(predict_fn, rows[:2], 2, None)
        assert predictor.output_names == ("0", "1", "2")
        assert predictor.name == "predict_proba of HistGradientBoostingClassifier"
    assert connect(model, rows[:2], 2, ["a", "b", "c"]).output_names == ("a", "b", "c")
    assert (
        connect(lambda X: model.predict_proba(X), rows[:2], 2, None).output_names[2] == "output 2"
    )


@pytest.mark.parametrize(
    ("outputs", "names", "axis"),
    [
        (None, ("0", "1", "2"), True),
        (1, ("1",), False),
        (-1, ("2",), False),
        (np.int64(1), ("1",), False),
        ("2", ("2",), False),
        ([2, "0"], ("2", "0"), True),
        ((1,), ("1",), True),
    ],
)
def test_outputs_are_chosen(outputs: Any, names: Any, axis: bool, boosted: Any) -> None:
    """By nothing, position, name or a list; a single one has no axis."""
    model, rows = boosted
    settings: dict[str, Any] = {"random_state": 0, "budget": 3000}
    everything = px.KernelShap(model, **settings).fit(rows).explain(rows[:2])
    chosen = px.KernelShap(model, outputs=outputs, **settings).fit(rows).explain(rows[:2])
    assert chosen.output_names == names
    assert ("output" in chosen.axes) is axis
    picked = everything[..., list(names)] if axis else everything[..., names[0]]
    assert_allclose(chosen.values, picked.values, atol=1e-12)
    assert_allclose(chosen.base_values, picked.base_values, atol=1e-12)


def test_the_largest_outputs_of_each_instance(boosted: Any) -> None:
    """top2: in order, each instance its own, with the scores of those outputs."""
    model, rows = boosted
    probabilities = model.predict_proba(rows)
    X = np.stack([rows[probabilities.argmax(axis=1) == c][0] for c in (0, 1)])
    settings: dict[str, Any] = {"random_state": 0, "budget": 3000}
    everything = px.KernelShap(model, **settings).fit(rows).explain(X)
    top = px.KernelShap(model, outputs="top2", **settings).fit(rows).explain(X)
    order = np.argsort(-model.predict_proba(X), axis=1)[:, :2]
    assert top.shape == (2, 6, 2)
    for i in range(2):
        assert top[i].output_names == tuple(map(str, order[i]))
        assert_allclose(top[i].values, everything[i].values[:, order[i]], atol=1e-12)
        assert_allclose(top[i].predictions, model.predict_proba(X[[i]])[0][order[i]])


def test_an_output_may_be_called_top2(table: np.ndarray) -> None:
    """A name wins over the word."""
    explainer = px.KernelShap(
        lambda X: X[:, :2], output_names=["top2", "b"], outputs="top2", random_state=0
    )
    assert explainer.fit(table).explain(table[0]).output_names == ("top2",)


def test_the_model_is_named_in_the_result(boosted: Any) -> None:
    """So that a reader knows what was explained."""
    model, rows = boosted
    explanation = px.Occlusion(model).fit(rows).explain(rows[0])
    assert explanation.value_function == (
        "predict_proba of HistGradientBoostingClassifier, absent features from 100 background "
        "rows, on average"
    )
    assert explanation.notes[0] == "the background is a random sample of 100 of 400 rows"


class Named:
    """A predict_fn that says what its outputs are, and how exact."""

    output_names = ("cat", "dog")
    resolution = 0.01

    def __call__(self, X):
        return np.stack([X.sum(axis=1), -X.sum(axis=1)], axis=1)


def test_a_predict_fn_may_say_what_it_knows():
    """Its own output names and rounding are taken; names that do not fit are not, and ours win."""
    predictor = connect(Named(), np.ones((2, 3)), 2, None)
    assert predictor.output_names == ("cat", "dog")
    assert predictor.resolution == 0.04
    assert connect(Named(), np.ones((2, 3)), 2, ["a", "b"]).output_names == ("a", "b")
    one_short = Named()
    one_short.output_names = ("cat",)
    found = connect(one_short, np.ones((2, 3)), 2, None).output_names
    assert found == ("output 0", "output 1")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Cat", "No output is named 'Cat': did you mean 'cat'? There are 'cat', 'dog'."),
        ("dgo", "No output is named 'dgo': there are 'cat', 'dog'."),
        ("house dog", "No output is named 'house dog': there are 'cat', 'dog'."),
    ],
)
def test_a_name_that_does_not_exist_is_told_its_neighbors(name, said):
    """Those that are alike but for case and blanks, or by a letter or two of a longer word."""
    predictor = connect(Named(), np.ones((2, 3)), 2, None)
    with pytest.raises(InvalidParameterError, match=re.escape(said)):
        predictor.select(name, predictor.first_answers)


def test_names_that_hold_the_word_come_first():
    """Of many classes a word finds those that it is part of."""
    known = ["crate", "Madagascar cat", "tiger_cat", "catamaran", "Egyptian cat", "Persian cat"]
    said = ": did you mean 'Madagascar cat' or 'tiger_cat' or 'Egyptian cat'?"
    assert did_you_mean("cat", known) == said
    assert did_you_mean("Egyption-cat", known) == ": did you mean 'Egyptian cat'?"
    assert did_you_mean("sofa", known) == ""


def test_a_classifier_that_knows_labels_alone_is_refused() -> None:
    """Labels are no scores, though they may be integers; the membership of one class is a score."""
    from sklearn.ensemble import VotingClassifier
    from sklearn.tree import DecisionTreeClassifier

    X = np.random.default_rng(0).normal(size=(60, 2))
    y = (X[:, 0] > 0).astype(int) + (X[:, 0] > 1)
    tree = DecisionTreeClassifier(random_state=0)
    hard = VotingClassifier([("tree", tree)], voting="hard").fit(X, y)
    with pytest.raises(InvalidParameterError, match=r"labels and no scores.*model.predict\(X\) =="):
        px.KernelShap(hard).fit(X)
    found = px.Occlusion(lambda X: (hard.predict(X) == 2) * 1.0).fit(X).explain(X[:3])
    assert_allclose(found.predictions, y[:3] == 2)
    soft = VotingClassifier([("tree", tree)], voting="soft").fit(X, y)
    assert resolve(soft)[1] == "predict_proba of VotingClassifier"
