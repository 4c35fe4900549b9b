"""What do the scores of 1,000 classes of a photo cost over those of one class?

Each method of perturbx explains a photo of 224 x 224 pixels with its defaults, once for one class
of a network and once for all 1,000, in one process. The network does the same work in both cases,
and its own CPU time is not counted.

    python -m benchmarks.scale.many_outputs [--quick] [--check] [--repeats 3] [--only PATTERN]
"""

from __future__ import annotations

import re
import sys
import time
import warnings
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from benchmarks.command import process, racing_arguments, status
from benchmarks.measure import Contestant, Result, race, serve
from benchmarks.report import Target, head, line
from benchmarks.scale.image_overhead import photo

Array = np.ndarray
SIDE, STRIDE, HIDDEN, CLASSES = 224, 8, 64, 1000
INPUTS = (SIDE // STRIDE) ** 2 * 3
MOST = 2.0
"""Times what one class costs."""

METHODS: dict[str, dict[str, Any]] = {
    "Occlusion": {},
    "Lime": {},
    "KernelShap": {},
    "KernelShap, regression": {"estimator": "regression"},
    "PermutationShap": {},
    "Banzhaf": {},
    "OwenShap": {},
    "Rise": {},
    "Rise, mean": {"estimator": "mean"},
    "Rise, covariance": {"estimator": "covariance"},
    "SmoothGrad": {},
    "IntegratedGradients": {},
}


def _weights(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


@dataclass
class Network:
    """Probabilities of 1,000 classes from one hidden layer on a coarse picture; it shows `shown`.

    `rows` and `seconds` are what it was asked for, and the CPU time that it took.
    """

    shown: int
    rows: int = 0
    seconds: float = 0.0
    inner: Array = field(default_factory=lambda: _weights(0, INPUTS, HIDDEN) / 13)
    outer: Array = field(default_factory=lambda: _weights(1, HIDDEN, CLASSES))

    def __call__(self, batch: Any) -> Array:
        start = time.process_time()
        coarse = batch[:, ::STRIDE, ::STRIDE].reshape(len(batch), -1) / 255 - 0.5
        scores = np.exp(np.tanh(coarse @ self.inner) @ self.outer)
        shown = (scores / scores.sum(axis=1, keepdims=True))[:, : self.shown]
        self.rows += len(batch)
        self.seconds += time.process_time() - start
        return np.asarray(shown if self.shown > 1 else shown[:, 0])


def contestant(name: str, classes: int) -> Contestant:
    """A turn explains one class, and then all; the figures are the least times of any turn."""
    import perturbx as px

    image, times = photo(SIDE), {"one class": np.inf, "all classes": np.inf}

    def explain(shown: int) -> tuple[float, int]:
        network = Network(shown)
        method = getattr(px, name.split(",")[0])
        explainer = method(network, random_state=0, **METHODS[name])
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a local fit may describe some classes poorly
            explainer.explain(image)
        return time.process_time() - start - network.seconds, network.rows

    def turn() -> int:
        for label, shown in zip(times, (1, classes), strict=True):
            seconds, rows = explain(shown)
            times[label] = min(times[label], seconds)
        return rows

    return Contestant(turn, warm_up=partial(explain, 1), figures=lambda: times)


def cells(name: str, result: Result) -> tuple[str, ...]:
    if result.skipped:
        return (name, result.skipped, "", "", "", "")
    one, every = result.figures.values()
    numbers = f"{one:.2f}", f"{every:.2f}", f"{every / one:.2f}", f"{result.megabytes:.0f}"
    return (name, str(result.rows), *numbers)


def main() -> int:
    chosen = racing_arguments(
        quick="one turn",
        repeats=3,
        only="methods that match",
        contender=("CLASSES", "NAME"),
    )
    if chosen.contender:
        classes, name = chosen.contender
        serve(lambda: contestant(name, int(classes)))
        return 0
    repeats = 1 if chosen.quick else chosen.repeats
    print(f"\n## A photo of {SIDE} x {SIDE} pixels: one class, and {CLASSES:,}\n")
    columns = "one class, s", f"{CLASSES:,} classes, s", "ratio", "MB over import"
    print(head(("method", "rows", *columns)))
    found = []
    for name in METHODS:
        if not re.search(chosen.only, name):
            continue
        result = race({name: process("--contender", str(CLASSES), name)}, repeats)[name]
        print(line(cells(name, result)), flush=True)
        if result.figures:
            one, every = result.figures.values()
            found.append(Target(f"{name}: {CLASSES:,} classes over one", every / one, most=MOST))
    print("", *found, sep="\n", flush=True)
    return status(chosen.check, found)


if __name__ == "__main__":
    sys.exit(main())
