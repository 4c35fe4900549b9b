"""Runs of the benchmark: a method on a view with a seed. Maps and figures are kept in files."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.images._methods import Method, methods
from benchmarks.images._network import Door, NullDoor, network
from benchmarks.images._scores import faithfulness, localization
from benchmarks.images._views import View, sample
from benchmarks.report import Cell, Run, Runs

Array = np.ndarray
Done = Collection[tuple[Cell, int]]

QUICK_METHODS = (
    "perturbx OwenShap",
    "perturbx KernelShap",
    "perturbx Rise ridge",
    "perturbx Lime",
    "perturbx Occlusion",
    "shap Partition, blur",
    "lime, SLIC",
    "captum Occlusion",
    "RISE as published",
    "center blob",
)


_ORDER = ("squashed", "twice", "cropped", "alone")
"""The order of runs: after an interruption the main tables are there."""


@dataclass(frozen=True)
class Plan:
    """The runs to do: `only` is a pattern of method names; `folder` keeps maps and figures."""

    folder: Path
    file: Path | None
    only: str
    again: str
    seeds: int
    quick: bool

    def methods(self) -> list[Method]:
        found = [m for m in methods()[0] if re.search(self.only, m.name)]
        return [m for m in found if m.name in QUICK_METHODS] if self.quick else found


def run_all(views: Sequence[View], plan: Plan, runs: Runs, jobs: int) -> None:
    """All missing runs, one view at a time in each of `jobs` processes."""
    from joblib import Parallel, delayed
    from tqdm import tqdm

    done = {(cell, seed) for cell, seeds in runs.figures.items() for seed in seeds}
    done = {key for key in done if not (plan.again and re.search(plan.again, key[0].estimator))}
    waiting = [view for view in views if any(_wanted(view, plan, done))]
    waiting.sort(key=lambda view: _ORDER.index(view.kind))
    parallel = Parallel(n_jobs=jobs, return_as="generator_unordered")
    tasks = (delayed(run_view)(view, plan, done) for view in waiting)
    for found in tqdm(parallel(tasks), total=len(waiting), desc="pictures", disable=None):
        for run in found:
            runs.add(run)


def run_view(view: View, plan: Plan, done: Done) -> list[Run]:
    """All runs of one view, with one door, so that no picture is evaluated twice."""
    door = Door(_network(plan.folder, plan.file), view.label)
    found = []
    for method, cell, seed in _wanted(view, plan, done):
        heatmap, cost = _map(method, view, seed, door, plan)
        if view.objects is None:
            figures = faithfulness(door.images, view.image, heatmap)
        else:
            figures = localization(heatmap, view.objects)
        found.append(Run(cell, seed, cost | figures))
    return found


def _wanted(view: View, plan: Plan, done: Done) -> Iterator[tuple[Method, Cell, int]]:
    for method in plan.methods():
        if not method.everywhere and view.kind != "squashed":
            continue
        cell = Cell(view.photo, view.kind, method.name)
        for seed in range(plan.seeds if method.is_random else 1):
            if (cell, seed) not in done:
                yield method, cell, seed


def _map(
    method: Method, view: View, seed: int, door: Door, plan: Plan
) -> tuple[Array, dict[str, float]]:
    """The map and its cost, from its file if there is one."""
    path = map_file(plan.folder, view.name, method.name, seed)
    if path.exists() and not (plan.again and re.search(plan.again, method.name)):
        with np.load(path) as kept:
            return kept["heatmap"].astype(float), {n: float(kept[n]) for n in ("rows", "cpu")}
    _warm_up(method.name)
    door.reset()
    start = time.process_time()
    heatmap = method(door, view, seed)
    outside = time.process_time() - start - door.seconds
    cost = {"rows": float(door.rows), "cpu": 1e3 * outside / max(door.rows, 1)}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, heatmap=heatmap.astype(np.float32), **cost)
    return heatmap, cost


def map_file(folder: Path, view: str, method: str, seed: int) -> Path:
    name = "--".join(re.sub(r"\W+", "-", part) for part in (view, method, str(seed)))
    return folder / "maps" / f"{name}.npz"


@cache
def _network(folder: Path, file: Path | None) -> Any:
    return network(folder, file)


@cache
def _warm_up(name: str) -> None:
    """No run pays for imports and just-in-time compilation."""
    (method,) = (m for m in methods()[0] if m.name == name)
    method(NullDoor(), sample(64), 0)
