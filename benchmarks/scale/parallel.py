"""How much faster are two workers than one, and what travels to them?

The model takes 1 ms per row and holds the GIL, so that threads do not help. It comes in two kinds.
One computes until its thread has used 1 ms of CPU time per row: the ratio compares the CPU time of
one process with that of this process and of the busiest worker, so that other work on the machine
does not count. The other one waits 1 ms per row: the ratio is of wall time, and shows what workers
lose by waiting for each other. One worker, two processes and a Dask cluster take turns, and the
best turn counts. Then a large model is sent: how often do workers receive it, and how large is a
task without it?

    python -m benchmarks.scale.parallel [--quick] [--check] [--repeats 3] [--only "process|owen"]
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from benchmarks.command import parser, status
from benchmarks.report import Target, head, line

SLOW = 1e-3
"""Seconds per row."""

LEAST = {"loky": 1.7, "dask": 1.6}
ROWS = np.random.default_rng(0).normal(size=(60, 12))
BACKGROUND = ROWS[:20]


class Model:
    """A function with interactions that takes 1 ms per row: it waits, or it computes."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        if self.kind == "waits":
            time.sleep(SLOW * len(rows))
        else:
            end = time.thread_time() + SLOW * len(rows)
            while time.thread_time() < end:
                pass
        return np.tanh(rows[:, 0] * rows[:, 1]) + rows[:, 2] * rows[:, 3] + rows.sum(axis=1)


class LargeModel(Model):
    """The same at once, with arrays and text of many bytes; a file counts how often it arrives."""

    def __init__(self, n_bytes: int, path: str) -> None:
        self.weights, self.text, self.path = np.ones(n_bytes // 16), bytes(n_bytes // 2), path

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        with open(self.path, "a") as file:
            file.write(f"{os.getpid()}\n")

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return rows[:, 0] * rows[:, 1] * self.weights[0] + rows.sum(axis=1)


def methods() -> dict[str, Callable[..., Any]]:
    """Explainers by name, each made of a model and settings."""
    import perturbx as px

    background = px.Background(BACKGROUND)

    def kernel(estimator: str, masker: Any = background) -> Callable[..., Any]:
        def make(model: Any, **settings: Any) -> Any:
            return px.KernelShap(model, estimator=estimator, masker=masker, **settings)

        return make

    return {
        "KernelShap regression": kernel("regression"),
        "KernelShap process": kernel("process"),
        "KernelShap rows": kernel("rows"),
        "KernelShap process, one background row": kernel("process", px.Baseline(ROWS[0])),
        "PermutationShap": lambda model, **s: px.PermutationShap(model, masker=background, **s),
        "Lime": px.Lime,
        "OwenShap": lambda model, **s: px.OwenShap(model, masker=px.ColumnTree(BACKGROUND), **s),
    }


def cpu_of_workers() -> dict[int, float]:
    """CPU seconds of every process that this one has started."""
    import psutil

    found = {}
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            spent = child.cpu_times()
            found[child.pid] = spent.user + spent.system
    return found


def measured(make: Callable[..., Any], model: Model, n: int, budget: int, how: str) -> float:
    """Seconds of one explanation: of the clock, or of CPU of this and the busiest process."""
    explainer = make(model, budget=budget, random_state=0, n_jobs=1 if how == "alone" else 2)
    explainer.fit(BACKGROUND)
    backend = "loky" if how == "alone" else how
    before, cpu, start = cpu_of_workers(), time.process_time(), time.perf_counter()
    with joblib.parallel_config(backend):
        explainer.explain(ROWS[20 : 20 + n])
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    if model.kind == "waits":
        return wall
    after = cpu_of_workers()
    return cpu + max((after[pid] - before.get(pid, 0.0) for pid in after), default=0.0)


@contextlib.contextmanager
def cluster() -> Iterator[list[str]]:
    """The backends: worker processes of joblib, and a Dask cluster where it is installed."""
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        yield ["loky"]
        return
    logging.getLogger("distributed").setLevel(logging.ERROR)
    settings: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 1}
    with LocalCluster(**settings, processes=True, dashboard_address=None) as made, Client(made):
        yield ["loky", "dask"]


def ratios(only: str, cases: list[tuple[int, int]], repeats: int) -> Iterator[Target]:
    """The time of one worker over that of two, for each method, number of rows and model."""
    with cluster() as backends:
        for backend in backends:  # starts all workers, and lets them import what they need
            measured(methods()["KernelShap regression"], Model("waits"), 4, 1000, backend)
        titles = [f"{kind}, {backend}" for kind in ("computes", "waits") for backend in backends]
        print(head(["method", "instances", "rows each", *titles]))
        for name, make in methods().items():
            if not re.search(only, name, re.IGNORECASE):
                continue
            for n, budget in cases:
                cells = []
                for kind in ("computes", "waits"):
                    seconds: dict[str, list[float]] = {how: [] for how in ("alone", *backends)}
                    for _ in range(repeats):
                        for how, taken in seconds.items():
                            taken.append(measured(make, Model(kind), n, budget, how))
                    for backend in backends:
                        ratio = min(seconds["alone"]) / min(seconds[backend])
                        cells.append(f"{ratio:.2f}")
                        said = f"{name}, {n} rows, {kind}, {backend}"
                        yield Target(said, ratio, least=LEAST[backend])
                print(line([name, str(n), str(budget), *cells]), flush=True)


def traffic(n_bytes: int) -> Iterator[Target]:
    """How often a large model arrives, and how large the other tasks are."""
    from perturbx import _workers

    packed, sizes = _workers.packed, list[int]()

    def counted(*arguments: Any) -> bytes:
        task = packed(*arguments)
        sizes.append(len(task))
        return task

    _workers.packed = counted
    print(head(["method", "backend", "MB of the model", "times sent", "tasks", "kB of a task"]))
    with cluster() as backends, tempfile.TemporaryDirectory() as folder:
        for name in ("KernelShap regression", "OwenShap"):
            for backend in backends:
                sizes.clear()
                path = Path(folder) / f"{name} {backend}"
                model = LargeModel(n_bytes, str(path))
                explainer = methods()[name](model, budget=3000, random_state=0, n_jobs=2)
                explainer.fit(BACKGROUND)
                with joblib.parallel_config(backend):
                    explainer.explain(ROWS[20:22])
                arrived = path.read_text().split()
                told = [f"{n_bytes / 1e6:.0f}", str(len(arrived)), str(len(sizes))]
                print(line([name, backend, *told, f"{max(sizes) / 1e3:.1f}"]), flush=True)
                most = len(set(arrived))
                yield Target(f"{name}, {backend}: times sent", len(arrived), most=most)
                yield Target(f"{name}, {backend}: kB of a task", max(sizes) / 1e3, most=50)
    _workers.packed = packed


def main() -> int:
    """Measure, print and judge."""
    made = parser(quick="one instance, a third of the rows, and a model of 20 MB")
    made.add_argument("--repeats", type=int, default=2, help="turns of each number of workers")
    made.add_argument("--only", default="", help="a regular expression of methods")
    arguments = made.parse_args()
    cases = [(1, 1000)] if arguments.quick else [(1, 3000), (8, 1000)]
    targets = list(ratios(arguments.only, cases, 1 if arguments.quick else arguments.repeats))
    targets += traffic(20_000_000 if arguments.quick else 200_000_000)
    for target in targets:
        print(target)
    return status(arguments.check, targets)


if __name__ == "__main__":
    sys.exit(main())
