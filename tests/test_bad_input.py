"""Bad input: a clear error of the right kind, at once, and nothing computed."""

from __future__ import annotations

import copy
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx import samplers, solvers
from perturbx.errors import (
    BudgetError,
    InvalidInputError,
    InvalidParameterError,
    NotFittedError,
    PerturbxError,
    PredictFnError,
    RejectPerturbations,
    UnknownParameterError,
    UnstableModelWarning,
)
from scipy import sparse

METHODS = [px.KernelShap, px.PermutationShap, px.Occlusion, px.Lime, px.OwenShap]
IMAGE = np.random.default_rng(0).random((16, 16, 3))


def _sum(X: Any) -> np.ndarray:
    return np.asarray(X).reshape(len(X), -1).sum(axis=1)


def _two(X: Any) -> np.ndarray:
    return np.stack([_sum(X), 2 * _sum(X)], axis=1)


class _Later:
    """Answers the probe as a good model, and what follows as a bad one."""

    def __init__(self, good: Callable[[Any], Any], bad: Callable[[Any], Any]) -> None:
        self.good, self.bad, self.calls = good, bad, 0

    def __call__(self, X: Any) -> Any:
        self.calls += 1
        return (self.good if self.calls <= 2 else self.bad)(X)


# Words of other libraries


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("nsamples", "budget"),
        ("num_samples", "budget"),
        ("max_evals", "budget"),
        ("perturbations_per_eval", "batch_size"),
        ("seed", "random_state"),
        ("target", "outputs"),
        ("silent", "verbose"),
        ("l1_reg", "no feature is dropped"),
        ("sliding_window_shapes", r"Windows\(shape="),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_unknown_keyword(method: Any, theirs: str, ours: str) -> None:
    """Refused, and answered with our word."""
    with pytest.raises(UnknownParameterError, match=f"{theirs} → .*{ours}"):
        method(_sum, **{theirs: 3})


def test_misspelt_keyword() -> None:
    """The nearest of ours is named, and all of them listed."""
    with pytest.raises(
        UnknownParameterError, match=r"did you mean batch_size\?.*It has predict_fn"
    ):
        px.KernelShap(_sum, batchsize=3)
    with pytest.raises(TypeError, match="has no parameter 'zzz'"):
        px.KernelShap(_sum, zzz=3)


def test_data_by_position(table: np.ndarray) -> None:
    """As shap.KernelExplainer(model, data): pointed to fit."""
    with pytest.raises(UnknownParameterError, match=r"pass data to fit\(X\)"):
        px.KernelShap(_sum, table)


# Parameters


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"batch_size": 0}, "batch_size must be an integer of at least 1; got 0"),
        ({"batch_size": 2.5}, "batch_size must be an integer"),
        ({"budget": 0}, "budget must be an integer of at least 1"),
        ({"budget": "many"}, "budget must be an integer"),
        ({"budget": True}, "budget must be an integer"),
        ({"n_jobs": 0}, "n_jobs must be None or an integer other than 0"),
        ({"n_jobs": "two"}, "n_jobs must be an integer"),
        ({"tol": -0.1}, "tol must be a number above 0 and below 1; got -0.1"),
        ({"tol": 1.0}, "tol must be"),
        ({"tol": "small"}, "tol must be"),
        ({"tol": float("nan")}, "tol must be"),
        ({"verbose": None}, "verbose must be an integer of at least 0"),
        ({"verbose": "yes"}, "verbose must be an integer"),
        ({"link": "probit"}, "link must be one of 'identity', 'logit'; got 'probit'"),
        ({"random_state": "lucky"}, "random_state must be None, an integer"),
        ({"random_state": -1}, "random_state must be an integer of at least 0"),
        ({"masker": "background"}, "masker must be a masker"),
        ({"masker": px.Background}, "masker must be a masker"),
        ({"groups": [[0, 1], [2]]}, "groups must be a dict"),
        ({"groups": {"a": [0, 1, 2], "b": [2, 3, 4]}}, "groups overlap: column 'x2'"),
        ({"groups": {"a": [0, 1]}}, "leaves out 3 columns"),
        ({"predict_fn": 3}, "predict_fn must be a callable"),
        ({"predict_fn": dict}, "not a class"),
    ],
)
@pytest.mark.parametrize("when", ["fit", "explain"])
def test_parameters(
    settings: dict[str, Any], said: str, when: str, table: np.ndarray, counting_model: Any
) -> None:
    """Named, with what was expected and what was got, before the model is asked."""
    model = counting_model(_sum)
    explainer = px.KernelShap(model)
    if when == "explain" and not {"masker", "groups"} & set(settings):
        explainer.fit(table)
    asked = model.n_rows
    explainer.set_params(**settings)
    with pytest.raises((InvalidParameterError, InvalidInputError), match=said):
        explainer.fit(table) if when == "fit" else explainer.fit(table).explain(table)
    assert model.n_rows == asked


def test_tol_of_zero_is_none(table: np.ndarray, bumpy_model: Any) -> None:
    """Both spend the whole budget and give the same numbers."""
    found = [
        px.KernelShap(bumpy_model, tol=tol, budget=2000, random_state=0)
        .fit(table)
        .explain(table[:2])
        for tol in (None, 0, 0.0)
    ]
    assert all(np.array_equal(found[0].values, f.values) for f in found)
    assert all(f.converged is None and f.n_rows == found[0].n_rows for f in found)


# X and the background


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda X: X[:, :4], "X has 4 columns, but fit saw 5"),
        (lambda X: X.astype(np.float32), "X is of dtype float32, but fit saw float64"),
        (lambda X: X[:0], r"X is empty: its shape is \(0, 5\)"),
        (lambda X: X[:, :0], "X is empty"),
        (lambda X: [], "X is empty"),
        (lambda X: X[0, :3], "X has 3 columns, but fit saw 5"),
        (lambda X: np.zeros((2, 5, 5)), "two dimensions"),
        (lambda X: "rows.csv", "X must be a 2-D NumPy array"),
        (lambda X: None, "got NoneType"),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_other_arrays_than_at_fit(
    method: Any, change: Any, said: str, table: np.ndarray, counting_model: Any, probe_rows: int
) -> None:
    """Columns, types and emptiness, before anything is asked."""
    model = counting_model(_sum)
    explainer = method(model).fit(table)
    with pytest.raises(InvalidInputError, match=said):
        explainer.explain(change(table))
    assert model.n_rows == probe_rows


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda X: X[X.columns[::-1]], "in another order"),
        (lambda X: X.drop(columns="half"), r"lacks \['half'\]"),
        (lambda X: X.assign(new=1), r"has \['new'\] besides"),
        (lambda X: X.astype({"tiny": "int64"}), "'tiny' of X is of dtype int64, but fit saw int8"),
        (lambda X: X.to_numpy(), "fit saw a pandas DataFrame"),
        (lambda X: X.iloc[0], r"Series.*iloc\[\[0\]\]"),
    ],
)
def test_other_frames_than_at_fit(
    change: Any, said: str, mixed_frame: Any, counting_model: Any, probe_rows: int
) -> None:
    """Names, order and types of columns."""
    model = counting_model(lambda X: X["tiny"].to_numpy() * 1.0)
    explainer = px.KernelShap(model).fit(mixed_frame)
    with pytest.raises(InvalidInputError, match=said):
        explainer.explain(change(mixed_frame))
    assert model.n_rows == probe_rows


def test_a_lone_gray_image_names_its_masker() -> None:
    """Two axes are taken for a table, so who meant an image is told what to pass."""
    with pytest.raises(NotFittedError, match=r"masker=px.Windows\("):
        px.Occlusion(lambda X: X.mean(axis=(1, 2))).explain(np.ones((8, 8)))


def test_no_background(table: np.ndarray, counting_model: Any) -> None:
    """Empty, missing, or too little of it."""
    model = counting_model(_sum)
    for method in METHODS:
        with pytest.raises(NotFittedError, match=r"call fit\(X_train\) before explain"):
            method(model).explain(table)
        if not method.for_images:
            with pytest.raises(InvalidInputError, match=r"call fit\(X\) with training rows"):
                method(model).fit()
        with pytest.raises(InvalidInputError, match="X is empty"):
            method(model).fit(table[:0])
    with pytest.raises(InvalidInputError, match="rows is empty"):
        px.KernelShap(model, masker=px.Background(table[:0])).explain(table)
    with pytest.raises(InvalidInputError, match="at least 2 rows to estimate the scale"):
        px.Lime(model).fit(table[:1])
    assert model.n_rows == 0


def test_lists_take_the_type_of_fit(table: np.ndarray) -> None:
    """A list has no type of its own: whole numbers are floats where fit saw floats."""
    explainer = px.KernelShap(_sum).fit(table)
    found = explainer.explain([[1, 2, 3, 4, 5]]).values
    assert np.array_equal(found, explainer.explain(np.arange(1.0, 6.0)[None]).values)
    with pytest.raises(InvalidInputError, match="dtype of the X of fit, int64, cannot"):
        px.KernelShap(_sum).fit(np.arange(10).reshape(2, 5)).explain([[0.5] * 5])


# What the model answers


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (lambda X: None, "returned None for the first rows"),
        (lambda X: _sum(X)[:-1], r"one answer for each row, of shape \(2,\).*got \(1,\)"),
        (lambda X: np.zeros((3, 2)), r"got \(3, 2\) for the first rows"),
        (lambda X: np.zeros((len(X), 2, 2)), r"got \(2, 2, 2\)"),
        (lambda X: 0.5, r"got \(\)"),
        (lambda X: np.zeros((len(X), 0)), r"got \(2, 0\)"),
        (lambda X: np.array(["cat"] * len(X)), "returned strings.*predict_proba, not labels"),
        (lambda X: ["cat"] * len(X), "returned strings"),
        (lambda X: np.array(["1"] * len(X), dtype=object), "returned strings"),
        (lambda X: [[1, 2], [3]], "no array of numbers"),
        (lambda X: {"a": 1}, "no array of numbers"),
        (lambda X: _sum(X) * 1j, "dtype complex128"),
        (
            lambda X: np.ma.masked_less(_sum(X), np.inf),
            r"masked values.*answer.filled\(value\)",
        ),
        (lambda X: [np.ma.masked_array([1.0], [True])] * len(X), "masked values"),
        (lambda X: np.full(len(X), -1.7e308), r"up to 1.7e\+308.*divided by a constant"),
        (lambda X: np.full(len(X), 1e155), "whose squares are beyond float64"),
        (lambda X: [10**400] * len(X), "no array of numbers"),
        (lambda X: np.array([b"1"] * len(X), dtype=object), "returned strings"),
        (lambda X: np.full(len(X), "2020-01-01", dtype="M8[D]"), "dtype datetime64"),
        (lambda X: np.longdouble("1e300") ** 2 * _sum(X), "NaN or inf|whose squares are beyond"),
        (lambda X: _sum(X) * np.nan, "returned 2 NaN or infinite values.*first in row 0"),
        (lambda X: np.array([0.0, np.inf])[: len(X)], "returned 1 NaN or inf.*first in row 1"),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_answers_that_are_no_scores(
    method: Any, bad: Any, said: str, table: np.ndarray, counting_model: Any
) -> None:
    """Found at the first question, at fit."""
    model = counting_model(bad)
    with pytest.raises(PredictFnError, match=said):
        method(model).fit(table)
    assert model.calls == [2]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (
            lambda X: [_two(X), _two(X)],
            r"list of 2 arrays.*predict_proba\(X\)\[0\]",
        ),
        (lambda X: [_two(X), np.ones((len(X), 3))], r"list of 2 arrays.*np\.hstack"),
        (lambda X: (_sum(X), _sum(X)), "tuple of 2 arrays"),
        (lambda X: [_sum(X), _sum(X), _sum(X)], "list of 3 arrays"),
        (lambda X: sparse.csr_matrix(_two(X)), r"csr_matrix.*toarray\(\)"),
        (lambda X: sparse.coo_array(_two(X)), r"coo_array.*toarray\(\)"),
        (lambda X: (1.0 for _ in X), r"generator.*np\.array\(list\(scores\)\)"),
        (lambda X: map(float, X[:, 0]), r"a map.*np\.array\(list\(scores\)\)"),
        (lambda X: {"scores": _sum(X)}, "a dict.*one number, or one row of numbers, for each row"),
        (lambda X: {1.0, 2.0}, "a set.*for each row"),
        (lambda X: object(), "a object.*for each row"),
        (lambda X: [10**400] * len(X), "a list.*for each row"),
        (lambda X: np.zeros(len(X), dtype="M8[D]"), "dtype datetime64"),
        (lambda X: np.float64(0.5), r"got \(\)"),
    ],
)
@pytest.mark.parametrize("n", [1, 2, 5])
def test_answers_in_other_containers(bad: Any, said: str, n: int, table: np.ndarray) -> None:
    """Refused by what they are, with the cure, however many rows and targets there are."""
    explainer = px.KernelShap(bad, masker=px.Background(table[:3]))
    with pytest.raises(PredictFnError, match=said):
        explainer.explain(table[:n])


def test_answers_as_lists_of_rows(table: np.ndarray) -> None:
    """A list of rows of scores, as arrays or lists, is one array."""
    for model in (lambda X: [row[:2] for row in X], lambda X: X[:, :2].tolist()):
        found = px.KernelShap(model, masker=px.Background(table[:3])).explain(table[:2])
        expected = px.KernelShap(lambda X: X[:, :2], masker=px.Background(table[:3]))
        assert np.array_equal(found.values, expected.explain(table[:2]).values)


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        (_sum, lambda X: _two(X), r"shape \(1, 2\) for instances 0 to 0, but with \(n,\) before"),
        (_two, lambda X: _two(X)[:, :1], r"but with \(n, 2\) before"),
        (_two, _sum, r"but with \(n, 2\) before"),
        (_sum, lambda X: _sum(X) * np.nan, "1 NaN or infinite values for instances 0 to 0"),
    ],
)
def test_answers_that_change(good: Any, bad: Any, said: str, table: np.ndarray) -> None:
    """Another shape, or NaN, after the probe: the place is named."""
    explainer = px.KernelShap(_Later(good, bad)).fit(table)
    with pytest.raises(PredictFnError, match=said):
        explainer.explain(table[:1])


def test_nan_in_a_later_batch(table: np.ndarray) -> None:
    """How many, which row of which batch, of which instance."""
    calls = []

    def model(X: np.ndarray) -> np.ndarray:
        calls.append(len(X))
        out = X.sum(axis=1)
        if len(calls) == 6:
            out[[3, 5]] = np.nan
        return out

    masker = px.Background(table[:4])
    explainer = px.KernelShap(model, masker=masker, batch_size=12)
    with pytest.raises(
        PredictFnError,
        match="2 NaN or infinite values for perturbations 3 to 5 of instance 0, first in row 3",
    ):
        explainer.explain(table[8:10])
    assert len(calls) == 6


@pytest.mark.parametrize("batch", ["probe", "later"])
def test_a_model_that_raises(batch: str, table: np.ndarray) -> None:
    """The original error is chained, with the place and the batch."""

    def bad(X: Any) -> Any:
        raise KeyError("age")

    model = bad if batch == "probe" else _Later(_sum, bad)
    place = "the first rows" if batch == "probe" else "instances 0 to 1"
    with pytest.raises(PredictFnError, match=f"raised KeyError for {place}.*shape \\(2, 5\\)") as e:
        px.KernelShap(model).fit(table).explain(table[:2])
    assert isinstance(e.value.__cause__, KeyError)


def _overwrite(X: np.ndarray) -> np.ndarray:
    X[:, 0] = 0
    return X.sum(axis=1)


def _overwrite_frame(X: Any) -> np.ndarray:
    X["half"] = 0
    return X["tiny"].to_numpy() * 1.0


def test_a_model_that_writes_into_its_batch(
    table: np.ndarray, mixed_frame: Any, counting_model: Any
) -> None:
    """Found at the probe, with the cure; a missing value is no change."""
    model = counting_model(_overwrite)
    with pytest.raises(PredictFnError, match=r"changed the batch.*X.copy\(\)"):
        px.KernelShap(model).fit(table)
    assert model.calls == [2]
    with pytest.raises(PredictFnError, match="changed the batch"):
        px.KernelShap(_overwrite_frame).fit(mixed_frame)
    holes = np.array([[None, "a"], [float("nan"), "b"], ["c", "d"]], dtype=object)
    px.KernelShap(lambda X: (X[:, 1] == "a") * 1.0).fit(holes)


@pytest.mark.parametrize("method", METHODS)
def test_a_model_that_starts_to_write_later(method: Any, table: np.ndarray) -> None:
    """After the probe it can change neither X, nor the background, nor the result."""

    def hostile(X: np.ndarray) -> np.ndarray:
        answers = X @ np.arange(1.0, 6.0)
        X[...] = np.nan
        return answers

    background, x = table[:7].copy(), table[10:12].copy()
    kept = background.copy(), x.copy()
    settings = {"random_state": 0, "budget": 500}
    honest = method(lambda X: X @ np.arange(1.0, 6.0), **settings).fit(background).explain(x)
    model = _Later(lambda X: X @ np.arange(1.0, 6.0), hostile)
    found = method(model, **settings).fit(background).explain(x)
    assert np.array_equal(found.values, honest.values)
    assert np.array_equal(background, kept[0])
    assert np.array_equal(x, kept[1])


def test_a_model_that_keeps_its_answers_in_one_buffer(table: np.ndarray) -> None:
    """Answers are copied before the next call overwrites them."""
    buffer = np.empty(10_000)

    def model(X: np.ndarray) -> np.ndarray:
        return np.sum(X, axis=1, out=buffer[: len(X)])

    found = px.KernelShap(model, batch_size=11).fit(table).explain(table[:2]).values
    np.testing.assert_allclose(found, table[:2] - table.mean(axis=0), atol=1e-12)


def test_a_model_that_cannot_make_up_its_mind(table: np.ndarray) -> None:
    """Warned, with the size of the difference; a rounding is no difference."""
    calls = []

    def model(X: np.ndarray) -> np.ndarray:
        calls.append(None)
        return np.full(len(X), 2.0 + 0.25 * (len(calls) == 2))

    with pytest.warns(UnstableModelWarning, match="same row, by 0.25"):
        px.KernelShap(model, stochastic=False).fit(table)
    calls.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        px.KernelShap(lambda X: X.sum(axis=1) * (1 + 1e-7 * len(X))).fit(table)


# Outputs, budget, link, parts that do not fit


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        (2, "No output 2: there are 2, 0 to 1"),
        (-3, "No output -3"),
        ("malignant", "No output is named 'malignant': there are 'output 0', 'output 1'"),
        ("topx", "No output is named 'topx'"),
        ("output1", "No output is named 'output1': did you mean 'output 1' or 'output 0'? There"),
        ("Output_0", "did you mean 'output 0'"),
        ("top9", '"top1" to "top2"'),
        ("top0", '"top1" to "top2"'),
        ([], "at least one output"),
        ([0, "b"], "No output is named 'b'"),
        ([0, 0], "distinct outputs"),
        ([True], "an index or a name"),
        ({0, 1}, "outputs must be None"),
        (1.5, "outputs must be None"),
    ],
)
def test_outputs_that_do_not_exist(
    outputs: Any, said: str, table: np.ndarray, counting_model: Any, probe_rows: int
) -> None:
    """Said with those that do, before anything is asked but the probe."""
    model = counting_model(_two)
    with pytest.raises(InvalidParameterError, match=re.escape(said).replace(r"\ ", " ")):
        px.KernelShap(model, outputs=outputs).fit(table).explain(table)
    assert model.n_rows <= probe_rows


@pytest.mark.parametrize("names", [["a"], ["a", "a"], ["a", "b", "c"]])
def test_output_names_that_do_not_fit(names: list[str], table: np.ndarray) -> None:
    """One distinct name an output."""
    with pytest.raises(InvalidParameterError, match="2 distinct names, one per output"):
        px.KernelShap(_two, output_names=names).fit(table)


@pytest.mark.parametrize(
    ("method", "budget"),
    [(px.KernelShap, 10), (px.PermutationShap, 5), (px.Lime, 10), (px.Occlusion, 5)],
)
def test_budget_below_the_minimum(
    method: Any, budget: int, table: np.ndarray, counting_model: Any, probe_rows: int
) -> None:
    """The minimum is said and why; exactly that much is enough."""
    model = counting_model(_sum)
    explainer = method(model, budget=budget).fit(table)
    with pytest.raises(BudgetError, match=f"budget={budget} is too small.*at least") as e:
        explainer.explain(table[:3])
    assert model.n_rows == probe_rows
    assert "for 5 features" in str(e.value)
    least = int(re.findall(r"at least (\d+)", str(e.value))[0])
    assert explainer.set_params(budget=least).explain(table[:2]).n_rows <= 2 * least
    with pytest.raises(BudgetError):
        explainer.set_params(budget=least - 1).explain(table[:2])


def test_budget_that_only_a_later_instance_exceeds(
    table: np.ndarray, counting_model: Any, probe_rows: int
) -> None:
    """The first row differs from the background in one column, the second in all."""
    background = table[:1]
    X = np.repeat(background, 2, axis=0)
    X[0, 0] += 1
    X[1] += 1
    model = counting_model(_sum)
    explainer = px.Occlusion(model, masker=px.Background(background), budget=4)
    with pytest.raises(BudgetError, match="for 5 features"):
        explainer.explain(X)
    assert model.n_rows <= probe_rows


def test_logit_outside_of_probabilities(
    table: np.ndarray, counting_model: Any, probe_rows: int
) -> None:
    """Values outside (0, 1) have no logit: said with their range, from the probe."""
    model = counting_model(_sum)
    explainer = px.KernelShap(model, link="logit").fit(table)
    with pytest.raises(PredictFnError, match=r'link="logit".*strictly between 0 and 1: got values'):
        explainer.explain(table)
    assert model.n_rows == probe_rows


def test_logit_of_a_certain_answer(counting_model: Any, probe_rows: int) -> None:
    """An instance at exactly 0 or 1 is named, with the cure, before any perturbation is asked."""
    X = np.array([[0.5], [1.0], [0.2], [0.0]])
    model = counting_model(lambda X: X[:, 0])
    explainer = px.KernelShap(model, link="logit").fit(X)
    with pytest.raises(PredictFnError, match=r"instance 1 and of 1 more is exactly 0.*np\.clip\("):
        explainer.explain(X)
    assert model.n_rows == probe_rows + len(X)
    fixed = px.KernelShap(lambda X: np.clip(X[:, 0], 1e-6, 1 - 1e-6), link="logit").fit(X)
    assert np.isfinite(fixed.explain(X).values).all()


def test_logit_of_a_certain_perturbation() -> None:
    """Where only a perturbation is at 1, its instance is named."""
    model = lambda X: np.where(X[:, 1] > 5, 1.0, 0.5)  # noqa: E731
    explainer = px.KernelShap(model, masker=px.Baseline([0.0, 9.0]), link="logit")
    with pytest.raises(PredictFnError, match="of a perturbation of instance 0 is exactly 1"):
        explainer.explain([[1.0, 1.0], [2.0, 2.0]])


@pytest.mark.parametrize("method", [px.KernelShap, px.PermutationShap, px.Occlusion, px.Banzhaf])
def test_logit_of_averages_that_hide_a_score(method: Any) -> None:
    """No answer is outside of [0, 1], even where the average with others is within."""
    X = np.array([[0.2], [0.3], [0.4], [2.0]])
    explainer = method(lambda X: X[:, 0], link="logit").fit(X)
    with pytest.raises(PredictFnError, match=r"between 0 and 1: got values from 0\.2 to 2"):
        explainer.explain(X[:1])
    rounded = np.nextafter(1, 2)
    found = method(lambda X: X[:, 0] * rounded, link="logit").fit([[1.0], [0.6]]).explain([[0.5]])
    np.testing.assert_allclose(found.values, [[-np.log(4)]], rtol=1e-12)


def test_training_rows_may_be_certain() -> None:
    """The link is of averages: single background rows at 0 and 1 do no harm."""
    X = np.array([[0.0], [1.0]])
    found = px.KernelShap(lambda X: X[:, 0], link="logit").fit(X).explain([[0.8]])
    assert abs(found.values.item() - np.log(4)) < 1e-12


# What is set after fit, and what is asked before anything is refused


@pytest.mark.parametrize(
    "changed",
    [
        {"feature_names": ["a", "b", "c", "d", "e"]},
        {"output_names": ["risk"]},
        {"groups": {"first": [0, 1], "rest": [2, 3, 4]}},
        {"masker": px.Baseline("mean")},
        {"predict_fn": lambda X: -_sum(X)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_settings_of_fit_that_are_set_later(
    changed: dict[str, Any], table: np.ndarray, counting_model: Any, probe_rows: int
) -> None:
    """Refused by name until fit is called again, which uses them."""
    model = counting_model(_sum)
    explainer = px.KernelShap(model, random_state=0).fit(table)
    explainer.set_params(**changed)
    with pytest.raises(InvalidParameterError, match=f"{next(iter(changed))} was set after fit"):
        explainer.explain(table[:1])
    assert model.n_rows == probe_rows
    found = explainer.fit(table).explain(table[:1])
    assert "feature_names" not in changed or found.feature_names == tuple("abcde")
    assert "groups" not in changed or found.feature_names == ("first", "rest")
    assert "output_names" not in changed or found.output_names == ("risk",)


def test_equal_settings_are_no_change(table: np.ndarray) -> None:
    """Another list of the same names, and a method looked up again, are what fit saw."""

    class Model:
        def predict(self, X: np.ndarray) -> np.ndarray:
            return _sum(X)

    model, names = Model(), ["a", "b", "c", "d", "e"]
    explainer = px.KernelShap(model.predict, feature_names=names).fit(table)
    explainer.set_params(predict_fn=model.predict, feature_names=np.array(names))
    assert explainer.explain(table[:1]).feature_names == tuple(names)
    assert copy.deepcopy(explainer).explain(table[:1]).shape == (1, 5)


@pytest.mark.parametrize("method", [px.KernelShap, px.PermutationShap, px.Occlusion, px.OwenShap])
@pytest.mark.parametrize("n_background", [1, 3])
@pytest.mark.parametrize("is_fitted", [True, False])
def test_no_budget_is_exceeded(
    method: Any, n_background: int, is_fitted: bool, counting_model: Any, probe_rows: int
) -> None:
    """From 1 on, also of rows that equal the background; refused budgets have cost nothing."""
    background = np.arange(9.0).reshape(3, 3)[:n_background]
    alike = background[:1]
    other, one = alike + 1, alike + np.array([0, 0, 1])
    for budget in (*range(1, 12), 20):
        for X in (alike, one, np.concatenate([alike, other]), np.concatenate([other, alike])):
            model = counting_model(lambda X: X[:, 0] * X[:, 1] + X[:, 2])
            masker = px.ColumnTree(background)
            explainer = method(model, masker=masker, budget=budget, random_state=0)
            explainer = explainer.fit(background) if is_fitted else explainer
            before = model.n_rows
            try:
                found = explainer.explain(X)
            except BudgetError:
                assert model.n_rows == before
                continue
            asked = model.n_rows - before
            assert found.n_rows == asked
            assert found.n_calls == len(model.calls) - (2 if is_fitted else 0)
            assert asked <= budget * len(X) + (0 if is_fitted else probe_rows)


@pytest.mark.parametrize(
    ("sampler", "solver", "masker", "kind", "said"),
    [
        (
            samplers.GaussianNoise(),
            solvers.WeightedRidge(),
            px.Background(),
            InvalidParameterError,
            "GaussianNoise draws NoiseDraws, but the masker accepts CoalitionDesign",
        ),
        (
            samplers.ShapleyCoalitions(),
            solvers.KernelShapRegression(),
            px.GaussianNoise(),
            InvalidParameterError,
            "ShapleyCoalitions draws Pairs, but the masker accepts NoiseDraws",
        ),
        (
            samplers.ShapleyCoalitions(),
            solvers.MarginalContributions(),
            px.Background(),
            RejectPerturbations,
            r"sampler Permutations\(\)",
        ),
        (
            samplers.OneAtATime(),
            solvers.KernelShapRegression(),
            px.Background(),
            RejectPerturbations,
            r"sampler ShapleyCoalitions\(\)",
        ),
        ("random", solvers.Deltas(), px.Background(), InvalidParameterError, "sampler must be"),
        (samplers.OneAtATime(), None, px.Background(), InvalidParameterError, "solver must be"),
    ],
)
def test_triples_that_do_not_fit(
    sampler: Any,
    solver: Any,
    masker: Any,
    kind: type[Exception],
    said: str,
    table: np.ndarray,
    counting_model: Any,
    probe_rows: int,
) -> None:
    """Known before the model is asked for anything but the probe."""
    model = counting_model(_sum)
    explainer = px.Explainer(model, masker=masker, sampler=sampler, solver=solver)
    with pytest.raises(kind, match=said):
        explainer.fit(table).explain(table)
    assert model.n_rows <= probe_rows


# Images


@pytest.mark.parametrize(
    ("masker", "X", "said"),
    [
        (px.Superpixels(segments=np.zeros((4, 4), int)), IMAGE, r"\(4, 4\)"),
        (px.Superpixels(segments=np.zeros((16, 16), int)), IMAGE, "at least two regions"),
        (px.Superpixels(), IMAGE[0, 0], "spatial axes"),
        (px.Superpixels(), np.zeros((2, 3, 4, 5, 6)), "spatial axes"),
        (px.Superpixels(channel_axis=-1), IMAGE[:, :, 0], "spatial axes"),
        (px.Superpixels(), np.full((16, 16), np.nan), "must be finite"),
        (px.Superpixels(), np.empty((0, 16)), "empty"),
        (px.Windows(shape=17), IMAGE, r"window of shape \(17, 17\) is larger than its image"),
        (px.Windows(shape=(4, 20)), IMAGE, "larger than its image"),
        (px.Windows(shape=(4, 4)), IMAGE[0, 0], "spatial axes"),
        (px.Superpixels(fill=np.zeros((5, 5))), IMAGE, r"fill of shape \(5, 5\)"),
    ],
)
@pytest.mark.parametrize("method", [px.Lime, px.KernelShap, px.Occlusion])
def test_images(method: Any, masker: Any, X: Any, said: str, counting_model: Any) -> None:
    """Label maps, dimensions, windows and fills, before anything is asked."""
    model = counting_model(_sum)
    with pytest.raises((InvalidInputError, InvalidParameterError), match=said):
        method(model, masker=masker).explain(X)
    assert model.n_rows == 0


BAD_PHOTOS = {
    "alpha": (np.full((24, 32, 4), 9, np.uint8), PredictFnError, r"pass image\[\.\.\., :3\]"),
    "NaN": (
        np.full((24, 32, 3), np.nan),
        InvalidInputError,
        r"2304 of.*np.nan_to_num\(image\)",
    ),
    "channels first": (
        np.zeros((3, 24, 32)),
        InvalidInputError,
        r"looks like channels first.*Pass np.moveaxis\(image, 0, -1\)",
    ),
    "gray channel first": (
        np.zeros((1, 24, 32)),
        InvalidInputError,
        r"moveaxis\(image, 0, -1\).*batch of 1 image without",
    ),
    "many channels first": (
        np.zeros((8, 24, 32)),
        InvalidInputError,
        r"batch of 8.*np.moveaxis\(image, 0, -1\) and channel_axis=-1",
    ),
    "a batch, channels first": (
        np.zeros((2, 3, 24, 32)),
        InvalidInputError,
        r"Pass np.moveaxis\(images, 1, -1\)",
    ),
    "a list of them": ([np.zeros((3, 24, 32))], InvalidInputError, "channels first"),
    "no rows": (np.zeros((0, 32, 3)), InvalidInputError, r"X is empty: its shape is \(0, 32, 3\)"),
    "no columns": (np.zeros((24, 0, 3)), InvalidInputError, "X is empty"),
    "no channels": (np.zeros((24, 32, 0)), InvalidInputError, "X is empty"),
    "one of them empty": ([IMAGE, IMAGE[:0]], InvalidInputError, "image 1 is empty"),
    "text": (np.full((24, 32, 3), "a"), InvalidInputError, "got dtype <U1"),
}


@pytest.mark.parametrize("masker", [px.Superpixels(), px.Windows()], ids=["regions", "windows"])
@pytest.mark.parametrize("case", BAD_PHOTOS)
@pytest.mark.parametrize("method", [px.Lime, px.KernelShap, px.Occlusion])
def test_photos(method: Any, case: str, masker: Any, counting_model: Any) -> None:
    """Every image masker says what is wrong with a photo and what to pass, and asks nothing."""
    photo, kind, said = BAD_PHOTOS[case]

    def network(images: np.ndarray) -> np.ndarray:
        return np.asarray(images.astype(float).mean(axis=(1, 2)) @ np.ones((3, 2)))

    model = counting_model(network)
    with pytest.raises(kind, match=said):
        method(model, masker=masker).explain(photo)
    assert model.n_rows == (1 if kind is PredictFnError else 0)


@pytest.mark.parametrize(
    "photo",
    [
        np.random.default_rng(0).integers(0, 65535, (24, 32, 3), dtype=np.uint16),
        np.random.default_rng(0).integers(0, 255, (24, 32, 4), dtype=np.uint8),
        np.random.default_rng(0).random((24, 32)),
        np.random.default_rng(0).random((24, 32, 1)),
        np.random.default_rng(0).normal(size=(24, 32, 3)),
        np.random.default_rng(0).random((24, 1, 3)),
        np.random.default_rng(0).random((1, 24, 3)),
        np.random.default_rng(0).random((24, 1)),
        np.random.default_rng(0).random((2, 2, 3)),
    ],
    ids=["16 bits", "alpha", "gray", "one channel", "negative", "1 wide", "1 high", "line", "tiny"],
)
@pytest.mark.parametrize(
    ("method", "masker"),
    [
        (px.KernelShap, px.Superpixels(n_segments=8)),
        (px.Lime, px.Superpixels(n_segments=8)),
        (px.Occlusion, px.Windows()),
    ],
)
def test_unusual_photos_are_explained(method: Any, masker: Any, photo: np.ndarray) -> None:
    """As they are: the model sees their type and shape, and a linear one gets its own scores."""
    seen = set()

    def mean(images: np.ndarray) -> np.ndarray:
        seen.add((images.shape[1:], images.dtype))
        return np.asarray(images.reshape(len(images), -1).mean(axis=1, dtype=float))

    found = method(mean, masker=masker, random_state=0).explain(photo)
    assert seen == {(photo.shape, photo.dtype)}
    assert np.isfinite(found.values).all()
    assert found.heatmap().shape == photo.shape[:2]
    if method is px.KernelShap:
        assert abs(float(found.residual)) <= 1e-9 * float(photo.max())


def test_a_label_map_with_holes_is_closed() -> None:
    """Missing numbers make no empty features: 3, 7, 900 are three regions, in this order."""
    labels = np.full((16, 16), 900)
    labels[:8], labels[:4] = 7, 3
    found = px.Occlusion(_sum, masker=px.Superpixels(segments=labels, fill=0)).explain(IMAGE)
    parts = [IMAGE[:4].sum(), IMAGE[4:8].sum(), IMAGE[8:].sum()]
    np.testing.assert_allclose(found.values, parts)


def test_logits_where_probabilities_are_needed(counting_model: Any) -> None:
    """link="logit" refuses them with their range, and says how to get probabilities."""
    model = counting_model(lambda X: np.stack([_sum(X), -_sum(X)], axis=1))
    with pytest.raises(PredictFnError, match=r"got values from -.*are logits.*output=.softmax."):
        px.KernelShap(model, masker=px.Superpixels(), link="logit").explain(IMAGE)
    assert model.n_rows == 2


@pytest.mark.parametrize("name", ["groups", "feature_names"])
def test_images_have_no_columns(name: str) -> None:
    """What names columns is refused for pictures."""
    given: Any = {"a": [0]} if name == "groups" else ["a"]
    with pytest.raises(InvalidParameterError, match=f"{name} must be None"):
        px.Lime(_sum, masker=px.Superpixels(), **{name: given}).explain(IMAGE)


def _with_a_mask(values: Any) -> Any:
    """Every other number is masked."""
    hidden = np.arange(np.size(values)).reshape(np.shape(values)) % 2
    return np.ma.masked_array(values, hidden)


@pytest.mark.parametrize("change", [_with_a_mask, lambda values: np.asarray(values) + 1j])
@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda f, X, change: px.KernelShap(f).fit([change(row) for row in X]), "X is"),
        (
            lambda f, X, change: px.KernelShap(f, masker=px.Background(change(X))).explain(X),
            "rows is a masked|background is of dtype complex",
        ),
        (
            lambda f, X, change: px.KernelShap(f, masker=px.Baseline(change(X[0]))).explain(X),
            "is a masked|baseline is of dtype complex",
        ),
        (
            lambda f, X, change: px.KernelShap(
                f, masker=px.Background(X, weights=change(np.ones(len(X))))
            ).explain(X),
            "weights must be",
        ),
        (
            lambda f, X, change: px.OwenShap(
                f, masker=px.ColumnTree(X, clustering=change(np.array([[0, 1], [2, 3]])))
            ).fit(X),
            "linkage matrix must",
        ),
        (
            lambda f, X, change: px.Occlusion(f, masker=px.Windows(fill=change(X))).explain(X),
            "fill must be",
        ),
        (
            lambda f, X, change: px.KernelShap(
                f, masker=px.Superpixels(segments=change((X > 0.5).astype(int)))
            ).explain(X),
            "segments is a masked|segments must hold integer",
        ),
        (
            lambda f, X, change: px.metrics.deletion(f, X, change(X)),
            "explanation must be .* of dtype (float64|complex128)",
        ),
        (
            lambda f, X, change: px.metrics.compare({"a": lambda X: change(X)}, X, predict_fn=f),
            "explanation must be .* of dtype (float64|complex128)",
        ),
    ],
    ids=["rows", "background", "baseline", "weights", "tree", "fill", "segments", "metric", "all"],
)
def test_no_number_under_a_mask_or_with_an_imaginary_part_is_read(
    use: Any, said: str, change: Any, counting_model: Any
) -> None:
    """Wherever numbers are passed they are refused, before the model is asked about them."""
    model = counting_model(_sum)
    X = np.random.default_rng(0).random((9, 3))
    use(model, X, np.array)
    with pytest.raises(PerturbxError, match=said):
        use(_sum, X, change)
