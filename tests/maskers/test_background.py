"""Masked rows are made of the instance's own cells and of background rows', to the last bit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import perturbx as px
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.maskers import Features
from scipy import sparse

NO_FEATURES = Features()


def _bind(masker: Any, X: Any, fit_on: Any = None, features: Features = NO_FEATURES) -> Any:
    fitted = masker.fit(fit_on, features, np.random.default_rng(0))
    checked = fitted.check(X)
    return checked.bind(0, len(checked))


def _rows(bound: Any, z: np.ndarray) -> Any:
    per = bound.rows_per_perturbation
    return bound.batch(z, slice(0, per), bound.scratch(len(z) * per))


@given(data=st.data(), dtype=st.sampled_from(["float64", "float32", "int8", "bool"]))
@settings(deadline=None, max_examples=50)
def test_every_cell_is_the_instances_or_the_background_rows(
    data: st.DataObject, dtype: str
) -> None:
    """Present cells are x's, absent ones those of row b, for any numbers whatever.

    So it is with all background rows behind each perturbation, with one, and with one each.
    """
    background = data.draw(hnp.arrays(dtype, (3, 4)))
    x = data.draw(hnp.arrays(dtype, (1, 4)))
    z = data.draw(hnp.arrays(bool, (5, 4)))
    (bound,) = _bind(px.Background(background), x)
    rows = _rows(bound, z).reshape(5, 3, 4)
    expected = np.where(z[:, None, :], x[None], background[None])
    assert rows.tobytes() == expected.tobytes()
    alone = bound.batch(z, slice(1, 2), bound.scratch(5))
    assert alone.tobytes() == expected[:, 1].tobytes()
    row = np.array([2, 0, 0, 1, 2])
    one_each = bound.batch(z, row, bound.scratch(5))
    assert one_each.tobytes() == expected[np.arange(5), row].tobytes()


def test_cells_of_mixed_frames(mixed_frame: Any) -> None:
    """Every column keeps its type, its categories and its missing cells."""
    import pandas as pd

    x, background = mixed_frame.iloc[[7]], mixed_frame.iloc[:4]
    (bound,) = _bind(px.Background(background), x)
    z = np.random.default_rng(0).random((6, 9)) < 0.5
    rows = _rows(bound, z)
    assert isinstance(rows.index, pd.RangeIndex)
    pd.testing.assert_series_equal(rows.dtypes, mixed_frame.dtypes)
    for j, name in enumerate(mixed_frame.columns):
        want = [
            x[name].iloc[0] if p else background[name].iloc[b] for p in z[:, j] for b in range(4)
        ]
        want = pd.Series(want, name=name, dtype=mixed_frame[name].dtype)
        pd.testing.assert_series_equal(rows[name], want)


def test_parts_of_the_background_are_parts_of_the_batch(table: np.ndarray) -> None:
    """Rows 2 to 4 of the background give the very rows that the whole gives there."""
    (bound,) = _bind(px.Background(table[:7]), table[[9]])
    z = np.random.default_rng(1).random((4, 5)) < 0.5
    whole = _rows(bound, z).reshape(4, 7, 5).copy()
    part = bound.batch(z, slice(2, 5), bound.scratch(12)).reshape(4, 3, 5)
    assert np.array_equal(part, whole[:, 2:5])


def test_groups_go_together_in_any_order(table: np.ndarray) -> None:
    """The columns of a group share one bit; the order of the groups is the user's."""
    groups = {"late": [4, "x3"], "first": 0, "middle": ["x1", 2]}
    (bound,) = _bind(px.Background(table[:1]), table[[5]], features=Features(None, groups))
    assert bound.feature_names == ("late", "first", "middle")
    rows = _rows(bound, np.array([[True, False, False], [False, True, False]]))
    a, b = table[5], table[0]
    assert np.array_equal(rows, [[b[0], b[1], b[2], a[3], a[4]], [a[0], *b[1:]]])


def test_groups_of_one_column_each_may_be_reordered(table: np.ndarray) -> None:
    """Names follow the groups, and so do the columns."""
    groups = {f"only {j}": [j] for j in (3, 1, 0, 2, 4)}
    (bound,) = _bind(px.Background(table[:1]), table[[5]], features=Features(None, groups))
    rows = _rows(bound, np.array([[True, False, False, False, False]]))
    assert np.array_equal(rows[0], [*table[0, :3], table[5, 3], table[0, 4]])
    assert np.array_equal(bound.data.astype(float), table[5, [3, 1, 0, 2, 4]])


def test_features_that_cannot_change_are_not_active(table: np.ndarray) -> None:
    """A column that equals x in every background row changes no model row."""
    background = table[:6].copy()
    background[:, 2] = table[7, 2]
    background[:5, 3] = table[7, 3]
    (bound,) = _bind(px.Background(background), table[[7]])
    assert bound.active.tolist() == [True, True, False, True, True]


def test_a_large_background_becomes_one_seeded_sample(table: np.ndarray) -> None:
    """Distinct rows of X, the same for the same seed, and mentioned in the notes."""
    masker = px.Background(max_rows=10)
    fits = [masker.fit(table, NO_FEATURES, np.random.default_rng(s)) for s in (0, 0, 1)]
    rows = [f.rows for f in fits]
    assert rows[0].shape == (10, 5)
    assert np.array_equal(rows[0], rows[1])
    assert not np.array_equal(rows[0], rows[2])
    assert len(np.unique(rows[0], axis=0)) == 10
    assert all((table == row).all(axis=1).any() for row in rows[0])
    assert fits[0].notes == ("the background is a random sample of 10 of 40 rows",)
    assert px.Background(max_rows=40).fit(table, NO_FEATURES, np.random.default_rng(0)).notes == ()


def test_baseline_of_the_columns() -> None:
    """Means and medians without the missing; the most frequent category; integers rounded."""
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(
        {"a": [1.0, np.nan, 5.0, 6.0], "b": np.array([1, 2, 2, 5]), "c": ["u", "v", "v", "w"]}
    )
    for kind, row in (("mean", [4.0, 2, "v"]), ("median", [5.0, 2, "v"])):
        fitted = px.Baseline(kind).fit(X, NO_FEATURES, np.random.default_rng(0))
        assert fitted.rows.iloc[0].tolist() == row
        assert (fitted.rows.dtypes == X.dtypes).all()


NUMBERS = [1, 2, 2, 7, None]


@pytest.mark.parametrize(
    ("column", "mean", "median"),
    [
        (lambda pd: pd.Series(NUMBERS, dtype="Int64"), 3, 2),
        (lambda pd: pd.Series(NUMBERS, dtype="Float64"), 3.0, 2.0),
        (lambda pd: pd.Series([0, 0, 3, 9, 3], dtype="Sparse[float64]"), 3.0, 3.0),
        (lambda pd: pd.Series([0, 0, 3, 8, 3], dtype="Sparse[int64]"), 3, 3),
        (lambda pd: pd.Series(NUMBERS, dtype=object), 3, 2),
        (lambda pd: pd.Series([1.5, None, 2, pd.NA, 2], dtype=object), 5.5 / 3, 2.0),
        (lambda pd: pd.Series([Decimal("1.5"), Decimal(3), None, 3, 3]), 2.625, 3.0),
        (
            lambda pd: pd.Series([Decimal("1.5"), Decimal(3), None]),
            Decimal("2.25"),
            Decimal("2.25"),
        ),
        (lambda pd: pd.Series([2**63 - 1] * 5), 2**63 - 1, 2**63 - 1),
        (
            lambda pd: pd.Series([2**64 - 1, None] * 2 + [None], dtype="UInt64"),
            2**64 - 1,
            2**64 - 1,
        ),
        (lambda pd: pd.Series(["u", "v", "v", None, "w"]), "v", "v"),
        (lambda pd: pd.Series([True, None, True, False, True], dtype="boolean"), True, True),
        (lambda pd: pd.Series(pd.Categorical([9, 9, 1, 2, 3])), 9, 9),
        (lambda pd: pd.Series([1, True, 1, None, 1], dtype=object), 1, 1),
        (lambda pd: pd.Series([None] * 5, dtype="Int64"), None, None),
    ],
)
def test_centers_of_pandas_columns(column: Any, mean: Any, median: Any) -> None:
    """Numbers of every type have their mean, in that type; all else its most frequent value."""
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame({"c": column(pd)})
    for kind, expected in (("mean", mean), ("median", median)):
        row = px.Baseline(kind).fit(X, NO_FEATURES, np.random.default_rng(0)).rows
        (cell,) = row["c"]
        assert row["c"].dtype == X["c"].dtype
        if expected is None:
            assert cell is pd.NA
        else:
            assert cell == expected
            assert X["c"].dtype != object or type(cell) is type(expected)


@pytest.mark.parametrize(
    ("arrow", "cells", "mean"),
    [
        ("int16", NUMBERS, 3),
        ("float64", NUMBERS, 3.0),
        ("decimal", [Decimal("1.50"), Decimal("3.00"), None], Decimal("2.25")),
        ("decimal", [Decimal("0.00"), Decimal("0.00"), Decimal("1.00")], Decimal("0.33")),
        ("string", ["a", "b", "b", None], "b"),
    ],
)
def test_means_of_pyarrow_columns(arrow: str, cells: list[Any], mean: Any) -> None:
    """A decimal keeps the digits of its type."""
    pd, pa = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    kind = pa.decimal128(8, 2) if arrow == "decimal" else getattr(pa, arrow)()
    X = pd.DataFrame({"c": pd.Series(cells, dtype=pd.ArrowDtype(kind))})
    fitted = px.Baseline().fit(X, NO_FEATURES, np.random.default_rng(0))
    assert fitted.rows["c"].tolist() == [mean]
    assert fitted.rows["c"].dtype == X["c"].dtype


def test_means_of_polars_columns_with_null() -> None:
    """A null is left out of the mean, and the type stays."""
    pl = pytest.importorskip("polars")
    decimals = [Decimal("1.50"), Decimal("3.00"), None, None, None]
    X = pl.DataFrame(
        {
            "i": pl.Series(NUMBERS, dtype=pl.Int16),
            "f": pl.Series([0.5, 1.0, float("nan"), None, 4.5], dtype=pl.Float32),
            "d": pl.Series(decimals, dtype=pl.Decimal(8, 2)),
            "u": pl.Series([2**64 - 1, None, None, None, 2**64 - 1], dtype=pl.UInt64),
            "s": ["a", "b", "b", None, "c"],
        }
    )
    row = px.Baseline().fit(X, NO_FEATURES, np.random.default_rng(0)).rows
    assert row.schema == X.schema
    assert row.row(0) == (3, 2.0, Decimal("2.25"), 2**64 - 1, "b")


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array, sparse.lil_matrix])
def test_means_of_arrays(make: Any) -> None:
    """In the container of X, integers rounded."""
    X = make(np.array([[0, 5], [0, 2], [4, 0]]))
    row = px.Baseline().fit(X, NO_FEATURES, np.random.default_rng(0)).rows
    assert (type(row), row.dtype) == (type(X), X.dtype)
    assert np.array_equal(row.toarray() if sparse.issparse(row) else row, [[1, 2]])


def test_means_of_object_arrays() -> None:
    """A column of numbers beside one of text."""
    X = np.array([[1.0, "a"], [None, "b"], [4.0, "b"]], dtype=object)
    row = px.Baseline().fit(X, NO_FEATURES, np.random.default_rng(0)).rows
    assert row.tolist() == [[2.5, "b"]]


def test_the_words_say_where_there_is_no_mean() -> None:
    """The value function mentions the most frequent value of columns without numbers."""
    pd = pytest.importorskip("pandas")
    said = {}
    for name in ("n", "s", "ns"):
        X = pd.DataFrame({"n": [1.0, 2.0], "s": ["a", "a"]})[list(name)]
        said[name] = px.Baseline().fit(X, NO_FEATURES, np.random.default_rng(0)).value_function
    assert said["n"] == "absent features at their mean"
    assert "mean" not in said["s"]
    assert "most frequent value" in said["s"]
    assert "mean, or their most frequent value for columns without numbers" in said["ns"]


def test_a_linear_model_is_explained_by_the_mean_of_nullable_numbers() -> None:
    """Scores are weight times distance from the mean, as they are for plain numbers."""
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame({"a": pd.array([0.0, None, 6.0], dtype="Float64"), "b": [1.0, 1.0, 4.0]})
    explainer = px.KernelShap(
        lambda Z: 2 * Z["a"].to_numpy(float) + Z["b"].to_numpy(), masker=px.Baseline()
    )
    values = explainer.fit(X.dropna()).explain(X.iloc[[2]]).values
    np.testing.assert_allclose(values, [[6.0, 1.5]], rtol=1e-12)


def test_a_baseline_of_whole_numbers_fits_floats(table: np.ndarray) -> None:
    """[0, 0, ...] means 0.0 if X holds floats, with or without fit."""
    explainer = px.KernelShap(lambda X: X.sum(axis=1), masker=px.Baseline([0] * 5))
    for ready in (explainer, px.KernelShap(**explainer.get_params()).fit(table)):
        values = ready.explain(table[:2]).values
        np.testing.assert_allclose(values, table[:2], rtol=0, atol=1e-14)


def test_whole_numbers_cannot_have_a_fraction() -> None:
    """A baseline of 0.5 is not truncated to 0 if X holds integers."""
    explainer = px.KernelShap(lambda X: X.sum(axis=1), masker=px.Baseline([0.5, 0.5]))
    with pytest.raises(InvalidInputError, match="hold values that the dtype of X, int"):
        explainer.explain([[1, 2]])


MASKERS_OF_ROWS = {"baseline": px.Baseline, "background": px.Background}


def _frames(library: str) -> Any:
    """A frame to explain, of integers and floats."""
    columns = {"a": np.array([3, 5]), "b": np.array([1.5, 2.5])}
    return pytest.importorskip(library).DataFrame(columns)


@pytest.mark.parametrize("name", MASKERS_OF_ROWS)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda X: X.to_numpy(), r"is a numpy.ndarray, but X is a pandas DataFrame"),
        (lambda X: X[["b", "a"]], r"has the columns of X in another order: pass rows\[X.columns\]"),
        (lambda X: X.assign(c=1), r"has other columns than X: it has \['c'\] besides"),
        (lambda X: X.astype("float64"), r"of dtype float64, but X has int64: convert it"),
        (lambda X: X + 0.5, r"but X has int64, which cannot hold all.*: pass X with that column"),
        (lambda X: _frames("polars")[:1], r"is a polars.DataFrame, but X is a pandas DataFrame"),
    ],
)
def test_rows_unlike_x_are_named(change: Any, said: str, name: str, counting_model: Any) -> None:
    """They, and not X, are what an error asks to change, whether fit came before or not."""
    X, model = _frames("pandas"), counting_model(len)
    explainer = px.KernelShap(model, masker=MASKERS_OF_ROWS[name](change(X[:1])))
    for ask in (explainer.fit, explainer.explain):
        with pytest.raises(InvalidInputError, match=rf"the {name}.*{said}|of the {name} .*{said}"):
            ask(X)
    assert model.n_rows == 0


@pytest.mark.parametrize("rows", [[1, 0.5], np.array([[1, 0.5]])])
@pytest.mark.parametrize("name", MASKERS_OF_ROWS)
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_the_frame_that_an_error_types(library: str, name: str, rows: Any) -> None:
    """An array is not a frame: the cure in the error explains with the intended numbers."""
    X, kind = _frames(library), MASKERS_OF_ROWS[name]
    rows = [rows] if name == "background" and isinstance(rows, list) else rows
    explainer = px.KernelShap(lambda Z: Z["a"] * Z["b"], masker=kind(rows))
    with pytest.raises(InvalidInputError, match=r"predict_fn receives it, as in ") as refusal:
        explainer.fit(X)
    typed = str(refusal.value).partition("as in ")[2].rstrip(".")
    short = {"pandas": "pd", "polars": "pl"}[library]
    names = {"np": np, short: pytest.importorskip(library), "X": X, "rows": rows}
    explainer.set_params(masker=kind(eval(typed, names)))
    a, b = np.array([3, 5]), np.array([1.5, 2.5])
    expected = np.column_stack([(a - 1) * (b + 0.5) / 2, (b - 0.5) * (a + 1) / 2])
    np.testing.assert_allclose(explainer.fit(X).explain(X).values, expected, rtol=1e-12)


def test_texts_as_rows_of_objects() -> None:
    """A baseline of NumPy strings replaces strings held as objects."""
    words = np.array([["good", "film"]], dtype=object)
    lengths = px.KernelShap(
        lambda rows: np.array([len("".join(row)) for row in rows]) * 1.0,
        masker=px.Baseline(np.array(["", "?"])),
    )
    np.testing.assert_allclose(lengths.explain(words).values, [[4, 3]], atol=1e-14)


@pytest.mark.parametrize(
    ("masker", "said"),
    [
        (px.Baseline([[0.0] * 5, [1.0] * 5]), r"one row, got 2.*Background\(rows\)"),
        (px.Baseline("mode"), "'mean', 'median'"),
        (px.Background([]), "rows is empty"),
        (px.Background(np.zeros((3, 4))), "the background has 4 columns, but X has 5"),
        (px.Background(max_rows=0), "max_rows must be an integer of at least 1"),
    ],
)
def test_invalid_settings_are_refused(masker: Any, said: str, table: np.ndarray) -> None:
    """Each is refused with its cure."""
    with pytest.raises((InvalidInputError, InvalidParameterError), match=said):
        masker.fit(table, NO_FEATURES, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ({"a": [0, 1], "b": [1, 2, 3, 4]}, "overlap: column 'x1' is in 'a' and in 'b'"),
        ({"a": [0, 1]}, r"leaves out 3 columns, \['x2', 'x3', 'x4'\] first"),
        ({"a": [0, 1, 2, 3, 4], "b": []}, "'b' holds no column"),
        ({"a": [0, 1, 2, 3, 7]}, "X has no column 7"),
        ({"a": ["age"]}, "X has no column 'age'"),
        ({"a": 2.5}, "'a' must be a list of columns; got 2.5"),
    ],
)
def test_groups_that_cannot_be(groups: Any, said: str, table: np.ndarray) -> None:
    """Overlaps, gaps, empty groups and unknown columns are refused by name."""
    with pytest.raises(InvalidParameterError, match=said):
        px.Background().fit(table, Features(None, groups), np.random.default_rng(0))


def _weights(columns: Any, pd: Any) -> tuple[Any, Any]:
    """A frame of four columns and a model that weighs them by their place: 1, 10, 100, 1000."""
    X = pd.DataFrame(np.vstack([np.zeros(4), np.ones(4)]), columns=columns)
    return X, lambda Z: Z.to_numpy() @ [1.0, 10.0, 100.0, 1000.0]


@pytest.mark.parametrize(
    ("columns", "groups", "scores"),
    [
        ([3, 2, 1, 0], {"three": [3], "rest": [0, 1, 2]}, [1, 1110]),
        ([3, 2, 1, 0], {3: 3, "rest": np.array([0, 1, 2])}, [1, 1110]),
        ([1, 2, 3, 4], {"one": [1], "two": ["2"], "rest": range(3, 5)}, [1, 10, 1100]),
        ([3.0, 2.0, 1.0, 0.0], {"three": [3], "rest": [0, 1, 2]}, [1, 1110]),
        (["d", "c", "b", "a"], {"last": [3], "rest": ["d", 1, 2]}, [1000, 111]),
        (["0", "1", "2", "3"], {"last": [3], "rest": [0, "1", 2]}, [1000, 111]),
        (["a", 0, 2, "b"], {"zero": [0], "rest": ["a", 2, "b"]}, [10, 1101]),
        ([("u", 1), ("u", 0), ("v", 1), ("v", 0)], {"p": ("v", 1), "rest": [0, 1, 3]}, [100, 1011]),
        ([True, False, "a", "b"], {"no": [False], "rest": [True, "a", "b"]}, [10, 1101]),
    ],
)
def test_groups_go_by_the_labels_of_a_frame(columns: Any, groups: Any, scores: Any) -> None:
    """A label wins over a position: the groups' scores are the sums of their own weights."""
    pd = pytest.importorskip("pandas")
    X, model = _weights(columns, pd)
    explainer = px.KernelShap(model, masker=px.Background(X.iloc[[0]]), groups=groups)
    np.testing.assert_allclose(explainer.explain(X.iloc[[1]]).values[0], scores, rtol=1e-9)


@pytest.mark.parametrize(
    ("columns", "member", "said"),
    [
        ([3, 2, 1, 10], 0, "no column 0; there are.*Position 0 is labeled 3"),
        ([3, 2, 1, 0], 4, r"no column 4; there are \[3, 2, 1, 0\]\.$"),
        (list("abcd"), 4, "no column 4"),
        (list("abcd"), -1, "no column -1"),
        (list("abcd"), True, "no column True"),
        (["3", "2", "1", "0"], 3, "no column 3.*Position 3 is labeled '0'"),
        (list("abcd"), 1.0, r"no column 1\.0"),
        (list("abcd"), ["a"], r"no column \['a'\]"),
    ],
)
def test_unknown_labels_and_positions_are_refused(columns: Any, member: Any, said: str) -> None:
    """In a frame whose labels are integers, no other integer is read as a position."""
    pd = pytest.importorskip("pandas")
    X, model = _weights(columns, pd)
    groups = {"a": [member], "b": [c for c in columns if c != member]}
    with pytest.raises(InvalidParameterError, match=said):
        px.KernelShap(model, groups=groups).fit(X)


def test_names_of_an_array_that_look_like_other_positions() -> None:
    """An integer is not read as a position where another column is called so."""
    names = ["3", "2", "1", "0"]
    explainer = px.KernelShap(
        lambda Z: Z.sum(axis=1), feature_names=names, groups={"a": [3], "b": [0, 1, 2]}
    )
    with pytest.raises(InvalidParameterError, match="Position 3 is labeled '0'"):
        explainer.fit(np.zeros((2, 4)))


@pytest.mark.parametrize(
    "columns", [[1, "1"], ["1", 1], [1.5, "1.5"], [None, "None"], [(1, 2), "(1, 2)"]]
)
def test_columns_that_print_alike_are_refused(columns: Any) -> None:
    """Their scores could be confused."""
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(np.zeros((2, 2)))
    X.columns = pd.Index(columns, dtype=object, tupleize_cols=False)
    with pytest.raises(InvalidInputError, match=r"print alike.*rename one"):
        px.KernelShap(lambda Z: Z.to_numpy().sum(axis=1)).fit(X)


def test_other_names_that_print_alike_are_refused() -> None:
    """Of groups, and of an array's columns."""
    X = np.zeros((2, 2))
    for names, kind in (
        ({"groups": {1: [0], "1": [1]}}, InvalidParameterError),
        ({"feature_names": [1, "1"]}, InvalidInputError),
    ):
        with pytest.raises(kind, match="print alike"):
            px.KernelShap(lambda Z: Z.sum(axis=1), **names).fit(X)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("masker", [px.Background, px.Baseline])
def test_rows_beyond_the_type_are_refused(masker: Any, dtype: Any) -> None:
    """They would become infinite on the way to the model; what is infinite already stays."""
    X = np.ones((1, 3), dtype=dtype)
    rows = np.array([[0.0, -1.5 * float(np.finfo(dtype).max), 2.0]])
    explainer = px.KernelShap(lambda X: np.zeros(len(X)), masker=masker(rows))
    with pytest.raises(InvalidInputError, match=r"hold values up to .* pass X as float64"):
        explainer.explain(X)
    rows[0, 1] = np.inf
    assert explainer.explain(X).values.tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("kind", ["mean", "median"])
@pytest.mark.parametrize(
    ("column", "center"),
    [
        (np.array([2**63 - 1, 2**63 - 3]), 2**63 - 2),
        (np.array([-(2**63)] * 3), -(2**63)),
        (np.array([2**53 + 1] * 2), 2**53 + 1),
        (np.array([2**64 - 1, 2**64 - 3], dtype=np.uint64), 2**64 - 2),
        (np.array([255, 253], dtype=np.uint8), 254),
        (np.array([-128, -128], dtype=np.int8), -128),
        (np.full(3, 65504, dtype=np.float16), 65504),
        (np.full(3, np.finfo(np.float32).max), np.finfo(np.float32).max),
        (np.full(4, 1.7e308), 1.7e308),
        (np.full(4, -1.7e308), -1.7e308),
        (np.array([5e-324, 5e-324]), 5e-324),
    ],
)
def test_the_center_of_a_column_is_in_its_range(kind: Any, column: Any, center: Any) -> None:
    """Large integers neither wrap around nor are rounded, large floats are not infinite."""
    (bound,) = _bind(px.Baseline(kind), column[:1, None], column[:, None])
    assert bound.background.view(column.dtype)[0, 0] == center
