"""What no container can be: a clear error that names the cure."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.containers import layout_of, rows_of
from perturbx.errors import InvalidInputError
from scipy import sparse


@pytest.mark.parametrize(
    ("X", "said"),
    [
        ([], "X is empty"),
        (np.empty((0, 3)), r"X is empty: its shape is \(0, 3\)"),
        (np.empty((3, 0)), "X is empty"),
        (np.zeros((2, 3, 4)), "two dimensions.*Superpixels"),
        (np.float64(3), "two dimensions"),
        (np.ma.masked_array([[1.0]]), r"pass X.filled"),
        ("text", "X must be a 2-D NumPy array.*got str"),
        (None, "got NoneType"),
        ([[1, 2], [3]], "rows of one length"),
    ],
)
def test_no_table(X: Any, said: str) -> None:
    """What has no rows and columns is refused."""
    with pytest.raises(InvalidInputError, match=said):
        rows_of(X)


def test_a_series_has_lost_its_types() -> None:
    """One row of a frame is asked for as a frame."""
    pd = pytest.importorskip("pandas")
    with pytest.raises(InvalidInputError, match=r"iloc\[\[0\]\]"):
        rows_of(pd.DataFrame({"a": [1], "b": ["x"]}).iloc[0])


def test_complex_columns_are_refused_in_every_container() -> None:
    """Their imaginary part would be lost."""
    sparse, torch = pytest.importorskip("scipy.sparse"), pytest.importorskip("torch")
    X = np.array([[1 + 1j, 2], [0, 1j]])
    for container in (X, sparse.csr_array(X), torch.tensor(X), torch.tensor(X).cfloat()):
        with pytest.raises(InvalidInputError, match=r"complex.*, which no column can have"):
            layout_of(container)


@pytest.mark.parametrize("dtype", [complex, "datetime64[s]", "V8"])
def test_types_that_no_column_has(dtype: Any) -> None:
    """Complex numbers and the like are refused with their type."""
    with pytest.raises(InvalidInputError, match="which no column can have"):
        layout_of(np.zeros((2, 2), dtype=dtype))


@pytest.mark.parametrize(
    ("X", "cure"),
    [
        (np.zeros((2, 2), dtype="datetime64[s]"), r"pd\.DataFrame\(X\), which holds dates"),
        (np.zeros((2, 2), dtype="timedelta64[s]"), r"pd\.DataFrame\(X\)"),
        (np.zeros((2, 1), dtype=[("a", "i4"), ("b", "f8")]), r"pd\.DataFrame\(X\).*each field"),
        (np.zeros((2, 2), dtype=complex), r"np\.hstack\(\[X\.real, X\.imag\]\)"),
        (np.zeros((2, 2), dtype=np.longdouble), r"X\.astype\(float\)"),
        (np.ones((1, 2)).view(np.matrix), r"X is a matrix.*np\.asarray\(X\)"),
        (np.zeros((2, 2)).view(np.recarray), r"X is a recarray.*np\.asarray\(X\)"),
    ],
)
def test_arrays_that_would_reach_the_model_as_something_else(X: Any, cure: str) -> None:
    """Refused at once, with what to type."""
    with pytest.raises(InvalidInputError, match=cure):
        layout_of(X)


def test_columns_of_one_name() -> None:
    """Two columns of one name cannot be told apart."""
    pd = pytest.importorskip("pandas")
    with pytest.raises(InvalidInputError, match="named 'a'"):
        layout_of(pd.DataFrame(np.zeros((2, 2)), columns=["a", "a"]))


def test_lists_keep_numbers_beside_text() -> None:
    """A list of mixed rows is not turned into text."""
    X, _ = rows_of([["a", 1.5], ["b", 2.5]])
    assert X.dtype == object
    assert X[0, 1] == 1.5


def test_a_single_row_is_told_from_several() -> None:
    """One dimension is one row."""
    X, single = rows_of(np.arange(3.0))
    assert (X.shape, single) == ((1, 3), True)
    assert rows_of([[1.0, 2.0]])[1] is False


@pytest.mark.parametrize("names", [["a"], ["a", "a", "b"]])
def test_names_that_do_not_fit(names: list[str]) -> None:
    """One distinct name for each column."""
    with pytest.raises(InvalidInputError, match="3 distinct names"):
        layout_of(np.zeros((2, 3)), names)


def test_names_are_given_or_counted() -> None:
    """Arrays have x0, x1, ... unless told otherwise; frames have their own."""
    assert layout_of(np.zeros((1, 2))).names == ("x0", "x1")
    assert layout_of(np.zeros((1, 2)), ["a", "b"]).names == ("a", "b")
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"p": [1], 3: [2]})
    assert layout_of(frame).names == ("p", "3")
    with pytest.raises(InvalidInputError, match="feature_names differ"):
        layout_of(frame, ["a", "b"])


def test_later_rows_must_be_of_the_same_layout(mixed_frame: Any) -> None:
    """Order, names, types, categories, container: each is refused with its own words."""
    pd = pytest.importorskip("pandas")
    layout = layout_of(mixed_frame)
    kind = mixed_frame["kind"]
    changed = {
        "another order": mixed_frame[mixed_frame.columns[::-1]],
        r"lacks \['tiny'\]": mixed_frame.drop(columns="tiny"),
        r"has \['more'\] besides": mixed_frame.assign(more=1),
        "'half' of X is of dtype float64, but fit saw float32": mixed_frame.astype(
            {"half": "float64"}
        ),
        "'kind' of X has the categories": mixed_frame.assign(kind=kind.cat.add_categories("new")),
        "categories": mixed_frame.assign(kind=kind.cat.reorder_categories(list("abcz"))),
        "is a numpy.ndarray, but fit saw a pandas DataFrame": mixed_frame.to_numpy(),
    }
    for said, X in changed.items():
        with pytest.raises(InvalidInputError, match=said):
            layout.check(X)
    layout.check(pd.concat([mixed_frame, mixed_frame]))


@pytest.mark.parametrize("kind", ["bfloat16", "float8_e4m3fn"])
def test_tensors_unknown_to_numpy_name_their_cure(kind: str) -> None:
    """At fit, and at explain after a fit of another type."""
    torch = pytest.importorskip("torch")
    plain = torch.zeros((2, 2))
    X = plain.to(getattr(torch, kind))
    for refuse in (layout_of, layout_of(plain).check):
        with pytest.raises(InvalidInputError, match=r"unknown to NumPy: pass X\.float\(\)"):
            refuse(X)


@dataclass
class Record:
    """A row that names its cells."""

    a: float


def _other_tables() -> dict[str, Any]:
    """Tables of other kinds and libraries, with what their refusal says."""
    found: dict[str, Any] = {
        "list of dicts": ([{"a": 1.0, "b": 2.0}] * 3, r"such as dicts.*pd\.DataFrame\(X\)"),
        "dicts and more": ([{"a": 1.0}, 2.0], r"such as dicts.*pd\.DataFrame\(X\)"),
        "tuple of dataclasses": ((Record(1.0), Record(2.0)), r"a tuple of.*pd\.DataFrame\(X\)"),
        "array of dicts": (np.array([{"a": 1.0}] * 3), r"such as.*pd\.DataFrame\(list\(X\)\)"),
        "generator": ((i for i in range(3)), "got generator"),
    }
    if pd := _installed("pandas"):
        found["Series of dicts"] = pd.Series([{"a": 1.0}]), r"pd\.DataFrame\(list\(X\)\)"
        found["Index"] = pd.Index([1, 2, 3]), r"got Index.*np\.asarray\(X\)"
        found["MultiIndex"] = pd.MultiIndex.from_tuples([(1, 2)]), "got MultiIndex"
        found["groups"] = pd.DataFrame({"a": [1]}).groupby("a"), "got DataFrameGroupBy"
    if pl := _installed("polars"):
        found["LazyFrame"] = pl.DataFrame({"a": [1]}).lazy(), r"LazyFrame.*X\.collect\(\)"
    if pd and (dask := _installed("dask.dataframe")):
        lazy = dask.from_pandas(pd.DataFrame({"a": [1.0, 2.0]}), npartitions=1)
        found["dask frame"] = lazy, r"got DataFrame.*X\.compute\(\)"
        found["dask array"] = lazy.to_dask_array(lengths=True), r"X\.compute\(\)"
    if arrow := _installed("pyarrow"):
        found["pyarrow"] = arrow.table({"a": [1.0]}), r"got Table.*X\.to_pandas\(\)"
    if torch := _installed("torch"):
        found["sparse tensor"] = torch.eye(3).to_sparse(), r"layout.*X\.to_dense\(\)"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a prototype, it says
            nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
        found["nested tensor"] = nested, r"torch\.nested\.to_padded_tensor\(X, 0\.0\)"
        found["meta tensor"] = torch.empty(3, 3, device="meta"), "without values"
        found["complex tensor"] = torch.ones(3, 3, dtype=torch.complex64), "complex"
    found["complex sparse"] = sparse.csr_array(np.eye(3) * 1j), "complex"
    return found


def _installed(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


@pytest.mark.parametrize("name", list(_other_tables()))
@pytest.mark.parametrize("where", ["fit", "explain", "background"])
def test_tables_that_are_none_of_ours(name: str, where: str) -> None:
    """Refused with what makes one of ours of them, before the model is asked."""
    table, said = _other_tables()[name]

    def model(X: Any) -> Any:
        raise AssertionError("the model is asked for nothing")

    ours = np.zeros((2, 3))
    if "ensor" in name or "sparse" in name:
        said = f"{said}|(fit saw|X is) a NumPy array"
    masker = px.Background(table if where == "background" else ours)
    explainer = px.KernelShap(model, masker=masker)
    with pytest.raises(InvalidInputError, match=said.replace("X", "(X|rows)")):
        explainer.fit(table) if where == "fit" else explainer.explain(
            table if where == "explain" else ours
        )


def test_quantized_tensors() -> None:
    """NumPy has no type for them."""
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        X = torch.quantize_per_tensor(torch.rand(4, 3), 0.1, 0, torch.qint8)
    with pytest.raises(InvalidInputError, match=r"X\.dequantize\(\)"):
        px.KernelShap(lambda X: X.sum(axis=1)).fit(X)


@pytest.mark.parametrize(
    ("fitted", "explained", "said"),
    [
        (np.int64, [[1.5, 2.0]], r"cannot hold all of its values: call fit with X\.astype"),
        (np.uint8, np.array([[-3, 1]]), r"call fit with X\.astype\('int64'\)"),
        (np.int8, np.array([[300, 1]]), r"call fit with X\.astype\('int64'\)"),
        (np.int64, [[1.0, 2.0]], r"pass X\.astype\('int64'\)"),
    ],
)
@pytest.mark.parametrize("kind", ["array", "pandas", "polars", "torch", "sparse"])
def test_rows_that_the_type_of_fit_would_change(
    kind: str, fitted: Any, explained: Any, said: str
) -> None:
    """Nobody is told to truncate: values that would change mean another type at fit."""
    make: dict[str, Callable[[np.ndarray], Any]] = {
        "array": lambda X: X,
        "pandas": lambda X: pytest.importorskip("pandas").DataFrame(X),
        "polars": lambda X: pytest.importorskip("polars").DataFrame(X),
        "torch": lambda X: pytest.importorskip("torch").as_tensor(X),
        "sparse": sparse.csr_array,
    }
    if kind in ("pandas", "polars"):
        said = "cannot hold all of its values" if "fit with" in said else "convert it"
    elif kind == "torch":
        said = said.partition("X")[0] + r"X\.to\(torch\."
    explainer = px.KernelShap(lambda X: np.ones(X.shape[0]))
    explainer.fit(make[kind](np.arange(8).reshape(4, 2).astype(fitted)))
    with pytest.raises(InvalidInputError, match=said):
        explainer.explain(make[kind](np.array(explained)))
