from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from perturbx.cli import main

MODEL = """
import numpy as np

calls = []

def predict(X):
    calls.append(len(X))
    return (2.0 * X["age"] + 10.0 * (X["sex"] == "m")).to_numpy(dtype=float)

def classes(X):
    p = 1 / (1 + np.exp(-0.1 * X["age"].to_numpy(dtype=float)))
    return np.stack([1 - p, p], axis=1)

def many(X):
    return np.outer(X["age"].to_numpy(dtype=float), np.arange(12.0))

def fails(X):
    raise OSError("no connection")

def wrong(X):
    return np.zeros((2, 2, 2))

def good(texts):
    return [text.count("good") - 2.0 * text.count("bad") for text in texts]

def red(photos):
    return np.array([[photo[..., 0].mean(), photo[..., 2].mean()] for photo in photos])

def unlucky(X):
    calls.append(len(X))
    if len(calls) > 2:
        raise KeyboardInterrupt
    return np.zeros(len(X))

number = 3

class Model:
    pass
"""

ROWS = "age,sex,id\n" + "".join(f"{20 + i},{'mf'[i % 2]},{i}\n" for i in range(12))


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Iterator[object]:
    """The folder of a user: rows.csv, train.csv and model.py."""
    (tmp_path / "clerk.py").write_text(MODEL)
    (tmp_path / "rows.csv").write_text(ROWS)
    (tmp_path / "train.csv").write_text(ROWS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("clerk", None)


@pytest.fixture
def perturbx(capsys) -> Callable[..., tuple[int, str, str]]:
    """The command line: its status, what it prints, and its errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            status = main(list(map(str, arguments)))
        except SystemExit as stop:
            status = stop.code
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture
def onnx_file(tmp_path):
    """Writes a network of one matrix, from a shape and a number of outputs."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")

    def write(name: str, shape, weights, kind="FLOAT", mean_over=None, softmax=False):
        helper, types = onnx.helper, onnx.TensorProto
        nodes, last = [helper.make_node("Cast", ["x"], ["floats"], to=types.FLOAT)], "floats"
        if mean_over:
            mean = {"axes": mean_over, "keepdims": 0}
            nodes.append(helper.make_node("ReduceMean", [last], ["means"], **mean))
            last = "means"
        nodes.append(helper.make_node("MatMul", [last, "W"], ["scores"]))
        last = "scores"
        if softmax:
            nodes.append(helper.make_node("Softmax", [last], ["shares"]))
            last = "shares"
        graph = helper.make_graph(
            nodes,
            "network",
            [helper.make_tensor_value_info("x", getattr(types, kind), shape)],
            [helper.make_tensor_value_info(last, types.FLOAT, None)],
            [onnx.numpy_helper.from_array(np.asarray(weights, dtype=np.float32), "W")],
        )
        opset = [helper.make_opsetid("", 17)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=8)
        path = tmp_path / name
        path.write_bytes(model.SerializeToString())
        return path

    return write
