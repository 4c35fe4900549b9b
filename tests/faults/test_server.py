"""A model behind a server that fails, hangs and is slow: every run has a healthy run's bits."""

from __future__ import annotations

import json
import random
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import perturbx as px
import pytest
from perturbx.predictor import patience
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier

X, Y = load_breast_cancer(return_X_y=True)
COLUMNS = X[:, :10]


class Server:
    """A forest behind HTTP on this machine; the next answers may be errors or late."""

    def __init__(self) -> None:
        self.model = RandomForestClassifier(10, random_state=0).fit(COLUMNS, Y)
        self.errors, self.hangs = 0.0, 0.0
        self.rows, self.failed, self.hung = 0, 0, 0
        self._rng, self._lock = random.Random(0), threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = server.answer(json.loads(body))
                try:
                    self.send_response(status)
                    self.end_headers()
                    self.wfile.write(json.dumps(answer).encode())
                except OSError:  # who asked has gone
                    pass

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()

    def answer(self, rows: list[list[float]]) -> tuple[int, Any]:
        with self._lock:
            dice = self._rng.random()
            self.rows += len(rows)
            fails, hangs = dice < self.errors, dice > 1 - self.hangs
            self.failed += len(rows) * fails
            self.hung += len(rows) * hangs
        if fails:
            return 503, "overloaded"
        if hangs:
            time.sleep(1.5)
        return 200, self.model.predict_proba(np.array(rows))[:, 1].tolist()

    def ask(self, rows: np.ndarray) -> list[float]:
        """The predict_fn of a user."""
        url = f"http://127.0.0.1:{self.http.server_port}"
        request = urllib.request.Request(url, json.dumps(rows.tolist()).encode())
        with urllib.request.urlopen(request) as answer:
            found: list[float] = json.load(answer)
            return found


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()
    server.thread.join()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_flaky_server(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """5% errors, 2% hangs, four calls at a time: the bits of a healthy run, and little waste."""
    monkeypatch.setattr(patience, "_FIRST", 0.01)
    settings: dict[str, Any] = {"budget": 4000, "batch_size": 50, "random_state": 0, "n_jobs": 4}
    with joblib.parallel_config("threading"):

        def explained(**more: Any) -> Any:
            run = px.KernelShap(server.ask, **settings, **more).fit(COLUMNS[:20])
            return run.explain(COLUMNS[20:22])

        healthy = explained()
        server.rows, server.errors, server.hangs = 0, 0.05, 0.02
        archive = px.Archive(tmp_path / "answers.sqlite", model="forest 1")
        found = explained(retries=8, timeout=1.0, archive=archive)
        paid, lost = server.rows, server.failed + server.hung
        again = explained(archive=archive)
        server.errors = server.hangs = 0.0
    np.testing.assert_array_equal(found.values, healthy.values)
    np.testing.assert_array_equal(again.values, healthy.values)
    assert server.rows == paid, "the second analysis asked nothing"
    assert server.failed > 0 < server.hung
    assert paid - lost <= healthy.n_rows + 3
