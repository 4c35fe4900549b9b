"""How much memory does an explanation take, next to the model rows that it asks about?

A model that takes no memory is asked about rows that would fill 1, 10 and 100 GB (rows times bytes
of a row), about one instance and about many. Each case runs in a process of its own. Its figure is
the most memory that the process held, less what it held once everything was imported and the data
made. The refusal by ``max_memory`` names a figure too, which is printed next to it.

    python -m benchmarks.scale.peak_memory [--quick] [--check] [--only PATTERN] [--sizes 1 10]
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from benchmarks.command import parser, process, status
from benchmarks.measure import one_thread, peak, resident
from benchmarks.report import Target, head, line

Array = np.ndarray
SIZES = (1.0, 10.0, 100.0)
"""GB of model rows."""
QUICK = (0.5, 1.0)
MOST = 200.0
"""MB over what the process held before."""
_SAID = re.compile(r"needs about ([\d.,e+-]+) GB")


@dataclass(frozen=True)
class Table:
    """Rows of so many columns, and background rows; `each` GB per instance where these are many."""

    columns: int
    background: int = 100
    each: float = 0.03
    masker: str = "Background"

    @property
    def row_bytes(self) -> int:
        return 8 * self.columns

    @property
    def small(self) -> Table:
        """Of the same kind, for a first explanation."""
        return replace(self, columns=80, background=5)

    def parts(self, gigabytes: float, n: int) -> tuple[Array, dict[str, Any]]:
        """The instances, and the arguments that make the explainer."""
        rng = np.random.default_rng(0)
        background = rng.normal(size=(self.background, self.columns))
        parts = {"data": background, "masker": self.masker}
        if self.masker != "GaussianNoise":
            parts["max_rows"] = self.background
        return rng.normal(size=(n, self.columns)), parts


@dataclass(frozen=True)
class Occluded(Table):
    """Occlusion asks about each column with each background row, of which there are more."""

    def parts(self, gigabytes: float, n: int) -> tuple[Array, dict[str, Any]]:
        n_background = round(gigabytes * 1e9 / self.row_bytes / self.columns / n)
        return Table(self.columns, max(n_background, 1)).parts(gigabytes, n)


@dataclass(frozen=True)
class Images:
    """Photos of three channels."""

    masker: str
    each: float = 0.6
    side: int = 224

    @property
    def row_bytes(self) -> int:
        return 24 * self.side**2

    @property
    def small(self) -> Images:
        return replace(self, side=64)

    def parts(self, gigabytes: float, n: int) -> tuple[Array, dict[str, Any]]:
        place = np.linspace(0, 6, self.side)
        waves = np.sin(place[:, None] * np.arange(1, 4)) + np.cos(place)[:, None, None]
        shifts = np.linspace(0, 0.1, n)[:, None, None, None]
        photos = waves + shifts
        photos.flags.writeable = False  # as a mapped file, so that an explanation needs no copy
        return photos, {"masker": self.masker, "data": None}


@dataclass(frozen=True)
class Case:
    """A method with its settings, and what it explains."""

    method: str
    on: Table | Images
    settings: dict[str, Any] = field(default_factory=dict)
    most: int = 10_000
    """Instances, where each takes time."""

    def many(self, gigabytes: float) -> int:
        return int(np.clip(gigabytes / self.on.each, 1, self.most))


_NARROW, _WIDE = Table(125), Table(5000, each=1.0)
CASES: dict[str, Case] = {
    "KernelShap": Case("KernelShap", _NARROW),
    "KernelShap, regression": Case("KernelShap", _NARROW, {"estimator": "regression"}),
    "KernelShap, process": Case("KernelShap", _NARROW, {"estimator": "process"}, most=100),
    "KernelShap, shared process": Case(
        "KernelShap", _NARROW, {"estimator": "process", "prior": "shared"}
    ),
    "KernelShap, sparse process": Case(
        "KernelShap", Table(600, 20, each=0.6), {"estimator": "process"}, most=20
    ),
    "KernelShap, rows": Case("KernelShap", _WIDE, {"estimator": "rows"}),
    "KernelShap, narrow rows": Case("KernelShap", _NARROW, {"estimator": "rows"}),
    "KernelShap, interactions": Case("KernelShap", Table(20), {"interactions": True}, most=10),
    "PermutationShap": Case("PermutationShap", _WIDE),
    "PermutationShap, narrow rows": Case("PermutationShap", _NARROW),
    "PermutationShap, one background row": Case("PermutationShap", Table(125, 1)),
    "Banzhaf": Case("Banzhaf", _NARROW),
    "Lime": Case("Lime", Table(1000, each=0.1, masker="GaussianNoise")),
    "Lime, photo": Case("Lime", Images("Superpixels")),
    "Rise": Case("Rise", Images("SmoothGrid")),
    "Rise, covariance": Case("Rise", Images("SmoothGrid"), {"estimator": "covariance"}),
    "Rise, mean": Case("Rise", Images("SmoothGrid"), {"estimator": "mean"}),
    "Occlusion": Case("Occlusion", Occluded(1000, each=0.1)),
    "OwenShap": Case("OwenShap", Table(125, 1000, each=0.1, masker="ColumnTree")),
    "OwenShap, photo": Case("OwenShap", Images("SuperpixelTrees")),
}


def model(rows: Array) -> Array:
    """Interactions of three features, and slopes, of a few numbers of each row."""
    flat = rows.reshape(len(rows), -1)
    few = flat[:, np.array([0, 1, 2, 10, 40, 70]) % flat.shape[1]]
    products = few[:, 0] * few[:, 1] * few[:, 2] + np.tanh(few[:, 3] * few[:, 4] * few[:, 5])
    return np.asarray(products + few.sum(axis=1))


def maker(name: str, on: Table | Images, gigabytes: float, n: int) -> tuple[Array, Any]:
    """The instances, and a function that makes the explainer of so many GB, given settings."""
    import perturbx as px

    case = CASES[name]
    X, parts = on.parts(gigabytes, n)
    data, masker = parts.pop("data"), getattr(px, parts.pop("masker"))(**parts)

    def made(**settings: Any) -> Any:
        if case.method != "Occlusion":
            settings["budget"] = int(gigabytes * 1e9 / on.row_bytes / n)
        chosen = {**case.settings, **settings, "masker": masker, "random_state": 0}
        return getattr(px, case.method)(model, **chosen).fit(data)

    return X, made


def measure(name: str, gigabytes: float, n: int) -> dict[str, float]:
    """The figures of one case, in a process of its own."""
    from perturbx.errors import BudgetError

    on = CASES[name].on
    X, made = maker(name, on.small, 2e-6 * on.small.row_bytes, 1)
    made().explain(X)  # imports what is imported when it is needed
    X, made = maker(name, on, gigabytes, n)
    explainer, said = made(), np.nan
    try:
        made(max_memory=1).explain(X)
    except BudgetError as error:
        found = _SAID.search(str(error))
        said = float(found[1].replace(",", "")) * 1e3 if found else np.nan
    before, start = resident(), time.perf_counter()
    explanation = explainer.explain(X)
    seconds = time.perf_counter() - start
    return {
        "rows": float(explanation.n_rows),
        "megabytes": peak() - before,
        "said": said,
        "seconds": seconds,
    }


def figures(name: str, gigabytes: float, n: int) -> dict[str, float]:
    """Those of a new process."""
    command = process("--case", name, str(gigabytes), str(n))
    done = subprocess.run(command, capture_output=True, text=True, env=one_thread(), check=False)
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def arguments() -> argparse.Namespace:
    asked = parser(quick="0.5 and 1 GB")
    asked.add_argument("--sizes", type=float, nargs="+", default=SIZES, help="GB of model rows")
    asked.add_argument("--only", default="", help="methods that match")
    asked.add_argument("--case", nargs=3, metavar=("NAME", "GB", "N"), help=argparse.SUPPRESS)
    return asked.parse_args()


def main() -> int:
    chosen = arguments()
    if chosen.case:
        name, gigabytes, n = chosen.case
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            print(json.dumps(measure(name, float(gigabytes), int(n))))
        return 0
    sizes = QUICK if chosen.quick else chosen.sizes
    print(head(("method", "GB of rows", "instances", "model rows", "peak MB", "refusal", "s")))
    targets = []
    for name, case in CASES.items():
        if not re.search(chosen.only, name):
            continue
        for gigabytes in sizes:
            for n in sorted({1, case.many(gigabytes)}):
                found = figures(name, gigabytes, n)
                cells = name, f"{gigabytes:g}", f"{n:,}", f"{found['rows']:,.0f}"
                ends = f"{found['megabytes']:.0f}", f"{found['said']:.0f}"
                print(line((*cells, *ends, f"{found['seconds']:.0f}")), flush=True)
                claim = f"{name}, {gigabytes:g} GB, {n:,} instances: MB"
                targets.append(Target(claim, found["megabytes"], most=MOST))
    print("", *targets, sep="\n", flush=True)
    return status(chosen.check, targets)


if __name__ == "__main__":
    sys.exit(main())
