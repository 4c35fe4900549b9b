"""A file of an explainer that anybody may have made: refused, or an explainer; nothing is run."""

from __future__ import annotations

import base64
import copy
import io
import json
import os
import pickle
import random
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidParameterError, PerturbxError

X = np.random.default_rng(0).normal(size=(60, 3))
REFUSED = "another file, or damaged"
Content = dict[str, Any]


def model(X: Any) -> np.ndarray:
    whole = np.asarray(X, dtype=np.float64)
    return np.asarray(whole[:, 0] * whole[:, 1] + whole[:, 2])


def sparse_model(X: Any) -> np.ndarray:
    return model(X.toarray())


def frame_model(X: Any) -> np.ndarray:
    return np.asarray(X["a"] + (X["kind"] == "x"))


@pytest.fixture(scope="module")
def explainers() -> dict[str, Any]:
    """One of each kind of state: rows of several containers, trees, a forest, settings of text."""
    pd, sparse = pytest.importorskip("pandas"), pytest.importorskip("scipy.sparse")
    frame = pd.DataFrame({"a": X[:, 0], "kind": pd.Categorical(["x", "y", "z"] * 20)})
    frame["text"] = ["p", None, "q"] * 20
    forest = px.ConditionalForest(n_trees=3, min_leaf=20)
    settings: dict[str, Any] = {"random_state": 0}
    return {
        "array": px.KernelShap(model, **settings).fit(X),
        "frame": px.KernelShap(frame_model, **settings).fit(frame),
        "sparse": px.KernelShap(sparse_model, **settings).fit(sparse.csr_array(X)),
        "trees": px.AmortizedShap(model, max_rows=24, budget=130, **settings).fit(X),
        "forest": px.KernelShap(model, masker=forest, **settings).fit(X),
        "tree": px.OwenShap(model, masker=px.ColumnTree(), **settings).fit(X),
    }


NAMES = ["array", "frame", "sparse", "trees", "forest", "tree"]


def content_of(explainer: Any, folder: Path) -> Content:
    path = folder / "saved.json"
    explainer.save(path)
    return json.loads(path.read_text())


def load_cheaply(path: Path, function: Any, most_bytes: float = 2e7) -> Any:
    """What the file holds, or None if it is refused by an error of ours; in little memory."""
    tracemalloc.start()
    start = time.process_time()
    try:
        return px.load_explainer(path, function)
    except PerturbxError:
        return None
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < most_bytes
        assert time.process_time() - start < 5


JUNK: list[Any] = [
    *(None, True, -1, 0, 10**30, "", "x", [], {}, [1, 2], {"a": 1}),
    *({"ref": 0}, {"ref": 1}, {"ref": -1}, {"ref": 10**9}, {"ref": "0"}, {"given": "fill"}),
    *({"leaf": 10**15}, {"leaf": {"int": "0x" + "f" * 9999}}, {"leaf": {"cell": "os.system"}}),
    *({"exception": "eval"}, {"exception": "__import__"}, {"pattern": ["(" * 5000, 0]}),
    *({"dtype": {"numpy": "i4,("}}, {"dtype": {"numpy": "<U1000000000"}}, {"dtype": {}}),
    *({"dtype": {"pandas": {"cells": {"leaf": None}, "dtype": "S1000000000"}}}, {"range": [0]}),
    {"generator": {"dict": [["bit_generator", "os"]]}},
    {"dict": [[{"list": []}, 1]]},
    {"leaf": {"values": [1.0], "shape": [10**13], "dtype": "<f8"}},
    {"leaf": {"values": ["a"], "shape": [1], "dtype": "<U1000000000"}},
    {"leaf": {"values": [9], "shape": [1], "dtype": "i4,("}},
    {"part": "maskers.background.Background", "fields": {}},
    {"part": "os.system", "fields": {}},
    {"part": "posix:system", "fields": {"command": "true"}},
    {"table": "pandas.DataFrame", "parts": {"n": 10**12, "columns": [], "names": {}, "attrs": {}}},
]


def changed(content: Any, rng: random.Random) -> Any:
    """The JSON with one of its nodes replaced, left out, renamed or doubled."""
    root: list[Any] = [content]
    nodes: list[tuple[Any, Any]] = [(root, 0)]
    for holder, key in nodes:  # which grows
        inner = holder[key]
        if isinstance(inner, (dict, list)):
            keys = inner if isinstance(inner, dict) else range(len(inner))
            nodes += [(inner, k) for k in list(keys)[:40]]
    holder, key = rng.choice(nodes)
    what = rng.random()
    if what < 0.1 and isinstance(holder, list) and holder is not root:
        del holder[key]
    elif what < 0.2 and isinstance(holder, dict):
        holder[rng.choice(["ref", "leaf", "part", "codes", "n"])] = holder.pop(key)
    elif what < 0.3 and isinstance(holder[key], list):
        holder[key] = holder[key] * 2
    elif what < 0.4 and type(holder[key]) is int:
        holder[key] = rng.choice([-1, 10**6, 2**62, holder[key] + 1])
    else:
        holder[key] = copy.deepcopy(rng.choice(JUNK))
    return root[0]


@pytest.mark.parametrize("name", NAMES)
def test_changed_files(name: str, explainers: dict[str, Any], tmp_path: Path) -> None:
    """Twenty changed files of each: refused by an error of ours, or loaded; never anything else."""
    explainer, rng = explainers[name], random.Random(name)
    text, refused = json.dumps(content_of(explainer, tmp_path)), 0
    for _ in range(20):
        path = tmp_path / "x.json"
        path.write_text(json.dumps(changed(json.loads(text), rng)))
        refused += load_cheaply(path, explainer.predict_fn) is None
    assert refused > 5


@pytest.mark.parametrize("ending", [".npz", ".json"])
def test_damaged_files(ending: str, explainers: dict[str, Any], tmp_path: Path) -> None:
    """Cut short, with flipped bits, empty, or of another program."""
    path, rng = tmp_path / f"x{ending}", random.Random(ending)
    explainers["frame"].save(path)
    content, refused = path.read_bytes(), 0
    for i in range(24):
        damaged = bytearray(content)
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged[: rng.randrange(len(damaged)) if i % 2 else None])
        refused += load_cheaply(path, frame_model) is None
    assert refused > 12
    for other in (b"", b"\x80\x04.", b"SQLite format 3\0", b"{}", b"[]", b'{"perturbx": 1}'):
        path.write_bytes(other)
        with pytest.raises(InvalidParameterError, match=REFUSED):
            px.load_explainer(path, frame_model)


class Runs:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (str(self.path), "w")


def _members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zipped(members: dict[str, bytes], path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_nothing_is_unpickled(explainers: dict[str, Any], tmp_path: Path) -> None:
    """An array of pickles, a member that is a pickle, and a file that is one."""
    made, path = tmp_path / "made", tmp_path / "x.npz"
    explainers["array"].save(path)
    members = _members(path)
    file = io.BytesIO()
    np.save(file, np.array([Runs(made)], dtype=object), allow_pickle=True)
    for name in list(members):
        for content in (file.getvalue(), pickle.dumps(Runs(made))):
            _zipped({**members, name: content}, path)
            with pytest.raises(InvalidParameterError, match=REFUSED):
                px.load_explainer(path, model)
    path.write_bytes(pickle.dumps(Runs(made)))
    with pytest.raises(InvalidParameterError, match=REFUSED):
        px.load_explainer(path, model)
    assert not made.exists()


def test_a_bomb_is_not_unpacked(explainers: dict[str, Any], tmp_path: Path) -> None:
    """An array that declares terabytes, and one that unpacks to 80 MB."""
    path = tmp_path / "x.npz"
    explainers["array"].save(path)
    members = _members(path)
    name = next(n for n in members if n != "fields.npy")
    for shape, size in ((10**12, 48), (10**7, 8 * 10**7)):
        file = io.BytesIO()
        header = {"descr": "<f8", "fortran_order": False, "shape": (shape,)}
        np.lib.format.write_array_header_1_0(file, header)
        _zipped({**members, name: file.getvalue() + bytes(size)}, path)
        assert load_cheaply(path, model, most_bytes=2e6) is None


def parts_of(content: Content, name: str) -> list[Content]:
    """The parts of a class in a file."""
    objects = content["explainer"]["objects"]
    return [node for node in objects if node.get("part", "").endswith(name)]


def tables_of(content: Content) -> list[Content]:
    return [node for node in content["explainer"]["objects"] if "table" in node]


def array(values: Any, dtype: str = "<i8") -> Content:
    return {"leaf": {"values": values, "shape": [len(values)], "dtype": dtype}}


def _far_leaf(content: Content) -> None:
    """Rows in leaves that are not there, which compiled code would look for."""
    parts_of(content, "DensityForest")[0]["fields"]["member"] = {
        "leaf": {"values": [10**9] * 60, "shape": [60, 1], "dtype": "<i8"}
    }


def _far_column(content: Content) -> None:
    """Columns of a sparse matrix beyond its width."""
    for table in tables_of(content):
        table["parts"]["parts"][1] = array([10**9] * 3, "<i4")


def _wide(content: Content) -> None:
    """A sparse matrix of so many columns that another format fills the memory."""
    for table in tables_of(content):
        table["parts"].update(shape=[table["parts"]["shape"][0], 10**12], format="csc")


def _long_frame(content: Content) -> None:
    """A frame that says it is longer than its columns."""
    for table in tables_of(content):
        table["parts"]["n"] = 10**12


def _far_code(content: Content) -> None:
    """Categories beyond those that there are."""
    for table in tables_of(content):
        for column in table["parts"]["columns"]:
            if "codes" in column:
                column["codes"] = array([10**6] * table["parts"]["n"])


def _endless_trees(content: Content) -> None:
    """Nodes that lead back to the root."""
    for trees in parts_of(content, "BoostedTrees"):
        nodes = trees["fields"]["nodes"]["tuple"]
        objects = content["explainer"]["objects"]
        left = objects[nodes[3]["ref"]]["array"]
        left["values"] = [0] * len(left["values"])


HOSTILE = {
    "a far leaf": ("forest", _far_leaf),
    "a far column": ("sparse", _far_column),
    "a wide matrix": ("sparse", _wide),
    "a long frame": ("frame", _long_frame),
    "a far code": ("frame", _far_code),
    "endless trees": ("trees", _endless_trees),
}


@pytest.mark.parametrize(("name", "change"), HOSTILE.values(), ids=HOSTILE.keys())
def test_what_compiled_code_would_follow_is_refused(
    name: str, change: Callable[[Content], None], explainers: dict[str, Any], tmp_path: Path
) -> None:
    """Indices out of range crash a process, or read what is not theirs."""
    content = content_of(explainers[name], tmp_path)
    before = json.dumps(content)
    change(content)
    assert json.dumps(content) != before
    path = tmp_path / "x.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InvalidParameterError, match=REFUSED):
        px.load_explainer(path, explainers[name].predict_fn)
    assert load_cheaply(path, explainers[name].predict_fn) is None


TAMPERED: dict[str, Callable[[Content], Any]] = {
    "another class": lambda e: e.update(kind="subprocess.Popen"),
    "a class of another module": lambda e: e.update(kind="os:system"),
    "a rule's base": lambda e: e.update(kind="storage.saved.Saved"),
    "a method for an attribute": lambda e: e["learned"].update(explain=None),
    "a private attribute": lambda e: e["learned"].update(__class__=None),
    "a model of its own": lambda e: e["settings"].update(predict_fn=None),
    "an archive elsewhere": lambda e: e["settings"].update(archive="/tmp/elsewhere.sqlite"),
    "no objects": lambda e: e.update(objects=[]),
    "a part that refers to itself": lambda e: e["objects"].insert(0, {"array": {"ref": 0}}),
    "deep": lambda e: e["learned"].update(masker_=_deep(300)),
    "a dtype that NumPy parses": lambda e: e["learned"].update(x_={"dtype": {"numpy": "i4,("}}),
    "a masker that is none": lambda e: e["learned"].update(masker_="Background"),
    "a version that is none": lambda e: e.update(version="one"),
    "given that is none": lambda e: e.update(given=3),
    "outputs that do not fit": lambda e: e["model"]["dict"].append(["n_outputs", {"leaf": 7}]),
}


def _deep(depth: int) -> Any:
    value: Any = None
    for _ in range(depth):
        value = {"list": [value]}
    return value


@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED.keys())
def test_tampered_files_are_refused(
    change: Callable[[Content], Any], explainers: dict[str, Any], tmp_path: Path
) -> None:
    """Nothing but settings and learned state is set, and nothing but ours is made."""
    content = content_of(explainers["array"], tmp_path)
    change(content["explainer"])
    (tmp_path / "x.json").write_text(json.dumps(content))
    with pytest.raises(PerturbxError):
        px.load_explainer(tmp_path / "x.json", model)
    assert not Path("/tmp/elsewhere.sqlite").exists()


def test_deep_json(explainers: dict[str, Any], tmp_path: Path) -> None:
    """Deeper than the interpreter's stack."""
    text = json.dumps(content_of(explainers["array"], tmp_path))
    deep = text.replace('"objects": [', '"objects": ' + "[" * 100_000, 1)
    (tmp_path / "x.json").write_text(deep)
    with pytest.raises(InvalidParameterError, match=REFUSED):
        px.load_explainer(tmp_path / "x.json", model)


@pytest.mark.skipif(os.name == "nt", reason="POSIX alone")
def test_links_and_pipes(explainers: dict[str, Any], tmp_path: Path) -> None:
    """A link that leaves the folder is not followed, and a pipe not waited for."""
    (tmp_path / "here").mkdir()
    explainers["array"].save(tmp_path / "x.npz")
    (tmp_path / "here" / "x.npz").symlink_to(tmp_path / "x.npz")
    with pytest.raises(InvalidParameterError, match="points to"):
        px.load_explainer(tmp_path / "here" / "x.npz", model)
    os.mkfifo(tmp_path / "y.npz")
    with pytest.raises(InvalidParameterError, match="must be a file"):
        px.load_explainer(tmp_path / "y.npz", model)


def test_names_in_a_file_are_no_paths(explainers: dict[str, Any], tmp_path: Path) -> None:
    """Members of the zip are looked up, never written, whatever they are called."""
    path = tmp_path / "here" / "x.npz"
    path.parent.mkdir()
    explainers["array"].save(path)
    outside = {"../outside.npy": b"x", "/tmp/outside-perturbx.npy": b"x"}
    _zipped({**outside, **_members(path)}, path)
    loaded = px.load_explainer(path, model)
    assert np.array_equal(loaded.explain(X[0]).values, explainers["array"].explain(X[0]).values)
    assert [p.name for p in tmp_path.rglob("*")] == ["here", "x.npz"]
    assert not Path("/tmp/outside-perturbx.npy").exists()


def test_base64_of_bytes_is_checked(explainers: dict[str, Any], tmp_path: Path) -> None:
    """Bytes of another length than their shape."""
    content = content_of(explainers["array"], tmp_path)
    node = next(o for o in content["explainer"]["objects"] if "array" in o)
    node["array"] = {"bytes": base64.b64encode(b"abc").decode(), "shape": [10**9], "dtype": "<c16"}
    (tmp_path / "x.json").write_text(json.dumps(content))
    with pytest.raises(InvalidParameterError, match=REFUSED):
        px.load_explainer(tmp_path / "x.json", model)
