"""What does an archive cost, in time for each model row and in bytes on disk?

A table is explained without an archive, with a new one, and again with the full one, in one
process. The model answers at once, so that the difference is the archive's own CPU time, and the
time that it adds to a model of 1 ms a row is that over 1 ms. Bytes are compared with the digests
and answers alone (16 bytes a row, and 8 for each output).

    python -m benchmarks.scale.archive_cost [--quick] [--check]
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.command import parser, status
from benchmarks.report import Target, head, line

SLOW = 1e-3
"""Seconds a row of the model that the archive is measured against."""


def model(rows: np.ndarray) -> np.ndarray:
    """Two outputs at once, with interactions."""
    first = rows[:, 0] * rows[:, 1] + rows.sum(axis=1)
    return np.stack([first, -first], axis=1)


def frame_model(rows: Any) -> np.ndarray:
    """The same of a frame."""
    return model(rows.to_numpy(dtype=np.float64))


def run(data: Any, function: Any, archive: Any, budget: int) -> tuple[float, int]:
    """CPU seconds and model rows of an explanation of four rows."""
    import perturbx as px

    explainer = px.KernelShap(
        function, estimator="regression", budget=budget, random_state=0, archive=archive
    ).fit(data[:50])
    start = time.process_time()
    explanation = explainer.explain(data[50:54])
    return time.process_time() - start, explanation.n_rows


def main() -> int:
    """Measure, print and judge."""
    arguments = parser(quick="20,000 model rows instead of 200,000").parse_args()
    import pandas as pd
    import perturbx as px

    budget = 5_000 if arguments.quick else 50_000
    rows = np.random.default_rng(0).normal(size=(60, 30))
    frame = pd.DataFrame(rows, columns=[f"c{j}" for j in range(30)])
    targets = []
    print(head(["container", "first run, µs a row", "again, µs a row", "bytes / raw bytes"]))
    for name, data, function in (("array", rows, model), ("frame", frame, frame_model)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "answers.sqlite"
            archive = px.Archive(path, model="v1")
            usual, n = run(data, function, None, budget)
            first, _ = run(data, function, archive, budget)
            again, _ = run(data, function, archive, budget)
            raw = px.archive.info(path).n_answers * (16 + 2 * 8)
            with closing(sqlite3.connect(path)) as connection:  # as it is once the process ends
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            size = path.stat().st_size / raw
        added, read = (first - usual) / n, (again - usual) / n
        print(line([name, f"{added * 1e6:.1f}", f"{read * 1e6:.1f}", f"{size:.2f}"]))
        targets.append(Target(f"{name}: added to 1 ms a row", added / SLOW, most=0.05))
        targets.append(Target(f"{name}: bytes over raw bytes", size, most=2.0))
    for target in targets:
        print(target)
    return status(arguments.check, targets)


if __name__ == "__main__":
    sys.exit(main())
