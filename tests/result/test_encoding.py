"""Every cell and every array comes back as what it was, or is refused before it is written."""

from __future__ import annotations

import datetime
import enum
from collections import OrderedDict
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidParameterError

ENDINGS = (".npz", ".json")


def explanation_of(data: Any) -> px.Explanation:
    """One instance whose data is a row of cells."""
    d = len(data)
    return px.Explanation(
        values=np.arange(float(d)),
        standard_errors=np.zeros(d),
        base_values=np.float64(0),
        predictions=np.float64(1),
        data=data,
        feature_names=tuple(f"x{i}" for i in range(d)),
        output_names=("output",),
        axes=("feature",),
        method="KernelShap",
        value_function="a baseline",
        n_rows=1,
        n_calls=1,
    )


def row(*cells: Any) -> np.ndarray:
    out = np.empty(len(cells), dtype=object)
    out[:] = cells
    return out


def back(data: Any, path: Path) -> Any:
    explanation_of(data).save(path)
    return px.load(path).data


def assert_same(a: Any, b: Any) -> None:
    """The same type and all that is shown of it; a missing marker is no other marker."""
    assert type(a) is type(b)
    assert repr(a) == repr(b)
    assert getattr(a, "dtype", None) == getattr(b, "dtype", None)
    assert getattr(a, "unit", None) == getattr(b, "unit", None)


BERLIN = ZoneInfo("Europe/Berlin")
CELLS = {
    "missing": (None, np.nan, np.datetime64("NaT"), np.datetime64("NaT", "ns")),
    "missing durations": (np.timedelta64("NaT"), np.timedelta64("NaT", "D")),
    "floats": (float("inf"), -float("inf"), -0.0, 5e-324),
    "integers": (0, 2**53 + 1, 2**63, -(2**64), 10**1200),
    "bools": (True, False, np.True_),
    "numpy scalars": (np.int8(3), np.uint64(2**64 - 1), np.float16(1.1), np.float32(1.1)),
    "missing numpy scalars": (np.float32("nan"), np.float64("-inf"), np.complex64(1 + 2j)),
    "long double": (np.longdouble(1) / 3,),
    "numpy dates": (np.datetime64("2024-02-29"), np.datetime64("2024-02"), np.timedelta64(3, "D")),
    "dates": (datetime.date(2024, 2, 29), datetime.time(1, 2, 3, 4), datetime.timedelta(-1, 2, 3)),
    "datetimes": (
        datetime.datetime(2024, 2, 29, 1, 2, 3, 4),
        datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone.utc),
        datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone(datetime.timedelta(hours=5.5))),
        datetime.datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN, fold=1),
    ),
    "decimals": (Decimal("1.50"), Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity")),
    "other numbers": (Fraction(1, 3), 1 + 2j, complex(-0.0, float("nan"))),
    "bytes": (b"", b"\x00\xff", np.bytes_(b"a\x00b"), UUID(int=5)),
    "texts": ("", "a\x00", "größe", "NaN", np.str_("x"), "\ud800"),
    "containers": ((1, (2,)), [1, [None]], {"float": "x"}, {1: "a", None: np.nan}, (), []),
    "arrays": (np.arange(3), np.array([b"x", None], dtype=object)),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("cells", CELLS.values(), ids=CELLS.keys())
def test_cells_come_back(cells: tuple[Any, ...], ending: str, tmp_path: Path) -> None:
    """Each as the type that it was: no marker becomes another marker, or text."""
    for cell, found in zip(cells, back(row(*cells), tmp_path / f"x{ending}"), strict=True):
        assert_same(cell, found)


@pytest.mark.parametrize("ending", ENDINGS)
def test_cells_of_pandas_come_back(ending: str, tmp_path: Path) -> None:
    """NA, NaT, and times with their unit and their zone, on both sides of a clock change."""
    pd = pytest.importorskip("pandas")
    change = pd.to_datetime(["2024-10-27 00:30", "2024-10-27 01:30"], utc=True)
    cells = (
        *(pd.NA, pd.NaT, pd.Timestamp("2024-02-29 01:02:03.123456789")),
        *(pd.Timestamp("2024", tz="UTC"), *change.tz_convert("Europe/Berlin")),
        *(pd.Timestamp("2024-01-01 00:00+05:30"), pd.Timestamp("1500").as_unit("s")),
        *(pd.Timedelta(5, "ns"), pd.Timedelta(days=-3), pd.Timedelta(5, "s").as_unit("ms")),
        *(pd.Period("2024", "M"), pd.Period("2024Q1", freq="Q-NOV"), pd.Interval(0.5, 1, "both")),
        pd.Interval(pd.Timestamp("2024"), pd.Timestamp("2025"), "left"),
    )
    for cell, found in zip(cells, back(row(*cells), tmp_path / f"x{ending}"), strict=True):
        assert_same(cell, found)


ARRAYS = {
    "dates": np.array(["2024-02-29", "NaT"], dtype="datetime64[ns]"),
    "months": np.array(["2024-02", "-0044-03"], dtype="datetime64[M]"),
    "durations": np.array([5, "NaT"], dtype="timedelta64[h]"),
    "no unit": np.array(["NaT", "NaT"], dtype="datetime64"),
    "complex": np.array([1 + 2j, complex(np.nan, np.inf)], dtype=np.complex64),
    "bytes": np.array([b"a\x00b", b""]),
    "texts": np.array(["größe", ""]),
    "wide texts": np.array(["a", "b"], dtype="<U1000"),
    "long double": np.array([1, 2], dtype=np.longdouble) / 3,
    "big-endian": np.array([1.5, np.nan], dtype=">f8"),
    "bools": np.array([True, False]),
    "half": np.array([1.1, np.inf], dtype=np.float16),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS.keys())
def test_arrays_come_back(array: np.ndarray, ending: str, tmp_path: Path) -> None:
    """Of every dtype without objects: the same dtype and the same bytes."""
    found = back(array, tmp_path / f"x{ending}")
    assert found.dtype == array.dtype
    assert found.tobytes() == array.tobytes()


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_was_explained_comes_back(ending: str, tmp_path: Path) -> None:
    """The cells of a frame with a column of every kind, from the model's input to the file."""
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(
        {
            "when": pd.date_range("2024-01-01", periods=4, tz="Europe/Berlin"),
            "period": pd.period_range("2024-01", periods=4, freq="M"),
            "count": pd.array([1, None, 3, 4], dtype="Int64"),
            "price": [Decimal("1.50"), Decimal(2), Decimal(3), Decimal(4)],
            "day": [datetime.date(2024, 1, day) for day in (1, 2, 3, 4)],
        }
    )
    explanation = px.Occlusion(lambda X: np.ones(len(X)), masker=px.Background(X)).explain(X)
    explanation.save(tmp_path / f"x{ending}")
    loaded = px.load(tmp_path / f"x{ending}").data
    for cell, found in zip(explanation.data.flat, loaded.flat, strict=True):
        assert_same(cell, found)


class Color(enum.IntEnum):
    RED = 1


class Name(str):
    pass


loop: list[Any] = []
loop.append(loop)
UNKNOWN = [
    *(object(), Color.RED, Name("x"), {1, 2}, range(3), bytearray(b"x"), OrderedDict(a=1)),
    *(Path("x"), np.ma.masked, loop, 10**5000, np.zeros(2, dtype="i4,f4"), np.void(b"x")),
    *(np.ma.masked_array([1, 2], [0, 1]), datetime.time(1, tzinfo=BERLIN)),
]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("cell", UNKNOWN, ids=lambda cell: type(cell).__name__)
def test_what_would_not_come_back_is_refused(cell: Any, ending: str, tmp_path: Path) -> None:
    """With what it is and how to save it as text; the file that was there stays."""
    path = tmp_path / f"x{ending}"
    path.write_bytes(b"before")
    with pytest.raises(InvalidParameterError, match=r"cannot be saved.*astype\(str\)"):
        explanation_of(row(cell, 1.0)).save(path)
    assert path.read_bytes() == b"before"
