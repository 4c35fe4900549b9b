"""The backend of Ray, where Ray is installed: the same bits, also after workers were killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import perturbx as px
import pytest

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

ROWS = np.random.default_rng(0).normal(size=(40, 6))
SETTINGS: dict[str, Any] = {"masker": px.Background(ROWS[:20]), "budget": 2000, "random_state": 0}


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    register_ray()
    yield
    ray.shutdown()


def test_killed_workers_lose_nothing(tmp_path: Path) -> None:
    """Two are really killed; what they were asked goes to others."""
    main, folder = os.getpid(), str(tmp_path)

    def fragile(X: np.ndarray) -> np.ndarray:
        if os.getpid() != main and len(X) > 3:
            for i in range(2):
                try:
                    os.close(os.open(f"{folder}/{i}", os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    continue
                os.kill(os.getpid(), signal.SIGKILL)
        return np.exp(X[:, 0]) * X[:, 1] + X[:, 5]

    alone = px.KernelShap(fragile, n_jobs=1, **SETTINGS).explain(ROWS[20:24])
    with joblib.parallel_config("ray"):
        there = px.KernelShap(fragile, n_jobs=2, **SETTINGS).explain(ROWS[20:24])
    assert len(list(tmp_path.iterdir())) == 2
    np.testing.assert_array_equal(there.values, alone.values)
    assert there.n_rows == alone.n_rows


def test_errors_of_the_model_arrive() -> None:
    """As they do without workers, and they are not taken for a worker that died."""

    def fails(X: np.ndarray) -> np.ndarray:
        if len(X) > 3:
            raise ValueError("too many rows")
        return X[:, 0]

    failed = pytest.raises(px.errors.ModelError, match="too many rows")
    with joblib.parallel_config("ray"), failed:
        px.KernelShap(fails, n_jobs=2, **SETTINGS).explain(ROWS[20:22])


def test_workers_stay_for_all_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool of Ray takes seconds to start, and `OwenShap` asks in many rounds."""
    from ray.util.joblib.ray_backend import RayBackend

    started, configure = [], RayBackend.configure

    def counted(self: Any, *args: Any, **settings: Any) -> int:
        started.append(self)
        return int(configure(self, *args, **settings))

    def model(X: np.ndarray) -> np.ndarray:
        return np.exp(X[:, 0]) * X[:, 1] + X[:, 5]

    monkeypatch.setattr(RayBackend, "configure", counted)
    settings = {**SETTINGS, "masker": px.ColumnTree(ROWS[:20])}
    alone = px.OwenShap(model, n_jobs=1, **settings).explain(ROWS[20:22])
    with joblib.parallel_config("ray"):
        there = px.OwenShap(model, n_jobs=2, **settings).explain(ROWS[20:22])
    assert len(started) == 1
    np.testing.assert_array_equal(there.values, alone.values)
