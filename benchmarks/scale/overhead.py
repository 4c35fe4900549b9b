"""How much time and memory does perturbx add around a table model that costs nothing?

A linear model is asked for masked rows: by hand (the floor), by perturbx, and by its peers, each
with the same number of model rows, on one thread. Costs are compared per model row, since peers
count their budgets differently. KernelShap estimates by regression here, like its peers. Its other
estimators get more out of the same answers and take longer, as their own race shows. That race has
a model with interactions, since the process stops early on a linear one.

    python -m benchmarks.scale.overhead [--quick] [--check] [--repeats 6] [--only PATTERN]
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from benchmarks.command import process, racing_arguments, status
from benchmarks.measure import Contestant, Result, race, ratio, serve, table
from benchmarks.report import Target
from benchmarks.scale import _contenders as ours
from benchmarks.scale import _peers as peers
from benchmarks.scale._contenders import Size


@dataclass(frozen=True)
class Race:
    """A size, a tenth of it, and the contenders, reference first."""

    size: Size
    quick: Size
    contenders: dict[str, Callable[[Size], Contestant]]


XOR = partial(ours.by_hand, ours.fill_xor)
COPYTO = partial(ours.by_hand, ours.fill_copyto)

RACES = {
    "30 features": Race(
        Size(d=30, background=100, n=100, m=2048),
        Size(d=30, background=100, n=10, m=2048),
        {
            "floor": XOR,
            "predict alone": ours.predict_alone,
            "copyto by hand": COPYTO,
            "perturbx KernelShap": ours.kernel,
            "perturbx Permutations": ours.permutations,
            "perturbx KernelShap, frame of floats": ours.perturbx_frame,
            "perturbx KernelShap, mixed frame": ours.perturbx_mixed,
            "mixed frame's model alone": ours.frame_alone,
            "shap Kernel": peers.shap_kernel,
            "shap Permutation": peers.shap_permutation,
            "LightSHAP": peers.light_shap,
            "shapiq": peers.shap_iq,
        },
    ),
    "500 features": Race(
        Size(d=500, background=100, n=5, m=2048),
        Size(d=500, background=100, n=1, m=1024),
        {
            "floor": XOR,
            "predict alone": ours.predict_alone,
            "copyto by hand": COPYTO,
            "perturbx KernelShap": ours.kernel,
            "perturbx Permutations": ours.permutations,
            "shap Kernel": peers.shap_kernel,
            "LightSHAP": peers.light_shap,
        },
    ),
    "KernelShap's estimators, 30 features": Race(
        Size(d=30, background=100, n=2, m=2048),
        Size(d=30, background=100, n=1, m=1024),
        {
            "regression": partial(ours.estimator, "regression"),
            "rows": partial(ours.estimator, "rows"),
            "process": partial(ours.estimator, "process"),
            "auto, the default": partial(ours.estimator, "auto"),
        },
    ),
    "Lime, 30 features": Race(
        Size(d=30, background=500, n=20, m=5000),
        Size(d=30, background=500, n=2, m=5000),
        {"perturbx Lime": ours.perturbx_lime, "lime": peers.lime},
    ),
}


def targets(race_name: str, results: dict[str, Result]) -> list[Target]:
    """The targets of perturbx in a race."""
    there = {name: result for name, result in results.items() if not result.skipped}
    floor, kernel = there.get("floor"), there.get("perturbx KernelShap")
    if floor is None or kernel is None:
        return []
    wide = race_name == "500 features"
    found = [
        Target("KernelShap over the floor", ratio(kernel, floor).value, most=1.4 if wide else 1.25),
        Target("KernelShap's MB over import", kernel.megabytes, most=150 if wide else 60),
    ]
    for name in ("perturbx KernelShap, frame of floats", "perturbx KernelShap, mixed frame"):
        if name in there:
            found.append(Target(f"{name}, over the floor", ratio(there[name], floor).value, most=3))
    for name, times in (("shap Kernel", 5.0), ("LightSHAP", 3.0)):
        if name in there and not wide:
            value = ratio(there[name], kernel).value
            found.append(Target(f"{name} over perturbx KernelShap", value, least=times))
    return found


def main() -> int:
    chosen = racing_arguments(
        quick="a tenth of the rows",
        repeats=6,
        only="races or contenders that match, and the floor",
        contender=("RACE", "NAME"),
    )
    if chosen.contender:
        race_name, builder = chosen.contender
        at = RACES[race_name]
        serve(lambda: at.contenders[builder](at.quick if chosen.quick else at.size))
        return 0
    found = []
    for race_name, at in RACES.items():
        reference, *others = at.contenders
        wanted = [b for b in others if re.search(chosen.only, f"{race_name}: {b}")]
        if wanted:
            found += run(race_name, [reference, *wanted], chosen)
    return status(chosen.check, found)


def run(race_name: str, builders: list[str], chosen: argparse.Namespace) -> list[Target]:
    """Print the table of a race and its targets."""
    size = RACES[race_name].quick if chosen.quick else RACES[race_name].size
    flags = ("--quick",) if chosen.quick else ()
    starts = {name: process(*flags, "--contender", race_name, name) for name in builders}
    results = race(starts, chosen.repeats)
    print(f"\n## {race_name}: {size.n} rows, {size.m} perturbations each\n")
    print(table(list(results.values()), results[builders[0]]))
    found = targets(race_name, results)
    print("", *found, sep="\n", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
