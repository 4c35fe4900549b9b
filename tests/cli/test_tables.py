import random
import sys

import numpy as np
import pytest
from perturbx.cli.columns import picked, typed
from perturbx.cli.tables import read_table
from perturbx.errors import InvalidInputError

pd = pytest.importorskip("pandas")

FRAME = pd.DataFrame({"age": ["20", "31"], 'a "b", c': ["x;y", np.nan], "größe": ["1.5", "2"]})


def same(found):
    pd.testing.assert_frame_equal(found, FRAME, check_dtype=False)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_are_found(separator, tmp_path):
    """The separator is that of the first line; quoted names and cells keep theirs."""
    path = tmp_path / "rows.csv"
    FRAME.to_csv(path, sep=separator, index=False)
    same(read_table(path).frame)
    same(read_table(path, separator=separator).frame)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings(encoding, tmp_path):
    """Byte order marks tell the encoding; others are named, or the error says how to."""
    path = tmp_path / "rows.csv"
    path.write_text(FRAME.to_csv(index=False), encoding=encoding)
    if encoding == "latin-1":
        with pytest.raises(InvalidInputError, match=r"not UTF-8 \(byte 19\).*--encoding latin-1"):
            read_table(path)
    same(read_table(path, encoding=encoding if encoding == "latin-1" else None).frame)


def test_parquet(tmp_path):
    """Parquet keeps its types; without pyarrow the extra is named."""
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": [1.5, np.nan], "b": ["x", "y"]}, index=[7, 9])
    frame.to_parquet(tmp_path / "rows.parquet")
    pd.testing.assert_frame_equal(
        read_table(tmp_path / "rows.parquet").frame, frame.reset_index(drop=True)
    )
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(InvalidInputError, match=r"bad.parquet cannot be read as Parquet"):
        read_table(tmp_path / "bad.parquet")


def test_missing_libraries_are_named(tmp_path, monkeypatch):
    """Without pandas or pyarrow the error says what to install."""
    (tmp_path / "rows.csv").write_text("a\n1\n")
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r'pip install "perturbx\[parquet\]"'):
        read_table(tmp_path / "rows.parquet")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r'pip install "perturbx\[cli\]"'):
        read_table(tmp_path / "rows.csv")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "rows.csv is empty."),
        ("\n \n", "rows.csv is empty."),
        ("\ufeff", "rows.csv is empty."),
        ("a,b\n", "rows.csv has no rows."),
        ("a,b\n1,2\n3\n", "line 3: 1 fields, where the first line has 2 names"),
        ("a,b\n1,2,3\n", "line 2: 3 fields, where the first line has 2 names. Fields are separ"),
        ("a,b\n1,2,3\n4,5,6\n", "line 2: 3 fields"),
        ('a,b\n1,"2\n', "line 2: unexpected end of data."),
        ('a,b\n1,"2"3\n', "line 2: ',' expected after '\"'."),
        ("a,b,a\n1,2,3\n", r"the first line must have the names of the columns.*'a' occurs more"),
        ("a\0b\n1\n", "not a text file: it has NUL characters"),
        ("a;b\n1,5;2\n2,25;3\n", r"column 'a' has decimal commas, as in '1,5'. Pass --decimal"),
    ],
)
def test_files_that_are_no_tables(content, said, tmp_path):
    """Each names the file and, where there is one, the line."""
    (tmp_path / "rows.csv").write_text(content, encoding="utf-8")
    with pytest.raises(InvalidInputError, match=said):
        read_table(tmp_path / "rows.csv")


def test_damaged_files_are_read_or_refused(tmp_path):
    """Bytes that are changed, added or cut off never end in another library's error."""
    rng, path, refused = random.Random(0), tmp_path / "rows.csv", 0
    for _ in range(150):
        content = bytearray('age,"se,x",größe\n20,m,1.5\n"4\n4",f,\n'.encode())
        for _ in range(rng.choice([1, 2, 6])):
            place = rng.randrange(len(content))
            piece = rng.choice([b'"', b",", b";", b"\n", b"\r", b"\0", bytes([rng.randrange(256)])])
            content[place : place + rng.randrange(3)] = piece
        path.write_bytes(content[: rng.choice([None, rng.randrange(len(content))])])
        try:
            table = picked(read_table(path, decimal=rng.choice(".,")), None, [])
            assert len(typed([table], {})[0]) == len(table.frame)
        except InvalidInputError:
            refused += 1
    assert 30 < refused < 150


def test_lines_are_counted_as_an_editor_does(tmp_path):
    """A line break inside quotes, and blank lines, do not shift the number."""
    (tmp_path / "rows.csv").write_text('a,b\n"1\n1",2\n\n3\n')
    with pytest.raises(InvalidInputError, match="line 5: 1 fields"):
        read_table(tmp_path / "rows.csv")


def test_decimal_commas(tmp_path):
    """With --decimal they become points, in columns of numbers alone."""
    (tmp_path / "rows.csv").write_text("a;b\n1,5;x,y\n-2;z\n")
    found = read_table(tmp_path / "rows.csv", decimal=",").frame
    assert found.to_numpy().tolist() == [["1.5", "x,y"], ["-2", "z"]]


@pytest.mark.parametrize("name", ["rows.xlsx", "rows.pkl", "rows.json", "rows.npz"])
def test_other_formats_are_not_opened(name, tmp_path):
    """A spreadsheet or a pickle is refused by its ending."""
    (tmp_path / name).write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(InvalidInputError, match="read from CSV and Parquet files, not"):
        read_table(tmp_path / name)


def test_cells_are_those_of_pandas(tmp_path):
    """Blanks around cells stay, as a model trained with pandas.read_csv has seen them."""
    (tmp_path / "rows.csv").write_text("a,b\n1, State-gov\n2, ?\n")
    pd.testing.assert_frame_equal(
        read_table(tmp_path / "rows.csv").frame, pd.read_csv(tmp_path / "rows.csv", dtype=str)
    )
