"""The backend of Spark, where it and Java are installed: the same bits."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from typing import Any

import joblib
import numpy as np
import perturbx as px
import pytest

pyspark = pytest.importorskip("pyspark")
joblibspark = pytest.importorskip("joblibspark")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java"),
]

ROWS = np.random.default_rng(0).normal(size=(40, 6))


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two workers on this machine, which start as processes of this Python."""
    from pyspark.sql import SparkSession

    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    local = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    session = local.config("spark.ui.showConsoleProgress", "false").getOrCreate()
    joblibspark.register_spark()
    yield
    session.stop()


def test_workers_change_nothing(cluster: None) -> None:
    """One round for several rows, and the many rounds of `OwenShap`."""

    def model(X: np.ndarray) -> np.ndarray:
        return np.exp(X[:, 0]) * X[:, 1] + X[:, 5]

    maskers: dict[Any, Any] = {
        px.KernelShap: px.Background(ROWS[:20]),
        px.OwenShap: px.ColumnTree(ROWS[:20]),
    }
    for method, masker in maskers.items():
        settings = {"masker": masker, "budget": 2000, "random_state": 0}
        alone = method(model, n_jobs=1, **settings).explain(ROWS[20:22])
        with joblib.parallel_config("spark"):
            there = method(model, n_jobs=2, **settings).explain(ROWS[20:22])
        np.testing.assert_array_equal(there.values, alone.values)
        assert there.n_rows == alone.n_rows
