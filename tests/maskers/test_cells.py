"""A model receives the instance's own cells and background rows' cells, and nothing else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidInputError
from scipy import sparse

NAN = float("nan")


class Frozen:
    """A cell of a class of the user's, equal to others of its number, yet another object."""

    def __init__(self, number: int, note: str) -> None:
        self.number, self.note = number, note

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frozen) and self.number == other.number

    def __hash__(self) -> int:
        return hash(self.number)


class NeverEqual:
    """A cell that equals nothing, not even itself."""

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]


class Recorder:
    """A model that keeps every batch that it is given."""

    def __init__(self) -> None:
        self.batches: list[Any] = []

    def __call__(self, batch: Any) -> np.ndarray:
        self.batches.append(batch)
        return np.arange(batch.shape[0], dtype=float) * 0 + 1.0


def look(cell: Any) -> tuple[Any, ...]:
    """All that a model may see of a cell: its class, and its text, its bits or its very self."""
    if isinstance(cell, float):
        return type(cell), np.float64(cell).tobytes()
    if isinstance(cell, np.generic):
        return type(cell), cell.dtype, cell.tobytes()
    if isinstance(cell, (Frozen, NeverEqual)):
        return type(cell), id(cell)
    return type(cell), repr(cell)


EXPLAINERS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "background": lambda f, row, first: px.KernelShap(f, masker=px.Background(max_rows=4)),
    "baseline": lambda f, row, first: px.KernelShap(f, masker=px.Baseline(row)),
    "noise": lambda f, row, first: px.Lime(
        f, masker=px.GaussianNoise(categorical=[first]), budget=40
    ),
    "tree": lambda f, row, first: px.OwenShap(f, masker=px.ColumnTree()),
}
"""A method with each masker of tables, for a model, a baseline row and the first column."""

OBJECTS: dict[str, list[Any]] = {
    "text and None": ["a", "b", None, "a", "", "b"],
    "text and NaN": ["a", "b", NAN, "a", "b", "a"],
    "numbers and bools": [1, 1.0, True, 0, False, 0.0],
    "signed zeros": [0.0, -0.0, 1, -0.0, 0.0, 1],
    "big integers": [2**70, 2**70 + 1, -(2**63), 5, 2**53 + 1, 2**53],
    "integers and None": [1, None, 3, 4, None, 1],
    "bools and None": [True, None, False, True, None, False],
    "decimals": [Decimal("1.0"), Decimal("1.00"), Decimal("NaN"), Decimal(1), Decimal(2), None],
    "fractions": [Fraction(1, 3), Fraction(1, 2), 0.5, Fraction(1), 1, None],
    "numpy scalars": [np.float32(1), np.float64(1), np.int8(1), 1, np.str_("a"), "a"],
    "bytes": [b"a", "a", b"", b"b", None, b"a"],
    "dates": [dt.date(2024, 1, 1), dt.datetime(2024, 1, 1), None, dt.time(1), dt.timedelta(1), 0],
    "datetimes": [dt.datetime(2024, 1, d) for d in range(1, 7)],
    "zones": [
        dt.datetime(2024, 1, 1, 12, tzinfo=dt.timezone.utc),
        dt.datetime(2024, 1, 1, 13, tzinfo=dt.timezone(dt.timedelta(hours=1))),
        *[dt.datetime(2024, 1, d, tzinfo=dt.timezone.utc) for d in range(2, 6)],
    ],
    "tuples": [(1, 2), (1.0, True), (), ("a",), (1, 2), None],
    "lists": [[1, 2], [3], [], ["a"], [1, 2], None],
    "sets and dicts": [{1}, frozenset([1]), {"a": 1}, {}, {1}, None],
    "objects of a class": [Frozen(1, "a"), Frozen(1, "b"), Frozen(2, "c"), None, 1, Frozen(1, "d")],
    "never equal": [NeverEqual(), NeverEqual(), NeverEqual(), NeverEqual(), 1, None],
    "complex": [1j, 1 + 0j, complex(NAN, 1), complex(-0.0, 0), 0j, 1],
    "nothing": [None] * 6,
}

PANDAS: dict[str, Callable[[Any], Any]] = {
    "str": lambda pd: pd.Series(["a", "b", None, "a", "", "b"]),
    "string": lambda pd: pd.Series(["a", None, "b", "a", None, ""], dtype="string"),
    "Int64": lambda pd: pd.Series([1, None, 2**60 + 1, 3, 1, 2], dtype="Int64"),
    "UInt8": lambda pd: pd.Series([1, None, 255, 3, 1, 2], dtype="UInt8"),
    "Float32": lambda pd: pd.Series([1.5, None, -0.0, 0.0, 1, 2], dtype="Float32"),
    "boolean": lambda pd: pd.Series([True, None, False, True, None, False], dtype="boolean"),
    "category": lambda pd: pd.Series(
        pd.Categorical([*list("abca"), None, "b"], categories=list("zbac"), ordered=True)
    ),
    "integer category": lambda pd: pd.Series(pd.Categorical([3, 1, None, 3, 2, 1], [3, 9, 1, 2])),
    "no category": lambda pd: pd.Series(pd.Categorical([None] * 6, categories=[])),
    "datetime": lambda pd: pd.Series(pd.to_datetime(["2024-01-01", None, *["2024-02-01"] * 4])),
    "seconds": lambda pd: pd.Series(np.arange(6).astype("datetime64[s]")),
    "zone": lambda pd: pd.Series(pd.date_range("2024-03-30", periods=6, tz="Europe/Berlin")),
    "timedelta": lambda pd: pd.Series(pd.to_timedelta([1, None, 3, 4, 5, 6], unit="s")),
    "period": lambda pd: pd.Series(pd.PeriodIndex(["2024-01", None, *["2024-03"] * 4], freq="M")),
    "interval": lambda pd: pd.Series(pd.interval_range(0, 6)).where([True, False, *[True] * 4]),
    "sparse": lambda pd: pd.Series([0.0, 1.0, NAN, 0.0, 2.0, 1.0], dtype="Sparse[float64]"),
    "sparse integers": lambda pd: pd.Series([0, 1, 0, 0, 2, 1], dtype="Sparse[int64]"),
    "sparse bools": lambda pd: pd.Series([True, False] * 3, dtype="Sparse[bool]"),
    "complex": lambda pd: pd.Series(np.array([1j, 0, complex(-0.0, NAN), 2, 0, 1j])),
    "float16": lambda pd: pd.Series([0.1, NAN, -0.0, 0, 1, 2], dtype="float16"),
    "float32": lambda pd: pd.Series([0.1, NAN, -0.0, 0, 1, 2], dtype="float32"),
    "longdouble": lambda pd: pd.Series(np.arange(6).astype(np.longdouble) / 3),
    "uint64": lambda pd: pd.Series([2**64 - 1, 0, 2**63, 1, 2**53 + 1, 2], dtype="uint64"),
    "bool": lambda pd: pd.Series([True, False] * 3),
    "object with NA": lambda pd: pd.Series(["a", pd.NA, None, NAN, pd.NaT, "b"], dtype=object),
    "object of dates": lambda pd: pd.Series(
        [pd.Timestamp("2024-01-01"), pd.NaT, None, pd.Timestamp("2024-01-01", tz="UTC"), 1, "a"],
        dtype=object,
    ),
    "object of Timestamps": lambda pd: pd.Series(
        pd.date_range("2024-01-01", periods=6).to_list(), dtype=object
    ),
    "object of periods": lambda pd: pd.Series(
        pd.period_range("2024-01", periods=6, freq="M").to_list(), dtype=object
    ),
    "object of intervals": lambda pd: pd.Series(pd.interval_range(0, 6).to_list(), dtype=object),
    "object of integers": lambda pd: pd.Series([1, 2, 3, 1, 2, 3], dtype=object),
    "object of bools": lambda pd: pd.Series([True, False] * 3, dtype=object),
}

ARROW: dict[str, tuple[str, list[Any]]] = {
    "int32": ("int32", [1, None, 3, 4, 1, 2]),
    "float64": ("float64", [1.5, None, -0.0, 0.0, 1, 2]),
    "string": ("string", ["a", None, "b", "a", "", "b"]),
    "large text": ("large_string", ["a", None, "b", "a", "", "b"]),
    "bool": ("bool_", [True, None, False, True, None, False]),
    "date": ("date32", [dt.date(2024, 1, 1), None, *[dt.date(2024, 2, 1)] * 4]),
    "time": ("time64", [dt.time(1), None, *[dt.time(2)] * 4]),
    "decimal": ("decimal128", [Decimal("1.50"), None, *[Decimal("2.25")] * 4]),
    "binary": ("binary", [b"a", None, b"", b"b", b"a", b"c"]),
    "list": ("list_", [[1, 2], None, [], [3], [1, 2], [4]]),
    "timestamp": ("timestamp", [dt.datetime(2024, 1, 1), None, *[dt.datetime(2024, 2, 1)] * 4]),
}

POLARS: dict[str, Callable[[Any], Any]] = {
    "Int8": lambda pl: pl.Series([1, 2, 3, 4, 5, 6], dtype=pl.Int8),
    "Int64 with null": lambda pl: pl.Series([1, None, 2**60 + 1, 3, 1, 2], dtype=pl.Int64),
    "Int128": lambda pl: pl.Series([1, None, 2**100, 3, 1, 2], dtype=pl.Int128),
    "UInt64": lambda pl: pl.Series([2**64 - 1, 0, 2**63, 1, 3, 2], dtype=pl.UInt64),
    "Float32": lambda pl: pl.Series([0.1, NAN, -0.0, 0.0, 1, 2], dtype=pl.Float32),
    "Float64 with null": lambda pl: pl.Series([0.1, NAN, -0.0, 0.0, None, 2], dtype=pl.Float64),
    "Boolean": lambda pl: pl.Series([True, None, False, True, None, False]),
    "String": lambda pl: pl.Series(["a", None, "", "b", "a", "b"]),
    "Categorical": lambda pl: pl.Series(["a", None, "c", "b", "a", "b"], dtype=pl.Categorical),
    "Enum": lambda pl: pl.Series(["a", None, "b", "b", "a", "b"], dtype=pl.Enum(list("zba"))),
    "Date": lambda pl: pl.Series([dt.date(2024, 1, 1), None, *[dt.date(2024, 2, 1)] * 4]),
    "Datetime": lambda pl: pl.Series(
        [dt.datetime(2024, 1, d) for d in range(1, 7)], dtype=pl.Datetime("ns", "Europe/Berlin")
    ),
    "Duration": lambda pl: pl.Series([dt.timedelta(1), None, *[dt.timedelta(2)] * 4]),
    "Time": lambda pl: pl.Series([dt.time(1), None, *[dt.time(2)] * 4]),
    "Decimal": lambda pl: pl.Series(
        [Decimal("1.50"), None, *[Decimal("2.25")] * 4], dtype=pl.Decimal(10, 2)
    ),
    "Binary": lambda pl: pl.Series([b"a", None, b"", b"b", b"a", b"c"]),
    "List": lambda pl: pl.Series([[1, 2], None, [], [3], [1, 2], [4]]),
    "Array": lambda pl: pl.Series([[1, 2], None, *[[3, 4]] * 4], dtype=pl.Array(pl.Int8, 2)),
    "Struct": lambda pl: pl.Series([{"a": 1, "b": "x"}, *[{"a": None, "b": "y"}] * 5]),
    "Null": lambda pl: pl.Series([None] * 6, dtype=pl.Null),
}


def _received(kind: str, X: Any, x: Any, groups: Any = None) -> list[Any]:
    """Every batch that a model receives while x is explained."""
    first = X.columns[0] if hasattr(X, "columns") else 0
    explainer = EXPLAINERS[kind](model := Recorder(), X[:1], first)
    explainer.set_params(random_state=0, groups=groups).fit(X).explain(x)
    return model.batches


def _check_cells(kind: str, X: Any, x: Any, column: Callable[[Any, int], list[Any]]) -> list[Any]:
    """Each cell of column 0 is that of the row whose number is in column 1.

    The two columns are one feature, so they always come from the same row. Noise moves the
    number by itself; there the cell is one of those that are known.
    """
    own = {number: look(cell) for cell, number in zip(column(X, 0), column(X, 1), strict=True)}
    groups = None if kind == "noise" else {"pair": [0, 1], "rest": [2]}
    batches = _received(kind, X, x, groups)
    assert len(batches) > 2
    for batch in batches:
        for cell, number in zip(column(batch, 0), column(batch, 1), strict=True):
            assert look(cell) in own.values() if kind == "noise" else look(cell) == own[number]
    return batches


def _check_frames(kind: str, X: Any, x: Any, column: Callable[[Any, int], list[Any]]) -> None:
    for batch in _check_cells(kind, X, x, column):
        assert type(batch) is type(X)
        assert list(batch.dtypes) == list(X.dtypes)


def _of_pandas(frame: Any, position: int) -> list[Any]:
    return list(frame.iloc[:, position])


def _columns(cells: Any) -> dict[str, Any]:
    return {"c": cells, "n": np.arange(6), "z": np.arange(6.0) ** 2}


@pytest.mark.parametrize("kind", EXPLAINERS)
@pytest.mark.parametrize("cells", OBJECTS)
def test_objects_in_pandas(cells: str, kind: str) -> None:
    """Whatever object a cell is, the model receives that object, or a background row's."""
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(_columns(pd.Series(OBJECTS[cells], dtype=object)))
    _check_frames(kind, X, X.iloc[2:4], _of_pandas)


@pytest.mark.parametrize("kind", EXPLAINERS)
@pytest.mark.parametrize("name", PANDAS)
def test_types_of_pandas(name: str, kind: str) -> None:
    """Every type, with its missing marker, comes as it was."""
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(_columns(PANDAS[name](pd)))
    _check_frames(kind, X, X.iloc[2:4], _of_pandas)


@pytest.mark.parametrize("kind", EXPLAINERS)
@pytest.mark.parametrize("name", ARROW)
def test_types_of_pyarrow(name: str, kind: str) -> None:
    """Types that pandas has from pyarrow."""
    pd = pytest.importorskip("pandas")
    pa = pytest.importorskip("pyarrow")
    arguments = {
        "time64": ["us"],
        "decimal128": [10, 2],
        "list_": [pa.int64()],
        "timestamp": ["ns", "UTC"],
    }
    arrow, cells = ARROW[name]
    dtype = pd.ArrowDtype(getattr(pa, arrow)(*arguments.get(arrow, [])))
    X = pd.DataFrame(_columns(pd.Series(cells, dtype=dtype)))
    _check_frames(kind, X, X.iloc[2:4], _of_pandas)


@pytest.mark.parametrize("kind", EXPLAINERS)
@pytest.mark.parametrize("name", POLARS)
def test_types_of_polars(name: str, kind: str) -> None:
    """Every type of polars, with and without null."""
    pl = pytest.importorskip("polars")
    if not hasattr(pl, name.partition(" ")[0]):
        pytest.skip(f"this polars has no {name}")
    X = pl.DataFrame(_columns(POLARS[name](pl)))
    _check_frames(kind, X, X[2:4], lambda frame, position: frame.to_series(position).to_list())


@pytest.mark.parametrize("kind", EXPLAINERS)
@pytest.mark.parametrize("cells", OBJECTS)
def test_objects_in_arrays(cells: str, kind: str) -> None:
    """An object array holds the same objects, whatever the other columns hold."""
    X = np.empty((6, 3), dtype=object)
    X[:, 0] = np.fromiter(OBJECTS[cells], dtype=object, count=6)
    X[:, 1], X[:, 2] = range(6), ["u", "v", "w", "u", "v", "w"]
    for batch in _check_cells(kind, X, X[2:4], lambda array, position: list(array[:, position])):
        assert (type(batch), batch.dtype) == (np.ndarray, np.dtype(object))


def test_a_list_of_numbers_fits_an_array_of_objects() -> None:
    """A row, a baseline and a background of numbers alone, where fit saw other objects besides."""
    X = [[None, 1], [2, True], ["a", 5]]
    for masker in (px.Background(), px.Baseline([0, 0]), px.Background([[0, 0], [1, 1]])):
        model = Recorder()
        px.KernelShap(model, masker=masker).fit(X).explain([[2, True]])
        known = {look(cell) for row in (*X, [0, 0], [1, 1]) for cell in row}
        for batch in model.batches:
            assert batch.dtype == object
            assert {look(cell) for cell in batch.flat} <= known


def test_a_list_whose_integers_a_float_rounds_is_refused() -> None:
    """Mixed with fractions, NumPy would change them without a word."""
    model = px.KernelShap(lambda Z: Z[:, 0] * 1.0)
    with pytest.raises(InvalidInputError, match=r"integer 9007199254740993.*dtype=object"):
        model.fit([[2**53 + 1, 0.5], [1, 2.5]])
    assert model.fit([[2**53, 0.5], [1, 2.5]]).explain([[2**53, 0.5]]).shape == (1, 2)


@pytest.mark.parametrize("kind", EXPLAINERS)
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f8", "i1", "u8", "bool", "U3", "S3"])
def test_arrays_of_one_type(dtype: str, kind: str) -> None:
    """NumPy's types, in either byte order."""
    X = np.array([[0, 1], [1, 0], [1, 1], [0, 0], [1, 1], [0, 1]]).astype(dtype)
    known = {look(cell) for cell in X[:, 0]}
    for batch in _received(kind, X, X[2:4]):
        assert (type(batch), batch.dtype) == (np.ndarray, X.dtype)
        assert {look(cell) for cell in batch[:, 0]} <= known


@pytest.mark.parametrize("kind", EXPLAINERS)
@pytest.mark.parametrize("form", ["csr_array", "csc_matrix", "coo_array", "lil_matrix"])
def test_sparse_arrays(form: str, kind: str) -> None:
    """SciPy's classes and formats, also with a zero below zero."""
    values = np.array([[0, 1], [1, 0], [-0.0, 1], [0, 2], [1, 1], [2, 1]])
    make = getattr(sparse, form)
    explainer = EXPLAINERS[kind](model := Recorder(), make(values[:1]), 0)
    explainer.set_params(random_state=0).fit(make(values)).explain(make(values[2:4]))
    for batch in model.batches:
        assert (type(batch), batch.dtype) == (type(make(values)), values.dtype)
        assert {look(cell) for cell in batch.toarray()[:, 0]} <= {look(c) for c in values[:, 0]}


class Labelled:
    """How a frame of the user's is made, with all that frames may carry besides their cells."""

    @staticmethod
    def frame(pd: Any, columns: Any) -> Any:
        class MyFrame(pd.DataFrame):
            _metadata = ("crs",)

            @property
            def _constructor(self) -> Any:
                return MyFrame

        X = MyFrame({0: ["a", "b", None, "a"], 1: np.arange(4.0)})
        X.columns = columns
        X.crs = "EPSG:4326"
        X.attrs["units"] = np.array([1, 2])
        return X


COLUMNS: dict[str, Callable[[Any], Any]] = {
    "named": lambda pd: pd.Index(["p", "q"], name="fields"),
    "objects": lambda pd: pd.Index(["p", "q"], dtype=object),
    "integers": lambda pd: pd.Index([7, 3], dtype="int64", name="id"),
    "range": lambda pd: pd.RangeIndex(2),
    "levels": lambda pd: pd.MultiIndex.from_tuples([("u", 1), ("u", 2)], names=["top", None]),
    "dates": lambda pd: pd.date_range("2024-01-01", periods=2, name="day"),
    "categories": lambda pd: pd.CategoricalIndex(["q", "p"], categories=["p", "q", "z"]),
    "intervals": lambda pd: pd.interval_range(0, 2),
    "mixed": lambda pd: pd.Index(["p", 3], dtype=object),
}


@pytest.mark.parametrize("kind", EXPLAINERS)
@pytest.mark.parametrize("name", COLUMNS)
def test_a_frame_is_received_with_all_that_it_carries(name: str, kind: str) -> None:
    """Class, metadata, attrs, and the index of the columns: type, name, names of levels."""
    pd = pytest.importorskip("pandas")
    X = Labelled.frame(pd, COLUMNS[name](pd))
    for batch in _received(kind, X, X.iloc[1:3]):
        assert type(batch) is type(X)
        assert batch.crs == X.crs
        assert np.array_equal(batch.attrs["units"], X.attrs["units"])
        assert batch.columns.identical(X.columns)
        assert isinstance(batch.index, pd.RangeIndex)


def test_frames_of_one_type_carry_it_too() -> None:
    """The fast path, whose columns are one block."""
    pd = pytest.importorskip("pandas")
    X = Labelled.frame(pd, pd.Index(["p", "q"], name="fields"))
    X["p"] = np.arange(4.0) ** 2
    for batch in _received("background", X, X.iloc[1:3]):
        assert (type(batch), batch.crs, batch.columns.name) == (type(X), X.crs, "fields")


@pytest.mark.parametrize("masker", [px.Background, px.Baseline])
def test_rows_without_attributes(masker: Any) -> None:
    """The model's batches carry the attributes of X, wherever the other cells are from."""
    pd = pytest.importorskip("pandas")
    rows = pd.DataFrame({"a": [1.0], "b": [2.0]})
    X = rows + 1
    X.attrs["units"], X.columns.name = "m", "fields"
    px.KernelShap(model := Recorder(), masker=masker(rows)).explain(X)
    for batch in model.batches:
        assert (batch.attrs, batch.columns.name) == ({"units": "m"}, "fields")


def test_a_renamed_batch_leaves_the_users_frame_alone() -> None:
    """A model may name the columns of its batch."""
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [1.0, 4.0, 9.0]})

    def model(Z: Any) -> Any:
        Z.columns.name = "renamed"
        return Z["a"].to_numpy()

    px.KernelShap(model).fit(X).explain(X)
    assert X.columns.name is None


def test_frames_that_cannot_be_rebuilt_are_refused() -> None:
    """A subclass that pandas forgets, or that polars cannot make again: at fit, with the cure."""
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")

    class Forgotten(pd.DataFrame):
        pass

    class Mine(pl.DataFrame):
        pass

    for make, cure in ((Forgotten, r"pd\.DataFrame\(X\)"), (Mine, r"pl\.DataFrame\(X\)")):
        X = make({"a": [1.0, 2.0], "b": [3.0, 4.0]})
        with pytest.raises(InvalidInputError, match=cure):
            px.KernelShap(Recorder()).fit(X)


def test_polars_objects_are_refused() -> None:
    """With the frame that holds them."""
    pl = pytest.importorskip("polars")
    X = pl.DataFrame({"o": pl.Series([1, "a", None], dtype=pl.Object), "z": [1, 2, 3]})
    with pytest.raises(InvalidInputError, match=r"'o' of X is of dtype Object.*pd\.DataFrame\(X"):
        px.KernelShap(Recorder()).fit(X)


def test_frames_that_change_their_own_cells_are_refused() -> None:
    """A container that cannot be rebuilt exactly never reaches the model."""
    pd = pytest.importorskip("pandas")

    class Coarse(pd.DataFrame):
        @property
        def _constructor(self) -> Any:
            return lambda *args, **keys: Coarse(pd.DataFrame(*args, **keys).astype("float32"))

    with pytest.raises(InvalidInputError, match=r"'a' of X, of dtype float64, becomes float32"):
        px.KernelShap(Recorder()).fit(Coarse({"a": [1.0, 2.0], "b": [3.0, 4.0]}))
