"""How much memory do the scores of 100,000 rows take, kept at once and in chunks?

A table of 10 columns and a model that takes no memory, so that what grows with the rows is what
perturbx keeps about each: its scores, their errors, its data, cost and notes.

    python -m benchmarks.scale.many_rows [--quick] [--check] [--rows 20000] [--only PATTERN]
"""

from __future__ import annotations

import gc
import re
import sys
import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.command import parser, status
from benchmarks.report import Target, head, line

Array = np.ndarray
N_FEATURES, N_BACKGROUND, CHUNK = 10, 20, 1000
MOST_KEPT = 512.0
"""Bytes per row."""
MOST_OVER = 1.3
"""The most memory at a time, over what is kept."""
MOST_IN_CHUNKS = 8.0
"""Bytes per row, of which nothing is kept."""

METHODS: dict[str, dict[str, Any]] = {
    "Occlusion": {},
    "PermutationShap": {"budget": 400},
    "KernelShap": {"budget": 400},
    "KernelShap, regression": {"budget": 600, "estimator": "regression"},
    "KernelShap, shared process": {"budget": 600, "estimator": "process", "prior": "shared"},
}


def model(X: Array) -> Array:
    return np.asarray(np.tanh(X[:, :5].sum(axis=1)) + X[:, 0] * X[:, 5] * X[:, 6])


def table(n: int) -> Array:
    return np.random.default_rng(0).normal(size=(n, N_FEATURES))


def explainer(name: str) -> Any:
    """Fitted, and with everything imported that it needs."""
    import perturbx as px

    method, masker = getattr(px, name.split(",")[0]), px.Background(table(N_BACKGROUND))
    made = method(model, masker=masker, random_state=0, **METHODS[name]).fit(table(200))
    made.explain(table(CHUNK))
    return made


def traced(work: Callable[[], Any]) -> tuple[float, float]:
    """The bytes that are kept while the result of `work` lives, and the most at a time."""
    gc.collect()
    tracemalloc.start()
    result = work()
    gc.collect()
    kept, peak = tracemalloc.get_traced_memory()
    del result
    tracemalloc.stop()
    return kept, peak


def at_once(made: Any, n: int) -> tuple[float, float]:
    """Bytes per row, kept and at most, that the second half of n rows adds."""
    half, whole = table(n // 2), table(n)
    first, both = traced(lambda: made.explain(half)), traced(lambda: made.explain(whole))
    kept, peak = ((b - a) / (n - len(half)) for a, b in zip(first, both, strict=True))
    return kept, peak


def in_chunks(made: Any, n: int) -> float:
    """Bytes per row at most that the second half adds, if only the sum of the scores is kept."""

    def most(n: int) -> float:
        chunks = (table(CHUNK) for _ in range(n // CHUNK))
        return traced(lambda: sum(part.values.sum(axis=0) for part in made.explain_iter(chunks)))[1]

    return (most(n) - most(n // 2)) / (n - n // 2)


def main() -> int:
    asked = parser(quick="10,000 rows")
    asked.add_argument("--rows", type=int, default=100_000)
    asked.add_argument("--only", default="", help="methods that match")
    chosen = asked.parse_args()
    n = 10_000 if chosen.quick else chosen.rows
    n_in_chunks = max(n // 10, 4 * CHUNK)
    print(f"\n## {n:,} rows of {N_FEATURES} columns\n")
    columns = "kept, B per row", "most at a time, B per row", "in chunks, B per row"
    print(head(("method", *columns)))
    found = []
    for name in METHODS:
        if not re.search(chosen.only, name):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # small budgets leave large errors
            made = explainer(name)
            (kept, peak), streamed = at_once(made, n), in_chunks(made, n_in_chunks)
        print(line((name, f"{kept:.0f}", f"{peak:.0f}", f"{streamed:.1f}")), flush=True)
        found += [
            Target(f"{name}: bytes kept per row", kept, most=MOST_KEPT),
            Target(f"{name}: most at a time over kept", peak / kept, most=MOST_OVER),
            Target(f"{name}: bytes per row in chunks", streamed, most=MOST_IN_CHUNKS),
        ]
    print("", *found, sep="\n", flush=True)
    return status(chosen.check, found)


if __name__ == "__main__":
    sys.exit(main())
