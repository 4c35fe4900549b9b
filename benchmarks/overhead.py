"""What does the loop cost around a model that costs nothing?

A linear model is asked for masked rows: by hand (the floor), by perturbx, and by its peers, each
at the same number of model rows, on one thread. Costs are compared a model row, since peers spend
their rows in units of their own. KernelShap reads its answers by regression here, as its peers
do; its other estimators get more out of the same answers, and take the time that their own race
shows. That race has a model with interactions: on a linear one the process has nothing to do.

    python benchmarks/overhead.py [--quick] [--check] [--repeats 6] [--only PATTERN]

``--check`` exits with 1 where perturbx misses what it promises.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np

from _measure import Contestant, Reach, Result, race, ratio, serve, table

Array = np.ndarray
TILE_BYTES = 2**22
MOST_TILE_ROWS = 4096


@dataclass
class Linear:
    """The model: X @ w, and how many rows it has seen."""

    w: Array
    rows: int = 0

    def __call__(self, X: Array) -> Array:
        self.rows += len(X)
        return X @ self.w


class Interacting(Linear):
    """The same with two interactions of three features."""

    def __call__(self, X: Array) -> Array:
        terms = X[:, 0] * X[:, 1] * X[:, 2] + np.tanh(X[:, 3] * X[:, 4] * X[:, 5])
        return super().__call__(X) + terms


@dataclass
class LinearFrame:
    """The model of a frame: a weighted sum of a few of its numeric columns."""

    weights: dict[str, float]
    rows: int = 0

    def __call__(self, frame: Any) -> Array:
        self.rows += len(frame)
        parts = (weight * frame[name].to_numpy() for name, weight in self.weights.items())
        return np.asarray(sum(parts))


@dataclass(frozen=True)
class Size:
    """How much is asked: features, background rows, instances, coalitions of each."""

    d: int
    background: int
    n: int
    m: int

    @property
    def budget(self) -> int:
        """Rows an instance: its coalitions, the empty state, and itself."""
        return (self.m + 1) * self.background + 1


@dataclass(frozen=True)
class Race:
    """A size, a tenth of it, and who is measured; the reference comes first."""

    size: Size
    quick: Size
    contenders: dict[str, Callable[[Size], Contestant]]


@dataclass(frozen=True)
class Inputs:
    """Arrays drawn from a fixed seed."""

    size: Size
    X: Array
    background: Array
    model: Linear


def inputs(size: Size) -> Inputs:
    rng = np.random.default_rng(0)
    X, background = (rng.normal(size=(rows, size.d)) for rows in (size.n, size.background))
    return Inputs(size, X, background, Linear(rng.normal(size=size.d)))


def counted(model: Linear | LinearFrame, work: Callable[[], Any]) -> Callable[[], int]:
    """Work that returns how many rows it asked the model for."""

    def turn() -> int:
        before = model.rows
        work()
        return model.rows - before

    return turn


# ---------------------------------------------------------------- by hand


def coalitions(size: Size) -> Array:
    return np.random.default_rng(1).random((size.m, size.d)) < 0.5


def predict_alone(size: Size) -> Contestant:
    """The model on rows that are there already."""
    at = inputs(size)
    tile = np.tile(at.background, (_step(size), 1))
    calls = size.n * size.m // _step(size)

    def work() -> None:
        for _ in range(calls):
            at.model(tile)

    return Contestant(counted(at.model, work))


def by_hand(fill: Callable[[Array, Array, Array, Array], None], size: Size) -> Contestant:
    """Tiles of masked rows in one reused buffer, the model, and the mean over the background."""
    at = inputs(size)
    z = coalitions(size)

    def work() -> Array:
        step = _step(size)
        means = np.empty((size.n, size.m))
        buffer = np.empty((step, size.background, size.d))
        for x, row in zip(at.X, means, strict=True):
            for start in range(0, size.m, step):
                part = z[start : start + step]
                tile = buffer[: len(part)]
                fill(tile, part, x, at.background)
                answers = at.model(tile.reshape(-1, size.d))
                row[start : start + step] = answers.reshape(len(part), -1).mean(axis=1)
        return means

    return Contestant(counted(at.model, work))


def fill_xor(tile: Array, z: Array, x: Array, background: Array) -> None:
    """Bit-exact: (present & (x ^ b)) ^ b on the bits of the floats."""
    b = background.view(np.uint64)
    out = tile.view(np.uint64)
    present = np.negative(z.astype(np.uint64))
    np.bitwise_and(present[:, None, :], b ^ x.view(np.uint64), out=out)
    np.bitwise_xor(out, b, out=out)


def fill_copyto(tile: Array, z: Array, x: Array, background: Array) -> None:
    tile[:] = background
    np.copyto(tile, x, where=z[:, None, :])


def _step(size: Size) -> int:
    """Coalitions a tile; the floor was fastest at these sizes."""
    return max(1, min(TILE_BYTES // (8 * size.d), MOST_TILE_ROWS) // size.background)


# ---------------------------------------------------------------- perturbx


def kernel(size: Size) -> Contestant:
    at = inputs(size)
    return _kernel(size, at.model, at.X, at.background)


def estimator(name: str, size: Size) -> Contestant:
    """One of KernelShap's estimators, on a model with interactions."""
    at = inputs(size)
    return _kernel(size, Interacting(at.model.w), at.X, at.background, name)


def permutations(size: Size) -> Contestant:
    """Permutations over the whole background, as shap's."""
    import perturbx as px
    from perturbx.samplers import Permutations
    from perturbx.solvers import MarginalContributions

    at = inputs(size)
    triple = px.Explainer(
        at.model,
        masker=px.Background(at.background),
        sampler=Permutations(),
        solver=MarginalContributions(),
        budget=size.budget,
        random_state=0,
    )
    return _explaining(triple, at.model, at.X)


def perturbx_frame(size: Size) -> Contestant:
    """Floats in a pandas frame."""
    import pandas as pd

    at = inputs(size)
    names = [f"x{j}" for j in range(size.d)]
    X, background = (pd.DataFrame(rows, columns=names) for rows in (at.X, at.background))
    model = LinearFrame({"x0": 1.5, "x1": -2.0, "x2": 0.5})
    return _kernel(size, model, X, background)


def perturbx_mixed(size: Size) -> Contestant:
    """Every kind of column in a pandas frame."""
    model = LinearFrame(MIXED_WEIGHTS)
    return _kernel(size, model, mixed(size, size.n), mixed(size, size.background))


def frame_alone(size: Size) -> Contestant:
    """The frame's model on mixed rows that are there already."""
    model, rows = LinearFrame(MIXED_WEIGHTS), _step(size) * size.background
    frame = mixed(size, rows)

    def work() -> None:
        for _ in range(size.n * size.m * size.background // rows):
            model(frame)

    return Contestant(counted(model, work))


KINDS = ("float64",) * 10 + ("float32", "int64", "int8", "bool", "category", "str") * 4
MIXED_WEIGHTS = {"float64_0": 1.5, "float32_10": -2.0, "int64_11": 0.5, "int8_12": 0.1}


def mixed(size: Size, rows: int) -> Any:
    """A frame whose columns are named after their types."""
    import pandas as pd

    rng = np.random.default_rng(rows)
    columns: dict[str, Any] = {}
    for j in range(size.d):
        kind = KINDS[j % len(KINDS)]
        words = pd.Series(np.array(["red", "green", "blue", "gray"])[rng.integers(0, 4, rows)])
        drawn = rng.normal(scale=10, size=rows)
        columns[f"{kind}_{j}"] = {
            "bool": drawn > 0,
            "category": words.astype(pd.CategoricalDtype(["red", "green", "blue", "gray"])),
            "str": words.astype("str"),
        }.get(kind, drawn.astype(kind) if kind not in ("category", "str") else None)
    return pd.DataFrame(columns)


def perturbx_lime(size: Size) -> Contestant:
    import perturbx as px

    at = inputs(size)
    explainer = px.Lime(at.model, budget=size.m, random_state=0)
    return Contestant(
        counted(at.model, lambda: explainer.fit(at.background).explain(at.X)),
        lambda: explainer.fit(at.background).explain(at.X[:1]),
    )


def _kernel(
    size: Size,
    model: Linear | LinearFrame,
    X: Any,
    background: Any,
    estimator: str = "regression",
) -> Contestant:
    import perturbx as px

    masker = px.Background(background)
    explainer = px.KernelShap(
        model, masker=masker, budget=size.budget, estimator=estimator, random_state=0
    )
    return _explaining(explainer, model, X)


def _explaining(explainer: Any, model: Linear | LinearFrame, X: Any) -> Contestant:
    return Contestant(
        counted(model, lambda: explainer.fit().explain(X)),
        lambda: explainer.fit().explain(X[:1]),
    )


# ---------------------------------------------------------------- peers


def shap_kernel(size: Size) -> Contestant:
    import shap

    at = inputs(size)

    def explain(X: Array, nsamples: int = size.m) -> None:
        explainer = shap.KernelExplainer(at.model, at.background)
        explainer.shap_values(X, nsamples=nsamples, l1_reg=False, silent=True)

    return Contestant(
        counted(at.model, lambda: explain(at.X)),
        lambda: explain(at.X[:1], 2 * size.d + 100),
        version("shap"),
    )


def shap_permutation(size: Size) -> Contestant:
    import shap

    at = inputs(size)

    def explain(X: Array, evaluations: int = size.m) -> None:
        masker = shap.maskers.Independent(at.background, max_samples=size.background)
        explainer = shap.PermutationExplainer(at.model, masker, seed=0)
        explainer(X, max_evals=max(evaluations, 2 * size.d + 1), silent=True)

    return Contestant(
        counted(at.model, lambda: explain(at.X)), lambda: explain(at.X[:1], 0), version("shap")
    )


def light_shap(size: Size) -> Contestant:
    from lightshap import explain_any

    at = inputs(size)
    iterations = max(1, round(size.m / (2 * (size.d - 1))))

    def explain(X: Array, iterations: int = iterations) -> None:
        explain_any(
            at.model,
            X,
            at.background,
            method="kernel",
            how="sampling",
            max_iter=iterations,
            tol=1e-300,
            random_state=0,
            verbose=False,
        )

    return Contestant(
        counted(at.model, lambda: explain(at.X)), lambda: explain(at.X[:1], 1), version("lightshap")
    )


def shap_iq(size: Size) -> Contestant:
    import shapiq

    at = inputs(size)

    def explain(X: Array, budget: int = size.m) -> None:
        explainer = shapiq.TabularExplainer(
            at.model,
            at.background,
            index="SV",
            max_order=1,
            imputer="marginal",
            approximator=shapiq.KernelSHAP(size.d, pairing_trick=True, random_state=0),
            sample_size=size.background,
        )
        for x in X:
            explainer.explain(x, budget=budget)

    return Contestant(
        counted(at.model, lambda: explain(at.X)),
        lambda: explain(at.X[:1], 4 * size.d),
        version("shapiq"),
    )


def lime(size: Size) -> Contestant:
    from lime.lime_tabular import LimeTabularExplainer

    at = inputs(size)

    def explain(X: Array, samples: int = size.m) -> None:
        explainer = LimeTabularExplainer(
            at.background,
            mode="regression",
            discretize_continuous=False,
            sample_around_instance=True,
            random_state=0,
        )
        for x in X:
            explainer.explain_instance(x, at.model, num_features=size.d, num_samples=samples)

    return Contestant(
        counted(at.model, lambda: explain(at.X)), lambda: explain(at.X[:1], 200), version("lime")
    )


# ---------------------------------------------------------------- the races

XOR = partial(by_hand, fill_xor)
COPYTO = partial(by_hand, fill_copyto)

RACES = {
    "30 features": Race(
        Size(d=30, background=100, n=100, m=2048),
        Size(d=30, background=100, n=10, m=2048),
        {
            "floor": XOR,
            "predict alone": predict_alone,
            "copyto by hand": COPYTO,
            "perturbx KernelShap": kernel,
            "perturbx Permutations": permutations,
            "perturbx KernelShap, frame of floats": perturbx_frame,
            "perturbx KernelShap, mixed frame": perturbx_mixed,
            "mixed frame's model alone": frame_alone,
            "shap Kernel": shap_kernel,
            "shap Permutation": shap_permutation,
            "LightSHAP": light_shap,
            "shapiq": shap_iq,
        },
    ),
    "500 features": Race(
        Size(d=500, background=100, n=5, m=2048),
        Size(d=500, background=100, n=1, m=1024),
        {
            "floor": XOR,
            "predict alone": predict_alone,
            "copyto by hand": COPYTO,
            "perturbx KernelShap": kernel,
            "perturbx Permutations": permutations,
            "shap Kernel": shap_kernel,
            "LightSHAP": light_shap,
        },
    ),
    "KernelShap's estimators, 30 features": Race(
        Size(d=30, background=100, n=2, m=2048),
        Size(d=30, background=100, n=1, m=1024),
        {
            "regression": partial(estimator, "regression"),
            "rows": partial(estimator, "rows"),
            "process": partial(estimator, "process"),
            "auto, the default": partial(estimator, "auto"),
        },
    ),
    "Lime, 30 features": Race(
        Size(d=30, background=500, n=20, m=5000),
        Size(d=30, background=500, n=2, m=5000),
        {"perturbx Lime": perturbx_lime, "lime": lime},
    ),
}


def reaches(race_name: str, results: dict[str, Result]) -> list[Reach]:
    """What perturbx promises of a race."""
    there = {name: result for name, result in results.items() if not result.skipped}
    floor, kernel = there.get("floor"), there.get("perturbx KernelShap")
    if floor is None or kernel is None:
        return []
    wide = race_name == "500 features"
    found = [
        Reach("KernelShap over the floor", ratio(kernel, floor).value, most=1.4 if wide else 1.25),
        Reach("KernelShap's MB over import", kernel.megabytes, most=150 if wide else 60),
    ]
    for name in ("perturbx KernelShap, frame of floats", "perturbx KernelShap, mixed frame"):
        if name in there:
            found.append(Reach(f"{name}, over the floor", ratio(there[name], floor).value, most=3))
    for name, times in (("shap Kernel", 5.0), ("LightSHAP", 3.0)):
        if name in there and not wide:
            value = ratio(there[name], kernel).value
            found.append(Reach(f"{name} over perturbx KernelShap", value, least=times))
    return found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a reach is missed")
    parser.add_argument("--repeats", type=int, default=6, help="turns of each contender")
    parser.add_argument("--only", default="", help="races or contenders that match, and the floor")
    parser.add_argument("--contender", nargs=2, metavar=("RACE", "NAME"), help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    chosen = arguments()
    if chosen.contender:
        race_name, builder = chosen.contender
        at = RACES[race_name]
        serve(lambda: at.contenders[builder](at.quick if chosen.quick else at.size))
        return 0
    missed = 0
    for race_name, at in RACES.items():
        reference, *others = at.contenders
        wanted = [b for b in others if re.search(chosen.only, f"{race_name}: {b}")]
        if wanted:
            missed += run(race_name, [reference, *wanted], chosen)
    return 1 if chosen.check and missed else 0


def run(race_name: str, builders: list[str], chosen: argparse.Namespace) -> int:
    """Print a race's table and what is reached in it; how many reaches were missed."""
    size = RACES[race_name].quick if chosen.quick else RACES[race_name].size
    flags = ["--quick"] if chosen.quick else []
    start = [sys.executable, __file__, *flags, "--contender", race_name]
    results = race({builder: [*start, builder] for builder in builders}, chosen.repeats)
    print(f"\n## {race_name}: {size.n} rows, {size.m} perturbations each\n")
    print(table(list(results.values()), results[builders[0]]))
    found = reaches(race_name, results)
    print("", *found, sep="\n", flush=True)
    return sum(not reach.holds for reach in found)


if __name__ == "__main__":
    sys.exit(main())
