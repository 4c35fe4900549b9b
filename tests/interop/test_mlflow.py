"""Runs of MLflow: files that come back, numbers to follow, and names that every server takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidParameterError
from perturbx.interop import _mlflow

pytestmark = pytest.mark.filterwarnings("ignore:::pydantic", "ignore:::mlflow")
X = np.random.default_rng(0).normal(size=(40, 3))


def model(X: np.ndarray) -> np.ndarray:
    return np.asarray(3 * X[:, 0] - X[:, 1])


@pytest.fixture(scope="module")
def mlflow() -> Any:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("mlflow")


@pytest.fixture
def runs(mlflow: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A store of files, and a client that reads it."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    yield mlflow.MlflowClient()
    while mlflow.active_run():
        mlflow.end_run()


def explained(**settings: Any) -> px.Explanation:
    names = ["age", "größe/cm", "größe:cm"]
    explainer = px.KernelShap(model, feature_names=names, random_state=0, **settings)
    return explainer.fit(X).explain(X[:5])


def test_an_explanation(mlflow: Any, runs: Any) -> None:
    """The file, a page, and the numbers."""
    explanation = explained(tol=0.5)
    with mlflow.start_run() as run:
        uri = px.interop.log_mlflow(explanation)
    loaded = px.load(mlflow.artifacts.download_artifacts(uri))
    assert np.array_equal(loaded.values, explanation.values)
    found = runs.get_run(run.info.run_id).data
    sizes = np.abs(explanation.values).mean(axis=0)
    assert found.metrics["explanation/mean_abs_score/age"] == pytest.approx(sizes[0])
    others = [found.metrics[k] for k in found.metrics if "mean_abs_score/gr" in k]
    assert sorted(others) == pytest.approx(sorted(sizes[1:]))
    assert found.metrics["explanation/n_rows"] == explanation.n_rows
    assert found.metrics["explanation/converged"] == 1
    assert found.params["explanation/model"] == "model"
    assert found.params["explanation/random_state"] == "0"
    assert found.params["explanation/tol"] == "0.5"
    files = [file.path for file in runs.list_artifacts(run.info.run_id, "explanation")]
    assert sorted(files) == ["explanation/explanation.html", "explanation/explanation.npz"]


def test_explainers_and_rules(mlflow: Any, runs: Any) -> None:
    """What `load_explainer` reads, under names of their own in one run."""
    explainer = px.KernelShap(model, masker=px.Background(X), random_state=0).fit(X)
    rule = px.SurrogateTree(lambda X: (model(X) > 0) * 1).fit(np.tile(X, (10, 1)))
    with mlflow.start_run() as run:
        first = px.interop.log_mlflow(explainer)
        second = px.interop.log_mlflow(rule, "tree")
    loaded = px.load_explainer(mlflow.artifacts.download_artifacts(first), model)
    assert np.array_equal(loaded.explain(X[:2]).values, explainer.explain(X[:2]).values)
    loaded = px.load_explainer(mlflow.artifacts.download_artifacts(second), rule.predict_fn)
    assert type(loaded) is px.SurrogateTree
    params = runs.get_run(run.info.run_id).data.params
    assert params["explainer/method"] == "KernelShap"
    assert params["explainer/masker"].startswith("Background(")
    assert params["tree/max_leaves"] == "8"


def test_a_name_that_is_taken(mlflow: Any, runs: Any) -> None:
    """The error gives another name; the same explanation may be logged twice."""
    with mlflow.start_run():
        px.interop.log_mlflow(explained())
        px.interop.log_mlflow(explained(budget=200), "second")
        with pytest.raises(InvalidParameterError, match="'explanation-2'"):
            px.interop.log_mlflow(explained(budget=200))


@pytest.mark.parametrize("kind", ["several outputs", "one score", "images", "global"])
def test_every_shape(kind: str, mlflow: Any, runs: Any) -> None:
    """Axes that are there or not, and features without names of their own."""
    if kind == "images":
        masker = px.Superpixels(method="grid", n_segments=4)
        images = list(np.random.default_rng(0).random((2, 8, 8)))
        found = px.Occlusion(lambda X: X.mean(axis=(1, 2)), masker=masker).explain(images)
    elif kind == "global":
        found = px.PermutationImportance(model, random_state=0).explain(X, model(X))
    elif kind == "several outputs":
        found = px.Occlusion(lambda X: X[:, :2], masker=px.Baseline(np.zeros(3))).explain(X[:3])
    else:
        found = explained()[0, "age"]
    with mlflow.start_run():
        uri = px.interop.log_mlflow(found)
    loaded = px.load(mlflow.artifacts.download_artifacts(uri))
    assert np.array_equal(loaded.values, found.values)


@pytest.mark.parametrize("bad", [3, None, "KernelShap", object(), px.KernelShap])
def test_what_is_no_result(bad: Any) -> None:
    """Refused before MLflow is needed."""
    with pytest.raises(InvalidParameterError, match="an explainer or a rule"):
        px.interop.log_mlflow(bad)


@pytest.mark.parametrize("bad", ["", "a/b", "..", "a\n", 3])
def test_bad_names(bad: Any) -> None:
    """A folder within the run's, and nothing else."""
    with pytest.raises(InvalidParameterError, match="name must be"):
        px.interop.log_mlflow(explained(), bad)


def test_without_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to install the small one."""
    monkeypatch.setitem(__import__("sys").modules, "mlflow", None)
    with pytest.raises(ImportError, match="pip install mlflow-skinny"):
        px.interop.log_mlflow(explained())


def test_names_of_metrics() -> None:
    """No path, no empty name, no character that a server refuses."""
    for text in ("../x", "a/b", "", "größe:%", "x" * 999, ".."):
        name = _mlflow._named(text)
        assert name
        assert "/" not in name
        assert ".." not in name
        assert len(name) <= 200
        assert name.isascii()
