import json
import sys

import pytest
from perturbx.cli.models import classes

pd = pytest.importorskip("pandas")

TABLE = ("explain", "--data", "rows.csv", "--drop", "id")


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("clerk", 2, "--predict must be MODULE:NAME, such as model:predict: got 'clerk'"),
        ("clerk.py", 2, "such as clerk:predict: got 'clerk.py'"),
        ("clerk.py:predict", 2, "--predict takes a module, not a file: clerk:predict for"),
        ("./sub/clerk.py:predict", 2, "not a file: sub.clerk:predict for"),
        ("clrek:predict", 2, "there is no module 'clrek' in "),
        ("clerk:predcit", 2, "'clerk' has no 'predcit': did you mean 'predict'?"),
        ("clerk:number", 2, "predict_fn must be a callable"),
        ("clerk:Model", 2, "must be a callable or a fitted model, not a class"),
        ("broken:predict", 1, "importing 'broken' raised ZeroDivisionError: division by zero"),
        ("needy:predict", 1, "'needy' needs a module: No module named 'not_installed'"),
    ],
)
def test_functions_that_cannot_be_found(folder, perturbx, name, status, said):
    """The error says whether the module, the name or the module's own code is at fault."""
    (folder / "broken.py").write_text("1 / 0\n")
    (folder / "needy.py").write_text("import not_installed\n")
    found, text, error = perturbx(*TABLE, "--predict", name)
    assert (found, text) == (status, "")
    assert said in error


def test_a_fitted_model_in_a_package(folder, perturbx):
    """MODULE:NAME may name a model, in a package, as an attribute of something."""
    (folder / "shop").mkdir()
    (folder / "shop" / "prices.py").write_text(
        "import numpy as np\n"
        "class Model:\n"
        "    classes_ = np.array(['low', 'high'])\n"
        "    def predict_proba(self, X):\n"
        "        p = X['age'].to_numpy() / 100\n"
        "        return np.stack([1 - p, p], axis=1)\n"
        "class Team:\n"
        "    model = Model()\n"
    )
    status, text, _ = perturbx(*TABLE, "--predict", "shop.prices:Team.model", "--rows", "0")
    assert status == 0
    assert "output 'high'" in text
    for name in ("shop.prices", "shop"):
        sys.modules.pop(name)


def test_a_model_that_knows_its_columns(folder, perturbx):
    """Those of feature_names_in_ are taken in its order; others are left out with a note."""
    (folder / "fitted.py").write_text(
        "import pandas as pd\n"
        "from sklearn.linear_model import LinearRegression\n"
        "rows = pd.read_csv('train.csv')\n"
        "model = LinearRegression().fit(rows[['id', 'age']], rows['age'])\n"
    )
    command = ("explain", "--predict", "fitted:model", "--data", "rows.csv", "--rows", "0")
    status, _, said = perturbx(*command, "--out", "a.csv")
    assert status == 0
    assert "note: rows.csv: fitted:model does not take sex.\n" in said
    assert pd.read_csv("a.csv")["feature"].tolist() == ["id", "age"]
    status, _, said = perturbx(*command, "--drop", "age")
    assert (status, "fitted:model takes a column 'age', which rows.csv lacks" in said) == (2, True)
    sys.modules.pop("fitted")


@pytest.mark.parametrize(
    ("name", "cure"),
    [("m.pkl", "skl2onnx"), ("m.joblib", "skl2onnx"), ("m.pt", "torch.onnx"), ("m.h5", "tf2onnx")],
)
def test_nothing_is_unpickled(folder, perturbx, name, cure):
    """Files that may run code are refused by name, and never opened."""
    (folder / name).write_bytes(b"cos\nsystem\n(S'touch stolen'\ntR.")
    status, _, said = perturbx(*TABLE, "--model", name)
    assert status == 2
    assert f"{name} is not an ONNX file, and may run code when it is opened" in said
    assert cure in said
    assert not (folder / "stolen").exists()


def test_names_of_classes(tmp_path):
    """One per line or JSON as ImageNet has it; a name that repeats gets its position."""
    (tmp_path / "names.txt").write_text("\ufeffcrane\ndog \ncrane\n\n", encoding="utf-8")
    assert classes(str(tmp_path / "names.txt")) == ["crane", "dog", "crane (2)"]
    for content in (
        ["cat", "dog"],
        {"0": "cat", "1": "dog"},
        {"1": ["n2", "dog"], "0": ["n1", "cat"]},
    ):
        (tmp_path / "names.json").write_text(json.dumps(content))
        assert classes(str(tmp_path / "names.json")) == ["cat", "dog"]
    assert len(set(classes("imagenet"))) == 1000
    assert classes(None) is None


def test_an_archive_is_of_one_file(folder, perturbx, onnx_file):
    """Another file, or another activation, does not read the answers of the first."""
    command = (*TABLE, "--columns", "age", "--model", "net.onnx", "--archive", "a.sqlite")
    found = []
    for weight, activation in [(2.0, "none"), (2.0, "none"), (3.0, "none"), (3.0, "sigmoid")]:
        onnx_file("net.onnx", ["n", 1], [[weight]])
        status, text, _ = perturbx(*command, "--activation", activation, "--rows", "0", "--quiet")
        assert status == 0
        found.append(text)
    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_without_onnxruntime_the_extra_is_named(folder, perturbx, onnx_file, monkeypatch):
    """Status 1, and what to install."""
    onnx_file("net.onnx", ["n", 1], [[1.0]])
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    status, _, said = perturbx(*TABLE, "--model", "net.onnx")
    assert (status, 'pip install "perturbx[cli]"' in said) == (1, True)


def test_an_onnx_file_with_two_inputs(folder, perturbx):
    """Unless each takes one column, they are refused with their names and shapes."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("Concat", ["a", "b"], ["y"], axis=1)],
        "network",
        [helper.make_tensor_value_info(name, kind, ["n", 2]) for name in "ab"],
        [helper.make_tensor_value_info("y", kind, ["n", 4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / "two.onnx").write_bytes(model.SerializeToString())
    status, _, said = perturbx(*TABLE, "--model", "two.onnx")
    assert status == 2
    assert "this one has a (tensor(float), (n, 2)), b (tensor(float), (n, 2))" in said
