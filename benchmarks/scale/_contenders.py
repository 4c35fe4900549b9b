"""Models that cost nothing, masking by hand, and perturbx around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.measure import Contestant, counted

Array = np.ndarray
TILE_BYTES = 2**22
MOST_TILE_ROWS = 4096


@dataclass
class Linear:
    """The model: X @ w, with a count of its rows."""

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
    """Features, background rows, instances, and coalitions per instance."""

    d: int
    background: int
    n: int
    m: int

    @property
    def budget(self) -> int:
        """Rows per instance: its coalitions, the empty state, and the instance itself."""
        return (self.m + 1) * self.background + 1


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


# ---------------------------------------------------------------- by hand


def coalitions(size: Size) -> Array:
    return np.random.default_rng(1).random((size.m, size.d)) < 0.5


def predict_alone(size: Size) -> Contestant:
    """The model alone, on rows prepared in advance."""
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
    """Coalitions per tile; the floor was fastest at these sizes."""
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
    """Permutations over the whole background, like shap's."""
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
    """The frame's model alone, on mixed rows prepared in advance."""
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
