import numpy as np
import pytest
from perturbx.cli.columns import as_the_background, check_dropped, picked, typed
from perturbx.cli.tables import Table
from perturbx.errors import InvalidInputError, InvalidParameterError

pd = pytest.importorskip("pandas")


def table(name="rows.csv", **columns):
    return Table(pd.DataFrame({c: pd.Series(cells) for c, cells in columns.items()}), name)


def test_types_are_found_over_all_files():
    """A column has one type in the data and the background, as if they were one file."""
    data = table(a=["1", "2"], b=["7", None], c=["7", "8"], d=["True", "false"], e=[None, None])
    back = table("t.csv", a=["1.5"], b=["3"], c=["x"], d=["TRUE"], e=[None])
    X, background = typed([data, back], {})
    assert [str(X[c].dtype) for c in "abde"] == ["float64", "float64", "bool", "float64"]
    assert X["c"].tolist() == ["7", "8"]
    assert X["d"].tolist() == [True, False]
    assert (X.dtypes == background.dtypes).all()
    assert background["a"].tolist() == [1.5]


def test_types_that_the_model_wants():
    """Digits stay texts where it takes texts; whole floats become integers, fractions do not."""
    (X,) = typed([table(a=["07", "8"], b=["1.0", "2"])], {"a": "text", "b": "integer"})
    assert X["a"].tolist() == ["07", "8"]
    assert X["b"].dtype == np.int64
    for cells, kind, said in [
        (["1", "x"], "number", "column 'a' has 'x', and the model takes numbers there"),
        (["1", "1.5"], "integer", "column 'a' has fractions or missing values"),
        (["1", None], "integer", "column 'a' has fractions or missing values"),
        (["1", None], "text", "column 'a' has missing values, and the model takes texts there"),
        ([1.5, 2.0], "text", "column 'a' has numbers such as 1.5, and the model takes texts"),
    ]:
        with pytest.raises(InvalidInputError, match=said):
            typed([table(a=cells)], {"a": kind})


def test_types_that_contradict_one_another():
    """Texts in one file and numbers in a typed one are refused with both names."""
    with pytest.raises(InvalidInputError, match=r"'a' has texts in rows.csv and numbers in t.par"):
        typed([table(a=["1", "x"]), table("t.parquet", a=[1.0])], {})
    X, _ = typed([table(a=["1", "2"]), table("t.parquet", a=[1.5])], {})
    assert X["a"].tolist() == [1.0, 2.0]


def test_columns_are_kept_and_dropped():
    """--columns sets the order; a name that is unknown is refused with a suggestion."""
    rows = table(a=["1"], b=["2"], c=["3"])
    assert picked(rows, ["c", "a"], []).columns == ["c", "a"]
    assert picked(rows, None, ["b"]).columns == ["a", "c"]
    with pytest.raises(InvalidParameterError, match=r"--columns: rows.csv has no column 'd'; it"):
        picked(rows, ["d"], [])
    with pytest.raises(InvalidParameterError, match=r"--drop: .* no column 'incme': did you mean"):
        check_dropped(["incme"], [table(income=["1"])])
    with pytest.raises(InvalidInputError, match="no column is left"):
        picked(rows, None, ["a", "b", "c"])


def test_a_column_without_a_name_must_go():
    """The index that pandas writes is no feature."""
    rows = table(**{"column 1": ["0"], "a": ["1"]})
    with pytest.raises(InvalidInputError, match='leave it out: --drop "column 1"'):
        picked(rows, None, [])
    assert picked(rows, None, ["column 1"]).columns == ["a"]


def test_data_and_background_have_the_same_columns():
    """Another order is that of the background; other columns are refused in both directions."""
    data, back = table(a=["1"], b=["2"]), table("t.csv", b=["2"], a=["1"])
    found, moved = as_the_background(data, back)
    assert (found.columns, moved) == (["b", "a"], True)
    more = table("t.csv", a=["1"], b=["2"], target=["y"])
    with pytest.raises(
        InvalidInputError, match=r't.csv has columns that rows.csv lacks: .*target"'
    ):
        as_the_background(data, more)
    with pytest.raises(InvalidInputError, match=r"rows.csv has columns that t.csv lacks: 'b'"):
        as_the_background(data, table("t.csv", a=["1"]))


def test_categories_are_those_of_the_background():
    """Texts of a CSV file become categories of the Parquet file; others are refused."""
    dtype = pd.CategoricalDtype(["low", "high"], ordered=True)
    back = Table(pd.DataFrame({"a": pd.Series(["low", "high"], dtype=dtype)}), "t.parquet")
    X, _ = typed([table(a=["high", None]), back], {})
    assert X["a"].dtype == dtype
    assert X["a"].isna().tolist() == [False, True]
    with pytest.raises(InvalidInputError, match="column 'a' has 'medium', which is no category"):
        typed([table(a=["medium"]), back], {})
