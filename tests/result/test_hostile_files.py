"""A file that anybody may have made ends in our error, or in a result whose every view works."""

from __future__ import annotations

import io
import json
import random
import tempfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidParameterError
from perturbx.result import storage

REFUSED = r"Explanation\.save wrote: .*another file"


@pytest.fixture(scope="module")
def results() -> dict[str, px.Explanation]:
    """A table with mixed cells and interactions, images of two sizes, one image on a lattice."""
    table = np.array([["a", None, 1.5], ["b", np.float32(2), float("nan")]], dtype=object)

    def mean(images: Any) -> np.ndarray:
        return np.array([[image.mean(), image.max()] for image in images])

    rng = np.random.default_rng(0)
    images = [rng.random((12, 9, 3)), rng.random((8, 10, 3))]
    windows = px.Windows(shape=(4, 4))
    settings: dict[str, Any] = {"budget": 160, "random_state": 0}
    return {
        "table": px.KernelShap(
            lambda X: np.array([[len(str(v)) for v in row] for row in X]),
            masker=px.Baseline(["z", "z", 0.0]),
            interactions=True,
        ).explain(table),
        "images": px.OwenShap(mean, **settings).explain(images),
        "windows": px.Occlusion(mean, masker=windows).explain(images),
        "one": px.Rise(mean, masker=px.SmoothGrid(), **settings).explain(images[0]),
    }


def saved(explanation: px.Explanation, folder: Path, ending: str) -> bytes:
    explanation.save(folder / f"saved{ending}")
    return (folder / f"saved{ending}").read_bytes()


def look_at(explanation: px.Explanation) -> None:
    """Every view of a result that needs no more than the result."""
    repr(explanation)
    explanation._repr_html_()
    with tempfile.TemporaryDirectory() as folder, suppress(InvalidParameterError):
        px.report(explanation, path=Path(folder, "page.html"))
    explanation.interval()
    if "instance" in explanation.axes:
        for one in explanation:
            repr(one)
        repr(explanation[[0]])
    if "output" in explanation.axes:
        repr(explanation[..., 0])
    pytest.importorskip("pandas")
    explanation.to_frame()


def load_cheaply(path: Path, most_bytes: float = 3e7) -> px.Explanation | None:
    """What the file holds, or None if it is refused; in little memory and at once."""
    tracemalloc.start()
    start = time.process_time()
    try:
        return px.load(path)
    except InvalidParameterError:
        return None
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < most_bytes
        assert time.process_time() - start < 5


JUNK: list[Any] = [
    *(None, True, -1, 0, 10**30, 1e308, "", "x", [], {}, [1, 2], {"a": 1}),
    *({"float": "nan"}, {"int": "0x" + "f" * 9999}, {"tuple": []}, {"tuple": [1, "a"]}),
    *({"dict": {}}, {"array": "array_0"}, {"array": "/etc/passwd"}, {"cell": "os.system"}),
    {"values": [1.0], "shape": [1], "dtype": "<f8"},
    {"values": [1.0], "shape": [10**13], "dtype": "<f8"},
    {"values": ["a"], "shape": [1], "dtype": "<U1000000000"},
    {"values": ["a"], "shape": [1], "dtype": "S1000000000"},
    {"values": [None], "shape": [1], "dtype": "O"},
    {"values": [1], "shape": [1], "dtype": "i4,("},
    {"bytes": "AAAA", "shape": [1], "dtype": "V3"},
    {"objects": [], "shape": [0, 10**12]},
    {"objects": [None], "shape": [-1]},
    {"cell": "datetime.timedelta", "of": [10**12, 0, 0]},
    {"cell": "fractions.Fraction", "of": [1, 0]},
    {"cell": "decimal.Decimal", "of": ["1e99999999999999999999"]},
    {"cell": "pandas.Period", "of": [10**18, "D"]},
    {"cell": "pandas.Timestamp", "of": [1, "s", "dateutil//etc/passwd"]},
    {
        "known": "lattice",
        "fields": {"dict": {n: {"tuple": [10**6] * 2} for n in ("nodes", "extent", "steps")}},
    },
    {
        "known": "label_map",
        "fields": {"dict": {"segments": {"values": [10**15], "shape": [1, 1], "dtype": "<i8"}}},
    },
]


def _changed(content: Any, rng: random.Random) -> Any:
    """The JSON with one of its nodes replaced, left out, renamed or doubled."""
    root: list[Any] = [content]
    nodes: list[tuple[Any, Any]] = [(root, 0)]
    for holder, key in nodes:  # which grows
        inner = holder[key]
        if isinstance(inner, (dict, list)):
            keys = inner if isinstance(inner, dict) else range(len(inner))
            nodes += [(inner, k) for k in list(keys)[:30]]
    holder, key = rng.choice(nodes)
    what = rng.random()
    if what < 0.1 and isinstance(holder, list) and holder is not root:
        del holder[key]
    elif what < 0.2 and isinstance(holder, dict):
        holder[rng.choice(["shape", "dtype", "values", "known"])] = holder.pop(key)
    elif what < 0.3 and isinstance(holder[key], list):
        holder[key] = holder[key] * 2
    else:
        holder[key] = rng.choice(JUNK)
    return root[0]


def _npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def _zipped(members: dict[str, bytes], **settings: Any) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **{"compression": zipfile.ZIP_DEFLATED, **settings}) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def _members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _text(members: dict[str, bytes]) -> str:
    return str(np.load(io.BytesIO(members["fields.npy"])))


def _mutated(content: bytes, ending: str, rng: random.Random) -> bytes:
    """The content with flipped bytes, cut short, or with a wrong part inside a sound whole."""
    what = rng.random()
    if what < 0.15:
        flipped = bytearray(content)
        for _ in range(rng.choice([1, 3])):
            flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        return bytes(flipped)
    if what < 0.2:
        return content[: rng.randrange(len(content))]
    if ending == ".json":
        return json.dumps(_changed(json.loads(content), rng)).encode()
    members = _members(content)
    if what < 0.6:
        members["fields.npy"] = _npy(
            np.array(json.dumps(_changed(json.loads(_text(members)), rng)))
        )
        return _zipped(members)
    name = rng.choice(list(members))
    if what < 0.65:
        del members[name]
    elif what < 0.8:
        shapes = [b"", b"8000000000000,", b"-1,", b"1, 0", b"3" * 5000, b"True,"]
        start, _, rest = members[name].partition(b"'shape': (")
        members[name] = start + b"'shape': (" + rng.choice(shapes) + rest[rest.index(b")") :]
    else:
        arrays = [
            np.zeros(3),
            np.array("x"),
            np.zeros((2, 3)),
            np.zeros(2, bool),
            np.zeros(2, complex),
        ]
        arrays += [np.array([object], dtype=object), np.zeros(2, "i4,f4"), np.array(["a"])]
        members[name] = _npy(rng.choice(arrays))
    return _zipped(members)


@pytest.mark.parametrize("ending", [".npz", ".json"])
@pytest.mark.parametrize("name", ["table", "images", "windows", "one"])
def test_mutated_files(
    name: str, ending: str, results: dict[str, px.Explanation], tmp_path: Path
) -> None:
    """Forty changed files of each kind: refused, or a result that can be looked at."""
    content, rng = saved(results[name], tmp_path, ending), random.Random(f"{name}{ending}")
    path, refused = tmp_path / f"x{ending}", 0
    for _ in range(40):
        path.write_bytes(_mutated(content, ending, rng))
        found = load_cheaply(path)
        refused += found is None
        if found is not None:
            look_at(found)
    assert refused > 10


def _header(descr: str, shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


def _bomb(members: dict[str, bytes]) -> bytes:
    """A field of 80 MB of zeros, and no lie about it."""
    fields = json.loads(_text(members))
    fields["fields"]["dict"]["values"] = {"array": "zeros"}
    zeros = _header("<f8", (10**7,)) + bytes(8 * 10**7)
    text = np.array(json.dumps(fields))
    return _zipped({**members, "zeros.npy": zeros, "fields.npy": _npy(text)})


def _long_text(members: dict[str, bytes]) -> bytes:
    """Fields that are a text of 80 MB."""
    return _zipped({**members, "fields.npy": _header("<U20000000", ()) + bytes(8 * 10**7)})


def _terabytes(members: dict[str, bytes]) -> bytes:
    """An array that declares 8 TB."""
    return _zipped({**members, "array_0.npy": _header("<f8", (10**12,)) + bytes(48)})


def _twice(members: dict[str, bytes]) -> bytes:
    """Two members of one name."""
    file = io.BytesIO(_zipped(members))
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("fields.npy", members["fields.npy"])
    return file.getvalue()


def _pickled(members: dict[str, bytes]) -> bytes:
    """A pickled object array."""
    return _zipped({**members, "array_0.npy": _npy(np.array([object], dtype=object))})


def _other_compression(members: dict[str, bytes]) -> bytes:
    """A compression whose reader takes what memory the file names."""
    return _zipped(members, compression=zipfile.ZIP_LZMA)


@pytest.mark.parametrize(
    "made", [_bomb, _long_text, _terabytes, _twice, _pickled, _other_compression]
)
def test_hostile_archives_are_refused(
    made: Callable[..., bytes], results: dict[str, px.Explanation], tmp_path: Path
) -> None:
    """Before what they declare is allocated or unpacked."""
    path = tmp_path / "x.npz"
    path.write_bytes(made(_members(saved(results["table"], tmp_path, ".npz"))))
    with pytest.raises(InvalidParameterError, match=REFUSED):
        px.load(path)
    assert load_cheaply(path, most_bytes=1e6) is None


def test_only_what_the_fields_name_is_read(
    results: dict[str, px.Explanation], tmp_path: Path
) -> None:
    """Other members of the archive are not touched, whatever they are."""
    members = _members(saved(results["table"], tmp_path, ".npz"))
    others = {"/etc/passwd": b"x", "../../other.npy": b"x", "zeros.npy": bytes(3 * 10**7)}
    (tmp_path / "x.npz").write_bytes(_zipped({**others, **members}))
    found = load_cheaply(tmp_path / "x.npz", most_bytes=1e6)
    assert found is not None
    assert np.array_equal(found.values, results["table"].values)


def test_an_archive_that_points_before_itself(
    results: dict[str, px.Explanation], tmp_path: Path
) -> None:
    """The system refuses to read there, and so do we."""
    content = bytearray(saved(results["table"], tmp_path, ".npz"))
    start = int.from_bytes(content[-6:-2], "little")  # of the table of contents
    content[-6:-2] = (start + 10**6).to_bytes(4, "little")
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(InvalidParameterError, match=REFUSED):
        px.load(tmp_path / "x.npz")


JSON = {
    "a token": lambda text: text.replace("[2, 3]", "[NaN, 3]", 1),
    "deep": lambda text: text.replace('"fields": {', '"fields": ' + '{"tuple": [' * 50_000, 1),
    "an integer beyond NumPy": lambda text: text.replace(
        '"degrees_of_freedom": {"float": "inf"}', f'"degrees_of_freedom": {10**30}', 1
    ),
    "a long integer": lambda text: text.replace('"n_rows": ', '"n_rows": ' + "9" * 5000, 1),
    "not UTF-8": lambda text: text.replace("x0", "\udcff"),
    "a dtype that NumPy parses": lambda text: text.replace('"<f8"', '"i4,("', 1),
    "a text of a gigabyte": lambda text: text.replace('"<f8"', '"<U250000000"', 1),
}


@pytest.mark.parametrize("change", JSON.values(), ids=JSON.keys())
def test_hostile_json_is_refused(
    change: Callable[[str], str], results: dict[str, px.Explanation], tmp_path: Path
) -> None:
    """In little memory."""
    text = saved(results["table"], tmp_path, ".json").decode()
    changed = change(text)
    assert changed != text
    (tmp_path / "x.json").write_bytes(changed.encode("utf-8", "surrogateescape"))
    with pytest.raises(InvalidParameterError, match=REFUSED):
        px.load(tmp_path / "x.json")
    assert load_cheaply(tmp_path / "x.json") is None


def test_large_results_of_zeros_come_back(tmp_path: Path) -> None:
    """Scores that compress like a bomb are no bomb."""
    n, d = 2000, 1000
    zeros = np.zeros((n, d))
    whole = px.Explanation(
        values=zeros,
        standard_errors=zeros,
        base_values=np.zeros(n),
        predictions=np.zeros(n),
        data=zeros,
        feature_names=tuple(f"x{i}" for i in range(d)),
        output_names=("output",),
        axes=("instance", "feature"),
        method="KernelShap",
        value_function="a baseline",
        n_rows=1,
        n_calls=1,
    )
    whole.save(tmp_path / "x.npz")
    assert px.load(tmp_path / "x.npz").shape == (n, d)


FILLERS = {"lists": "[],", "dicts": '{"":0},', "NaN": '{"float":"nan"},', "numbers": "1.5,"}


@pytest.mark.parametrize("filler", ["lists", "dicts"])
def test_json_that_python_would_blow_up_is_refused(tmp_path: Path, filler: str) -> None:
    """Empty lists and small dicts take 20 times and more of their characters."""
    path, n = tmp_path / "x.json", 8_000_000 // len(FILLERS[filler])
    filled = FILLERS[filler] * n + "0"
    path.write_text(
        f'{{"perturbx": 1, "fields": {{"dict": {{"values": {{"list": [{filled}]}}}}}}}}'
    )
    assert _peak(path) < 3 * path.stat().st_size


@pytest.mark.parametrize("filler", FILLERS)
def test_brackets_within_texts_are_texts(tmp_path: Path, filler: str) -> None:
    """However many there are, with quotes and backslashes between them."""
    X = np.random.default_rng(0).normal(size=(3, 2))
    found = px.Occlusion(lambda X: X[:, 0], random_state=0).fit(X).explain(X)
    text = '\\"' + FILLERS[filler] * 400_000 + '\\\\"['
    px.Explanation.save(replace(found, notes=(text,)), tmp_path / "x.json")
    assert px.load(tmp_path / "x.json").notes == (text,)


def test_json_takes_a_few_times_its_size(tmp_path: Path) -> None:
    """The file, its text, and the numbers of one array at a time; NaN takes no more."""
    X = np.random.default_rng(0).normal(size=(8000, 10))
    found = px.Occlusion(lambda X: X.sum(axis=1), masker=px.Baseline(X[0])).explain(X)
    for name, errors in (("numbers", found.standard_errors), ("nan", np.full((8000, 10), np.nan))):
        path = tmp_path / f"{name}.json"
        replace(found, standard_errors=errors).save(path)
        assert path.stat().st_size > 4e6
        assert _peak(path) < 5 * path.stat().st_size


def test_json_of_a_gigabyte_is_neither_read_nor_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size alone is looked at; nothing is left of a file that would be too long."""
    with (tmp_path / "x.json").open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(InvalidParameterError, match=r"at most 268 MB.*1,000 MB.*\.npz"):
        px.load(tmp_path / "x.json")
    assert _peak(tmp_path / "x.json") < 1e5
    X = np.random.default_rng(0).normal(size=(3, 2))
    found = px.Occlusion(lambda X: X[:, 0], random_state=0).fit(X).explain(X)
    monkeypatch.setattr(storage, "_MOST_JSON", 1000)
    with pytest.raises(InvalidParameterError, match=r"y\.json' would take.*\.npz"):
        found.save(tmp_path / "y.json")
    assert not (tmp_path / "y.json").exists()


def _peak(path: Path) -> int:
    """The most bytes that reading it, or refusing it, took."""
    tracemalloc.start()
    with suppress(InvalidParameterError):
        px.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak
